"""Group commit: several functions, one transaction, one fsync. Lives in one thread; knows no loop.

    BEGIN, (SAVEPOINT, fn, RELEASE)*, COMMIT        the usual way
    lost as a whole -> (BEGIN, fn, COMMIT)*         each alone: one bad function, or one too large for the disk, stops no other

Whatever goes wrong with the connection itself, it is closed (which undoes what was open) and opened anew when next needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from imbot.domain.parcels import Parcel
from imbot.failpoints import hit
from imbot.store.engine import connect, disconnect, raw_connection
from imbot.store.errors import StoreError, StoreUnavailable, translated
from imbot.store.touched import all_taken, count_taken, forget_taken, take_touched


class Job:
    """A function, and how it ended. `waiter` is the caller's and not looked at."""

    __slots__ = ("error", "fn", "result", "waiter")

    def __init__(self, fn: Callable[[Connection], Any], waiter: Any = None) -> None:
        self.fn = fn
        self.waiter = waiter
        self.result: Any = None
        self.error: Exception | None = None


class _GroupLost(Exception):
    """The transaction of a group is gone; nothing of it happened."""


class Writer:
    """The one connection that writes. `trouble`: why the last transaction failed as a whole, "" when it did not. `touched` and
    `taken`: what the functions of the last `write` have noted as changed, and claimed (`store.touched`)."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.trouble = ""
        self.touched: frozenset[str] = frozenset()
        self.taken: list[Parcel] = []
        self._path = path
        self._busy_seconds = busy_seconds
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self._path, busy_seconds=self._busy_seconds)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            disconnect(self._connection)
            self._connection = None

    def move_log(self) -> None:
        """Moves the write-ahead log into the file, as far as readers let it, unless somebody else is writing; waits for nobody.
        Where it fails, a commit does it, once the log is long (`engine.LONG_LOG`), and says what is wrong."""
        try:
            raw = raw_connection(self.connection())
            # A second connection bears the lock of writers meanwhile: a commit of the command line in the midst of it may meet
            # SQLite's WAL-reset bug, which breaks the data base (sqlite.org/wal.html#walresetbug; before 3.51.3). FULL has that
            # lock as well, but goes on without it where somebody else has it.
            with closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as guard:
                guard.execute("BEGIN IMMEDIATE")
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.OperationalError:
            pass  # somebody else writes: another time
        except Exception:  # whatever it is, the writer goes on
            self.close()

    def write(self, jobs: Sequence[Job]) -> None:
        """Runs each function and commits. Afterwards every job has a result that is durable, or an error."""
        self.touched, self.taken = frozenset(), []
        try:
            try:
                self._write_group(jobs)
            except _GroupLost:
                self._write_alone(jobs)
        except BaseException as error:  # not even a KeyboardInterrupt may leave callers waiting for ever
            self.close()
            for job in jobs:
                job.error = job.error or StoreUnavailable(f"the data base was interrupted ({type(error).__name__})")

    def _write_group(self, jobs: Sequence[Job]) -> None:
        """A function that fails loses its own savepoint only."""
        c = self._begin(jobs)
        if c is None:
            return
        raw = raw_connection(c)
        try:
            for job in jobs:
                self._run_in_savepoint(job, c, raw)
            raw.execute("COMMIT")
            self.touched, self.taken = take_touched(c), all_taken(c)
            hit("group_committed")
        except (sqlite3.Error, _GroupLost) as error:
            self.close()
            raise _GroupLost from error
        self.trouble = ""

    def _run_in_savepoint(self, job: Job, c: Connection, raw: sqlite3.Connection) -> None:
        raw.execute("SAVEPOINT job")
        before = count_taken(c)
        try:
            job.result, job.error = job.fn(c), None
        except Exception as error:
            job.error = translated(error)
            if isinstance(job.error, StoreUnavailable):
                raise _GroupLost from error  # SQLite may have ended the transaction by itself
            raw.execute("ROLLBACK TO job")
            forget_taken(c, before)
        hit("in_transaction")
        raw.execute("RELEASE job")  # fails where the function ended the transaction

    def _write_alone(self, jobs: Sequence[Job]) -> None:
        for number, job in enumerate(jobs):
            c = self._begin(jobs[number:])
            if c is None:
                return
            try:
                job.result, job.error = job.fn(c), None
                if not raw_connection(c).in_transaction:
                    raise StoreError("a function ended the transaction that it was given")
                raw_connection(c).execute("COMMIT")
                self.touched |= take_touched(c)
                self.taken += all_taken(c)
                self.trouble = ""
            except Exception as error:
                self.close()
                job.error = translated(error)
                if isinstance(job.error, StoreUnavailable):
                    self.trouble = str(job.error)

    def _begin(self, jobs: Sequence[Job]) -> Connection | None:
        """A connection within a fresh transaction; or None, and then all of `jobs` have their error at once: waiting for a
        lock once for each of them would take minutes."""
        try:
            raw_connection(self.connection()).execute("BEGIN IMMEDIATE")
        except Exception as error:
            self.close()
            reason = translated(error)
            self.trouble = str(reason)
            for job in jobs:
                job.error = reason
            return None
        return self._connection
