"""Where a chat stands, all in one read, which every turn begins with: the chat, its session, its slot, who it speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from imbot.domain.people import Person
from imbot.store.people import ChatRow, chat_of, person_of
from imbot.store.schema import chats, people, sessions, slots
from imbot.store.sessions import Slot
from imbot.store.sql import Prepared


@dataclass(frozen=True, slots=True)
class Where:
    """`chat`: None where it was never heard of, and then nothing else is known either. `session`: plain JSON, None before the
    first turn. `slot`: None where nothing was ever shown. `person`: None where the chat is linked to nobody, or its person has
    left."""

    chat: ChatRow | None
    session: dict[str, Any] | None
    slot: Slot | None
    person: Person | None


_OF_CHAT = len(chats.c)  # the first columns of the read
_of_person = and_(people.c.id == chats.c.person_id, people.c.gone_at.is_(None))
_WHERE = Prepared(
    select(
        *(column.label(f"chat_{column.key}") for column in chats.c),
        sessions.c.data,
        slots.c.screen,
        slots.c.message_id,
        slots.c.seq,
        slots.c.due_at,
        *(people.c[name] for name in ("id", "address", "name", "phone", "office", "department")),
        *(people.c[name] for name in ("role", "own_role", "attributes", "gone_at")),
    )
    .select_from(
        chats.outerjoin(sessions, sessions.c.chat_key == chats.c.key)
        .outerjoin(slots, slots.c.chat_key == chats.c.key)
        .outerjoin(people, _of_person)
    )
    .where(chats.c.key == bindparam("key"))
)


def where(c: Connection, chat_key: str) -> Where:
    """Where the chat of this key stands."""
    row = _WHERE.first(c, key=chat_key)
    if row is None:
        return Where(None, None, None, None)
    slot = None if row.seq is None else Slot(row.screen or None, row.message_id, row.seq, row.due_at is None)
    return Where(chat_of(row[:_OF_CHAT]), row.data, slot, None if row.id is None else person_of(row))
