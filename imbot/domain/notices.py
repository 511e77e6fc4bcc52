"""What people are told when something about a ticket has changed. Decides the notice; its words are a template's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imbot.domain.tickets import ANSWERED, GRANTED, Change, Status, Ticket, may_add

_BY_STATUS: Mapping[Status, str] = {
    Status.REGISTERED: "registered",
    Status.IN_PROGRESS: "in_progress",
    Status.WAITING: "question",
    Status.RESOLVED: "resolved",
    Status.CLOSED: "closed",
    Status.REJECTED: "rejected",
    Status.WITHDRAWN: "withdrawn",
}
_BY_WHAT: Mapping[str, str] = {
    "reopened": "reopened",
    "promised": "promised",
    "number": "registered",
    "question": "question",
    "again": "resolved",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell the requester. `values` is plain JSON. `silent`: without sound."""

    name: str
    ticket_id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What came with a letter beside the words that a notice says. `files`: {id, name, size} of those that are sent behind
    it; `refused`: {name, size, reason}. `more`: the letter holds more than the notice says; letter `mail_id` shows it."""

    mail_id: int = 0
    files: tuple[Mapping[str, Any], ...] = ()
    refused: tuple[Mapping[str, Any], ...] = ()
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.files or self.refused)

    @property
    def values(self) -> dict[str, Any]:
        """What a notice may say of it."""
        return {
            "files": list(self.files),
            "refused_files": list(self.refused),
            "more": self.mail_id if self.more else 0,
        }


def notices_for(change: Change) -> tuple[Notice, ...]:
    """What the requester is told of `change`. Work that goes on is told without sound: nothing is asked of anybody."""
    ticket, fields = change.ticket, change.report.fields
    asks = change.new is Status.WAITING and change.what == "reopened"  # what matters then is the question
    name = "question" if asks else _BY_WHAT.get(change.what) or _BY_STATUS[change.new]
    values = ticket_values(ticket) | {
        "old": _before(change),
        "new": str(change.new),
        "again": change.what == "again",
        "asked": ticket.asked,
        "withdrawal_asked": change.asked == "withdraw",
        "promised_at": _iso(ticket.promised_at),
        "solution": ticket.solution,
        "question": fields.get("question", ""),
        "comment": fields.get("comment", ""),
        "author": fields.get("assignee", ""),
        "reason": fields.get("comment", "") or fields.get("solution", ""),
    }
    return (Notice(name, ticket.id, values, silent=name in ("in_progress", "promised")),)


def _before(change: Change) -> str:
    """The state that the ticket leaves, as its person knows it; "" where they know it by no such name: they need not answer
    any more, or had it dropped."""
    other = change.asked in {Status.WAITING: (ANSWERED, "withdraw"), Status.REJECTED: (GRANTED,)}.get(change.old, ())
    return "" if other else str(change.old)


def comment_notice(ticket: Ticket, text: str, author: str = "") -> Notice:
    """ "Support writes": a believed, bound letter that bears no known status."""
    return Notice("comment", ticket.id, ticket_values(ticket) | {"comment": text, "author": author})


def failure_notice(ticket: Ticket, reason: str, letter: str = "ticket") -> Notice:
    """The letter failed for good; text and files are kept."""
    return Notice("failed", ticket.id, ticket_values(ticket) | {"reason": reason, "letter": letter})


def unconfirmed_notice(ticket: Ticket, asked: str = "") -> Notice:
    """The mail server took the request, and the far end has not confirmed it in its time. Nothing is asked of anybody. `asked`:
    what its person has asked of support meanwhile; "withdraw_later" where that waits for the number."""
    values = ticket_values(ticket) | {"accepted_at": _iso(ticket.accepted_at), "asked": asked}
    return Notice("unconfirmed", ticket.id, values)


def flood_notice(ticket: Ticket) -> Notice:
    """Support sends more words than anybody reads: the rest is kept with the ticket."""
    return Notice("flood", ticket.id, ticket_values(ticket))


def flips_notice(ticket: Ticket) -> Notice:
    """Its status changes faster than anybody reads: what lies between is not told, the last one will be."""
    return Notice("flips", ticket.id, ticket_values(ticket))


def silence_notice(ticket: Ticket) -> Notice:
    """We asked the far end to take the work up again, and it has not answered in time."""
    return Notice("reopen_silence", ticket.id, ticket_values(ticket))


def ticket_values(ticket: Ticket) -> dict[str, Any]:
    """What every screen about a ticket may say of it."""
    return {
        "ticket": ticket.id,
        "title": ticket.title,
        "number": ticket.number,
        "status": str(ticket.status),
        "can_add": may_add(ticket),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
