"""Plays one campaign against each mistake of `bugs.py` and says by which check it was caught, or that it got away."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fire.bug import Bug, copy_with
from tests.fire.campaign import Plan, play
from tests.fire.checker import TIMED
from tests.fire.control import RigError


@dataclass(frozen=True, slots=True)
class Caught:
    """`by`: how often each check found something; `named`: those of them that the mistake was meant for, and that fail a
    campaign. `broke`: the rig could not go on with it, which is no catch."""

    bug: Bug
    by: Counter[str]
    seconds: float
    broke: str = ""

    @property
    def named(self) -> frozenset[str]:
        return (self.bug.caught & frozenset(self.by)) - TIMED


async def hunt(bug: Bug, seed: int, tries: int = 3, kept: Path | None = None) -> Caught:
    """Campaigns of other seeds follow, up to `tries`, while nothing was found. `kept`: where each leaves its journals; None:
    nowhere."""
    begun, by, broke = time.monotonic(), Counter[str](), ""
    for number in range(tries):
        with _folder(bug, seed + number, kept) as folder:
            settings: dict[str, Any] = {"seed": seed + number, "persons": 10, "signing_in": 0} | dict(bug.plan)
            plan = Plan(code=copy_with(bug, folder / "code"), places=bug.places, weather=bug.weather, **settings)
            try:
                result = await play(folder, plan)
                by.update(finding.check for finding in result.findings)
            except RigError as error:
                broke = str(error)[:300]
        if bug.caught & set(by):
            break
    return Caught(bug, by, time.monotonic() - begun, broke)


@contextlib.contextmanager
def _folder(bug: Bug, seed: int, kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept / f"{bug.name}-{seed}"
        return
    with tempfile.TemporaryDirectory(prefix=f"imbot-bug-{bug.name}-") as name:
        yield Path(name)
