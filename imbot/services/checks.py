"""What follows from the directory's answers: one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from imbot.domain.chats import Chat
from imbot.domain.parcels import Parcel
from imbot.domain.people import Absence, Entry, Person
from imbot.domain.tickets import Handover
from imbot.services import signin, telling
from imbot.services import tickets as ticket_services
from imbot.services.env import Env, Fresh
from imbot.store import outbox, people, tickets

MOST_GONE, MOST_GONE_SHARE = 5, 0.2  # a sweep that would remove more of both stops
_EXECUTABLE = {
    "application/x-msdownload",
    "application/x-executable",
    "application/x-mach-binary",
    "application/x-dosexec",
}


def looked_up(
    c: Connection, parcel: Parcel, chat: Chat, answer: Entry | Absence, now: datetime, env: Env, fresh: Fresh
) -> None:
    """The directory has answered a sign-in. Only exactly one active entry gets a code; nobody is told which it was."""
    outcome = "found" if isinstance(answer, Entry) else str(answer)
    if not outbox.settle(c, parcel, outcome, now):
        return
    if isinstance(answer, Entry):
        signin.found(c, chat, answer, signin.chat_language(c, chat.key, env), now, env, fresh)
    else:
        signin.decoy(c, chat, now, env)


def code_sent(c: Connection, parcel: Parcel, answer: str, now: datetime, env: Env) -> None:
    """The mail server took a code: its ten minutes begin, its body is forgotten."""
    if outbox.settle(c, parcel, f"accepted: {answer}", now):
        signin.code_accepted(c, parcel.payload["code_id"], now, env)


def rechecked(c: Connection, parcel: Parcel, answer: Entry | Absence | None, now: datetime, env: Env) -> None:
    """Is the requester still there? None: the directory did not answer, which is grace and no absence."""
    person = people.person(c, parcel.payload["person"])
    if person is None:
        outbox.settle(c, parcel, "nobody", now)
    elif isinstance(answer, Entry):
        if outbox.settle(c, parcel, "still there", now):
            people.mark_checked(c, person.id, answer, now)
    elif answer is not None:
        if outbox.settle(c, parcel, f"gone: {answer}", now):
            leave(c, person, now, env)
    else:
        checked = people.checked_at(c, person.id, now)
        within_grace = checked is not None and now - checked <= env.grace
        if within_grace or not env.unverified_waits:
            outbox.settle(c, parcel, "grace" if within_grace else "unverified", now)
        else:
            outbox.uncount(c, parcel, now + timedelta(minutes=5), "the directory does not answer")


def leave(c: Connection, person: Person, now: datetime, env: Env) -> None:
    """The directory no longer has this person: they are told, what was not yet sent ends as withdrawn, links go off."""
    for ticket in tickets.open_of_person(c, person.id, 1000):
        if ticket.handover is not Handover.ACCEPTED:
            ticket_services.left_the_firm(c, ticket, now, env)
    people.mark_gone(c, person.id, now)


def swept(c: Connection, answers: Sequence[tuple[Person, Entry | Absence]], now: datetime, env: Env) -> int:
    """What a sweep of the directory found. Returns how many left; -1: too many at once, nothing was done, admins know."""
    absent = [person for person, answer in answers if not isinstance(answer, Entry)]
    linked = people.count_linked(c)
    if len(absent) > MOST_GONE and len(absent) > MOST_GONE_SHARE * linked:
        values = {"gone": len(absent), "linked": linked}
        telling.alert(c, "sweep_stopped", f"sweep:{now.date().isoformat()}", values, now)
        return -1
    for person, answer in answers:
        if isinstance(answer, Entry):
            people.mark_checked(c, person.id, answer, now)
        else:
            leave(c, person, now, env)
    return len(absent)
