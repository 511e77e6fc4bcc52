"""The bridge from the event loop to the data base, and the one module of the store that may be async.

Writes go to one thread, which runs the functions that wait as a group: a savepoint each, one fsync for all. A caller is
answered after COMMIT only. If a group fails as a whole, each function runs again alone. Reads go to a few threads of
their own, each with a connection that cannot write: the same plain functions serve both sides, and a thread costs a read
0.1 ms where an async driver (a thread as well, behind a greenlet) costs 0.5.

    waiting -> group: BEGIN, (SAVEPOINT, fn, RELEASE)*, COMMIT -> answered
                 \\-> lost as a whole -> alone: BEGIN, fn, COMMIT, one after another -> answered
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from imbot.store.engine import connect, database_path, raw_connection
from imbot.store.errors import StoreUnavailable, translated

P = ParamSpec("P")
T = TypeVar("T")

GROUP = 64  # functions a commit; more would make the first of them wait


class _Job:
    """A function and the caller that waits for it. `error` stays None where it worked."""

    __slots__ = ("error", "fn", "future", "outside", "result")

    def __init__(self, fn: Callable[[Connection], Any], future: asyncio.Future[Any], outside: bool = False) -> None:
        self.fn = fn
        self.future = future
        self.outside = outside  # runs outside of any transaction (a checkpoint)
        self.result: Any = None
        self.error: BaseException | None = None


class _GroupLost(Exception):
    """The transaction of a group is gone; nothing of it happened."""


class Db:
    """Holds the connections and the threads of one data base. Made by `open`, ended by `close`."""

    def __init__(self, path: Path, busy_seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        self.trouble = ""
        self._path = path
        self._busy_seconds = busy_seconds
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._readers: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._callbacks: list[Callable[[], None]] = []
        self._writer_connection: Connection | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._thread = threading.Thread(target=self._write_for_ever, name="imbot-writer", daemon=True)
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, readers: int = 2, busy_seconds: float = 5.0) -> Db:
        """Opens an existing data base; brings no schema up to date. Raises StoreUnavailable, ConfigError."""
        db = cls(database_path(url), busy_seconds, asyncio.get_running_loop())
        await asyncio.to_thread(db._connect, readers)
        db._pool = ThreadPoolExecutor(readers, thread_name_prefix="imbot-reader")
        db._thread.start()
        return db

    def on_commit(self, callback: Callable[[], None]) -> None:
        """`callback` runs in the loop's thread after each commit that kept something, behind its callers' answers."""
        self._callbacks.append(callback)

    async def run(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn(connection, ...)` in a writing transaction and returns its result once that is durable.

        An exception of `fn` undoes what it wrote and reaches the caller. `fn` may be run twice, so it must do nothing
        outside its connection. Raises StoreUnavailable where the data base cannot take it now. A caller that is
        cancelled while waiting withdraws its function; once that has begun, it is carried out.
        """
        return await self._queued(partial(_call, fn, args, kwargs))

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn(connection, ...)` on one snapshot of what is committed. A write in it fails."""
        if self._closed or self._pool is None:
            raise StoreUnavailable("the data base is closed")
        return await self._loop.run_in_executor(self._pool, self._read, partial(_call, fn, args, kwargs))

    async def checkpoint(self) -> None:
        """Moves everything from the write-ahead log into the file and cuts the log, so that no erased text is left in it."""
        await self._queued(_checkpoint, outside=True)

    async def close(self) -> None:
        """Carries out what was queued, then closes. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown)
        while not self._readers.empty():
            _close(self._readers.get_nowait())

    async def _queued(self, fn: Callable[[Connection], T], *, outside: bool = False) -> T:
        if self._closed:
            raise StoreUnavailable("the data base is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(fn, future, outside))
        return await future

    # What follows runs in the threads.

    def _connect(self, readers: int) -> None:
        self._writer_connection = connect(self._path, busy_seconds=self._busy_seconds)
        for _ in range(readers):
            self._readers.put(connect(self._path, busy_seconds=self._busy_seconds, reading=True))

    def _read(self, fn: Callable[[Connection], T]) -> T:
        c = self._readers.get()  # as many as threads: never waits
        raw = raw_connection(c)
        try:
            raw.execute("BEGIN")
            return fn(c)
        except Exception as error:
            raise translated(error) from error
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            self._readers.put(c)

    def _write_for_ever(self) -> None:
        while True:
            jobs, last = self._next_group()
            if jobs:
                self._write(jobs)
            if last:
                break
        if self._writer_connection is not None:
            _close(self._writer_connection)

    def _next_group(self) -> tuple[list[_Job], bool]:
        """The functions that wait, at least one; and whether the end was called."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) >= GROUP or self._jobs.empty():
                return jobs, False
            job = self._jobs.get_nowait()
        return jobs, True

    def _write(self, jobs: Sequence[_Job]) -> None:
        """Carries out `jobs` and answers each. Whatever happens, the thread lives on and every caller is answered."""
        jobs = [job for job in jobs if not job.future.cancelled()]
        inside = [job for job in jobs if not job.outside]
        try:
            try:
                self._write_group(inside)
            except _GroupLost:
                self._write_alone(inside)
            for job in jobs:
                if job.outside:
                    self._run_outside(job)
        except BaseException as error:  # even a KeyboardInterrupt must not leave callers waiting for ever
            for job in jobs:
                job.error = job.error or translated_base(error)
        kept = any(job.error is None for job in inside)
        try:
            self._loop.call_soon_threadsafe(self._answer, jobs, kept)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _write_group(self, jobs: Sequence[_Job]) -> None:
        """One transaction for all. A function that fails loses its own savepoint only."""
        if not jobs:
            return
        c = self._begin(jobs)
        if c is None:
            return
        raw = raw_connection(c)
        for job in jobs:
            raw.execute("SAVEPOINT job")
            try:
                job.result, job.error = job.fn(c), None
            except Exception as error:
                job.error = translated(error)
                if not raw.in_transaction or isinstance(job.error, StoreUnavailable):
                    self._roll_back(raw)
                    raise _GroupLost from error
                raw.execute("ROLLBACK TO job")
            if not raw.in_transaction:  # the function ended our transaction itself
                raise _GroupLost
            raw.execute("RELEASE job")
        try:
            raw.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back(raw)
            raise _GroupLost from error
        self.trouble = ""

    def _write_alone(self, jobs: Sequence[_Job]) -> None:
        """A transaction each, after a group was lost: one bad function or one too large for the disk stops no other."""
        for number, job in enumerate(jobs):
            c = self._begin(jobs[number:])
            if c is None:
                return
            raw = raw_connection(c)
            try:
                job.result, job.error = job.fn(c), None
                if not raw.in_transaction:
                    raise StoreUnavailable("a transaction was ended from inside")
                raw.execute("COMMIT")
                self.trouble = ""
            except Exception as error:
                job.error = translated(error)
                if isinstance(job.error, StoreUnavailable):
                    self.trouble = str(job.error)
                self._roll_back(raw)

    def _begin(self, jobs: Sequence[_Job]) -> Connection | None:
        """A connection within a fresh transaction; or None, and then all of `jobs` have their error."""
        try:
            if self._writer_connection is None:
                self._writer_connection = connect(self._path, busy_seconds=self._busy_seconds)
            raw_connection(self._writer_connection).execute("BEGIN IMMEDIATE")
        except Exception as error:
            reason = translated(error)
            self.trouble = str(reason)
            for job in jobs:
                job.error = reason
            return None
        return self._writer_connection

    def _roll_back(self, raw: sqlite3.Connection) -> None:
        """Leaves no transaction open; a connection that cannot even do that is opened anew."""
        try:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
        except sqlite3.Error:
            if self._writer_connection is not None:
                _close(self._writer_connection)
            self._writer_connection = None

    def _run_outside(self, job: _Job) -> None:
        try:
            if self._writer_connection is None:
                self._writer_connection = connect(self._path, busy_seconds=self._busy_seconds)
            job.result = job.fn(self._writer_connection)
        except Exception as error:
            job.error = translated(error)

    def _answer(self, jobs: Sequence[_Job], kept: bool) -> None:
        """Runs in the loop's thread."""
        for job in jobs:
            if job.future.done():
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)
        if kept:
            for callback in self._callbacks:
                callback()


def once(url: str, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """One writing transaction without a loop, for the command line; the service may be running beside it."""
    c = connect(database_path(url))
    raw = raw_connection(c)
    try:
        raw.execute("BEGIN IMMEDIATE")
        result = fn(c, *args, **kwargs)
        raw.execute("COMMIT")
        return result
    except Exception as error:
        raise translated(error) from error
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        _close(c)


def translated_base(error: BaseException) -> BaseException:
    return translated(error) if isinstance(error, Exception) else StoreUnavailable("the data base was interrupted")


def _call(fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], c: Connection) -> T:
    return fn(c, *args, **kwargs)


def _checkpoint(c: Connection) -> None:
    busy, _, _ = raw_connection(c).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreUnavailable("the data base is locked by another program")


def _close(c: Connection) -> None:
    c.invalidate()  # NullPool: closes the vendor's connection without a farewell ROLLBACK
    c.close()
