"""Tickets: what they are, how their status changes, who may see and do what. Decides; saves nothing, tells nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from imbot.domain.calendar import AHEAD
from imbot.domain.people import Person

TITLE_LENGTH = 80
_WORDS = re.compile(r"\w+")
RATING_CHANGE_WINDOW = timedelta(days=1)


class Status(StrEnum):
    NEW = "new"
    REGISTERED = "registered"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


OPEN = frozenset({Status.NEW, Status.REGISTERED, Status.IN_PROGRESS, Status.WAITING})
DONE = frozenset({Status.RESOLVED, Status.CLOSED, Status.REJECTED, Status.WITHDRAWN})
ENDED = DONE - {Status.RESOLVED}
OWN_DESK = "desk"
GRANTED = "granted"  # `Ticket.asked` once a refusal has ended what its person had asked to drop
ANSWERED = "answer"  # `Ticket.asked` once a question was answered, until the far end asks on or moves the ticket


class Handover(StrEnum):
    """Where the ticket's first letter stands: `queued` (ours still), `accepted` (by the mail server), `failed` (for good)."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request with an opaque id. `number` is the far end's ("" until it registers); `message_id` is that of the first
    letter, minted at Send. Moments are aware UTC datetimes."""

    id: str
    person_id: int
    chat_key: str  # where it was filed, and where the receipt stands
    title: str
    backend: str  # the name of the one that it went to: itsm, or that of [backends.<name>]
    token: str  # "imb:" + 10 characters base32
    message_id: str
    created_at: datetime
    category: str = ""  # labels, as they were when it was filed
    subcategory: str = ""
    location: str = ""
    description: str = ""
    contacts: Mapping[str, str] = field(default_factory=dict)  # phone, mail
    fields: tuple[tuple[str, str], ...] = ()  # (label, answer)
    status: Status = Status.NEW
    handover: Handover = Handover.QUEUED
    number: str = ""
    accepted_at: datetime | None = None
    registered_at: datetime | None = None
    promised_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    reported_at: datetime | None = None  # the moment of the last report that was applied
    solution: str = ""
    asked: str = ""  # "" | reopen | withdraw | answer: what the far end was told and has not yet answered; granted
    asked_until: datetime | None = None
    failure: str = ""  # the far end's words when the handover failed
    thread: str = ""  # Message-ID of the last letter the far end sent for it
    receipt_id: str = ""  # message id of the receipt in `chat_key`
    previous: str = ""  # id of the ticket that this one follows
    tag: str = ""  # the number as the ITSM itself wrote it, verbatim: `[help.company.ru #1042]`
    watermark: str = ""  # the last mark by which the ITSM wants its letter answered: `Ref:MSG3846157`

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a status letter says. `status` None: bound and believed, but no known status (a comment). `fields`: lifted
    values by name (promised, solution, question, comment, assignee), texts or ISO 8601 moments. `at`: the letter's date.
    `silent`: the profile knows the letter and says that nobody is told of it."""

    profile: str
    status: Status | None
    number: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A status that really changed (`old` != `new`), or something new within it: `what` is one of `status`, `reopened`,
    `promised` (another promised time), `number` (a first number without a change of status), `again` (done once more, after
    we had asked to take it up again). `asked`: what we had asked for before it."""

    ticket: Ticket  # as it is after the change
    old: Status
    new: Status
    what: str
    report: StatusReport
    at: datetime
    asked: str = ""


def apply(ticket: Ticket, report: StatusReport, now: datetime, asked_at: datetime | None = None) -> Change | None:
    """What `report` makes of `ticket`, or None where it changes nothing.

    A report older than the last one applied changes nothing; where our own clock is behind that one, it says nothing of which is
    older, and what bears no moment of its own is taken as it comes. Of two of the same second, which a mailbox may hand out in
    any order, the one that says "begun" is the older one, unless work was asked for. An ITSM may reopen what is done; a finished
    ticket of our own desk never changes. `new` never comes back. Only the far end moves a ticket, so what we asked for
    (`asked`, at `asked_at`) is cleared by a change, not by our wish; to take a request back is asked until it ends, and where the
    far end calls that a refusal, it is remembered to be none.
    Idempotent: the same report twice is None the second time.
    """
    said, last = report.at or now, ticket.reported_at
    moment = min(said, now)
    if report.status is None or (ticket.backend == OWN_DESK and ticket.status in ENDED):
        return None
    if is_older(ticket, report, now):
        return None
    if last is not None and moment < last and (report.at is None or report.at >= last):
        moment = last  # our clock was put back
    old, new = ticket.status, _next_status(ticket.status, report.status)
    if said == last and old in DONE and new is Status.IN_PROGRESS and ticket.asked in ("", GRANTED):
        return None
    after = replace(
        ticket,
        status=new,
        reported_at=moment,
        number=ticket.number or report.number,
        registered_at=ticket.registered_at or moment,
        promised_at=_moment(report.fields.get("promised")) or ticket.promised_at,
        solution=report.fields.get("solution", ticket.solution) if new in DONE else ticket.solution,
        resolved_at=_resolved_at(ticket, new, moment),
        closed_at=moment if new in (Status.CLOSED, Status.REJECTED, Status.WITHDRAWN) else None,
    )
    if old is not new:
        still = _kept_of_a_withdrawal(new) if ticket.asked == "withdraw" else ""
        after = replace(after, asked=still, asked_until=None)
        reopened = old in DONE and new in OPEN
        return Change(after, old, new, "reopened" if reopened else "status", report, moment, ticket.asked)
    if new is Status.RESOLVED and ticket.asked == "reopen" and asked_at is not None and moment > asked_at:
        after = replace(after, asked="", asked_until=None, resolved_at=moment)
        return Change(after, old, new, "again", report, moment, ticket.asked)
    if after.number != ticket.number:
        return Change(after, old, new, "number", report, moment)
    if after.promised_at != ticket.promised_at:
        return Change(after, old, new, "promised", report, moment)
    if new is Status.WAITING and report.fields.get("question"):
        return Change(_heard(after), old, new, "question", report, moment)
    return None


def is_older(ticket: Ticket, report: StatusReport, now: datetime) -> bool:
    """Whether it says itself that it was written before the last report that was applied. Where that one lies ahead of us, and
    this one does not, a clock that has been put right since had dated it, and nothing says which is older."""
    last = ticket.reported_at
    if report.at is None or last is None or report.at >= last:
        return False
    return not _was_ahead(last, report.at, now)


def dated_right(ticket: Ticket, report: StatusReport, now: datetime) -> Ticket:
    """Of a report that changes nothing: the first one that a clock dates which has been put right says when that was so."""
    last = ticket.reported_at
    if report.at is None or last is None or not _was_ahead(last, report.at, now):
        return ticket
    return replace(ticket, reported_at=report.at)


def _was_ahead(last: datetime, at: datetime, now: datetime) -> bool:
    return at <= now + AHEAD < last


def _kept_of_a_withdrawal(new: Status) -> str:
    """What remains of the wish to drop a ticket that is `new` now."""
    return "withdraw" if new in OPEN else GRANTED if new is Status.REJECTED else ""


def _resolved_at(ticket: Ticket, new: Status, moment: datetime) -> datetime | None:
    """None while there is work on it, also once more: how long that took is known when it is done again."""
    if new in OPEN:
        return None
    return moment if new is Status.RESOLVED and ticket.status is not new else ticket.resolved_at


def _heard(ticket: Ticket) -> Ticket:
    """The far end has said something after our answer to its question: it is its turn no more."""
    return replace(ticket, asked="") if ticket.asked == ANSWERED else ticket


def _next_status(old: Status, reported: Status) -> Status:
    """A late "registered" never takes back work that has begun, a late "done" never takes back an end; what is done is
    reopened only by an explicit status of work."""
    if reported in (Status.NEW, Status.REGISTERED) and old is not Status.NEW:
        return old
    if old in ENDED and reported in DONE:
        return old
    return Status.REGISTERED if reported is Status.NEW else reported


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else None


def title_of(subcategory: str, description: str, limit: int = TITLE_LENGTH) -> str:
    """The name of a ticket everywhere: subcategory and the first words, on one line, <= `limit` characters."""
    words = " ".join(description.split())
    head = " ".join(subcategory.split())
    if _bears(words[:limit], head):
        head = ""  # «Принтер мигает» and «не вижу принтера» need no «Принтер:» before them
    elif len(words) > 1 and words[1].islower():
        words = words[0].lower() + words[1:]  # behind the colon; an abbreviation keeps its capitals
    text = f"{head}: {words}" if head and words else head or words
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit // 2 else cut).rstrip(" ,.;:—-") + "…"


def _bears(words: str, head: str) -> bool:
    """Whether `words` begin with `head`, or bear it, where it is one long word, perhaps in another case of it."""
    low, name = words.lower(), head.lower()
    if low.startswith(name):
        return True
    stem = name if name.isascii() else name[:-1]
    near = (each for each in _WORDS.findall(low) if each.startswith(stem))
    return (
        len(name) > 5 and " " not in name and any(len(each) <= len(name) + 1 + each.startswith(name) for each in near)
    )


def may_see(ticket: Ticket, person: Person) -> bool:
    """The one authorisation: only the requester. Everyone else is told "not found"."""
    return ticket.person_id == person.id and not person.gone


def may_rate(ticket: Ticket, rated_at: datetime | None, now: datetime) -> bool:
    """Resolved or closed work may be rated once, and the rating changed for a day; not while we wait for the answer to
    "not solved"."""
    if ticket.asked == "reopen" and ticket.asked_until is not None:
        return False
    if ticket.status not in (Status.RESOLVED, Status.CLOSED):
        return False
    return rated_at is None or now - rated_at <= RATING_CHANGE_WINDOW


def may_reopen(ticket: Ticket) -> bool:
    """Whether support may be asked to take the work up again."""
    return ticket.status in (Status.RESOLVED, Status.CLOSED) and ticket.asked != "reopen"


def may_add(ticket: Ticket) -> bool:
    """Whether a letter may still go into the thread: any ticket that the far end has not ended for good."""
    return ticket.status in OPEN or ticket.status is Status.RESOLVED


def awaits_confirmation(ticket: Ticket) -> bool:
    """Whether the far end's mail server has taken the request and the far end itself has not yet shown that it knows it."""
    silent = ticket.status is Status.NEW and ticket.registered_at is None and not ticket.number
    return silent and ticket.handover is Handover.ACCEPTED


def may_withdraw(ticket: Ticket) -> bool:
    return ticket.status in OPEN and ticket.asked != "withdraw"
