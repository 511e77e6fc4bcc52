"""`imbot init`: some fifteen questions, the servers tried at once, and a short config that only its writer may read.

An answer that does not work may be kept: mail servers are repaired later than configs are written. `imbot doctor` tries again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imbot.cli_base import say, say_wrapped, wait_for
from imbot.domain.errors import ConfigError, ImbotError
from imbot.domain.people import canonical_address

if TYPE_CHECKING:
    from imbot.config import Settings

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a mailbox by token is: what need not be asked."""

    token_url: str = ""
    grant: str = "refresh_token"
    scope: str = ""
    smtp: str = ""
    imap: str = ""


PROVIDERS = {
    "microsoft": Provider(
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "client_credentials",
        "https://outlook.office365.com/.default",
        "smtp.office365.com",
        "outlook.office365.com",
    ),
    "google": Provider("https://oauth2.googleapis.com/token", smtp="smtp.gmail.com", imap="imap.gmail.com"),
    "yandex": Provider("https://oauth.yandex.ru/token", smtp="smtp.yandex.ru:465", imap="imap.yandex.ru"),
    "mail.ru": Provider("https://oauth.mail.ru/token", smtp="smtp.mail.ru:465", imap="imap.mail.ru"),
    "other": Provider(),
}
# Somebody's, never the asker's: shown as examples, never taken by Enter.
_ADMIN, _BOT, _INTAKE = "admin@company.ru", "helpbot@company.ru", "support@company.ru"
_DOMAIN, _HOST, _LDAP = "company.ru", "mail.company.ru", "ldaps://dc1.company.ru"
_PROOFS = (
    "auth-results: your mail server writes SPF, DKIM and DMARC results into letters; most do",
    "trusted-relay: the helpdesk hands its letters to your mail server from a host that you know",
    "exchange-internal: both mailboxes are in one Exchange",
    "sender-only: the address alone, which anybody can forge; docs/profiles.md has more of each",
)
_HEAD = """\
# Written by `imbot init`. Every other key, with its default: config.example.toml.
# This file bears passwords: nobody but imbot's user may read it.
"""


def interview(path: Path, *, force: bool, check: bool) -> None:
    """Ask, try, write. Raises ImbotError where the file is there already or cannot be written."""
    if path.exists() and not force:
        raise ImbotError(f"{path} is there already: --force replaces it")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ImbotError(f"{path} cannot be written: there is no folder {path.parent} that you may write to")
    tree = _placeholders()
    say("Some fifteen questions; Enter takes what stands in brackets. Servers are tried at once.\n")
    home = path.absolute().parent
    groups: tuple[tuple[Callable[[Tree], None], tuple[str, ...]], ...] = (
        (_ask_company, ()),
        (_ask_telegram, ("telegram",)),
        (_ask_directory, ("directory",)),
        (_ask_mail, ("smtp", "mailbox")),
        (partial(_ask_itsm, signer=lambda: _signer(tree, home) if check else ""), ()),
    )
    for ask, legs in groups:
        _until_right(tree, ask, legs if check else (), home)
    _write(path, tree)
    say(f"\n{path} is written. Next: `imbot doctor --config {path}`, then `imbot run --config {path}`.")


def _until_right(tree: Tree, ask: Callable[[Tree], None], legs: tuple[str, ...], folder: Path) -> None:
    """Ask a group of questions until the answers make sense and work, or are kept as they are. `folder`: that of the config,
    from which relative paths are meant."""
    from imbot.config import anchor_paths, checked

    while True:
        before = deepcopy(tree)
        ask(tree)
        try:
            anchor_paths(anchored := deepcopy(tree), folder)
            settings = checked(anchored)
        except ConfigError as error:
            for problem in error.problems:
                say(f"  {problem}")
            if not _take_back(tree, before, error.problems):
                tree.clear()
                tree.update(before)
            continue
        wrong = [leg for leg in legs if not _works(settings, leg)]
        if not wrong or typer.confirm("  Keep it all the same?", default=False):
            return


def _take_back(tree: Tree, before: Tree, problems: Sequence[str], place: str = "") -> bool:
    """What was refused is offered no second time, the other answers are; False where no answer is named in `problems`."""
    found = False
    for key, value in list(tree.items()):
        old = before.get(key)
        if isinstance(value, dict):
            nested = old if isinstance(old, dict) else {}
            found |= _take_back(value, nested, problems, f"{place}.{key}" if place else key)
        elif any(problem.startswith(f"[{place}] {key}") for problem in problems):
            found = True
            if old is None:
                del tree[key]
            else:
                tree[key] = old
    return found


def _works(settings: Settings, leg: str) -> bool:
    from imbot import cli_doctor

    questions: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "telegram": cli_doctor.ask_telegram,
        "directory": cli_doctor.ask_directory,
        "smtp": cli_doctor.ask_smtp,
        "mailbox": cli_doctor.ask_mailbox,
    }

    found = wait_for(cli_doctor.asked(leg, questions[leg], settings))
    say_wrapped(f"  {found.line()}")
    return found.state != "wrong"


def _ask_company(tree: Tree) -> None:
    general = tree["general"]
    _ask(general, "support_contact", "How do people reach a human (phone, room; the bot names it where it cannot help)")
    general["admins"] = [_address("Who hears of trouble (your mail address)", general["admins"][0], _ADMIN)]
    _ask(general, "timezone", "Time zone of the company (as in Europe/Moscow)")


def _ask_telegram(tree: Tree) -> None:
    section = tree["telegram"]
    again = section["token"] != _placeholders()["telegram"]["token"]  # it makes sense, and did not work
    section["token"] = _secret("Bot token from @BotFather")
    if again:
        _ask(
            section, "proxy", "Proxy to Telegram, if it needs one (http://host:port, socks5://user:password@host:port)"
        )


def _ask_directory(tree: Tree) -> None:
    section = tree["directory"]
    section["kind"] = _choice("Who is an employee", ("ldap", "file", "domain"), section["kind"])
    if section["kind"] == "ldap":
        ldap = section.setdefault("ldap", {"uris": [_LDAP], "bind_dn": "", "base": ""})
        ldap["uris"] = [_own("  Directory server", ldap["uris"][0], _LDAP)]
        ldap["starttls"] = ldap["uris"][0].startswith("ldap:")
        _ask(ldap, "bind_dn", "  Service account (DN)")
        ldap["bind_password"] = _secret("  Its password")
        _ask(ldap, "base", "  Where the people are (base DN)")
        ldap["disabled_bit"] = typer.confirm("  Is it Active Directory?", default=True)
    elif section["kind"] == "file":
        file = section.setdefault("file", {"path": "directory.toml"})
        file["path"] = _prompt(
            "  File of persons, from the config's folder (see data/directory.example.toml)", file["path"]
        )
    else:
        domain = section.setdefault("domain", {"domains": [_DOMAIN]})
        domain["domains"] = [_own("  Domain of the work addresses", domain["domains"][0], _DOMAIN)]
    for kind in ("ldap", "file", "domain"):
        if kind != section["kind"]:
            section.pop(kind, None)


def _ask_mail(tree: Tree) -> None:
    smtp, mailbox, itsm = tree["smtp"], tree["mailbox"], tree["itsm"]
    itsm["bot_address"] = _address("The bot's own mailbox", itsm["bot_address"], _BOT)
    password = _secret("Its password (empty: it signs in by a token, OAuth2)", needed=False)
    while not password and not typer.confirm("  No password: does it sign in by a token (OAuth2)?", default=False):
        password = _secret("Its password", needed=False)
    smtp["username"] = mailbox["username"] = itsm["bot_address"]
    if not password:
        _ask_token(smtp, mailbox)
        return
    smtp["password"] = mailbox["password"] = password
    smtp.pop("oauth", None)
    mailbox.pop("oauth", None)
    _server(smtp, "SMTP server (host, or host:port)", smtp["host"], {465: "tls", 25: "none"}, 587, _HOST)
    imap = smtp["host"] if mailbox["host"] == _HOST else mailbox["host"]
    _server(mailbox, "IMAP server (host, or host:port)", imap, {993: "tls"}, 993)


def _ask_token(smtp: Tree, mailbox: Tree) -> None:
    """The application that signs in to the mailbox; where it is a known provider, the servers are known as well."""
    name = _choice("  Whose mail is it", tuple(PROVIDERS), "microsoft")
    provider = PROVIDERS[name]
    url = (
        provider.token_url.format(tenant=_prompt("  Directory (tenant) ID"))
        if name == "microsoft"
        else provider.token_url
    )
    oauth = {"token_url": url or _prompt("  Where tokens are given (https://...)"), "grant": provider.grant}
    oauth["scope"] = provider.scope or (_prompt("  Scope, if any", "") if not url else "")
    oauth["client_id"] = _prompt("  Application (client) ID")
    oauth["client_secret"] = _secret("  Its secret")
    if provider.grant == "refresh_token":
        oauth["refresh_token"] = _secret("  Refresh token (docs/oauth.md says how to get the first)")
    _server(
        smtp, "  SMTP server (host, or host:port)", provider.smtp or smtp["host"], {465: "tls", 25: "none"}, 587, _HOST
    )
    _server(mailbox, "  IMAP server (host, or host:port)", provider.imap or smtp["host"], {993: "tls"}, 993)
    for section in (smtp, mailbox):
        section.pop("password", None)
        section["oauth"] = {key: value for key, value in oauth.items() if value}


def _ask_itsm(tree: Tree, signer: Callable[[], str]) -> None:
    """`signer`: how the mail server signs Authentication-Results in letters that are there, "" where that is not known."""
    itsm = tree["itsm"]
    itsm["address"] = _address("The helpdesk's intake mailbox", itsm["address"], _INTAKE)
    itsm["senders"] = [_prompt("The address its status letters come from", itsm["address"])]
    itsm["profile"] = _prompt(f"Its kind ({', '.join(_profiles())})", itsm["profile"])
    evidence = itsm["evidence"]
    kinds = ("auth-results", "trusted-relay", "exchange-internal", "sender-only")
    say("\nA status letter is believed only with a proof that the helpdesk sent it:")
    for line in _PROOFS:
        say_wrapped(f"  {line}")
    evidence.clear()
    evidence["kind"] = _choice("What proves that a status letter is real", kinds, "auth-results")
    if evidence["kind"] == "auth-results":
        evidence["authserv_id"] = _ask_signer(signer())
    if evidence["kind"] == "trusted-relay":
        evidence["relays"] = [_prompt("  Host or address the ITSM sends from")]
        evidence["own_hosts"] = [_prompt("  Your mail server's own name", tree["mailbox"]["host"])]


def _ask_signer(seen: str) -> str:
    """A wrong name sends every status letter to quarantine, so none is proposed that no letter bears."""
    if not seen:
        say_wrapped(
            "  Open any letter in the bot's mailbox as source: it is what stands behind the topmost Authentication-Results:"
            ' up to the first ";", often the name of your mail server (- where results follow at once, as in Exchange Online).'
        )
    known = "; the newest letters in the mailbox bear this" if seen else ""
    return _prompt(f"  First word of Authentication-Results in your mail{known}", seen or None)


def _signer(tree: Tree, folder: Path) -> str:
    """As the newest letters of the mailbox bear it; one that cannot be read now has said so already."""
    from imbot.cli_origin import signer_in_mailbox
    from imbot.config import anchor_paths, checked

    anchor_paths(anchored := deepcopy(tree), folder)
    try:
        return wait_for(signer_in_mailbox(checked(anchored)))
    except ImbotError:
        return ""


def _profiles() -> list[str]:
    from imbot.config import packed

    return sorted(path.parent.name for path in packed("templates").glob("mail/*/profile.toml"))


def _placeholders() -> Tree:
    """Answers not given yet: they make sense to the settings, so that each group can be judged alone."""
    return {
        "general": {"support_contact": "", "admins": [_ADMIN], "timezone": "Europe/Moscow"},
        "telegram": {"token": "1:placeholder", "proxy": ""},
        "directory": {"kind": "domain", "domain": {"domains": [_DOMAIN]}},
        "smtp": {"host": _HOST, "tls": "starttls"},
        "mailbox": {"host": _HOST, "tls": "tls", "username": "bot", "password": "placeholder"},
        "itsm": {
            "address": _INTAKE,
            "profile": "inframanager",
            "senders": [_INTAKE],
            "bot_address": _BOT,
            "evidence": {"kind": "auth-results", "authserv_id": _HOST},
        },
    }


def _ask(table: Tree, key: str, question: str) -> None:
    table[key] = _prompt(question, table.get(key, ""))


def _own(question: str, given: str, example: str) -> str:
    """What only the company itself knows: until it was given, there is an example and nothing to take by Enter."""
    return _prompt(f"{question}, such as {example}") if given == example else _prompt(question, given)


def _address(question: str, given: str, example: str) -> str:
    """A mail address; what is none is refused at once."""
    while canonical_address(answer := _own(question, given, example)) is None:
        say(f"  {answer!r} is not a mail address")
    return answer


def _prompt(question: str, default: str | None = None) -> str:
    return str(typer.prompt(question, default=default, show_default=bool(default))).strip()


def _secret(question: str, *, needed: bool = True) -> str:
    """Not echoed on a terminal; read plainly from a pipe."""
    default = None if needed else ""
    return str(typer.prompt(question, default=default, show_default=False, hide_input=sys.stdin.isatty())).strip()


def _server(table: Tree, question: str, default: str, tls: dict[int, str], port: int, example: str = "") -> None:
    """A host, perhaps with a port; the port says how it is encrypted, STARTTLS unless it is known otherwise."""
    if default == table["host"] and table.get("port", port) != port:
        default = f"{default}:{table['port']}"
    host, _, given = _own(question, default, example).partition(":")
    table["host"], table["port"] = host, int(given) if given.isdecimal() else port
    table["tls"] = tls.get(table["port"], "starttls")


def _choice(question: str, choices: tuple[str, ...], default: str) -> str:
    while True:
        answer = _prompt(f"{question} ({', '.join(choices)})", default)
        if answer in choices:
            return answer
        say(f"  {answer!r} is none of them")


def _write(path: Path, tree: Tree) -> None:
    """0600 from the first byte, and never half a file under the final name."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_HEAD + to_toml(tree))
        beside.replace(path)
    except OSError as error:
        raise ImbotError(f"{path} cannot be written: {error.strerror}") from error


def to_toml(tree: Tree, place: str = "") -> str:
    """Tables of texts, numbers, switches and lists of texts as TOML. JSON's spelling of those is TOML's as well."""
    plain = {key: value for key, value in tree.items() if not isinstance(value, dict)}
    text = f"\n[{place}]\n" if place and plain else ""
    text += "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in plain.items())
    for key, value in tree.items():
        if isinstance(value, dict):
            text += to_toml(value, f"{place}.{key}" if place else key)
    return text
