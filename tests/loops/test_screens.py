"""Screens that chats are owed: nobody waits for what is only tidying up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks.office import NOW, env
from imbot.config import packed
from imbot.dialog.render import Rendered
from imbot.dialog.screen import Screen, screen_to_json
from imbot.domain.errors import DeliveryError
from imbot.loops import screens as loop_of_screens
from imbot.loops.pulse import Pulse
from imbot.loops.screens import Screens
from imbot.store import sessions
from imbot.store.db import Db
from imbot.store.migrate import migrate
from imbot.templates import Templates

CHAT = "telegram:1001"
TEMPLATES = Templates([packed("templates")], ZoneInfo("Europe/Moscow"))
LONG = 30.0  # seconds; ends a test that hangs, decides nothing


class Phone:
    """Shows at once; takes buttons away when `tidy` is set."""

    name = "telegram"

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.retired: list[str] = []
        self.tidy = asyncio.Event()

    async def show(self, chat_id: str, rendered: Rendered, *, edit: str = "", dialog: bool = True) -> str:
        self.shown.append(edit or f"m{len(self.shown) + 1}")
        return self.shown[-1]

    async def retire(self, chat_id: str, message_id: str) -> None:
        await self.tidy.wait()
        self.retired.append(message_id)

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(LONG):
            while not what():  # noqa: ASYNC110 - what is shown tells nobody
                await asyncio.sleep(0.005)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    url = f"sqlite:///{tmp_path / 'imbot.db'}"
    migrate(url)
    db = await Db.open(url)
    yield db
    await db.close()


async def test_the_next_screen_does_not_wait_for_the_buttons_of_the_last_one(db: Db) -> None:
    phone, stop = Phone(), asyncio.Event()
    screens = Screens(db, phone, TEMPLATES, env(), Pulse(lambda: NOW), lambda: NOW)
    running = asyncio.create_task(screens.run(stop))
    screen = screen_to_json(replace(Screen("store_down", {"support_contact": ""}), retires=True))
    for count in (1, 2, 3):
        await db.run(sessions.owe, CHAT, screen, NOW, False, NOW)
        screens.push(CHAT, NOW)
        await phone.until(lambda count=count: len(phone.shown) == count)  # type: ignore[misc]
    assert phone.retired == []
    phone.tidy.set()
    await phone.until(lambda: len(phone.retired) == 2)
    assert sorted(phone.retired) == ["m1", "m2"]
    stop.set()
    await running


class Outage(Phone):
    """Refuses everything while it is `down`; notes how many tries were under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.tries, self.at_once, self.most = True, 0, 0, 0

    async def show(self, chat_id: str, rendered: Rendered, *, edit: str = "", dialog: bool = True) -> str:
        self.tries, self.at_once = self.tries + 1, self.at_once + 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        if self.down:
            raise DeliveryError("HTTP 500", kind="down")
        self.shown.append(chat_id)
        return f"m{self.tries}"


async def test_a_channel_that_is_down_is_tried_by_one_chat_at_a_time(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_of_screens, "_PROBE", 0.02)
    phone, stop = Outage(), asyncio.Event()
    screens = Screens(db, phone, TEMPLATES, env(), Pulse(lambda: NOW), lambda: NOW)
    running = asyncio.create_task(screens.run(stop))
    screen = screen_to_json(Screen("store_down", {"support_contact": ""}))
    chats = [f"telegram:{number}" for number in range(1001, 1009)]
    await db.run(sessions.owe, chats[0], screen, NOW, False, NOW)
    screens.push(chats[0], NOW)
    await phone.until(lambda: phone.tries == 1 and not phone.at_once)
    await asyncio.sleep(0.02)  # that it is down has been heard
    phone.most = 0
    for chat in chats[1:]:
        await db.run(sessions.owe, chat, screen, NOW, False, NOW)
        screens.push(chat, NOW)
    await phone.until(lambda: phone.tries == len(chats))
    assert phone.most == 1
    phone.down = False
    for chat in chats:
        screens.push(chat, NOW)
    await phone.until(lambda: len(phone.shown) == len(chats))
    assert sorted(phone.shown) == [chat.partition(":")[2] for chat in chats]
    stop.set()
    await running


async def test_what_a_clock_that_ran_ahead_put_off_comes_once_it_is_put_back(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_of_screens, "_SWEEP", 0.02)
    monkeypatch.setattr(loop_of_screens, "_PROBE", 0.02)
    now, phone, stop = NOW + timedelta(days=1), Outage(), asyncio.Event()
    screens = Screens(db, phone, TEMPLATES, env(), Pulse(lambda: now), lambda: now)
    running = asyncio.create_task(screens.run(stop))
    screen = screen_to_json(Screen("store_down", {"support_contact": ""}))
    await db.run(sessions.owe, CHAT, screen, now, False, now)
    screens.push(CHAT, now)
    await phone.until(lambda: phone.tries >= 1 and not screens._busy)
    phone.down, now = False, NOW
    async with asyncio.timeout(LONG):
        while not await db.read(sessions.owed, NOW + timedelta(minutes=5), 1):  # noqa: ASYNC110 - a sweep tells nobody
            await asyncio.sleep(0.005)
    assert phone.shown == [], "it is put off as after any failure"
    now = NOW + timedelta(minutes=5)
    await phone.until(lambda: phone.shown == ["1001"])
    stop.set()
    await running


async def test_a_screen_of_a_turn_whose_clock_ran_ahead_is_shown_at_once(db: Db) -> None:
    phone = Phone()
    screens = Screens(db, phone, TEMPLATES, env(), Pulse(lambda: NOW), lambda: NOW)
    screen = screen_to_json(Screen("store_down", {"support_contact": ""}))
    ahead = NOW + timedelta(days=1)
    await db.run(sessions.owe, CHAT, screen, ahead, False, ahead)
    screens.push(CHAT, ahead)
    await phone.until(lambda: phone.shown == ["m1"])


async def test_who_pressed_while_the_channel_was_away_is_answered_as_soon_as_it_is_back(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a poll or another chat's screen shows that it is: the next tries lie ahead, and the clock stands."""
    monkeypatch.setattr(loop_of_screens, "_SWEEP", 0.02)
    monkeypatch.setattr(loop_of_screens, "_PROBE", 0.02)
    phone, stop = Outage(), asyncio.Event()
    screens = Screens(db, phone, TEMPLATES, env(), Pulse(lambda: NOW), lambda: NOW)
    running = asyncio.create_task(screens.run(stop))
    screen = screen_to_json(Screen("store_down", {"support_contact": ""}))
    for hear in (screens.hurry, lambda: screens.push("telegram:1002", NOW)):
        phone.down, phone.shown = True, []
        await db.run(sessions.owe, CHAT, screen, NOW, False, NOW)
        tries = phone.tries
        screens.push(CHAT, NOW)
        await phone.until(lambda tries=tries: phone.tries > tries and not screens._busy)  # type: ignore[misc]
        assert await db.read(sessions.owed, NOW, 1) == []
        phone.down = False
        await db.run(sessions.owe, "telegram:1002", screen, NOW, False, NOW)
        hear()
        await phone.until(lambda: "1001" in phone.shown)
        await phone.until(lambda: not screens._busy)
    stop.set()
    await running
