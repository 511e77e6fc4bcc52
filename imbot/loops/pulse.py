"""How the loops are: who worked last when, and what is wrong. Read by the health page, the alerts and the dialog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Leg:
    """One thing that imbot leans on. `since`: when it went wrong, None while it works."""

    ok_at: datetime | None = None
    since: datetime | None = None
    error: str = ""


@dataclass(slots=True)
class Pulse:
    """All legs by name (telegram, smtp, mailbox, directory, store). Kept in memory: a start begins with no opinion."""

    clock: Clock
    legs: dict[str, Leg] = field(default_factory=dict)

    def ok(self, name: str) -> bool:
        """`name` worked just now. True where it had been wrong: it has recovered."""
        leg = self.legs.setdefault(name, Leg())
        recovered = leg.since is not None
        leg.ok_at, leg.since, leg.error = self.clock(), None, ""
        return recovered

    def wrong(self, name: str, error: str) -> None:
        """`name` did not work just now; `error` is one line without secrets."""
        leg = self.legs.setdefault(name, Leg())
        leg.since = leg.since or self.clock()
        leg.error = error


async def first_of(stop: asyncio.Event, *others: asyncio.Event, seconds: float | None = None) -> None:
    """Wait until one of the events is set or `seconds` have passed. Leaves no task behind."""
    tasks = [asyncio.ensure_future(event.wait()) for event in (stop, *others)]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
