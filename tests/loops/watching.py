"""A watcher's world: a mailbox of prepared windows, a reader that dies of some letters, a data base of its own."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.office import NOW, env, status_letter
from imbot.domain.errors import LetterRefused, LetterWithheld, MailboxError
from imbot.domain.letters import Batch, Fetched, InboundMail
from imbot.loops.pulse import Pulse
from imbot.loops.watcher import Watcher
from imbot.mailbox.reading import Reader, ReaderDied
from imbot.store.db import Db


@dataclass
class Box:
    """A mailbox of prepared windows. When they are through, it ends the run."""

    windows: list[list[bytes] | MailboxError]
    stop: asyncio.Event
    asked: list[str | None] = field(default_factory=list)
    marked: list[int] = field(default_factory=list)
    truncated: bool = False
    place: str = "imap://bot@mail.test/INBOX"

    def elsewhere(self, cursor: str) -> str:
        return cursor

    async def fetch_one(self, key: str) -> Fetched | None:
        raise LetterWithheld("no", key, 0)

    async def fetch_new(self, cursor: str | None, without: Collection[str] = ()) -> Batch:
        self.asked.append(cursor)
        before = int((cursor or "7:0").split(":")[1])
        seen, window = 0, 0
        while window < len(self.windows) and (isinstance(self.windows[window], MailboxError) or seen < before):
            found = self.windows[window]
            if isinstance(found, MailboxError):
                if seen >= before:
                    self.windows.pop(window)
                    raise found
            else:
                seen += len(found)
            window += 1
        if window == len(self.windows):
            return Batch((), cursor or "7:0")
        raws = self.windows[window]
        assert isinstance(raws, list)
        letters = [
            Fetched(f"7:{n}", f"7:{n}", raw, size=len(raw), truncated=self.truncated, uid=n, uidvalidity=7)
            for n, raw in enumerate(raws, seen + 1)
        ]
        return Batch(letters, letters[-1].cursor, more=window + 1 < len(self.windows))

    async def wait(self, _seconds: float) -> bool:
        self.stop.set()
        return False

    async def mark(self, letters: Sequence[Fetched]) -> None:
        self.marked += [letter.uid for letter in letters]

    async def close(self) -> None:
        pass


class Mortal:
    """Reads like the reading child, dies on letters that bear `poison`, and notes what stood in the data base meanwhile."""

    def __init__(self, database: Path, reader: Reader) -> None:
        self._database, self._reader = database, reader
        self.batches: list[int] = []
        self.kept: list[int] = []
        self.attempts: list[list[int]] = []
        self.counted: list[int] = []  # tries so far of all letters, each time that a reader was asked for

    @property
    def is_ready(self) -> bool:
        return self._reader.is_ready

    async def ready(self) -> None:
        self.counted.append(ask(self._database, "SELECT coalesce(sum(attempts), 0) FROM mails")[0][0])
        await self._reader.ready()

    async def read_many(self, letters: Sequence[bytes | Path]) -> list[InboundMail | LetterRefused]:
        self.batches.append(len(letters))
        self.kept.append(ask(self._database, "SELECT count(*) FROM mails")[0][0])
        hashes = [hashlib.sha256(raw if isinstance(raw, bytes) else raw.read_bytes()).hexdigest() for raw in letters]
        rows = dict(ask(self._database, "SELECT sha256, attempts FROM mails"))
        self.attempts.append([rows[one] for one in hashes])
        answers: list[InboundMail | LetterRefused] = []
        for letter in letters:
            if isinstance(letter, bytes) and b"poison" in letter:
                return [*answers, ReaderDied("the reader died on this letter")]
            answers += await self._reader.read_many([letter])
        return answers


def ask(database: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as c:
        return c.execute(statement).fetchall()


@dataclass
class World:
    folder: Path
    db: Db
    reader: Reader
    stop: asyncio.Event

    @property
    def database(self) -> Path:
        return self.folder / "imbot.db"

    async def watch(self, *windows: list[bytes] | MailboxError, reader: Any = None, **more: Any) -> Box:
        self.stop.clear()
        box = Box(list(windows), self.stop, **more)
        pulse, folder = Pulse(lambda: NOW), self.folder / "letters"
        watcher = Watcher(self.db, box, reader or self.reader, folder, env(), pulse, lambda: NOW)
        await asyncio.wait_for(watcher.run(self.stop), 60)
        return box

    def ask(self, statement: str) -> list[Any]:
        return ask(self.database, statement)

    def outcomes(self) -> list[str]:
        return [row[0] for row in self.ask("SELECT outcome FROM mails ORDER BY id")]


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def poison(number: int) -> bytes:
    return status_letter(number).replace(b"Auto-Submitted", b"X-poison: 1\r\nAuto-Submitted")
