"""What a fault may lay hands on, and what a kind of fault is: how it begins and ends, and what may be expected of imbot while it
lasts."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.fire.control import RigError
from tests.fire.facts import Finding
from tests.fire.nanny import Life, Nanny
from tests.fire.people import Person
from tests.fire.trouble import Trouble
from tests.fire.world import World

_START = 60.0  # seconds until imbot must serve, started again as often as a supervisor would
_AGAIN = 1.0


@dataclass(slots=True)
class Scene:
    """One trial's world. `employees`: chats with somebody in them; `spare`: a linked chat that is left alone; `strangers`: chats
    that are linked to nobody, in turn for ever, for when the directory is to be asked. `excused`: chats that need not be answered
    for now. `own`: findings of a fault itself."""

    world: World
    nanny: Nanny
    trouble: Trouble
    rng: random.Random
    employees: Sequence[Person]
    spare: Person
    strangers: Iterator[Person]
    excused: set[int] = field(default_factory=set)
    own: list[Finding] = field(default_factory=list)
    life: Life | None = None
    open: dict[str, contextlib.AsyncExitStack] = field(default_factory=dict)
    bad_store: bool = False  # what is tried now spoils the data base as well: imbot cannot start before that is over
    repairs: Callable[[Path], int] | None = None  # what an admin does to the data base until nothing is left to be done

    async def start(self) -> None:
        """Start imbot and wait until it answers; one that ends by itself is started again, as a supervisor does. Where it
        cannot start it is started once, and not waited for. Raises RigError."""
        if self.bad_store and not self.nanny.lives:
            self.life = await self.nanny.start()
            return
        until = time.monotonic() + _START
        while True:
            if not self.nanny.lives:
                self.life = await self.nanny.start()
            if await self.health(2.0) is not None:
                return
            if time.monotonic() > until:
                raise RigError(f"imbot does not serve {_START:g} s after its start: {self.nanny.last_words()}")
            await asyncio.sleep(0.2 if self.nanny.lives else _AGAIN)

    async def kill(self) -> None:
        if self.life is None:
            raise RigError("never started")
        await self.nanny.kill(self.life)

    async def health(self, seconds: float = 3.0) -> dict[str, str] | None:
        """The legs of `/healthz`: "" for one that works, else why it does not; None where nobody answers."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.get(f"{self.world.health}/healthz") as answer,
            ):
                legs = (await answer.json())["legs"]
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return {name: "" if leg["ok"] else leg["error"] or "wrong" for name, leg in legs.items()}

    async def heard(self, name: str) -> str:
        """When this leg was said to work last, by imbot's own clock."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.world.health}/healthz") as answer:
            leg = (await answer.json())["legs"].get(name, {})
        return str(leg.get("ok_at") or "")

    async def ask_the_directory(self) -> None:
        """Somebody wants to sign in: nothing else asks the directory at a moment of ours."""
        chat = next(self.strangers).chat
        await self.world.bot.call("say", chat=chat, text=f"nobody{chat}@example.test")


Act = Callable[[Scene], Awaitable[None]]


async def nothing(_: Scene) -> None:
    """For what ends by itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`red`: legs of `/healthz` that must turn red within 30 s while it lasts. `answered`: whatever employees send meanwhile
    must have something shown within 10 s. `seconds`: it lasts so long at least, and until what must be red is. `part`: what it
    lays hands on; of two at once each has another. `down`: the far end that must not be stormed meanwhile. `by_name`: it takes
    its time, and is tried only where it is named. `maildir`: it lays hands on the folders of one. `pop3`: only a mailbox read by
    POP3 knows it."""

    name: str
    words: str
    part: str
    begin: Act
    end: Act = nothing
    red: frozenset[str] = frozenset()
    answered: bool = True
    seconds: float = 8.0
    down: str = ""
    by_name: bool = False
    maildir: bool = False
    pop3: bool = False


def legs(*names: str) -> frozenset[str]:
    return frozenset(names)


def order(witness: str, verb: str, **args: object) -> Act:
    """One order to a witness (bot, smtp, proxy)."""

    async def act(scene: Scene) -> None:
        await getattr(scene.world, witness).call(verb, **args)

    return act


def row(*acts: Act) -> Act:
    """One behind the other."""

    async def act(scene: Scene) -> None:
        for one in acts:
            await one(scene)

    return act


def during(name: str, work: Callable[[Scene], contextlib.AbstractAsyncContextManager[None]]) -> tuple[Act, Act]:
    """Begin and end of what is an asynchronous context."""

    async def begin(scene: Scene) -> None:
        scene.open[name] = contextlib.AsyncExitStack()
        await scene.open[name].enter_async_context(work(scene))

    async def end(scene: Scene) -> None:
        await scene.open.pop(name).aclose()

    return begin, end


@contextlib.asynccontextmanager
async def again_and_again(scene: Scene, act: Act, every: float) -> AsyncIterator[None]:
    """`act` every so many seconds while the block runs."""

    async def go_on() -> None:
        while True:
            await act(scene)
            await asyncio.sleep(every)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
