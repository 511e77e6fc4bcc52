"""The Bot API in its process keeps Telegram's limits, and the whole world stands around a real imbot and ends within seconds."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from imbot.config import load
from imbot.demo.botapi import DEMO_TOKEN
from tests.fire.control import RigError
from tests.fire.journal import read
from tests.fire.test_witnesses import LONG, Witness, until, witness
from tests.fire.world import ITSM, World

ANNA, TOM = 1001, 1002


class Bot:
    """A bot that knows nothing but HTTP."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self._http, self._url = http, f"http://127.0.0.1:{port}/bot{DEMO_TOKEN}"

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        async with self._http.post(f"{self._url}/{method}", json=params) as answer:
            body: dict[str, Any] = await answer.json()
            return body

    async def status(self, method: str, **params: Any) -> int:
        body = await self.call(method, **params)
        return int(body.get("error_code", 200))


@pytest.fixture
async def telegram(tmp_path: Path) -> AsyncIterator[Witness]:
    async with witness("botapi", tmp_path, "--files", str(tmp_path / "files")) as one:
        await one.remote.call("add_users", users=[{"chat": ANNA, "name": "Анна"}, {"chat": TOM, "name": "Том"}])
        yield one


@pytest.fixture
async def bot(telegram: Witness) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as http:
        yield Bot(http, telegram.ports["port"])


async def test_the_bot_api_enforces_its_limits(telegram: Witness, bot: Bot) -> None:
    await telegram.remote.call("limits", chat=0.001, burst=3, penalty=600)
    assert [await bot.status("sendMessage", chat_id=ANNA, text=str(n)) for n in range(5)] == [200] * 3 + [429] * 2
    body = await bot.call("sendMessage", chat_id=ANNA, text="still")
    assert 590 < body["parameters"]["retry_after"] <= 1000
    assert await bot.status("sendMessage", chat_id=TOM, text="others are served") == 200
    assert await telegram.remote.call("refused") == 3
    await telegram.remote.call("limits", on=False)
    assert await bot.status("sendMessage", chat_id=ANNA, text="again") == 200
    assert await telegram.remote.call("refused") == 3
    refused = telegram.of("refused")
    assert [(one["method"], one["chat"], one["status"]) for one in refused] == [("sendMessage", ANNA, 429)] * 3
    assert len(telegram.of("saw")) == 5


async def test_the_bot_api_obeys_and_journals_both_sides(telegram: Witness, bot: Bot, tmp_path: Path) -> None:
    order = telegram.remote.call
    said = await order("say", chat=ANNA, text="привет fire0000001")
    (update,) = (await bot.call("getUpdates"))["result"]
    keyboard = {"inline_keyboard": [[{"text": "Да", "callback_data": "v"}]]}
    shown = (await bot.call("sendMessage", chat_id=ANNA, text="?", reply_markup=keyboard))["result"]["message_id"]
    first = await order("changes", since=0, wait=LONG)
    assert first == {"count": 1, "chats": [ANNA]}
    assert [one["text"] for one in await order("chat", chat=ANNA)] == ["привет fire0000001", "?"]
    assert [one["id"] for one in await order("chat", chat=ANNA, after=said)] == [shown]
    waiting = asyncio.create_task(order("changes", since=1, wait=LONG))
    press = await order("press", chat=ANNA, message=shown, value="v")
    await bot.call("answerCallbackQuery", callback_query_id=press, text="ок")
    assert await waiting == {"count": 2, "chats": [ANNA]}
    await bot.call("sendMessage", chat_id=TOM, text="!")
    assert (await order("changes", since=1))["chats"] == [TOM, ANNA]
    assert [one["answers"][0]["text"] for one in await order("chat", chat=ANNA, since=1)] == ["ок"]
    assert await order("changes", since=3, wait=0.05) == {"count": 3, "chats": []}
    (tmp_path / "b.txt").write_bytes(b"two")
    files = [
        {"name": "a.jpg", "type": "image/jpeg", "data": base64.b64encode(b"one").decode()},
        {"name": "b.txt", "type": "text/plain", "path": str(tmp_path / "b.txt")},
    ]
    assert len(await order("attach", chat=ANNA, files=files, caption="файлы")) == 2
    await order("edit", chat=ANNA, message=said, text="иначе fire0000001")
    await order("block", chat=TOM)
    assert await bot.status("sendMessage", chat_id=TOM, text="x") == 403
    await order("unblock", chat=TOM)
    assert await order("pending") == 7
    await order("pass_time", seconds=25 * 3600)
    assert await order("pending") == 0
    with pytest.raises(RigError, match="never had a button"):
        await order("press", chat=ANNA, message=shown, value="w")
    kinds = [(one["kind"], one["message"], one["files"]) for one in telegram.of("sent")]
    assert [kind for kind, _, _ in kinds] == ["message", "press", "file", "file", "edit"]
    assert kinds[3][2] == ["b.txt"]
    assert telegram.of("sent")[0]["update"] == update["update_id"]
    assert [(one["chat"], one["text"]) for one in telegram.of("saw")] == [(ANNA, "?"), (TOM, "!")]
    assert [len(telegram.of(event)) for event in ("polled", "poll", "blocked", "unblocked")] == [1, 1, 1, 1]
    assert len(telegram.of("expired")[0]["updates"]) == 7


async def test_faults_on_order_reach_the_bot_api(telegram: Witness, bot: Bot) -> None:
    await telegram.remote.call("fail", method="sendMessage", status=502, description="Bad Gateway", after=True)
    assert await bot.status("sendMessage", chat_id=ANNA, text="taken") == 502
    await telegram.remote.call("fail", method="*", times=50)
    await telegram.remote.call("clear")
    assert await bot.status("sendMessage", chat_id=ANNA, text="served") == 200
    assert [one["text"] for one in telegram.of("saw")] == ["taken", "served"]
    assert [(one["status"], one["ordered"]) for one in telegram.of("refused")] == [(502, True)]
    await telegram.remote.call("delay", method="getUpdates", seconds=0.2)
    began = time.monotonic()
    assert await bot.status("getUpdates") == 200
    assert time.monotonic() - began >= 0.2
    first = asyncio.create_task(bot.status("getUpdates", timeout=50))
    await until(lambda: len(telegram.of("polled")) == 2)
    second = asyncio.create_task(bot.status("getUpdates", timeout=50))
    assert await asyncio.wait_for(first, LONG) == 409
    await telegram.remote.call("say", chat=ANNA, text="ау")
    assert await second == 200


@pytest.mark.servers
async def test_imbot_lives_in_the_world_and_everything_ends_within_seconds(tmp_path: Path) -> None:
    settings = {"general": {"alarm_minutes": 1}, "telegram": {"poll_timeout": 5}}
    async with World(tmp_path, 7, 20, signing_in=2, settings=settings) as world:
        loaded = load(world.config, {})
        assert (loaded.general.alarm_minutes, loaded.telegram.poll_timeout) == (1, 5)
        assert [one.signs_in for one in world.persons] == [False] * 18 + [True] * 2
        async with world.imbot() as imbot:
            for chat in (1001, 1020):
                await world.bot.call("say", chat=chat, text="/start")
            count, greeted = 0, set[int]()
            async with asyncio.timeout(LONG):
                while greeted != {1001, 1020}:
                    changed = await world.bot.call("changes", since=count, wait=LONG)
                    count, greeted = changed["count"], greeted | set(changed["chats"])
            (known,) = await world.bot.call("chat", chat=1001, after=1, since=0)
            assert "Новая заявка" in json.dumps(known["buttons"], ensure_ascii=False)
            assert world.persons[0].first_name in known["text"]
            stranger = await world.bot.call("chat", chat=1020)
            assert "Новая заявка" not in json.dumps(stranger, ensure_ascii=False)
            await sign_in(world, 1020)
            async with aiohttp.ClientSession() as http, http.get(f"{world.health}/healthz") as answer:
                assert answer.status in (200, 503)  # it answers; what it says is imbot's own matter
            open_now = await world.proxy.call("count")
            assert open_now["telegram"]["open"] >= 1
            assert min(open_now[leg]["connections"] for leg in ("smtp", "imap", "ldap")) >= 1
            began = time.monotonic()
        assert imbot.returncode == 0, world.log.read_text()
    assert time.monotonic() - began < LONG
    assert {process.returncode for process in world.processes.values()} == {0}
    assert read(world.journals["botapi"])[0]["text"] == "/start"


def shown(world: World) -> list[dict[str, Any]]:
    return [one for one in read(world.journals["botapi"]) if one["e"] == "saw"]


async def sign_in(world: World, chat: int) -> None:
    """By the dialog, with the code out of the sink's journal; a letter of anybody lies in the mailbox meanwhile."""
    await world.deliver(world.vouched(f"From: {ITSM}\r\nTo: {world.mailbox}\r\nSubject: x\r\n\r\nx\r\n".encode()))
    await world.bot.call("say", chat=chat, text=f"u{chat}@example.test")
    letters = await until(lambda: [one for one in read(world.journals["smtp"]) if one["e"] == "accepted"])
    assert letters[0]["rcpt"] == [f"u{chat}@example.test"]
    code = next(word for word in letters[0]["text"].split() if len(word.replace("-", "")) == 8 and word.isupper())
    await world.bot.call("say", chat=chat, text=code)
    await until(lambda: any(chat == one.get("chat") and "Новая заявка" in str(one) for one in shown(world)))
