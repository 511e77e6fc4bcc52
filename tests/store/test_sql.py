from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import NoSuchColumnError
from sqlalchemy.schema import CreateIndex, CreateTable

from imbot.domain.errors import NotFound
from imbot.store import errors, people, sessions
from imbot.store.engine import raw_connection
from imbot.store.errors import StoreError, StoreUnavailable, translated
from imbot.store.schema import metadata, seen_keys
from imbot.store.sql import insert

POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]


def test_upserts_are_written_for_both_dialects() -> None:
    ignoring = insert("postgresql", seen_keys).on_conflict_do_nothing()
    assert "ON CONFLICT DO NOTHING" in str(ignoring.compile(dialect=POSTGRES))
    for build in (people._put_person, people._put_chat, sessions._owe, sessions._save):
        assert "ON CONFLICT (" in str(build("postgresql").compile(dialect=POSTGRES))


def test_the_schema_can_be_written_for_postgresql() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=POSTGRES))
        for index in table.indexes:
            assert "INDEX" in str(CreateIndex(index).compile(dialect=POSTGRES))


def test_only_sqlite_has_a_raw_connection() -> None:
    class Odd:
        def __init__(self) -> None:
            self.connection = self
            self.dbapi_connection = object()

    with pytest.raises(TypeError, match="not a connection to SQLite"):
        raw_connection(Odd())  # type: ignore[arg-type]


def test_errors_become_our_own_and_others_stay() -> None:
    ours, other = StoreUnavailable("x"), NotFound("no such ticket")
    assert translated(ours) is ours
    assert translated(other) is other
    assert (
        str(translated(NoSuchColumnError("anna@company.ru"))) == "the data base refused a statement: NoSuchColumnError"
    )
    assert str(translated(sqlite3.OperationalError("odd"))) == "the data base refused a statement: odd"
    assert isinstance(translated(NoSuchColumnError("x")), StoreError)
    assert all(words for words in errors._NOT_NOW.values())


def test_an_engine_error_bears_no_values() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as c:
        with pytest.raises(Exception, match="no such table") as caught:
            c.exec_driver_sql("SELECT * FROM missing WHERE name = ?", ("Анна",))
        assert "Анна" in str(caught.value)
        assert "Анна" not in str(translated(caught.value))
    engine.dispose()
