"""What somebody has written for a ticket and not sent: they are reminded of it, once, after a quarter of an hour.

fact `unsent:<chat>`: the moment it is due, moved by every word that comes, gone with the addition
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from imbot.dialog.draft import Addition
from imbot.dialog.screen import screen_to_json
from imbot.dialog.session import Session, session_from_json
from imbot.dialog.slots import addition_of
from imbot.dialog.tickets import notice_screen
from imbot.domain.calendar import AHEAD, is_night
from imbot.domain.chats import Chat
from imbot.domain.notices import Notice, ticket_values
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.tickets import may_add
from imbot.services.env import Env
from imbot.store import facts, outbox, people, sessions, tickets

_FACT = "unsent:"
WAITS = timedelta(minutes=15)


def note(c: Connection, chat: Chat, before: Session, after: Session, now: datetime) -> None:
    """What a turn did to the addition: begun or continued, or sent and dropped."""
    old, new = _begun(before), _begun(after)
    if new is not None and new != old:
        facts.set_fact(c, f"{_FACT}{chat.key}", (now + WAITS).isoformat(), now)
    elif new is None and old is not None:
        facts.forget_fact(c, f"{_FACT}{chat.key}")


def due(c: Connection, now: datetime) -> list[str]:
    """The chats that are to be reminded. What is to come later than any reminder can was noted by a clock that ran ahead."""
    return [
        chat_key
        for chat_key, moment in facts.facts_of(c, _FACT)
        if not now < datetime.fromisoformat(moment) <= now + WAITS + AHEAD
    ]


def remind(c: Connection, now: datetime, env: Env) -> int:
    """Tell those chats; returns how many. The same addition is told of once, whatever joins it later."""
    told = 0
    for chat_key in due(c, now):
        facts.forget_fact(c, f"{_FACT}{chat_key}")
        addition = _begun(session_from_json(sessions.load(c, chat_key)))
        ticket = tickets.get(c, addition.ticket) if addition is not None else None
        person = people.person_of_chat(c, chat_key)
        if addition is None or ticket is None or person is None or person.id != ticket.person_id:
            continue
        if may_add(ticket):
            values = ticket_values(ticket) | {"comment": addition.pile.words, "is_answer": addition.answers}
            silent = is_night(now, env.zone, *env.night)
            screen = notice_screen(Notice("unsent", ticket.id, values, silent=silent))
            payload = {"screen": screen_to_json(screen), "ticket": ticket.id}
            lane, channel = f"chat:{chat_key}", chat_key.partition(":")[0]
            told += outbox.put(c, NewParcel(lane, channel, f"unsent:{addition.pile.id}", Kind.NOTICE, payload), now)
    return told


def _begun(session: Session) -> Addition | None:
    addition = addition_of(session)
    return addition if addition is not None and addition.pile else None
