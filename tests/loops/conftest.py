from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.office import prepared_tickets
from imbot.loops import watcher as watching
from imbot.mailbox.reading import Reader
from imbot.store.db import Db
from tests.loops.watching import World


@pytest.fixture(scope="session")
def hundred_tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watcher") / "imbot.db"
    prepared_tickets(f"sqlite:///{path}", 100)
    with closing(sqlite3.connect(path)) as c:
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
async def world(hundred_tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(watching, "_FIRST_WAIT", 0.001)
    shutil.copy(hundred_tickets, tmp_path / "imbot.db")
    db = await Db.open(f"sqlite:///{tmp_path / 'imbot.db'}")
    async with Reader() as reader:
        yield World(tmp_path, db, reader, asyncio.Event())
    await db.close()
