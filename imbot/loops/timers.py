"""What happens by the clock: APScheduler holds intervals and cron lines only, what is due stands in the data base.

Every job catches its own errors at its border, notes them in the pulse and is run again at its next turn.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from imbot.domain.errors import DirectoryUnavailable, ImbotError
from imbot.domain.people import Absence, Entry, Person
from imbot.loops.pulse import Clock, Looked, Pulse, first_of
from imbot.services import checks, delivery, telling, tickets, unsent, watchdog
from imbot.services.env import Env
from imbot.store import people, watches
from imbot.store.db import Db

log = structlog.get_logger(__name__)

Job = Callable[[], Awaitable[None]]
_LOOK = 2.0  # seconds between looks at the clock
_BACK = timedelta(minutes=1)
_SWEEP_AT_ONCE = 100_000  # the whole company: "too many are gone" is judged over all of it


class Directory(Protocol):
    @property
    def can_recheck(self) -> bool: ...
    async def look_up(self, address: str) -> Entry | Absence: ...


class Timers:
    """`folder` is where state lies, `reserve` the bytes of its disk that should stay free. `poll` is called every
    `poll_seconds` (the mailbox's net), `clean_up` once a night."""

    def __init__(
        self,
        db: Db,
        directory: Directory,
        env: Env,
        pulse: Pulse,
        clock: Clock,
        *,
        poll: Callable[[], None],
        poll_seconds: int,
        clean_up: Job,
        sweep_every: timedelta,
        folder: Path,
        reserve: int,
    ) -> None:
        self._db, self._directory, self._env, self._pulse, self._clock = db, directory, env, pulse, clock
        self._poll, self._poll_seconds = poll, poll_seconds
        self._clean_up, self._sweep_every = clean_up, sweep_every
        self._folder, self._reserve = folder, reserve
        self._looked = Looked(clock(), _BACK)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. A job that is running then is waited for by nobody: all of them may be cut at any point."""
        for leg, since in await self._db.read(telling.open_alarms):
            self._pulse.remember(leg, since)
        await self._db.run(watchdog.adopt, self._clock(), self._env)
        scheduler = AsyncIOScheduler(timezone=self._env.zone)
        self._plan(scheduler)
        scheduler.start()
        try:
            while not stop.is_set():
                await first_of(stop, seconds=_LOOK)
                self._follow_the_clock(scheduler)
        finally:
            scheduler.shutdown(wait=False)

    def _plan(self, scheduler: AsyncIOScheduler) -> None:
        poll = IntervalTrigger(seconds=self._poll_seconds, timezone=self._env.zone)
        scheduler.add_job(self._guarded, poll, args=["poll", self._poke], max_instances=1, coalesce=True)
        minute = IntervalTrigger(minutes=1, timezone=self._env.zone)
        scheduler.add_job(self._guarded, minute, args=["silence", self._silence], max_instances=1, coalesce=True)
        scheduler.add_job(self._guarded, minute, args=["watchdog", self.watchdog], max_instances=1, coalesce=True)
        scheduler.add_job(self._guarded, minute, args=["unsent", self.unsent], max_instances=1, coalesce=True)
        scheduler.add_job(self._guarded, minute, args=["files", self.files], max_instances=1, coalesce=True)
        scheduler.add_job(self._guarded, minute, args=["heartbeat", self.heartbeat], max_instances=1, coalesce=True)
        sweep = IntervalTrigger(seconds=int(self._sweep_every.total_seconds()), timezone=self._env.zone)
        scheduler.add_job(self._guarded, sweep, args=["sweep", self.sweep], max_instances=1, coalesce=True)
        night = CronTrigger(hour=3, minute=17, timezone=self._env.zone)
        scheduler.add_job(self._guarded, night, args=["clean_up", self._clean_up], max_instances=1, coalesce=True)

    def _follow_the_clock(self, scheduler: AsyncIOScheduler) -> None:
        """A clock that was put back has put every job off by as much: they are planned anew."""
        now = self._clock()
        if self._looked.later_than(now):
            scheduler.remove_all_jobs()
            self._plan(scheduler)
            self._pulse.clock_went_back()
            log.warning("clock_went_back", seconds=round((self._looked.at - now).total_seconds()))
        self._looked.at = now

    async def _guarded(self, name: str, job: Job) -> None:
        try:
            await job()
            self._pulse.ok(f"timer {name}")
        except ImbotError as error:
            self._pulse.wrong(f"timer {name}", str(error))
            log.warning("timer_failed", job=name, error=str(error))
        except Exception as error:
            self._pulse.wrong(f"timer {name}", repr(error))
            log.exception("timer_failed", job=name)

    async def _poke(self) -> None:
        self._poll()

    async def _silence(self) -> None:
        await self._db.run(tickets.note_silence, self._clock(), self._env)

    async def watchdog(self) -> None:
        """Tell of requests that the ITSM has not confirmed in its working minutes."""
        now = self._clock()
        if await self._db.read(watches.due, now, 1):
            asked = await self._db.run(watchdog.look, now, self._env)
            log.info("watchdog", asked=asked)

    async def unsent(self) -> None:
        """Remind of what was written for a ticket and not sent."""
        now = self._clock()
        if await self._db.read(unsent.due, now):
            await self._db.run(unsent.remind, now, self._env)

    async def files(self) -> None:
        """Letters that have waited long enough for their files go without them."""
        while await self._db.read(delivery.files_in_vain, self._clock()):
            given_up = await self._db.run(delivery.go_without_files, self._clock())
            log.warning("files_follow", files=given_up)

    async def heartbeat(self) -> None:
        """Tell the admins, in their chats first, what has not worked for too long, and when it works again."""
        free = shutil.disk_usage(self._folder).free
        if free < self._reserve:
            self._pulse.wrong("disk", f"{free // 1_000_000} MB are free")
        else:
            self._pulse.ok("disk")
        for alarm in self._pulse.alarms(self._env.late_after):
            await self._db.run(telling.leg_changed, alarm.name, alarm.since, alarm.error, alarm.up, self._clock())
            self._pulse.told(alarm)
            log.warning("alarm", leg=alarm.name, up=alarm.up, since=alarm.since.isoformat(), error=alarm.error)

    async def sweep(self) -> None:
        """Ask the directory for everybody who is linked and was not asked of late. A directory that is
        down ends the sweep: silence is not absence."""
        if not self._directory.can_recheck:
            return
        now = self._clock()
        before = now - self._sweep_every / 2
        answers: list[tuple[Person, Entry | Absence]] = []
        for person in await self._db.read(people.persons_to_sweep, before, now, _SWEEP_AT_ONCE):
            try:
                answers.append((person, await self._directory.look_up(person.address)))
            except DirectoryUnavailable as error:
                self._pulse.wrong("directory", str(error))
                log.warning("sweep_cut_short", error=str(error))
                break
        else:
            self._pulse.ok("directory")
        if answers:
            left = await self._db.run(checks.swept, answers, self._clock(), self._env)
            log.info("swept", asked=len(answers), left=left)
