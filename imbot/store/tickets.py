"""Tickets and the numbers that far ends gave them. How a ticket changes is decided in `domain.tickets`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, literal, select, text, update

from imbot.domain.tickets import OPEN, OWN_DESK, Handover, Status, Ticket
from imbot.store.columns import Moment
from imbot.store.facts import fact, set_fact
from imbot.store.schema import people, ticket_numbers, tickets
from imbot.store.sql import Prepared, insert

_FIXED = ("id", "person_id", "backend", "token", "created_at")
_MUTABLE = (
    *("chat_key", "title", "message_id", "category", "subcategory", "location", "description", "contacts", "fields"),
    *("status", "handover", "number", "accepted_at", "registered_at", "promised_at", "resolved_at", "closed_at"),
    *("reported_at", "solution", "asked", "asked_until", "failure", "thread", "receipt_id", "previous"),
    *("tag", "watermark"),
)
_NAMES = (*_FIXED, *_MUTABLE)
_cells_of, _mutable_of = attrgetter(*_NAMES), attrgetter(*_MUTABLE)
_NEW = tuple(f"new_{name}" for name in _MUTABLE)
_IS_OPEN = tickets.c.status.in_([literal(str(status)) for status in sorted(OPEN)])
_OPEN_FIRST = case((_IS_OPEN, 0), else_=1)

_GET = Prepared(select(tickets).where(tickets.c.id == bindparam("id")))
_BY_TOKEN = Prepared(select(tickets).where(func.lower(tickets.c.token) == bindparam("token")))
_NUMBER = (ticket_numbers.c.backend == bindparam("backend"), ticket_numbers.c.number == bindparam("number"))
_BY_NUMBER = Prepared(select(tickets).join(ticket_numbers, ticket_numbers.c.ticket_id == tickets.c.id).where(*_NUMBER))
_OWNER = Prepared(select(ticket_numbers.c.ticket_id).where(*_NUMBER))
_ADD_NUMBER = Prepared(insert("sqlite", ticket_numbers).on_conflict_do_nothing())
_NUMBERS = Prepared(
    select(ticket_numbers.c.backend, ticket_numbers.c.number)
    .where(ticket_numbers.c.ticket_id == bindparam("ticket"))
    .order_by(ticket_numbers.c.at, ticket_numbers.c.number)
)
_NAMED = Prepared(
    select(ticket_numbers.c.number, ticket_numbers.c.ticket_id)
    .join(tickets, tickets.c.id == ticket_numbers.c.ticket_id)
    .where(tickets.c.person_id == bindparam("person"), func.instr(bindparam("words"), ticket_numbers.c.number) > 0)
)
_ADD = Prepared(insert("sqlite", tickets).on_conflict_do_nothing(index_elements=["id"]))
_OF_PERSON = select(tickets).where(tickets.c.person_id == bindparam("person"))
_NEWEST = (tickets.c.created_at.desc(), tickets.c.id)
_PAGE = Prepared(_OF_PERSON.order_by(_OPEN_FIRST, *_NEWEST).limit(bindparam("most")).offset(bindparam("skip")))
_IN_CHAT = Prepared(
    _OF_PERSON.where(tickets.c.chat_key == bindparam("chat")).order_by(_OPEN_FIRST, *_NEWEST).limit(bindparam("most"))
)
_OPEN_OF_PERSON = Prepared(_OF_PERSON.where(_IS_OPEN).order_by(*_NEWEST).limit(bindparam("most")))
_RESOLVED_OF_PERSON = Prepared(
    _OF_PERSON.where(
        tickets.c.status == str(Status.RESOLVED), tickets.c.resolved_at >= bindparam("since", type_=Moment)
    )
    .order_by(tickets.c.resolved_at.desc())
    .limit(bindparam("most"))
)
_COUNT = Prepared(
    select(func.count().label("count")).select_from(tickets).where(tickets.c.person_id == bindparam("person"))
)
_FORGOTTEN, _LONG_AGO = "places_forgotten:", datetime.fromtimestamp(0, UTC)
_LAST_LOCATION = Prepared(
    select(tickets.c.location_key, tickets.c.location)
    .where(tickets.c.person_id == bindparam("person"), tickets.c.location != "")
    .where(tickets.c.created_at > bindparam("since"))
    .order_by(tickets.c.created_at.desc())
    .limit(1)
)


def add(c: Connection, ticket: Ticket, location_key: str = "") -> bool:
    """Puts a new ticket. `location_key`: of the list of places, "" where the place is free text. False: there is one of this id,
    and nothing happens."""
    values = dict(zip(_NAMES, _cells_of(ticket), strict=True))
    return _ADD.run(c, location_key=location_key, **values) > 0


def get(c: Connection, id: str) -> Ticket | None:
    return _one(c, _GET, id=id)


def save(c: Connection, ticket: Ticket, was: Ticket | None = None) -> None:
    """Writes everything that may change; where it `was` so in this very transaction, only what has changed, which leaves the
    indices of all else alone. Raises LookupError where there is no such ticket."""
    values = dict(zip(_NEW, _mutable_of(ticket), strict=True))
    if was is not None:
        before = zip(_NEW, _mutable_of(was), strict=True)
        values = {name: values[name] for name, old in before if values[name] != old}
    if values and _saving(tuple(values)).run(c, this=ticket.id, **values) != 1:
        raise LookupError(f"no ticket {ticket.id} to save")


@lru_cache(maxsize=64)
def _saving(names: tuple[str, ...]) -> Prepared:
    """`names`: of what is saved, as `_NEW` has them."""
    cells: dict[str, Any] = {_MUTABLE[_NEW.index(name)]: bindparam(name) for name in names}
    return Prepared(update(tickets).where(tickets.c.id == bindparam("this")).values(cells))


def of_person(c: Connection, person_id: int, page: int, size: int) -> tuple[list[Ticket], int]:
    """Page `page` (from 0) of their tickets, open ones first, then the newest; and how many there are in all."""
    rows = _PAGE.all(c, person=person_id, most=size, skip=page * size)
    return [ticket_of(row) for row in rows], _COUNT.value(c, person=person_id)


def filed_in(c: Connection, person_id: int, chat_key: str, limit: int) -> list[Ticket]:
    """Their tickets that were filed in this chat, open ones first, then the newest."""
    return [ticket_of(row) for row in _IN_CHAT.all(c, person=person_id, chat=chat_key, most=limit)]


def resolved_of_person(c: Connection, person_id: int, since: datetime, limit: int) -> list[Ticket]:
    """Tickets of the person that were resolved since then and are so still, the newest first."""
    return [ticket_of(row) for row in _RESOLVED_OF_PERSON.all(c, person=person_id, since=since, most=limit)]


def open_of_person(c: Connection, person_id: int, limit: int) -> list[Ticket]:
    """Their open tickets, the newest first."""
    return [ticket_of(row) for row in _OPEN_OF_PERSON.all(c, person=person_id, most=limit)]


def by_token(c: Connection, token: str) -> Ticket | None:
    """`token` with its `imb:`, in any case."""
    return _one(c, _BY_TOKEN, token=token.lower())


def by_number(c: Connection, backend: str, number: str) -> Ticket | None:
    """The ticket that this far end gave this number to."""
    return _one(c, _BY_NUMBER, backend=backend, number=number)


def add_number(c: Connection, backend: str, number: str, ticket_id: str, now: datetime) -> bool:
    """Notes that the far end calls the ticket by this number; a ticket may have several. False: it is another ticket's."""
    owner = _OWNER.value(c, backend=backend, number=number)
    if owner is None:
        _ADD_NUMBER.run(c, backend=backend, number=number, ticket_id=ticket_id, at=now)
        owner = _OWNER.value(c, backend=backend, number=number)
    return bool(owner == ticket_id)


def numbers_of(c: Connection, ticket_id: str) -> list[str]:
    """In the order in which they came."""
    return [number for _, number in numbers_by(c, ticket_id)]


def numbers_by(c: Connection, ticket_id: str) -> list[tuple[str, str]]:
    """The same, each behind the name of the backend that gave it."""
    return [(row.backend, row.number) for row in _NUMBERS.all(c, ticket=ticket_id)]


def named_in(c: Connection, person_id: int, text: str) -> str:
    """The one ticket of this person whose number stands in the text; "" where there is none, or more than one."""
    found = {row.ticket_id for row in _NAMED.all(c, person=person_id, words=text) if _stands_in(row.number, text)}
    return found.pop() if len(found) == 1 else ""


def _stands_in(number: str, text: str) -> bool:
    """Not as a part of a longer one."""
    return re.search(rf"(?<!\w){re.escape(number)}(?!\w)", text) is not None


def unregistered_of_addresses(
    c: Connection, backend: str, addresses: Sequence[str], limit: int
) -> list[tuple[str, Ticket]]:
    """(address, ticket) of these requesters, of tickets that the far end's mail server accepted and that have no number
    yet, oldest first."""
    found = select(tickets, people.c.address.label("of_address")).join(people, people.c.id == tickets.c.person_id)
    found = found.where(
        people.c.address.in_([address.lower() for address in addresses]),
        tickets.c.backend == backend,
        tickets.c.handover == Handover.ACCEPTED,
        text("tickets.number = ''"),
        tickets.c.status.in_(sorted(OPEN)),
    )
    rows = c.execute(found.order_by(tickets.c.created_at, tickets.c.id).limit(limit))
    return [(row.of_address, ticket_of(row)) for row in rows]


def asked_overdue(c: Connection, now: datetime) -> list[Ticket]:
    """What was asked of the far end ("take it up again") and not answered in time."""
    found = select(tickets).where(tickets.c.asked_until.is_not(None), tickets.c.asked_until <= now)
    return [ticket_of(row) for row in c.execute(found.order_by(tickets.c.asked_until))]


def failed(c: Connection, limit: int) -> list[Ticket]:
    """Tickets whose letter failed for good and was not sent again, the newest first."""
    found = select(tickets).where(text("handover = 'failed'")).order_by(tickets.c.created_at.desc()).limit(limit)
    return [ticket_of(row) for row in c.execute(found)]


def last_location(c: Connection, person_id: int) -> tuple[str, str] | None:
    """(key, text) of the place of their last ticket that had one, and that was not forgotten."""
    forgotten = fact(c, f"{_FORGOTTEN}{person_id}")
    since = datetime.fromisoformat(forgotten) if forgotten else _LONG_AGO
    row = _LAST_LOCATION.first(c, person=person_id, since=since)
    return None if row is None else (row.location_key, row.location)


def forget_location(c: Connection, person_id: int, now: datetime) -> bool:
    """Has no place of a ticket of theirs offered next time; the tickets keep theirs. False: there was none to offer."""
    if last_location(c, person_id) is None:
        return False
    set_fact(c, f"{_FORGOTTEN}{person_id}", now.isoformat(), now)
    return True


def of_lost_backends(c: Connection, known: Sequence[str]) -> dict[str, int]:
    """Open tickets of helpdesks that the settings do not name any more, counted by helpdesk. Walks the tickets only where there
    is such a helpdesk."""
    t = tickets.c
    lost = _backends(c) - {*known, OWN_DESK}
    if not lost:
        return {}
    found = select(t.backend, func.count()).where(t.backend.in_(sorted(lost)), t.status.in_(sorted(OPEN)))
    return {row[0]: row[1] for row in c.execute(found.group_by(t.backend).order_by(t.backend))}


def _backends(c: Connection) -> set[str]:
    """Every helpdesk that ever had a ticket: one step in an index for each of them, however many tickets there are."""
    numbered = select(ticket_numbers.c.backend).order_by(ticket_numbers.c.backend).limit(1)
    unnumbered = select(tickets.c.backend).where(text("number = ''")).order_by(tickets.c.backend).limit(1)
    found: set[str] = set()
    for first, column in ((numbered, ticket_numbers.c.backend), (unnumbered, tickets.c.backend)):
        name = c.execute(first.where(column >= "")).scalar()
        while name is not None:
            found.add(name)
            name = c.execute(first.where(column > name)).scalar()
    return found


def count_of_status(c: Connection) -> dict[str, int]:
    found = select(tickets.c.status, func.count()).group_by(tickets.c.status).order_by(tickets.c.status)
    return {row[0]: row[1] for row in c.execute(found)}


def ticket_of(row: Row[Any]) -> Ticket:
    """A row that bears all columns of the table, as a Ticket."""
    values: dict[str, Any] = dict(zip(_NAMES, _cells_of(row), strict=True))
    values["status"] = Status(row.status)
    values["handover"] = Handover(row.handover)
    values["fields"] = tuple((label, answer) for label, answer in row.fields)
    return Ticket(**values)


def _one(c: Connection, statement: Prepared, **values: str) -> Ticket | None:
    row = statement.first(c, **values)
    return None if row is None else ticket_of(row)
