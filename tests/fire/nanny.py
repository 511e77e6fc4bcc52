"""Lives of the product's own process: started with the place where it shall die, or killed at a moment of chance, and each
start and death in a journal. Knows nothing of what is going on in between."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fire.control import RigError
from tests.fire.journal import Journal

ROOT = Path(__file__).resolve().parent.parent.parent
_PLACE = re.compile(r'\bhit\(\s*"([a-z0-9_]+)"(?: if [^"]*? else "([a-z0-9_]+)")?')
_LAST_WORDS = 4000  # characters of the log that a failure shows
_TICK = 0.1  # seconds between two looks at the clock
_STALL = 0.5  # seconds: one that comes so much later tells that the machine stood still


def places(code: Path = ROOT) -> list[str]:
    """Every named place of the product where it may be killed, in the order of the source."""
    found: dict[str, None] = {}
    for file in sorted((code / "imbot").rglob("*.py")):
        for pair in _PLACE.findall(file.read_text(encoding="utf-8")):
            found.update(dict.fromkeys(name for name in pair if name))
    return list(found)


async def note_stalls(journal: Journal) -> None:
    """Notes, until it is cancelled, when the machine stood still: what did not come meanwhile was not late."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(_TICK)
        now = time.monotonic()
        if now - last > _TICK + _STALL:
            journal.note("stalled", since=last)
        last = time.monotonic()


@dataclass(slots=True)
class Life:
    """One process. `by`: the failpoint that ended it, "random" for our own kill, "" while it lives or where it ended well."""

    failpoint: str
    pid: int
    by: str = ""


class Nanny:
    """One process of the product at a time. `code`: the folder whose `imbot` package is run. `environment`: what it gets
    besides ours. `memory`: bytes of address space that it may have, and each of its children (0: no limit); `module`: what is
    run as `imbot` is."""

    def __init__(
        self,
        config: Path,
        journal: Journal,
        log: Path,
        code: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        *,
        memory: int = 0,
        module: str = "imbot",
    ) -> None:
        self._config, self._journal, self._log, self._code = config, journal, log, code
        self._memory, self._module = memory, module
        self._environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None
        self.kills = 0

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._living().pid

    async def start(self, failpoint: str = "") -> Life:
        """Start it. `failpoint`: `name` or `name:n`, see imbot.failpoints."""
        if self.lives:
            raise RigError("the last one still lives")
        env = {
            **os.environ,
            **self._environment,
            "IMBOT_FAILPOINT": failpoint,
            "PYTHONPATH": str(self._code),
            "PYTHONDONTWRITEBYTECODE": "",  # compiled once, as an installation is, not at each start
        }
        words = [sys.executable, "-m", self._module, "run", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *words, env=env, cwd=self._code, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        if self._memory:  # before it has asked for any: it has not come to Python yet
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (self._memory, self._memory))
        self._journal.note("started", pid=self._process.pid, failpoint=failpoint)
        return Life(failpoint, self._process.pid)

    async def until_dead(self, life: Life, seconds: float) -> Life:
        """Wait for its failpoint; after `seconds` kill it wherever it is. Raises RigError where it ended by itself."""
        process = self._living()
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
            life.by = life.failpoint
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
            life.by = "random"
        if process.returncode != -signal.SIGKILL:
            self._journal.note("ended", code=process.returncode)
            raise RigError(f"imbot ended by itself with {process.returncode}: {self.last_words()}")
        self.kills += 1
        self._journal.note("killed", failpoint=life.by, pid=life.pid)
        return life

    async def kill(self, life: Life) -> Life:
        """Kill it now."""
        return await self.until_dead(life, 0)

    async def kill_now(self) -> Life:
        """Kill whichever lives."""
        return await self.kill(Life("", self.pid))

    async def stop(self) -> None:
        """SIGTERM; it has to drain and end well within 15 seconds. Raises RigError."""
        process = self._living()
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(15):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise RigError(f"imbot did not drain within 15 seconds: {self.last_words()}") from None
        self._journal.note("ended", code=code)
        if code != 0:
            raise RigError(f"imbot ended with {code}: {self.last_words()}")

    def pause(self) -> None:
        """It gets no time from now on, as on a machine that was put to sleep; `resume` wakes it."""
        self._living().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._living().send_signal(signal.SIGCONT)

    async def away(self) -> None:
        """However it stands: no process is left behind."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-_LAST_WORDS:] if self._log.exists() else ""

    def _living(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RigError("never started")
        return self._process
