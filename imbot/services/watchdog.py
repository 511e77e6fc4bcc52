"""The registration watchdog: a request that the mail server took and the ITSM has not confirmed is never left in silence.

    accepted -> watched -> (N working minutes, and the mailbox was read since) -> employee told, admins asked
                  |                                                                 |
                  +----- registered, or a status of theirs: nothing to tell         +-> again | leave (`decisions`)
                                                                                    +-> registered: the question says so

What the mailbox holds unread is not known: while it cannot be read, or letters of it wait to be carried out, nothing is
claimed. The employee is told once a ticket, admins once a sending.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from imbot.dialog.admin import question_screen
from imbot.dialog.screen import Screen, screen_to_json
from imbot.domain.calendar import AHEAD, after_working
from imbot.domain.notices import unconfirmed_notice
from imbot.domain.parcels import Kind, NewParcel, Parcel
from imbot.domain.people import Person
from imbot.domain.tickets import Handover, Ticket, awaits_confirmation
from imbot.services import telling
from imbot.services.env import Env, leg_of
from imbot.store import inbox, ledger, letters, outbox, people, tickets, watches
from imbot.store.watches import Question

_ADOPTED = timedelta(days=7)  # what is older has long been asked about by telephone
_AT_ONCE = 200  # tickets a look
_ONE_BY_ONE = 3  # open questions that each get a message of their own; more are told of together
_TROUBLE = ("bounced", "delayed")  # what the ledger calls reports of the post


def watch(c: Connection, ticket: Ticket, now: datetime, env: Env) -> None:
    """The mail server has just taken the request: from now on the ITSM has its working minutes to confirm it."""
    backend = env.backend(ticket.backend)
    if backend.register_wait and backend.profile.registers and awaits_confirmation(ticket):
        watches.watch(c, ticket.id, after_working(now, backend.register_wait, env.working), now)


def adopt(c: Connection, now: datetime, env: Env) -> int:
    """Once in the life of a data base: watch the requests of the last days that were accepted before anybody watched."""
    if not inbox.first_time(c, "watchdog", now):
        return 0
    found = [tickets.get(c, id) for id in watches.accepted_since(c, now - _ADOPTED)]
    for ticket in found:
        if ticket is not None:
            watch(c, ticket, ticket.accepted_at or ticket.created_at, env)
    return len(found)


def look(c: Connection, now: datetime, env: Env) -> int:
    """Tell and ask about every request whose time is up. Returns how many. What cannot be known yet waits for the next look."""
    overdue = []
    watches.clock_went_back(c, now)
    for ticket_id, since in watches.due(c, now, _AT_ONCE):
        ticket = tickets.get(c, ticket_id)
        if ticket is None or not awaits_confirmation(ticket):
            watches.unwatch(c, ticket_id)
        elif _too_early(ticket, now, env):  # it was noted again by a clock that stood behind for a while
            watch(c, ticket, ticket.accepted_at or now, env)
        elif read_since(c, ticket, since, now, env):
            overdue.append(ticket)
    together = sum(asked.is_open for _, asked in watches.questions(c)) + len(overdue) > _ONE_BY_ONE
    for ticket in overdue:
        _ask(c, ticket, now, env, alone=not together)
    if overdue and together:
        _tell_how_many(c, now, env)
    return len(overdue)


def _too_early(ticket: Ticket, now: datetime, env: Env) -> bool:
    at = ticket.accepted_at
    return at is not None and at <= now < after_working(at, env.backend(ticket.backend).register_wait, env.working)


def mailbox_read_at(c: Connection, ticket: Ticket, env: Env) -> datetime | None:
    """When the mailbox that this ticket's answers come to was last looked into."""
    seen = inbox.fact(c, f"{leg_of(env.backend(ticket.backend).mailbox)}_ok_at")
    return datetime.fromisoformat(seen) if seen else None


def read_since(c: Connection, ticket: Ticket, since: datetime, now: datetime, env: Env) -> bool:
    """Whether a confirmation sent in time would be known by now: read after the time was up, and nothing read waits. What lies
    ahead was noted by a clock that has been put back."""
    seen = mailbox_read_at(c, ticket, env)
    return seen is not None and since <= seen <= now + AHEAD and not inbox.unread(c, 1)


def _ask(c: Connection, ticket: Ticket, now: datetime, env: Env, *, alone: bool) -> None:
    earlier = watches.question(c, ticket.id)
    asked = replace(earlier or Question(0), decision="", by="", at="", chats={})
    asked = replace(asked, asked=asked.asked + 1)
    watches.unwatch(c, ticket.id)
    ledger.log(c, ticket.id, now, "unconfirmed", {"asked": asked.asked})
    if alone:
        asked = replace(asked, letters=_send_question(c, ticket, asked, now, env))
    watches.save_question(c, ticket.id, asked, now)
    told = unconfirmed_notice(ticket, telling.asked_of(c, ticket, env))
    telling.put_notice(c, told, ticket, f"notice:unconfirmed:{ticket.id}", now, env)
    telling.put_receipt(c, ticket, now)


def _send_question(c: Connection, ticket: Ticket, asked: Question, now: datetime, env: Env) -> tuple[str, ...]:
    """Returns the addresses that were ever asked by letter."""
    written = set(asked.letters)
    for way in telling.admin_ways(c, env):
        key = f"question:{ticket.id}:{asked.asked}:{way.who}"
        if way.chat_key:
            _put(c, way.chat_key, key, {"question": ticket.id, "asked": asked.asked}, now)
        else:
            outbox.put(c, way.letter(key, letter_screen(c, ticket, asked, env)), now)
            written.add(way.address)
    return tuple(sorted(written))


def signed_in(c: Connection, person: Person, chat_key: str, now: datetime, env: Env) -> None:
    """What an admin was asked by letter before they had this chat can be decided there as well."""
    if not telling.is_admin(person, env):
        return
    for ticket_id, asked in watches.questions(c):
        if asked.is_open and person.address in asked.letters and chat_key not in asked.chats:
            key = f"question:{ticket_id}:{asked.asked}:{chat_key}"
            _put(c, chat_key, key, {"question": ticket_id, "asked": asked.asked}, now)


def _tell_how_many(c: Connection, now: datetime, env: Env) -> None:
    """Many at once are one trouble: told when their number has doubled, each day anew."""
    still = [ticket_id for ticket_id, asked in watches.questions(c) if asked.is_open]
    found = [ticket for id in still if (ticket := tickets.get(c, id)) is not None]
    since = min((ticket.accepted_at or ticket.created_at for ticket in found), default=now)
    key = f"unconfirmed:{now.astimezone(env.zone).date()}:{len(found).bit_length()}"
    telling.alert(c, "unconfirmed", key, {"count": len(found), "since": since.isoformat()}, now)


def answered(c: Connection, ticket: Ticket, now: datetime) -> None:
    """The far end has shown that it knows the request, or it has ended: nothing is watched, and whoever was asked hears it.
    Idempotent. `ticket` need not be saved yet."""
    watches.unwatch(c, ticket.id)
    asked = watches.question(c, ticket.id)
    if asked is None:
        return
    watches.forget_question(c, ticket.id)
    for chat_key, message_id in asked.chats.items():
        _put(c, chat_key, _anew(ticket, chat_key, now), {"question": ticket.id, "edit": message_id}, now)
    if asked.letters:
        values = {"title": ticket.title, "number": ticket.number, "status": str(ticket.status)}
        telling.alert(c, "answered", f"answered:{ticket.id}:{asked.asked}", values, now)


def refresh(c: Connection, ticket: Ticket, asked: Question, now: datetime) -> None:
    """Have the question shown as it now is, wherever it stands."""
    for chat_key, message_id in asked.chats.items():
        _put(c, chat_key, _anew(ticket, chat_key, now), {"question": ticket.id, "edit": message_id}, now)


def holds(c: Connection, ticket: Ticket) -> bool:
    """Whether follow-up letters wait for the number: not once an admin has let them go without it."""
    if ticket.number:
        return False
    asked = watches.question(c, ticket.id)
    return asked is None or not asked.let_go


def joined(c: Connection, ticket: Ticket, message_id: str, now: datetime) -> None:
    """One more letter waits for the number. Where admins were asked, the question says so; where they have left the request
    as it is, nobody would look at it again, so they hear of it."""
    asked = watches.question(c, ticket.id)
    if asked is None:
        return
    if asked.decision == "leave":
        values = {"title": ticket.title, "ticket": ticket.id}
        telling.alert(c, "addition_waits", f"waits:{message_id}", values, now)
    refresh(c, ticket, asked, now)


def showing(c: Connection, parcel: Parcel, env: Env) -> tuple[Screen, str] | None:
    """The question as it is at this moment, and the message to edit ("" = a new one); None: nobody is to be shown it, since
    it was answered meanwhile or the chat is no admin's any more."""
    ticket, edit = tickets.get(c, parcel.payload["question"]), parcel.payload.get("edit", "")
    asked = watches.question(c, parcel.payload["question"])
    person = people.person_of_chat(c, parcel.chat_key)
    if ticket is None or not telling.is_admin(person, env) or (asked is None and not edit):
        return None
    if not edit and asked is not None and asked.asked != parcel.payload["asked"]:
        return None
    return question_screen(values(c, ticket, asked, env)), edit


def shown(c: Connection, parcel: Parcel, message_id: str, state: str, now: datetime) -> None:
    """The question stands in a chat. If things have moved on since it was composed it is edited at once."""
    if not outbox.settle(c, parcel, "shown", now):
        return
    chat_key, ticket = parcel.chat_key, tickets.get(c, parcel.payload["question"])
    asked = watches.question(c, parcel.payload["question"])
    if ticket is None:
        return
    if asked is not None and parcel.payload.get("asked", asked.asked) == asked.asked:
        chats = {**asked.chats, chat_key: message_id}
        watches.save_question(c, ticket.id, replace(asked, chats=chats), now)
    if state_of(ticket, asked) != state:
        _put(c, chat_key, _anew(ticket, chat_key, now), {"question": ticket.id, "edit": message_id}, now)


def as_letter(c: Connection, parcel: Parcel, address: str, now: datetime, env: Env) -> dict[str, Any]:
    """The same question for an admin who has shut the chat: the payload of a letter."""
    ticket, asked = tickets.get(c, parcel.payload["question"]), watches.question(c, parcel.payload["question"])
    screen = letter_screen(c, ticket, asked, env) if ticket is not None else Screen("no_questions")
    if asked is not None:
        letters_to = tuple(sorted({*asked.letters, address}))
        watches.save_question(c, parcel.payload["question"], replace(asked, letters=letters_to), now)
    return {"screen": screen_to_json(screen), "ticket": "", "to": address, "template": "alert"}


def letter_screen(c: Connection, ticket: Ticket, asked: Question | None, env: Env) -> Screen:
    """The question for somebody without a chat: it names the commands instead of buttons, so that they can be pasted."""
    screen = question_screen(values(c, ticket, asked, env) | {"by_letter": True})
    return replace(screen, values={**screen.values, "ticket": f"{ticket.id}{env.config_option}"})


def state_of(ticket: Ticket, asked: Question | None) -> str:
    """open, again, leave; failed; registered; ended."""
    if ticket.handover is Handover.FAILED:
        return "failed"
    if ticket.number or ticket.registered_at:
        return "registered"
    if not ticket.is_open or asked is None:
        return "ended"
    return asked.decision or "open"


def values(c: Connection, ticket: Ticket, asked: Question | None, env: Env) -> dict[str, Any]:
    """The facts: who, what, when, the mail server's answer, reports of the post, what waits, when the mailbox was read."""
    person, letter = people.person(c, ticket.person_id), letters.letter(c, ticket.message_id)
    read_at = mailbox_read_at(c, ticket, env)
    sent_at = (letter.settled_at if letter else None) or ticket.accepted_at
    trouble = [str(row.values.get("reason", "")) for row in ledger.ledger(c, ticket.id) if row.what in _TROUBLE]
    return {
        "ticket": ticket.id,
        "title": ticket.title,
        "number": ticket.number,
        "status": str(ticket.status),
        "name": person.name if person else "",
        "address": person.address if person else "",
        "phone": ticket.contacts.get("phone", "") or (person.phone if person else ""),
        "sent_at": sent_at.isoformat() if sent_at else None,
        "answer": letter.answer if letter else "",
        "trouble": trouble[-3:],
        "withdraw": ticket.asked == "withdraw",
        "waits": outbox.count_waiting(c, f"number:{ticket.id}"),
        "read_at": read_at.isoformat() if read_at else None,
        "asked": asked.asked if asked else 0,
        "told": person is not None and not person.gone,
        "state": state_of(ticket, asked),
        "how": telling.how_failed(c, ticket),
        "let_go": asked is not None and asked.let_go,
        "by": name_of(c, asked.by) if asked else "",
        "at": (asked.at or None) if asked else None,
    }


def name_of(c: Connection, by: str) -> str:
    """Who decided, in words: `person:<id>` is looked up, `cli:<login>` is the login."""
    kind, _, who = by.partition(":")
    person = people.person(c, int(who)) if kind == "person" and who.isdecimal() else None
    return (person.name or person.address) if person else who if kind == "cli" else ""


def _anew(ticket: Ticket, chat_key: str, now: datetime) -> str:
    return f"question:{ticket.id}:{chat_key}:{now.isoformat()}"


def _put(c: Connection, chat_key: str, key: str, payload: dict[str, Any], now: datetime) -> None:
    channel = chat_key.partition(":")[0]
    outbox.put(c, NewParcel(f"chat:{chat_key}", channel, key, Kind.QUESTION, payload), now)
