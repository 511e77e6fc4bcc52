from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from imbot.domain.calendar import WorkingHours, after_working, is_night

MOSCOW = ZoneInfo("Europe/Moscow")
HOURS = WorkingHours(MOSCOW)


def moscow(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def test_hours_within_a_day() -> None:
    assert after_working(moscow(23, 10), timedelta(hours=2), HOURS) == moscow(23, 12)


def test_hours_run_over_the_night_and_the_weekend() -> None:
    assert after_working(moscow(20, 17), timedelta(hours=2), HOURS) == moscow(23, 10)  # Friday -> Monday
    assert after_working(moscow(21, 12), timedelta(hours=1), HOURS) == moscow(23, 10)  # Saturday
    assert after_working(moscow(23, 19), timedelta(hours=8), HOURS) == moscow(24, 17)  # after the working day


def test_holidays_do_not_count_and_the_zone_of_the_question_is_kept() -> None:
    hours = WorkingHours(MOSCOW, holidays=frozenset({date(2026, 11, 23)}))
    answer = after_working(moscow(20, 17).astimezone(UTC), timedelta(hours=2), hours)
    assert answer == moscow(24, 10)
    assert answer.tzinfo is UTC


def test_a_calendar_without_work_delays_nothing() -> None:
    hours = WorkingHours(MOSCOW, days=frozenset())
    assert after_working(moscow(23, 10), timedelta(hours=2), hours) == moscow(23, 12)


def test_night_may_cross_midnight() -> None:
    assert is_night(moscow(21, 23), MOSCOW, time(22), time(7))
    assert is_night(moscow(21, 6), MOSCOW, time(22), time(7))
    assert not is_night(moscow(21, 12), MOSCOW, time(22), time(7))
    assert is_night(moscow(21, 2), MOSCOW, time(0), time(6))
    assert not is_night(moscow(21, 2), MOSCOW, time(0), time(0))
