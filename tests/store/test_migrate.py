from __future__ import annotations

import ctypes
import os
import re
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from imbot.domain.errors import ConfigError
from imbot.store import files, inbox, received
from imbot.store import migrate as module
from imbot.store.engine import connect, create_file, disconnect, raw_connection
from imbot.store.errors import StoreError, StoreUnavailable
from imbot.store.migrate import HEAD, REVISIONS, current, migrate
from imbot.store.received import ReceivedFile
from imbot.store.schema import metadata


def schema_of(path: Path) -> dict[str, str]:
    """Every table and index by name, with its statement freed of spacing and of the order of its constraints."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    schema = {name: parts_of(sql) for name, sql in rows}
    connection.close()
    return schema


def parts_of(sql: str) -> str:
    """The statement's parts in the order of the alphabet: a column that was added later stands last in a table."""
    head, _, rest = re.sub(r"\s+", " ", sql).partition("(")
    body, _, tail = rest.rpartition(")")
    return head + " | ".join(sorted(part.strip() for part in re.split(r",(?![^()]*\))", body))) + tail


def test_the_migrations_end_at_the_schema_of_the_code(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/created.db")
    metadata.create_all(engine)
    engine.dispose()
    assert schema_of(tmp_path / "migrated.db") == schema_of(tmp_path / "created.db")


def test_the_revisions_known_are_those_in_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    folder = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in reversed(list(folder.walk_revisions()))) == REVISIONS


def test_a_new_data_base_is_made_for_its_owner_only_and_the_second_time_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "imbot.db"
    url = f"sqlite:///{path}"
    assert current(url) is None
    assert migrate(url) == list(REVISIONS)
    assert current(url) == HEAD
    assert migrate(url) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["imbot.db"]  # an empty file is not worth a copy


def test_a_current_schema_does_not_even_import_alembic(url: str) -> None:
    code = f"import sys; from imbot.store.migrate import migrate; migrate({url!r}); sys.exit('alembic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_older_data_base_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE precious(word)")
    old.execute("INSERT INTO precious VALUES ('kept')")
    old.commit()
    old.close()
    (tmp_path / "old.db.before-nothing").write_text("a copy of another day")
    assert migrate(f"sqlite:///{path}") == list(REVISIONS)
    copy = tmp_path / "old.db.before-nothing.2"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for file, has_tickets in ((copy, False), (path, True)):
        connection = sqlite3.connect(file)
        assert connection.execute("SELECT word FROM precious").fetchall() == [("kept",)]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert ("tickets" in tables) is has_tickets
        connection.close()
    assert (tmp_path / "old.db.before-nothing").read_text() == "a copy of another day"


def test_a_change_that_fails_leaves_the_data_base_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE tickets(id)")  # in the way
    old.commit()
    old.close()
    before = schema_of(path)
    with pytest.raises(StoreError, match="already exists"):
        migrate(f"sqlite:///{path}")
    assert schema_of(path) == before
    assert current(f"sqlite:///{path}") is None


def test_a_change_that_would_break_references_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE parent(id INTEGER PRIMARY KEY)")
    old.execute("CREATE TABLE child(id REFERENCES parent(id))")
    old.execute("INSERT INTO child VALUES (1)")
    old.commit()
    old.close()
    with pytest.raises(StoreError, match="rows of child without their parent"):
        migrate(f"sqlite:///{path}")
    assert "tickets" not in schema_of(path)


def test_a_newer_schema_is_refused_in_clear_words_and_not_touched(path: Path, url: str) -> None:
    newer = sqlite3.connect(path)
    newer.execute("UPDATE alembic_version SET version_num = '9001'")
    newer.commit()
    newer.close()
    with pytest.raises(ConfigError, match=rf"schema 9001, made by a newer imbot; this one knows up to {HEAD}"):
        migrate(url)
    assert current(url) == "9001"
    assert [file.name for file in path.parent.iterdir() if "before" in file.name] == []


def test_a_locked_data_base_is_said(path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("DELETE FROM alembic_version")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        migrate(url)
    holder.execute("ROLLBACK")
    holder.close()


def test_a_copy_that_cannot_be_made_stops_everything(path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    older = sqlite3.connect(path)
    older.execute("DELETE FROM alembic_version")
    older.commit()
    older.close()

    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    before = schema_of(path)
    monkeypatch.setattr(module, "_new_file", full)
    with pytest.raises(StoreUnavailable, match=r"cannot copy the data base to .*before-nothing before changing it"):
        migrate(url)
    assert schema_of(path) == before


_MIGRATE = "import sys; from imbot.store.migrate import migrate; migrate(sys.argv[1])"


def test_a_start_that_is_killed_while_it_copies_leaves_nothing_that_looks_like_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE precious(word)")
    old.commit()
    old.close()
    for left in ("old.db.copying.99999999", "old.db.copying.99999999-journal"):
        (tmp_path / left).write_bytes(b"of an earlier kill")
    env = {**os.environ, "IMBOT_FAILPOINT": "migration_copying"}
    done = subprocess.run([sys.executable, "-c", _MIGRATE, f"sqlite:///{path}"], env=env, check=False, timeout=60)
    assert done.returncode == -9
    assert not list(tmp_path.glob("*.before-*"))
    assert migrate(f"sqlite:///{path}") == list(REVISIONS)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["old.db", "old.db.before-nothing"]
    copy = sqlite3.connect(tmp_path / "old.db.before-nothing")
    assert copy.execute("SELECT name FROM sqlite_master").fetchall() == [("precious",)]
    copy.close()


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(StoreUnavailable, match=r"cannot write to .*imbot\.db"):
        migrate(f"sqlite:///{tmp_path}/file/imbot.db")


_IN_A_READ_ONLY_FOLDER = """
import sys
from pathlib import Path
from imbot.store.errors import StoreUnavailable
from imbot.store.lock import InstanceLock
from imbot.store.migrate import migrate
for work in (lambda: migrate("sqlite:///" + sys.argv[1] + "/imbot.db"), InstanceLock(Path(sys.argv[1])).acquire):
    try:
        work()
    except StoreUnavailable as error:
        print(error)
"""


def bow_to_modes() -> None:
    """Root overrides a folder's mode; without CAP_DAC_OVERRIDE (1; PR_CAPBSET_DROP is 24) it does not."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def test_a_read_only_folder_is_said_by_migration_and_lock(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_READ_ONLY_FOLDER, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        preexec_fn=bow_to_modes,
    )
    assert done.stdout.splitlines() == [
        f"cannot write to {folder}/imbot.db: Permission denied",
        f"cannot write to {folder}/imbot.lock: Permission denied",
    ]


def test_a_file_that_is_no_data_base_is_said(tmp_path: Path) -> None:
    (tmp_path / "imbot.db").write_bytes(b"no data base" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        migrate(f"sqlite:///{tmp_path}/imbot.db")


def test_a_damaged_table_is_no_empty_data_base(tmp_path: Path) -> None:
    odd = sqlite3.connect(tmp_path / "imbot.db")
    odd.execute("CREATE TABLE alembic_version(other)")
    odd.commit()
    odd.close()
    with pytest.raises(StoreError, match="no such column"):
        migrate(f"sqlite:///{tmp_path}/imbot.db")


def migrate_to(revision: str, path: Path) -> None:
    """As a program of that time did."""
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    c = connect(path)
    try:
        c.begin()
        raw_connection(c).execute("BEGIN IMMEDIATE")
        config.attributes["connection"] = c
        command.upgrade(config, revision)
        raw_connection(c).execute("COMMIT")
    finally:
        disconnect(c)


def insert_with_blanks(c: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    """A row of a table of that time; what must not be NULL and is not said is empty."""
    columns = [
        info[1] for info in c.execute(f"PRAGMA table_info({table})") if info[1] in row or (info[3] and not info[4])
    ]
    blank = {column: "2026-11-21 09:00:00.000000" if column.endswith("_at") else "" for column in columns}
    marks = ", ".join("?" * len(columns))
    c.execute(f"INSERT INTO {table}({', '.join(columns)}) VALUES ({marks})", list((blank | row).values()))


def test_a_letter_of_the_first_schema_may_bring_files_now_and_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "imbot.db"
    create_file(path)
    migrate_to("0001", path)
    old = sqlite3.connect(path)
    insert_with_blanks(old, "people", {"id": 1, "address": "anna@company.ru", "created_at": 1})
    insert_with_blanks(old, "tickets", {"id": "a", "token": "imb:a", "person_id": 1, "created_at": 1})
    insert_with_blanks(old, "mails", {"id": 7, "sha256": "s", "kept_at": 1, "raw": b"Subject: x", "ticket_id": "a"})
    insert_with_blanks(old, "files", {"id": "f", "ticket_id": "a", "name": "фото.jpg", "created_at": 1})
    old.commit()
    old.close()
    assert migrate(f"sqlite:///{path}") == list(REVISIONS[1:])
    assert (tmp_path / "imbot.db.before-0001").is_file()
    c = connect(path)
    raw_connection(c).execute("BEGIN IMMEDIATE")
    now = datetime(2026, 11, 21, tzinfo=UTC)
    letter = inbox.raw_letter(c, 7)
    assert letter is not None
    assert letter.raw == b"Subject: x"
    assert [row.name for row in files.of_ticket(c, "a")] == ["фото.jpg"]
    file = ReceivedFile("r", "a", 7, 0, "акт.pdf", 5, "application/pdf", "s", "kept", now, path="r")
    assert received.add(c, file)
    received.keep_text(c, 7, "a", "слова", now)
    assert received.of_mail(c, 7) == [file]
    assert raw_connection(c).execute("PRAGMA foreign_key_check").fetchall() == []
    raw_connection(c).execute("COMMIT")
    disconnect(c)


def test_requests_of_the_time_of_one_backend_go_on_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "imbot.db"
    create_file(path)
    migrate_to("0001", path)
    old = sqlite3.connect(path)
    insert_with_blanks(old, "people", {"id": 1, "address": "anna@company.ru"})
    for id, backend in (("a", "inframanager"), ("b", "ours"), ("c", "desk")):
        insert_with_blanks(old, "tickets", {"id": id, "backend": backend, "token": f"imb:{id}", "person_id": 1})
    numbers = [
        ("inframanager", "1", "a", "2026-11-20"),
        ("ours", "1", "b", "2026-11-21"),
        ("ours", "2", "b", "2026-11-21"),
        ("desk", "1", "c", "2026-11-21"),
    ]
    old.executemany("INSERT INTO ticket_numbers(backend, number, ticket_id, at) VALUES (?, ?, ?, ?)", numbers)
    old.commit()
    old.close()
    migrate(f"sqlite:///{path}")
    new = sqlite3.connect(path)
    assert new.execute("SELECT id, backend FROM tickets ORDER BY id").fetchall() == [
        ("a", "itsm"),
        ("b", "itsm"),
        ("c", "desk"),
    ]
    assert new.execute("SELECT backend, number, ticket_id FROM ticket_numbers ORDER BY 1, 2").fetchall() == [
        ("desk", "1", "c"),
        ("itsm", "1", "b"),  # the profile was changed on the way: the later request has the number
        ("itsm", "2", "b"),
        ("was inframanager", "1", "a"),
    ]
    new.close()


def test_keys_of_letters_go_and_those_of_updates_stay(tmp_path: Path) -> None:
    """From here on a letter is known by its row: a key stood there for what had been set aside as well."""
    path = tmp_path / "imbot.db"
    create_file(path)
    migrate_to("0006", path)
    old = sqlite3.connect(path)
    insert_with_blanks(old, "mails", {"id": 7, "mailbox": "replies", "sha256": "s", "kept_at": 1, "outcome": "applied"})
    old.executemany("INSERT INTO seen_keys VALUES (?, 1)", [("mail:<a@b>|s",), ("telegram:1",), ("mailbox",)])
    old.commit()
    old.close()
    assert migrate(f"sqlite:///{path}") == ["0007", "0008"]
    c = connect(path)
    assert sorted(row[0] for row in raw_connection(c).execute("SELECT key FROM seen_keys")) == ["mailbox", "telegram:1"]
    assert inbox.carried_out_as(c, "s") == 7
    disconnect(c)
