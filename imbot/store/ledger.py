"""A ticket's history: what happened and when, in words of our own with plain values. Only ever grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from imbot.store import schema
from imbot.store.sql import Prepared


@dataclass(frozen=True, slots=True)
class LedgerRow:
    id: int
    at: datetime
    what: str
    values: dict[str, Any]


_T = schema.ledger
_LOG = Prepared(_T.insert().returning(_T.c.id))
_OF_TICKET = select(_T.c.id, _T.c.at, _T.c.what, _T.c["values"]).where(_T.c.ticket_id == bindparam("ticket"))
_OF_TICKET = _OF_TICKET.order_by(_T.c.id)
_COUNT = Prepared(
    select(func.count().label("count")).where(
        _T.c.ticket_id == bindparam("ticket"),
        _T.c.what == bindparam("what"),
        _T.c.at.between(bindparam("since"), bindparam("until")),
    )
)


def log(c: Connection, ticket_id: str, at: datetime, what: str, values: Mapping[str, Any] | None = None) -> int:
    """Adds a line and returns its id."""
    return int(_LOG.value(c, ticket_id=ticket_id, at=at, what=what, values=values or {}))


def ledger(c: Connection, ticket_id: str) -> list[LedgerRow]:
    """In the order in which it was written."""
    return [LedgerRow(*row) for row in c.execute(_OF_TICKET, {"ticket": ticket_id})]


def entry(c: Connection, id: int) -> tuple[str, LedgerRow] | None:
    """One line with the ticket it belongs to."""
    row = c.execute(select(_T).where(_T.c.id == id)).mappings().first()
    return None if row is None else (row["ticket_id"], LedgerRow(row["id"], row["at"], row["what"], row["values"]))


def count(c: Connection, ticket_id: str, what: Sequence[str], since: datetime, until: datetime) -> int:
    """How often one of these happened to the ticket between then."""
    return sum(_COUNT.value(c, ticket=ticket_id, what=one, since=since, until=until) for one in what)
