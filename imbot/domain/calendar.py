"""Working time: when so many working hours will have passed, and whether it is night. Pure; holidays are a setting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# What was noted for a moment that lies further ahead was noted by a clock that has been put back since: it says nothing of when.
AHEAD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """`days`: ISO weekdays (1 = Monday). `start` < `end`, local time of `zone`; an `end` of 00:00 is the day's end, so that
    work can go on around the clock. `holidays`: days without work."""

    zone: ZoneInfo
    days: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    start: time = time(9)
    end: time = time(18)
    holidays: frozenset[date] = frozenset()


def after_working(start: datetime, span: timedelta, hours: WorkingHours) -> datetime:
    """The moment at which `span` of working time has passed since `start` (aware); never earlier than `start`.

    A bound that falls into an hour which is skipped, or comes twice, is taken by the clock before the change. Where a year has
    no working time at all the span is counted as plain time, so that a wrong calendar delays nothing.
    """
    left, day = span, start.astimezone(hours.zone).date()
    for _ in range(366):
        if day.isoweekday() in hours.days and day not in hours.holidays:
            # In UTC: on one clock of a zone an hour that is skipped or comes twice would not be counted as it passed.
            opens = max(datetime.combine(day, hours.start, hours.zone).astimezone(UTC), start.astimezone(UTC))
            ends_on = day if hours.end > time(0) else day + timedelta(days=1)
            room = datetime.combine(ends_on, hours.end, hours.zone).astimezone(UTC) - opens
            if timedelta(0) < room:
                if left <= room:
                    return (opens + left).astimezone(start.tzinfo)
                left -= room
        day += timedelta(days=1)
    return start + span


def is_night(moment: datetime, zone: ZoneInfo, begins: time, ends: time) -> bool:
    """Whether `moment` falls into the quiet hours, which may cross midnight; equal ends mean there are none."""
    clock = moment.astimezone(zone).time()
    if begins <= ends:
        return begins <= clock < ends
    return clock >= begins or clock < ends
