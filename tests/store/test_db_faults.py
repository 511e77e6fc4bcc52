"""The bridge to the data base when things go wrong: a full disk, a lock, a lost file."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection

from imbot.store.db import Db
from imbot.store.engine import raw_connection
from imbot.store.errors import StoreError, StoreUnavailable
from imbot.store.facts import fact, set_fact
from imbot.store.inbox import first_time
from tests.store.conftest import NOW
from tests.store.test_db import count_keys, keys_in


async def test_when_the_disk_is_full_each_function_is_tried_alone(db: Db, path: Path) -> None:
    def large(c: Connection, room: int) -> None:
        pages = c.exec_driver_sql("PRAGMA page_count").scalar_one() + room
        c.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        first_time(c, "large", NOW)
        set_fact(c, "large", "x" * 5_000_000, NOW)

    work = [db.run(first_time, "a", NOW), db.run(large, 20), db.run(first_time, "b", NOW)]
    small, too_large, other = await asyncio.gather(*work, return_exceptions=True)
    assert (small, other) == (True, True)
    assert isinstance(too_large, StoreUnavailable)
    assert str(too_large) == "the disk is full"
    assert keys_in(path) == {"a", "b"}
    await db.run(large, 5000)
    assert await db.read(fact, "large") == "x" * 5_000_000


async def test_a_disk_that_refuses_at_commit_is_said_and_nothing_is_half_done(db: Db, path: Path) -> None:
    await db.run(first_time, "before", NOW)
    wal = path.with_name("imbot.db-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 1000, hard))  # a file that may not grow, for this process
    try:
        with pytest.raises(StoreUnavailable, match="disk"):
            await db.run(first_time, "k", NOW)
        assert "disk" in db.trouble
        assert await db.read(count_keys) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await db.run(first_time, "k", NOW)
    assert db.trouble == ""
    assert keys_in(path) == {"before", "k"}


async def test_a_locked_data_base_is_an_error_in_time_and_then_works_again(url: str, path: Path) -> None:
    db = await Db.open(url, busy_seconds=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    work = [db.run(first_time, f"k{n}", NOW) for n in range(64)]
    failures = await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 10)
    assert {str(failure) for failure in failures} == {"the data base is locked by another program"}
    assert db.trouble == "the data base is locked by another program"
    with pytest.raises(StoreUnavailable, match="locked"):
        await db.checkpoint()
    other.execute("ROLLBACK")
    other.close()
    assert await db.run(first_time, "k0", NOW)
    assert db.trouble == ""
    await db.close()


async def test_a_lost_connection_is_opened_again(db: Db) -> None:
    def closed(c: Connection) -> None:
        raw_connection(c).close()

    with pytest.raises(StoreError):
        await db.run(closed)
    assert await db.run(first_time, "k", NOW)
    await db.run(lambda c: None)
    await db.checkpoint()


async def test_a_data_base_that_went_away_in_the_middle_is_said_to_all(db: Db, path: Path) -> None:
    aside = path.with_name("moved.db")

    def lose(c: Connection) -> None:
        path.rename(aside)
        raise StoreUnavailable("gone")

    work = [db.run(lose), db.run(first_time, "k", NOW)]
    failures = await asyncio.gather(*work, return_exceptions=True)
    assert {str(failure) for failure in failures} == {f"there is no data base at {path}"}
    with pytest.raises(StoreUnavailable, match="there is no data base"):
        await db.checkpoint()
    await asyncio.to_thread(aside.rename, path)
    assert await db.run(first_time, "k", NOW)


async def test_a_missing_data_base_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no data base at"):
        await Db.open(f"sqlite:///{tmp_path}/none.db")


async def test_a_file_that_is_no_data_base_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a data base at all" * 100)
    with pytest.raises(StoreError, match="not a database"):
        await Db.open(f"sqlite:///{tmp_path}/x.db")


async def test_nothing_hangs_when_the_thread_is_interrupted(db: Db) -> None:
    def interrupted(c: Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(StoreUnavailable, match="interrupted"):
        await db.run(interrupted)
    assert await db.run(first_time, "k", NOW)
