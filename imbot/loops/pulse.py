"""How the loops are: who worked last when, and what is wrong. Read by the health page, the alerts and the dialog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

Clock = Callable[[], datetime]
SILENCE = 20.0  # seconds: what is wrong is to be seen within thirty
SETTLED = 120.0  # seconds by when a time service has put right what a machine that has just been switched on takes for the time


@dataclass(slots=True)
class Looked:
    """When a clock was last looked at, to know that it was put back: what it had put off would wait for as long. A step of
    `slack` is the time service's, and none."""

    at: datetime
    slack: timedelta = timedelta(seconds=2)
    settles_at: float = field(default_factory=lambda: time.monotonic() + SETTLED)

    def has_settled(self) -> bool:
        """True once, so long after a start that what was noted ahead of the clock was noted by one that ran ahead: before that
        it may be the clock that is behind."""
        if time.monotonic() < self.settles_at:
            return False
        self.settles_at = float("inf")
        return True

    def later_than(self, now: datetime) -> bool:
        """Whether the clock, which shows `now`, was put back since."""
        return now < self.at - self.slack


@dataclass(slots=True)
class Leg:
    """One thing that imbot leans on. `since`: when it went wrong, None while it works. `told`: since when admins know.
    `troubles`: what is wrong with it, by who says so."""

    ok_at: datetime | None = None
    since: datetime | None = None
    error: str = ""
    told: datetime | None = None
    suspect: datetime | None = None  # the last success that was found to lie too far back
    troubles: dict[str, str] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)  # set at each word of it; cleared by whoever waits


@dataclass(frozen=True, slots=True)
class Alarm:
    """What admins should hear: `name` is wrong since `since` (`up` False), or works again after having been announced."""

    name: str
    since: datetime
    error: str
    up: bool


@dataclass(slots=True)
class Pulse:
    """All legs by name (telegram, smtp, mailbox or mailbox:<name>, directory, store, disk). Kept in memory: a start begins
    with no opinion, but knows (`remember`) which alarms admins still believe."""

    clock: Clock
    legs: dict[str, Leg] = field(default_factory=dict)

    def ok(self, name: str, by: str = "") -> bool:
        """`name` worked just now for `by`. True where it had been wrong and is wrong for nobody else: it has recovered."""
        leg = self.legs.setdefault(name, Leg())
        leg.troubles.pop(by, None)
        leg.heard.set()
        if leg.troubles:
            leg.error = next(iter(leg.troubles.values()))
            return False
        recovered = leg.since is not None
        leg.ok_at, leg.since, leg.error = self.clock(), None, ""
        return recovered

    def wrong(self, name: str, error: str, by: str = "") -> None:
        """`name` did not work just now; `error` is one line without secrets. `by`: one of several who use it, each in a way of
        its own; it is wrong until it works for all of them again."""
        leg = self.legs.setdefault(name, Leg())
        leg.since = leg.since or self.clock()
        leg.troubles[by] = leg.error = error
        leg.heard.set()

    @contextmanager
    def asking(self, name: str, seconds: float = SILENCE) -> Iterator[None]:
        """While `name` is asked in the block: it is wrong as soon as that takes so long. Whoever asks says what came of it."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self.wrong, name, f"no answer for {seconds:g} s")
        try:
            yield
        finally:
            timer.cancel()

    def remember(self, name: str, since: datetime) -> None:
        """At a start: admins were told that `name` is wrong since then, and of nothing else yet."""
        leg = self.legs.setdefault(name, Leg())
        leg.told = since
        if leg.since is not None:
            leg.since = since

    def clock_went_back(self) -> None:
        """What is wrong since a moment that lies ahead now is wrong since now: its alarm would wait for as long. So would the
        suspicion of who worked then."""
        now = self.clock()
        for leg in self.legs.values():
            leg.since, leg.ok_at = (moment and min(moment, now) for moment in (leg.since, leg.ok_at))

    def told(self, alarm: Alarm) -> None:
        """The alarm is on its way to the admins for good."""
        self.legs[alarm.name].told = None if alarm.up else alarm.since

    def alarms(self, after: timedelta) -> list[Alarm]:
        """What is to be told now: legs that have been wrong for `after`, and those that were announced and work again; each
        until `told`. A mailbox is wrong as well where nobody has looked into it for so long without an error; but that is
        believed at the second look only, for a machine that was asleep has had no time to read it."""
        now, found = self.clock(), []
        for name, leg in self.legs.items():
            if name.partition(":")[0] == "mailbox" and leg.since is None and leg.ok_at and now - leg.ok_at > after:
                if leg.suspect == leg.ok_at:
                    leg.since, leg.error = leg.ok_at, "no answer"
                leg.suspect = leg.ok_at
            if leg.since is not None and leg.told is None and now - leg.since >= after:
                found.append(Alarm(name, leg.since, leg.error, up=False))
            elif leg.since is None and leg.told is not None and leg.ok_at is not None:
                found.append(Alarm(name, leg.told, "", up=True))
        return found


async def first_of(stop: asyncio.Event, *others: asyncio.Event, seconds: float | None = None) -> None:
    """Wait until one of the events is set or `seconds` have passed. Leaves no task behind."""
    tasks = [asyncio.ensure_future(event.wait()) for event in (stop, *others)]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
