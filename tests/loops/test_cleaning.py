from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from imbot.config_sections import Retention
from imbot.loops.cleaning import clean_up
from imbot.services import upkeep
from imbot.store import inbox, received
from imbot.store.db import Db
from imbot.store.migrate import migrate
from tests.store.conftest import file_ticket, link_anna
from tests.store.test_received import a_received

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def files_of_support(c: Connection) -> None:
    anna = link_anna(c)
    file_ticket(c, anna.id)
    mail = inbox.keep_raw(c, "INBOX", "7", 1, raw=b"x", size=1, sha256="1", now=NOW)
    received.add(c, a_received("known", mail, path="known", created_at=NOW, fate="sent"))
    received.add(c, a_received("old", mail, path="old", created_at=NOW - timedelta(days=181), fate="sent"))
    received.keep_text(c, mail, "tick1", "слова", NOW - timedelta(days=91))


async def test_old_files_of_support_go_and_so_does_what_no_row_speaks_of(tmp_path: Path) -> None:
    files, letters = tmp_path / "files", tmp_path / "letters"
    for folder in (files, letters):
        folder.mkdir()
    for name, days in (("known", 2), ("old", 181), ("stray", 2), ("half.part", 2), ("fresh", 0)):
        (files / name).write_bytes(b"x")
        at = (NOW - timedelta(days=days)).timestamp()
        os.utime(files / name, (at, at))
    migrate(f"sqlite:///{tmp_path}/imbot.db")
    db = await Db.open(f"sqlite:///{tmp_path}/imbot.db")
    try:
        await db.run(files_of_support)
        done = await clean_up(db, Retention(), files, letters, NOW)
        assert (done["photos"], done["strays"], done["texts"]) == (1, 2, 1)
        assert sorted(file.name for file in files.iterdir()) == ["fresh", "known"]
        pruned = await db.read(received.get, "old")
        assert pruned is not None
        assert (pruned.fate, pruned.path) == ("pruned", "")
        assert (await clean_up(db, Retention(), files, letters, NOW))["strays"] == 0
    finally:
        await db.close()


def test_a_file_that_a_letter_takes_between_the_look_and_the_deletion_stays(tmp_path: Path) -> None:
    for name in ("taken", "left"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (0, 0))
    lying = upkeep.lying_for_days(tmp_path, NOW)
    at = NOW.timestamp()
    os.utime(tmp_path / "taken", (at, at))  # as whoever keeps a letter's file does
    assert upkeep.remove_strays(lying, tmp_path, NOW) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]
