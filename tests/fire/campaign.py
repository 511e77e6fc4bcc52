"""A campaign: employees and an ITSM at work for a while, imbot killed again and again meanwhile, then peace, and the check of
what the witnesses saw. Everything that lasts of it lies in one folder; the same seed plays the same persons and deaths."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.fire.checker import run_checks, table
from tests.fire.checks_faults import unhandled
from tests.fire.control import RigError
from tests.fire.employees import Employee, Employees, Habits
from tests.fire.facts import Finding, read_journals
from tests.fire.helpdesk import Chances, Helpdesk
from tests.fire.itsm_mail import Office
from tests.fire.journal import Journal, Tail
from tests.fire.nanny import ROOT, Nanny, note_stalls, places
from tests.fire.persons import Patience
from tests.fire.power import Power
from tests.fire.weather import KINDS
from tests.fire.world import World

# Places that no traffic leads to: `test_cold.py` kills there.
COLD = frozenset(
    {"migration_copying", "migration_copied", "migration_half", "clean_up_half", "clean_up_noted", "file_cleaned"}
)
# What happens too often for its first times to be anything but the start.
_BUSY = frozenset(
    {"in_transaction", "group_committed", "turn_committed", "screen_owed", "screen_shown", "parcel_claimed"}
)
_START = 30.0  # seconds
# Places that only a mailbox read by IMAP leads to.
_BY_IMAP = frozenset({"fetch_half", "idle_woken"})
# Places that a campaign leads to in its beginning.
_EARLY = frozenset({"person_looked_up", "code_sent"})
# Words to the admins that were put off by an hour, so that there are not too many of them.
WAITS_BY_DESIGN = "(kind = 'alert' AND attempts = 0 AND due_at > unixepoch() * 1000000)"
_OPEN = (
    # In a suspended lane things wait for somebody to say "send again"; who has gone home does not.
    "SELECT (SELECT count(*) FROM parcels WHERE settled_at IS NULL AND waits_for = '' AND lane NOT IN (SELECT lane FROM lanes)"
    " AND NOT " + WAITS_BY_DESIGN + ")"
    " + (SELECT count(*) FROM slots WHERE due_at IS NOT NULL)"
    " + (SELECT count(*) FROM mails WHERE settled_at IS NULL)"
    " + (SELECT count(*) FROM mail_places WHERE marked_at IS NULL)"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`kills`: how many; `life`: seconds, counted from its first poll, that imbot is given to reach its failpoint; then it
    is killed wherever it is. `power`: each death is a power failure, so that what was not synced is lost as well. `peace`:
    seconds for everything to end: a thousand notices may wait for the pace of their chats by then.
    `places`: failpoints in turn; None: all of them in a row of chance. `weather`: of `weather.KINDS`. `code`: whose `imbot`.
    `idle`: so many persons, the last ones, do nothing by themselves. `pop3`: the mailbox is read by POP3."""

    seed: int = 1
    persons: int = 12
    signing_in: int = 3
    kills: int = 20
    life: float = 3.0
    power: bool = False
    peace: float = 300.0
    code: Path = ROOT
    places: Sequence[str] | None = None
    weather: str = ""
    idle: int = 0
    pop3: bool = False
    chances: Chances = field(default_factory=lambda: Chances(large=0.5))
    habits: Habits = field(default_factory=Habits)
    patience: Patience = field(default_factory=lambda: Patience(step=8.0, whole=120.0, think=0.7, hand=0.15))
    settings: Mapping[str, Any] = field(default_factory=lambda: {"directory": {"recheck_minutes": 1}})


@dataclass(slots=True)
class Result:
    """`deaths`: by the name of the place ("random" for a kill by chance). `lost`: names of files that a failed power changed."""

    findings: list[Finding]
    table: str
    deaths: Counter[str]
    walks: Counter[str]
    said: Counter[str]
    lost: Counter[str]


class Deaths:
    """Where imbot dies next. Each place in turn, the ones that only the first minutes lead to before the others, at its first,
    sometimes at its second or third time; what was not reached comes again later, and then at its first time. Every fourth
    death is one by chance."""

    def __init__(self, rng: random.Random, plan: Plan) -> None:
        self._rng, self._plan = rng, plan
        self._row: list[str] = list(plan.places or [""]) if plan.places is not None else []
        self._every = [name for name in places(plan.code) if name not in COLD | (_BY_IMAP if plan.pop3 else set())]
        self._rare = set(_EARLY)  # what is not to be waited for twice
        self._turn = 0

    def next(self) -> tuple[str, float]:
        """A failpoint ("" for none) and the seconds of serving after which it is chance that kills."""
        self._turn += 1
        if self._plan.places is not None:
            return self._row[(self._turn - 1) % len(self._row)], self._plan.life
        if self._turn % 4 == 0:
            return "", self._plan.life * self._rng.uniform(0.05, 1.0)
        if not self._row:
            self._row = self._rng.sample(self._every, len(self._every))
            self._row.sort(key=lambda name: name not in _EARLY)
        name = self._row.pop(0)
        most = 30 if name in _BUSY else 1 if name in self._rare or self._rng.random() < 0.6 else 3
        return f"{name}:{self._rng.randint(1, most)}", self._plan.life * 3

    def missed(self, failpoint: str) -> None:
        name = failpoint.partition(":")[0]
        if self._plan.places is None and name and name not in _EARLY:  # the first minutes do not come again
            self._rare.add(name)
            self._row.insert(min(len(self._row), 5), name)


async def kill_often(
    world: World, nanny: Nanny, plan: Plan, rng: random.Random, power: Power | None, enough: asyncio.Event
) -> tuple[Counter[str], Counter[str]]:
    """Lives and deaths until `plan.kills`, or `enough`; a kill at a place that was not reached counts as one by chance."""
    polls, deaths, row = Tail(world.journals["botapi"]), Deaths(rng, plan), Counter[str]()
    lost: Counter[str] = Counter()
    while row.total() < plan.kills and not enough.is_set():
        failpoint, seconds = deaths.next()
        if power is not None:
            power.picture()
        life = await nanny.start(failpoint)
        await _serving(nanny, polls)
        await nanny.until_dead(life, seconds)
        if power is not None:
            lost.update(power.fail())
        if life.by == "random":
            deaths.missed(failpoint)
        row[life.by.partition(":")[0]] += 1
    return row, lost


async def _serving(nanny: Nanny, polls: Tail) -> None:
    """Until imbot has asked for updates, or is dead before that. Raises RigError after a while."""
    polls.new()
    until = time.monotonic() + _START
    while nanny.lives and not any(one["e"] == "polled" for one in polls.new()):
        if time.monotonic() > until:
            raise RigError(f"imbot does not serve {_START:g} s after its start: {nanny.last_words()}")
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def at_work(world: World, plan: Plan) -> AsyncIterator[tuple[Employees, Helpdesk, Callable[[], Any]]]:
    """Employees and ITSM, until the block ends: by then they must have been sent home (`home()`, then they come to an end)."""
    at_work = world.persons[: len(world.persons) - plan.idle]
    rows = [Employee(one.chat, one.address, one.signs_in) for one in at_work]
    employees = Employees(world.bot, world.journals, rows, plan.seed, plan.patience, habits=plan.habits)
    office = Office(world.itsm, world.mailbox, world.mx)
    desk = Helpdesk(world.deliver, world.journals, office, plan.seed, plan.chances)
    go_home, close = asyncio.Event(), asyncio.Event()

    async def home() -> None:
        go_home.set()
        await persons
        try:
            await quiet(world, plan.peace)
        finally:
            close.set()
            await helpdesk
        await quiet(world, plan.peace)

    async with asyncio.TaskGroup() as group:
        persons = group.create_task(employees.run(go_home))
        helpdesk = group.create_task(desk.run(close))
        try:
            yield employees, desk, home
        except BaseException:
            persons.cancel()
            helpdesk.cancel()
            raise


async def quiet(world: World, seconds: float) -> None:
    """Until nothing is under way in imbot, at every look for as long as a letter in the mailbox may go unnoticed. Raises RigError
    after `seconds`, with what is left."""
    began = quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < world.seen_after:
        left = await asyncio.to_thread(_open, world.data / "imbot.db")
        waiting = await world.bot.call("pending")
        now = time.monotonic()
        if left or waiting:
            quiet_since = now
        if now - began > seconds:
            raise RigError(f"not quiet after {seconds:g} s: {left} open in the data base, {waiting} updates not taken")
        await asyncio.sleep(0.3)


def _open(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as c:
        return int(c.execute(_OPEN).fetchone()[0])


def report(world: World, code: Path) -> None:
    """`imbot report --csv` beside the journals, where the checker looks for it."""
    words = [
        sys.executable,
        "-m",
        "imbot",
        "report",
        "--config",
        str(world.config),
        "--csv",
        str(world.folder / "report.csv"),
        "--until",
        (date.today() + timedelta(days=2)).isoformat(),  # what was filed while the clock ran ahead stands in it as well
    ]
    subprocess.run(words, cwd=code, check=True, capture_output=True, timeout=60)


async def play(folder: Path, plan: Plan, enough: asyncio.Event | None = None) -> Result:
    """One campaign in `folder`, from its first person to its findings. `enough`: once set, no further life begins, and what there
    is is brought to its end and judged."""
    enough = enough or asyncio.Event()
    drained: list[Finding] = []
    people, given, pop3 = plan.persons, plan.settings, plan.pop3
    world_of = World(folder, plan.seed, people, signing_in=plan.signing_in, settings=given, in_order=True, pop3=pop3)
    async with world_of as world:
        power = Power(world.data, folder / "power") if plan.power else None
        with Journal(world.journals["nanny"]) as journal:
            nanny = Nanny(world.config, journal, world.log, plan.code, power.environment if power else None)
            stalls = asyncio.create_task(note_stalls(journal))
            try:
                async with at_work(world, plan) as (employees, desk, home):
                    async with under(world, plan):
                        deaths, lost = await kill_often(world, nanny, plan, random.Random(plan.seed), power, enough)
                        await nanny.start()
                    try:
                        await home()
                    except RigError as error:
                        drained.append(Finding("all_drained", "", str(error)))
                await nanny.stop()
            finally:
                stalls.cancel()
                await nanny.away()
        await asyncio.to_thread(report, world, plan.code)
    # In a thread: the world beside this one lives in the same loop, and hundreds of deaths take their time to be judged.
    findings, told = await asyncio.to_thread(_judged, folder, world.log, drained)
    return Result(findings, told, deaths, employees.counts, desk.counts, lost)


def _judged(folder: Path, log: Path, drained: list[Finding]) -> tuple[list[Finding], str]:
    journals = read_journals(folder)
    findings = drained + run_checks(journals) + surprises(log)
    return findings, table(journals, findings)


def surprises(log: Path) -> list[Finding]:
    """What took imbot by surprise, by its log."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [Finding("no_unhandled", "imbot.log", words) for words in dict.fromkeys(unhandled(lines))]


@contextlib.asynccontextmanager
async def under(world: World, plan: Plan) -> AsyncIterator[None]:
    """The plan's weather while the block runs. What goes wrong with it goes wrong with the campaign."""
    if not plan.weather:
        yield
        return
    weather = asyncio.ensure_future(KINDS[plan.weather](world, random.Random(plan.seed)))
    try:
        yield
    finally:
        weather.cancel()
        (ended,) = await asyncio.gather(weather, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
