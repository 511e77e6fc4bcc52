"""Faults of Telegram and of the way to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp

from imbot.demo.botapi import DEMO_TOKEN
from tests.fire.scene import Act, Fault, Scene, during, legs, order

_ALL = 100_000  # as often as it is called
_RED = legs("telegram")
_CLEAR = order("bot", "clear")
_HEAL = order("proxy", "heal", leg="telegram")


def _fails(method: str, times: int = _ALL, status: int = 500, description: str = "", **how: object) -> Act:
    return order("bot", "fail", method=method, times=times, status=status, description=description, **how)


def _slow_down(seconds: int, times: int = _ALL) -> dict[str, object]:
    words = f"Too Many Requests: retry after {seconds}"
    return {"times": times, "status": 429, "description": words, "parameters": {"retry_after": seconds}}


async def _one_chat_waits(scene: Scene) -> None:
    chat = scene.rng.choice(scene.employees).chat
    scene.excused.add(chat)
    await scene.world.bot.call("fail", method="sendMessage", chat=chat, **_slow_down(20))
    await scene.world.bot.call("fail", method="editMessageText", chat=chat, **_slow_down(20))


async def _sending_fails(scene: Scene) -> None:
    for method in ("sendMessage", "editMessageText"):
        await _fails(method, status=500)(scene)


async def _blocked(scene: Scene) -> None:
    """What they asked for last cannot be shown to them."""
    chat = scene.spare.chat
    scene.excused.add(chat)
    await scene.world.bot.call("say", chat=chat, text="/me")
    await scene.world.bot.call("block", chat=chat)


async def _unblocked(scene: Scene) -> None:
    await scene.world.bot.call("unblock", chat=scene.spare.chat)
    await scene.world.bot.call("say", chat=scene.spare.chat, text="/start")


async def _conflicts(scene: Scene) -> None:
    words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    await _fails("getUpdates", times=2, status=409, description=words)(scene)


@contextlib.asynccontextmanager
async def _second_poller(scene: Scene) -> AsyncIterator[None]:
    """Another program with the same token, that takes what it is given and confirms nothing."""
    url = f"http://127.0.0.1:{scene.world.wires['telegram']}/bot{DEMO_TOKEN}/getUpdates"

    async def poll() -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.post(url, json={"timeout": 10}) as answer:
                    await answer.read()
                await asyncio.sleep(0.5)

    task = asyncio.create_task(poll())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


_POLLER = during("second_poller", _second_poller)

TELEGRAM: tuple[Fault, ...] = (
    Fault(
        "tg_429_short", "some messages are put off for two seconds", "telegram",
        order("bot", "fail", method="sendMessage", **_slow_down(2, 4)), _CLEAR, seconds=6,
    ),
    Fault("tg_429_chat", "one chat is put off for 20 s", "telegram", _one_chat_waits, _CLEAR, seconds=20),
    Fault(
        "tg_5xx", "every call ends with 502", "telegram",
        _fails("*", status=502, description="Bad Gateway"), _CLEAR, _RED, answered=False, down="telegram",
    ),
    Fault(
        "tg_html", "a gateway's page instead of JSON", "telegram",
        _fails("*", status=502, html=True), _CLEAR, _RED, answered=False, down="telegram",
    ),
    Fault(
        "tg_sending_500", "updates come, nothing can be shown", "telegram",
        _sending_fails, _CLEAR, _RED, answered=False, down="telegram",
    ),
    Fault(
        "tg_answer_lost", "messages are shown, and their answers are lost", "telegram",
        _fails("sendMessage", times=4, status=504, drop=True, after=True), _CLEAR, answered=True,
    ),
    Fault(
        "tg_dropped", "every connection breaks in mid-answer", "telegram",
        _fails("*", drop=True), _CLEAR, _RED, answered=False, down="telegram",
    ),
    Fault("tg_blocked", "a person shuts the bot out, and lets it in again", "telegram", _blocked, _unblocked, seconds=5),
    Fault("tg_409", "two polls are refused with 409", "telegram", _conflicts, _CLEAR, _RED, answered=False),
    Fault(
        "tg_second_poller", "a second program polls with our token", "telegram",
        *_POLLER, _RED, answered=False, seconds=10,
    ),
    Fault(
        "tg_polls_500", "polls are answered 500", "telegram",
        _fails("getUpdates", status=500), _CLEAR, _RED, answered=False, down="telegram",
    ),
    Fault("tg_files_500", "downloads are answered 500", "telegram", _fails("file", status=500), _CLEAR),
    Fault(
        "tg_files_long", "downloads are answered 500 for a quarter of an hour", "telegram",
        _fails("file", status=500), _CLEAR, seconds=900, by_name=True,
    ),
    Fault("tg_files_dropped", "downloads break off", "telegram", _fails("file", drop=True), _CLEAR),
    Fault(
        "tg_files_lost", "Telegram has the files no more", "telegram",
        _fails("getFile", status=400, description="Bad Request: wrong file_id or the file is temporarily unavailable"),
        _CLEAR,
    ),
    Fault("tg_late", "every call takes two seconds", "telegram", order("bot", "delay", method="*", seconds=2, times=_ALL),
          _CLEAR),
    Fault("tg_cut", "all connections end at once", "telegram", order("proxy", "cut", leg="telegram"), _HEAL, seconds=5),
    Fault(
        "tg_frozen", "nothing flows any more, and nobody is told", "telegram",
        order("proxy", "freeze", leg="telegram"), _HEAL, _RED, answered=False, down="telegram",
    ),
    Fault(
        "tg_refused", "no connection is taken", "telegram",
        order("proxy", "refuse", leg="telegram"), _HEAL, _RED, answered=False, down="telegram",
    ),
    Fault(
        "tg_slow", "a thin line, each way", "telegram",
        order("proxy", "slow", leg="telegram", bytes_per_second=30_000, delay=0.3), _HEAL, seconds=12,
    ),
)  # fmt: skip
