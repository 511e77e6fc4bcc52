"""The watcher on a real Dovecot and a real data base, in the faults of a mailbox: renamed, full, counted anew, without UIDL."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status
from imbot.loops.pulse import Leg, Pulse
from imbot.loops.watcher import Watcher
from imbot.mailbox.imap import Imap
from imbot.mailbox.imap_names import folder_name
from imbot.mailbox.pop3 import Pop3, Pop3Settings
from imbot.mailbox.reading import Reader
from imbot.store import inbox, outbox, tickets
from imbot.store.db import Db
from imbot.store.migrate import migrate
from tests.mailbox.imap_box import FULL, by_hand, folder_made_anew, settings
from tests.proxy import ScriptedServer
from tests.servers import Certificates, Dovecot, open_folder
from tests.services.conftest import NOW, Office, make_env
from tests.services.inbound import a_ticket

pytestmark = pytest.mark.servers
PATIENCE = 30.0  # seconds; ends a test that hangs, decides nothing
FOLDER = "Статусы заявок"


def status_letter(number: int, subject: str, text: str = "", size: int = 0) -> bytes:
    return (
        f"Authentication-Results: mx.demo.local; dmarc=pass header.from=demo.local\r\n"
        f"From: itsm@demo.local\r\nTo: bot@demo.local\r\nSubject: {subject}\r\nMessage-ID: <{number}@itsm.demo.local>\r\n"
        f"Date: Sat, 21 Nov 2026 09:{number:02}:00 +0300\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"{text}\r\n{'x' * size}\r\n"
    ).encode()


def registered(token: str, size: int = 0) -> bytes:
    return status_letter(1, "Заявка № IM-CL-1042 получена и рассмотрена", token, size)


DONE = status_letter(2, "Заявка № IM-CL-1042 выполнена")


@dataclass
class Desk:
    """A watcher that runs, and what it has done."""

    db: Db
    watcher: Watcher
    pulse: Pulse
    token: str

    async def until(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not what():
                self.watcher.poke()
                await asyncio.sleep(0.02)

    async def outcomes(self) -> Counter[str]:
        from imbot.store.schema import mails

        return Counter(
            await self.db.read(lambda c: list(c.execute(mails.select().with_only_columns(mails.c.outcome)).scalars()))
        )

    async def settled(self, **wanted: int) -> None:
        """Wait until so many letters have had these outcomes, and none another one."""
        async with asyncio.timeout(PATIENCE):
            while dict(await self.outcomes()) != wanted:
                self.watcher.poke()
                await asyncio.sleep(0.02)

    async def told(self) -> list[str]:
        found = [one.parcel for one in await self.db.read(outbox.open_parcels, 1000)]
        return [parcel.payload["screen"]["name"] for parcel in found if parcel.kind is Kind.NOTICE]

    def wrong(self, leg: str) -> str:
        found = self.pulse.legs.get(leg)
        return found.error if found is not None and found.since is not None else ""

    async def looked(self) -> None:
        """Two looks into the mailbox more."""
        for _ in range(2):
            leg = self.pulse.legs.setdefault("mailbox", Leg())
            leg.heard.clear()
            await self.until(leg.heard.is_set)


OpenDesk = Callable[[Imap | Pop3], contextlib.AbstractAsyncContextManager[Desk]]


@pytest.fixture
def mailbox(request: pytest.FixtureRequest) -> str:
    """A mailbox of this test's own."""
    return f"{abs(hash(request.node.nodeid)):x}@example.test"


@pytest.fixture
def open_desk(
    tmp_path: Path,
) -> OpenDesk:
    url = f"sqlite:///{tmp_path / 'imbot.db'}"
    migrate(url)
    (tmp_path / "letters").mkdir()
    env = make_env()

    @contextlib.asynccontextmanager
    async def opened(mailbox: Imap | Pop3) -> AsyncIterator[Desk]:
        db = await Db.open(url)
        if await db.read(tickets.get, "t1") is None:
            await db.run(lambda c: a_ticket(Office(c, env)))
        ticket = await db.read(tickets.get, "t1")
        assert ticket is not None
        pulse, stop = Pulse(lambda: datetime.now(UTC)), asyncio.Event()
        async with Reader() as reader:
            watcher = Watcher(db, mailbox, reader, tmp_path / "letters", env, pulse, lambda: NOW)
            running = asyncio.create_task(watcher.run(stop))
            try:
                yield Desk(db, watcher, pulse, ticket.token)
            finally:
                stop.set()
                await running
                await db.close()

    return opened


def put(client: imaplib.IMAP4, *letters: bytes, folder: str = FOLDER) -> None:
    for letter in letters:
        client.append(folder_name(folder), "", "", letter)


async def test_a_folder_that_is_renamed_is_told_and_read_on_when_it_is_back(
    open_desk: OpenDesk, dovecot: Dovecot, mailbox: str
) -> None:
    with by_hand(dovecot, mailbox) as client:
        client.create(folder_name(FOLDER))
        async with open_desk(Imap(settings(dovecot, mailbox, folder=FOLDER))) as desk:
            put(client, registered(desk.token))
            await desk.settled(applied=1)
            client.rename(folder_name(FOLDER), "Elsewhere")
            await desk.until(lambda: desk.wrong("mailbox"))
            assert FOLDER in desk.wrong("mailbox")
            assert desk.wrong("mailbox").endswith("there are INBOX, Elsewhere")
            put(client, DONE, folder="Elsewhere")  # a rule of the server goes on filling it
            client.rename("Elsewhere", folder_name(FOLDER))
            await desk.settled(applied=2)
            await desk.until(lambda: not desk.wrong("mailbox"))
            assert await desk.told() == ["notice_registered", "notice_resolved"]


async def test_a_folder_that_is_deleted_and_made_again_loses_nothing_and_repeats_nothing(
    open_desk: OpenDesk, dovecot: Dovecot, mailbox: str
) -> None:
    """Its UIDVALIDITY is another: all letters are read again, and those that came before keep their fate."""
    with by_hand(dovecot, mailbox) as client:
        client.create(folder_name(FOLDER))
        async with open_desk(Imap(settings(dovecot, mailbox, folder=FOLDER))) as desk:
            put(client, registered(desk.token))
            await desk.settled(applied=1)
            client.delete(folder_name(FOLDER))
            await desk.until(lambda: desk.wrong("mailbox"))
            client.create(folder_name(FOLDER))
            folder_made_anew(client, folder_name(FOLDER))
            put(client, registered(desk.token), DONE, registered(desk.token))
            await desk.settled(applied=2)
            assert await desk.told() == ["notice_registered", "notice_resolved"]
            ticket = await desk.db.read(tickets.get, "t1")
            assert ticket is not None
            assert ticket.status is Status.RESOLVED


@pytest.fixture(scope="module")
def full_dovecot(certificates: Certificates) -> Iterator[Dovecot]:
    with open_folder("imbot-dovecot-") as folder:
        server = Dovecot(folder, certificates, extra=FULL).start()
        yield server
        server.stop()


async def test_a_full_mailbox_stops_neither_letters_nor_the_loop(
    open_desk: OpenDesk, full_dovecot: Dovecot, mailbox: str
) -> None:
    box = Imap(settings(full_dovecot, mailbox, processed_folder="INBOX/Готово"))
    with by_hand(full_dovecot, mailbox) as client:
        async with open_desk(box) as desk:
            put(client, registered(desk.token, size=70_000), folder="INBOX")
            await desk.settled(applied=1)
            await desk.until(lambda: desk.wrong("marks"))
            assert "OVERQUOTA" in desk.wrong("marks")
            assert not desk.wrong("mailbox")
            put(client, DONE, folder="INBOX")
            await desk.settled(applied=2)
            await desk.looked()
            assert not desk.wrong("mailbox")
            assert await desk.told() == ["notice_registered", "notice_resolved"]
            assert len(await desk.db.read(inbox.to_mark, "replies")) == 2
            client.select("INBOX")
            assert client.search(None, "SEEN")[1] == [b"1 2"]
            client.store("1", "+FLAGS", r"(\Deleted)")  # somebody makes room
            client.expunge()
            await desk.until(lambda: not desk.wrong("marks"))
            assert await desk.db.read(inbox.to_mark, "replies") == []
    async with open_desk(Imap(settings(full_dovecot, mailbox, folder="INBOX/Готово"))) as desk:
        await desk.settled(applied=2)  # the very letter that was moved, known by its content
        await desk.looked()
        assert await desk.told() == ["notice_registered", "notice_resolved"]


async def test_without_uidl_nothing_is_repeated_whatever_the_server_does(
    open_desk: OpenDesk,
) -> None:
    letters: list[bytes] = []

    def answer(line: bytes) -> bytes | None:
        verb, *words = line.split()
        if verb == b"LIST":
            sizes = b"".join(b"%d %d\r\n" % (n, len(raw)) for n, raw in enumerate(letters, 1))
            return b"+OK\r\n" + sizes + b".\r\n"
        if verb in {b"UIDL", b"TOP"}:
            return b"-ERR what?\r\n"
        return b"+OK\r\n" + letters[int(words[0]) - 1] + b".\r\n" if verb == b"RETR" else b"+OK\r\n"

    async with ScriptedServer(b"+OK\r\n", answer) as server:
        of = Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=5, start="all")
        async with open_desk(Pop3(of)) as desk:
            letters.append(registered(desk.token))
            await desk.settled(applied=1)
            letters.insert(0, DONE)  # numbers are of one visit only
            await desk.settled(applied=2)
        async with open_desk(Pop3(of)) as desk:  # the next start
            letters.append(status_letter(3, "Заявка № IM-CL-1042 закрыта"))
            await desk.settled(applied=3)
            await desk.looked()
            assert (
                await desk.told() == ["notice_registered", "notice_resolved", "notice_closed"][: len(await desk.told())]
            )
