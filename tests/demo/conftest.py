"""A demo world with a silent bot in it: real servers, and no imbot, so that the world itself is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from imbot.demo.botapi import serve
from imbot.demo.web import page_app
from imbot.demo.world import Bot, World, open_world
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail


class SilentBot:
    """Runs until told to stop and knows nothing."""

    def __init__(self) -> None:
        self.config = Path()
        self.stopped = False

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stopped = True

    async def state(self) -> Mapping[str, Any]:
        return {"tickets": [], "ledger": [], "outbox": [], "quarantine": []}

    def on_commit(self, callback: Callable[[], None]) -> None:
        self.commit = callback

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def an_hour_passes(self) -> None:
        self.hours = 1


async def start_silent_bot(_config: Path) -> Bot:
    return SilentBot()


async def read(raw: bytes) -> InboundMail:
    return bytes_to_mail(raw)


class Page:
    """A script at the page's API."""

    def __init__(self, url: str, http: aiohttp.ClientSession, world: World) -> None:
        self.url = url
        self.http = http
        self.world = world

    async def get(self, path: str, status: int = 200, **options: Any) -> Any:
        async with self.http.get(self.url + path, **options) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def post(self, path: str, status: int = 200, **options: Any) -> Any:
        async with self.http.post(self.url + path, **options) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with open_world(tmp_path, start_silent_bot, read) as world, aiohttp.ClientSession() as http:
        server = await serve(page_app(world), on_close=world.api.stop)
        try:
            yield Page(server.url, http, world)
        finally:
            await server.close()
