"""The world around imbot: it ends when asked, says so when imbot breaks, and keeps its secrets to itself."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from imbot.config import load
from imbot.demo.world import Bot, open_world
from imbot.domain.errors import ImbotError
from tests.demo.conftest import SilentBot, read, start_silent_bot


class BrokenBot(SilentBot):
    """Breaks when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        await self.breaks.wait()
        raise ImbotError("the disk is gone")


async def test_imbot_is_told_to_stop_and_waited_for(tmp_path: Path) -> None:
    bot = SilentBot()

    async def start(_config: Path) -> Bot:
        return bot

    async with open_world(tmp_path, start, read):
        assert not bot.stopped
    assert bot.stopped


async def test_an_imbot_that_breaks_ends_the_world_with_its_own_words(tmp_path: Path) -> None:
    bot = BrokenBot()

    async def start(_config: Path) -> Bot:
        return bot

    async def play() -> None:
        async with open_world(tmp_path, start, read):
            bot.breaks.set()
            await asyncio.sleep(5)

    with pytest.raises(ImbotError, match="the disk is gone"):
        await play()


async def test_the_config_is_valid_and_readable_by_us_alone(tmp_path: Path) -> None:
    async with open_world(tmp_path, start_silent_bot, read):
        config = tmp_path / "config.toml"
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        settings = load(config)
        assert settings.general.admins == ("tom@demo.local",)
        assert settings.itsm.evidence.kind == "auth-results"
        assert settings.signin.domains == ("demo.local",)


async def test_a_commit_wakes_the_pages(tmp_path: Path) -> None:
    bot = SilentBot()

    async def start(_config: Path) -> Bot:
        return bot

    async with open_world(tmp_path, start, read) as world:
        before = world.version
        committed: Callable[[], None] = bot.commit
        committed()
        assert world.version == before + 1
