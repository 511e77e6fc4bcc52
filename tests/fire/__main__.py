"""`python -m tests.fire kills|faults|office|soak|start|bugs ...`: plays a campaign, a scenario that measures, or the rig's own
test, and prints what the witnesses saw. Ends with 1 where something must not be. The folder with all journals is kept and named;
its seed replays it."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fire import office, soak, start, trial
from tests.fire.around import around
from tests.fire.bug import Bug, without
from tests.fire.bugs import BUGS, SAMPLE
from tests.fire.campaign import COLD, Plan, Result, play
from tests.fire.checker import TIMED
from tests.fire.faults import KINDS, pairs
from tests.fire.helpdesk import Chances
from tests.fire.hunt import hunt
from tests.fire.nanny import ROOT, places
from tests.fire.stage import Report

# A support of few words: a chat takes one message a second, and half of the time imbot is only starting. Notices that fall behind
# further and further would have people react to old news.
_SPARING = Chances(large=0.5, comments=0.2, stays_silent=0.8)
_SHOWN = 3  # findings, with what the witnesses wrote around them
# Deaths for each named place, behind which one that was never reached is a finding, and behind which more than a tenth are.
_TURNS, _FEW_TURNS = 5, 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fire", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    kills = commands.add_parser("kills", help="a campaign of kills under load")
    kills.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="replays a failure")
    kills.add_argument("--kills", type=int, default=120)
    kills.add_argument(
        "--worlds",
        type=int,
        default=2,
        help="so many side by side share the kills; every other one reads its mailbox by POP3",
    )
    kills.add_argument("--pop3", action="store_true", help="all of them do")
    kills.add_argument("--persons", type=int, default=12)
    kills.add_argument("--life", type=float, default=3.0, help="seconds that a life has to reach its failpoint")
    kills.add_argument(
        "--by-the-clock", action="store_true", help="what a busy machine may explain is a failure as well"
    )
    kills.add_argument("--power", action="store_true", help="each death is a power failure")
    kills.add_argument("--folder", type=Path, help="where everything is kept; default: a temporary folder")
    kills.set_defaults(run=_kills)
    faults = commands.add_parser("faults", help="the faults of normal life, each alone, or pairs of them")
    faults.add_argument(
        "names", nargs="*", metavar="NAME", help=f"`one+other`: both at once; default: all of {', '.join(KINDS)}"
    )
    faults.add_argument(
        "--pairs", type=int, default=0, help="so many pairs by chance, behind the names; no names: only them"
    )
    faults.add_argument(
        "--pop3", action="store_true", help="the mailbox is read by POP3; default: only where it must be"
    )
    faults.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="replays a failure")
    faults.add_argument("--persons", type=int, default=24, help="so many file about a request a second between them")
    faults.add_argument("--folder", type=Path, help="where everything is kept; default: a temporary folder")
    faults.set_defaults(run=_faults)
    bugs = commands.add_parser("bugs", help="the rig's own test: mistakes that it has to catch")
    bugs.add_argument("names", nargs="*", help="these only; default: all")
    bugs.add_argument("--sample", action="store_true", help=f"a quick few: {', '.join(SAMPLE)}")
    bugs.add_argument("--seed", type=int, default=1)
    bugs.add_argument(
        "--clean", action="store_true", help="the same campaigns against the code as it is: nothing may be found"
    )
    bugs.add_argument("--folder", type=Path, help="where the journals of each campaign are kept; default: nowhere")
    bugs.set_defaults(run=_bugs)
    _measured(commands)
    asked = parser.parse_args()
    begun = time.monotonic()
    good: bool = asked.run(asked)
    print(f"{time.monotonic() - begun:.0f} s")
    return 0 if good else 1


def _measured(commands: Any) -> None:
    """The scenarios that measure."""
    down = commands.add_parser("office", help="the office is down: everybody files a request within minutes")
    down.add_argument("--persons", type=int, default=1000)
    down.add_argument("--minutes", type=float, default=10.0)
    down.add_argument("--unlimited", action="store_true", help="how far one process of imbot goes")
    down.add_argument("--abreast", type=int, default=100, help="persons at a time, unlimited")
    down.add_argument("--hand", type=float, default=2.0, help="seconds before each press and word, on the mean")
    down.set_defaults(run=_office)
    full = commands.add_parser("start", help="a start with a great deal that waits")
    full.add_argument("--parcels", type=int, default=100_000)
    full.set_defaults(run=_start)
    steady = commands.add_parser(
        "soak", help="hours of steady work; with the --folder of one that was broken off: its rest"
    )
    steady.add_argument("--hours", type=float, default=2.0)
    steady.add_argument("--per-second", type=float, default=1.0, help="requests")
    steady.add_argument("--kills", type=int, default=0, help="default: none, so that one life lasts to the end")
    steady.add_argument("--every", type=float, default=30.0, help="seconds between samples")
    steady.set_defaults(run=_soak)
    for one in (down, full, steady):
        one.add_argument("--seed", type=int, default=1)
        one.add_argument("--folder", type=Path, help="where everything is kept; default: a temporary folder")
        one.add_argument("--code", type=Path, default=ROOT, help="the folder whose imbot is played")


def _office(asked: argparse.Namespace) -> bool:
    plan = office.Plan(
        seed=asked.seed, persons=asked.persons, seconds=asked.minutes * 60, hand=asked.hand, unlimited=asked.unlimited,
        abreast=asked.abreast, code=asked.code.resolve(),
    )  # fmt: skip
    return _report(asyncio.run(office.play(_folder(asked), plan)))


def _start(asked: argparse.Namespace) -> bool:
    plan = start.Plan(seed=asked.seed, parcels=asked.parcels, code=asked.code.resolve())
    return _report(asyncio.run(start.play(_folder(asked), plan)))


def _soak(asked: argparse.Namespace) -> bool:
    plan = soak.Plan(
        seed=asked.seed, seconds=asked.hours * 3600, per_second=asked.per_second, kills=asked.kills, every=asked.every,
        code=asked.code.resolve(),
    )  # fmt: skip
    return _report(asyncio.run(soak.play(_folder(asked), plan)))


def _folder(asked: argparse.Namespace) -> Path:
    folder: Path = asked.folder or Path(tempfile.mkdtemp(prefix="imbot-fire-"))
    print(f"seed {asked.seed}, in {folder}", flush=True)
    return folder


def _report(report: Report) -> bool:
    print(report.tell())
    return report.good


def _kills(asked: argparse.Namespace) -> bool:
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="imbot-fire-"))
    print(f"seed {asked.seed}, {asked.kills} kills{' of the power' if asked.power else ''}, in {folder}", flush=True)
    shares = [len(range(number, asked.kills, asked.worlds)) for number in range(asked.worlds)]
    plans = [
        Plan(
            seed=asked.seed + number,
            persons=asked.persons,
            kills=share,
            life=asked.life,
            power=asked.power,
            weather="changeable",
            chances=_SPARING,
            pop3=asked.pop3 or number % 2 == 1,
        )
        for number, share in enumerate(shares)
    ]
    results = asyncio.run(_side_by_side([(folder / f"world-{plan.seed}", plan) for plan in plans]))
    for result in results:
        _tell(result)
    deaths = sum((result.deaths for result in results), Counter[str]())
    print("deaths: " + ", ".join(f"{name} {number}" for name, number in deaths.most_common()))
    never, enough = unreached(deaths)
    print(f"killed {deaths.total()} times, at {len(set(deaths) - {'random'})} named places and by chance")
    if never:
        print("never killed at: " + ", ".join(never))
    for line in found(plans, results, folder):  # last: of a long run that is shown in part, it is the end that is shown
        print(line)
    return not (never and enough) and not any(
        asked.by_the_clock or finding.check not in TIMED for result in results for finding in result.findings
    )


def unreached(deaths: Counter[str]) -> tuple[list[str], bool]:
    """Named places at which nobody was killed, and whether there were so many deaths that chance is no reason for it, or so many
    such places: one that the code has left behind is looked at no more."""
    live = set(places()) - COLD
    never, turns = sorted(live - set(deaths)), deaths.total() / len(live)
    return never, turns >= _TURNS or (turns >= _FEW_TURNS and len(never) > len(live) / 10)


def found(plans: Sequence[Plan], results: Sequence[Result], folder: Path) -> list[str]:
    """Of each finding a line, with the folder of its world first; below the last few what the witnesses wrote around it."""
    rows = [(f"world-{plan.seed}", one) for plan, result in zip(plans, results, strict=True) for one in result.findings]
    rows.sort(key=lambda row: row[1].check not in TIMED)  # what makes the run fail comes last
    lines = []
    for number, (world, one) in enumerate(rows):
        lines.append(f"{world}: {one.check} {one.about}: {one.words}")
        lines += around(folder / world, one) if number >= len(rows) - _SHOWN else ()
    return lines


async def _side_by_side(campaigns: Sequence[tuple[Path, Plan]]) -> list[Result]:
    enough = _until_interrupted()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(play(folder, plan, enough)) for folder, plan in campaigns]
    return [task.result() for task in tasks]


def _until_interrupted() -> asyncio.Event:
    """Set by the first Ctrl-C (or SIGTERM): hours of kills are judged all the same. The second breaks off."""
    enough, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        enough.set()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(sign)
            signal.signal(sign, signal.default_int_handler)  # the default of SIGTERM would leave behind whatever runs
        print("no further kill: what there is comes to its end and is judged", flush=True)

    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, end)
    return enough


def _tell(result: Result) -> None:
    print(result.table)
    counted = {"walks": result.walks, "the ITSM": result.said, "lost": result.lost}
    for title, counts in counted.items():
        if counts:
            print(f"{title}: " + ", ".join(f"{name} {number}" for name, number in sorted(counts.items())))


def _faults(asked: argparse.Namespace) -> bool:
    named = [name.split("+") for name in asked.names]
    unknown = {one for names in named for one in names} - KINDS.keys()
    if unknown:
        print(f"no such fault: {', '.join(sorted(unknown))}", file=sys.stderr)
        return False
    named = named or ([] if asked.pairs else [[name] for name, one in KINDS.items() if not one.by_name])
    rows = [tuple(KINDS[one] for one in names) for names in named]
    rows += list(pairs(random.Random(asked.seed), asked.pairs))
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="imbot-fire-"))
    print(f"seed {asked.seed}, {len(rows)} tries, in {folder}", flush=True)
    by_pop3 = [row for row in rows if asked.pop3 or any(one.pop3 for one in row)]
    by_imap = [row for row in rows if row not in by_pop3]
    good = True
    for name, chosen in (("imap", by_imap), ("pop3", by_pop3)):
        if chosen:
            plan = trial.Trial(chosen, asked.seed, asked.persons, pop3=chosen is by_pop3, tell=_say)
            good = _told(asyncio.run(trial.play(folder / name, plan))) and good
    return good


def _say(line: str) -> None:
    print(line, flush=True)


def _told(outcome: trial.Outcome) -> bool:
    print(outcome.table)
    for title, counts in (("walks", outcome.walks), ("the ITSM", outcome.said)):
        print(f"{title}: " + ", ".join(f"{name} {number}" for name, number in sorted(counts.items())))
    for finding in outcome.findings:
        print(f"{finding.check} {finding.about}: {finding.words}")
    return not outcome.findings


def _bugs(asked: argparse.Namespace) -> bool:
    unknown = set(asked.names) - {bug.name for bug in BUGS}
    if unknown:
        print(f"no such mistake: {', '.join(sorted(unknown))}", file=sys.stderr)
        return False
    names = asked.names or (SAMPLE if asked.sample else ())
    chosen = [bug for bug in BUGS if not names or bug.name in names]
    if asked.clean:
        return _clean(chosen, asked.seed, asked.folder)
    escaped = 0
    for bug in chosen:
        caught = asyncio.run(hunt(bug, asked.seed, kept=asked.folder))
        escaped += not caught.named
        by = ", ".join(f"{name} {number}" for name, number in caught.by.most_common()) or "nothing"
        verdict = "caught" if caught.named else "ESCAPED"
        print(f"{verdict:<8} {bug.name:<28} {caught.seconds:4.0f} s  {by} {caught.broke}", flush=True)
    print(f"{len(chosen) - escaped} of {len(chosen)} caught")
    return not escaped


def _clean(chosen: Sequence[Bug], seed: int, folder: Path | None) -> bool:
    """The control: a campaign that finds something where no mistake was put proves nothing where one was."""
    good = True
    for bug in chosen:
        seen = asyncio.run(hunt(without(bug), seed, tries=1, kept=folder))
        by = ", ".join(f"{name} {number}" for name, number in seen.by.most_common() if name not in TIMED)
        print(f"{'FOUND' if by or seen.broke else 'clean':<8} {bug.name:<28} {seen.seconds:4.0f} s  {by} {seen.broke}")
        good = good and not by and not seen.broke
    return good


if __name__ == "__main__":
    sys.exit(main())
