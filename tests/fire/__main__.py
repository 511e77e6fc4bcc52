"""`python -m tests.fire [kills] [--seed N] [--kills N] [--power] ...`: plays a campaign and prints what the witnesses saw.
Ends with 1 where something must not be. The folder with all journals is kept and named."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.fire.campaign import COLD, Plan, Result, play
from tests.fire.nanny import places


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fire", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="replays a failure")
    parser.add_argument("--kills", type=int, default=120)
    parser.add_argument("--persons", type=int, default=12)
    parser.add_argument("--life", type=float, default=3.0, help="seconds a life has to reach its failpoint")
    parser.add_argument("--power", action="store_true", help="each death is a power failure")
    parser.add_argument("--folder", type=Path, help="where everything is kept; default: a temporary folder")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="imbot-fire-"))
    print(f"seed {asked.seed}, {asked.kills} kills{' of the power' if asked.power else ''}, in {folder}", flush=True)
    plan = Plan(seed=asked.seed, persons=asked.persons, kills=asked.kills, life=asked.life, power=asked.power)
    begun = time.monotonic()
    result = asyncio.run(play(folder, plan))
    tell(result)
    print(f"{time.monotonic() - begun:.0f} s")
    return 1 if result.findings else 0


def tell(result: Result) -> None:
    print(result.table)
    for title, counted in (
        ("walks", result.walks),
        ("the ITSM", result.said),
        ("deaths", result.deaths),
        ("lost", result.lost),
    ):
        if counted:
            print(f"{title}: " + ", ".join(f"{name} {number}" for name, number in sorted(counted.items())))
    never = sorted(set(places()) - set(COLD) - set(result.deaths))
    if never:
        print("never killed at: " + ", ".join(never))
    for finding in result.findings:
        print(f"{finding.check} {finding.about}: {finding.words}")


if __name__ == "__main__":
    sys.exit(main())
