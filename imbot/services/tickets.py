"""What a requester does with a ticket, and the one place where a changed status is recorded and told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from imbot.dialog.orders import Complain, NotSolved, Rate
from imbot.domain.calendar import after_working
from imbot.domain.chats import Happened
from imbot.domain.notices import Enclosed, notices_for, silence_notice, ticket_values
from imbot.domain.people import Person
from imbot.domain.tickets import (
    ENDED,
    GRANTED,
    Change,
    Handover,
    Status,
    StatusReport,
    Ticket,
    may_add,
    may_rate,
    may_reopen,
    may_withdraw,
)
from imbot.failpoints import hit
from imbot.services import breaker, telling, watchdog
from imbot.services.composing import write
from imbot.services.env import Env, Fresh
from imbot.services.filing import own_ticket, take_files
from imbot.store import ledger, letters, outbox, ratings, tickets

_NOTHING = Enclosed()
QUIET = frozenset({"in_progress", "promised", "closed"})  # told by the receipt alone: nothing is asked of anybody


def record_change(
    c: Connection, change: Change, key: str, now: datetime, env: Env, enclosed: Enclosed = _NOTHING
) -> bool:
    """Save what changed, note it, tell of it. `key` names the report, so that the same one is told once. `enclosed` goes
    with the notice; False: there was none (too many changes are held back), and nobody has been told of that."""
    ticket = change.ticket
    if ticket.number or ticket.registered_at:
        ticket = registered_after_all(c, ticket, now)
    else:
        watchdog.answered(c, ticket, now)
    tickets.save(c, ticket)
    ledger.log(c, ticket.id, now, "status", _status_values(change, enclosed))
    if change.new in ENDED:
        _forget_withdrawal(c, ticket, now)
    if ticket.number:
        outbox.release(c, f"number:{ticket.id}")
    told, held = False, breaker.holds_status(c, ticket, now, env)
    for notice in () if held else notices_for(change):
        if notice.name not in QUIET or (notice.name == "closed" and change.old is not Status.RESOLVED):
            telling.put_notice(c, notice, ticket, f"notice:{key}:{notice.name}", now, env, enclosed)
            told = True
    telling.put_receipt(c, ticket, now)
    hit("status_recorded")
    return told


def _forget_withdrawal(c: Connection, ticket: Ticket, now: datetime) -> None:
    """A wish to take it back that never went out is pointless now; many desks reopen a call for any letter."""
    for parcel in outbox.of_lane(c, f"ticket:{ticket.id}"):
        if parcel.waits_for and parcel.payload.get("letter") == "withdrawal":
            outbox.drop(c, parcel.id, now)


def registered_after_all(c: Connection, ticket: Ticket, now: datetime) -> Ticket:
    """A number, or a status of theirs, proves that the request has arrived, whatever the post had told us of its letter:
    there is nothing to send again, and what waits behind it goes its way. The caller saves what this returns."""
    watchdog.answered(c, ticket, now)
    if ticket.handover is Handover.ACCEPTED:
        return ticket
    letters.letter_settled(c, ticket.message_id, now, "accepted", "registered after all")
    parcel = outbox.by_key(c, f"letter:{ticket.message_id}")
    if parcel is not None and parcel.settled_at is None:
        outbox.drop(c, parcel.parcel.id, now)
    outbox.resume(c, f"ticket:{ticket.id}")
    ledger.log(
        c,
        ticket.id,
        now,
        "accepted",
        {"letter": "ticket", "message_id": ticket.message_id, "answer": "registered after all"},
    )
    return replace(ticket, handover=Handover.ACCEPTED, accepted_at=ticket.accepted_at or now, failure="")


def _status_values(change: Change, enclosed: Enclosed) -> dict[str, Any]:
    values: dict[str, Any] = {
        "what": change.what,
        "old": str(change.old),
        "new": str(change.new),
        **change.report.fields,
    }
    values |= {"asked": GRANTED} if change.ticket.asked == GRANTED else {}
    values |= {"more": enclosed.mail_id} if enclosed.more else {}
    return values | ({"number": change.report.number} if change.report.number else {})


def rate(c: Connection, person: Person | None, order: Rate, now: datetime) -> Happened:
    """Stars, once a ticket and changeable for a day; `stars` None: the person does not want to rate."""
    ticket = own_ticket(c, order.ticket_id, person)
    if ticket is None:
        return _not_found()
    earlier = ratings.rating(c, ticket.id)
    rated_at = earlier.rated_at if earlier and earlier.stars is not None else None
    if not may_rate(ticket, rated_at, now):
        values = {"stars": earlier.stars if earlier else None, "asked": ticket.asked if ticket.asked_until else ""}
        return Happened("not_ratable", ticket_values(ticket) | values)
    ratings.rate(c, ticket.id, order.stars, rated_at or now)
    ledger.log(c, ticket.id, now, "rated", {"stars": order.stars})
    hit("rating_stored")
    return Happened("rated", ticket_values(ticket) | {"stars": order.stars})


def complain(c: Connection, person: Person | None, order: Complain, now: datetime, env: Env, fresh: Fresh) -> Happened:
    """What went wrong, in the person's words: kept with the rating, and a letter."""
    ticket = own_ticket(c, order.ticket_id, person)
    if ticket is None or person is None:
        return _not_found()
    if ratings.rating(c, ticket.id) is not None:
        ratings.rating_words(c, ticket.id, order.text)
    ledger.log(c, ticket.id, now, "complained", {"text": order.text})
    _follow_up(c, ticket, person, "complaint", order.text, now, env, fresh, order.files_id)
    hit("complaint_put")
    return Happened("complained", ticket_values(ticket) | {"can_reopen": may_reopen(ticket)})


def not_solved(
    c: Connection, person: Person | None, order: NotSolved, now: datetime, env: Env, fresh: Fresh
) -> Happened:
    """Ask the far end to take the work up again. It is *asked*, no more: only its letter reopens."""
    ticket = own_ticket(c, order.ticket_id, person)
    if ticket is None or person is None:
        return _not_found()
    if ticket.status not in (Status.RESOLVED, Status.CLOSED):  # support was quicker
        if not may_add(ticket):
            return Happened("cannot_add", ticket_values(ticket))
        ledger.log(c, ticket.id, now, "added", {"text": order.reason})
        _follow_up(c, ticket, person, "addition", order.reason, now, env, fresh, order.files_id)
        return Happened("ticket", telling.details(c, ticket, now, env) | {"taken": True})
    until = after_working(now, env.reopen_wait, env.working)
    ticket = replace(ticket, asked="reopen", asked_until=until)
    tickets.save(c, ticket)
    ledger.log(c, ticket.id, now, "reopen_asked", {"reason": order.reason, "text": order.reason})
    _follow_up(c, ticket, person, "not_solved", order.reason, now, env, fresh, order.files_id)
    telling.put_receipt(c, ticket, now)
    values = ticket_values(ticket) | {"reason": order.reason, "until": until.isoformat()}
    return Happened("reopen_asked", values)


def withdraw(c: Connection, person: Person | None, ticket_id: str, now: datetime, env: Env, fresh: Fresh) -> Happened:
    """Tell the far end that it is no longer needed. The status waits for its answer."""
    ticket = own_ticket(c, ticket_id, person)
    if ticket is None or person is None:
        return _not_found()
    if not may_withdraw(ticket):  # it has ended between the question and its answer
        problem = "" if ticket.asked == "withdraw" else "nothing_to_withdraw"
        return Happened("ticket", telling.details(c, ticket, now, env) | {"problem": problem})
    ticket = replace(ticket, asked="withdraw", asked_until=None)
    tickets.save(c, ticket)
    ledger.log(c, ticket.id, now, "withdraw_asked", {})
    _follow_up(c, ticket, person, "withdrawal", "", now, env, fresh)
    telling.put_receipt(c, ticket, now)
    waits = telling.asked_of(c, ticket, env) == "withdraw_later"
    return Happened("withdrawn_asked", ticket_values(ticket) | {"waits": waits})


def resend(c: Connection, person: Person | None, ticket_id: str, now: datetime) -> Happened:
    """Send again what failed for good: the same letter and Message-ID, another Date. Where nothing is left to be sent (the
    button of an alarm stays where it is), that is said."""
    ticket = own_ticket(c, ticket_id, person)
    if ticket is None:
        return _not_found()
    values = ticket_values(ticket) | {"handover": str(ticket.handover), "asked": ticket.asked}
    return Happened("resent" if send_again(c, ticket, now) else "not_failed", values)


def send_again(c: Connection, ticket: Ticket, now: datetime) -> bool:
    """Open the ticket's lane again; its failed letters bear a new Date. False where nothing had failed."""
    lane = f"ticket:{ticket.id}"
    failed = [row for row in letters.letters_of(c, ticket.id) if row.outcome == "failed"]
    if not failed and not outbox.is_suspended(c, lane):
        return False
    for row in failed:
        letters.rewrite_letter(c, row.message_id, {**row.letter, "date": now.isoformat()})
        parcel = outbox.by_key(c, f"letter:{row.message_id}")
        if parcel is not None:
            outbox.retry(c, parcel.parcel.id, now)
    outbox.resume(c, lane)
    if ticket.handover is Handover.FAILED:
        ticket = replace(ticket, handover=Handover.QUEUED, failure="")
        tickets.save(c, ticket)
    ledger.log(c, ticket.id, now, "resent", {})
    telling.put_receipt(c, ticket, now)
    return True


def send_once_more(c: Connection, ticket: Ticket, by: str, now: datetime) -> bool:
    """Send a request that the mail server took and the far end never confirmed a second time: the same letter under the same
    Message-ID, which many far ends recognise, with a new Date. False where the letter's text is kept no more."""
    row, parcel = letters.letter(c, ticket.message_id), outbox.by_key(c, f"letter:{ticket.message_id}")
    if row is None or not row.letter or parcel is None or not outbox.retry(c, parcel.parcel.id, now):
        return False
    letters.rewrite_letter(c, row.message_id, {**row.letter, "date": now.isoformat()})
    queued = replace(ticket, handover=Handover.QUEUED)
    tickets.save(c, queued)
    ledger.log(c, ticket.id, now, "resent", {"by": by})
    telling.put_receipt(c, queued, now)
    return True


def listed(c: Connection, person: Person | None, page: int, env: Env) -> Happened:
    """A page of the person's tickets, open first. Pages count from 0 and are kept within what there is."""
    if person is None:
        return _not_found()
    size = env.dialog.page_size
    found, total = tickets.of_person(c, person.id, max(page, 0), size)
    pages = max(1, -(-total // size))
    if page >= pages:
        page = pages - 1
        found, total = tickets.of_person(c, person.id, page, size)
    rows = [
        ticket_values(one)
        | {"id": one.id, "created_at": one.created_at.isoformat(), "asked": telling.asked_of(c, one, env)}
        for one in found
    ]
    return Happened("tickets", {"page": max(page, 0), "pages": pages, "total": total, "tickets": rows})


def shown(c: Connection, person: Person | None, ticket_id: str, now: datetime, env: Env) -> Happened:
    """Everything about one ticket, its ledger included."""
    ticket = own_ticket(c, ticket_id, person)
    return Happened("ticket", telling.details(c, ticket, now, env)) if ticket else _not_found()


def note_silence(c: Connection, now: datetime, env: Env) -> int:
    """Tickets whose far end has not answered "not solved" in time: the requester is told and offered a linked new
    request, admins hear of it. Returns how many."""
    overdue = [ticket for ticket in tickets.asked_overdue(c, now) if _known(c, ticket, now, env)]
    for ticket in overdue:
        quiet = replace(ticket, asked_until=None)
        tickets.save(c, quiet)
        ledger.log(c, ticket.id, now, "reopen_silence", {})
        key = f"silence:{ticket.id}:{ticket.asked_until}"
        telling.put_notice(c, silence_notice(quiet), quiet, f"notice:{key}", now, env)
        telling.alert(c, "reopen_silence", key, {"title": ticket.title, "number": ticket.number}, now)
    return len(overdue)


def _known(c: Connection, ticket: Ticket, now: datetime, env: Env) -> bool:
    return ticket.asked_until is not None and watchdog.read_since(c, ticket, ticket.asked_until, now, env)


def left_the_firm(c: Connection, ticket: Ticket, now: datetime, env: Env) -> None:
    """A ticket of somebody whom the directory no longer has, not yet sent: it ends as withdrawn, and is told."""
    report = StatusReport(ticket.backend, Status.WITHDRAWN, at=now)
    ended = replace(ticket, status=Status.WITHDRAWN, closed_at=now)
    outbox.settle_lane(c, f"ticket:{ticket.id}", "left", now)
    record_change(
        c, Change(ended, ticket.status, Status.WITHDRAWN, "status", report, now), f"left:{ticket.id}", now, env
    )


def _follow_up(
    c: Connection,
    ticket: Ticket,
    person: Person,
    letter: str,
    text: str,
    now: datetime,
    env: Env,
    fresh: Fresh,
    files_id: str = "",
) -> None:
    lane = take_files(c, ticket, files_id, fresh.message_id(), now)
    write(c, ticket, person, letter, fresh.message_id(), text, now, env, lane=lane)


def _not_found() -> Happened:
    return Happened("not_found", {})
