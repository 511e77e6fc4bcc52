"""Letters of tickets by their Message-ID, and the chat messages that belong to a ticket: both bind an answer to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, exists, select, update
from sqlalchemy.dialects.sqlite import Insert

from imbot.domain.tickets import Ticket
from imbot.store import told
from imbot.store.schema import files, letters, ticket_messages, tickets
from imbot.store.sql import Prepared, insert
from imbot.store.tickets import ticket_of


@dataclass(frozen=True, slots=True)
class LetterRow:
    """`kind`: ticket, files, addition, complaint, not_solved, withdrawal. `letter`: JSON, enough to build the bytes.
    `answer`: the mail server's words."""

    message_id: str
    ticket_id: str
    kind: str
    letter: dict[str, Any]
    put_at: datetime
    settled_at: datetime | None = None
    outcome: str = ""
    answer: str = ""


_COLUMNS = [letters.c[each.name] for each in fields(LetterRow)]
_LETTER = Prepared(select(*_COLUMNS).where(letters.c.message_id == bindparam("message")))
_ALONE = Prepared(
    select(*_COLUMNS).where(
        letters.c.message_id == bindparam("message"),
        ~exists(select(files.c.id).where(files.c.letter_id == bindparam("message"))),
    )
)
_OF_TICKET = Prepared(
    select(*_COLUMNS).where(letters.c.ticket_id == bindparam("ticket")).order_by(letters.c.put_at, letters.c.message_id)
)
_PUT = Prepared(letters.insert())
_SETTLED = Prepared(
    update(letters)
    .where(letters.c.message_id == bindparam("message"))
    .values(settled_at=bindparam("at"), outcome=bindparam("how"), answer=bindparam("words"))
)
_TICKET_OF_MESSAGE = Prepared(
    select(ticket_messages.c.ticket_id).where(
        ticket_messages.c.chat_key == bindparam("chat"), ticket_messages.c.message_id == bindparam("message")
    )
)
_OF_MESSAGES = select(letters.c.ticket_id).where(letters.c.message_id.in_(bindparam("messages", expanding=True)))
_BY_MESSAGES = select(tickets).where(tickets.c.id.in_(_OF_MESSAGES)).order_by(tickets.c.created_at, tickets.c.id)
_MOST_IDS = 200  # of one inbound letter; the last of References are the nearest


def _note_message() -> Insert:
    put = insert("sqlite", ticket_messages)
    return put.on_conflict_do_update(
        index_elements=["chat_key", "message_id"], set_={"ticket_id": put.excluded.ticket_id, "at": put.excluded.at}
    )


_NOTE_MESSAGE = Prepared(_note_message())


def save_letter(c: Connection, row: LetterRow) -> None:
    """Puts a letter; what it tells is noted behind the commit. Its Message-ID is minted once, so a second one is a mistake and
    raises."""
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    _PUT.run(c, echoes=told.put_off(c), **values)


def letter(c: Connection, message_id: str) -> LetterRow | None:
    row = _LETTER.first(c, message=message_id)
    return None if row is None else LetterRow(*row)


def letter_alone(c: Connection, message_id: str) -> LetterRow | None:
    """A letter that no file goes with, in one read."""
    row = _ALONE.first(c, message=message_id)
    return None if row is None else LetterRow(*row)


def rewrite_letter(c: Connection, message_id: str, letter: Mapping[str, Any]) -> bool:
    """Another text or date under the same Message-ID (send again); it counts as not settled."""
    row = _LETTER.first(c, message=message_id)
    if row is None:
        return False
    others = told.note_again(c, message_id, row.letter, letter)
    values = {"letter": letter, "echoes": others, "settled_at": None, "outcome": "", "answer": ""}
    c.execute(update(letters).where(letters.c.message_id == message_id).values(values))
    return True


def letter_settled(c: Connection, message_id: str, at: datetime, outcome: str, answer: str) -> bool:
    """`outcome`: sent, failed, bounced ... A later word (a bounce) replaces an earlier one. False: no such letter."""
    return _SETTLED.run(c, message=message_id, at=at, how=outcome, words=answer) > 0


def letters_of(c: Connection, ticket_id: str) -> list[LetterRow]:
    """In the order in which they were put."""
    return [LetterRow(*row) for row in _OF_TICKET.all(c, ticket=ticket_id)]


def by_message_ids(c: Connection, ids: Sequence[str]) -> list[Ticket]:
    """The tickets whose letters bear one of these Message-IDs, each once."""
    wanted = list(dict.fromkeys(ids))[-_MOST_IDS:]
    return [ticket_of(row) for row in c.execute(_BY_MESSAGES, {"messages": wanted})] if wanted else []


def note_message(c: Connection, chat_key: str, message_id: str, ticket_id: str, now: datetime) -> None:
    """This message in the chat is about that ticket: who replies to it, means the ticket."""
    _NOTE_MESSAGE.run(c, chat_key=chat_key, message_id=message_id, ticket_id=ticket_id, at=now)


def ticket_of_message(c: Connection, chat_key: str, message_id: str) -> str:
    """The ticket's id, or ""."""
    return _TICKET_OF_MESSAGE.value(c, chat=chat_key, message=message_id) or ""
