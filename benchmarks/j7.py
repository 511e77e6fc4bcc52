"""J7: 10,000 open dialogs, each in the middle of a form -> what of imbot lies in memory, against itself before the first word.

imbot: `python -m imbot run --config FILE`, with a mailbox that answers and a letter in it, so that the process that reads letters
is there; every chat begins a request and answers two questions, all of them at once, as fast as it goes. Checked: each answer,
each session in the data base at its question, the letter's fate. Held is the memory of the service itself; `child_mib` is what
the reading process has beside it, after that one letter. Only the pace in all is opened (`benchmarks/wide_pace.py`): it then
remembers ten thousand chats of one minute, where Telegram allows 1,800, which makes the figure some 1.5 MiB too high.
ldap: the same start with an LDAP directory, without dialogs; nobody is looked up, so it is an idle imbot and what its library
adds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

from benchmarks import chatting, machine, office, wide_pace
from benchmarks.j1 import TYPED
from benchmarks.journey import Figures, Journey, Place, Ratio, check

_DIALOGS = 10_000
_QUIET = 1.5  # seconds for a start, or the last notes, to settle
_STEPS = TYPED[:3]


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        office.mailbox([office.status_letter(1)]) as mailbox,
    ):
        dialogs = max(10, int(_DIALOGS * scale))
        database = str(chatting.linked_database(Path(name), dialogs))
        yield {"database": database, "dialogs": dialogs, "mailbox": {**mailbox, "username": office.BOT}}


def imbot(place: Place) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        chatting.stub(chats=place["dialogs"], rounds=0, steps=_STEPS, echo=False, held=True) as stub,
        _run(place, Path(name), stub) as process,
    ):
        idle = machine.resident_mib(process.pid)
        stub.say("begin")
        stub.hear("warm", process, patience=chatting.patience(place["dialogs"] * len(_STEPS)))
        time.sleep(_QUIET)
        opened, peak = machine.resident_mib(process.pid), machine.peak_mib(process.pid)
        (child,) = machine.children(process.pid)
        reading = machine.resident_mib(child)
        chatting.checked(stub.report(), place["dialogs"] * len(_STEPS))
        _check_rows(Path(name) / "var" / "imbot.db", place["dialogs"])
    return {"idle_mib": idle, "open_mib": opened, "peak_mib": peak, "child_mib": reading}


def ldap(place: Place) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        chatting.stub(chats=0, rounds=0, steps=[], echo=False) as stub,
        _run(place, Path(name), stub, chatting.LDAP) as process,
    ):
        return {"idle_mib": machine.resident_mib(process.pid)}


@contextmanager
def _run(place: Place, folder: Path, stub: chatting.Stub, directory: str = chatting.DOMAIN) -> Iterator[Popen[bytes]]:
    """`imbot run`, which has polled, has read the letter, and has nothing more to do."""
    config = chatting.company(folder, stub.url, place["database"], mailbox=place["mailbox"], directory=directory)
    command = [sys.executable, "-m", "imbot", "run", "--config", str(config)]
    process = chatting.start(command, path=[wide_pace.put(folder)])
    try:
        stub.hear("polled", process)
        _until_read(process, folder / "var" / "imbot.db")
        time.sleep(_QUIET)
        yield process
    finally:
        chatting.end(process)


def _until_read(process: Popen[bytes], database: Path) -> None:
    """The letter has its fate, and who has read it is still there."""
    end = time.monotonic() + chatting.PATIENCE
    while chatting.rows(database, "SELECT count(*) FROM mails WHERE settled_at IS NOT NULL") != [(1,)]:
        check(process.poll() is None, f"imbot run ended with {process.returncode}")
        check(time.monotonic() < end, "the letter has no fate")
        time.sleep(0.1)
    found = machine.children(process.pid)
    check(len(found) == 1, f"{len(found)} processes beside imbot run, not the one that reads letters")


def _check_rows(database: Path, dialogs: int) -> None:
    found = [json.loads(row[0]) for row in chatting.rows(database, "SELECT data FROM sessions")]
    middle = [each for each in found if each["state"] == "form" and each["data"]["draft"]["step"] == "field:program"]
    check(len(middle) == dialogs, f"{len(middle)} of {dialogs} dialogs are in the middle of their form")


JOURNEY = Journey(
    "J7",
    "10,000 open dialogs",
    prepare,
    {"imbot": imbot, "ldap": ldap},
    (
        Ratio("with all dialogs open / idle", "imbot.open_mib", "imbot.idle_mib", at_most=1.2),
        Ratio("MiB of `imbot run` with all dialogs open", "imbot.open_mib", 1.0, at_most=100, aim=85),
        Ratio("MiB of the process that reads letters, beside it", "imbot.child_mib", 1.0),
        Ratio("MiB of `imbot run` with LDAP, idle", "ldap.idle_mib", 1.0),
    ),
    dict.fromkeys(("idle_mib", "open_mib", "peak_mib", "child_mib"), "MiB"),
)
