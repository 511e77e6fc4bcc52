"""Kills that no traffic leads to: a migration, a clean-up and the very first start, killed at each of their places, by SIGKILL
and by a failed power. Done again, they end as if nothing had been; what the migration found is all there, and what the clean-up
takes is all gone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from imbot.store import files
from imbot.store.db import once
from imbot.store.engine import create_file
from imbot.store.epoch import held
from imbot.store.migrate import REVISIONS
from tests.company import NOW, Company, photo
from tests.fire.nanny import places
from tests.fire.power import Power
from tests.servers import need
from tests.store.test_migrate import insert_with_blanks, migrate_to

MIGRATION = ("migration_copying", "migration_copied", "migration_half")
CLEAN_UP = ("file_cleaned:1", "file_cleaned:7", "clean_up_half", "clean_up_noted")
FIRST_START = ("migration_half", "group_committed:1", "group_committed:2", "leases_cleared")
ENDS = ("kill", "power")
PEOPLE, PHOTOS = 300, 20


class Cold:
    """Runs one command until its failpoint kills it, then lets the power fail where asked."""

    def __init__(self, folder: Path, end: str) -> None:
        self._var = folder / "var"
        self._power = Power(self._var, folder / "power") if end == "power" else None

    def dies(self, failpoint: str, *words: str) -> None:
        env = {**os.environ, "IMBOT_FAILPOINT": failpoint}
        if self._power is not None:
            self._power.picture()
            env |= self._power.environment
        done = subprocess.run(
            [sys.executable, "-m", "imbot", *words], env=env, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == -9, done.stderr.decode()
        if self._power is not None:
            self._power.fail()


@pytest.fixture(params=ENDS)
def cold(request: pytest.FixtureRequest, tmp_path: Path) -> Cold:
    if request.param == "power":
        need("gcc")
    (tmp_path / "var").mkdir(exist_ok=True)
    return Cold(tmp_path, request.param)


def test_every_place_of_the_cold_paths_is_visited_here() -> None:
    visited = {name.partition(":")[0] for name in (*MIGRATION, *CLEAN_UP)}
    assert {name for name in places() if name.startswith(("migration", "clean_up", "file_cleaned"))} == visited


@pytest.mark.parametrize("failpoint", MIGRATION)
def test_a_migration_that_is_killed_loses_no_row_and_is_done_again(empty: Company, cold: Cold, failpoint: str) -> None:
    path = empty.folder / "var" / "imbot.db"
    create_file(path)
    migrate_to("0001", path)
    with closing(sqlite3.connect(path)) as c:
        for number in range(PEOPLE):
            row = {"id": number + 1, "address": f"u{number}@company.ru", "name": "Анна", "created_at": 1}
            insert_with_blanks(c, "people", row)
        c.commit()
    config = str(empty.folder / "config.toml")
    cold.dies(failpoint, "migrate", "--config", config)
    assert empty("migrate").code == 0
    with closing(sqlite3.connect(path)) as c:
        assert c.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISIONS[-1],)
        assert c.execute("SELECT count(*) FROM people WHERE name = 'Анна'").fetchone() == (PEOPLE,)
    copies = list(path.parent.glob("imbot.db.before-0001*"))
    assert copies
    for copy in copies:  # what is called a copy is one
        with closing(sqlite3.connect(copy)) as c:
            assert c.execute("SELECT count(*) FROM people").fetchone() == (PEOPLE,)
    assert not list(path.parent.glob("*.copying.*"))


@pytest.mark.parametrize("failpoint", CLEAN_UP)
def test_a_clean_up_that_is_killed_is_finished_by_the_next(company: Company, cold: Cold, failpoint: str) -> None:
    old = _with_old_photos(company)
    cold.dies(failpoint, "cleanup", "--config", str(company.folder / "config.toml"))
    assert company("cleanup").code == 0
    assert not [path for path in old if path.exists()]
    with closing(sqlite3.connect(company.folder / "var" / "imbot.db")) as c:
        left = c.execute("SELECT count(*) FROM files WHERE fate <> 'pruned'").fetchone()
        assert left == (0,)
        assert c.execute("SELECT count(*) FROM files").fetchone() == (PHOTOS + 1,)
        assert c.execute("SELECT count(*) FROM tickets").fetchone() == (2,)


@pytest.mark.parametrize("failpoint", FIRST_START)
def test_a_first_start_that_is_killed_is_taken_for_no_restored_backup(
    empty: Company, cold: Cold, failpoint: str
) -> None:
    config = str(empty.folder / "config.toml")
    cold.dies(failpoint, "run", "--config", config)
    cold.dies("leases_cleared", "run", "--config", config)
    assert not once(f"sqlite:///{empty.folder / 'var' / 'imbot.db'}", held)


def _with_old_photos(company: Company) -> list[Path]:
    folder = company.folder / "var" / "files"

    def add(c: Connection) -> None:
        for number in range(PHOTOS):
            files.add(c, photo(f"o{number}", "t1", NOW - timedelta(days=200)))
            files.stored(c, f"o{number}", f"old{number}", 4, "0" * 64, "image/jpeg")

    once(company.url, add)
    paths = [folder / f"old{number}" for number in range(PHOTOS)]
    for path in paths:
        path.write_bytes(b"jpeg")
    return [*paths, folder / "photo"]
