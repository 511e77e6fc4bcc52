"""imbot inside the demo: built and run by the very code of production. A thin view of it for the world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from imbot.app import App, build
from imbot.config import load
from imbot.demo.world import Bot, ReadLetter
from imbot.mailbox.reading import Reader
from imbot.store import views


class _Inside:
    """An `App`, seen as the world's `Bot`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def run(self, stop: asyncio.Event) -> None:
        await self._app.run(stop)

    async def state(self) -> Mapping[str, Any]:
        return await self._app.db.read(views.state)

    def on_commit(self, callback: Callable[[], None]) -> None:
        self._app.db.on_commit(callback)


async def start_imbot(config: Path) -> Bot:
    """Build imbot from its config file, as `imbot run --config` does. The environment is left out: settings of a real
    imbot on this machine must not lead a play to real servers."""
    return _Inside(await build(load(config, environ={})))


@contextlib.asynccontextmanager
async def reading() -> AsyncIterator[ReadLetter]:
    """The bounded reader of letters, as the watcher uses it."""
    async with Reader() as reader:
        yield reader.read
