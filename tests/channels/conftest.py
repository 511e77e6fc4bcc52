"""Our Bot API server with Anna in it, and our edge at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imbot.channels.telegram import Telegram, TelegramSettings
from imbot.demo.botapi import BotApi, RunningServer, serve

ANNA = 1001
TOM = 1002


@pytest.fixture
async def api(tmp_path: Path) -> BotApi:
    api = BotApi(tmp_path / "botapi")
    api.add_user(ANNA, "Анна")
    api.add_user(TOM, "Том")
    return api


@pytest.fixture
async def server(api: BotApi) -> AsyncIterator[RunningServer]:
    server = await serve(api.app)
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
async def telegram(api: BotApi, server: RunningServer) -> AsyncIterator[Telegram]:
    telegram = Telegram(TelegramSettings(api.token, server.url, poll_timeout=0, read_seconds=3))
    await telegram.start()
    try:
        yield telegram
    finally:
        await telegram.close()
