"""The bridge from the event loop to the data base, and the one module of the store that may be async.

Writes go to one thread, which commits the functions that wait as a group (`store.writer`); a caller is answered after
COMMIT only. Reads go to a few threads of their own, each with a connection that cannot write: the same plain functions
serve both sides, and a thread costs a read 0.15 ms where an async driver (a thread as well, behind a greenlet) costs 0.5.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection

from imbot.domain.parcels import Parcel
from imbot.store.engine import connect, database_path, disconnect, raw_connection
from imbot.store.errors import StoreUnavailable, in_our_words
from imbot.store.told import note_new
from imbot.store.touched import UNTOLD
from imbot.store.writer import Job, Writer

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
# How long the loop may wait for a thread of ours that computes: Python's 5 ms, twice over, are a stall that people can measure.
SWITCH_SECONDS = 0.001

GROUP = 64  # functions a commit; more would make the first of them wait
# After so many commits the writer moves the log into the file, once nobody has wanted anything for so many seconds: every 30th
# caller would wait for that otherwise. No other thread does: a checkpoint beside a commit may break the data base
# (`Writer.move_log`).
MOVE_EVERY, QUIET = 20, 0.05
# Seconds until what a letter tells is noted where nobody writes before, in front of whom it goes; and where it could not be, at
# first and in the end.
_NOTE_SOON, _NOTE_AGAIN, _LONGEST = 0.05, 1.0, 60.0


class Db:
    """Holds the connections and the threads of one data base. Made by `open`, ended by `close`."""

    def __init__(self, path: Path, readers: int, busy_seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._loop = loop
        self._writer = Writer(path, busy_seconds)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._readers: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._callbacks: list[tuple[str, Callable[[], None]]] = []
        self._takers: list[Callable[[Sequence[Parcel]], None]] = []
        self._unnoted_for = 0.0  # seconds until the next try, where the last one failed
        self._untold, self._noting = False, False  # what letters tell (`store.told`) is to be noted, and is being noted
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="imbot-reader")
        self._thread = threading.Thread(target=self._write_for_ever, name="imbot-writer", daemon=True)
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, readers: int = 2, busy_seconds: float = 3.0) -> Db:
        """Opens an existing data base; brings no schema up to date. `busy_seconds`: of patience with another program that
        writes; one group may wait for so long behind another, and somebody waits for the answer. Raises StoreUnavailable,
        ConfigError."""
        db = cls(database_path(url), readers, busy_seconds, asyncio.get_running_loop())
        await asyncio.to_thread(db._connect, readers)
        sys.setswitchinterval(SWITCH_SECONDS)
        db._thread.start()
        db._are_to_note(0)  # what the last one of us had put off
        return db

    @property
    def trouble(self) -> str:
        """Why the last writing transaction failed as a whole; "" when it did not."""
        return self._writer.trouble

    def on_commit(self, callback: Callable[[], None], touching: str = "") -> None:
        """`callback` runs in the loop's thread after each commit that kept something, behind its callers' answers. `touching`:
        only where something of the kind was noted as changed (`store.touched`)."""
        self._callbacks.append((touching, callback))

    def on_taken(self, callback: Callable[[Sequence[Parcel]], None]) -> None:
        """`callback` is given the parcels that were claimed as they were put (`outbox.put`), behind each commit that did so and
        before its callers are answered."""
        self._takers.append(callback)

    async def run(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn(connection, ...)` in a writing transaction and returns its result once that is durable.

        An exception of `fn` undoes what it wrote and reaches the caller. `fn` may be run twice, so it must do nothing
        outside its connection. Raises StoreUnavailable where the data base cannot take it now. A caller that is
        cancelled while waiting withdraws its function; once that has begun, it is carried out.
        """
        return await self._queued(partial(_call, fn, args, kwargs))

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn(connection, ...)` on one snapshot of what is committed. A write in it fails."""
        if self._closed:
            raise StoreUnavailable("the data base is closed")
        return await self._loop.run_in_executor(self._pool, self._read, partial(_call, fn, args, kwargs))

    async def checkpoint(self) -> None:
        """Moves everything from the write-ahead log into the file and cuts the log, so that no erased text is left in it."""
        if self._closed:
            raise StoreUnavailable("the data base is closed")
        await self._loop.run_in_executor(self._pool, self._checkpoint)

    async def close(self) -> None:
        """Carries out what was queued, then closes. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._pool.shutdown)
        while not self._readers.empty():
            disconnect(self._readers.get_nowait())

    async def _queued(self, fn: Callable[[Connection], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the data base is closed")
        self._note_what_is_told()
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(Job(fn, future))
        return await future

    def _note_what_is_told(self) -> None:
        """Goes into the queue before anything that can follow the letter, and not while its person waits for it to be sent."""
        if not self._untold or self._noting or self._closed:
            return
        self._untold, self._noting = False, True
        future: asyncio.Future[bool] = self._loop.create_future()
        future.add_done_callback(self._noted)
        self._jobs.put(Job(note_new, future))

    def _noted(self, future: asyncio.Future[bool]) -> None:
        self._noting = False
        error = future.exception()
        if error is not None:
            if self._unnoted_for == 0:
                log.error("letters_not_noted", error=str(error))
            self._unnoted_for = min(2 * self._unnoted_for or _NOTE_AGAIN, _LONGEST)
            self._loop.call_later(self._unnoted_for, self._are_to_note, 0)
            return
        self._unnoted_for = 0.0
        if future.result():
            self._are_to_note(0)
        else:
            self._note_what_is_told()  # of what was put meanwhile

    def _are_to_note(self, seconds: float) -> None:
        self._untold = True
        if seconds:
            self._loop.call_later(seconds, self._note_what_is_told)
        else:
            self._note_what_is_told()

    def _answer(self, jobs: Sequence[Job], touched: frozenset[str], taken: Sequence[Parcel]) -> None:
        if UNTOLD in touched:
            self._are_to_note(_NOTE_SOON)
        try:
            for taker in self._takers if taken else ():
                taker(taken)
        finally:  # whatever becomes of them, what is committed is answered
            for job in jobs:
                future: asyncio.Future[Any] = job.waiter
                if future.done():
                    continue
                if job.error is None:
                    future.set_result(job.result)
                else:
                    future.set_exception(job.error)
        if any(job.error is None for job in jobs):
            for touching, callback in self._callbacks:
                if not touching or touching in touched:
                    callback()

    # What follows runs in the threads.

    def _connect(self, readers: int) -> None:
        self._writer.connection()
        for _ in range(readers):
            self._readers.put(connect(self._path, busy_seconds=self._busy_seconds, reading=True))

    def _read(self, fn: Callable[[Connection], T]) -> T:
        c = self._readers.get()  # as many as threads: never waits
        raw = raw_connection(c)
        try:
            with in_our_words():
                raw.execute("BEGIN")
                return fn(c)
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            self._readers.put(c)

    def _checkpoint(self) -> None:
        if not cut_log(self._path, self._busy_seconds):
            raise StoreUnavailable("the data base is locked by another program")

    def _write_for_ever(self) -> None:
        last, unmoved = False, 0
        while not last:
            try:
                jobs, last = self._next_group(QUIET if unmoved >= MOVE_EVERY else None)
            except queue.Empty:
                self._writer.move_log()
                unmoved = 0
                continue
            if not jobs:
                continue
            self._writer.write(jobs)
            unmoved += 1
            try:
                self._loop.call_soon_threadsafe(self._answer, jobs, self._writer.touched, self._writer.taken)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue
        self._writer.close()

    def _next_group(self, patience: float | None) -> tuple[list[Job], bool]:
        """The functions that wait and whose callers still do; and whether the end was called. Raises queue.Empty where there is
        none within `patience`."""
        jobs: list[Job] = []
        job = self._jobs.get(timeout=patience)
        while job is not None:
            if not job.waiter.cancelled():
                jobs.append(job)
            if len(jobs) >= GROUP or self._jobs.empty():
                return jobs, False
            job = self._jobs.get_nowait()
        return jobs, True


def once(url: str, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """One writing transaction without a loop, for the command line; the service may be running beside it."""
    writer = Writer(database_path(url), busy_seconds=5.0)
    job = Job(partial(_call, fn, args, kwargs))
    try:
        writer.write([job])
    finally:
        writer.close()
    if job.error is not None:
        raise job.error
    result: T = job.result
    return result


def cut_log(path: Path, busy_seconds: float = 5.0) -> bool:
    """Moves everything into the file and empties the write-ahead log, so that no erased text is left in it. False: another
    program is reading, and it stays as it is."""
    c = connect(path, busy_seconds=busy_seconds)
    try:
        with in_our_words():
            busy, _, _ = raw_connection(c).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        disconnect(c)
    return not busy


def _call(fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], c: Connection) -> T:
    return fn(c, *args, **kwargs)
