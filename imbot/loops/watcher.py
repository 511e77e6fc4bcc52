"""Watches the reply mailbox: fetch -> keep -> mark the cursor -> read in the child -> receive -> mark on the server.

    connecting -> fetching -> (letters) keeping -> reading -> receiving -> marking -> fetching ...
                     | none                                                             ^
                     +-> waiting (IDLE, or until the poll pokes) ------------------------+

A letter is durable before anything looks at it, and is marked on the server only when it has been carried out. Whatever a
crash leaves behind is read again from our own store at the next start.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import structlog

from imbot.domain.errors import LetterRefused, MailboxError
from imbot.domain.letters import Batch, Fetched, InboundMail
from imbot.failpoints import hit
from imbot.loops.pulse import Clock, Pulse, first_of
from imbot.services import reports
from imbot.services.env import Env
from imbot.store import inbox
from imbot.store.blobs import keep_blob
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.inbox import RawLetter

log = structlog.get_logger(__name__)

_BIG = 256 * 1024
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0
_ANNOUNCE = 60.0  # seconds between notes that the mailbox was read


class Mailbox(Protocol):
    async def fetch_new(self, cursor: str | None) -> Batch: ...
    async def wait(self, seconds: float) -> bool: ...
    async def mark(self, letters: Sequence[Fetched]) -> None: ...
    async def close(self) -> None: ...


class Reads(Protocol):
    async def read(self, raw: bytes) -> InboundMail: ...


class Watcher:
    """One mailbox, called `name` in the store. `folder` holds raw letters over 256 KB. `poke()` looks at once."""

    def __init__(
        self,
        db: Db,
        mailbox: Mailbox,
        reader: Reads,
        folder: Path,
        env: Env,
        pulse: Pulse,
        clock: Clock,
        *,
        name: str = "replies",
        wait_seconds: float = 60.0,
    ) -> None:
        self._db, self._mailbox, self._reader, self._folder = db, mailbox, reader, folder
        self._env, self._pulse, self._clock = env, pulse, clock
        self._name, self._wait_seconds = name, wait_seconds
        self._poked = asyncio.Event()
        self._noted = 0.0

    def poke(self) -> None:
        """Look into the mailbox now: the poll's safety net, and an admin's "check now"."""
        self._poked.set()

    async def run(self, stop: asyncio.Event) -> None:
        wait = _FIRST_WAIT
        while not stop.is_set():
            try:
                await self._carry_out_kept()
                more = await self._look()
                wait = _FIRST_WAIT
                if not more and not stop.is_set():
                    await self._wait(stop)
            except MailboxError as error:
                self._pulse.wrong("mailbox", str(error))
                log.warning("mailbox_not_read", error=str(error), permanent=error.permanent)
                await self._mailbox.close()
                self._poked.clear()
                await first_of(stop, self._poked, seconds=wait)
                wait = min(wait * 2, _LONGEST_WAIT)
            except StoreUnavailable as error:
                self._pulse.wrong("store", str(error))
                log.error("store_unavailable", error=str(error))
                await first_of(stop, seconds=_FIRST_WAIT)
        await self._mailbox.close()

    async def _look(self) -> bool:
        """One window of new letters; True if there may be more."""
        cursor = await self._db.read(inbox.cursor, self._name)
        batch = await self._mailbox.fetch_new(cursor or None)
        if batch.letters:
            hit("mail_fetched")
            await self._keep(batch.letters)
            hit("raw_stored")
        if batch.cursor != cursor:
            await self._db.run(inbox.set_cursor, self._name, batch.cursor)
        await self._note_success()
        if batch.letters:
            await self._carry_out_kept()
        await self._mark()
        return batch.more

    async def _keep(self, letters: Sequence[Fetched]) -> None:
        for letter in letters:
            digest, path, raw = hashlib.sha256(letter.raw).hexdigest(), "", letter.raw
            if len(raw) > _BIG:
                kept = await asyncio.to_thread(keep_blob, self._folder, raw, digest)
                path = kept.name
            validity, _, uid = letter.key.rpartition(":")
            mail_id = await self._db.run(
                inbox.keep_raw,
                self._name,
                validity,
                uid,
                raw=None if path else raw,
                path=path,
                size=letter.size or len(raw),
                sha256=digest,
                now=self._clock(),
            )
            if letter.truncated:
                reason = (
                    f"it is too large ({letter.size} bytes): only its headers were fetched, the rest is on the server"
                )
                await self._db.run(reports.refuse, mail_id, reason, self._clock())

    async def _carry_out_kept(self) -> None:
        while kept := await self._db.read(inbox.unread, 50):
            for letter in kept:
                await self._one(letter)

    async def _one(self, letter: RawLetter) -> None:
        """The item border: whatever a letter does, it is counted first and set aside at the last try."""
        attempt = await self._db.run(inbox.count_attempt, letter.id)
        if attempt > reports.TRIES:
            await self._db.run(reports.refuse, letter.id, "it could not be read in three tries", self._clock())
            return
        try:
            mail = await self._reader.read(await self._raw(letter))
            looked = await asyncio.to_thread(reports.look, mail, self._env)
            outcome = await self._db.run(reports.receive, letter.id, mail, self._clock(), self._env, looked)
            hit("report_applied")
            log.info("letter_received", mail=letter.id, outcome=outcome)
        except LetterRefused as error:
            if attempt >= reports.TRIES or not getattr(error, "died", False):
                await self._db.run(reports.refuse, letter.id, str(error), self._clock())
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("letter_set_aside", mail=letter.id)
            if attempt >= reports.TRIES:
                await self._db.run(reports.refuse, letter.id, f"internal error: {error!r}", self._clock())

    async def _raw(self, letter: RawLetter) -> bytes:
        if letter.raw is not None:
            return letter.raw
        return await asyncio.to_thread((self._folder / letter.path).read_bytes)

    async def _mark(self) -> None:
        places = await self._db.read(inbox.to_mark, self._name)
        if not places:
            return
        await self._mailbox.mark([_place(p.validity, p.uid) for p in places])
        hit("mail_marked")
        await self._db.run(inbox.marked, places, self._clock())

    async def _wait(self, stop: asyncio.Event) -> None:
        self._poked.clear()
        waiting = asyncio.ensure_future(self._mailbox.wait(self._wait_seconds))
        others = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._poked.wait())]
        try:
            await asyncio.wait({waiting, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*others, *([] if waiting.done() else [waiting])):
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        if waiting.done() or waiting.cancelling():
            await _result(waiting)

    async def _note_success(self) -> None:
        if self._pulse.ok("mailbox"):
            log.info("mailbox_recovered")
        now = self._clock()
        if now.timestamp() - self._noted > _ANNOUNCE:
            self._noted = now.timestamp()
            await self._db.run(inbox.set_fact, "mailbox_ok_at", now.isoformat(), now)


async def _result(waiting: asyncio.Future[bool]) -> None:
    """What the wait says; being woken by something else is no error."""
    try:
        await waiting
    except asyncio.CancelledError:
        if not waiting.cancelled():
            raise


def _place(validity: str, uid: str) -> Fetched:
    key = f"{validity}:{uid}" if validity else uid
    number = int(uid) if uid.isdigit() else 0
    return Fetched("", key, b"", uid=number, uidvalidity=int(validity) if validity.isdigit() else 0)
