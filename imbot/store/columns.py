"""How values lie in the data base: moments as whole microseconds, plain JSON as text. The same on every dialect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """Aware datetimes as microseconds since 1970: they sort and compare in any index. A naive one is a mistake of ours."""

    impl = BigInteger
    cache_ok = True

    @staticmethod
    def to_driver(value: datetime | None) -> int | None:
        return None if value is None else (value - _EPOCH) // _TICK  # raises TypeError for a naive one

    @staticmethod
    def from_driver(value: int | None) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        return self.to_driver(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        return self.from_driver(value)


class Json(TypeDecorator[Any]):
    """Plain JSON as text. Enums, moments (ISO 8601), tuples and any Mapping may go in; dicts and lists come out."""

    impl = Text
    cache_ok = True

    @staticmethod
    def to_driver(value: Any) -> str | None:
        return None if value is None else orjson.dumps(value, default=_plain).decode()

    @staticmethod
    def from_driver(value: str | None) -> Any:
        return None if value is None else orjson.loads(value)

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        return self.to_driver(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Any:
        return self.from_driver(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not plain JSON")
