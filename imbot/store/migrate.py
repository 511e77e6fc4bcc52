"""Brings a data base to the schema of this program: the file is locked, copied, changed in one transaction, checked.

A data base that is already there costs one small query, and Alembic is not even imported. A newer one is refused.
"""

from __future__ import annotations

import glob
import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection

from imbot.domain.errors import ConfigError
from imbot.durable import sync
from imbot.failpoints import hit
from imbot.store.engine import connect, create_file, database_path, disconnect, raw_connection
from imbot.store.errors import StoreError, StoreUnavailable, in_our_words

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
)  # in order; a test holds this to the files in migrations/versions
HEAD = REVISIONS[-1]
LOCK_SECONDS = 30.0  # another start may be migrating


def migrate(url: str) -> list[str]:
    """Applies what is missing and returns the names of the revisions applied, [] where it was current.

    A data base with something in it is first copied to `<file>.before-<its revision>`. Raises ConfigError for a schema
    newer than this program, StoreUnavailable where the file cannot be written; then nothing has changed.
    """
    path = database_path(url)
    create_file(path)
    c = connect(path, busy_seconds=LOCK_SECONDS)
    try:
        with in_our_words():
            revision = _revision(raw_connection(c))
            _refuse_unknown(revision, path)
            return [] if revision == HEAD else _upgrade(c, path)
    finally:
        disconnect(c)


def current(url: str) -> str | None:
    """The revision of the data base, None where there is no file or nothing in it."""
    path = database_path(url)
    if not path.is_file():
        return None
    c = connect(path, reading=True)
    try:
        with in_our_words():
            return _revision(raw_connection(c))
    finally:
        disconnect(c)


def _revision(raw: sqlite3.Connection) -> str | None:
    try:
        row = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    return row[0] if row else None


def _refuse_unknown(revision: str | None, path: Path) -> None:
    if revision is not None and revision not in REVISIONS:
        raise ConfigError(
            [
                f"the data base {path} has schema {revision}, made by a newer imbot; this one knows up to {HEAD}. "
                "Install the newer program again, or put the copy back that was made before the change"
            ]
        )


def _upgrade(c: Connection, path: Path) -> list[str]:
    raw = raw_connection(c)
    if raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        _copy(raw, path)
        hit("migration_copied")
    raw.execute("PRAGMA foreign_keys=OFF")  # a table that is built anew would else empty its children
    c.begin()  # sends nothing, but keeps Alembic from committing on its own
    raw.execute("BEGIN IMMEDIATE")
    try:
        revision = _revision(raw)  # again: a second program may have been faster than our lock
        _refuse_unknown(revision, path)
        _run_alembic(c)
        hit("migration_half")
        broken = raw.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            raise StoreError(f"the change would leave rows of {broken[0]} without their {broken[2]}")
        raw.execute("COMMIT")
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
    first = REVISIONS.index(revision) + 1 if revision else 0
    return list(REVISIONS[first:])


def _copy(raw: sqlite3.Connection, path: Path) -> None:
    """A whole copy beside the file, readable by its owner only, and durable before it bears its name: what is called a copy
    is one, even if we are killed here. An older one of the same name is kept."""
    revision = _revision(raw) or "nothing"
    copy = path.with_name(f"{path.name}.before-{revision}")
    number = 1
    while copy.exists():
        number += 1
        copy = path.with_name(f"{path.name}.before-{revision}.{number}")
    unfinished = path.with_name(f"{path.name}.copying.{os.getpid()}")
    try:
        _remove_left_over(path)
        _new_file(unfinished)
        raw.execute("VACUUM INTO ?", (str(unfinished),))
        sync(unfinished)
        hit("migration_copying")
        unfinished.rename(copy)
        sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        _remove(unfinished)
        raise StoreUnavailable(f"cannot copy the data base to {copy} before changing it: {error}") from error


def _remove_left_over(path: Path) -> None:
    """The unfinished copies of starts that were killed, not that of another start that is copying now."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.copying.*"):
        pid = left.name.removesuffix("-journal").rpartition(".")[2]
        if not _runs(pid):
            left.unlink(missing_ok=True)


def _runs(pid: str) -> bool:
    """Whether another process than ours bears this number."""
    if not pid.isdecimal() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _remove(file: Path) -> None:
    for each in (file, file.with_name(f"{file.name}-journal")):
        each.unlink(missing_ok=True)


def _new_file(path: Path) -> None:
    """Empty, which is what VACUUM INTO asks for, and 0600 from the first moment."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _run_alembic(c: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = c
    command.upgrade(config, "head")
