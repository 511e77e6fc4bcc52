from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from imbot.domain.people import Role
from imbot.store.columns import Json, Moment

SQLITE = sqlite.dialect()
moments = st.datetimes(timezones=st.timezones() | st.just(UTC))


@given(moments)
def test_a_moment_comes_back_the_same_and_in_utc(moment: datetime) -> None:
    back = Moment().process_result_value(Moment().process_bind_param(moment, SQLITE), SQLITE)
    assert back == moment.astimezone(UTC)
    assert back is not None
    assert back.tzinfo is UTC


def test_moments_sort_as_they_lie() -> None:
    early = datetime(2026, 11, 21, 12, 0, tzinfo=timezone(timedelta(hours=3)))
    late = datetime(2026, 11, 21, 9, 0, 0, 1, tzinfo=UTC)
    assert Moment().process_bind_param(late, SQLITE) == (Moment().process_bind_param(early, SQLITE) or 0) + 1


def test_a_moment_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        Moment().process_bind_param(datetime(2026, 11, 21), SQLITE)


def test_nothing_stays_nothing() -> None:
    for column in (Moment(), Json()):
        assert column.process_bind_param(None, SQLITE) is None
        assert column.process_result_value(None, SQLITE) is None


def test_plain_json_and_its_kin_go_in() -> None:
    value = MappingProxyType({"роль": Role.ADMIN, "when": datetime(2026, 11, 21, tzinfo=UTC), "pair": ("a", 1)})
    text = Json().process_bind_param(
        value | {"set": frozenset({"b", "a"}), "deep": MappingProxyType({"x": None})}, SQLITE
    )
    assert Json().process_result_value(text, SQLITE) == {
        "роль": "admin",
        "when": "2026-11-21T00:00:00+00:00",
        "pair": ["a", 1],
        "set": ["a", "b"],
        "deep": {"x": None},
    }


def test_what_is_not_json_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        Json().process_bind_param({"x": object()}, SQLITE)
