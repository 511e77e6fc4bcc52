"""Requests that wait for their registration, and what admins were asked about them. Rows among the facts, so that looking for
what is due reads nothing else however many tickets there are:

    registration:<ticket>    when to look             from the mail server's acceptance on, until it was looked at
    question:<ticket>        what was asked, as JSON  from then on, until the far end has answered

No names and no addresses stand here but those that a letter was sent to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import orjson
from sqlalchemy import Connection, select

from imbot.domain.calendar import AHEAD
from imbot.store.facts import fact, facts_of, forget_fact, noted_of, set_fact
from imbot.store.schema import tickets

_WATCH, _QUESTION = "registration:", "question:"


@dataclass(frozen=True, slots=True)
class Question:
    """What admins were asked about a ticket. `asked`: how often so far. `decision`: "" while it is open, else again or
    leave; `by` (`person:<id>` or `cli:<login>`) and `at` (ISO 8601) say whose and when the last word was. `let_go`: nothing
    waits for the number any more, whatever is decided. `chats`: where it stands, message ids by chat key. `letters`: who was
    asked by letter."""

    asked: int
    decision: str = ""
    by: str = ""
    at: str = ""
    chats: Mapping[str, str] = field(default_factory=dict)
    letters: tuple[str, ...] = ()
    let_go: bool = False

    @property
    def is_open(self) -> bool:
        """Whether admins were asked and have not decided."""
        return self.asked > 0 and not self.decision


def watch(c: Connection, ticket_id: str, until: datetime, now: datetime) -> None:
    """Look at this ticket at `until`. A later word replaces an earlier one."""
    set_fact(c, _WATCH + ticket_id, until.astimezone(UTC).isoformat(), now)


def unwatch(c: Connection, ticket_id: str) -> None:
    forget_fact(c, _WATCH + ticket_id)


def clock_went_back(c: Connection, now: datetime) -> None:
    """What was noted by a clock that ran ahead is looked at as long after now as it was to be after that."""
    for ticket_id, until, at in noted_of(c, _WATCH):
        if at > now + AHEAD:
            watch(c, ticket_id, datetime.fromisoformat(until) - (at - now), now)


def due(c: Connection, now: datetime, limit: int) -> list[tuple[str, datetime]]:
    """(ticket, since when it is due), the longest first."""
    watched = ((ticket_id, datetime.fromisoformat(value)) for ticket_id, value in facts_of(c, _WATCH))
    found = [(ticket_id, until) for ticket_id, until in watched if until <= now]
    return sorted(found, key=lambda one: (one[1], one[0]))[:limit]


def accepted_since(c: Connection, since: datetime) -> list[str]:
    """Tickets filed since then whose letter the mail server took and that have no number and no status."""
    t = tickets.c
    found = select(t.id).where(t.created_at >= since, t.handover == "accepted", t.status == "new", t.number == "")
    return list(c.execute(found.order_by(t.created_at, t.id)).scalars())


def question(c: Connection, ticket_id: str) -> Question | None:
    return _read(fact(c, _QUESTION + ticket_id))


def save_question(c: Connection, ticket_id: str, asked: Question, now: datetime) -> None:
    set_fact(c, _QUESTION + ticket_id, orjson.dumps(asdict(asked)).decode(), now)


def forget_question(c: Connection, ticket_id: str) -> None:
    forget_fact(c, _QUESTION + ticket_id)


def questions(c: Connection) -> list[tuple[str, Question]]:
    """(ticket, what was asked about it), the longest unchanged first."""
    read = ((ticket_id, _read(value)) for ticket_id, value in facts_of(c, _QUESTION))
    return [(ticket_id, asked) for ticket_id, asked in read if asked is not None]


def forget_persons(
    c: Connection, ticket_ids: Collection[str], chats: Collection[str], address: str, now: datetime
) -> None:
    """Of somebody who is erased: nothing is watched for them, and no question bears their chat or address."""
    for ticket_id in ticket_ids:
        unwatch(c, ticket_id)
        forget_question(c, ticket_id)
    for ticket_id, asked in questions(c):
        kept = {key: id for key, id in asked.chats.items() if key not in chats}
        letters = tuple(one for one in asked.letters if one != address)
        if (kept, letters) != (dict(asked.chats), asked.letters):
            save_question(c, ticket_id, replace(asked, chats=kept, letters=letters), now)


def _read(text: str) -> Question | None:
    if not text:
        return None
    data = orjson.loads(text)
    if data["decision"] == "go":  # an older version took it for the last word
        data |= {"decision": "", "let_go": True}
    return Question(**{**data, "letters": tuple(data["letters"])})
