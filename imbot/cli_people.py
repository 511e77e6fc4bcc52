"""The longer answers of `imbot user`: asking the directory, inviting, and why no code came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from imbot.cli_base import in_store, now, shown, wait_for
from imbot.domain.calendar import AHEAD
from imbot.domain.errors import DirectoryUnavailable, ImbotError
from imbot.domain.people import Absence, Entry, canonical_address
from imbot.domain.signin import Limits, free_at

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.services.env import Env
    from imbot.store.lanes import StoredParcel
    from imbot.store.signin import CodeRow

_INVITE, _MOST_CHATS = "`imbot user invite ADDRESS` lets them in now", 5
_ABSENT = {
    Absence.ABSENT: "nobody there has this address as their mail",
    Absence.DISABLED: "the account is disabled there",
    Absence.AMBIGUOUS: "several entries have this address, so nobody gets a code",
}
_NO_LINK = {
    Absence.ABSENT: "is not in the directory",
    Absence.DISABLED: "is disabled in the directory",
    Absence.AMBIGUOUS: "stands in several entries of the directory",
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
    """The directory's one active entry of an address, for a link. Raises ImbotError that says why there is none."""
    known = address_of(address)
    answer = ask(settings, known)
    if isinstance(answer, Entry):
        return answer
    raise ImbotError(f"{known} {_NO_LINK[answer]}; no link was made")


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


def why_no_code(settings: Settings, who: str) -> list[str]:
    """Line by line: what an admin needs to answer "I got no code", of an address or of a chat."""
    env = environment(settings)
    if "@" not in who and (who.isdecimal() or ":" in who):
        return in_store(settings, _chat_says, settings, who if ":" in who else f"telegram:{who}", env)
    address = address_of(who)
    return [*_directory_says(settings, address), *in_store(settings, _store_says, settings, address, env)]


def _chat_says(c: Connection, settings: Settings, chat_key: str, env: Env) -> list[str]:
    from imbot.store import admin, people, signin

    if people.chat(c, chat_key) is None:
        raise ImbotError(f"no chat {chat_key} has ever written to the bot")
    person = people.person_of_chat(c, chat_key)
    day = signin.codes_asked(c, "chat", chat_key, now() - timedelta(days=1), now())
    until = free_at(day, now(), env.limits)
    wait = f"; the next one is refused until {shown(until, settings)}: {_INVITE}" if until else ""
    return [
        f"signed in: {f'yes, as {person.address}' if person else 'no'}",
        f"codes that it asked for, sent or not: {_counted(day, env.limits)}{wait}",
        _failures(c, env.limits),
        *(
            f"{_asked(one, settings)} for {one.parcel.key.rpartition(':')[2]}: directory: {_fate(one)}"
            for one in admin.lookups_of_chat(c, chat_key, env.limits.per_day)
        ),
    ]


def _counted(day: Sequence[datetime], limits: Limits) -> str:
    hour = [moment for moment in day if now() - moment < timedelta(hours=1)]
    return f"{len(hour)} of {limits.per_hour} in the last hour, {len(day)} of {limits.per_day} in the last day"


def _failures(c: Connection, limits: Limits) -> str:
    from imbot.store import signin

    failures = signin.failures_since(c, now() - timedelta(hours=1), now())
    waits = " (strangers wait)" if failures >= limits.failures else ""
    return f"wrong codes of everybody in the last hour: {failures} of {limits.failures}{waits}"


def _asked(lookup: StoredParcel, settings: Settings) -> str:
    at = lookup.parcel.created_at
    ahead = " (by a clock that was ahead: not counted)" if at > now() + AHEAD else ""
    return f"asked at {shown(at, settings)}{ahead}"


def _fate(lookup: StoredParcel) -> str:
    return lookup.outcome or f"waits, tried {lookup.parcel.attempt} times {lookup.parcel.last_error}".rstrip()


def _chats_that_wait(c: Connection, settings: Settings, limits: Limits) -> Iterator[str]:
    """Of a chat that was refused it is not kept for whom it asked: it may be this one's, with other addresses before."""
    from imbot.store import people, signin

    since = now() - timedelta(days=1)
    for key in signin.chats_that_asked(c, since, min(limits.per_hour, limits.per_day), _MOST_CHATS):
        day = signin.codes_asked(c, "chat", key, since, now())
        until = free_at(day, now(), limits)
        if until and people.person_of_chat(c, key) is None:
            yield (
                f"refused until {shown(until, settings)}, whatever address is asked for: {key}, which had "
                f"{_counted(day, limits)} (`imbot user check {key}` says for whom); if it is theirs, {_INVITE}"
            )


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
    lines = [
        f"known here: {'no' if person is None else 'yes, left the company' if person.gone else 'yes'}",
        f"codes asked for, sent or not: {_counted(day, limits)}"
        + (" (the limit is reached)" if free_at(day, now(), limits) else ""),
        _failures(c, limits),
        *_chats_that_wait(c, settings, limits),
    ]
    for lookup in admin.lookups_of_address(c, address, 3):
        lines.append(f"{_asked(lookup, settings)}: directory: {_fate(lookup)}")
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
