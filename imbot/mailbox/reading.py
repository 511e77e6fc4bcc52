"""Reads letters in a child process, so that no letter can stop the program: bounded memory, CPU and wall time.

A plain subprocess (a pool would break with its child, and would fork a threaded process). It starts with the first letter,
is kept for the next ones, and is killed and started again when it does not answer in time or dies.

    no child --read--> waiting for the answer --answer--> idle --read--> ...
                                |  time-out, death: killed, ReaderDied --> no child
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.mailbox.reading_child import FRAME
from imbot.mime.read import ReadLimits
from imbot.mime.wire import mail_from_json

MAX_LETTERS = 2000  # a child that has read so many is replaced: memory cannot creep


class ReaderDied(LetterRefused):
    """The child did not survive this letter, or did not answer in time. Trying again may help, but not often."""


class Reader:
    """`async with Reader() as reader: mail = await reader.read(raw)`. Letters are read one after the other."""

    def __init__(
        self,
        limits: ReadLimits | None = None,
        wall_seconds: float = 10,
        memory_mb: int = 512,
        cpu_seconds: int = 10,
    ) -> None:
        self._limits = limits or ReadLimits()
        self._wall_seconds = wall_seconds
        self._settings = json.dumps(asdict(self._limits) | {"memory_mb": memory_mb, "cpu_seconds": cpu_seconds})
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._letters = 0

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def read(self, raw: bytes) -> InboundMail:
        """The letter. Raises `LetterRefused` where it breaks a bound, `ReaderDied` where the child broke on it."""
        if len(raw) > self._limits.size:
            raise LetterRefused(f"larger than {self._limits.size} bytes")
        async with self._lock:
            child = await self._ready()
            try:
                async with asyncio.timeout(self._wall_seconds):
                    answer, blobs = await _ask(child, raw)
            except TimeoutError:
                await self._end()
                raise ReaderDied(f"reading took longer than {self._wall_seconds:g} s") from None
            except (OSError, EOFError) as error:
                await self._end()
                raise ReaderDied("the reader died on this letter") from error
            except BaseException:  # cancelled in mid-answer: what comes next would be the old answer
                await self._end()
                raise
            self._letters += 1
            if self._letters >= MAX_LETTERS:
                await self._end()
        if "refused" in answer:
            raise LetterRefused(answer["refused"])
        return mail_from_json(answer["mail"], blobs)

    async def close(self) -> None:
        """Ends the child. The reader can be used again."""
        async with self._lock:
            await self._end()

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._child.pid if self._child is not None else None

    async def _ready(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is not None:
            await self._end()
        if self._child is None:
            self._letters = 0
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "imbot.mailbox.reading_child",
                self._settings,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 20,
            )
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()
        if child.stdout is not None:
            await _drain(child.stdout)


async def _drain(stream: asyncio.StreamReader) -> None:
    """Reads what is left, so that the pipe's transport closes itself."""
    while await stream.read(1 << 20):
        pass


async def _ask(child: asyncio.subprocess.Process, raw: bytes) -> tuple[dict[str, Any], list[bytes]]:
    if child.stdin is None or child.stdout is None:
        raise EOFError
    child.stdin.write(FRAME.pack(len(raw)))
    child.stdin.write(raw)
    await child.stdin.drain()
    answer: dict[str, Any] = json.loads(await _frame(child.stdout))
    return answer, [await _frame(child.stdout) for _ in range(answer.get("blobs", 0))]


async def _frame(stream: asyncio.StreamReader) -> bytes:
    (length,) = FRAME.unpack(await stream.readexactly(FRAME.size))
    return await stream.readexactly(length)
