"""What the measuring scenarios have in common: a world with imbot in it under a limit of memory, how long it takes to serve,
how late the rig itself is, and the words in which they report."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fire.checker import TIMED
from tests.fire.control import RigError
from tests.fire.facts import Finding
from tests.fire.gauge import GIB, MIB, Costs
from tests.fire.journal import Journal, Tail
from tests.fire.measures import Spread, spread
from tests.fire.nanny import ROOT, Life, Nanny
from tests.fire.world import World

MEMORY = GIB  # bytes: what a small virtual machine has
_START = 60.0  # seconds until a start counts as failed
_TICK = 0.05


@dataclass(slots=True)
class Report:
    """`findings`: what must not be; `slow`: what was asked for and missed, which a busy machine may explain; `lines`: the rest
    of what there is to say."""

    findings: list[Finding] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.findings and not self.slow

    @property
    def wrong(self) -> list[Finding]:
        """What no machine excuses."""
        return [one for one in self.findings if one.check not in TIMED]

    def tell(self) -> str:
        missed = [f"MISSED: {one}" for one in self.slow]
        found = [f"{one.check} {one.about}: {one.words}" for one in self.findings]
        return "\n".join([*self.lines, *missed, *found])


@dataclass(slots=True)
class Stage:
    world: World
    nanny: Nanny
    polls: Tail

    async def serve(self, seconds: float = _START) -> tuple[Life, float]:
        """Start imbot; how long it took to ask for updates. Raises RigError where it does not."""
        self.polls.new()
        begun = time.monotonic()
        life = await self.nanny.start()
        while True:
            polled = next((one["t"] for one in self.polls.new() if one["e"] == "polled"), None)
            if polled is not None:
                return life, polled - begun
            if not self.nanny.lives:
                raise RigError(f"imbot ended instead of serving: {self.nanny.last_words()}")
            if time.monotonic() > begun + seconds:
                raise RigError(f"imbot does not serve {seconds:g} s after its start: {self.nanny.last_words()}")
            await asyncio.sleep(0.02)

    def costs(self, *, imbot: bool = True) -> Costs:
        """Of imbot (of this life of it), the witnesses, and the models: this process, with Dovecot and slapd, its children."""
        pids = {"imbot": self.nanny.pid} if imbot else {}
        pids |= {name: process.pid for name, process in self.world.processes.items()}
        return Costs(pids | {"the models": os.getpid()})


@contextlib.asynccontextmanager
async def stage(
    folder: Path,
    seed: int,
    persons: int,
    *,
    settings: Mapping[str, Any] | None = None,
    limits: bool = True,
    direct: bool = False,
    memory: int = MEMORY,
    module: str = "imbot",
    code: Path = ROOT,
) -> AsyncIterator[Stage]:
    """A world, and a nanny that has not started imbot yet. What is left of imbot at the end is killed."""
    async with World(folder, seed, persons, settings=settings, limits=limits, direct=direct, in_order=True) as world:
        with Journal(world.journals["nanny"]) as journal:
            nanny = Nanny(world.config, journal, world.log, code, memory=memory, module=module)
            try:
                yield Stage(world, nanny, Tail(world.journals["botapi"]))
            finally:
                await nanny.away()


class Lateness:
    """How late the loop of this process wakes: where it is late, the models are what is slow. `async with`."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Lateness:
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            due = time.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            self._late.append(max(0.0, time.monotonic() - due))

    @property
    def spread(self) -> Spread:
        return spread(self._late)


def mib(size: float) -> str:
    return f"{size / MIB:.1f} MiB"
