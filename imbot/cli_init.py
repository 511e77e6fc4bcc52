"""`imbot init`: some fifteen questions, the servers tried at once, and a short config that only its writer may read.

An answer that does not work may be kept: mail servers are repaired later than configs are written. `imbot doctor` tries again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imbot.cli_asking import Tree, address, ask, choice, own, prompt, secret, sender, server
from imbot.cli_base import say, say_wrapped, wait_for, yes
from imbot.domain.errors import ConfigError, ImbotError

if TYPE_CHECKING:
    from imbot.cli_doctor import Leg
    from imbot.config import Settings

Failed = Mapping[str, str]  # by leg: what it said of the answers of the round before


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
    tried = "Servers are tried at once." if check else "No server is tried: `imbot doctor` does it."
    say(f"Some fifteen questions; Enter takes what stands in brackets. {tried}\n")
    home = path.absolute().parent
    groups: tuple[tuple[Callable[[Tree, Failed], None], tuple[str, ...]], ...] = (
        (_ask_company, ()),
        (_ask_telegram, ("telegram",)),
        (_ask_directory, ("directory",)),
        (_ask_mail, ("smtp", "mailbox")),
        (partial(_ask_itsm, signer=lambda: _signer(tree, home) if check else ""), ()),
    )
    try:
        for group, legs in groups:
            _until_right(tree, group, legs if check else (), home)
    except typer.Abort:
        say()  # the cursor stands behind the question
        raise ImbotError("init: no answer, nothing was written") from None
    _write(path, tree)
    say(f"\n{path} is written. Next: `imbot doctor --config {path}`, then `imbot run --config {path}`.")


def _until_right(tree: Tree, group: Callable[[Tree, Failed], None], legs: tuple[str, ...], folder: Path) -> None:
    """Ask a group of questions until the answers make sense and work, or are kept as they are. `folder`: that of the config,
    from which relative paths are meant."""
    from imbot.config import anchor_paths, checked

    failed: dict[str, str] = {}
    while True:
        before = deepcopy(tree)
        group(tree, failed)
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
        failed = {leg.name: leg.says for leg in [_tried(settings, leg) for leg in legs] if leg.state == "wrong"}
        if not failed or yes("  Use it anyway? No: asked again, Enter keeps an answer"):
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


def _tried(settings: Settings, leg: str) -> Leg:
    from imbot import cli_doctor

    questions: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "telegram": cli_doctor.ask_telegram,
        "directory": cli_doctor.ask_directory,
        "smtp": cli_doctor.ask_smtp,
        "mailbox": cli_doctor.ask_mailbox,
    }

    found = wait_for(cli_doctor.asked(leg, questions[leg], settings))
    say_wrapped(f"  {found.line()}")
    return found


def _ask_company(tree: Tree, _: Failed) -> None:
    general = tree["general"]
    ask(general, "support_contact", "How do people reach a human (phone, room; the bot names it where it cannot help)")
    general["admins"] = [address("Who hears of trouble (your mail address)", general["admins"][0], _ADMIN)]
    ask(general, "timezone", "Time zone of the company (as in Europe/Moscow)")


def _ask_telegram(tree: Tree, failed: Failed) -> None:
    section = tree["telegram"]
    known = section["token"] if section["token"] != _placeholders()["telegram"]["token"] else ""
    section["token"] = secret("Bot token from @BotFather", known)
    if failed:  # the token makes sense, and does not work
        ask(section, "proxy", "Proxy to Telegram, if it needs one (http://host:port, socks5://user:password@host:port)")


def _ask_directory(tree: Tree, _: Failed) -> None:
    """What was refused in the round before is not there any more: it is asked as at first, and the rest is kept."""
    section = tree["directory"]
    section["kind"] = choice("Who is an employee", ("ldap", "file", "domain"), section["kind"])
    if section["kind"] == "ldap":
        ldap = section["ldap"] = {"uris": [_LDAP], "bind_dn": "", "base": "", **section.get("ldap", {})}
        ldap["uris"] = [own("  Directory server", ldap["uris"][0], _LDAP)]
        ldap["starttls"] = ldap["uris"][0].startswith("ldap:")
        ask(ldap, "bind_dn", "  Service account (DN)", needed=True)
        ldap["bind_password"] = secret("  Its password", ldap.get("bind_password", ""))
        ask(ldap, "base", "  Where the people are (base DN)", needed=True)
        ldap["disabled_bit"] = yes("  Is it Active Directory?", default=ldap.get("disabled_bit", True))
    elif section["kind"] == "file":
        file = section["file"] = {"path": "directory.toml", **section.get("file", {})}
        file["path"] = prompt(
            "  File of persons, from the config's folder (see data/directory.example.toml)", file["path"]
        )
    else:
        domain = section["domain"] = {"domains": [_DOMAIN], **section.get("domain", {})}
        domain["domains"] = [own("  Domain of the work addresses", domain["domains"][0], _DOMAIN)]
    for kind in ("ldap", "file", "domain"):
        if kind != section["kind"]:
            section.pop(kind, None)


def _ask_mail(tree: Tree, failed: Failed) -> None:
    smtp, mailbox, itsm = tree["smtp"], tree["mailbox"], tree["itsm"]
    itsm["bot_address"] = address("The bot's own mailbox", itsm["bot_address"], _BOT)
    password = _ask_password(smtp.get("password", ""))
    smtp["username"] = mailbox["username"] = itsm["bot_address"]
    if not password:
        _ask_token(smtp, mailbox, failed)
        return
    smtp["password"] = mailbox["password"] = password
    smtp.pop("oauth", None)
    mailbox.pop("oauth", None)
    _ask_servers(smtp, mailbox, failed, smtp["host"], mailbox["host"])


def _ask_password(kept: str) -> str:
    """Empty: it signs in by a token. Enter says so only where there is no password to keep."""
    question = f"Its password ({'-' if kept else 'empty'}: it signs in by a token, OAuth2)"
    while True:
        password = secret(question, kept, needed=False)
        if password not in ("", "-" if kept else ""):
            return password
        if yes("  No password: does it sign in by a token (OAuth2)?"):
            return ""


def _ask_servers(smtp: Tree, mailbox: Tree, failed: Failed, smtp_host: str, imap_host: str, inset: str = "") -> None:
    question = "SMTP server (host, or host:port)"
    server(smtp, inset + question, smtp_host, {465: "tls", 25: "none"}, 587, _HOST, failed.get("smtp", ""))
    known = smtp["host"] if imap_host == _HOST else imap_host
    server(mailbox, f"{inset}IMAP server (host, or host:port)", known, {993: "tls"}, 993, "", failed.get("mailbox", ""))


def _ask_token(smtp: Tree, mailbox: Tree, failed: Failed) -> None:
    """The application that signs in to the mailbox; where it is a known provider, the servers are known as well."""
    old = smtp.get("oauth", {})
    name = choice("  Whose mail is it", tuple(PROVIDERS), _provider_of(old))
    provider, same = PROVIDERS[name], "token_url" in old and name == _provider_of(old)
    url = provider.token_url
    if name == "microsoft":
        tenant = old["token_url"].split("/")[3] if same else None
        url = url.format(tenant=prompt("  Directory (tenant) ID", tenant))
    known = old if same else {}
    oauth = {
        "token_url": url or prompt("  Where tokens are given (https://...)", known.get("token_url")),
        "grant": provider.grant,
        "scope": provider.scope or (prompt("  Scope, if any", known.get("scope", "")) if not url else ""),
        "client_id": prompt("  Application (client) ID", known.get("client_id")),
        "client_secret": secret("  Its secret", known.get("client_secret", "")),
    }
    if provider.grant == "refresh_token":
        question = "  Refresh token (docs/oauth.md says how to get the first)"
        oauth["refresh_token"] = secret(question, known.get("refresh_token", ""))
    smtp_host, imap_host = ("", "") if same else (provider.smtp, provider.imap or _HOST)
    _ask_servers(smtp, mailbox, failed, smtp_host or smtp["host"], imap_host or mailbox["host"], inset="  ")
    for section in (smtp, mailbox):
        section.pop("password", None)
        section["oauth"] = {key: value for key, value in oauth.items() if value}


def _provider_of(oauth: Tree) -> str:
    """Whose tokens they were in the round before."""
    url = oauth.get("token_url", "")
    starts = {name: one.token_url.partition("{")[0] for name, one in PROVIDERS.items() if one.token_url}
    return next((name for name, start in starts.items() if url.startswith(start)), "other" if url else "microsoft")


def _ask_itsm(tree: Tree, _: Failed, *, signer: Callable[[], str]) -> None:
    """`signer`: how the mail server signs Authentication-Results in letters that are there, "" where that is not known."""
    itsm = tree["itsm"]
    bot = itsm["bot_address"]
    itsm["address"] = address("The helpdesk's intake mailbox", itsm["address"], _INTAKE, bot)
    itsm["senders"] = [sender("The address its status letters come from", itsm["address"], bot)]
    itsm["profile"] = choice("Its kind", _profiles(), itsm["profile"])
    evidence = itsm["evidence"]
    kinds = ("auth-results", "trusted-relay", "exchange-internal", "sender-only")
    say("\nA status letter is believed only with a proof that the helpdesk sent it:")
    for line in _PROOFS:
        say_wrapped(f"  {line}")
    evidence.clear()
    evidence["kind"] = choice("What proves that a status letter is real", kinds, "auth-results")
    if evidence["kind"] == "auth-results":
        evidence["authserv_id"] = _ask_signer(signer())
    if evidence["kind"] == "trusted-relay":
        evidence["relays"] = [prompt("  Host or address the ITSM sends from")]
        evidence["own_hosts"] = [prompt("  Your mail server's own name", tree["mailbox"]["host"])]


def _ask_signer(seen: str) -> str:
    """A wrong name sends every status letter to quarantine, so none is proposed that no letter bears."""
    if not seen:
        say_wrapped(
            "  Open any letter in the bot's mailbox as source: it is what stands behind the topmost Authentication-Results:"
            ' up to the first ";", often the name of your mail server (- where results follow at once, as in Exchange Online).'
        )
    known = "; the newest letters in the mailbox bear this" if seen else ""
    return prompt(f"  First word of Authentication-Results in your mail{known}", seen or None)


def _signer(tree: Tree, folder: Path) -> str:
    """As the newest letters of the mailbox bear it; one that cannot be read now has said so already."""
    from imbot.cli_origin import signer_in_mailbox
    from imbot.config import anchor_paths, checked

    anchor_paths(anchored := deepcopy(tree), folder)
    anchored["itsm"]["evidence"] = {"kind": "sender-only"}  # it is not known yet
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
