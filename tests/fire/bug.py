"""What a mistake of the rig's own test is, and how it is put on a copy of the code."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.fire.nanny import ROOT, places
from tests.fire.persons import Patience

# Of a plan: what hangs for good is not waited for.
NO_END: Mapping[str, Any] = {"peace": 20.0, "patience": Patience(whole=40.0, think=0.7, hand=0.15)}


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` stands in `file` exactly once and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    """`caught`: checks of which at least one must find it. `places`: failpoints to kill at, in turn ("": a life that ends by
    chance); `weather`: see `weather.py`; `plan`: what else of the campaign is changed."""

    name: str
    what: str
    edits: tuple[Edit, ...]
    caught: frozenset[str]
    places: tuple[str, ...] = ()
    weather: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)


def without(bug: Bug) -> Bug:
    """The same campaign, and no mistake. Where the mistake brings a place of its own, a commit stands for it. Nothing hangs for
    good then: what waits for the pace of its chat may end, unless how long that takes is what finds the mistake."""
    known = {"", *places()}
    there = (one if one.partition(":")[0] in known else re.sub("^[^:]+", "group_committed", one) for one in bug.places)
    plan = {name: value for name, value in bug.plan.items() if name != "peace" or "all_drained" in bug.caught}
    return replace(bug, edits=(), places=tuple(there), plan=plan)


def copy_with(bug: Bug, folder: Path) -> Path:
    """A copy of the product in `folder` with the bug in it. Raises LookupError where the code has changed so that an edit
    does not fit any more."""
    for name in ("imbot", "templates", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "var"))
    for edit in bug.edits:
        path = folder / edit.file
        text = path.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise LookupError(f"{bug.name}: {text.count(edit.old)} places in {edit.file} for {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return folder
