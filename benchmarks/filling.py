"""A data base with as many tickets as one likes, filled in bulk: each has led the life of the first one, which the product
itself wrote (letter accepted, number given, told in the chat), with its own ids. One in ten is open; ten belong to a person.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from benchmarks import desk
from imbot.domain.tickets import Status, StatusReport, apply
from imbot.services import delivery, tickets
from imbot.store import inbox, outbox, told
from imbot.store import tickets as ticket_rows
from imbot.store.db import once
from imbot.store.inbox import NewRaw

EACH = 10  # tickets a person
_AT_ONCE = 20_000
# What is cloned, with the columns that make a row the ticket's own; {n} is its number, {p} that of its person.
_TABLES = (
    ("people", "id=1", {"id": "{p}", "address": "p{p}@demo.local"}),
    ("chats", "person_id=1", {"key": "telegram:{c}", "id": "{c}", "person_id": "{p}"}),
    (
        "tickets",
        "id='t0'",
        {"id": "t{n}", "person_id": "{p}", "chat_key": "telegram:{c}", "token": "imb:{n:010}"}
        | {"message_id": "<{n}@bot.demo.local>", "number": "IM-CL-{n}"},
    ),
    ("ticket_numbers", "ticket_id='t0'", {"number": "IM-CL-{n}", "ticket_id": "t{n}"}),
    ("letters", "ticket_id='t0'", {"message_id": "<{n}@bot.demo.local>", "ticket_id": "t{n}"}),
    ("ledger", "ticket_id='t0'", {"id": None, "ticket_id": "t{n}"}),
    ("ticket_messages", "ticket_id='t0'", {"chat_key": "telegram:{c}", "message_id": "m{n}", "ticket_id": "t{n}"}),
    ("parcels", "settled_at IS NOT NULL", {"id": None, "key": "{key}:{n}", "lane": "lane:{n}"}),
    ("mails", "id=1", {"id": None, "sha256": "{n:064}", "ticket_id": "t{n}", "message_id": "<r{n}@itsm.demo.local>"}),
    ("seen_keys", "key='mail:first'", {"key": "mail:<r{n}@itsm.demo.local>"}),
)
_OF_PERSONS = ("people", "chats")


def fill(path: Path, count: int) -> None:
    """`count` tickets, t1 and on, of persons 2 and on, at `path`."""
    once(f"sqlite:///{path}", _lead_a_life)
    with closing(sqlite3.connect(path)) as c:
        c.executescript("PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF")
        for table, where, own in _TABLES:
            numbers = range(EACH, count + EACH, EACH) if table in _OF_PERSONS else range(EACH, count + EACH)
            _clone(c, table, where, own, numbers)
        closed = "UPDATE tickets SET status = 'closed', resolved_at = created_at, closed_at = created_at"
        c.execute(f"{closed} WHERE id <> 't0' AND substr(id, -1) <> '1'")
        c.commit()
        c.execute("ANALYZE")
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _lead_a_life(c: Connection) -> None:
    """Ticket t0, of person 1: accepted, registered, told; a week ago."""
    now = desk.now() - timedelta(days=7)
    chat = desk.sign_in(c, 0)
    ticket = desk.put_letter(c, 0, chat)
    told.note_all(c)
    while ready := outbox.claim(c, desk.now(), 10):
        for parcel in ready:
            if parcel.target == "smtp":
                delivery.letter_accepted(c, parcel, "250 queued", now, desk.env())
            else:
                delivery.message_shown(c, parcel, chat.key, "m0", now)
        ticket = ticket_rows.get(c, ticket.id) or ticket
        if not ticket.number:
            ticket_rows.add_number(c, ticket.backend, "IM-CL-0", ticket.id, now)
            change = apply(ticket, StatusReport("inframanager", Status.REGISTERED, "IM-CL-0"), now)
            assert change is not None
            tickets.record_change(c, change, "first", now, desk.env())
    inbox.first_time(c, "mail:first", now)
    (mail,) = inbox.keep_many(c, "replies", [NewRaw("1", "0", b"", "", 2000, "0")], now)
    inbox.settle_mail(c, mail, "applied", now=now, ticket_id=ticket.id)


def _clone(c: sqlite3.Connection, table: str, where: str, own: dict[str, Any], numbers: Sequence[int]) -> None:
    c.row_factory = sqlite3.Row
    rows = [dict(row) for row in c.execute(f"SELECT * FROM {table} WHERE {where}")]
    assert rows, f"the first ticket left nothing in {table}"
    names = ", ".join(f'"{name}"' for name in rows[0])
    marks = ", ".join("?" for _ in rows[0])
    c.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", _cloned(rows, own, numbers))


def _cloned(rows: list[dict[str, Any]], own: dict[str, Any], numbers: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    for n in numbers:
        p = n // EACH + 1
        for row in rows:
            places = {"n": n, "p": p, "c": desk.FIRST_CHAT + p, "key": row.get("key", "")}
            changed = {name: form if form is None else form.format(**places) for name, form in own.items()}
            yield tuple((row | changed).values())
