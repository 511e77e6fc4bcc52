"""What a letter tells is noted right behind the commit that puts it, whatever comes in between."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from structlog.testing import capture_logs

from imbot.mime.echoes import echoes
from imbot.store import db as database
from imbot.store import letters, told
from imbot.store.db import Db, once
from imbot.store.errors import StoreUnavailable
from imbot.store.letters import LetterRow
from imbot.store.schema import told as told_table
from tests.store.conftest import NOW, file_ticket, link_anna


def put(c: Connection, *numbers: int) -> None:
    for n in numbers:
        letter = {"subject": "", "text": f"№ {n}"}
        letters.save_letter(c, LetterRow(f"<{n}@bot>", "tick1", "ticket", letter, NOW))


def begin(c: Connection) -> None:
    file_ticket(c, link_anna(c).id)


def noted(c: Connection) -> list[str]:
    return sorted(c.execute(select(told_table.c.word)).scalars())


def count_told(c: Connection) -> int:
    return int(c.execute(select(func.count()).select_from(told_table)).scalar_one())


async def until_noted(db: Db, count: int) -> None:
    async with asyncio.timeout(30):
        while await db.read(count_told) < count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_what_a_letter_tells_is_noted_before_anything_that_follows_it(db: Db) -> None:
    await db.run(begin)
    for n in (1042, 1043):
        await db.run(put, n)
        assert str(n) in await db.run(noted)  # behind the letter's own commit, and ahead of this


async def test_letters_put_while_others_are_being_noted_are_noted_as_well(db: Db) -> None:
    await db.run(begin)
    await asyncio.gather(*(db.run(put, n) for n in range(100, 180)))
    await until_noted(db, 80)


async def test_what_was_put_off_before_an_end_is_noted_with_the_next_start(url: str) -> None:
    """More than one portion of it."""
    once(url, begin)
    once(url, put, *range(100, 100 + 2 * told.AT_ONCE + 1))
    assert once(url, noted) == []
    db = await Db.open(url)
    await until_noted(db, 2 * told.AT_ONCE + 1)
    await db.close()


async def test_what_the_data_base_does_not_take_is_noted_a_little_later(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_NOTE_AGAIN", 0.05)
    once(url, begin)
    once(url, put, 1042)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        db = await Db.open(url, busy_seconds=0.05)
        with pytest.raises(StoreUnavailable):
            await db.run(noted)  # behind the first try to note it
        other.execute("ROLLBACK")
    await until_noted(db, 1)
    await db.close()


async def test_what_cannot_be_noted_at_all_is_tried_again_and_stops_nobody(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_NOTE_AGAIN", 0.02)
    failed = 0

    def fail(*_: Any) -> bool:
        nonlocal failed
        failed += 1
        raise LookupError("a mistake of ours")

    monkeypatch.setattr(database, "note_new", fail)
    await db.run(begin)
    await db.run(put, 1042)
    async with asyncio.timeout(30):
        while failed < 3:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    monkeypatch.undo()
    await until_noted(db, 1)


async def test_a_letter_whose_shapes_cannot_be_had_counts_with_its_own_words(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands before no other, neither for who notes nor for who asks."""
    shapes = echoes

    def fail(text: str) -> tuple[str, ...]:
        if "666" in text:
            raise LookupError("a mistake of ours")
        return shapes(text)

    monkeypatch.setattr(told, "echoes", fail)
    await db.run(begin)
    with capture_logs() as lines:
        await db.run(put, 666, 1042)
        assert len(await db.read(told.bearing, "666", "another", 5)) == 1
        await until_noted(db, 2)
    assert await db.run(noted) == ["1042", "666"]
    assert {line["event"] for line in lines} == {"letter_without_shapes"}
