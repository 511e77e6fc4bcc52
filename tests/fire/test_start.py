"""A start with five thousand parcels that wait: what comes out of it afterwards comes out once and in order."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from imbot.app import make_folders
from tests.fire import backlog, start
from tests.fire.people import link, make_persons


async def test_what_waits_comes_out_once_and_in_order_after_a_kill(tmp_path: Path) -> None:
    plan = start.Plan(seed=5, parcels=5000, refused=2.0, watch=3.0, least=60)
    told = await start.play(tmp_path, plan)
    assert not told.wrong, told.tell()
    with closing(sqlite3.connect(tmp_path / "var" / "imbot.db")) as c:
        ends = dict(c.execute("SELECT outcome, count(*) FROM parcels GROUP BY outcome"))
    assert sum(ends.values()) == 5000
    assert set(ends) == {"", "shown", "accepted"}
    assert min(ends["shown"], ends["accepted"]) >= plan.least


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, list[backlog.Waiting]]:
    persons = make_persons(5, 1)
    link(tmp_path, persons)
    return tmp_path / "imbot.db", backlog.fill(make_folders(tmp_path).database, persons, 123)


def settle(database: Path, waiting: list[backlog.Waiting], outcome: str = "") -> None:
    with closing(sqlite3.connect(database)) as c:
        for one in waiting:
            how = outcome or ("shown" if one.marker.startswith("desk") else "accepted")
            c.execute("UPDATE parcels SET settled_at = 1, outcome = ? WHERE key = ?", (how, one.key))
        c.commit()


def test_exactly_so_many_are_put_in_many_lanes(filled: tuple[Path, list[backlog.Waiting]]) -> None:
    database, waiting = filled
    assert len(waiting) == len({one.key for one in waiting}) == len({one.marker for one in waiting}) == 123
    assert len({one.lane for one in waiting}) == 5 + 13
    with closing(sqlite3.connect(database)) as c:
        assert c.execute("SELECT count(*) FROM parcels WHERE settled_at IS NULL").fetchone() == (123,)
        assert c.execute("SELECT count(*) FROM parcels WHERE ready_at IS NOT NULL").fetchone() == (18,)
    assert backlog.judge(waiting, [], database) == []


def test_what_came_out_in_order_is_right(filled: tuple[Path, list[backlog.Waiting]]) -> None:
    database, waiting = filled
    out = waiting[:40]
    settle(database, out)
    assert backlog.judge(waiting, [one.marker for one in out], database) == []


def test_what_came_out_wrongly_is_found(filled: tuple[Path, list[backlog.Waiting]]) -> None:
    database, waiting = filled
    lane = [one for one in waiting if one.lane == waiting[0].lane]
    settle(database, lane[:3])
    first, second, third = (one.marker for one in lane[:3])

    def found(*out: str) -> set[str]:
        return {one.check for one in backlog.judge(waiting, out, database)}

    assert found(first, second, third) == set()
    assert found(second, first, third) == {"lane_in_order"}
    assert found(first, second, third, third) == {"lane_in_order"}
    assert found(first, second) == {"settled_is_true"}
    assert found(first, second, third, lane[3].marker) == {"settled_is_true"}
    assert found(first, second, third, "desk9999999") == {"lane_in_order", "settled_is_true"}
    settle(database, lane[2:3], "failed: no")
    assert found(first, second) == {"nothing_lost"}
    with closing(sqlite3.connect(database)) as c:
        c.execute("DELETE FROM parcels WHERE key = ?", (lane[2].key,))
        c.commit()
    assert found(first, second) == {"nothing_lost"}
