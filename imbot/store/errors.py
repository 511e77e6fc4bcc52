"""What the store raises. Vendor errors become these at once; a caller tells only "not now" from "our mistake"."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from imbot.domain.errors import ImbotError


class StoreError(ImbotError):
    """A statement failed: a mistake of ours, or a data base that is not what it should be."""


class StoreUnavailable(StoreError):
    """The data base cannot take it now: disk full, read-only, locked, closed. Trying again later is right."""


_NOT_NOW = {
    "SQLITE_BUSY": "the data base is locked by another program",
    "SQLITE_LOCKED": "the data base is locked by another program",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the data base cannot be written to",
    "SQLITE_IOERR": "the disk does not answer",
    "SQLITE_CANTOPEN": "the data base cannot be opened",
    "SQLITE_PERM": "the data base may not be opened",
    "SQLITE_NOMEM": "there is no memory left",
    "SQLITE_INTERRUPT": "the statement was interrupted",
}


def translated(error: Exception) -> Exception:
    """`error` in the words of the house; what is not of the data base comes back as it is."""
    if isinstance(error, StoreError):
        return error
    origin = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, sqlite3.Error):
        code = getattr(origin, "sqlite_errorname", "") or ""
        for name, words in _NOT_NOW.items():
            if code.startswith(name):  # extended codes: SQLITE_IOERR_FSYNC, SQLITE_READONLY_DBMOVED ...
                return StoreUnavailable(words)
        # Only the vendor's own sentence: SQLAlchemy's text bears the statement's values, which may be a person's.
        return StoreError(f"the data base refused a statement: {origin}")
    if isinstance(error, SQLAlchemyError):
        return StoreError(f"the data base refused a statement: {type(error).__name__}")
    return error


@contextmanager
def in_our_words() -> Iterator[None]:
    """Whatever the data base raises inside comes out as ours; other errors pass as they are."""
    try:
        yield
    except Exception as error:
        ours = translated(error)
        if ours is error:
            raise
        raise ours from error
