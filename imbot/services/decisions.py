"""What admins decide, from a button or from the command line: about requests that support has not confirmed. The first word
wins; who said it and when stands in the ledger.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from imbot.dialog.orders import Decide, LookAround, NextQuestion
from imbot.domain.calendar import AHEAD
from imbot.domain.chats import Happened
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Person
from imbot.domain.tickets import Ticket, awaits_confirmation
from imbot.services import telling, watchdog
from imbot.services.env import Env
from imbot.services.tickets import send_once_more
from imbot.store import ledger, letters, outbox, people, sessions, tickets, watches
from imbot.store.watches import Question

TIME_TO_ANSWER = timedelta(minutes=10)


def take(
    c: Connection,
    order: Decide | NextQuestion | LookAround,
    person: Person | None,
    chat_key: str,
    now: datetime,
    env: Env,
) -> Happened:
    """An admin's order from a chat. Whoever is no admin at this moment finds nothing."""
    if person is None or not telling.is_admin(person, env):
        return _not_found()
    match order:
        case NextQuestion():
            return next_question(c, env)
        case LookAround():
            payload = {"chat": chat_key, "check": order.check}
            key = f"check:{chat_key}:{now.isoformat()}"
            outbox.put(c, NewParcel(f"check:{chat_key}", "self", key, Kind.CHECK, payload, urgent=True), now)
            return Happened("looking", {"check": order.check})
        case Decide():
            ticket = tickets.get(c, order.ticket_id)
            if ticket is None:
                return _not_found()
            if not decide(c, ticket, order.what, f"person:{person.id}", now):
                asked = watches.question(c, ticket.id)
                return Happened("question", watchdog.values(c, ticket, asked, env))
            if not order.listed:
                return Happened("decided", {})
            asked = watches.question(c, ticket.id)
            if asked is not None and asked.is_open:  # only the additions were decided about
                return Happened("question", watchdog.values(c, ticket, asked, env))
            return next_question(c, env)


def next_question(c: Connection, env: Env) -> Happened:
    """The question that has been open for longest."""
    for ticket_id, asked in watches.questions(c):
        ticket = tickets.get(c, ticket_id)
        if ticket is not None and asked.is_open and watchdog.state_of(ticket, asked) == "open":
            return Happened("question", watchdog.values(c, ticket, asked, env))
    return Happened("no_questions", {})


def decide(c: Connection, ticket: Ticket, what: str, by: str, now: datetime) -> bool:
    """Carry a decision out: `again` sends the same letter, under its Message-ID, with another Date; `leave` asks no more;
    `go` lets what waits for the number go without it, which leaves the question of the request open. False where there is
    nothing to decide (any more): somebody was faster, or the far end has answered. After `leave` the additions may still
    be let go."""
    asked = watches.question(c, ticket.id)
    state = watchdog.state_of(ticket, asked)
    may_go = state in ("open", "leave") and asked is not None and not asked.let_go
    if asked is None or not (may_go if what == "go" else state == "open"):
        return False
    return _carry_out(c, ticket, asked, what, by, now)


def last_sent(c: Connection, ticket: Ticket, now: datetime) -> datetime | None:
    """When the mail server took the request's letter, if that was minutes ago: the far end has had no time to answer."""
    letter = letters.letter(c, ticket.message_id)
    taken = letter.settled_at if letter and letter.outcome == "accepted" else None
    return taken if taken is not None and -AHEAD <= now - taken < TIME_TO_ANSWER else None


def decide_anyway(c: Connection, ticket: Ticket, what: str, by: str, now: datetime) -> bool:
    """The same from the command line, where somebody who knows more may also come back to an earlier decision, or speak
    before imbot has asked. False where the far end has confirmed the request, or its letter did not go out."""
    if not awaits_confirmation(ticket):
        return False
    return _carry_out(c, ticket, watches.question(c, ticket.id) or Question(0), what, by, now)


def _carry_out(c: Connection, ticket: Ticket, asked: Question, what: str, by: str, now: datetime) -> bool:
    decided = replace(asked, decision=what, by=by, at=now.isoformat())
    if what == "go":
        decided = _let_go(c, ticket, asked, by, now)
    elif what == "leave":
        ledger.log(c, ticket.id, now, "left", {"by": by})
    elif not send_once_more(c, ticket, by, now):
        return False
    if what != "go":
        watches.unwatch(c, ticket.id)
    watches.save_question(c, ticket.id, decided, now)
    watchdog.refresh(c, tickets.get(c, ticket.id) or ticket, decided, now)
    return True


def _let_go(c: Connection, ticket: Ticket, asked: Question, by: str, now: datetime) -> Question:
    """What waits goes out, and the requester's screens say so. Whether the request itself has arrived is as open as before."""
    outbox.release(c, f"number:{ticket.id}")
    ledger.log(c, ticket.id, now, "let_go", {"by": by})
    for chat in people.chats_of(c, ticket.person_id):
        slot = sessions.slot(c, chat.key)
        values = (slot.screen or {}).get("values", {}) if slot else {}
        if slot and slot.screen and values.get("waits") and values.get("ticket") == ticket.id:
            screen = {**slot.screen, "values": {**values, "waits": False}}
            sessions.owe(c, chat.key, screen, now, bool(slot.message_id), now)
    telling.put_receipt(c, ticket, now)
    return replace(asked, let_go=True) if asked.decision else replace(asked, let_go=True, by=by, at=now.isoformat())


def _not_found() -> Happened:
    return Happened("not_found", {})
