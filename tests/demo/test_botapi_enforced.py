"""What our Bot API server enforces when asked to, and what it tells a witness: seen through python-telegram-bot's own client."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Conflict, Forbidden, RetryAfter
from telegram.warnings import PTBDeprecationWarning

from imbot.demo.botapi import BotApi, Limits, serve
from imbot.demo.botapi_checks import ApiError
from imbot.demo.botapi_faults import Throttle

ANNA, TOM = 1001, 1002
A_PDF = {"name": "a.pdf", "size": 4, "sha256": hashlib.sha256(b"%PDF").hexdigest()}
DAY = 24 * 3600


@dataclass
class Listener:
    """`settled`: how much had been heard at the last answer."""

    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    settled: int = 0

    def hear(self, event: str, facts: dict[str, Any]) -> None:
        self.heard.append((event, facts))

    async def settle(self) -> None:
        self.settled = len(self.heard)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.heard if name == event]


@asynccontextmanager
async def talking(api: BotApi) -> AsyncIterator[Bot]:
    api.add_user(ANNA, "Анна")
    api.add_user(TOM, "Том")
    server = await serve(api.app)
    try:
        async with Bot(api.token, base_url=server.url + "/bot", base_file_url=server.url + "/file/bot") as bot:
            yield bot
    finally:
        await server.close()


async def refused(bot: Bot, chat: int) -> float:
    with pytest.warns(PTBDeprecationWarning, match="retry_after"), pytest.raises(RetryAfter) as caught:
        await bot.send_message(chat, "x")
    with pytest.warns(PTBDeprecationWarning, match="retry_after"):
        return float(caught.value.retry_after)  # type: ignore[arg-type]


def with_clock(api: BotApi, limits: Limits) -> list[float]:
    """Limits that count by the one number in this list."""
    now = [0.0]
    api.limit(limits)
    assert api._front.throttle is not None
    api._front.throttle.clock = lambda: now[0]
    return now


async def test_a_refused_chat_stays_refused_until_its_time_has_passed(tmp_path: Path) -> None:
    api = BotApi(tmp_path)
    now = with_clock(api, Limits(chat=1, burst=2, penalty=7))
    async with talking(api) as bot:
        await bot.send_message(ANNA, "1")
        await bot.send_message(ANNA, "2")
        assert await refused(bot, ANNA) == 7
        now[0] = 5.5  # the burst would have come back
        assert await refused(bot, ANNA) == 2  # what is left of it; asking does not make it longer
        await bot.send_message(TOM, "others are served")
        now[0] = 7.0
        await bot.send_message(ANNA, "3")
        assert api.throttle is not None
        assert api.throttle.refused == 2
        assert [one["text"] for one in api.messages(ANNA)] == ["1", "2", "3"]


async def test_never_more_within_a_second_than_the_limit_in_all_then_all_are_refused(tmp_path: Path) -> None:
    api = BotApi(tmp_path)
    now = with_clock(api, Limits(overall=3, penalty=4))
    async with talking(api) as bot:
        for now[0] in (0.0, 0.9, 0.95):
            await bot.send_message(ANNA, str(now[0]))
        now[0] = 1.5  # the first is out of the window
        await bot.send_message(ANNA, "fourth")
        now[0] = 1.8
        assert await refused(bot, ANNA) == 4
        now[0] = 3.0
        assert await refused(bot, TOM) == 3
        now[0] = 5.8
        await bot.send_message(TOM, "again")


async def test_limits_are_laid_on_and_lifted_while_it_runs(tmp_path: Path) -> None:
    api = BotApi(tmp_path)
    async with talking(api) as bot:
        with_clock(api, Limits(burst=1))
        sent = await bot.send_message(ANNA, "1")
        with pytest.warns(PTBDeprecationWarning, match="retry_after"), pytest.raises(RetryAfter):
            await bot.edit_message_text("edits are counted too", ANNA, sent.message_id)
        await bot.send_chat_action(ANNA, "typing")  # it shows nothing
        api.limit(None)
        await bot.edit_message_text("2", ANNA, sent.message_id)


def test_thirty_a_second_is_what_telegram_allows() -> None:
    now = 0.0
    throttle = Throttle(Limits(), lambda: now)
    passed = 0
    for moment in range(300):
        now = moment / 100
        try:
            throttle.check(str(moment % 100))
        except ApiError:
            continue
        passed += 1
    assert passed == 90  # thirty at once, and thirty again when the second that each refusal costs is over


async def test_an_update_is_kept_for_a_day(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    listener = Listener()
    api = BotApi(tmp_path, clock=lambda: now, witness=listener)
    async with talking(api) as bot:
        api.say(ANNA, "раз")
        now += DAY - 1
        api.say(ANNA, "два")
        assert (await bot.get_webhook_info()).pending_update_count == 2
        now += 2
        assert (await bot.get_webhook_info()).pending_update_count == 1
        assert [one.message.text for one in await bot.get_updates() if one.message] == ["два"]
        now += DAY
        assert api.pending == []
        assert await bot.get_updates() == ()
    assert [facts["updates"] for facts in listener.of("expired")] == [[100_001], [100_002]]


async def test_a_witness_hears_what_the_person_did_and_what_stands_in_the_chat(tmp_path: Path) -> None:
    listener = Listener()
    api = BotApi(tmp_path, witness=listener)
    async with talking(api) as bot:
        said = api.say(ANNA, "привет")
        (update,) = await bot.get_updates(timeout=5)
        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Да", callback_data="v")]])
        sent = await bot.send_message(ANNA, "?", reply_markup=keyboard, disable_notification=True)
        press = api.press(ANNA, sent.message_id, "v")
        await bot.answer_callback_query(press, "ок")
        await bot.edit_message_text("!", ANNA, sent.message_id)
        await bot.send_document(ANNA, b"%PDF", filename="a.pdf", caption="файл", reply_to_message_id=said)
        api.attach(ANNA, [("b.txt", "text/plain", b"x")], "моё")
        api.edit(ANNA, said, "иначе")
        await bot.delete_message(ANNA, sent.message_id)
        assert listener.settled == len(listener.heard)
    first, pressed, filed, edited = listener.of("sent")
    assert (first["kind"], first["update"], first["message"], first["text"]) == (
        "message",
        update.update_id,
        said,
        "привет",
    )
    assert (pressed["kind"], pressed["value"], pressed["on"]) == ("press", "v", sent.message_id)
    assert (filed["kind"], filed["text"], filed["files"]) == ("file", "моё", ["b.txt"])
    assert (edited["kind"], edited["message"], edited["text"]) == ("edit", said, "иначе")
    shown, changed, file = listener.of("saw")
    assert (shown["chat"], shown["text"], shown["silent"], shown["edit"]) == (ANNA, "?", True, False)
    assert shown["buttons"] == [[{"label": "Да", "value": "v"}]]
    assert (changed["message"], changed["text"], changed["edit"]) == (sent.message_id, "!", True)
    assert (file["text"], file["files"], file["reply_to"]) == ("файл", [A_PDF], said)
    assert listener.of("answered") == [{"chat": ANNA, "message": sent.message_id, "text": "ок"}]
    assert listener.of("deleted") == [{"chat": ANNA, "message": sent.message_id}]
    assert [len(listener.of("polled")), listener.of("poll")[0]["given"]] == [1, 1]


async def test_a_witness_hears_of_every_refusal(tmp_path: Path) -> None:
    listener = Listener()
    api = BotApi(tmp_path, witness=listener)
    async with talking(api) as bot:
        api.block(ANNA)
        with pytest.raises(Forbidden):
            await bot.send_message(ANNA, "x")
        api.unblock(ANNA)
        with_clock(api, Limits(burst=1))
        await bot.send_message(TOM, "1")
        await refused(bot, TOM)
        api.fail("sendMessage", 1, 400, "Bad Request: on order")
        with pytest.raises(BadRequest):
            await bot.send_message(ANNA, "x")
        api.state.updates.clear()  # of the block
        first = asyncio.create_task(bot.get_updates(offset=1, timeout=20))
        await api.until(lambda: len(listener.of("polled")) == 1)
        async with Bot(api.token, base_url=str(bot.base_url).replace(api.token, "")) as other:
            second = asyncio.create_task(other.get_updates(offset=2, timeout=20))
            with pytest.raises(Conflict):
                await first
            api.say(ANNA, "ау")
            assert len(await second) == 1
    told = [(one["method"], one["status"], one["retry_after"], one["ordered"]) for one in listener.of("refused")]
    assert told == [
        ("sendMessage", 403, None, False),
        ("sendMessage", 429, 1, False),
        ("sendMessage", 400, None, True),
        ("getUpdates", 409, None, False),
    ]
    assert [name for name, _ in listener.heard if "blocked" in name] == ["blocked", "unblocked"]
