"""`imbot doctor`: each leg that imbot stands on is tried, and says one line. What fails bears a hint for an admin.

Legs are independent: a data base that is missing does not hide a password that is wrong.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from imbot.cli_base import database, now, secrets_of
from imbot.domain.errors import ConfigError, DeliveryError, DirectoryUnavailable, ImbotError, MailboxError

if TYPE_CHECKING:
    from imbot.config import Settings
    from imbot.services.env import Backend

_CLOCK_MAY_DIFFER = timedelta(seconds=60)  # codes live ten minutes, status letters are ordered by their dates
_DIRECTORY_HINTS = {
    "ldap": "check [directory.ldap] uris, ca_file, bind_dn and bind_password",
    "file": "check [directory.file] path and the file of persons; data/directory.example.toml shows how",
    "domain": "check [directory.domain] domains",
}
_HINTS = {
    "smtp": "check [smtp] host, port, tls, username and password or oauth from this very machine",
    "mailbox": "check host, port, tls, username, password or oauth and folder of its section from this very machine",
    "telegram": "check [telegram] token; where Telegram is not reachable, set proxy or api_base",
}


@dataclass(frozen=True, slots=True)
class Leg:
    """What one look found. `state`: `well`, `note` (works, but know this) or `wrong`."""

    name: str
    state: Literal["well", "note", "wrong"]
    says: str
    hint: str = ""

    def line(self) -> str:
        mark = {"well": "ok  ", "note": "note", "wrong": "FAIL"}[self.state]
        return f"{mark}  {self.name}: {self.says}" + (f" -- {self.hint}" if self.hint else "")


async def examine(config: Path | None) -> list[Leg]:
    """All legs, in the order of their names in the issue of a failure: configuration first, since it explains the rest."""
    from imbot import log
    from imbot.cli_origin import proofs
    from imbot.config import load, secrets_lie_open, warnings

    try:
        settings = load(config)
    except ConfigError as error:
        hint = "`imbot doctor` again once this is mended"
        legs = [Leg("configuration", "wrong", problem) for problem in error.problems]
        return [*legs[:-1], Leg("configuration", "wrong", error.problems[-1], hint)]
    log.set_up("error", "console", secrets=secrets_of(settings))
    legs = [
        *check_catalogue(settings, await proofs(settings)),
        *(Leg("configuration", "note", text) for text in warnings(settings)),
    ]
    if (open_to_all := secrets_lie_open(config)) is not None:
        says = f"{open_to_all} bears passwords, and anybody on this machine may read it"
        legs.append(Leg("configuration", "note", says, "chmod o= that file"))
    legs += [
        *_shipped_places(settings),
        *check_templates(settings),
        _database(settings),
        _disk(settings),
        _admins(settings),
    ]
    far: list[tuple[str, Callable[[Settings], Awaitable[str]]]] = [("directory", ask_directory), ("smtp", ask_smtp)]
    far += [(_leg_of(section), partial(ask_mailbox, section=section)) for section in settings.mailboxes()]
    far.append(("telegram", ask_telegram))
    legs += await asyncio.gather(*(asked(name, question, settings) for name, question in far))
    return [*legs, await asyncio.to_thread(compare_clocks, settings)]


def check_catalogue(settings: Settings, proven: Mapping[str, str]) -> list[Leg]:
    """Configuration, catalogue, locations and profile, by the same code as at the start. `proven`: by what each helpdesk's
    evidence is."""
    from imbot import wiring

    try:
        env = wiring.env(settings, b"")
    except ConfigError as error:
        return [Leg("configuration", "wrong", problem) for problem in error.problems]
    kinds = sum(len(category.subs) or 1 for category in env.catalogue.categories)  # without subs it is a kind itself
    named = {env.default_backend, *(category.backend for category in env.catalogue.categories)}
    named |= {sub.backend for category in env.catalogue.categories for sub in category.subs}
    desks = [_helpdesk(one, proven.get(one.name, ""), asked=one.name in named) for one in env.backends.values()]
    return [Leg("configuration", "well", f"complete; {kinds} {'kind' if kinds == 1 else 'kinds'} of request"), *desks]


def _helpdesk(backend: Backend, proof: str, *, asked: bool) -> Leg:
    """Where its requests go and why its letters are believed. `asked`: some kind of request goes to it. `proof`: what has shown
    that they are; the sender alone needs none."""
    evidence = backend.evidence
    by = {
        "auth-results": f"auth-results of {evidence.authserv_id}",
        "trusted-relay": f"trusted-relay from {', '.join(evidence.relays)}",
    }.get(evidence.kind, evidence.kind)
    profile = f"profile {backend.profile.name} ({backend.profile.language})"
    senders = ", ".join(backend.profile.senders)
    name = "helpdesk" if backend.name == "itsm" else f"helpdesk {backend.name}"
    says = f"{profile}, letters to {backend.to}; those of {senders} are believed by {by}"
    if not asked:
        hint = f'no kind of request goes to it: name it in the catalogue, backend = "{backend.name}"'
        return Leg(name, "note", says, hint)
    if not proof and evidence.kind != "sender-only":
        hint = "unproven: none of its letters was believed by that yet; try `imbot doctor --round-trip`"
        return Leg(name, "note", says, hint if backend.name == "itsm" else f"{hint[:-1]} --backend {backend.name}`")
    return Leg(name, "well", f"{says}, as {proof}" if proof else says)


def check_templates(settings: Settings) -> list[Leg]:
    from imbot import cli_samples, wiring
    from imbot.backends.profiles import load_profiles
    from imbot.templates import Templates

    folder = Path(settings.general.templates_dir) if settings.general.templates_dir else None
    if folder is not None and not folder.is_dir():
        return []  # told with the configuration
    try:
        templates = wiring.templates(settings)
        problems, own = templates.problems(), templates.overridden()
        if folder is not None:
            own = _own(own, set(load_profiles([folder / "mail"])), settings)
            if not problems:
                strict = Templates(wiring.template_folders(settings), settings.general.zone)
                problems = cli_samples.problems(strict, folder)
    except ConfigError as error:
        problems, own = list(error.problems), []
    if problems:
        return [Leg("templates", "wrong", problem, "mend it, or remove it to have imbot's own") for problem in problems]
    says = f"all can be shown; yours: {', '.join(own)}" if own else "all compile; none of your own"
    return [Leg("templates", "well", says)]


def _own(changed: list[str], profiles: set[str], settings: Settings) -> list[str]:
    """What a company has changed, then the profiles that it has written and which of them the settings name."""
    used = {desk.profile for desk in settings.helpdesks().values()}
    told = [f"profile {name} ({'in use' if name in used else 'not in use'})" for name in sorted(profiles)]
    return [*(name for name in changed if not (name.startswith("mail/") and name.endswith("/profile.toml"))), *told]


def _shipped_places(settings: Settings) -> list[Leg]:
    """The offices of the list that is shipped are nobody's."""
    if settings.general.locations:
        return []
    hint = "write the list of your offices, and name it in [general] locations; data/locations.toml shows how"
    return [Leg("locations", "note", "employees are offered the offices of the shipped example", hint)]


def _database(settings: Settings) -> Leg:
    from imbot.services.env import DEFAULT_BACKEND
    from imbot.store import admin, epoch, tickets
    from imbot.store.db import once

    path = settings.general.data_dir / "imbot.db"
    if not path.exists():
        if (path.parent / "imbot.epoch").exists():  # which the first start makes as well
            hint = "put the last good backup back; without one, delete imbot.epoch to begin anew"
            return Leg("data base", "wrong", f"{path} is gone", hint)
        return Leg(
            "data base", "note", f"none at {path} yet: the first `imbot run` makes it, as the user that it runs as"
        )
    try:
        url = database(settings)
        known = (DEFAULT_BACKEND, *settings.backends)
        complaint, held, lost = once(
            url, lambda c: (admin.integrity(c), epoch.held(c), tickets.of_lost_backends(c, known))
        )
    except ImbotError as error:
        return Leg("data base", "wrong", str(error), "`imbot migrate` makes or mends the schema")
    if complaint:
        return Leg("data base", "wrong", complaint, "stop imbot, keep a copy, put the last good backup back")
    if lost:
        words = ", ".join(f"{count} of {name}" for name, count in lost.items())
        hint = "put [backends.<name>] back until they have ended: letters about them go to [itsm]"
        return Leg("data base", "wrong", f"open requests of helpdesks that are not in the settings: {words}", hint)
    if held:
        hint = "`imbot outbox list`, then `imbot outbox confirm`"
        return Leg("data base", "wrong", "older than what was sent: nothing goes out", hint)
    size = path.stat().st_size
    return Leg("data base", "well", f"{path}: whole, current, {size // 1024} KB")


def _disk(settings: Settings) -> Leg:
    folder = settings.general.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    probe = folder / ".imbot-doctor"
    try:
        probe.write_bytes(b"")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Leg("disk", "wrong", f"{folder}: {error.strerror}", "the user of imbot must own [general] data_dir")
    says = f"{free // 1_000_000} MB free at {folder}"
    if free < settings.files.reserve_bytes:
        hint = "requests still go, their files are refused; make room or lower [files] reserve_bytes"
        return Leg("disk", "wrong", says, hint)
    open_to_others = folder == settings.general.data_dir and folder.stat().st_mode & 0o077
    return Leg(
        "disk", "note" if open_to_others else "well", says, "others may read it: chmod 700" if open_to_others else ""
    )


def _admins(settings: Settings) -> Leg:
    """Somebody must hear of trouble: in a chat that is not blocked, or by letter at an address of the settings."""
    from imbot.store import people
    from imbot.store.db import once

    try:
        found = once(
            database(settings),
            lambda c: [
                (person.address, any(not chat.blocked for chat in people.chats_of(c, person.id)))
                for person in people.admins(c, settings.general.admins)
            ],
        )
    except ImbotError:
        found = []
    in_chat = sorted(address for address, reachable in found if reachable)
    by_letter = sorted({*settings.general.admins, *(address for address, _ in found)} - set(in_chat))
    if in_chat:
        return Leg(
            "admins",
            "well",
            f"{', '.join(in_chat)} in the chat" + (f"; {', '.join(by_letter)} by letter" if by_letter else ""),
        )
    if by_letter:
        hint = "by letter only, which fails when mail does: let one of them sign in to the bot"
        return Leg("admins", "note", f"{', '.join(by_letter)}", hint)
    return Leg("admins", "wrong", "nobody hears of trouble", "name somebody in [general] admins")


async def asked(name: str, question: Callable[[Settings], Awaitable[str]], settings: Settings) -> Leg:
    try:
        return Leg(name, "well", await question(settings))
    except (DeliveryError, DirectoryUnavailable, MailboxError, ConfigError) as error:
        hint = _DIRECTORY_HINTS[settings.directory.kind] if name == "directory" else _HINTS[name.partition(":")[0]]
        return Leg(name, "wrong", str(error), hint)


def _leg_of(section: str) -> str:
    """`mailbox`, or `mailbox:glpi` for [backends.glpi.mailbox]: as alarms call it."""
    return section if section == "mailbox" else f"mailbox:{section.split('.')[1]}"


async def ask_directory(settings: Settings) -> str:
    from imbot import wiring

    directory = wiring.directory(settings)
    try:
        return await directory.check()
    finally:
        await directory.close()


async def ask_smtp(settings: Settings) -> str:
    from imbot import wiring

    smtp = wiring.smtp(settings)
    try:
        return await smtp.check()
    finally:
        await smtp.close()


async def ask_mailbox(settings: Settings, section: str = "mailbox") -> str:
    from imbot import wiring

    mailbox = wiring.mailbox(settings, settings.mailboxes()[section])
    try:
        return await mailbox.check()
    finally:
        await mailbox.close()


async def ask_telegram(settings: Settings) -> str:
    from imbot import wiring
    from imbot.channels.telegram import Telegram

    telegram = Telegram(wiring.telegram(settings))
    try:
        return await telegram.check()
    finally:
        await telegram.close()


def compare_clocks(settings: Settings) -> Leg:
    """This machine's clock against the `Date` of the Bot API server's answer."""
    try:
        theirs = parsedate_to_datetime(_date_of(settings))
    except (OSError, HTTPException, ValueError, TypeError) as error:
        return Leg("clock", "note", f"{now():%Y-%m-%d %H:%M:%S} UTC, compared with nobody ({error})")
    gap = abs(now() - theirs)
    says = f"{now():%Y-%m-%d %H:%M:%S} UTC, {int(gap.total_seconds())} s from the Bot API server's"
    if gap > _CLOCK_MAY_DIFFER:
        return Leg("clock", "wrong", says, "let the machine keep time (timedatectl set-ntp true)")
    return Leg("clock", "well", says)


def _date_of(settings: Settings) -> str:
    """The Date header of one plain question, by the way the bot goes. Raises ValueError where that way is SOCKS."""
    base = urlsplit(settings.telegram.api_base)
    proxy = urlsplit(settings.telegram.proxy.get_secret_value())
    if proxy.scheme and (not proxy.scheme.startswith("http") or proxy.username):
        raise ValueError("the proxy is not plain HTTP")
    host, port = (proxy.hostname, proxy.port) if proxy.scheme else (base.hostname, base.port)
    make = HTTPSConnection if base.scheme == "https" else HTTPConnection
    connection = make(host or "", port, timeout=5)
    try:
        if proxy.scheme:
            connection.set_tunnel(base.hostname or "", base.port)
        connection.request("HEAD", "/")
        date = connection.getresponse().getheader("Date")
    finally:
        connection.close()
    if not date:
        raise ValueError("the answer bears no date")
    return date
