"""While the data base is away nothing is confirmed, and everybody who writes is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from imbot.domain.chats import Chat, Incoming, Typed
from imbot.domain.errors import DeliveryError
from imbot.loops import dispatch
from imbot.loops.dispatch import Dispatch
from imbot.loops.pulse import Pulse
from imbot.services.turns import Taken
from imbot.store.errors import StoreUnavailable

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LONG = 20.0  # seconds; ends a test that hangs, decides nothing


class Away:
    """A data base that takes nothing until it is told to."""

    back = False

    async def run(self, *_: Any) -> Any:
        if not self.back:
            raise StoreUnavailable("the disk is full")
        return Taken()


class Channel:
    name = "telegram"

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.offsets: list[int | None] = []

    async def poll(self, offset: int | None, *, wait: bool = True) -> list[dict[str, Any]]:
        self.offsets.append(offset)
        waiting = [one for one in self.updates if one["update_id"] >= (offset or 0)]
        await asyncio.sleep(0 if waiting else 3600)
        return waiting

    async def acknowledge(self, handle: str, text: str = "") -> None:
        raise AssertionError("nobody pressed anything")


class Screens:
    """`put_off`: a chat that takes nothing for longer than a test lasts."""

    def __init__(self, put_off: str = "") -> None:
        self.told: list[str] = []
        self.put_off, self.given_up = put_off, 0

    async def say_without_store(self, chat: Chat, language: str, name: str) -> None:
        assert name == "store_down"
        if chat.id == self.put_off:
            try:
                await asyncio.sleep(3600)
            finally:
                self.given_up += 1
        self.told.append(chat.id)


def read(raw: Mapping[str, Any]) -> Incoming:
    return Incoming(f"telegram:{raw['update_id']}", Chat("telegram", str(raw["chat"])), Typed("принтер", "1"))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not holds():  # noqa: ASYNC110 - fakes tell nobody
            await asyncio.sleep(0.01)


async def test_whoever_writes_while_a_batch_waits_for_the_data_base_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_STORE_WAIT", 0.05)
    monkeypatch.setattr(dispatch, "_TELL_AGAIN", 0.2)
    db, channel, screens, stop, pulse = Away(), Channel(), Screens(), asyncio.Event(), Pulse(lambda: NOW)
    one: Any = Dispatch(db, channel, read, screens, None, pulse, lambda: NOW, "example.test")  # type: ignore[arg-type]
    channel.updates = [{"update_id": 1, "chat": 10}]
    running = asyncio.create_task(one.run(stop))
    await until(lambda: screens.told == ["10"])
    channel.updates += [{"update_id": 2, "chat": 20}]
    await until(lambda: screens.told == ["10", "20"])
    channel.updates += [{"update_id": 3, "chat": 20}]
    await until(lambda: screens.told == ["10", "20", "20"])
    assert set(channel.offsets) == {None}, "nothing was confirmed"
    assert pulse.legs["store"].since is not None
    db.back = True
    await until(lambda: channel.offsets[-1] == 4)
    assert pulse.legs["store"].since is None
    assert screens.told == ["10", "20", "20"]
    stop.set()
    async with asyncio.timeout(LONG):
        await running


async def test_a_chat_that_is_put_off_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while the data base is away nor once it is back; what was to be said of that is not said then."""
    monkeypatch.setattr(dispatch, "_STORE_WAIT", 0.05)
    db, channel, screens, stop, pulse = Away(), Channel(), Screens(put_off="10"), asyncio.Event(), Pulse(lambda: NOW)
    one: Any = Dispatch(db, channel, read, screens, None, pulse, lambda: NOW, "example.test")  # type: ignore[arg-type]
    channel.updates = [{"update_id": 1, "chat": 10}, {"update_id": 2, "chat": 20}]
    running = asyncio.create_task(one.run(stop))
    await until(lambda: screens.told == ["20"])
    channel.updates += [{"update_id": 3, "chat": 30}]
    await until(lambda: screens.told == ["20", "30"])
    db.back = True
    await until(lambda: channel.offsets[-1] == 4)
    assert screens.given_up == 1
    stop.set()
    async with asyncio.timeout(LONG):
        await running
    assert screens.told == ["20", "30"]


async def test_a_first_conflict_costs_seconds_and_a_second_poller_is_not_fought_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    asked: list[bool] = []
    recovered: list[int] = []
    answers = [*[DeliveryError("409", kind="conflict")] * 6, [], DeliveryError("409", kind="conflict")]

    class Contested(Channel):
        async def poll(self, offset: int | None, *, wait: bool = True) -> list[dict[str, Any]]:
            asked.append(wait)
            if not answers:
                stop.set()
                return []
            answer = answers.pop(0)
            if isinstance(answer, DeliveryError):
                raise answer
            return []

    async def first_of(*_: Any, seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(dispatch, "first_of", first_of)
    stop, pulse, screens, db = asyncio.Event(), Pulse(lambda: NOW), Screens(), Away()
    one: Any = Dispatch(db, Contested(), read, screens, None, pulse, lambda: NOW, "example.test")  # type: ignore[arg-type]
    one.on_recovered(lambda: recovered.append(len(waits)))
    async with asyncio.timeout(LONG):
        await one.run(stop)
    assert waits == [3.0, 6.0, 12.0, 24.0, 30.0, 30.0, 3.0]
    assert asked == [True, *[False] * 6, True, False], "after a failure it is asked how the channel is, without waiting"
    assert recovered == [6, 7]
