"""Letters of a ticket, from what is wanted to what the mail server is given: composed with the turn that wants them where they
wait for nothing, so that one commit lies between Send and the mail server. Whatever has files, is long, or cannot be composed
is ordered of the courier, which does it outside of any transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends.base import LetterKind
from imbot.domain.errors import ConfigError
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, NewParcel, Parcel
from imbot.domain.people import Person
from imbot.domain.tickets import Ticket
from imbot.services import telling, watchdog
from imbot.services.env import Env, Fresh
from imbot.services.letters import Packing, letter_to_json, packing_of
from imbot.store import files, letters, outbox
from imbot.store.files import FileRow
from imbot.store.letters import LetterRow

_SHORT = 2_000  # characters of a person's words: the one writer is not to be held up


def write(
    c: Connection,
    ticket: Ticket,
    person: Person,
    letter: str,
    message_id: str,
    text: str,
    now: datetime,
    env: Env,
    *,
    lane: str = "",
    rows: Sequence[FileRow] | None = None,
) -> bool:
    """Have a letter of the ticket sent; what it says of the ticket is as `ticket` is. `lane`: behind which it goes, "" for the
    ticket's. `rows`: the ticket's files, where they are known. Returns whether it waits for the number: all but the first do,
    where without it they would open calls of their own."""
    waits = _waits(c, ticket, letter, env)
    own_lane = not lane or lane == _lane(ticket)
    asked = _asked(ticket, letter, message_id, text)
    if waits or not own_lane or not _written(c, ticket, person, asked, rows, now, env):
        _order(c, ticket, asked, now, lane, waits=waits)
    return waits


def order_files(c: Connection, ticket: Ticket, message_id: str, now: datetime, env: Env) -> None:
    """Have a further letter bear the files that are in none yet."""
    waits = _waits(c, ticket, LetterKind.FILES, env)
    _order(c, ticket, _asked(ticket, LetterKind.FILES, message_id, ""), now, waits=waits)


def packed(
    c: Connection, parcel: Parcel, packing: Packing, letter: Letter, now: datetime, env: Env, fresh: Fresh
) -> None:
    """What was ordered is composed."""
    if not outbox.settle(c, parcel, "packed", now):
        return
    _put(c, packing, letter, now)
    _order_the_rest(c, packing, letter.message_id, now, env, fresh)
    if packing.too_large:
        telling.put_receipt(c, packing.ticket, now)


def _put(c: Connection, packing: Packing, letter: Letter, now: datetime) -> None:
    """From now on neither its text nor its Message-ID changes."""
    row = LetterRow(letter.message_id, packing.ticket.id, str(packing.kind), letter_to_json(letter, packing.files), now)
    letters.save_letter(c, row)
    files.assign(c, [row.id for row in packing.files], letter.message_id)
    for large in packing.too_large:
        files.refuse(c, large.id, "too_large_letter")
    parcel = NewParcel(
        lane=_lane(packing.ticket),
        target="smtp",
        key=f"letter:{letter.message_id}",
        kind=Kind.LETTER,
        payload={"message_id": letter.message_id, "ticket": packing.ticket.id, "letter": str(packing.kind)},
    )
    outbox.put(c, parcel, now, take=True, at_hand=letter)


def _order_the_rest(c: Connection, packing: Packing, message_id: str, now: datetime, env: Env, fresh: Fresh) -> None:
    """Files that did not fit go out in a further letter of the same thread."""
    if packing.left <= 0:
        return
    rest = [row.id for row in files.of_letter(c, message_id) if row not in packing.files and row.fate == "stored"]
    if packing.kind not in (LetterKind.TICKET, LetterKind.FILES):
        files.assign(c, rest, "")
    order_files(c, packing.ticket, fresh.message_id(), now, env)


def _written(
    c: Connection,
    ticket: Ticket,
    person: Person,
    asked: dict[str, str],
    rows: Sequence[FileRow] | None,
    now: datetime,
    env: Env,
) -> bool:
    """Whether it could be composed here and now."""
    parts = (ticket.description, asked["text"], *ticket.contacts.values(), *(answer for _, answer in ticket.fields))
    words = sum(map(len, parts))
    if env.templates is None or rows or words > _SHORT or not outbox.is_free(c, _lane(ticket)):
        return False
    found = packing_of(c, ticket, person, rows, asked, env)
    if found.files or found.too_large or found.left:
        return False
    sending = found.backend.sending(asked["message_id"], now)
    try:
        letter = habits.compose(found.backend.profile, env.templates, found.kind, found.view, sending)
    except ConfigError:  # the courier finds the same, and tells of it
        return False
    _put(c, found, letter, now)
    return True


def _order(
    c: Connection, ticket: Ticket, asked: dict[str, str], now: datetime, lane: str = "", *, waits: bool = False
) -> None:
    put = outbox.put(
        c,
        NewParcel(
            lane=lane or _lane(ticket),
            target="self",
            key=f"pack:{asked['message_id']}",
            kind=Kind.PACK,
            payload=asked,
            waits_for=f"number:{ticket.id}" if waits else "",
        ),
        now,
        take=True,
    )
    if not put:  # never to be lost in silence
        raise RuntimeError(f"two letters with one Message-ID: {asked['letter']} of {ticket.id}")
    if waits:
        watchdog.joined(c, ticket, asked["message_id"], now)


def _waits(c: Connection, ticket: Ticket, letter: str, env: Env) -> bool:
    return letter != LetterKind.TICKET and env.backend(ticket.backend).waits_for_number and watchdog.holds(c, ticket)


def _asked(ticket: Ticket, letter: str, message_id: str, text: str) -> dict[str, str]:
    return {"ticket": ticket.id, "letter": str(letter), "message_id": message_id, "text": text}


def _lane(ticket: Ticket) -> str:
    return f"ticket:{ticket.id}"
