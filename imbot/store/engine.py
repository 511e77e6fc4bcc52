"""Opens connections to the data base of a URL. Knows SQLite's settings; decides nothing about transactions."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from imbot.domain.errors import ConfigError
from imbot.store.errors import StoreUnavailable, in_our_words

LONG_LOG = 4_000  # pages of the write-ahead log, 16 MB, from which on a commit moves it into the file
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    f"PRAGMA wal_autocheckpoint={LONG_LOG}",
)


def database_path(url: str) -> Path:
    """The file of `url` (`sqlite:////srv/imbot/imbot.db`). Raises ConfigError for anything else."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(["the data base is not given as a URL such as sqlite:////srv/imbot/imbot.db"]) from None
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError([f"the data base kind {parsed.get_backend_name()!r} is not supported; use sqlite:///..."])
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigError(["the data base needs a file: sqlite:////srv/imbot/imbot.db"])
    return Path(parsed.database)


def create_file(path: Path) -> None:
    """Makes the folder (0700) and an empty file (0600) where they are missing. SQLite gives its side files the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"cannot write to {path}: {error.strerror}") from error


def connect(path: Path, *, busy_seconds: float = 5.0, reading: bool = False) -> Connection:
    """A connection whose transactions are begun and ended by hand, usable from any one thread at a time.

    Raises StoreUnavailable where there is no such file. `reading`: a write fails.
    """
    if not path.is_file():
        raise StoreUnavailable(f"there is no data base at {path}")
    pragmas = (*_PRAGMAS, "PRAGMA query_only=ON") if reading else _PRAGMAS
    with in_our_words():
        c = _engine(path, busy_seconds).connect()
        try:
            for pragma in pragmas:
                raw_connection(c).execute(pragma).fetchone()
        except Exception:
            disconnect(c)
            raise
    return c


def disconnect(c: Connection) -> None:
    """Closes for good; what was open in it is undone."""
    c.invalidate()  # closes the vendor's connection without a farewell ROLLBACK
    c.close()


def raw_connection(c: Connection) -> sqlite3.Connection:
    raw = c.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError("not a connection to SQLite")
    return raw


def _engine(path: Path, busy_seconds: float) -> Engine:
    # isolation_level None: the driver's own BEGIN and COMMIT would commit each savepoint by itself.
    return create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool,
        hide_parameters=True,  # statements may stand in a log, what people wrote may not
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": busy_seconds,
            "cached_statements": 512,
        },
    )
