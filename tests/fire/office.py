"""The office is down: everybody files a request within minutes, most of them at its beginning. Telegram's limits are enforced
and imbot has a gigabyte. Played unlimited, without these limits, it is the process itself that is measured."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fire import gauge, measures, requests
from tests.fire.campaign import quiet, report, surprises
from tests.fire.checker import run_checks, table
from tests.fire.control import RigError
from tests.fire.facts import Finding, Journals, read_journals
from tests.fire.helpdesk import Call, Chances, Helpdesk
from tests.fire.itsm_mail import Office
from tests.fire.journal import Journal
from tests.fire.measures import spread
from tests.fire.nanny import ROOT
from tests.fire.people import Person as Entry
from tests.fire.persons import GaveUp, Markers, Patience, Person, photo
from tests.fire.sight import Sight
from tests.fire.stage import MEMORY, Lateness, Report, Stage, mib, stage

REPLY, HANDOVER = 1.0, 60.0  # seconds: for 95 of 100 replies, and for every letter
_LIMIT = 30  # messages a second that Telegram lets a bot show
_PHOTO, _LEAVES = 0.2, 0.04
_ONLY_REGISTERS = Chances(
    pace=5.0, registers_late=0.0, registers_twice=0.0, begins_first=0.0, asks=0.0, comments=0.0, rejects=0.0,
    bounces=0.0, bounces_registered=0.0, forges=0.0, closes=0.0,
)  # fmt: skip

_IN_NO_TIME = 0.3  # seconds that a reply may take whether news wait or not


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds`: from the first person to the last; `hand`: mean seconds before each press and word; `photo_side`: pixels, each
    a byte, more than Telegram's thumbnails have. `unlimited`: no limits, no pace, no wires, and `abreast` persons at a time who
    lose no moment. `peace`: seconds for what is open at the end. `code`: whose `imbot`."""

    seed: int = 1
    persons: int = 1000
    seconds: float = 600.0
    hand: float = 2.0
    photo_side: int = 450
    unlimited: bool = False
    abreast: int = 100
    memory: int = MEMORY
    peace: float = 300.0
    code: Path = ROOT


def arrivals(plan: Plan) -> list[float]:
    """When each person begins, in order: twice the mean rate at once, falling evenly to none at the end."""
    dice = random.Random(plan.seed)
    return sorted(plan.seconds * (1 - (1 - dice.random()) ** 0.5) for _ in range(plan.persons))


class Registrar(Helpdesk):
    """An ITSM that gives each request its number, and no more: nobody works, the office is down."""

    async def _work(self, call: Call) -> None:
        return


class Crowd:
    """Everybody, once. A person takes nothing of the rig before they come and little after they have gone."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.counts: Counter[str] = Counter()
        self._plan, self._phone = plan, stage.world.bot
        self._entries: Sequence[Entry] = stage.world.persons
        self._sight = Sight(stage.world.journals["botapi"])
        self._journal = Journal(stage.world.journals["model"])
        self._markers = Markers()

    async def run(self) -> None:
        """Until the last of them has gone."""
        looking = asyncio.create_task(self._sight.run())
        try:
            async with asyncio.TaskGroup() as group:
                await (self._one_after_another(group) if self._plan.unlimited else self._in_time(group))
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
        self._journal.note("quiet")
        self._journal.close()

    async def _in_time(self, group: asyncio.TaskGroup) -> None:
        begun = asyncio.get_running_loop().time()
        for entry, moment in zip(self._entries, arrivals(self._plan), strict=True):
            await asyncio.sleep(max(0.0, begun + moment - asyncio.get_running_loop().time()))
            group.create_task(self._visit(entry))

    async def _one_after_another(self, group: asyncio.TaskGroup) -> None:
        room = asyncio.Semaphore(self._plan.abreast)
        for entry in self._entries:
            await room.acquire()
            group.create_task(self._visit(entry)).add_done_callback(lambda _: room.release())

    async def _visit(self, entry: Entry) -> None:
        hand = 0.0001 if self._plan.unlimited else self._plan.hand
        rng = random.Random(f"{self._plan.seed}:{entry.chat}")
        patience = Patience(step=30.0, whole=300.0, hand=hand)
        sight = self._sight.chat(entry.chat)
        person = Person(entry.chat, sight, self._phone, self._journal, self._markers, rng, patience)
        try:
            if rng.random() < _LEAVES:
                await _leave_half_way(person)
                self.counts["left half way"] += 1
            else:
                plan = draw(person, self._plan)
                await requests.file(person, plan)
                self.counts["filed"] += 1
                self.counts["filed with a photo"] += bool(plan.files)
        except GaveUp as doing:
            person.gave_up(str(doing))
            self.counts["gave up"] += 1
        self.counts["did it again"] += person.again


def draw(person: Person, plan: Plan) -> requests.Plan:
    """Category, kind, words, Send; with some of them a photo."""
    rng, marker = person.random, person.plan()
    category, sub = rng.choice(requests.KINDS)
    wish = requests.Plan(marker, category, sub, [f"{marker} ничего не работает, телефоны тоже молчат"])
    if rng.random() < _PHOTO:
        wish.files = [photo(marker, 1, plan.photo_side)]
    return wish


async def _leave_half_way(person: Person) -> None:
    """Somebody else has called the helpdesk."""
    await person.do(lambda: person.say("/newticket"), lambda: person.screen("О чём заявка?"), "beginning")
    category = requests.KINDS[0][0]
    await person.press_until(lambda: person.button(category), lambda: person.screen("Что именно?"), "choosing")


async def play(folder: Path, plan: Plan) -> Report:
    """The whole of it, from the first person to the report."""
    told = Report()
    settings: Mapping[str, Any] = {"directory": {"recheck_minutes": 1}}
    unlimited, module = plan.unlimited, "tests.fire.unpaced" if plan.unlimited else "imbot"
    async with stage(
        folder, plan.seed, plan.persons, settings=settings, limits=not unlimited, direct=unlimited,
        memory=plan.memory, module=module, code=plan.code,
    ) as place:  # fmt: skip
        _, serving = await place.serve()
        told.lines.append(f"served {serving:.2f} s after its start, with {mib(gauge.read(place.nanny.pid).rss)}")
        crowd = await _at_work(place, plan, told)
        end = gauge.read(place.nanny.pid)
        await place.nanny.stop()
        await asyncio.to_thread(report, place.world, ROOT)
    journals = read_journals(folder)
    told.findings += run_checks(journals) + surprises(place.world.log)
    told.lines += [table(journals, told.findings), ""]
    told.lines.append("persons: " + ", ".join(f"{name} {number}" for name, number in sorted(crowd.counts.items())))
    _tell_memory(told, end, plan)
    _tell_times(told, journals, plan)
    _tell_calls(told, journals, plan)
    return told


async def _at_work(place: Stage, plan: Plan, told: Report) -> Crowd:
    """Persons and ITSM until nothing is under way any more."""
    world = place.world
    desk = Registrar(
        world.deliver, world.journals, Office(world.itsm, world.mailbox, world.mx), plan.seed, _ONLY_REGISTERS
    )
    close, crowd, costs = asyncio.Event(), Crowd(place, plan), place.costs()
    async with Lateness() as late, asyncio.TaskGroup() as group:
        registering = group.create_task(desk.run(close))
        try:
            await crowd.run()
            told.lines += ["while they came:", *(f"   {line}" for line in costs.told())]
            await _settled(place, plan, told)
        finally:
            close.set()
        await registering
        await _settled(place, plan, told)
    told.lines.append(f"the models' own loop was late by {late.spread}")
    return crowd


async def _settled(place: Stage, plan: Plan, told: Report) -> None:
    try:
        await quiet(place.world, plan.peace)
    except RigError as error:
        told.findings.append(Finding("all_drained", "", str(error)))


def _tell_memory(told: Report, end: gauge.Reading, plan: Plan) -> None:
    limit = f"{mib(plan.memory)} of address space by RLIMIT_AS" if plan.memory else "no limit"
    told.lines.append(
        f"imbot took {mib(end.peak)} at its peak (VmHWM), its children {mib(end.children_peak)} ({limit} each); "
        f"{end.cpu:.1f} CPU s, {end.descriptors} descriptors, {end.threads} threads"
    )
    if plan.memory and end.whole_peak > plan.memory:
        told.slow.append(f"{mib(end.whole_peak)} of memory for it and its children, of {mib(plan.memory)}")


def _tell_times(told: Report, journals: Journals, plan: Plan) -> None:
    by_kind = measures.replies(journals)
    every = spread([one for times in by_kind.values() for one in times])
    told.lines.append(f"replies to inputs                  {every}")
    told.lines += [f"   to {kind:<12}                 {spread(times)}" for kind, times in sorted(by_kind.items())]
    news = spread(measures.notices(journals))
    told.lines.append(f"notices of a registration          {news}")
    told.lines.append(f"receipts that say it is sent       {spread(measures.sent_receipts(journals))}")
    handed = measures.handovers(journals)
    told.lines.append(f"from Send to the mail server's 250 {spread(list(handed.values()))}")
    if every.p95 > REPLY and not plan.unlimited:
        told.slow.append(f"95 of 100 replies within {every.p95:.2f} s instead of {REPLY:g} s")
    if every.p95 > max(news.p95, _IN_NO_TIME) and not plan.unlimited:
        told.slow.append(f"who writes waits longer, {every.p95:.2f} s, than news do, {news.p95:.2f} s")
    refused = sum(one["e"] == "refused" and one.get("status") == 429 for one in journals.bot)
    if refused and not plan.unlimited:
        told.slow.append(f"{refused} messages met a limit of Telegram's")
    late = {marker: seconds for marker, seconds in handed.items() if seconds > HANDOVER}
    if late:
        told.slow.append(
            f"{len(late)} letters handed over later than {HANDOVER:g} s after Send, up to {max(late.values()):.1f} s"
        )


def _tell_calls(told: Report, journals: Journals, plan: Plan) -> None:
    """What a walk costs, and how near the limit all of them came."""
    counted, tickets = measures.calls(journals), max(1, len(journals.requests))
    paced = measures.paced(counted)
    told.lines.append(f"calls of the Bot API for each of {tickets} requests (those that were left half way are in it):")
    told.lines += [f"   {name:<24} {number / tickets:6.2f}" for name, number in counted.most_common()]
    of_dialog = (counted["screen"] + counted["buttons taken away"] + counted["unchanged"]) / tickets
    told.lines.append(
        f"   counted by the limit: {paced / tickets:.2f}, {of_dialog:.2f} of them of the dialog: {_LIMIT} a second are "
        f"{_LIMIT * tickets / max(1, paced):.2f} requests a second"
    )
    shown = measures.shown_at(journals)
    told.lines.append(
        f"shown in any one second at most {measures.busiest(shown, 1.0)}, {measures.best_rate(shown):.1f}/s for 10 s"
    )
    if plan.unlimited:
        updates = [one["t"] for one in journals.bot if one["e"] == "sent"]
        letters = sorted(letter.t for letter in journals.letters if letter.kind == "request")
        told.lines.append(
            f"one process: {measures.best_rate(updates):.1f} updates/s, {measures.best_rate(letters):.1f} tickets/s for 10 s; "
            f"over all of it {_mean(updates):.1f} updates/s, {_mean(letters):.1f} tickets/s"
        )
    else:
        peak = 2 * plan.persons / plan.seconds
        told.lines.append(
            f"persons came at {peak:.2f}/s at first: {peak * paced / tickets:.1f} messages a second of {_LIMIT}"
        )


def _mean(moments: Sequence[float]) -> float:
    return (len(moments) - 1) / max(moments[-1] - moments[0], 0.001) if len(moments) > 1 else 0.0
