"""The write-ahead log is moved into the file when nobody wants anything, by the writer."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from imbot.store.db import MOVE_EVERY, QUIET, Db
from imbot.store.engine import _PRAGMAS, raw_connection
from imbot.store.inbox import first_time
from imbot.store.writer import Job, Writer
from tests.store.conftest import NOW
from tests.store.test_db import keys_in


def moved_at(path: Path) -> int:
    return path.stat().st_mtime_ns


def size_of_log(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


async def test_the_log_is_moved_into_the_file_once_nobody_wants_anything(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "imbot.store.engine._PRAGMAS", (*_PRAGMAS, "PRAGMA wal_autocheckpoint=0")
    )  # nobody else does it
    moved: asyncio.Queue[None] = asyncio.Queue()
    loop, _move_log = asyncio.get_running_loop(), Writer.move_log

    def move_log(writer: Writer) -> None:
        _move_log(writer)
        loop.call_soon_threadsafe(moved.put_nowait, None)

    monkeypatch.setattr(Writer, "move_log", move_log)
    db = await Db.open(url)
    sizes = []
    for number in range(6):
        before = moved_at(path)
        for n in range(MOVE_EVERY):
            await db.run(first_time, f"{number}-{n}-{'k' * 2_000}", NOW)
        async with asyncio.timeout(30):
            await moved.get()
        assert moved_at(path) > before
        sizes.append(size_of_log(path))
    assert sizes[-1] < 2 * sizes[0]  # it is begun anew each time, and no longer than what one time needs
    assert len(keys_in(path)) == 6 * MOVE_EVERY
    await db.close()


async def test_a_log_that_cannot_be_moved_now_stops_nobody(url: str, path: Path) -> None:
    db = await Db.open(url)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM seen_keys").fetchone()  # a snapshot that the log must keep
        for n in range(MOVE_EVERY):
            await db.run(first_time, f"k{n}", NOW)
        await asyncio.sleep(4 * QUIET)
        for n in range(MOVE_EVERY):
            await db.run(first_time, f"more{n}", NOW)
    await db.close()
    assert len(keys_in(path)) == 2 * MOVE_EVERY


def test_moving_the_log_waits_for_nobody(path: Path) -> None:
    writer = Writer(path, busy_seconds=3_600)
    raw = raw_connection(writer.connection())
    raw.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(path)) as reader, closing(sqlite3.connect(path, isolation_level=None)) as other:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        raw.execute("INSERT INTO t VALUES (1)")
        writer.move_log()  # as far as the reader's snapshot
        reader.rollback()
        other.execute("BEGIN IMMEDIATE")
        before = moved_at(path)
        writer.move_log()
        assert moved_at(path) == before  # not beside another's transaction
        other.execute("ROLLBACK")
        writer.move_log()
        assert moved_at(path) > before
    assert raw_connection(writer.connection()) is raw  # nothing was wrong with it
    writer.write([job := Job(partial(first_time, key="k", now=NOW))])
    assert job.result is True
    writer.close()


def test_nobody_commits_while_the_log_is_moved(path: Path) -> None:
    writer, tried = Writer(path, busy_seconds=5.0), []
    raw = raw_connection(writer.connection())
    raw.execute("CREATE TABLE t (x)")

    def commit(statement: str) -> None:
        if statement.startswith("PRAGMA wal_checkpoint"):
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
                try:
                    other.execute("INSERT INTO t VALUES (1)")
                except sqlite3.OperationalError as error:
                    tried.append(str(error))

    raw.set_trace_callback(commit)
    writer.move_log()
    raw.set_trace_callback(None)
    assert tried == ["database is locked"]
    assert raw.execute("SELECT count(*) FROM t").fetchone() == (0,)
    writer.close()


def test_a_log_that_cannot_be_moved_at_all_stops_nobody(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_connection() -> None:
        raise OSError("no more files can be opened")

    writer = Writer(path, 5.0)
    monkeypatch.setattr(writer, "connection", no_connection)
    writer.move_log()
    monkeypatch.undo()
    job = Job(partial(first_time, key="k", now=NOW))
    writer.write([job])
    writer.close()
    assert (job.result, job.error) == (True, None)
