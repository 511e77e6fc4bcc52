"""The bots of the chat journeys, each a process of its own: `python -m benchmarks.chat_bots NAME URL [WORDS]`. Imports no more
than each needs, for a start is measured as well. `URL` is the stub's, `WORDS` a JSON file: the wizard's questions in order.

raw, telebot, ptb: say the same words again; a press is acknowledged and changes its message. aiogram: a wizard in memory.
orm: python-telegram-bot and an async SQLAlchemy session; one durable commit a step, before the answer. imbot: the real App,
its pace set so wide that only its work counts (Telegram itself would allow 30 messages a second).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

TOKEN = "123456789:AAbenchmarks-token-that-opens-nothing-00"
_ROUND_THE_CLOCK = 1_000_000


def raw(url: str, _words: str) -> None:
    """The limit: one session, raw JSON, the answers of a batch side by side."""
    asyncio.run(_raw(f"{url}/bot{TOKEN}"))


async def _raw(base: str) -> None:
    import aiohttp
    import orjson

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:

        async def call(method: str, values: dict[str, Any]) -> Any:
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{base}/{method}", data=orjson.dumps(values), headers=headers) as response:
                return orjson.loads(await response.read())["result"]

        async def answer(update: dict[str, Any]) -> None:
            if message := update.get("message"):
                await call("sendMessage", {"chat_id": message["chat"]["id"], "text": message["text"]})
                return
            query = update["callback_query"]
            shown = query["message"]
            await call("answerCallbackQuery", {"callback_query_id": query["id"]})
            values = {"chat_id": shown["chat"]["id"], "message_id": shown["message_id"], "text": query["data"]}
            await call("editMessageText", values)

        offset = 0
        while True:
            updates = await call("getUpdates", {"offset": offset, "limit": 100, "timeout": 20})
            await asyncio.gather(*map(answer, updates))
            offset = updates[-1]["update_id"] + 1 if updates else offset


def telebot(url: str, _words: str) -> None:
    import telebot as library
    from telebot import apihelper

    apihelper.API_URL = url + "/bot{0}/{1}"
    bot = library.TeleBot(TOKEN, threaded=False)

    def echo(message: Any) -> None:
        bot.send_message(message.chat.id, message.text)

    bot.register_message_handler(echo, content_types=["text"])

    bot.infinity_polling(timeout=30, long_polling_timeout=20)


def ptb(url: str, _words: str) -> None:
    from telegram import Update
    from telegram.ext import CallbackQueryHandler, MessageHandler, filters

    async def echo(update: Update, _context: Any) -> None:
        assert update.message
        await update.message.reply_text(update.message.text or "")

    async def pressed(update: Update, _context: Any) -> None:
        assert update.callback_query
        await update.callback_query.answer()
        await update.callback_query.edit_message_text(update.callback_query.data or "")

    _poll(url, [MessageHandler(filters.TEXT, echo), CallbackQueryHandler(pressed)])


def _poll(url: str, handlers: list[Any]) -> None:
    from telegram.ext import ApplicationBuilder

    application = ApplicationBuilder().token(TOKEN).base_url(f"{url}/bot").build()
    application.add_handlers(handlers)
    application.run_polling(timeout=20)


def orm(url: str, words: str) -> None:
    from telegram import Update
    from telegram.ext import MessageHandler, filters

    from benchmarks.usual_chat import Wizard

    wizard = Wizard(Path(words).with_name("usual.db"), json.loads(Path(words).read_text("utf-8")))

    async def step(update: Update, _context: Any) -> None:
        assert update.message
        question = await wizard.step(update.message.chat_id, update.message.text or "")
        await update.message.reply_text(question)

    _poll(url, [MessageHandler(filters.TEXT, step)])


def aiogram(url: str, words: str) -> None:
    asyncio.run(_aiogram(url, json.loads(Path(words).read_text("utf-8"))))


async def _aiogram(url: str, words: list[str]) -> None:
    from aiogram import Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.filters import StateFilter
    from aiogram.fsm.context import FSMContext
    from aiogram.fsm.state import State
    from aiogram.types import Message

    states = [State(state=f"step{number}", group_name="Wizard") for number in range(len(words))]
    dispatcher = Dispatcher()

    def ask(number: int) -> Any:
        async def step(message: Message, state: FSMContext) -> None:
            await state.update_data({f"answer{number}": message.text})
            await state.set_state(states[(number + 1) % len(states)])
            await message.answer(words[number])

        return step

    dispatcher.message.register(ask(0), states[0])
    dispatcher.message.register(ask(0), StateFilter(None))
    for number in range(1, len(words)):
        dispatcher.message.register(ask(number), states[number])
    bot = Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(url)))
    await dispatcher.start_polling(bot, polling_timeout=20)


def imbot(_url: str, config: str) -> None:
    from imbot import event_loop, log
    from imbot.app import build
    from imbot.channels.pacer import Meter, Pacer
    from imbot.config import load

    async def run() -> None:
        settings = load(Path(config))
        log.set_up(settings.general.log_level, settings.general.log_format)
        app = await build(settings)
        app.telegram.pacer = Pacer(Meter(overall=_ROUND_THE_CLOCK, burst=_ROUND_THE_CLOCK))
        await app.run(asyncio.Event())

    event_loop.run(run())


BOTS = {each.__name__: each for each in (raw, telebot, ptb, orm, aiogram, imbot)}


def _end_with_driver() -> None:
    """No bot outlives whoever started it, however that ended."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_driver, daemon=True).start()
    BOTS[sys.argv[1]](sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
