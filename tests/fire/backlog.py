"""A data base in which a great deal waits: letters and notices of registered requests, in many lanes, put there by the
product's own store; and what of it had come out, in which order, when one looks again."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from imbot.dialog.screen import screen_to_json
from imbot.dialog.tickets import notice_screen
from imbot.domain.letters import Letter
from imbot.domain.notices import comment_notice
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.tickets import Handover, Status, Ticket
from imbot.services.letters import letter_to_json
from imbot.store import letters, outbox, people, tickets, told
from imbot.store.db import once
from imbot.store.letters import LetterRow
from tests.fire import texts
from tests.fire.excuses import Event
from tests.fire.facts import Finding
from tests.fire.people import Person
from tests.fire.world import BOT, ITSM

BACKEND = "itsm"
_OF_TICKET, _LETTERS = 10, 4  # parcels of each ticket; so many of them are letters, the rest notices
_AT_ONCE = 500  # tickets a transaction


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel that was put. `marker`: the word in it that no other bears."""

    lane: str
    key: str
    marker: str


def fill(url: str, persons: Sequence[Person], parcels: int) -> list[Waiting]:
    """`parcels` of them, in the order of their lanes. Every lane of a ticket bears letters, every lane of a chat notices of
    all the tickets of that chat."""
    numbers, put = iter(range(1, -(-parcels // _OF_TICKET) + 1)), list[Waiting]()
    while batch := list(islice(numbers, _AT_ONCE)):
        put += once(url, _add, batch, persons, parcels - len(put), datetime.now(UTC))
    return put


def _add(c: Connection, numbers: Sequence[int], persons: Sequence[Person], most: int, now: datetime) -> list[Waiting]:
    put: list[Waiting] = []
    for number in numbers:
        ticket = _ticket(c, number, persons[number % len(persons)], now)
        tickets.add(c, ticket)
        tickets.add_number(c, BACKEND, ticket.number, ticket.id, now)
        for parcel, marker in islice(_parcels(c, ticket, number, now), most - len(put)):
            outbox.put(c, parcel, now)
            put.append(Waiting(parcel.lane, parcel.key, marker))
    told.note_all(c)
    return put


def _ticket(c: Connection, number: int, owner: Person, now: datetime) -> Ticket:
    person = people.person_by_address(c, owner.address)
    assert person is not None
    return Ticket(
        id=f"t{number}",
        person_id=person.id,
        chat_key=f"telegram:{owner.chat}",
        title=f"Принтер: заявка {number}",
        backend=BACKEND,
        token="imb:" + base64.b32encode(number.to_bytes(6, "big")).decode()[:10],
        message_id=f"<{number}.request@example.test>",
        created_at=now,
        description="мигает красным",
        status=Status.REGISTERED,
        handover=Handover.ACCEPTED,
        number=f"IM-CL-{number}",
        accepted_at=now,
        registered_at=now,
    )


def _parcels(c: Connection, ticket: Ticket, number: int, now: datetime) -> Iterator[tuple[NewParcel, str]]:
    """Letters first. Markers grow with their place."""
    for place in range(_OF_TICKET):
        count = number * _OF_TICKET + place
        if place < _LETTERS:
            marker = f"fire{count:07d}"
            yield _letter(c, ticket, marker, now), marker
        else:
            marker = f"desk{count:07d}"
            yield _notice(ticket, marker), marker


def _letter(c: Connection, ticket: Ticket, marker: str, now: datetime) -> NewParcel:
    message_id = f"<{marker}@example.test>"
    letter = Letter(
        message_id=message_id,
        sender=BOT,
        to=ITSM,
        subject=f"Дополнение к заявке № {ticket.number}: {ticket.title} [{ticket.token}]",
        text=f"{marker} стало хуже\n\nМетку {ticket.token}, пожалуйста, не удаляйте.\n",
        date=now,
        in_reply_to=ticket.message_id,
        references=(ticket.message_id,),
    )
    letters.save_letter(c, LetterRow(message_id, ticket.id, "addition", letter_to_json(letter, ()), now))
    payload = {"message_id": message_id, "ticket": ticket.id, "letter": "addition"}
    return NewParcel(f"ticket:{ticket.id}", "smtp", f"letter:{message_id}", Kind.LETTER, payload)


def _notice(ticket: Ticket, marker: str) -> NewParcel:
    screen = notice_screen(comment_notice(ticket, f"{marker} ждём деталь со склада", "Кузнецов Т. А."), "00-11")
    payload = {"screen": screen_to_json(screen), "ticket": ticket.id}
    return NewParcel(f"chat:{ticket.chat_key}", "telegram", f"notice:{marker}", Kind.NOTICE, payload)


# ----------------------------------------------------------------------------------------------------------------


def came_out(bot: Iterable[Event], smtp: Iterable[Event]) -> list[str]:
    """The markers of all notices shown and letters accepted, each as often as it was, in their order."""
    found = [(one["t"], texts.desk_markers(one["text"])) for one in bot if one["e"] == "saw" and not one.get("edit")]
    found += [(one["t"], texts.markers(one["text"])[:1]) for one in smtp if one["e"] == "accepted"]
    return [marker for _, markers in sorted(found, key=lambda pair: pair[0]) for marker in markers]


def judge(waiting: Sequence[Waiting], out: Sequence[str], database: Path) -> list[Finding]:
    """Each parcel came out once at the most, in the order of its lane without a gap, and the data base knows just that."""
    findings, place = [], {one.marker: one for one in waiting}
    by_lane: Mapping[str, list[str]] = defaultdict(list)
    for marker in out:
        by_lane[place[marker].lane if marker in place else "unknown"].append(marker)
    wanted: Mapping[str, list[str]] = defaultdict(list)
    for one in waiting:
        wanted[one.lane].append(one.marker)
    for lane, markers in by_lane.items():
        if markers != wanted[lane][: len(markers)]:
            words = f"came out {markers[:20]}, put were {wanted[lane][: len(markers)][:20]}"
            findings.append(Finding("lane_in_order", lane, words))
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as c:
        ends = dict(c.execute("SELECT key, outcome FROM parcels WHERE settled_at IS NOT NULL"))
        left = {key for (key,) in c.execute("SELECT key FROM parcels WHERE settled_at IS NULL")}
    settled = {one.marker for one in waiting if ends.get(one.key) in ("shown", "accepted")}
    for one in waiting:
        if one.key not in ends and one.key not in left:
            findings.append(Finding("nothing_lost", one.marker, f"the parcel {one.key} is gone"))
        elif one.key in ends and one.marker not in settled:
            findings.append(Finding("nothing_lost", one.marker, f"the parcel {one.key} ended as {ends[one.key]!r}"))
    for marker in sorted(settled.symmetric_difference(out)):
        words = "came out, and is not settled" if marker in out else "is settled, and never came out"
        findings.append(Finding("settled_is_true", marker, words))
    return findings
