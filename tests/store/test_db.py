from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from imbot.domain.errors import ConfigError, NotFound
from imbot.domain.parcels import Kind, NewParcel
from imbot.store import outbox
from imbot.store.db import Db, once
from imbot.store.errors import StoreError, StoreUnavailable
from imbot.store.facts import set_fact
from imbot.store.inbox import first_time
from imbot.store.touched import OUTBOX
from tests.store.conftest import NOW


def count_keys(c: Connection) -> int:
    return int(c.execute(text("SELECT count(*) FROM seen_keys")).scalar_one())


def keys_in(path: Path) -> set[str]:
    other = sqlite3.connect(path)
    try:
        return {row[0] for row in other.execute("SELECT key FROM seen_keys")}
    finally:
        other.close()


def add_then_fail(c: Connection, key: str) -> None:
    first_time(c, key, NOW)
    raise NotFound("no such ticket")


async def test_a_result_comes_back_and_is_durable(db: Db, path: Path) -> None:
    assert await db.run(first_time, "k", now=NOW)
    assert not await db.run(first_time, "k", NOW)
    assert keys_in(path) == {"k"}
    assert await db.read(count_keys) == 1


async def test_sixty_four_waiting_writers_share_commits_and_each_gets_its_own_answer(db: Db, path: Path) -> None:
    groups = 0

    def count_groups() -> None:
        nonlocal groups
        groups += 1

    db.on_commit(count_groups)
    answers = await asyncio.gather(*(db.run(first_time, f"k{n % 48}", NOW) for n in range(64)))
    assert sum(answers) == 48
    assert len(keys_in(path)) == 48
    assert 1 <= groups < 64


async def test_a_failing_function_undoes_only_its_own_writes(db: Db, path: Path) -> None:
    work = [db.run(first_time, "a", NOW), db.run(add_then_fail, "b"), db.run(first_time, "c", NOW)]
    first, second, third = await asyncio.gather(*work, return_exceptions=True)
    assert (first, third) == (True, True)
    assert isinstance(second, NotFound)
    assert keys_in(path) == {"a", "c"}


async def test_a_refused_statement_is_our_own_error_and_bears_no_values(db: Db) -> None:
    def twice(c: Connection) -> None:
        for _ in range(2):
            c.execute(text("INSERT INTO seen_keys(key, at) VALUES ('anna@company.ru', 1)"))

    with pytest.raises(StoreError, match="UNIQUE") as caught:
        await db.run(twice)
    assert not isinstance(caught.value, StoreUnavailable)
    assert "anna" not in str(caught.value)
    assert await db.read(count_keys) == 0


async def test_a_read_cannot_write(db: Db) -> None:
    with pytest.raises(StoreUnavailable, match="written"):
        await db.read(first_time, "k", NOW)
    assert await db.read(count_keys) == 0


async def test_a_read_sees_one_snapshot(db: Db) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def twice(c: Connection) -> tuple[int, int]:
        before = count_keys(c)
        entered.set()
        assert go_on.wait(10)
        return before, count_keys(c)

    reading = asyncio.create_task(db.read(twice))
    await asyncio.to_thread(entered.wait, 10)
    await db.run(first_time, "k", NOW)
    go_on.set()
    assert await reading == (0, 0)
    assert await db.read(count_keys) == 1


async def test_a_failing_read_raises_what_the_function_raised(db: Db) -> None:
    def missing(c: Connection) -> None:
        raise NotFound("no such ticket")

    with pytest.raises(NotFound):
        await db.read(missing)
    assert await db.read(count_keys) == 0


async def test_a_commit_is_told_after_the_answers_and_a_failure_is_not(db: Db) -> None:
    told: list[str] = []
    await db.run(count_keys)  # behind what the opening has queued
    db.on_commit(lambda: told.append("commit"))
    with pytest.raises(NotFound):
        await db.run(add_then_fail, "a")
    assert told == []
    await db.run(first_time, "a", NOW)
    await asyncio.sleep(0)
    assert told == ["commit"]


async def test_the_outbox_is_told_of_only_where_a_parcel_may_go_at_another_moment_than_before(db: Db) -> None:
    told: list[str] = []
    db.on_commit(lambda: told.append("outbox"), OUTBOX)
    await db.run(first_time, "a", NOW)
    await asyncio.sleep(0)
    assert told == []
    parcel = NewParcel("chat:telegram:1", "telegram", "k", Kind.NOTICE)
    await db.run(outbox.put, parcel, NOW)
    await asyncio.sleep(0)
    assert told == ["outbox"]
    await db.run(outbox.put, parcel, NOW)  # its key is known: nothing happens
    await asyncio.sleep(0)
    assert told == ["outbox"]
    (claimed,) = await db.run(outbox.claim, NOW, 1)
    await db.run(outbox.again, claimed, NOW, "not now")
    await asyncio.sleep(0)
    assert told == ["outbox", "outbox"]


async def test_a_function_alone_in_its_transaction_tells_of_the_outbox_as_well(db: Db, path: Path) -> None:
    told: list[str] = []
    db.on_commit(lambda: told.append("outbox"), OUTBOX)

    def rude(c: Connection) -> None:
        c.exec_driver_sql("ROLLBACK")

    parcel = NewParcel("chat:telegram:1", "telegram", "k", Kind.NOTICE)
    put, ended = await asyncio.gather(db.run(outbox.put, parcel, NOW), db.run(rude), return_exceptions=True)
    assert put is True
    assert isinstance(ended, StoreError)
    await asyncio.sleep(0)
    assert told == ["outbox"]


async def test_a_function_that_ends_the_transaction_spoils_it_for_no_other(db: Db, path: Path) -> None:
    runs: dict[str, int] = {}

    def rude(c: Connection) -> None:
        runs["rude"] = runs.get("rude", 0) + 1
        c.exec_driver_sql("ROLLBACK")

    def polite(c: Connection, key: str) -> None:
        runs[key] = runs.get(key, 0) + 1
        first_time(c, key, NOW)

    held, entered = threading.Event(), threading.Event()

    def hold(c: Connection) -> None:
        entered.set()
        assert held.wait(10)

    first = asyncio.create_task(db.run(hold))
    await asyncio.to_thread(entered.wait, 10)
    rest = asyncio.gather(db.run(polite, "a"), db.run(rude), db.run(polite, "b"), return_exceptions=True)
    await asyncio.sleep(0)  # all three are queued and make one group
    held.set()
    await first
    done, failed, also_done = await rest
    assert (done, also_done) == (None, None)
    assert isinstance(failed, StoreError)
    assert keys_in(path) == {"a", "b"}
    assert runs == {"a": 2, "rude": 2, "b": 1}


async def test_a_caller_that_gave_up_before_its_turn_changes_nothing(db: Db, path: Path) -> None:
    held, entered = threading.Event(), threading.Event()

    def hold(c: Connection) -> None:
        entered.set()
        assert held.wait(10)

    first = asyncio.create_task(db.run(hold))
    await asyncio.to_thread(entered.wait, 10)
    second = asyncio.create_task(db.run(first_time, "k", NOW))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    first.cancel()  # has begun: it is carried out, and nobody is there to be answered
    await asyncio.sleep(0)
    held.set()
    await db.run(first_time, "other", NOW)
    assert keys_in(path) == {"other"}


async def test_closing_carries_out_what_was_queued(url: str, path: Path) -> None:
    db = await Db.open(url)
    work = [asyncio.create_task(db.run(first_time, f"k{n}", NOW)) for n in range(200)]
    await asyncio.sleep(0)
    await db.close()
    await db.close()
    assert all(await asyncio.gather(*work))
    assert len(keys_in(path)) == 200
    for refused in (db.run(first_time, "k", NOW), db.read(count_keys), db.checkpoint()):
        with pytest.raises(StoreUnavailable, match="closed"):
            await refused
    assert not path.with_name("imbot.db-wal").exists()


async def test_files_are_for_the_owner_only(db: Db, path: Path) -> None:
    await db.run(first_time, "k", NOW)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) & 0o077 for file in path.parent.iterdir()}
    assert set(modes) == {"imbot.db", "imbot.db-wal", "imbot.db-shm"}
    assert set(modes.values()) == {0}


async def test_an_erased_text_is_in_no_file_after_a_checkpoint(db: Db, path: Path) -> None:
    await db.run(set_fact, "code", "SECRET-ABCD2345", NOW)
    await db.run(set_fact, "code", "", NOW)
    await db.checkpoint()
    assert all(b"ABCD2345" not in file.read_bytes() for file in path.parent.iterdir())


async def test_a_code_is_in_no_file_once_it_is_settled(db: Db, path: Path) -> None:
    parcel = NewParcel("signin:x", "smtp", "code:1", Kind.CODE, {"code": "SECRET-ABCD2345"})
    await db.run(outbox.put, parcel, NOW)
    (claimed,) = await db.run(outbox.claim, NOW, 1)
    await db.run(outbox.settle, claimed, "sent", NOW)
    await db.checkpoint()
    assert all(b"ABCD2345" not in file.read_bytes() for file in path.parent.iterdir())


async def test_a_read_that_ends_its_snapshot_harms_no_other(db: Db) -> None:
    await db.read(lambda c: c.exec_driver_sql("ROLLBACK"))
    assert [await db.read(count_keys) for _ in range(4)] == [0, 0, 0, 0]


async def test_parcels_are_claimed_once_by_many(db: Db) -> None:
    for n in range(40):
        await db.run(outbox.put, NewParcel(f"chat:{n % 10}", "telegram", f"k{n}", Kind.NOTICE), NOW)
    order: dict[str, list[int]] = {}

    async def work() -> None:
        while batch := await db.run(outbox.claim, NOW, 3):
            for parcel in batch:
                order.setdefault(parcel.lane, []).append(int(parcel.key[1:]))
                assert await db.run(outbox.settle, parcel, "shown", NOW)

    while await db.read(outbox.open_parcels, 1):
        await asyncio.gather(*(work() for _ in range(8)))
    assert sorted(key for keys in order.values() for key in keys) == list(range(40))
    assert all(keys == sorted(keys) for keys in order.values())


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "postgresql://h/d", "mongo://x"])
async def test_other_urls_are_refused_in_words(url: str) -> None:
    with pytest.raises(ConfigError, match="data base"):
        await Db.open(url)


def test_once_is_one_transaction_beside_a_running_service(url: str, path: Path) -> None:
    assert once(url, first_time, "k", NOW)
    with pytest.raises(NotFound):
        once(url, add_then_fail, "b")
    assert keys_in(path) == {"k"}
    with pytest.raises(StoreUnavailable, match="there is no data base"):
        once(f"{url}.none", first_time, "k", NOW)


_CHILD = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from imbot.domain.parcels import Kind, NewParcel
from imbot.store import outbox
from imbot.store.db import Db
from imbot.store.inbox import first_time
from imbot.store.touched import OUTBOX

NOW = datetime(2026, 11, 21, tzinfo=UTC)

def die(c):
    first_time(c, "half", NOW)
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    db = await Db.open(sys.argv[1])
    for n in range(20):
        await db.run(first_time, f"k{n}", NOW)
        print(n, flush=True)
    await asyncio.gather(db.run(first_time, "same group", NOW), db.run(die), db.run(first_time, "behind", NOW))

asyncio.run(main())
"""


def test_a_kill_within_a_transaction_loses_only_what_nobody_was_told(url: str, path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", _CHILD, url], capture_output=True, text=True, timeout=60)
    assert child.returncode == -signal.SIGKILL, child.stderr
    told = {f"k{line}" for line in child.stdout.split()}
    assert len(told) == 20
    assert keys_in(path) == told
    assert once(url, first_time, "same group", NOW)


async def test_answers_to_a_closed_loop_are_dropped(url: str, path: Path) -> None:
    def in_another_loop() -> None:
        loop = asyncio.new_event_loop()
        db = loop.run_until_complete(Db.open(url))
        entered, held = threading.Event(), threading.Event()

        def slow(c: Connection) -> bool:
            entered.set()
            return held.wait(10) and first_time(c, "k", NOW)

        task = loop.create_task(db.run(slow))
        loop.run_until_complete(asyncio.sleep(0))
        assert entered.wait(10)
        task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        held.set()
        db._jobs.put(None)
        db._thread.join(10)
        assert not db._thread.is_alive()

    await asyncio.to_thread(in_another_loop)
    assert keys_in(path) == {"k"}


async def test_a_taker_that_fails_leaves_nobody_waiting(db: Db) -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def fail(_: object) -> None:
        raise LookupError("a mistake of ours")

    db.on_taken(fail)
    parcel = NewParcel("ticket:a", "smtp", "a", Kind.NOTE, {})
    async with asyncio.timeout(30):
        assert await db.run(outbox.put, parcel, NOW, take=True)
    assert [type(failure) for failure in failures] == [LookupError]
