"""Weather over a campaign: what happens to the wires and the servers while people work. Each kind is one coroutine that goes
on until it is cancelled and leaves the sky clear behind it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

from tests.fire.world import World

Weather = Callable[[World, random.Random], Awaitable[None]]


async def smtp_sleepy(world: World, rng: random.Random) -> None:
    """The mail server takes its time over a letter, some seconds each."""
    try:
        while True:
            await world.smtp.call("late", stage="data", seconds=rng.uniform(2.0, 3.5))
            await asyncio.sleep(5)
    finally:
        await world.smtp.call("clear")


async def smtp_refusing(world: World, _: random.Random) -> None:
    """The mail server takes nothing for the moment, and says so."""
    try:
        await asyncio.sleep(5)
        await world.smtp.call("answer", stage="mail", text="421 4.3.2 Shutting down")
        await asyncio.sleep(3600)
    finally:
        await world.smtp.call("clear")


async def telegram_uneven(world: World, rng: random.Random) -> None:
    """Now and then Telegram takes long over one message, and not over the next."""
    try:
        while True:
            await world.bot.call("delay", method="sendMessage", seconds=rng.uniform(2.0, 5.0), times=1)
            await asyncio.sleep(rng.uniform(0.3, 0.9))
    finally:
        await world.bot.call("clear")


async def changeable(world: World, rng: random.Random) -> None:
    """Short troubles, one after another, with fair weather between: wires cut, answers late, lost or refused for a moment."""
    troubles: list[Callable[[], Awaitable[object]]] = [
        lambda: world.proxy.call("cut", leg="smtp"),
        lambda: world.proxy.call("cut", leg="imap"),
        lambda: world.proxy.call("cut", leg="telegram"),
        lambda: world.smtp.call("drop_after_dot", n=1),
        lambda: world.smtp.call("drop_mid_data", n=1),
        lambda: world.bot.call("fail", method="sendMessage", times=2, status=502),
        lambda: world.bot.call("fail", method="editMessageText", times=1, status=500, after=True),
        lambda: world.bot.call("fail", method="file", times=1, status=500),
        lambda: world.bot.call("delay", method="sendMessage", seconds=1.0, times=3),
    ]
    try:
        while True:
            await asyncio.sleep(rng.uniform(2, 6))
            await rng.choice(troubles)()
    finally:
        await world.bot.call("clear")
        await world.smtp.call("clear")


KINDS: Mapping[str, Weather] = {one.__name__: one for one in (smtp_sleepy, smtp_refusing, telegram_uneven, changeable)}
