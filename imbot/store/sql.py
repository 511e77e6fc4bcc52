"""The few words of SQL that dialects spell differently, behind one name each; and statements that are compiled once."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from imbot.store.columns import Json, Moment
from imbot.store.engine import raw_connection


def insert(dialect: str, table: Table) -> sqlite.Insert:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update` (the same words on both dialects)."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # half a megabyte of code that SQLite has no use for

        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


def dialect(c: Connection) -> str:
    return c.dialect.name


class Prepared:
    """A Core statement that every turn runs: compiled once and given to SQLite's driver as it is, with the same conversions
    of values, at a tenth of what `Connection.execute` costs. Its values are always named; rows are named tuples. On
    another driver it would have to be executed the usual way."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._made: _Compiled | None = None

    def first(self, c: Connection, **values: Any) -> Any:
        """The first row, or None."""
        made = self._made or self._make(c, values)
        row = raw_connection(c).execute(made.text, made.bound(values)).fetchone()
        return None if row is None else made.row(row)

    def all(self, c: Connection, **values: Any) -> list[Any]:
        made = self._made or self._make(c, values)
        return [made.row(row) for row in raw_connection(c).execute(made.text, made.bound(values)).fetchall()]

    def value(self, c: Connection, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.first(c, **values)
        return None if row is None else row[0]

    def run(self, c: Connection, **values: Any) -> int:
        """How many rows it touched."""
        made = self._made or self._make(c, values)
        return raw_connection(c).execute(made.text, made.bound(values)).rowcount

    def run_many(self, c: Connection, many: Iterable[Mapping[str, Any]]) -> None:
        """Once for each, in order."""
        each = list(many)
        if each:
            made = self._made or self._make(c, each[0])
            raw_connection(c).executemany(made.text, [made.bound(values) for values in each])

    def _make(self, c: Connection, values: Mapping[str, Any]) -> _Compiled:
        self._made = _Compiled(self._statement, c, values)
        return self._made


class _Compiled:
    """The text, how each value is turned into the driver's, and how a row is turned into ours."""

    def __init__(self, statement: Any, c: Connection, values: Mapping[str, Any]) -> None:
        dialect = c.dialect
        compiled = statement.compile(dialect=dialect, column_keys=list(values))
        assert isinstance(compiled, SQLCompiler)
        self.text = str(compiled)
        fixed = compiled.construct_params(dict(values))
        self._fixed: list[Any] = []  # the driver's values; those that are given with each call stand there as None
        self._named: list[tuple[int, str, Callable[[Any], Any] | None]] = []
        for place, name in enumerate(compiled.positiontup or ()):
            convert = _to_driver(compiled.binds[name].type, dialect)
            if name in values:
                self._named.append((place, name, convert))
                self._fixed.append(None)
            else:
                self._fixed.append(convert(fixed[name]) if convert is not None else fixed[name])
        columns = list(getattr(statement, "exported_columns", ()))
        self._tuple: Any = namedtuple("Row", [column.key for column in columns]) if columns else None
        self._converts = [
            (place, convert)
            for place, column in enumerate(columns)
            if (convert := _from_driver(column.type, dialect)) is not None
        ]

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        cells = self._fixed.copy()
        for place, name, convert in self._named:
            value = values[name]
            cells[place] = value if convert is None else convert(value)
        return cells

    def row(self, row: tuple[Any, ...]) -> Any:
        if self._tuple is None:
            return row
        if not self._converts:
            return self._tuple._make(row)
        cells = list(row)
        for place, convert in self._converts:
            cells[place] = convert(cells[place])
        return self._tuple._make(cells)


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(kind, Moment | Json):
        return kind.to_driver  # without the two calls that SQLAlchemy puts around it
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _from_driver(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(kind, Moment | Json):
        return kind.from_driver
    return kind.dialect_impl(dialect).result_processor(dialect, None)
