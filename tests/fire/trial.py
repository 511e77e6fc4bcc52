"""A trial: employees and an ITSM at work in one world, and one fault of normal life after another, or some at the same time:
begin, watch, end, wait until what piled up has drained, next. Then peace, and the judgement of what was seen."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.fire import checks_faults
from tests.fire.campaign import WAITS_BY_DESIGN, Plan, at_work, report
from tests.fire.checker import run_checks, table
from tests.fire.checks_faults import Limits, Tried
from tests.fire.control import RigError
from tests.fire.employees import STAY
from tests.fire.facts import Finding, Journals, read_journals
from tests.fire.faults import must_be_red
from tests.fire.helpdesk import Chances
from tests.fire.journal import Journal
from tests.fire.nanny import ROOT, Nanny
from tests.fire.persons import Patience
from tests.fire.scene import Fault, Scene
from tests.fire.trouble import Trouble
from tests.fire.world import World

_GLANCE = 0.5  # seconds between looks at the health page
_LONGER = 10.0  # seconds beyond the limit in which a leg that is red late is still seen
_STRANGERS = 6
_WARM_UP = 5.0  # seconds of work before the first fault
_BACKLOG = (
    "SELECT (SELECT count(*) FROM parcels WHERE settled_at IS NULL AND waits_for = '' AND id <= ?"
    " AND lane NOT IN (SELECT lane FROM lanes) AND NOT " + WAITS_BY_DESIGN + "),"
    " (SELECT count(*) FROM mails WHERE settled_at IS NULL AND id <= ?),"
    " (SELECT count(*) FROM slots WHERE due_at IS NOT NULL AND attempts > 0)"
)
_NEWEST = "SELECT (SELECT coalesce(max(id), 0) FROM parcels), (SELECT coalesce(max(id), 0) FROM mails)"
_SETTINGS: Mapping[str, Any] = {"directory": {"recheck_minutes": 1}}


@dataclass(frozen=True, slots=True)
class Trial:
    """`rows`: what is tried, one behind the other; the faults of one row at the same time. `pop3`: how the mailbox
    is read."""

    rows: Sequence[tuple[Fault, ...]]
    seed: int = 1
    persons: int = 12
    pop3: bool = False
    peace: float = 300.0
    code: Path = ROOT
    limits: Limits = field(default_factory=Limits)
    settings: Mapping[str, Any] = field(default_factory=lambda: _SETTINGS)
    patience: Patience = field(default_factory=lambda: Patience(step=8.0, whole=180.0, think=3.0, hand=0.4))
    tell: Callable[[str], None] = lambda _: None


@dataclass(slots=True)
class Outcome:
    """`tried`: in the order in which they were; `table`: fault by fault, then check by check."""

    findings: list[Finding]
    tried: list[Tried]
    table: str
    walks: Counter[str]
    said: Counter[str]


async def play(folder: Path, trial: Trial) -> Outcome:
    """One trial in `folder`, from its first person to its findings."""
    persons = trial.persons + 1 + _STRANGERS
    idle = 1 + _STRANGERS
    plan = Plan(
        trial.seed,
        peace=trial.peace,
        code=trial.code,
        idle=idle,
        patience=trial.patience,
        chances=Chances(),
        habits=STAY,
    )
    tried: list[Tried] = []
    own: list[Finding] = []
    maildir = any(one.maildir for row in trial.rows for one in row)
    world_of = World(
        folder,
        trial.seed,
        persons,
        signing_in=_STRANGERS,
        settings=trial.settings,
        in_order=not maildir,
        pop3=trial.pop3,
    )
    async with world_of as world:
        trouble = Trouble(world.data, folder / "trouble")
        with Journal(world.journals["nanny"]) as journal:
            if maildir:
                journal.note("maildir")
            nanny = Nanny(world.config, journal, world.log, trial.code, trouble.environment)
            scene = _scene(world, nanny, trouble, trial, own)
            try:
                await scene.start()
                async with at_work(world, plan) as (employees, desk, home):
                    await asyncio.sleep(_WARM_UP)
                    for faults in trial.rows:
                        one = await attempt(scene, faults, trial.limits, journal)
                        trial.tell(_line(one))
                        tried.append(one)
                    try:
                        await home()
                    except RigError as error:
                        own.append(Finding("all_drained", "", str(error)))
                await nanny.stop()
            finally:
                await nanny.away()
        await asyncio.to_thread(report, world, trial.code)
    journals = read_journals(folder)
    findings = [*own, *_judged(journals, trouble, tried, trial.limits), *run_checks(journals)]
    whole = checks_faults.table(journals, tried, findings) + "\n\n" + table(journals, findings)
    return Outcome(findings, tried, whole, employees.counts, desk.counts)


def _scene(world: World, nanny: Nanny, trouble: Trouble, trial: Trial, own: list[Finding]) -> Scene:
    spare, strangers = world.persons[trial.persons], world.persons[trial.persons + 1 :]
    at_work = world.persons[: trial.persons]
    rng = random.Random(trial.seed)
    return Scene(world, nanny, trouble, rng, at_work, spare, cycle(strangers), own=own)


def _judged(journals: Journals, trouble: Trouble, tried: Sequence[Tried], limits: Limits) -> list[Finding]:
    connects = trouble.connects()
    return [finding for one in tried for finding in checks_faults.judge(journals, connects, one, limits)]


async def attempt(scene: Scene, faults: tuple[Fault, ...], limits: Limits, journal: Journal) -> Tried:
    """Begin, watch, end, drain."""
    names, log = tuple(one.name for one in faults), scene.world.log
    scene.excused.clear()
    size = log.stat().st_size if log.exists() else 0
    asked = time.monotonic()
    journal.note("trial_asked", names=names)
    scene.bad_store = any(one.part == "store" for one in faults)
    for one in faults:
        await one.begin(scene)
    tried = Tried(names, asked, time.monotonic())
    journal.note("trial_begun", names=names)
    tried.must, tried.answered = must_be_red(faults), all(one.answered for one in faults)
    tried.down = {one.down: scene.world.wires[one.down] for one in faults if one.down}
    await _watch(scene, tried, max(one.seconds for one in faults), limits)
    for one in sorted(faults, key=lambda one: one.part == "process"):  # a start needs what the others spoil
        scene.bad_store = scene.bad_store and one.part != "process"
        await one.end(scene)
    tried.ended = time.monotonic()
    tried.excused = frozenset(scene.excused)
    journal.note("trial_ended", names=names)
    tried.drained, tried.left = await drain(scene, limits.drained)
    tried.still = await _still_red(scene, limits.green)
    journal.note("trial_drained", names=names, after=tried.drained)
    with log.open("rb") as file:
        file.seek(size)
        tried.log = file.read().decode(errors="replace")
    return tried


async def _watch(scene: Scene, tried: Tried, seconds: float, limits: Limits) -> None:
    """As long as it lasts, and until what must be red is."""
    while True:
        legs = await scene.health()
        after = time.monotonic() - tried.begun
        for name, why in (legs or {}).items():
            if why:
                tried.red.setdefault(name, after)
        if after >= seconds and (tried.must <= tried.red.keys() or after > limits.red + _LONGER):
            return
        await asyncio.sleep(_GLANCE)


async def drain(scene: Scene, seconds: float) -> tuple[float | None, str]:
    """How long it takes until nothing is open of what was there at first, and what was left where it takes longer. New work
    goes on beside it."""
    path, begun, good = scene.world.data / "imbot.db", time.monotonic(), 0
    newest = await asyncio.to_thread(_look, path, _NEWEST, ())
    while True:
        repaired = await asyncio.to_thread(scene.repairs, path) if scene.repairs else 0
        left = await asyncio.to_thread(_look, path, _BACKLOG, newest)
        good = 0 if any(left) or repaired else good + 1
        if good == 2:
            scene.repairs = None
            return time.monotonic() - begun, ""
        if time.monotonic() - begun > seconds:
            words = await asyncio.to_thread(_what, path)
            return None, f"{left[0]} parcels, {left[1]} letters, {left[2]} screens; {words}"
        await asyncio.sleep(_GLANCE)


def _look(path: Path, sql: str, values: Sequence[int]) -> tuple[int, ...]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as c:
        return tuple(int(number) for number in c.execute(sql, values).fetchone())


def _what(path: Path) -> list[Any]:
    sql = (
        "SELECT kind, lane, attempts, due_at, lease_until, last_error FROM parcels"
        " WHERE settled_at IS NULL AND waits_for = '' ORDER BY id LIMIT 4"
    )
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as c:
        return c.execute(sql).fetchall()


async def _still_red(scene: Scene, seconds: float) -> dict[str, str]:
    """Legs that are red at every look for so long."""
    until, still = time.monotonic() + seconds, {"all": "nobody answers"}
    while time.monotonic() < until:
        legs = await scene.health()
        if legs is not None:
            still = {name: why for name, why in legs.items() if why}
            if not still:
                return {}
        await asyncio.sleep(_GLANCE)
    return still


def _line(tried: Tried) -> str:
    red = {leg: round(after, 1) for leg, after in tried.red.items()}
    drained = "never" if tried.drained is None else f"{tried.drained:.0f} s"
    return f"{tried.name}: {tried.ended - tried.begun:.0f} s, red {red}, drained after {drained} {tried.left}".rstrip()
