"""Looking at everything at once: what imbot knows, the report, the figures of its health. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from imbot.store import schema as s
from imbot.store.lanes import counts
from imbot.store.tickets import count_of_status

_MOST = 500  # rows of each kind in `state`: the newest


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One ticket of the report. Moments are None until they happened; `stars` None: not rated, or "no rating"."""

    id: str
    number: str
    title: str
    category: str
    subcategory: str
    location: str
    person: str
    address: str
    status: str
    handover: str
    created_at: datetime
    accepted_at: datetime | None
    registered_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    stars: int | None
    words: str


def state(c: Connection) -> dict[str, list[dict[str, Any]]]:
    """Tickets, ledger, outbox and quarantine as plain JSON, the newest first. Texts of codes are never in it."""
    t, p, m = s.tickets, s.parcels.c, s.mails.c
    ticket_rows = _plain(c, select(t).order_by(t.c.created_at.desc(), t.c.id).limit(_MOST))
    for row in ticket_rows:
        row["numbers"] = list(
            c.execute(
                select(s.ticket_numbers.c.number)
                .where(s.ticket_numbers.c.ticket_id == row["id"])
                .order_by(s.ticket_numbers.c.at)
            ).scalars()
        )
    parcels = select(
        *(p.id, p.lane, p.target, p.key, p.kind, p.due_at, p.created_at, p.attempts, p.waits_for, p.lease_until),
        *(p.settled_at, p.outcome, p.last_error),
    )
    letters = select(m.id, m.kept_at, m.sender, m.subject, m.message_id, m.reason, m.size, m.attempts, m.outcome)
    aside = letters.where(text("outcome = 'quarantined'")).order_by(m.settled_at.desc(), m.id.desc())
    return {
        "tickets": ticket_rows,
        "ledger": _plain(c, select(s.ledger).order_by(s.ledger.c.id.desc()).limit(_MOST)),
        "outbox": _plain(c, parcels.order_by(p.id.desc()).limit(_MOST)),
        "quarantine": _plain(c, aside.limit(_MOST)),
    }


def report_rows(c: Connection, since: datetime, until: datetime) -> list[ReportRow]:
    """Tickets filed in [since, until), the oldest first, with their requesters (nameless where erased) and ratings."""
    t, p, r = s.tickets.c, s.people.c, s.ratings.c
    found = (
        select(
            *(t.id, t.number, t.title, t.category, t.subcategory, t.location),
            *(p.name.label("person"), func.coalesce(p.address, "").label("address"), t.status, t.handover),
            *(t.created_at, t.accepted_at, t.registered_at, t.resolved_at, t.closed_at),
            *(r.stars, func.coalesce(r.text, "").label("words")),
        )
        .join(s.people, p.id == t.person_id)
        .outerjoin(s.ratings, r.ticket_id == t.id)
        .where(t.created_at >= since, t.created_at < until)
        .order_by(t.created_at, t.id)
    )
    return [ReportRow(**row._mapping) for row in c.execute(found)]


def health(c: Connection, now: datetime) -> dict[str, Any]:
    """Figures for the health page and the metrics: open parcels by target, how late the oldest ready one is (seconds),
    tickets by status, letters unread and quarantined, updates not understood, screens owed."""
    ready = select(func.min(s.parcels.c.ready_at)).where(text("ready_at IS NOT NULL"))
    oldest: datetime | None = c.execute(ready).scalar()
    return {
        "outbox": counts(c),
        "late_seconds": max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        "tickets": count_of_status(c),
        "unread": _count(c, s.mails, "settled_at IS NULL"),
        "quarantine": _count(c, s.mails, "outcome = 'quarantined'"),
        "bad_updates": _count(c, s.bad_updates, "1 = 1"),
        "owed": _count(c, s.slots, "due_at IS NOT NULL"),
    }


def _count(c: Connection, table: Any, condition: str) -> int:
    return c.execute(select(func.count()).select_from(table).where(text(condition))).scalar_one()


def _plain(c: Connection, statement: Any) -> list[dict[str, Any]]:
    return [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in c.execute(statement).mappings()
    ]
