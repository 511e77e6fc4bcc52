"""What every table is made of: the one `metadata`, and columns of the kinds that we use. No table is here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Integer, MetaData, Text, text

from imbot.store.columns import Json, Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text_column(name: str, *args: Any, **kwargs: Any) -> Column[str]:
    return Column(name, Text, *args, nullable=False, server_default="", **kwargs)


def json_column(name: str) -> Column[Any]:
    return Column(name, Json, nullable=False, server_default="{}")


def count_column(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def flag_column(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("0"))


def moment_column(name: str, *, required: bool = False) -> Column[Any]:
    return Column(name, Moment, nullable=not required)


def partial(condition: str) -> dict[str, Any]:
    """The WHERE of a partial index. PostgreSQL's own (`postgresql_where`) would load that dialect, 3 MiB of code, at each start
    with SQLite."""
    return {"sqlite_where": text(condition)}
