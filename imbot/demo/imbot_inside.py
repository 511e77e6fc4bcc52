"""imbot inside the demo: built and run by the very code of production. A thin view of it for the world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from imbot.app import App, build
from imbot.config import load
from imbot.demo.world import Bot, ReadLetter
from imbot.mailbox.reading import Reader
from imbot.store import views, watches

_LOOKS, _BETWEEN = 50, 0.1  # seconds in all that the mailbox is given to be read


class _Clock:
    """The machine's clock, put on by the hours that the page lets pass."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class _Inside:
    """An `App`, seen as the world's `Bot`."""

    def __init__(self, app: App, clock: _Clock) -> None:
        self._app, self._clock = app, clock

    async def run(self, stop: asyncio.Event) -> None:
        await self._app.run(stop)

    async def state(self) -> Mapping[str, Any]:
        return await self._app.db.read(views.state)

    def on_commit(self, callback: Callable[[], None]) -> None:
        self._app.db.on_commit(callback)

    def now(self) -> datetime:
        return self._clock()

    async def an_hour_passes(self) -> None:
        """What is overdue then is looked at as soon as the mailbox has been read, as in real life."""
        self._clock.ahead += timedelta(hours=1)
        for _ in range(_LOOKS):
            for watcher in self._app.watchers:
                watcher.poke()
            await self._app.timers.watchdog()
            if not await self._app.db.read(watches.due, self._clock(), 1):
                return
            await asyncio.sleep(_BETWEEN)


async def start_imbot(config: Path) -> Bot:
    """Build imbot from its config file, as `imbot run --config` does. The environment is left out: settings of a real
    imbot on this machine must not lead a play to real servers."""
    clock = _Clock()
    return _Inside(await build(load(config, environ={}), clock), clock)


@contextlib.asynccontextmanager
async def reading() -> AsyncIterator[ReadLetter]:
    """The bounded reader of letters, as the watcher uses it."""
    async with Reader() as reader:
        yield reader.read
