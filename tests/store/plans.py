"""How SQLite goes about what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event


@contextmanager
def plans_of(c: Connection) -> Iterator[list[str]]:
    """The steps of each SELECT and DELETE that is carried out meanwhile, as EXPLAIN QUERY PLAN words them."""
    plans: list[str] = []

    def explain(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith(("SELECT", "DELETE")):
            rows = c.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.extend(row[-1] for row in rows)

    event.listen(c, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(c, "before_cursor_execute", explain)


def walks(plans: list[str]) -> list[str]:
    """Those steps that read a whole table. SQLite says SCAN of what is no table as well."""
    return [one for one in plans if one.startswith("SCAN") and not one.startswith(("SCAN CONSTANT", "SCAN (subquery"))]
