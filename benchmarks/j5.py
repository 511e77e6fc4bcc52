"""J5: a cold start -> the first getUpdates at the messenger's API, the schema of the data base checked before.

limit: raw aiohttp. ptb: a python-telegram-bot echo. imbot: `imbot run` as it is installed, on a migrated data base. Time by one
clock from before the process is there; CPU of the process at that moment by the kernel. That the schema was looked at is proved
by two more starts: on a data base one revision back, which must be at the newest when the first getUpdates comes, and on one of
a newer program, which must end the start before any.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config

from benchmarks import chatting, machine
from benchmarks.chatting import Stub
from benchmarks.journey import Figures, Journey, Place, Ratio, check
from imbot.store import migrate
from imbot.store.engine import connect, create_file, disconnect, raw_connection

_STARTS = 5


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        folder = Path(name)
        old = folder / "old.db"
        _upgraded(old, migrate.REVISIONS[-2])
        newest = chatting.linked_database(folder, 10)
        yield {"database": str(newest), "old": str(old), "starts": max(1, round(_STARTS * scale))}


def _upgraded(database: Path, revision: str) -> None:
    """A data base as an older program left it."""
    create_file(database)
    c = connect(database)
    try:
        c.begin()
        raw_connection(c).execute("BEGIN IMMEDIATE")
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = c
        command.upgrade(config, revision)
        raw_connection(c).execute("COMMIT")
    finally:
        disconnect(c)


def peer(name: str) -> Callable[[Place], Figures]:
    def contestant(place: Place) -> Figures:
        return _median([_start(lambda url: chatting.bot_command(name, url)) for _ in range(place["starts"] + 1)][1:])

    return contestant


def imbot(place: Place) -> Figures:
    found = []
    for _ in range(place["starts"] + 1):  # the first, which may have to compile something, is not counted
        with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
            found.append(_start(partial(_run, Path(name), place["database"])))
    _check_schema(place)
    return _median(found[1:])


def _run(folder: Path, database: str, url: str) -> Sequence[str]:
    return [sys.executable, "-m", "imbot", "run", "--config", str(chatting.company(folder, url, database))]


def _start(command_for: Callable[[str], Sequence[str]]) -> Figures:
    with chatting.stub(chats=0, rounds=0, steps=[], echo=True) as stub:
        command_line = command_for(stub.url)
        began = time.monotonic()
        process = chatting.start(command_line)
        try:
            polled = stub.hear("polled", process)
            cpu = machine.cpu_seconds(process.pid)
            memory = machine.resident_mib(process.pid)
        finally:
            chatting.kill(process)
    return {"first_poll_ms": (polled - began) * 1000, "cpu_ms": cpu * 1000, "memory_mib": memory}


def _median(found: Sequence[Figures]) -> Figures:
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def _check_schema(place: Place) -> None:
    with _stub_and_folder() as (stub, folder):
        process = chatting.start(_run(folder, place["old"], stub.url))
        try:
            stub.hear("polled", process)
            revision = chatting.rows(folder / "var" / "imbot.db", "SELECT version_num FROM alembic_version")[0][0]
        finally:
            chatting.kill(process)
        check(revision == migrate.HEAD, f"the first getUpdates came at schema {revision}, not {migrate.HEAD}")
    with _stub_and_folder() as (stub, folder):
        command_line = _run(folder, place["database"], stub.url)
        with contextlib.closing(sqlite3.connect(folder / "var" / "imbot.db")) as c, c:
            c.execute("UPDATE alembic_version SET version_num = '9999'")
        process = chatting.start(command_line, quiet=True)
        try:
            code = process.wait(60)
        finally:
            chatting.kill(process)
        check(code == 1, f"a start on a newer schema ended with {code}")
        check("polled" not in stub.report(), "getUpdates came on a newer schema")


@contextmanager
def _stub_and_folder() -> Iterator[tuple[Stub, Path]]:
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        chatting.stub(chats=0, rounds=0, steps=[], echo=True) as stub,
    ):
        yield stub, Path(name)


JOURNEY = Journey(
    "J5",
    "a cold start -> the first getUpdates, schema checked",
    prepare,
    {"limit": peer("raw"), "ptb": peer("ptb"), "imbot": imbot},
    (
        Ratio("imbot / python-telegram-bot echo", "imbot.first_poll_ms", "ptb.first_poll_ms", at_most=3.5, aim=2),
        Ratio("CPU: imbot / python-telegram-bot echo", "imbot.cpu_ms", "ptb.cpu_ms"),
        Ratio("imbot / limit", "imbot.first_poll_ms", "limit.first_poll_ms"),
    ),
    {"first_poll_ms": "ms", "cpu_ms": "ms", "memory_mib": "MiB"},
)
