"""The employees: many persons, each an endless row of walks drawn by chance from a seed, until they are told to stop. What
they asked for is in model.jsonl; `counts` says how often each kind of walk came to its end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fire import follow_ups, requests
from tests.fire.follow_ups import News
from tests.fire.journal import Journal
from tests.fire.persons import GaveUp, Markers, Patience, Person, Telephone
from tests.fire.sight import Sight
from tests.fire.signing_in import Codes, go_and_return, is_out, shut_and_open, sign_in, try_again

_MANY = 5  # open requests, above which somebody rather looks after what they have
_OLD = 0.1  # of 1: looked after is one of all they ever filed, by whatever buttons its messages still bear


@dataclass(frozen=True, slots=True)
class Employee:
    """`signs_in`: the chat is not linked yet."""

    chat: int
    address: str
    signs_in: bool = False


@dataclass(frozen=True, slots=True)
class Habits:
    """How often, of 1. `looks_after`: somebody with open requests looks after one of them instead of filing another; `replies`:
    that is a Telegram reply, which is sent at once; `rates_low`: work that is done gets one star; `pries`: somebody presses what
    a button of somebody else's says; `leaves`: somebody signs out, and in again, if
    `rests` seconds have passed since the last time (a person gets twenty codes an hour); `shuts`: somebody shuts the bot out,
    and lets it in again."""

    looks_after: float = 0.25
    replies: float = 0.2
    rates_low: float = 0.2
    pries: float = 0.04
    leaves: float = 0.06
    rests: float = 400.0
    shuts: float = 0.02


STAY = Habits(leaves=0.0, shuts=0.0)  # where servers are away for longer than somebody waits for a code


class Employees:
    """All of them. `run(stop)` returns when everybody has come to the end of the walk that they were in."""

    def __init__(
        self,
        phone: Telephone,
        journals: Mapping[str, Path],
        employees: Sequence[Employee],
        seed: int,
        patience: Patience | None = None,
        first_marker: int = 1,
        habits: Habits | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._addresses = {one.chat: one.address for one in employees}
        self._left: dict[int, float] = {}  # by chat: when somebody signed out
        self._sight = Sight(journals["botapi"])
        self._journal = Journal(journals["model"])
        self._codes = Codes(journals["smtp"])
        self._employees, self._markers = list(employees), Markers(first_marker)
        self._patience, self._habits = patience or Patience(), habits or Habits()
        self._persons = [self._person(one, phone, seed) for one in self._employees]

    def _person(self, one: Employee, phone: Telephone, seed: int) -> Person:
        rng = random.Random(f"{seed}:{one.chat}")
        return Person(one.chat, self._sight.chat(one.chat), phone, self._journal, self._markers, rng, self._patience)

    async def run(self, stop: asyncio.Event) -> None:
        looking = asyncio.create_task(self._sight.run())
        try:
            async with asyncio.TaskGroup() as group:
                for one, person in zip(self._employees, self._persons, strict=True):
                    group.create_task(self._live(one, person, stop))
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        self.counts["did it again"] = sum(person.again for person in self._persons)
        self._journal.note("quiet")
        self._journal.close()

    async def _live(self, one: Employee, person: Person, stop: asyncio.Event) -> None:
        await self._pause(person, stop)
        if one.signs_in:
            await self._try(person, "sign in", sign_in(person, one.address, self._codes))
            await self._try(person, "tried a code again", try_again(person, one.address, self._codes))
        while not stop.is_set():
            await self._walk(person)
            await self._pause(person, stop)

    async def _pause(self, person: Person, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(person.random.expovariate(1 / person.patience.think)):
                await stop.wait()
        except TimeoutError:
            return

    async def _walk(self, person: Person) -> None:
        """What is new comes first, mostly; else something is done by chance."""
        address = self._addresses[person.chat]
        if is_out(person):  # gave up on the way
            await self._try(person, "signed in after all", sign_in(person, address, self._codes))
        now = asyncio.get_running_loop().time()
        rested = now - self._left.get(person.chat, float("-inf")) >= self._habits.rests
        if rested and person.random.random() < self._habits.leaves:
            self._left[person.chat] = now
            await self._try(person, "signed out and in", go_and_return(person, address, self._codes))
        elif person.random.random() < self._habits.shuts:
            await self._try(person, "shut the bot out", shut_and_open(person))
        told = follow_ups.news(person)
        open_ones = [marker for marker in person.filed if _is_open(person, marker)]
        chance, what = person.random.random(), person.random.random()
        if told and chance < 0.75:
            await self._react(person, person.random.choice(told))
        elif open_ones and (what < self._habits.looks_after or len(open_ones) >= _MANY):
            old = person.random.random() < _OLD
            await self._look_after(person, person.random.choice(person.filed if old else open_ones))
        elif what < self._habits.looks_after + 0.07:
            await self._try(person, "looked around", follow_ups.look(person))
        elif what < self._habits.looks_after + 0.07 + self._habits.pries:
            others = [one.sight for one in self._persons if one is not person]
            await self._try(person, "pried", follow_ups.pry(person, others))
        else:
            await self._file(person)

    async def _file(self, person: Person) -> None:
        plan = requests.draw(person)
        if person.random.random() < 0.07:
            if not await self._try(person, "cancelled", requests.file(person, requests.cancelled(plan))):
                return
            plan = requests.draw(person)
        traits = plan.traits  # what is done is taken off the plan
        if await self._try(person, "filed", requests.file(person, plan)):
            self.counts.update(f"filed: {trait}" for trait in traits)
            if plan.late:
                await self._try(person, "edited when sent", follow_ups.amend(person, plan.marker, plan.described))

    async def _react(self, person: Person, told: News) -> None:
        """Once: what comes of it is there to be seen."""
        person.answered.add(told.seen.message)
        chance = person.random.random()
        match told.kind:
            case "failed":
                await self._try(person, "sent again", follow_ups.send_again(person, told))
            case "question":
                await self._try(person, "answered", follow_ups.answer(person, told))
            case _ if person.random.random() < self._habits.rates_low:
                await self._try(person, "rated 1", follow_ups.rate(person, told, 1))
            case _ if chance < 0.37:
                done = await self._try(person, "rated 5", follow_ups.rate(person, told, 5))
                if done and person.random.random() < 0.3:
                    await self._try(person, "rated again", follow_ups.rate(person, told, person.random.choice((2, 4))))
            case _ if chance < 0.5:
                await self._try(person, "rated 3", follow_ups.rate(person, told, 3))
            case _ if chance < 0.62:
                await self._try(person, "without rating", follow_ups.rate(person, told, None))
            case _ if chance < 0.87:
                await self._try(person, "not solved", follow_ups.not_solved(person, told))
            case _:
                self.counts["left unrated"] += 1

    async def _look_after(self, person: Person, marker: str) -> None:
        message = person.sight.find(marker, holds=lambda seen: not seen.is_dialog and not seen.files)
        if message is not None and person.random.random() < self._habits.replies:
            await self._try(person, "replied", follow_ups.reply(person, message, marker))
            return
        chance = person.random.random()
        if chance < 0.37:
            await self._try(person, "added", follow_ups.add(person, marker))
        elif chance < 0.69:
            await self._try(person, "withdrew", follow_ups.withdraw(person, marker, sure=True))
        elif chance < 0.81:
            await self._try(person, "nearly withdrew", follow_ups.withdraw(person, marker, sure=False))
        else:
            await self._try(person, "looked around", follow_ups.look(person))

    async def _try(self, person: Person, what: str, walk: Awaitable[object]) -> bool:
        """The walk to its end; False where the person gave up, which is noted. A walk that says it came too late counts as
        that."""
        try:
            result = await walk
        except GaveUp as doing:
            person.gave_up(str(doing))
            self.counts[f"gave up: {what}"] += 1
            return False
        late = result is False and what not in ("cancelled", "nearly withdrew")
        self.counts[f"{what}: too late" if late else what] += 1
        return not late


def _is_open(person: Person, marker: str) -> bool:
    """By its receipt, which is kept up to date: a notice bears the buttons of its day for ever."""
    receipt = requests.receipt_of(person, marker)
    return receipt is not None and receipt.button("Уже не нужно") is not None
