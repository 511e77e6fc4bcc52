"""A great deal waits in the data base, and imbot is killed and started: how soon it serves, what it takes, and whether what
waits goes out at the pace of the limits and in order, once the far ends take it again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from imbot.app import make_folders
from tests.fire import backlog, gauge, measures
from tests.fire.checker import CHECKS
from tests.fire.facts import Finding, read_journals
from tests.fire.journal import Tail
from tests.fire.nanny import ROOT, Life
from tests.fire.stage import MEMORY, Report, Stage, mib, stage

SERVING = 5.0  # seconds
_PACE = 30  # messages a second that Telegram lets a bot show
_ENOUGH = 0.9  # of the pace, for letters of which there is room for many
_FOR_EVER = 1_000_000_000
_BACK = 150.0  # seconds: the longest wait of a breaker, twice, and a little


@dataclass(frozen=True, slots=True)
class Plan:
    """`refused`: seconds for which the far ends take nothing, before the kill and after it. `watch`: seconds to look on while
    it drains, longer where by then fewer than `least` notices and `least` letters have come out."""

    seed: int = 1
    parcels: int = 100_000
    refused: float = 15.0
    watch: float = 20.0
    least: int = 100
    memory: int = MEMORY
    code: Path = ROOT


async def play(folder: Path, plan: Plan) -> Report:
    told = Report()
    persons = max(10, plan.parcels // 100)
    async with stage(folder, plan.seed, persons, memory=plan.memory, code=plan.code) as place:
        world = place.world
        await _start(place, told, "an empty data base")
        await place.nanny.stop()
        begun = time.monotonic()
        url = make_folders(world.data).database
        waiting = await asyncio.to_thread(backlog.fill, url, world.persons, plan.parcels)
        size = (world.data / "imbot.db").stat().st_size
        lanes = len({one.lane for one in waiting})
        told.lines.append(
            f"{len(waiting)} parcels in {lanes} lanes, put in {time.monotonic() - begun:.1f} s: {mib(size)} of data base"
        )
        await _refuse(place)
        life = await _start(place, told, "all of it")
        await _idle(place, told, plan.refused)
        await place.nanny.kill(life)
        await _start(place, told, "all of it, after the kill", SERVING)
        await _idle(place, told, plan.refused)
        await _drain(place, told, plan)
        end = gauge.read(place.nanny.pid)
        await place.nanny.stop()
        told.lines.append(f"at its peak {mib(end.peak)}, its children {mib(end.children_peak)}; {end.cpu:.1f} CPU s")
    journals = read_journals(folder)
    out = backlog.came_out(journals.bot, journals.smtp)
    told.findings += await asyncio.to_thread(backlog.judge, waiting, out, world.data / "imbot.db")
    told.findings += [one for name in ("limits_kept", "no_storm") for one in CHECKS[name](journals)]
    told.lines.append(f"{len(out)} came out, {len(waiting) - len(out)} wait")
    told.lines += [f"{what}: {count}" for what, count in sorted(journals.counted.items())]
    return told


async def _start(place: Stage, told: Report, what: str, within: float = 0.0) -> Life:
    life, seconds = await place.serve()
    now = gauge.read(place.nanny.pid)
    told.lines.append(
        f"started with {what}: it serves after {seconds:.2f} s ({now.cpu:.2f} CPU s), with {mib(now.rss)}"
    )
    if within and seconds > within:
        told.slow.append(f"it serves {seconds:.2f} s after its start instead of {within:g} s")
    return life


async def _refuse(place: Stage) -> None:
    """Nothing is taken; imbot is told so, and updates come all the same."""
    for method in ("sendMessage", "editMessageText"):
        await place.world.bot.call("fail", method=method, times=_FOR_EVER, status=502, description="Bad Gateway")
    await place.world.smtp.call("answer", stage="mail", text="421 4.3.2 Shutting down")


async def _idle(place: Stage, told: Report, seconds: float) -> None:
    """What it costs that so much waits."""
    before = gauge.read(place.nanny.pid)
    await asyncio.sleep(seconds)
    after = gauge.read(place.nanny.pid)
    share = (after.cpu - before.cpu) / max(after.at - before.at, 0.001)
    told.lines.append(f"   while nothing is taken: {share:.3f} cores, {mib(after.rss)}")


async def _drain(place: Stage, told: Report, plan: Plan) -> None:
    """The far ends take everything again; imbot finds that out by itself."""
    streams = {name: Tail(place.world.journals[name]) for name in ("botapi", "smtp")}
    for stream in streams.values():
        stream.new()
    await place.world.bot.call("clear")
    await place.world.smtp.call("clear")
    healed = time.monotonic()
    costs, moments = place.costs(), {name: list[float]() for name in streams}
    while True:
        for name, stream in streams.items():
            moments[name] += [one["t"] for one in stream.new() if one["e"] in ("saw", "accepted")]
        now, first = time.monotonic(), max((times[0] if times else float("inf")) for times in moments.values())
        enough = all(len(times) >= plan.least for times in moments.values())
        if (now >= first + plan.watch and enough) or now > healed + _BACK + plan.watch:
            break
        await asyncio.sleep(0.1)
    _tell_pace(told, moments, healed, plan, enough=enough)
    told.lines += [f"   {line}" for line in costs.told()]


def _tell_pace(told: Report, moments: dict[str, list[float]], healed: float, plan: Plan, *, enough: bool) -> None:
    for name, what in (("botapi", "notices"), ("smtp", "letters")):
        times = moments[name]
        if not times:
            told.findings.append(Finding("drains_again", what, f"nothing came out within {_BACK:g} s"))
            continue
        window = [t for t in times if t <= times[0] + plan.watch]
        rate = len(window) / plan.watch
        told.lines.append(
            f"{what}: the first {times[0] - healed:.1f} s after the far end was back, then {rate:.1f}/s for {plan.watch:g} s, "
            f"at most {measures.busiest(times, 1.0)} in one second"
        )
        if what == "notices" and rate < _ENOUGH * _PACE and len(window) >= plan.least:
            told.slow.append(f"notices go out at {rate:.1f}/s of {_PACE}")
    if not enough:
        told.findings.append(
            Finding("drains_again", "", f"{ {name: len(times) for name, times in moments.items()} } came out")
        )
