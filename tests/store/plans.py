"""How SQLite goes about what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from imbot.store.engine import raw_connection

_LOOKED_AT = ("SELECT", "DELETE", "UPDATE", "WITH")


@contextmanager
def plans_of(c: Connection) -> Iterator[list[str]]:
    """The steps of each statement that reads and is carried out meanwhile, as EXPLAIN QUERY PLAN words them; there when the
    block has ended. However it is given to the driver."""
    plans: list[str] = []
    statements: dict[str, None] = {}
    raw = raw_connection(c)
    raw.set_trace_callback(lambda statement: statements.setdefault(statement))
    try:
        yield plans
    finally:
        raw.set_trace_callback(None)
    for statement in statements:
        if statement.lstrip().startswith(_LOOKED_AT):
            plans.extend(row[-1] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}"))


def walks(plans: list[str]) -> list[str]:
    """Those steps that read a whole table. SQLite says SCAN of what is no table as well."""
    return [one for one in plans if one.startswith("SCAN") and not one.startswith(("SCAN CONSTANT", "SCAN (subquery"))]
