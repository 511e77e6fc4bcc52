"""Hours of steady work: a request a second with its dialogs, an ITSM that answers, changeable weather and a kill now and then;
and whether memory, descriptors and threads stay what they are. All samples are in journals, so that a run that was broken off
is gone on with: each go at it is a leg of its own, in a world of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fire import gauge, soaked
from tests.fire.campaign import quiet, report, surprises
from tests.fire.checker import run_checks, table
from tests.fire.control import RigError
from tests.fire.employees import STAY, Employee, Employees
from tests.fire.facts import Finding, read_journals
from tests.fire.helpdesk import Helpdesk
from tests.fire.itsm_mail import Office
from tests.fire.journal import Journal
from tests.fire.nanny import ROOT
from tests.fire.persons import Patience, Person
from tests.fire.stage import MEMORY, Report, Stage, stage
from tests.fire.weather import KINDS
from tests.fire.world import World

_FOUL, _FAIR = (10.0, 20.0), (40.0, 80.0)  # seconds
_LOOKS_AFTER = 0.4  # of those who file, so many others look after what they have


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` of load, `per_second` requests; a sample `every` so many seconds. `kills`: in all, spread evenly. `warm_up`:
    seconds of each life that do not count; None: a third of a life, no more than ten minutes. `serving`: seconds within which it
    must serve after a kill. `peace`: seconds for what is open at the end."""

    seed: int = 1
    seconds: float = 7200.0
    per_second: float = 1.0
    persons: int = 300
    every: float = 30.0
    kills: int = 0
    warm_up: float | None = None
    serving: float = 5.0
    weather: str = "changeable"
    hand: float = 0.4
    peace: float = 300.0
    memory: int = MEMORY
    code: Path = ROOT

    @property
    def life(self) -> float:
        return self.seconds / (self.kills + 1)

    @property
    def settles(self) -> float:
        return min(600.0, self.life / 3) if self.warm_up is None else self.warm_up


class Shift(Employees):
    """Requests at a steady rate, each by somebody who has nothing else to do."""

    def __init__(self, world: World, plan: Plan) -> None:
        rows = [Employee(one.chat, one.address) for one in world.persons]
        patience = Patience(step=10.0, whole=300.0, hand=plan.hand)
        super().__init__(world.bot, world.journals, rows, plan.seed, patience, habits=STAY)
        self._plan, self._dice = plan, random.Random(f"{plan.seed}:shift")
        self._busy: set[int] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, and until everybody has come to the end of what they were at."""
        looking = asyncio.create_task(self._sight.run())
        try:
            async with asyncio.TaskGroup() as group:
                while not stop.is_set():
                    self._begin(group, self._file)
                    if self._dice.random() < _LOOKS_AFTER:
                        self._begin(group, self._walk)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), self._dice.expovariate(self._plan.per_second))
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        self._journal.note("quiet")
        self._journal.close()

    def _begin(self, group: asyncio.TaskGroup, what: Any) -> None:
        free = [person for person in self._persons if person.chat not in self._busy]
        if not free:
            self.counts["nobody was free"] += 1
            return
        person = self._dice.choice(free)
        self._busy.add(person.chat)
        group.create_task(self._do(what, person))

    async def _do(self, what: Any, person: Person) -> None:
        try:
            await what(person)
        finally:
            self._busy.discard(person.chat)


async def play(folder: Path, plan: Plan) -> Report:
    """What is left of `plan.seconds` after the legs that `folder` holds, then the figures of all of them. SIGTERM and
    SIGINT end it early, with the figures of what there is."""
    told = Report()
    done = sum(leg.seconds for leg in soaked.legs(folder))
    if done < plan.seconds:
        await _leg(soaked.next_leg(folder), plan, plan.seconds - done, told)
    elif done:
        told.lines.append("all of it was done before: these are its figures")
    soaked.tell(told, soaked.legs(folder), plan.settles)
    return told


async def _leg(folder: Path, plan: Plan, seconds: float, told: Report) -> None:
    async with stage(folder, plan.seed, plan.persons, memory=plan.memory, code=plan.code) as place:
        with Journal(folder / "journals" / "soak.jsonl") as samples:
            await place.serve()
            shift = await _at_work(place, plan, seconds, samples, told)
            soaked.note_sizes(samples, place.world.data)
        await place.nanny.stop()
        await asyncio.to_thread(report, place.world, plan.code)
    journals = read_journals(folder, serving_seconds=plan.serving)
    told.findings += run_checks(journals) + surprises(place.world.log)
    told.lines.append(table(journals, told.findings))
    told.lines.append("walks: " + ", ".join(f"{name} {number}" for name, number in sorted(shift.counts.items())))


async def _at_work(place: Stage, plan: Plan, seconds: float, samples: Journal, told: Report) -> Shift:
    """Load and weather for so many seconds, then peace."""
    world = place.world
    shift = Shift(world, plan)
    desk = Helpdesk(world.deliver, world.journals, Office(world.itsm, world.mailbox, world.mx), plan.seed)
    go_home, close, costs = asyncio.Event(), asyncio.Event(), place.costs(imbot=False)
    async with asyncio.TaskGroup() as group:
        persons = group.create_task(shift.run(go_home))
        helpdesk = group.create_task(desk.run(close))
        try:
            with _told_to_end(go_home):
                await _load(place, plan, seconds, samples, go_home, told)
            go_home.set()
            told.lines += ["while they worked, beside imbot:", *(f"   {line}" for line in costs.told())]
            await persons
            await _settled(place, plan, told)
        finally:
            go_home.set()
            close.set()
        await helpdesk
        await _settled(place, plan, told)
    return shift


@contextlib.contextmanager
def _told_to_end(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    try:
        yield
    finally:
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sign)


async def _load(place: Stage, plan: Plan, seconds: float, samples: Journal, stop: asyncio.Event, told: Report) -> None:
    """Weather, samples and kills, until the time is over or `stop` is set."""
    jobs = [
        asyncio.create_task(_weather(place, plan, told)),
        asyncio.create_task(_sample(place, plan, samples)),
        asyncio.create_task(_kill(place, plan, samples, told)),
    ]
    stopping = asyncio.create_task(stop.wait())
    try:
        # None of the jobs ends by itself: one that does has failed, and says why.
        await asyncio.wait([*jobs, stopping], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*jobs, stopping):
            task.cancel()
        ends = await asyncio.gather(*jobs, stopping, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
    if not place.nanny.lives:
        await place.serve()


async def _weather(place: Stage, plan: Plan, told: Report) -> None:
    """Some seconds of it, then a fair minute: a fault that waits for the next letter meets every probe of a mail server that
    was down, and without a pause between them nothing would go at all."""
    dice = random.Random(f"{plan.seed}:weather")
    while True:
        try:
            async with asyncio.timeout(dice.uniform(*_FOUL)):
                await KINDS[plan.weather](place.world, dice)
        except TimeoutError:
            await asyncio.sleep(dice.uniform(*_FAIR))
        except RigError as error:
            told.lines.append(f"the weather failed: {error}")
            await asyncio.sleep(5)


async def _kill(place: Stage, plan: Plan, samples: Journal, told: Report) -> None:
    """A kill now and then, and a new life; one that ended by itself is a finding."""
    dice, life = random.Random(f"{plan.seed}:kills"), 1
    due = plan.life * dice.uniform(0.9, 1.1)
    samples.note("life", number=life)
    begun = asyncio.get_running_loop().time()
    while True:
        await asyncio.sleep(0.5)
        killed = life <= plan.kills and asyncio.get_running_loop().time() - begun >= due
        if place.nanny.lives and not killed:
            continue
        if not place.nanny.lives:
            told.findings.append(Finding("lives_on", f"life {life}", place.nanny.last_words()))
        else:
            await place.nanny.kill_now()
        life += 1
        samples.note("life", number=life)
        await place.serve()
        begun = asyncio.get_running_loop().time()


async def _sample(place: Stage, plan: Plan, samples: Journal) -> None:
    while True:
        await asyncio.sleep(plan.every)
        with contextlib.suppress(OSError):  # it is being killed: the next sample is of its next life
            now = gauge.read(place.nanny.pid)
            sizes = await asyncio.to_thread(soaked.sizes, place.world.data)
            counted = await place.world.smtp.call("count")
            samples.note(
                "sample", pid=place.nanny.pid, rss=now.rss, children_rss=now.children_rss, cpu=now.cpu,
                descriptors=now.descriptors, threads=now.threads, letters=counted["letters"],
                load=os.getloadavg()[0], **sizes,
            )  # fmt: skip


async def _settled(place: Stage, plan: Plan, told: Report) -> None:
    try:
        await quiet(place.world, plan.peace)
    except RigError as error:
        told.findings.append(Finding("all_drained", "", str(error)))
