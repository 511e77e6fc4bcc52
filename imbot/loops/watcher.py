"""Watches the reply mailbox: fetch -> keep, with the cursor -> read in the child -> receive -> mark on the server.

    connecting -> fetching -> (letters) keeping -> fetching the next window ... -> carrying out -> marking -> fetching ...
                     | none                                                                            ^
                     +-> waiting (IDLE, or until the poll pokes) ---------------------------------------+

A letter is durable before anything looks at it, and is marked on the server only when it has been carried out
(`loops.carrying`). A backlog is kept window by window first, then carried out. Whatever a crash leaves behind is read again
from our own store at the next start.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import structlog

from imbot.domain.errors import LetterWithheld, MailboxError
from imbot.domain.letters import Batch, Fetched
from imbot.failpoints import hit
from imbot.loops.carrying import Carrying, Reads
from imbot.loops.pulse import Clock, Pulse, first_of
from imbot.services import keeping, withholding
from imbot.services.env import WATCHER, Env, leg_of
from imbot.services.keeping import Source
from imbot.store import inbox
from imbot.store.blobs import keep_blob
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.inbox import NewRaw, RawLetter

log = structlog.get_logger(__name__)

_BIG = 256 * 1024
_SMALL = 64 * 1024  # bytes that may be hashed in the loop: a fifth of a millisecond
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0
_AHEAD = 20.0  # seconds that a backlog is kept before its first letters are carried out
_ANNOUNCE = 60.0  # seconds between notes that the mailbox was read


class Mailbox(Protocol):
    @property
    def place(self) -> str: ...
    def elsewhere(self, cursor: str) -> str: ...
    async def fetch_new(self, cursor: str | None, without: Collection[str] = ()) -> Batch: ...
    async def fetch_one(self, key: str) -> Fetched | None: ...
    async def wait(self, seconds: float) -> bool: ...
    async def mark(self, letters: Sequence[Fetched]) -> None: ...
    async def close(self) -> None: ...


class Watcher:
    """One mailbox, called `name` in the store, and by `leg_of` in the pulse. `folder` holds raw letters over 256 KB. `poke()`
    looks at once. `others`: the watchers beside it; this one then carries out whatever is not theirs, letters of a mailbox
    that was taken out of the settings among it."""

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
        name: str = WATCHER,
        others: Sequence[str] | None = None,
        wait_seconds: float = 60.0,
    ) -> None:
        self._db, self._mailbox, self._folder = db, mailbox, folder
        self._pulse, self._clock = pulse, clock
        self._carrying = Carrying(db, reader, folder, env, clock, name if others is None else "", others or ())
        self.name, self._leg, self._wait_seconds = name, leg_of(name), wait_seconds
        self._poked = asyncio.Event()
        self._noted = 0.0
        self._unmarked = False
        self._source: Source | None = None  # read before the wait: who is woken asks the mailbox at once

    def poke(self) -> None:
        """Look into the mailbox now: the poll's safety net, and an admin's "check now"."""
        self._poked.set()

    async def run(self, stop: asyncio.Event) -> None:
        wait, carried_out = _FIRST_WAIT, False
        while not stop.is_set():
            try:
                self._poked.clear()  # whoever pokes from here on wants another look
                if not carried_out:
                    await self._carrying.carry_out(stop)
                carried_out = False
                more = await self._look(stop)
                wait, carried_out = _FIRST_WAIT, True
                if not more and not stop.is_set():
                    self._source = await self._where_it_stands()
                    await self._wait(stop)
            except MailboxError as error:
                self._pulse.wrong(self._leg, str(error))
                log.warning("mailbox_not_read", mailbox=self._leg, error=str(error), permanent=error.permanent)
                await self._mailbox.close()
                await first_of(stop, self._poked, seconds=wait)
                wait = min(wait * 2, _LONGEST_WAIT)
            except StoreUnavailable as error:
                self._pulse.wrong("store", str(error))
                log.error("store_unavailable", error=str(error))
                await first_of(stop, seconds=_FIRST_WAIT)
        await self._mailbox.close()

    async def _look(self, stop: asyncio.Event) -> bool:
        """All new letters, or as many as come within some seconds, are kept, then carried out; True if there may be more."""
        source, self._source = self._source, None
        if source is None:
            source = await self._where_it_stands()
        try:
            with self._pulse.asking(self._leg):
                more, counted = await self._keep_new(source, stop)
                more = (source.withheld and await self._ask_again(source)) or more
        except MailboxError as error:
            if isinstance(error, LetterWithheld):
                told = (source.account, error.key, error.size, self._clock())
                await self._db.run(withholding.failed, *told, lost=error.lost)
            await self._carrying.carry_out(stop)
            raise
        if self._pulse.ok(self._leg):
            log.info("mailbox_recovered", mailbox=self._leg)
        more = await self._carrying.carry_out(stop, counted) or more
        await self._note_success()
        await self._mark(source.account)
        return more

    async def _where_it_stands(self) -> Source:
        return await self._db.read(keeping.source, self.name, self._mailbox.place)

    async def _keep_new(self, source: Source, stop: asyncio.Event) -> tuple[bool, Sequence[RawLetter]]:
        """Window by window; the next one is on its way while one is kept. Whether there may be more; and the letters, where they
        are few, ready to be read."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _AHEAD
        cursor, begin = source.cursor, source.cursor
        if not begin and source.former:
            begin = self._mailbox.elsewhere(source.former)
            log.warning("mailbox_is_another", mailbox=self._leg, place=self._mailbox.place)
        tried, without = await self._withheld(source)
        try:
            batch = await self._mailbox.fetch_new(begin or None, without)
        except MailboxError as error:
            if tried and not isinstance(error, LetterWithheld):
                await self._db.run(withholding.not_asked, source.account, tried, self._clock())
            raise
        if tried:
            await self._db.run(withholding.handed_out, source.account, tried)
        while True:
            on = batch.more and loop.time() < until and not stop.is_set()
            following = asyncio.ensure_future(self._mailbox.fetch_new(batch.cursor, without)) if on else None
            try:
                counted = await self._keep(batch, cursor, source.account)
            except BaseException:
                if following is not None:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
                raise
            if following is None:
                return batch.more, counted
            cursor, batch = batch.cursor, await following

    async def _withheld(self, source: Source) -> tuple[set[str], set[str]]:
        """What is asked for again by looking, and what to pass over: letters that the server did not hand out."""
        if not source.withheld:
            return set(), set()
        return await self._db.run(withholding.before_try, self.name, source.account, self._clock())

    async def _ask_again(self, source: Source) -> bool:
        """One of those passed over, when its time has come; True if it came."""
        one = await self._db.read(withholding.due, source.account, self._clock())
        if one is None:
            return False
        await self._db.run(withholding.ask_again, source.account, one, self._clock())
        try:
            letter = await self._mailbox.fetch_one(one.key)
        except LetterWithheld as error:
            log.warning("letter_still_withheld", mailbox=self._leg, mail=one.mail, error=str(error))
            return False
        if letter is None:
            await self._db.run(withholding.gone, source.account, one, self._clock())
            return False
        ((_, raw),) = await asyncio.to_thread(self._prepared, [letter])
        await self._db.run(withholding.taken, self.name, source.account, one, raw, self._clock())
        return True

    async def _keep(self, batch: Batch, before: str, account: str) -> Sequence[RawLetter]:
        if not batch.letters and batch.cursor == before:
            return ()
        if batch.letters:
            hit("mail_fetched")
        if batch.anew:
            log.warning("mailbox_begun_anew", mailbox=self._leg, before=before, now=batch.cursor)
        small = sum(len(letter.raw) for letter in batch.letters) <= _SMALL
        letters = self._prepared(batch.letters) if small else await asyncio.to_thread(self._prepared, batch.letters)
        kept = (self.name, letters, batch.cursor, before, self._clock())
        reads = None if batch.more else self._carrying.scope
        counted = await self._db.run(
            keeping.keep, *kept, account=account, place=self._mailbox.place, anew=batch.anew, reads=reads
        )
        if batch.letters:
            hit("raw_stored")
        return counted

    def _prepared(self, letters: Sequence[Fetched]) -> list[tuple[Fetched, NewRaw]]:
        """In a thread, unless all are small: hashing and writing a large letter takes its time. A large one lies in a file from
        here on."""
        prepared = []
        for letter in letters:
            validity, _, uid = letter.key.rpartition(":")
            digest, path, raw = hashlib.sha256(letter.raw).hexdigest(), "", letter.raw
            size = letter.size or len(raw)
            if len(raw) > _BIG:
                path = keep_blob(self._folder, raw, digest).relative_to(self._folder).as_posix()
                hit("large_letter_filed")
            prepared.append(
                (replace(letter, raw=b""), NewRaw(validity, uid, None if path else raw, path, size, digest))
            )
        return prepared

    async def _mark(self, account: str) -> None:
        """A server that lets nothing be marked or moved (a full mailbox) is told of by a leg of its own, and is tried again at
        the next look: letters are known by cursor and identity, so reading goes on as before."""
        leg = self._leg.replace("mailbox", "marks", 1)
        try:
            while places := await self._db.read(inbox.to_mark, account):
                await self._mailbox.mark([_place(p.validity, p.uid) for p in places])
                hit("mail_marked")
                await self._db.run(inbox.marked, places, self._clock())
                hit("mark_noted")
        except MailboxError as error:
            if error.lost:
                raise
            if not self._unmarked:
                log.warning("letters_not_marked", mailbox=self._leg, error=str(error))
            self._unmarked = True
            self._pulse.wrong(leg, str(error))
        else:
            self._unmarked = False
            self._pulse.ok(leg)

    async def _wait(self, stop: asyncio.Event) -> None:
        waiting = asyncio.ensure_future(self._mailbox.wait(self._wait_seconds))
        others = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._poked.wait())]
        try:
            await asyncio.wait({waiting, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*others, *([] if waiting.done() else [waiting])):
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        if (waiting.done() or waiting.cancelling()) and await _result(waiting):
            hit("idle_woken")

    async def _note_success(self) -> None:
        now = self._clock()
        if abs(now.timestamp() - self._noted) > _ANNOUNCE:  # it may have been noted by a clock that ran ahead
            self._noted = now.timestamp()
            await self._db.run(inbox.set_fact, f"{self._leg}_ok_at", now.isoformat(), now)


async def _result(waiting: asyncio.Future[bool]) -> bool:
    """What the wait says; being woken by something else is no error, and no news."""
    try:
        return await waiting
    except asyncio.CancelledError:
        if not waiting.cancelled():
            raise
        return False


def _place(validity: str, uid: str) -> Fetched:
    key = f"{validity}:{uid}" if validity else uid
    number = int(uid) if uid.isdigit() else 0
    return Fetched("", key, b"", uid=number, uidvalidity=int(validity) if validity.isdigit() else 0)
