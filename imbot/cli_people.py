"""The longer answers of `imbot user`: asking the directory, inviting, and why no code came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from imbot.cli_base import in_store, now, shown, wait_for
from imbot.domain.errors import DirectoryUnavailable, ImbotError
from imbot.domain.people import Absence, Entry, canonical_address

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.services.env import Env
    from imbot.store.signin import CodeRow

_ABSENT = {
    Absence.ABSENT: "nobody there has this address as their mail",
    Absence.DISABLED: "the account is disabled there",
    Absence.AMBIGUOUS: "several entries have this address, so nobody gets a code",
}


def environment(settings: Settings) -> Env:
    from imbot import wiring

    path = settings.general.data_dir / "secret.key"
    try:  # read, never minted here: a command run as root would leave a key that the service cannot read
        key = path.read_bytes()
    except FileNotFoundError:
        raise ImbotError(f"{path} is missing: start `imbot run` once first") from None
    except OSError as error:
        raise ImbotError(f"{path}: {error.strerror}; run this as the user of the service") from None
    return wiring.env(settings, key)


def entry_of(settings: Settings, address: str) -> Entry:
    """The directory's one active entry of an address. Raises ImbotError that says what the directory said."""
    answer = ask(settings, address_of(address))
    if isinstance(answer, Entry):
        return answer
    raise ImbotError(f"the directory, about {address}: {_ABSENT[answer]}")


def address_of(text: str) -> str:
    address = canonical_address(text)
    if address is None:
        raise ImbotError(f"{text!r} is not a mail address")
    return address


def ask(settings: Settings, address: str) -> Entry | Absence:
    """What the directory says. Raises DirectoryUnavailable."""
    from imbot import wiring

    async def look_up() -> Entry | Absence:
        directory = wiring.directory(settings)
        try:
            return await directory.look_up(address)
        finally:
            await directory.close()

    return wait_for(look_up())


def invitation(c: Connection, entry: Entry, at: datetime, env: Env) -> tuple[str, str]:
    """(token, the bot's user name, "" where it is not known yet: then nothing is minted)."""
    from imbot.services import signin
    from imbot.store import inbox

    bot = inbox.fact(c, "bot_username")
    return (signin.invite(c, entry, at, env) if bot else "", bot)


def why_no_code(settings: Settings, address: str) -> list[str]:
    """Line by line: what an admin needs to answer "I got no code"."""
    address = address_of(address)
    return [
        *_directory_says(settings, address),
        *in_store(settings, _store_says, settings, address, environment(settings)),
    ]


def _directory_says(settings: Settings, address: str) -> Iterator[str]:
    try:
        answer = ask(settings, address)
    except DirectoryUnavailable as error:
        yield f"directory: does not answer ({error}); codes wait for it up to ten minutes"
        return
    if isinstance(answer, Entry):
        yield f"directory: one active entry, {answer.name or 'without a name'}"
    else:
        yield f"directory: {_ABSENT[answer]}; no code is sent, and the chat is not told"


def _store_says(c: Connection, settings: Settings, address: str, env: Env) -> list[str]:
    from imbot.services.signin import address_hash
    from imbot.store import admin, lanes, people, signin

    person, limits = people.person_by_address(c, address), env.limits
    day = signin.codes_asked(c, "address", address_hash(env, address), now() - timedelta(days=1), now())
    hour = [moment for moment in day if now() - moment < timedelta(hours=1)]
    failures = signin.failures_since(c, now() - timedelta(hours=1), now())
    lines = [
        f"known here: {'no' if person is None else 'yes, left the company' if person.gone else 'yes'}",
        f"codes asked for: {len(hour)} of {limits.per_hour} this hour, {len(day)} of {limits.per_day} today"
        + (" (the limit is reached)" if len(hour) >= limits.per_hour or len(day) >= limits.per_day else ""),
        f"wrong codes of everybody this hour: {failures} of {limits.failures}"
        + (" (strangers wait)" if failures >= limits.failures else ""),
    ]
    for lookup in admin.lookups_of_address(c, address, 3):
        fate = lookup.outcome or f"waits, tried {lookup.parcel.attempt} times {lookup.parcel.last_error}".rstrip()
        lines.append(f"asked at {shown(lookup.parcel.created_at, settings)}: directory: {fate}")
    for code in admin.codes_for_address(c, address, 3):
        letter = lanes.by_key(c, f"code:{code.id}")
        fate = (
            "no letter" if letter is None else letter.outcome or f"waits: {letter.parcel.last_error or 'not tried yet'}"
        )
        ended = _ended(code, replaced=signin.replaced(c, code), tries=limits.tries)
        lines.append(f"code of {shown(code.minted_at, settings)}: letter: {fate}{ended}")
    return lines


def _ended(code: CodeRow, *, replaced: bool, tries: int) -> str:
    """What became of a code, behind its letter's fate. `tries`: how many wrong ones end it."""
    wrong = f"{code.tries} wrong {'try' if code.tries == 1 else 'tries'}"
    if code.used_at is None:
        return f", {wrong}" if code.tries else ""
    return f", {'replaced by a newer one' if replaced else f'ended after {wrong}' if code.tries >= tries else 'used'}"
