"""J7: 10,000 open dialogs, each in the middle of a form -> what of imbot lies in memory, against itself before the first word.

imbot: the real App; every chat begins a request and answers two questions, all of them at once, as fast as it goes. Checked: each
answer, and each session in the data base at its question. `run_idle_mib`: `imbot run` with nothing to do; `child_mib`: the
process that reads letters, beside either.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import chatting, machine
from benchmarks.j1 import TYPED
from benchmarks.journey import Figures, Journey, Place, Ratio, check

_DIALOGS = 10_000
_SLOWEST = 100  # updates/s, below which a run is given up
_QUIET = 1.5  # seconds for a start, or the last notes, to settle
_STEPS = TYPED[:3]


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        dialogs = max(10, int(_DIALOGS * scale))
        yield {"database": str(chatting.linked_database(Path(name), dialogs)), "dialogs": dialogs}


def imbot(place: Place) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        chatting.stub(chats=place["dialogs"], rounds=0, steps=_STEPS, echo=False, held=True) as stub,
    ):
        config = chatting.company(Path(name), stub.url, place["database"])
        with chatting.bot("imbot", stub.url, config) as process:
            stub.hear("polled", process)
            time.sleep(_QUIET)
            idle, child = machine.resident_mib(process.pid), _child_mib(process.pid)
            stub.say("begin")
            stub.hear("warm", process, patience=chatting.PATIENCE + place["dialogs"] * len(_STEPS) / _SLOWEST)
            time.sleep(_QUIET)
            opened, peak = machine.resident_mib(process.pid), machine.peak_mib(process.pid)
            chatting.checked(stub.report(), place["dialogs"] * len(_STEPS))
        _check_rows(Path(name) / "var" / "imbot.db", place["dialogs"])
    return {
        "idle_mib": idle,
        "open_mib": opened,
        "peak_mib": peak,
        "run_idle_mib": _run_idle(place),
        "child_mib": child,
    }


def _check_rows(database: Path, dialogs: int) -> None:
    found = [json.loads(row[0]) for row in chatting.rows(database, "SELECT data FROM sessions")]
    middle = [each for each in found if each["state"] == "form" and each["data"]["draft"]["step"] == "field:program"]
    check(len(middle) == dialogs, f"{len(middle)} of {dialogs} dialogs are in the middle of their form")


def _run_idle(place: Place) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        chatting.stub(chats=0, rounds=0, steps=[], echo=False) as stub,
    ):
        config = chatting.company(Path(name), stub.url, place["database"])
        process = chatting.start([sys.executable, "-m", "imbot", "run", "--config", str(config)])
        try:
            stub.hear("polled", process)
            time.sleep(_QUIET)
            return machine.resident_mib(process.pid)
        finally:
            chatting.end(process)


def _child_mib(pid: int) -> float:
    children = [
        pid_ for task in Path(f"/proc/{pid}/task").iterdir() for pid_ in (task / "children").read_text().split()
    ]
    return sum(machine.resident_mib(int(child)) for child in children)


JOURNEY = Journey(
    "J7",
    "10,000 open dialogs",
    prepare,
    {"imbot": imbot},
    (
        Ratio("with all dialogs open / idle", "imbot.open_mib", "imbot.idle_mib", at_most=1.2),
        Ratio("MiB with all dialogs open", "imbot.open_mib", 1.0, at_most=100, aim=85),
        Ratio("MiB of `imbot run`, idle", "imbot.run_idle_mib", 1.0),
    ),
    dict.fromkeys(("idle_mib", "open_mib", "peak_mib", "run_idle_mib", "child_mib"), "MiB"),
)
