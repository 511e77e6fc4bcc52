"""Single values by name: heartbeats, marks, what was announced. Texts only; "" and absent are the same."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import Insert

from imbot.store.schema import facts
from imbot.store.sql import dialect, insert

_VALUE = select(facts.c.value).where(facts.c.name == bindparam("name"))


@cache
def _put(dialect: str) -> Insert:
    put = insert(dialect, facts)
    return put.on_conflict_do_update(index_elements=["name"], set_={"value": put.excluded.value, "at": put.excluded.at})


def fact(c: Connection, name: str) -> str:
    return c.execute(_VALUE, {"name": name}).scalar() or ""


def fact_at(c: Connection, name: str) -> datetime | None:
    """When it was set last."""
    moment: datetime | None = c.execute(select(facts.c.at).where(facts.c.name == name)).scalar()
    return moment


def set_fact(c: Connection, name: str, value: str, now: datetime) -> None:
    c.execute(_put(dialect(c)), {"name": name, "value": value, "at": now})
