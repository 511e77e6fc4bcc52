"""How far each source was read, by the name that it is known by: a text that only the source understands."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.store.schema import cursors
from imbot.store.sql import Prepared, insert

_CURSOR = Prepared(select(cursors.c.value).where(cursors.c.name == bindparam("wanted")))


def _put_cursor() -> Insert:
    put = insert("sqlite", cursors)
    return put.on_conflict_do_update(index_elements=["name"], set_={"value": put.excluded.value})


_PUT_CURSOR = Prepared(_put_cursor())
_MOVE_CURSOR = Prepared(
    update(cursors)
    .where(cursors.c.name == bindparam("wanted"), cursors.c.value == bindparam("before"))
    .values(value=bindparam("after"))
)


def cursor(c: Connection, name: str) -> str:
    """How far a source was read, "" before the first time."""
    return _CURSOR.value(c, wanted=name) or ""


def set_cursor(c: Connection, name: str, value: str) -> None:
    _PUT_CURSOR.run(c, name=name, value=value)


def move_cursor(c: Connection, name: str, before: str, after: str) -> None:
    """Only from where it is expected to be: `before`, "" = not set yet."""
    if before:
        _MOVE_CURSOR.run(c, wanted=name, before=before, after=after)
    elif not cursor(c, name):
        set_cursor(c, name, after)
