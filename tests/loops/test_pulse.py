from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from imbot.loops.pulse import Looked, Pulse

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TEN = timedelta(minutes=10)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def test_a_clock_that_was_put_back_is_known_by_more_than_the_time_services_step() -> None:
    looked = Looked(START)
    assert not looked.later_than(START - timedelta(seconds=2))
    assert looked.later_than(START - timedelta(seconds=3))
    assert not looked.later_than(START + TEN)
    assert not Looked(START, TEN).later_than(START - TEN)


def test_a_leg_that_stays_wrong_is_told_once_and_so_is_its_recovery() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.wrong("smtp", "refused")
    assert pulse.alarms(TEN) == []
    clock.now += TEN
    pulse.wrong("smtp", "refused again")
    (down,) = pulse.alarms(TEN)
    assert (down.name, down.since, down.error, down.up) == ("smtp", START, "refused again", False)
    pulse.told(down)
    assert pulse.alarms(TEN) == []
    pulse.ok("smtp")
    (up,) = pulse.alarms(TEN)
    assert (up.name, up.since, up.up) == ("smtp", START, True)
    pulse.told(up)
    assert pulse.alarms(TEN) == []


def test_what_went_wrong_ahead_of_time_is_told_as_soon_as_anything_else() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += timedelta(days=1)
    pulse.ok("mailbox")
    pulse.wrong("smtp", "refused")
    clock.now -= timedelta(days=1)
    pulse.clock_went_back()
    for told in ([], ["mailbox", "smtp"]):
        pulse.alarms(TEN)
        assert sorted(alarm.name for alarm in pulse.alarms(TEN)) == told
        clock.now += TEN + timedelta(seconds=1)


def test_a_short_trouble_is_nobodys_business() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.wrong("directory", "slow")
    clock.now += timedelta(minutes=3)
    pulse.ok("directory")
    clock.now += TEN
    assert pulse.alarms(TEN) == []


def test_a_mailbox_that_nobody_could_look_into_is_wrong_without_any_error() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.ok("mailbox")
    clock.now += TEN + timedelta(seconds=1)
    assert pulse.alarms(TEN) == [], "perhaps the machine was asleep"
    (down,) = pulse.alarms(TEN)
    assert (down.name, down.since, down.up) == ("mailbox", START, False)


def test_an_alarm_that_could_not_be_put_down_is_still_to_be_told() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.wrong("directory", "no route")
    clock.now += TEN
    assert [alarm.name for alarm in pulse.alarms(TEN)] == ["directory"]
    assert [alarm.name for alarm in pulse.alarms(TEN)] == ["directory"]


def test_a_second_mailbox_is_watched_like_the_first() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.ok("mailbox:glpi")
    clock.now += TEN + timedelta(seconds=1)
    pulse.alarms(TEN)
    assert [alarm.name for alarm in pulse.alarms(TEN)] == ["mailbox:glpi"]


def test_a_restart_forgets_no_alarm_that_admins_still_believe() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    pulse.remember("smtp", START - timedelta(hours=2))
    assert pulse.alarms(TEN) == [], "nothing is known of it yet"
    pulse.wrong("smtp", "refused")
    clock.now += TEN
    assert pulse.alarms(TEN) == [], "they know already"
    pulse.ok("smtp")
    (up,) = pulse.alarms(TEN)
    assert (up.since, up.up) == (START - timedelta(hours=2), True)


def test_a_machine_that_was_asleep_cries_no_wolf() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    for _ in range(3):
        pulse.ok("mailbox")
        clock.now += timedelta(hours=8)
        assert pulse.alarms(TEN) == []


def test_a_leg_is_wrong_until_it_works_for_everybody_who_found_it_wrong() -> None:
    pulse = Pulse(Clock())
    pulse.wrong("telegram", "no poll", "polls")
    pulse.wrong("telegram", "not shown", "screens")
    assert not pulse.ok("telegram", "polls")
    assert (pulse.legs["telegram"].since, pulse.legs["telegram"].error) == (START, "not shown")
    assert not pulse.ok("telegram", "parcels")
    assert pulse.ok("telegram", "screens")
    assert (pulse.legs["telegram"].since, pulse.legs["telegram"].error) == (None, "")


async def test_a_question_that_is_not_answered_is_trouble_before_it_has_failed() -> None:
    pulse = Pulse(Clock())
    with pulse.asking("smtp", 0.01):
        async with asyncio.timeout(20):
            while "smtp" not in pulse.legs:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
    assert pulse.legs["smtp"].error == "no answer for 0.01 s"
    with pulse.asking("directory", 0.01):
        pass
    await asyncio.sleep(0.05)
    assert "directory" not in pulse.legs
