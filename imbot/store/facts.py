"""Single values by name: heartbeats, marks, what was announced. Texts only; "" and absent are the same."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import Insert

from imbot.store.schema import facts
from imbot.store.sql import Prepared, insert

_VALUE = Prepared(select(facts.c.value).where(facts.c.name == bindparam("name")))
_RANGE = Prepared(
    select(facts.c.name, facts.c.value, facts.c.at)
    .where(facts.c.name >= bindparam("first"), facts.c.name < bindparam("after"))
    .order_by(facts.c.at, facts.c.name)
)

_FORGET = Prepared(delete(facts).where(facts.c.name == bindparam("named")))


def _put() -> Insert:
    put = insert("sqlite", facts)
    return put.on_conflict_do_update(index_elements=["name"], set_={"value": put.excluded.value, "at": put.excluded.at})


_PUT = Prepared(_put())


def fact(c: Connection, name: str) -> str:
    row = _VALUE.first(c, name=name)
    return row.value if row else ""


def fact_at(c: Connection, name: str) -> datetime | None:
    """When it was set last."""
    moment: datetime | None = c.execute(select(facts.c.at).where(facts.c.name == name)).scalar()
    return moment


def noted_last(c: Connection) -> datetime | None:
    """When any of them was set last; None where there is none."""
    moment: datetime | None = c.execute(select(func.max(facts.c.at))).scalar()
    return moment


def set_fact(c: Connection, name: str, value: str, now: datetime) -> None:
    _PUT.run(c, name=name, value=value, at=now)


def forget_fact(c: Connection, name: str) -> None:
    _FORGET.run(c, named=name)


def facts_of(c: Connection, prefix: str) -> list[tuple[str, str]]:
    """(rest of the name, value) of all whose name begins so, the one set longest ago first."""
    return [(rest, value) for rest, value, _ in noted_of(c, prefix)]


def noted_of(c: Connection, prefix: str) -> list[tuple[str, str, datetime]]:
    """The same, each with when it was set. A range of the primary key."""
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    rows = _RANGE.all(c, first=prefix, after=after)
    return [(row.name[len(prefix) :], row.value, row.at) for row in rows]
