"""imbot's own loops on a data base that was prepared: persons who stand at the review of a request, letters and notices that
wait in the outbox. The chat answers at once here (J1 measures it) unless a journey brings a channel of its own."""

from __future__ import annotations

import asyncio
import base64
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from benchmarks.journey import Figures
from benchmarks.watching import freeze
from imbot.backends import mail as habits
from imbot.backends.base import LetterKind
from imbot.channels.pacer import Pacer
from imbot.config import packed
from imbot.dialog.render import Rendered
from imbot.domain.chats import Chat, Commanded, Event, Incoming, Pressed, Typed
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Absence, Entry
from imbot.domain.tickets import Ticket
from imbot.loops.courier import Courier
from imbot.loops.dispatch import Dispatch
from imbot.loops.errands import Errands, MailServer, Sender
from imbot.loops.pulse import Pulse
from imbot.loops.screens import Screens
from imbot.services import letters as ticket_letters
from imbot.services import turns
from imbot.services.env import Env, Fresh
from imbot.store import files, letters, outbox, people, sessions, tickets, told
from imbot.store.db import Db, once
from imbot.store.letters import LetterRow
from imbot.store.migrate import migrate
from imbot.templates import Templates
from tests.services.conftest import MOSCOW, make_env

FIRST_CHAT = 10_000
_WORDS = "Принтер мигает красным, третий лоток не захватывает бумагу"


@cache
def env() -> Env:
    """The company of the benchmarks: nobody is looked up again while one runs, it is never night, and our own Dovecot's mark is
    no stranger's."""
    made = make_env(recheck_age=timedelta(days=30), grace=timedelta(days=30), night=(clock_time(), clock_time()))
    backend = made.backends[made.default_backend]
    evidence = replace(backend.evidence, own_hosts=(socket.gethostname(), "127.0.0.1"))
    return replace(made, backends={backend.name: replace(backend, evidence=evidence)})


@cache
def templates() -> Templates:
    return Templates((packed("templates"),), MOSCOW, forgiving=True)


def now() -> datetime:
    return datetime.now(UTC)


# --- what is prepared


def at_the_review(url: str, count: int) -> list[str]:
    """`count` signed-in persons, each at the review of a request; the value of each one's Send."""
    migrate(url)
    return once(url, _write_to_the_review, count)


def _write_to_the_review(c: Connection, count: int) -> list[str]:
    return [to_the_review(c, sign_in(c, number)) for number in range(count)]


def to_the_review(c: Connection, chat: Chat) -> str:
    """Four turns, and the value of Send."""
    _take(c, chat, Commanded("newticket"), 1)
    _take(c, chat, Pressed(_value(c, chat, "Оборудование"), "m"), 2)
    _take(c, chat, Pressed(_value(c, chat, "Принтер"), "m"), 3)
    _take(c, chat, Typed(_WORDS, "u"), 4)
    slot = sessions.slot(c, chat.key)
    assert slot is not None
    sessions.shown(c, chat.key, slot.seq, "m", now())
    return _value(c, chat, "send")


def sign_in(c: Connection, number: int) -> Chat:
    chat = Chat("telegram", str(FIRST_CHAT + number))
    people.see_chat(c, chat, "ru", now())
    entry = Entry(f"p{number}@demo.local", f"Сотрудник {number}", "12-34", "Офис 2", "Бухгалтерия")
    people.link_chat(c, chat, entry, now())
    return chat


def _take(c: Connection, chat: Chat, event: Event, step: int) -> None:
    incoming = Incoming(f"prepared:{chat.id}:{step}", chat, event, language="ru")
    turns.take(c, incoming, now(), env(), Fresh.mint("demo.local"))


def _value(c: Connection, chat: Chat, label: str) -> str:
    slot = sessions.slot(c, chat.key)
    assert slot is not None
    assert slot.screen is not None
    buttons = [one for row in slot.screen["rows"] for one in row]
    return next(str(one["value"]) for one in buttons if label in one["label"])


def waiting_letters(url: str, count: int) -> None:
    """`count` letters of as many requests wait in the outbox, as `composing.packed` leaves them."""
    migrate(url)
    once(url, _put_letters, count)


def _put_letters(c: Connection, count: int) -> None:
    for number in range(count):
        put_letter(c, number, sign_in(c, number))
    told.note_all(c)  # as the service does behind each commit that puts a letter


def put_letter(c: Connection, number: int, chat: Chat) -> Ticket:
    """A request of this chat, and its letter in the outbox."""
    person = people.person_of_chat(c, chat.key)
    assert person is not None
    ticket = request(number, person.id, chat)
    tickets.add(c, ticket)
    letter = ticket_letters.letter_to_json(compose(c, ticket), ())
    letters.save_letter(c, LetterRow(ticket.message_id, ticket.id, "ticket", letter, now()))
    payload = {"message_id": ticket.message_id, "ticket": ticket.id, "letter": "ticket"}
    outbox.put(c, NewParcel(f"ticket:{ticket.id}", "smtp", f"letter:{ticket.message_id}", Kind.LETTER, payload), now())
    return ticket


def request(number: int, person_id: int, chat: Chat) -> Ticket:
    return Ticket(
        id=f"t{number}",
        person_id=person_id,
        chat_key=chat.key,
        title=_WORDS,
        backend=env().default_backend,
        token="imb:" + base64.b32encode(number.to_bytes(6, "big")).decode()[:10],
        message_id=f"<{number}@bot.demo.local>",
        created_at=now(),
        description=_WORDS,
        location="Офис 2",
    )


def compose(c: Connection, ticket: Ticket) -> Letter:
    """The letter of the request, as the errand PACK composes it."""
    asked = {"ticket": ticket.id, "letter": "ticket", "message_id": ticket.message_id, "text": ""}
    packing = ticket_letters.packing(c, asked, env())
    assert packing is not None
    sending = packing.backend.sending(ticket.message_id, now(), ())
    return habits.compose(packing.backend.profile, templates(), LetterKind.TICKET, packing.view, sending)


def sample_letter() -> Letter:
    """What a request of these persons looks like as a letter; the same for every contestant."""
    from tests.servers import open_folder

    with open_folder("imbot-bench-") as folder:
        url = f"sqlite:///{folder / 'sample.db'}"
        waiting_letters(url, 1)
        return once(url, _first_letter)


def _first_letter(c: Connection) -> Letter:
    row = letters.letter(c, "<0@bot.demo.local>")
    assert row is not None
    return ticket_letters.letter_from_json(row.message_id, row.letter, files.of_letter(c, row.message_id), Path())


# --- who runs


class QuietChat:
    """A channel on which every call succeeds at once, or, with a `pacer`, when it has its turn. Updates are what is `put`."""

    name = "telegram"

    def __init__(self, pacer: Pacer | None = None) -> None:
        self._updates: asyncio.Queue[Incoming] = asyncio.Queue()
        self._pacer = pacer
        self.shown = 0

    def put(self, incoming: Incoming) -> None:
        self._updates.put_nowait(incoming)

    async def poll(self, _offset: int | None, **_: bool) -> list[dict[str, Any]]:
        incoming = await self._updates.get()
        return [{"update_id": int(incoming.update_key.rpartition(":")[2]), "incoming": incoming}]

    async def acknowledge(self, _handle: str, _text: str = "") -> None:
        pass

    async def show(self, chat_id: str, _rendered: Rendered, *, edit: str = "", dialog: bool = True) -> str:
        if self._pacer is not None:
            self._pacer.arrived(chat_id, await self._pacer.turn(chat_id, dialog=dialog))
        self.shown += 1
        return edit or str(self.shown)

    async def retire(self, _chat_id: str, _message_id: str) -> None:
        pass


class _Nobody:
    can_recheck = False

    async def look_up(self, address: str) -> Entry | Absence:
        raise AssertionError(f"nobody asks for {address} here")


def _read(raw: Mapping[str, Any]) -> Incoming | None:
    incoming = raw["incoming"]
    assert isinstance(incoming, Incoming)
    return incoming


async def _look_around(_: bool) -> Sequence[Mapping[str, Any]]:
    return []


class NoMail:
    """A mail server that nothing goes to."""

    async def send(self, _sender: str, recipients: list[str], _data: bytes) -> str:
        raise AssertionError(f"no letter goes to {recipients} here")


@asynccontextmanager
async def running(database: Path, chat: Any, smtp: MailServer, read: Any = _read) -> AsyncIterator[Db]:
    """Dispatch, screens, courier and errands as `imbot.app` wires them, on this data base, until the block ends."""
    db = await Db.open(f"sqlite:///{database}")
    pulse, stop = Pulse(now), asyncio.Event()
    screens = Screens(db, chat, templates(), env(), pulse, now)
    dispatch = Dispatch(db, chat, read, screens, replace(env(), templates=templates()), pulse, now, "demo.local")
    sender = Sender("bot@demo.local", "imbot", database.parent)
    errands = Errands(db, smtp, _Nobody(), {"telegram": chat}, templates(), sender, env(), now, _look_around)
    courier = Courier(db, errands.run, env(), pulse, now)
    tasks = [asyncio.create_task(loop.run(stop)) for loop in (dispatch, screens, courier)]
    freeze()
    try:
        yield db
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        await db.close()


# --- what is measured


def percentiles(seconds: Sequence[float]) -> Figures:
    ordered = sorted(seconds)
    return {"p50_ms": ordered[len(ordered) // 2] * 1e3, "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3}


def one_number(database: Path, statement: str) -> int:
    with closing(sqlite3.connect(database)) as c:
        return int(c.execute(statement).fetchone()[0])
