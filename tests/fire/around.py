"""What the witnesses wrote around a finding, so that a run whose folder is gone can be understood from what it printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.fire import texts
from tests.fire.facts import Finding
from tests.fire.journal import read

_SPAN = 8.0  # seconds before and behind each moment that the finding names
_BESIDE = 2.0  # of each line, where it names none
_MOST = 40  # lines
_WIDTH = 260  # characters of one
_MOMENT = re.compile(r"\b\d+\.\d\d\b")


def around(folder: Path, finding: Finding) -> list[str]:
    """The lines of all journals, in their order, that speak of what the finding is about, and the lives and deaths between them;
    where it names moments, near those only. Of too many, the last."""
    journals = folder / "journals" if (folder / "journals").is_dir() else folder
    rows = [(event["t"], path.stem, event) for path in sorted(journals.glob("*.jsonl")) for event in read(path)]
    names = {finding.about, texts.first_marker(finding.words)} - {""}
    named = [float(one) for one in _MOMENT.findall(finding.words)]
    told = [row for row in rows if _speaks_of(row[2], names) and (not named or _is_near(row[0], named, _SPAN))]
    moments, span = (named, _SPAN) if named else ([t for t, _, _ in told], _BESIDE)
    told += [row for row in rows if row[1] == "nanny" and _is_near(row[0], moments, span)]
    told.sort(key=lambda row: row[0])
    return [f"  {t:.2f} {journal}: {_told(event)}" for t, journal, event in told[-_MOST:]]


def _is_near(t: float, moments: Iterable[float], span: float) -> bool:
    return any(abs(t - moment) <= span for moment in moments)


def _speaks_of(event: dict[str, Any], names: set[str]) -> bool:
    """A chat, whose name is a number, is known by its place alone: numbers stand in much else."""
    if str(event.get("chat")) in names:
        return True
    told = json.dumps(event, ensure_ascii=False)
    return any(name in told for name in names if not name.isdecimal())


def _told(event: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in event.items() if name != "t"}, ensure_ascii=False)[:_WIDTH]
