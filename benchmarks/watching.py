"""imbot's own watcher on a mailbox, until there is nothing more to read; beside it a ticker that tells how late the loop was."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import office
from benchmarks.journey import Place
from imbot.domain.errors import LetterRefused
from imbot.domain.letters import Batch, Fetched, InboundMail
from imbot.loops.pulse import Pulse
from imbot.loops.watcher import Watcher
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.reading import Reader
from imbot.store.db import Db

TICK = 0.001


@dataclass
class Lags:
    """How much later than asked the loop woke, in ms, in the order of waking; and what its own thread had worked since the
    last time: what a busy machine does not change."""

    ms: list[float] = field(default_factory=list)
    own_ms: list[float] = field(default_factory=list)

    async def tick(self) -> None:
        worked = time.thread_time()
        while True:
            asked = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            self.ms.append(max(0.0, (time.perf_counter() - asked) * 1000))
            worked, before = time.thread_time(), worked
            self.own_ms.append((worked - before) * 1000)

    @property
    def worst(self) -> float:
        return max(self.ms, default=0.0)

    @property
    def own(self) -> float:
        return max(self.own_ms, default=0.0)

    @property
    def p99(self) -> float:
        return sorted(self.ms)[int(len(self.ms) * 0.99)] if self.ms else 0.0


@asynccontextmanager
async def ticking() -> AsyncIterator[Lags]:
    lags = Lags()
    task = asyncio.create_task(lags.tick())
    try:
        yield lags
    finally:
        await asyncio.sleep(2 * TICK)  # the last lag is noted after what caused it
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Timed:
    """The reading child; the first letter that it is given ends the keeping."""

    def __init__(self, reader: Reader, database: Path) -> None:
        self._reader, self._database = reader, database
        self.kept = 0
        self.kept_at = 0.0

    @property
    def is_ready(self) -> bool:
        return self._reader.is_ready

    async def ready(self) -> None:
        await self._reader.ready()

    async def read_many(self, letters: Sequence[bytes | Path]) -> list[InboundMail | LetterRefused]:
        if not self.kept_at:
            self.kept_at = time.perf_counter()
            with closing(sqlite3.connect(self._database)) as c:
                self.kept = c.execute("SELECT count(*) FROM mails").fetchone()[0]
        return await self._reader.read_many(letters)


class _Ended:
    """The mailbox; to wait for more is the end."""

    def __init__(self, imap: Imap, stop: asyncio.Event) -> None:
        self._imap, self._stop = imap, stop
        self.place = imap.place

    def elsewhere(self, cursor: str) -> str:
        return self._imap.elsewhere(cursor)

    async def fetch_new(self, cursor: str | None, without: Collection[str] = ()) -> Batch:
        return await self._imap.fetch_new(cursor, without)

    async def fetch_one(self, key: str) -> Fetched | None:
        return await self._imap.fetch_one(key)

    async def mark(self, letters: Sequence[Fetched]) -> None:
        await self._imap.mark(letters)

    async def wait(self, _seconds: float) -> bool:
        self._stop.set()
        return False

    async def close(self) -> None:
        await self._imap.close()


@dataclass(frozen=True, slots=True)
class Watched:
    """Seconds to keep all letters, and in all; how many were kept before the first was read."""

    keeping: float
    whole: float
    kept: int


def freeze() -> None:
    """As `imbot.app` does when everything is wired: no later collection need walk through what a start leaves behind."""
    gc.collect()
    gc.freeze()


async def watch(place: Place, folder: Path, reader: Reader) -> Watched:
    """Everything in the mailbox of `place` goes into `folder`/imbot.db."""
    db = await Db.open(f"sqlite:///{folder / 'imbot.db'}")
    stop = asyncio.Event()
    settings = ImapSettings("127.0.0.1", place["port"], office.BOT, place["password"], tls="none", start="all")
    timed = _Timed(reader, folder / "imbot.db")
    pulse, mailbox = Pulse(lambda: office.NOW), _Ended(Imap(settings), stop)
    watcher = Watcher(db, mailbox, timed, folder / "letters", office.env(), pulse, lambda: office.NOW)
    began = time.perf_counter()
    await watcher.run(stop)
    ended = time.perf_counter()
    await db.close()
    return Watched(timed.kept_at - began, ended - began, timed.kept)


def count(database: Path, statement: str) -> int:
    with closing(sqlite3.connect(database)) as c:
        return int(c.execute(statement).fetchone()[0])
