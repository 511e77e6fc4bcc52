"""J4b: notices for many chats wait in the outbox, three for each, and Telegram takes 30 a second in all, one a second a chat.

limit: a sender that knows its rhythm beforehand: one call every thirtieth of a second, nothing kept. imbot: outbox, courier,
Telegram's channel and its pace; meanwhile persons write and are answered. The Bot API is a process of its own that counts on
arrival and answers 429 to whatever comes too early; it is asked what came, from whom, in which order. Then, not timed: kill -9
behind half of the notices for a few chats, and a second start: each is told, in order.
"""

from __future__ import annotations

import asyncio
import bisect
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import Connection

from benchmarks import cut, desk, machine
from benchmarks.journey import Figures, Journey, Place, Ratio, check
from benchmarks.pace_stub import OVERALL, TOKEN, report, stub
from imbot import event_loop
from imbot.channels.telegram import Telegram, TelegramSettings
from imbot.channels.telegram_wire import read_update
from imbot.domain.notices import comment_notice
from imbot.services import telling
from imbot.store import tickets
from imbot.store.db import once
from imbot.store.migrate import migrate

_CHATS, _EACH = 300, 3
_FEW = 40  # chats that are told across a kill: half of their notices are far more than one kill may repeat
_TWICE = 24  # notices that one kill may repeat: as many as may be in Telegram's hands
_TALKERS = 20  # persons who write meanwhile, by turns
_TALK_EVERY = 0.35  # seconds
_WORDS = "Картридж заменён, проверьте печать"


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    chats = max(12, int(_CHATS * scale))
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder:
        database = Path(folder) / "waiting.db"
        migrate(f"sqlite:///{database}")
        once(f"sqlite:///{database}", _put_notices, chats)
        few = Path(folder) / "few.db"
        migrate(f"sqlite:///{few}")
        once(f"sqlite:///{few}", _put_notices, _FEW)
        yield {"database": str(database), "chats": chats, "few": str(few)}


def _put_notices(c: Connection, chats: int) -> None:
    """One round of notices after the other, as a day's letters would bring them."""
    owned = []
    for number in range(chats):
        chat = desk.sign_in(c, number)
        row = desk.request(number, number + 1, chat)
        tickets.add(c, row)
        owned.append(row)
    for number in range(chats, chats + _TALKERS):
        desk.sign_in(c, number)
    for turn in range(_EACH):
        for ticket in owned:
            notice = comment_notice(ticket, f"{_WORDS} ({turn})")
            telling.put_notice(c, notice, ticket, f"notice:{ticket.id}:{turn}", desk.now(), desk.env())


def limit(place: Place) -> Figures:
    with stub() as address:
        asyncio.run(_in_rhythm(address, place["chats"]))
        told = report(address)
        return {"messages_per_s": _rate([row[0] for row in told["sent"]])}


async def _in_rhythm(address: str, chats: int) -> None:
    count = chats * _EACH
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        began = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / OVERALL - time.monotonic()))
            group.create_task(_post(session, address, desk.FIRST_CHAT + number % chats))


async def _post(session: aiohttp.ClientSession, address: str, chat: int) -> None:
    values = {"chat_id": chat, "text": _WORDS}
    async with session.post(f"{address}/bot{TOKEN}/sendMessage", json=values) as answer:
        await answer.read()


def _rate(moments: list[float]) -> float:
    return (len(moments) - 1) / (max(moments) - min(moments))


def _most_in_a_second(moments: list[float]) -> int:
    return max(bisect.bisect_left(moments, at + 1.0) - number for number, at in enumerate(moments))


def imbot(place: Place) -> Figures:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name, stub() as address:
        database = Path(name) / "imbot.db"
        shutil.copy(place["database"], database)
        said, spent = event_loop.run(_imbot(place, database, address))
        told = report(address)
    talkers = {str(desk.FIRST_CHAT + place["chats"] + number) for number in range(_TALKERS)}
    notices = [row for row in told["sent"] if row[1] not in talkers]
    _check_notices(place, notices)
    waits = _waits(said, [row for row in told["sent"] if row[1] in talkers])
    during = [row[0] for row in told["sent"] if row[0] <= max(row[0] for row in notices)]
    replies = desk.percentiles(waits)
    return {
        "messages_per_s": _rate(during),
        "refused": float(len(told["refused"])),
        "most_in_a_second": float(_most_in_a_second(sorted(row[0] for row in told["sent"]))),
        "reply_p50_ms": replies["p50_ms"],
        "reply_p99_ms": replies["p99_ms"],
        "cpu_us": spent / len(told["sent"]) * 1e6,
        "repeats_after_kill": _killed(place),
    }


def _killed(place: Place) -> float:
    """kill -9 behind half of the notices, and a second start: every chat is told everything, in order. Returns how many came
    twice, which is honest only for those that were under way."""
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name, stub() as address:
        shutil.copy(place["few"], Path(name) / "imbot.db")
        there = {**place, "address": address}
        cut.first_half("j4b", there, Path(name), "notice_sent", _FEW * _EACH // 2)
        half(there, Path(name))
        sent = report(address)["sent"]
    first = {(chat, text): [at, chat, text] for at, chat, text in reversed(sent)}
    _check_notices({**place, "chats": _FEW}, sorted(first.values()))
    _check_repeats(sent)
    repeats = len(sent) - len(first)
    check(repeats <= _TWICE, f"{repeats} notices came twice after a kill")
    return float(repeats)


def _check_repeats(sent: list[list[Any]]) -> None:
    """What came twice came before anything newer of its chat."""
    newest: dict[str, int] = {}
    for _, chat, text in sent:
        turn = next(turn for turn in range(_EACH) if f"({turn})" in text)
        check(turn >= newest.get(chat, 0), f"chat {chat} was told ({turn}) again behind ({newest.get(chat)})")
        newest[chat] = turn


def half(place: Place, folder: Path) -> None:
    event_loop.run(_told(folder / "imbot.db", place["address"]))


async def _told(database: Path, address: str) -> None:
    chat = Telegram(TelegramSettings(TOKEN, api_base=address, poll_timeout=5))
    await chat.open()
    async with desk.running(database, chat, desk.NoMail(), read_update) as db:
        while await db.read(_open, 0):
            await asyncio.sleep(0.1)
    await chat.close()


async def _imbot(place: Place, database: Path, address: str) -> tuple[list[tuple[float, str]], float]:
    chat = Telegram(TelegramSettings(TOKEN, api_base=address, poll_timeout=5))
    await chat.open()
    desk.env(), desk.templates()
    said: list[tuple[float, str]] = []
    spent = machine.cpu()
    async with desk.running(database, chat, desk.NoMail(), read_update) as db:
        silence = asyncio.Event()
        talking = asyncio.create_task(_talk(address, place["chats"], said, silence))
        while await db.read(_open, 0):
            await asyncio.sleep(0.25)
        silence.set()  # not cut off: what the Bot API has is a word that was said
        await talking
        await asyncio.sleep(1.5)  # what was said last is answered
        spent = machine.cpu() - spent
    await chat.close()
    return said, spent


def _open(c: Connection, _: int) -> int:
    from imbot.store import outbox

    return len(outbox.open_parcels(c, 1))


async def _talk(address: str, chats: int, said: list[tuple[float, str]], silence: asyncio.Event) -> None:
    """Persons write "/help" by turns, until `silence`; each is noted when the Bot API had it."""
    async with aiohttp.ClientSession() as session:
        while not silence.is_set():
            chat = str(desk.FIRST_CHAT + chats + len(said) % _TALKERS)
            async with session.get(f"{address}/say", params={"chat": chat, "text": "/help"}) as answer:
                said.append((float(await answer.text()), chat))
            await asyncio.sleep(_TALK_EVERY)


def _check_notices(place: Place, notices: list[list[Any]]) -> None:
    """Every chat was told everything, once, in order."""
    count = Counter(row[1] for row in notices)
    check(len(count) == place["chats"], f"{len(count)} chats of {place['chats']} were told")
    check(set(count.values()) == {_EACH}, f"a chat was told {max(count.values())} or {min(count.values())} times")
    by_chat: dict[str, list[str]] = {}
    for _, chat, text in notices:
        by_chat.setdefault(chat, []).append(text)
    for chat, texts in by_chat.items():
        turns = [next(turn for turn in range(_EACH) if f"({turn})" in text) for text in texts]
        check(turns == list(range(_EACH)), f"chat {chat} was told in the order {turns}")


def _waits(said: list[tuple[float, str]], replies: list[list[Any]]) -> list[float]:
    """Seconds from the nth word of a chat to its nth reply."""
    check(len(replies) == len(said), f"{len(replies)} replies to {len(said)} words")
    waits = []
    for chat in {chat for _, chat in said}:
        asked = [at for at, who in said if who == chat]
        answered = [row[0] for row in replies if row[1] == chat]
        waits += [after - before for before, after in zip(asked, answered, strict=True)]
    return waits


JOURNEY = Journey(
    "J4b",
    "notices for many chats, at Telegram's pace",
    prepare,
    {"limit": limit, "imbot": imbot},
    (
        Ratio("messages/s / 30", "imbot.messages_per_s", float(OVERALL), at_least=0.97, aim=0.99),
        Ratio("messages/s / limit", "imbot.messages_per_s", "limit.messages_per_s"),
        Ratio("refused with 429", "imbot.refused", 1.0, at_most=0, worst=True),
        Ratio("dialog reply, 99 % / 200 ms", "imbot.reply_p99_ms", 200.0, at_most=1),
    ),
    {
        "messages_per_s": "/s",
        "refused": "calls",
        "most_in_a_second": "calls, as they arrived",
        "reply_p50_ms": "ms",
        "reply_p99_ms": "ms",
        "cpu_us": "us a message",
    },
)
