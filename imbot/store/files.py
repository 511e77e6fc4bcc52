"""Files that people sent, each with its fate. The bytes lie in a folder under random names; only their paths are here.

wanted -> stored -> pruned; wanted | stored -> refused; wanted -> failed -> stored
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.store.schema import files, sessions, tickets
from imbot.store.sql import Prepared, dialect, insert


@dataclass(frozen=True, slots=True)
class FileRow:
    """`ticket_id` is opaque: a ticket's, a draft's or an addition's. `fate`: wanted, stored, refused, failed, pruned.
    `letter_id`: the Message-ID of the letter that bears it."""

    id: str
    ticket_id: str
    chat_key: str
    vendor_id: str
    unique_id: str
    name: str
    size: int | None
    content_type: str
    kind: str
    caption: str
    message_id: str
    album: str
    fate: str
    created_at: datetime
    reason: str = ""
    path: str = ""
    sha256: str = ""
    letter_id: str = ""


_ORDER = (files.c.created_at, files.c.message_id, files.c.id)
_OF_TICKET = Prepared(select(files).where(files.c.ticket_id == bindparam("ticket")).order_by(*_ORDER))
_OF_LETTER = Prepared(select(files).where(files.c.letter_id == bindparam("letter")).order_by(*_ORDER))
_DROP_ALL = Prepared(delete(files).where(files.c.ticket_id == bindparam("ticket")))
_ASSIGN = Prepared(update(files).where(files.c.id == bindparam("this")).values(letter_id=bindparam("letter")))
_NOT_YET = ("wanted", "failed")  # a failed download may succeed at a second try


@cache
def _add(dialect: str) -> Insert:
    return insert(dialect, files).on_conflict_do_nothing(index_elements=["ticket_id", "unique_id"])


def add(c: Connection, file: FileRow) -> bool:
    """False: the same file is already there; sending it twice is sending it once."""
    return c.execute(_add(dialect(c)), asdict(file)).rowcount > 0


def get(c: Connection, id: str) -> FileRow | None:
    rows = _rows(c, select(files).where(files.c.id == id))
    return rows[0] if rows else None


def of_ticket(c: Connection, ticket_id: str) -> list[FileRow]:
    """In the order in which they came."""
    return [FileRow(**row._asdict()) for row in _OF_TICKET.all(c, ticket=ticket_id)]


def of_letter(c: Connection, message_id: str) -> list[FileRow]:
    return [FileRow(**row._asdict()) for row in _OF_LETTER.all(c, letter=message_id)]


def stored(c: Connection, id: str, path: str, size: int, sha256: str, content_type: str) -> bool:
    """The bytes are on the disk. False: the file was dropped or refused meanwhile, and the bytes are nobody's."""
    values = {"fate": "stored", "reason": "", "path": path, "size": size, "sha256": sha256}
    return _decide(c, id, values | {"content_type": content_type}, _NOT_YET)


def refuse(c: Connection, id: str, reason: str) -> bool:
    """We or the far end will not have it; this may show after it was stored."""
    return _decide(c, id, {"fate": "refused", "reason": reason}, (*_NOT_YET, "stored"))


def fail(c: Connection, id: str, reason: str) -> bool:
    """The bytes could not be fetched."""
    return _decide(c, id, {"fate": "failed", "reason": reason}, _NOT_YET)


def assign(c: Connection, ids: Sequence[str], letter_message_id: str) -> None:
    """These files go with this letter."""
    _ASSIGN.run_many(c, ({"this": id, "letter": letter_message_id} for id in ids))


def rename(c: Connection, id: str, name: str) -> None:
    """Under this name it goes into its letter."""
    c.execute(update(files).where(files.c.id == id).values(name=name))


def move(c: Connection, from_id: str, to_id: str) -> int:
    """The files of a draft or an addition become another ticket's. One that is there already is not doubled."""
    there = files.alias("there")
    double = exists().where(there.c.ticket_id == to_id, there.c.unique_id == files.c.unique_id)
    found = update(files).where(files.c.ticket_id == from_id, ~double)
    return c.execute(found.values(ticket_id=to_id)).rowcount


def drop(c: Connection, ticket_id: str, unique_id: str) -> list[FileRow]:
    """Takes one file out; returns what was removed, since its bytes may lie on the disk."""
    return _dropped(c, files.c.ticket_id == ticket_id, files.c.unique_id == unique_id)


def drop_all(c: Connection, ticket_id: str) -> list[FileRow]:
    rows = of_ticket(c, ticket_id)
    if rows:
        _DROP_ALL.run(c, ticket=ticket_id)
    return rows


def caption(c: Connection, ticket_id: str, message_id: str, text: str) -> bool:
    found = update(files).where(files.c.ticket_id == ticket_id, files.c.message_id == message_id)
    return c.execute(found.values(caption=text)).rowcount > 0


def bytes_today(c: Connection, chat_keys: Sequence[str], since: datetime) -> int:
    """How much these chats have sent since then, refused files aside."""
    found = select(func.coalesce(func.sum(files.c.size), 0)).where(
        files.c.chat_key.in_(chat_keys), files.c.created_at > since, files.c.fate.in_(("wanted", "stored"))
    )
    return int(c.execute(found).scalar_one())


def to_prune(c: Connection, before: datetime, limit: int = 1000) -> list[FileRow]:
    """Files with bytes on the disk that are older than that."""
    found = select(files).where(files.c.path != "", files.c.created_at < before)
    return _rows(c, found.order_by(*_ORDER).limit(limit))


def pruned(c: Connection, ids: Sequence[str]) -> None:
    """Their bytes are gone from the disk; the rows stay."""
    c.execute(update(files).where(files.c.id.in_(ids), files.c.fate == "stored").values(fate="pruned"))
    c.execute(update(files).where(files.c.id.in_(ids)).values(path="", vendor_id=""))


def orphans(c: Connection, before: datetime, limit: int = 1000) -> list[FileRow]:
    """Files of drafts that were never sent: of no ticket, in no letter, older than that, and of a chat that has not moved
    since either."""
    sent = exists().where(tickets.c.id == files.c.ticket_id)
    alive = exists().where(sessions.c.chat_key == files.c.chat_key, sessions.c.saved_at >= before)
    found = select(files).where(files.c.created_at < before, files.c.letter_id == "", ~sent, ~alive)
    return _rows(c, found.order_by(*_ORDER).limit(limit))


def forget(c: Connection, ids: Sequence[str]) -> int:
    """Removes the rows."""
    return c.execute(delete(files).where(files.c.id.in_(ids))).rowcount


def _decide(c: Connection, id: str, values: dict[str, Any], fates: tuple[str, ...]) -> bool:
    return c.execute(update(files).where(files.c.id == id, files.c.fate.in_(fates)).values(values)).rowcount > 0


def _dropped(c: Connection, *conditions: Any) -> list[FileRow]:
    rows = _rows(c, select(files).where(*conditions).order_by(*_ORDER))
    c.execute(delete(files).where(*conditions))
    return rows


def _rows(c: Connection, statement: Select[Any], **values: object) -> list[FileRow]:
    return [FileRow(**row._mapping) for row in c.execute(statement, values)]
