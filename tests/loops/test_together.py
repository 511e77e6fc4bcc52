"""Notes that come while one is being written are written together, and who fails fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from imbot.loops.settling import Together, Unsettled
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.migrate import migrate


def note(c: Connection, name: str) -> None:
    if name.startswith("bad"):
        raise ValueError(name)
    c.execute(text("INSERT INTO facts (name, value, at) VALUES (:name, '', 0)"), {"name": name})


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    migrate(f"sqlite:///{tmp_path / 'imbot.db'}")
    db = await Db.open(f"sqlite:///{tmp_path / 'imbot.db'}")
    yield db
    await db.close()


def counted(db: Db, monkeypatch: pytest.MonkeyPatch, away: int = 0) -> list[int]:
    """How many notes went with each turn of the writer. It refuses the first `away`."""
    run, sizes = db.run, list[int]()

    async def counts(fn: Any, *args: Any) -> Any:
        sizes.append(len(args[1]) if len(args) == 2 else 1)
        if len(sizes) <= away:
            raise StoreUnavailable("the data base is locked by another program")
        return await run(fn, *args)

    monkeypatch.setattr(db, "run", counts)
    return sizes


async def noted(db: Db) -> list[str]:
    def names(c: Connection) -> list[str]:
        return sorted(c.execute(text("SELECT name FROM facts WHERE name LIKE 'n%'")).scalars())

    return await db.read(names)


async def all_of(together: Together, names: list[str]) -> list[Any]:
    async with asyncio.timeout(30):
        return await asyncio.gather(*map(together.noted, names), return_exceptions=True)


async def test_what_comes_meanwhile_goes_together_behind_it(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, together = counted(db, monkeypatch), Together(db, note)
    first = asyncio.create_task(together.noted("n0"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is being written
    assert await all_of(together, ["n1", "n2", "n3"]) == [None] * 3
    await first
    assert sizes == [1, 3]
    assert await noted(db) == ["n0", "n1", "n2", "n3"]
    await together.noted("n4")
    assert sizes == [1, 3, 1]


async def test_one_that_cannot_be_noted_takes_nobody_along(db: Db) -> None:
    answers = await all_of(Together(db, note), ["n1", "bad", "n2"])
    assert [answers[0], str(answers[1]), answers[2]] == [None, "bad", None]
    assert await noted(db) == ["n1", "n2"]


async def test_where_the_data_base_is_away_each_knows_how_to_note_its_own(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = counted(db, monkeypatch, away=1)
    answers = await all_of(Together(db, note), ["n1", "n2"])
    assert all(isinstance(one, Unsettled) for one in answers)
    assert sizes == [2]  # it is not asked again for each
    await answers[1].settle()
    assert await noted(db) == ["n2"]


async def test_it_may_go_away_behind_one_that_fails(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    together, run = Together(db, note), db.run
    calls = 0

    async def away_behind_the_first(fn: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoreUnavailable("locked")
        return await run(fn, *args)

    monkeypatch.setattr(db, "run", away_behind_the_first)
    answers = await all_of(together, ["n1", "bad"])
    assert isinstance(answers[0], Unsettled)
    assert str(answers[1]) == "bad"
    await answers[0].settle()
    assert await noted(db) == ["n1"]


async def test_who_gives_up_is_noted_all_the_same(db: Db) -> None:
    together = Together(db, note)
    task = asyncio.create_task(together.noted("n1"))
    await asyncio.sleep(0)
    task.cancel()
    assert await all_of(together, ["n2"]) == [None]
    assert await noted(db) == ["n1", "n2"]
