from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from imbot.domain.calendar import WorkingHours, after_working, is_night

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
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


def test_work_around_the_clock_misses_no_minute_at_midnight() -> None:
    hours = WorkingHours(MOSCOW, frozenset(range(1, 8)), time(0), time(0))
    assert after_working(moscow(23, 23, 10), timedelta(hours=1), hours) == moscow(24, 0, 10)


def test_a_calendar_without_work_delays_nothing() -> None:
    hours = WorkingHours(MOSCOW, days=frozenset())
    assert after_working(moscow(23, 10), timedelta(hours=2), hours) == moscow(23, 12)


def test_night_may_cross_midnight() -> None:
    assert is_night(moscow(21, 23), MOSCOW, time(22), time(7))
    assert is_night(moscow(21, 6), MOSCOW, time(22), time(7))
    assert not is_night(moscow(21, 12), MOSCOW, time(22), time(7))
    assert is_night(moscow(21, 2), MOSCOW, time(0), time(6))
    assert not is_night(moscow(21, 2), MOSCOW, time(0), time(0))


STEP = timedelta(minutes=15)
CHANGES = (
    datetime(2026, 3, 27, tzinfo=UTC),
    datetime(2026, 10, 23, tzinfo=UTC),
)  # Berlin's clocks change two days later


def counted(start: datetime, span: timedelta, hours: WorkingHours) -> datetime:
    """Working time as one would count it on a wall clock, quarter of an hour by quarter of an hour."""
    moment, left = start, span
    while True:
        local = moment.astimezone(hours.zone)
        works = local.isoweekday() in hours.days and local.date() not in hours.holidays
        if works and hours.start <= local.time() and (local.time() < hours.end or hours.end == time(0)):
            left -= STEP
        moment += STEP
        if left <= timedelta(0):
            return moment


# Quarters between 2 and 3 o'clock are no bounds here: on the two days they are skipped or come twice.
BOUNDS = [quarter for quarter in range(97) if quarter not in (9, 10, 11)]
HOURS_OF_WORK = (
    st.lists(st.sampled_from(BOUNDS), min_size=2, max_size=2, unique=True).map(sorted).filter(lambda two: two[0] < 96)
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CHANGES),
    st.integers(0, 5 * 96),
    st.integers(1, 40),
    st.sets(st.integers(1, 7), min_size=1),
    HOURS_OF_WORK,
    st.sampled_from((MOSCOW, BERLIN)),
    st.booleans(),
)
@example(CHANGES[0], 180, 40, {7}, [0, 95], BERLIN, False)
@example(CHANGES[1], 180, 40, {7}, [0, 95], BERLIN, False)
@example(CHANGES[1], 90, 40, {1, 2, 3, 4, 5, 6, 7}, [0, 96], BERLIN, False)
def test_working_time_is_what_one_would_count_by_hand(
    around: datetime,
    ahead: int,
    quarters: int,
    days: set[int],
    between: list[int],
    zone: ZoneInfo,
    holiday: bool,
) -> None:
    opens, closes = (time(quarter // 4 % 24, quarter % 4 * 15) for quarter in between)
    off = frozenset({(around + timedelta(days=3)).date()}) if holiday else frozenset[date]()
    hours = WorkingHours(zone, frozenset(days), opens, closes, off)
    start = around + ahead * STEP
    assert after_working(start, quarters * STEP, hours) == counted(start, quarters * STEP, hours)
