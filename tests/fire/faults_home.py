"""Faults of the directory, of the data base and its disk, of the clock, and of the process itself."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator

from tests.fire.control import RigError
from tests.fire.facts import Finding
from tests.fire.scene import Fault, Scene, again_and_again, during, legs, nothing, order, row
from tests.fire.trouble import FULL, READ_ONLY

_DIRECTORY, _STORE = legs("directory"), legs("store")
_DAY = 86_400.0
_DRAIN = 10.0  # seconds that imbot has to end in
_LOCK = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
c.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
c.execute("ROLLBACK")
"""


async def _ask(scene: Scene) -> None:
    await scene.ask_the_directory()


async def _pause_slapd(scene: Scene) -> None:
    scene.world.slapd.pause()
    await _ask(scene)


async def _resume_slapd(scene: Scene) -> None:
    scene.world.slapd.resume()


@contextlib.asynccontextmanager
async def _locked(scene: Scene) -> AsyncIterator[None]:
    """Another program holds the data base."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _LOCK, str(scene.world.data / "imbot.db")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    if line != b"locked\n":
        raise RigError("the data base could not be locked")
    try:
        yield
    finally:
        await process.communicate(b"")  # with None its standard input would stay open


_LOCKED = during("locked", _locked)


async def _full(scene: Scene) -> None:
    scene.trouble.disk(FULL)


async def _full_for_files(scene: Scene) -> None:
    scene.trouble.disk(FULL, "/files")


async def _read_only(scene: Scene) -> None:
    scene.trouble.disk(READ_ONLY)


async def _disk_is_well(scene: Scene) -> None:
    scene.trouble.disk(0)


async def _day_ahead(scene: Scene) -> None:
    scene.trouble.clock(_DAY)


async def _day_behind(scene: Scene) -> None:
    scene.trouble.clock(-_DAY)


async def _right_time(scene: Scene) -> None:
    """And what happens by the clock still happens."""
    scene.trouble.clock(0)
    await asyncio.sleep(2)
    before = await scene.heard("timer poll")
    until = time.monotonic() + 20
    while await scene.heard("timer poll") == before:
        if time.monotonic() > until:
            words = "20 s after the clock was put right the poll of every 5 s has not come"
            scene.own.append(Finding("timers_go_on", "clock", words))
            return
        await asyncio.sleep(0.5)


async def _second_instance(scene: Scene) -> None:
    """Started by mistake over the same folder: it must say one line and end, and change nothing."""
    world = scene.world
    lock = (world.data / "imbot.lock").read_text()
    names = {path.name for path in world.data.iterdir()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "imbot", "run", "--config", str(world.config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 30)
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    lines = said.decode(errors="replace").strip().splitlines()
    after = {path.name for path in world.data.iterdir()}
    wrong = {
        f"it ended with {process.returncode}": process.returncode in (0, -9),
        f"it said {len(lines)} lines: {lines[:5]}": len(lines) != 1 or "another imbot" not in lines[0],
        "the lock bears another name": (world.data / "imbot.lock").read_text() != lock,
        f"it left {sorted(after ^ names)}": bool((after ^ names) - {".writable"}),
    }
    scene.own += [Finding("second_instance_ends", "two instances", words) for words, is_so in wrong.items() if is_so]


async def _terminate(scene: Scene) -> None:
    begun = time.monotonic()
    try:
        await scene.nanny.stop()
    except RigError as error:
        scene.own.append(Finding("ends_in_time", "SIGTERM", str(error)[:600]))
    took = time.monotonic() - begun
    if took > _DRAIN:
        scene.own.append(Finding("ends_in_time", "SIGTERM", f"it ended after {took:.1f} s"))


async def _start(scene: Scene) -> None:
    await scene.start()


async def _kill_and_start(scene: Scene) -> None:
    await scene.kill()
    await scene.start()


async def _terminate_and_start(scene: Scene) -> None:
    await _terminate(scene)
    await scene.start()


async def _asleep(scene: Scene) -> None:
    scene.nanny.pause()


async def _awake(scene: Scene) -> None:
    scene.nanny.resume()


_ASKING = during("asking", lambda scene: again_and_again(scene, _ask, 2.0))

LDAP: tuple[Fault, ...] = (
    Fault("ldap_refused", "no connection is taken", "ldap", row(order("proxy", "refuse", leg="ldap"), _ask),
          order("proxy", "heal", leg="ldap"), _DIRECTORY, seconds=12, down="ldap"),
    Fault("ldap_silent", "the directory takes connections and says nothing", "ldap", _pause_slapd, _resume_slapd, _DIRECTORY,
          seconds=12, down="ldap"),
    Fault("ldap_cut", "connections end at once", "ldap", row(_ask, order("proxy", "cut", leg="ldap")), nothing, seconds=4),
    Fault("ldap_slow", "a thin line", "ldap",
          row(order("proxy", "slow", leg="ldap", bytes_per_second=20_000, delay=0.3), _ask), order("proxy", "heal", leg="ldap")),
    Fault("ldap_frozen", "nothing flows any more", "ldap", row(order("proxy", "freeze", leg="ldap"), _ask),
          order("proxy", "heal", leg="ldap"), _DIRECTORY, down="ldap"),
)  # fmt: skip

STORE: tuple[Fault, ...] = (
    Fault("db_locked_short", "another program holds the data base for three seconds", "store", *_LOCKED, seconds=3),
    Fault("db_locked", "another program holds the data base for a minute", "store", *_LOCKED, _STORE, seconds=60),
    Fault("disk_full", "nothing can be written", "store", _full, _disk_is_well, _STORE, seconds=12),
    Fault("disk_full_for_files", "what is large finds no room, the data base does", "store", _full_for_files, _disk_is_well),
    Fault("disk_read_only", "the disk is read-only", "store", _read_only, _disk_is_well, _STORE, seconds=12),
)  # fmt: skip

MACHINE: tuple[Fault, ...] = (
    Fault("clock_ahead", "the clock is a day ahead, and right again", "clock", _day_ahead, _right_time, seconds=12),
    Fault("clock_behind", "the clock is a day behind, and right again", "clock", _day_behind, _right_time, seconds=12),
    Fault("second_instance", "it is started a second time by mistake", "process", _second_instance, seconds=4),
    Fault("sigterm", "it is ended and started again", "process", _terminate_and_start, _start, answered=False, seconds=4),
    Fault("stopped", "it is ended, and started again later", "process", _terminate, _start, answered=False, seconds=6),
    Fault("asleep", "the machine sleeps", "process", _asleep, _awake, answered=False, seconds=8),
    Fault("sigkill", "it is killed and started again", "process", _kill_and_start, _start, answered=False, seconds=4),
)  # fmt: skip
