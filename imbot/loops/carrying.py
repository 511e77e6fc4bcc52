"""Carries out what the watcher has kept: count -> read in the child -> look (in a thread) -> receive, in batches, in order.

    kept -> (reader ready) counted -> read -> looked -> received
                            |         | refused: quarantine
                            |         +- died: its try is spent, those behind it get theirs back; it waits behind all others
                            |                  -> counted ...
                            +- its tries are spent: quarantine

A letter's first reading is one of a batch; one that was counted before (its reader died, or we did) is read alone, so that
it spoils no neighbour's chance. While one batch is received the next one is being read. Letters are handed to the one writer
in the order in which they came. Only those that ended their reader lose their place: one of them is tried again when nothing
else is left, and then new letters are looked for before the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.failpoints import hit
from imbot.loops.pulse import Clock
from imbot.services import reports
from imbot.services.env import Env
from imbot.services.keeping import Scope
from imbot.services.reports import Looked
from imbot.store import inbox
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.inbox import RawLetter

log = structlog.get_logger(__name__)

_PROBLEMS = 5  # of a letter that are logged
_LETTERS, _BYTES = 50, 4 * 1024 * 1024  # of a batch; a larger letter is one of its own


class Reads(Protocol):
    @property
    def is_ready(self) -> bool: ...
    async def ready(self) -> None: ...
    async def read_many(self, letters: Sequence[bytes | Path]) -> Sequence[InboundMail | LetterRefused]: ...


@dataclass(frozen=True, slots=True)
class _Ready:
    """A letter that was read, or whose reading ended otherwise: `mail` and `looked`, or the `error`."""

    kept: RawLetter
    attempt: int
    mail: InboundMail | None = None
    looked: Looked | None = None
    error: Exception | None = None


class Carrying:
    """The letters without a fate of the mailbox `name`, or of all mailboxes but `besides` where that
    is "". `folder` holds raw letters that are too large for the table."""

    def __init__(
        self, db: Db, reader: Reads, folder: Path, env: Env, clock: Clock, name: str, besides: Sequence[str] = ()
    ) -> None:
        self._db, self._reader, self._folder, self._env, self._clock = db, reader, folder, env, clock
        self._name, self._besides = name, tuple(besides)
        self._died: dict[
            int, None
        ] = {}  # letters that ended their reader in this run, in the order of their next tries

    @property
    def scope(self) -> Scope | None:
        """Whose letters are read next, and at once; None while nobody can read: no try of theirs begins yet."""
        return (self._name, self._besides) if self._reader.is_ready else None

    async def carry_out(self, stop: asyncio.Event, counted: Sequence[RawLetter] = ()) -> bool:
        """Everything that is kept and has no fate, but of letters that ended their reader only one: True, if there are more
        of them, which are to be tried after new letters were looked for. `counted`: those that come first, as `keeping.keep`
        returned them. Raises StoreUnavailable."""
        if counted and not stop.is_set():
            hit("attempts_counted")
            ready = await self._read(counted)
            if await self._receive(ready) and len(ready) == len(counted) and not self._died:
                return False  # these were all: another look would only delay what they have set going
        while await self._once(stop):
            pass
        if self._died and not stop.is_set():
            await self._again(next(iter(self._died)))
        return bool(self._died)

    async def _again(self, id: int) -> None:
        """Another try of one that ended its reader."""
        found = await self._unread(id - 1, 1)
        if not found or found[0].id != id:
            self._died.pop(id, None)
            return
        await self._count([id])
        await self._receive(await self._read(found))

    async def _count(self, ids: Sequence[int]) -> None:
        """A try begins when somebody can read: while a reader starts we may die for many reasons, none of which is a letter."""
        await self._reader.ready()
        await self._db.run(inbox.count_attempts, ids)
        hit("attempts_counted")

    async def _unread(self, behind: int, most: int) -> list[RawLetter]:
        return await self._db.read(inbox.unread, most, self._name, behind, _BYTES, self._besides)

    async def _once(self, stop: asyncio.Event) -> bool:
        """One pass over the letters; True if there was any. Those that must be tried again are left to the next pass, or to
        `_again`."""
        behind, any_read, receiving = 0, False, None
        ready: list[_Ready] = []
        try:
            while not stop.is_set():
                kept = await self._unread(behind, _LETTERS)
                if not kept:
                    break
                waiting = [letter for letter in kept if letter.id not in self._died]
                if not waiting:
                    behind = kept[-1].id
                    continue
                batch, any_read = _batch(waiting), True
                await self._count([letter.id for letter in batch])
                receiving = asyncio.ensure_future(self._receive(ready))  # behind the counting, beside the reading
                ready = await self._read(batch)
                await receiving
                behind = ready[-1].kept.id
                if len(ready) == len(kept) < _LETTERS and sum(letter.size for letter in kept) < _BYTES:
                    break  # there were no more: what has come meanwhile is the next pass's
        finally:
            if receiving is not None:
                await receiving
        await self._receive(ready)
        return any_read

    async def _read(self, batch: Sequence[RawLetter]) -> list[_Ready]:
        """What was counted is read and looked at. Ends with the letter that the reader died on."""
        if batch[0].attempts >= reports.DEATHS:
            return [_Ready(batch[0], batch[0].attempts + 1)]
        answers = await self._reader.read_many([self._raw(letter) for letter in batch])
        hit("letter_read")
        skipped = [letter.id for letter in batch[len(answers) :]]
        if skipped:
            await self._db.run(inbox.count_attempts, skipped, -1)
        return await asyncio.to_thread(self._look, batch[: len(answers)], answers)

    def _raw(self, letter: RawLetter) -> bytes | Path:
        return letter.raw if letter.raw is not None else self._folder / letter.path

    def _look(self, batch: Sequence[RawLetter], answers: Sequence[InboundMail | LetterRefused]) -> list[_Ready]:
        """In a thread: slow for a letter that is made to be, and files of support are written to the disk."""
        ready = []
        for letter, answer in zip(batch, answers, strict=True):
            attempt = letter.attempts + 1
            if isinstance(answer, LetterRefused):
                ready.append(_Ready(letter, attempt, error=answer))
                continue
            if answer.problems:
                log.info("letter_mended", mail=letter.id, problems=answer.problems[:_PROBLEMS])
            try:
                ready.append(_Ready(letter, attempt, answer, reports.prepare(answer, self._env, letter.mailbox)))
            except Exception as error:  # the item border
                ready.append(_Ready(letter, attempt, error=error))
        return ready

    async def _receive(self, ready: Sequence[_Ready]) -> bool:
        """All at once to the one writer, which takes them in this order. Returns whether each has its fate."""
        done = await asyncio.gather(*(self._one(one) for one in ready), return_exceptions=True)
        outcomes = {one.kept.id: outcome for one, outcome in zip(ready, done, strict=True) if isinstance(outcome, str)}
        if outcomes:  # one line for all of them: fifty would hold up the loop
            log.info("letters_received", outcomes={str(id): outcome for id, outcome in outcomes.items()})
        for error in done:
            if isinstance(error, BaseException):
                raise error
        return len(outcomes) == len(ready)

    async def _one(self, ready: _Ready) -> str | None:
        """The item border: whatever a letter does, it is set aside at the last try. Returns its outcome, None: no fate yet."""
        id = ready.kept.id
        self._died.pop(id, None)
        if ready.attempt > reports.DEATHS:
            reason = f"imbot ended {reports.DEATHS} times while it was read"
            return await self._db.run(reports.refuse, id, reason, self._clock())
        try:
            if ready.error is not None:
                raise ready.error
            if ready.mail is None:
                raise TypeError("a letter without an answer")
            outcome = await self._db.run(reports.receive, id, ready.mail, self._clock(), self._env, ready.looked)
            hit("report_applied")
            return outcome
        except LetterRefused as error:
            if ready.attempt >= reports.TRIES or not error.died:
                return await self._db.run(reports.refuse, id, str(error), self._clock())
            self._died[id] = None
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("letter_set_aside", mail=id)
            if ready.attempt >= reports.TRIES:
                return await self._db.run(reports.refuse, id, f"internal error: {error!r}", self._clock())
        return None


def _batch(kept: Sequence[RawLetter]) -> list[RawLetter]:
    """The first letters that were never tried; or the first one alone, if it was."""
    batch = []
    for letter in kept:
        if letter.attempts:
            break
        batch.append(letter)
    return batch or [kept[0]]
