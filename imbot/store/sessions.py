"""Where each chat stands, and the one screen that is owed to it. A slot keeps the newest screen only.

owe -> owed (due_at) -> shown (message_id) -> owe ...; not_shown -> owed again later; release -> a message of its own
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, false, func, select, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.domain.calendar import AHEAD
from imbot.store.schema import chats, files, sessions, slots
from imbot.store.sql import Prepared, insert


@dataclass(frozen=True, slots=True)
class Slot:
    """`screen`: the newest, None after a release. `message_id`: the message that may be edited, "" if there is none.
    `shown`: nothing is owed."""

    screen: dict[str, Any] | None
    message_id: str
    seq: int
    shown: bool


@dataclass(frozen=True, slots=True)
class OwedScreen:
    """`edit_message_id`: "" asks for a new message. `attempts`: how often showing it has failed. `before`: the message in
    which the dialog stood so far, "" if none."""

    chat_key: str
    seq: int
    screen: dict[str, Any]
    edit_message_id: str
    attempts: int
    before: str = field(default="", compare=False)


_LOAD = Prepared(select(sessions.c.data).where(sessions.c.chat_key == bindparam("key")))
_SLOT = Prepared(
    select(slots.c.screen, slots.c.message_id, slots.c.seq, slots.c.due_at).where(slots.c.chat_key == bindparam("key"))
)
_OWED_TO = Prepared(select(slots).where(slots.c.chat_key == bindparam("key"), slots.c.due_at.is_not(None)))
_OWED = (
    select(slots).where(slots.c.due_at.is_not(None), slots.c.due_at <= bindparam("now")).order_by(slots.c.due_at)
).limit(bindparam("most"))
_SHOWN = Prepared(
    update(slots)
    .where(slots.c.chat_key == bindparam("key"), bindparam("this") > slots.c.released_seq)
    .values(
        message_id=bindparam("message"),
        due_at=case((slots.c.seq == bindparam("this"), None), else_=slots.c.due_at),
        changed_at=bindparam("now"),
    )
)


_RELEASE = Prepared(
    update(slots)
    .where(slots.c.chat_key == bindparam("key"))
    .values(message_id="", due_at=None, screen={}, edit=False, released_seq=slots.c.seq)
)


@cache
def _save(dialect: str) -> Insert:
    put = insert(dialect, sessions)
    return put.on_conflict_do_update(
        index_elements=["chat_key"], set_={"data": put.excluded.data, "saved_at": put.excluded.saved_at}
    )


@cache
def _owe(dialect: str) -> Any:
    put = insert(dialect, slots)
    new = put.excluded
    unseen = and_(slots.c.due_at.is_not(None), ~slots.c.edit)  # a new message is owed still: it must not become an edit
    return put.on_conflict_do_update(
        index_elements=["chat_key"],
        set_={
            "seq": slots.c.seq + 1,
            "screen": new.screen,
            "edit": case((unseen, false()), else_=new.edit),
            "due_at": new.due_at,
            "attempts": 0,
            "error": "",
            "changed_at": new.changed_at,
        },
    ).returning(slots.c.seq, slots.c.message_id, slots.c.edit, slots.c.attempts)


_SAVE, _OWE = Prepared(_save("sqlite")), Prepared(_owe("sqlite"))


def load(c: Connection, chat_key: str) -> dict[str, Any] | None:
    row = _LOAD.first(c, key=chat_key)
    return row.data if row else None


def save(c: Connection, chat_key: str, data: Mapping[str, Any], now: datetime) -> None:
    _SAVE.run(c, chat_key=chat_key, data=data, saved_at=now)


def owe(
    c: Connection, chat_key: str, screen: Mapping[str, Any], show_after: datetime, edit: bool, now: datetime
) -> OwedScreen:
    """The chat is owed this screen, in place of any other. `edit` changes the message shown last, if there is one."""
    values = {"chat_key": chat_key, "seq": 1, "screen": screen, "edit": edit, "due_at": show_after, "changed_at": now}
    row = _OWE.first(c, **values)
    edited = row.message_id if row.edit else ""
    return OwedScreen(chat_key, row.seq, dict(screen), edited, row.attempts, row.message_id)


def owed(c: Connection, now: datetime, limit: int) -> list[OwedScreen]:
    """What should be shown by now, the longest owed first."""
    return [
        OwedScreen(row.chat_key, row.seq, row.screen, row.message_id if row.edit else "", row.attempts)
        for row in c.execute(_OWED, {"now": now, "most": limit})
    ]


def owed_to(c: Connection, chat_key: str) -> OwedScreen | None:
    """What this chat is owed now, due or not; None where nothing is."""
    row = _OWED_TO.first(c, key=chat_key)
    if row is None:
        return None
    edit = row.message_id if row.edit else ""
    return OwedScreen(row.chat_key, row.seq, row.screen, edit, row.attempts, row.message_id)


def shown(c: Connection, chat_key: str, seq: int, message_id: str, now: datetime) -> None:
    """Screen `seq` stands in the chat as `message_id`. A newer one that came meanwhile is still owed; one that was
    released meanwhile leaves no trace."""
    shown_many(c, [(chat_key, seq, message_id)], now)


def shown_many(c: Connection, done: Iterable[tuple[str, int, str]], now: datetime) -> None:
    """`shown` for many: (chat key, seq, message id)."""
    _SHOWN.run_many(c, ({"key": key, "this": seq, "message": message, "now": now} for key, seq, message in done))


def not_shown(c: Connection, chat_key: str, seq: int, due_at: datetime, error: str) -> None:
    """Showing screen `seq` failed: once more at `due_at`. Nothing happens where a newer one has taken its place."""
    values = {"due_at": due_at, "attempts": slots.c.attempts + 1, "error": error}
    c.execute(_still_owed(chat_key, seq).values(values))


def hurry(c: Connection, now: datetime) -> None:
    """What could not be shown and waits for its next try is tried now."""
    c.execute(update(slots).where(slots.c.due_at > now, slots.c.attempts > 0).values(due_at=now))


def clock_went_back(c: Connection, now: datetime, before: datetime) -> None:
    """What was put off by a clock that ran ahead until `before` is put off by as much less."""
    for row in c.execute(select(slots.c.chat_key, slots.c.due_at).where(slots.c.due_at > now)).all():
        due = max(now, row.due_at - (before - now))
        c.execute(update(slots).where(slots.c.chat_key == row.chat_key).values(due_at=due))


def clock_was_put_back(c: Connection, now: datetime) -> None:
    """Behind a start: the same, where the clock was put right while imbot did not run. What is owed was changed when put off."""
    before = c.execute(select(func.max(slots.c.changed_at)).where(slots.c.due_at > now)).scalar()
    if before is not None and before > now + AHEAD:
        clock_went_back(c, now, before)


def give_up(c: Connection, chat_key: str, seq: int, error: str = "") -> None:
    """Screen `seq` is owed no more (the person shut us out). It stays the current one."""
    c.execute(_still_owed(chat_key, seq).values(due_at=None, error=error))


def slot(c: Connection, chat_key: str) -> Slot | None:
    row = _SLOT.first(c, key=chat_key)
    return None if row is None else Slot(row.screen or None, row.message_id, row.seq, row.due_at is None)


def release_slot(c: Connection, chat_key: str) -> None:
    """Takes the message out of the dialog's hands: it stays as it is, whoever has its id may edit it, and the next screen is a
    new message. A screen still owed is dropped."""
    _RELEASE.run(c, key=chat_key)


def prune(c: Connection, before: datetime) -> int:
    """Forgets sessions and slots that nothing touched since `before`; the next word begins at the menu."""
    idle = select(sessions.c.chat_key).where(sessions.c.saved_at < before)
    c.execute(delete(slots).where(slots.c.chat_key.in_(idle), slots.c.due_at.is_(None)))
    return c.execute(delete(sessions).where(sessions.c.saved_at < before)).rowcount


def prune_strangers(c: Connection, before: datetime) -> int:
    """Forgets what nobody signed in for: sessions of chats that are linked to no one and were silent since `before`, with
    the files that were only named there (their bytes were never fetched)."""
    linked = select(chats.c.key).where(chats.c.person_id.is_not(None))
    silent = select(sessions.c.chat_key).where(sessions.c.saved_at < before, sessions.c.chat_key.not_in(linked))
    c.execute(delete(files).where(files.c.chat_key.in_(silent), files.c.fate == "wanted", files.c.letter_id == ""))
    c.execute(delete(slots).where(slots.c.chat_key.in_(silent), slots.c.due_at.is_(None)))
    return c.execute(delete(sessions).where(sessions.c.chat_key.in_(silent))).rowcount


def _still_owed(chat_key: str, seq: int) -> Any:
    return update(slots).where(slots.c.chat_key == chat_key, slots.c.seq == seq, slots.c.due_at.is_not(None))
