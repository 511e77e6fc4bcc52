from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.office import env
from imbot.loops.pulse import Pulse
from imbot.loops.timers import Timers

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class Scheduler:
    def __init__(self) -> None:
        self.jobs: list[Any] = []
        self.removed = 0

    def add_job(self, _job: Any, _trigger: Any, *, args: list[Any], **_: Any) -> None:
        self.jobs.append(args[0])

    def remove_all_jobs(self) -> None:
        self.removed += 1
        self.jobs.clear()


def test_a_clock_that_is_put_back_puts_no_job_off(tmp_path: Path) -> None:
    moment = [NOW]

    async def nothing() -> None:
        return None

    def clock() -> datetime:
        return moment[0]

    common: dict[str, Any] = {"poll": lambda: None, "poll_seconds": 5, "clean_up": nothing, "folder": tmp_path}
    directory: Any = None
    db: Any = None
    timers = Timers(db, directory, env(), Pulse(clock), clock, sweep_every=timedelta(hours=6), reserve=0, **common)
    scheduler: Any = Scheduler()
    for step, removed in (
        (timedelta(days=1), 0),
        (timedelta(seconds=2), 0),
        (timedelta(days=-1), 1),
        (timedelta(0), 1),
    ):
        moment[0] += step
        timers._follow_the_clock(scheduler)
        assert scheduler.removed == removed
    assert {"poll", "heartbeat", "watchdog", "sweep", "clean_up", "silence", "unsent", "files"} == set(scheduler.jobs)
