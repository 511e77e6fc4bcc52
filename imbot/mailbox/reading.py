"""Reads letters in a child process, so that no letter can stop the program: bounded memory, CPU and wall time.

A plain subprocess (a pool would break with its child, and would fork a threaded process). It starts with the first letter,
is kept for the next ones, and is killed and started again when it does not answer in time or dies.

    no child --it says that it has started--> waiting for the next answer --the last answer--> idle --letters--> ...
                                |  time-out, death: killed, ReaderDied --> no child

Letters go in and answers come out side by side, in order. Nothing large passes through the loop in one piece: requests are
written in chunks, a letter that lies in a file goes by its path, and large files come back through a scratch file that is
read in a thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import orjson

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.failpoints import hit
from imbot.mailbox.reading_child import BY_PATH, CHUNK, FRAME, HEAD
from imbot.mime.read import ReadLimits
from imbot.mime.wire import mail_from_json

START_SECONDS = 60  # for a child to start on a busy machine: no letter's time, and no letter's fault
MAX_LETTERS = 20_000  # a child that has read so many is replaced: memory cannot creep
_LOST = (OSError, EOFError, ValueError, TypeError, KeyError)  # no answer, or none that can be one


class ReaderDied(LetterRefused):
    """The child did not survive this letter, or did not answer in time. Trying again may help, but not often."""

    died = True


class Reader:
    """`async with Reader() as reader: mail = await reader.read(raw)`. One call after the other. `folder`: where the scratch
    file lies (it has no name there), else where temporary files do."""

    def __init__(
        self,
        limits: ReadLimits | None = None,
        wall_seconds: float = 10,
        memory_mb: int = 512,
        cpu_seconds: int = 10,
        folder: Path | None = None,
    ) -> None:
        self._limits = limits or ReadLimits()
        self._wall_seconds = wall_seconds
        self._settings = asdict(self._limits) | {"memory_mb": memory_mb, "cpu_seconds": cpu_seconds}
        self._folder = folder
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._scratch: IO[bytes] | None = None
        self._letters = 0

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_ready(self) -> bool:
        """Whether a letter would be read at once."""
        return self._child is not None and self._child.returncode is None and not self._lock.locked()

    async def ready(self) -> None:
        """Returns when there is a child. It starts with the first letter otherwise, which takes a busy machine seconds."""
        async with self._lock:
            try:
                await self._ready()
            except BaseException:  # cancelled while it starts: its first frame would be taken for an answer
                await self._end()
                raise

    async def read(self, raw: bytes | Path) -> InboundMail:
        """The letter. Raises `LetterRefused` where it breaks a bound, `ReaderDied` where the child broke on it."""
        (answer,) = await self.read_many([raw])
        if isinstance(answer, LetterRefused):
            raise answer
        return answer

    async def read_many(self, letters: Sequence[bytes | Path]) -> list[InboundMail | LetterRefused]:
        """Of each letter what `read` returns or raises, in order; of a letter in a file, its path. A `ReaderDied` is the
        last answer: the letters behind it were not read. The wall time is that of each letter."""
        async with self._lock:
            try:
                answers = await self._answers(letters)
            except BaseException:  # cancelled in mid-answer: what comes next would be the old answer
                await self._end()
                raise
            self._letters += len(answers)
            if self._letters >= MAX_LETTERS or (answers and isinstance(answers[-1], ReaderDied)):
                await self._end()
        return answers

    async def close(self) -> None:
        """Ends the child. The reader can be used again."""
        async with self._lock:
            await self._end()

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._child.pid if self._child is not None else None

    async def _answers(self, letters: Sequence[bytes | Path]) -> list[InboundMail | LetterRefused]:
        small = [one for one in letters if isinstance(one, Path) or len(one) <= self._limits.size]
        child = await self._ready() if small else None
        sending = asyncio.create_task(_send(child, small))
        answers: list[InboundMail | LetterRefused] = []
        hit("worker_parsing")
        try:
            for letter in letters:
                if child is None or (not isinstance(letter, Path) and len(letter) > self._limits.size):
                    answers.append(LetterRefused(f"larger than {self._limits.size} bytes"))
                    continue
                answers.append(await self._answer(child))
                if isinstance(answers[-1], ReaderDied):
                    break
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        await self._wipe()
        return answers

    async def _answer(self, child: asyncio.subprocess.Process) -> InboundMail | LetterRefused:
        try:
            async with asyncio.timeout(self._wall_seconds):
                return await self._receive(child)
        except TimeoutError:
            return ReaderDied(f"reading took longer than {self._wall_seconds:g} s")
        except _LOST as error:
            died = ReaderDied("the reader died on this letter")
            died.__cause__ = error
            return died

    async def _receive(self, child: asyncio.subprocess.Process) -> InboundMail | LetterRefused:
        if child.stdout is None:
            raise EOFError
        answer: dict[str, Any] = orjson.loads(await _frame(child.stdout))
        if "broke" in answer:
            return ReaderDied(answer["broke"])
        if "refused" in answer:
            return LetterRefused(answer["refused"])
        blobs: list[bytes] = []
        for size, place in answer["blobs"]:
            blobs.append(await _frame(child.stdout) if place < 0 else await asyncio.to_thread(self._fetch, size, place))
        texts = [await asyncio.to_thread(blob.decode) for blob in blobs[: len(answer["long"])]]
        table = answer["mail"] | dict(zip(answer["long"], texts, strict=True))
        return mail_from_json(table, blobs[len(texts) :])

    def _fetch(self, size: int, place: int) -> bytes:
        """In a thread: the system call fills the bytes without holding up the interpreter."""
        if self._scratch is None:
            raise EOFError
        whole = os.pread(self._scratch.fileno(), size, place)
        if len(whole) != size:
            raise EOFError
        return whole

    async def _wipe(self) -> None:
        """What a letter held does not stay in the scratch file."""
        if self._scratch is not None and os.fstat(self._scratch.fileno()).st_size:
            await asyncio.to_thread(os.ftruncate, self._scratch.fileno(), 0)

    async def _ready(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is not None:
            await self._end()
        if self._child is None:
            self._letters = 0
            scratch = await asyncio.to_thread(_nameless, self._folder)
            self._scratch = scratch
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "imbot.mailbox.reading_child",
                json.dumps(self._settings | {"scratch": scratch.fileno()}),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 20,
                pass_fds=(scratch.fileno(),),
            )
            if self._child.stdin is not None:
                self._child.stdin.transport.set_write_buffer_limits(high=CHUNK)
            await _started(self._child)
        return self._child

    async def _end(self) -> None:
        (child, self._child), (scratch, self._scratch) = (self._child, None), (self._scratch, None)
        if scratch is not None:
            scratch.close()
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()
        if child.stdout is not None:
            await _drain(child.stdout)


async def _started(child: asyncio.subprocess.Process) -> None:
    """Its first frame. Where none comes, the letter that waits is told that the reader died."""
    if child.stdout is not None:
        with suppress(TimeoutError, *_LOST):
            async with asyncio.timeout(START_SECONDS):
                await _frame(child.stdout)


def _nameless(folder: Path | None) -> IO[bytes]:
    return tempfile.TemporaryFile("w+b", buffering=0, dir=folder)


async def _drain(stream: asyncio.StreamReader) -> None:
    """Reads what is left, so that the pipe's transport closes itself."""
    while await stream.read(1 << 20):
        pass


async def _send(child: asyncio.subprocess.Process | None, letters: Sequence[bytes | Path]) -> None:
    if child is None or child.stdin is None:
        return
    with suppress(OSError):  # the child is gone: whoever waits for its answer is told
        for letter in letters:
            way, whole = (BY_PATH, os.fsencode(letter)) if isinstance(letter, Path) else (0, letter)
            if len(whole) <= CHUNK:
                child.stdin.write(HEAD.pack(way, len(whole)) + whole)
                await child.stdin.drain()
                continue
            child.stdin.write(HEAD.pack(way, len(whole)))
            view = memoryview(whole)
            for start in range(0, len(view), CHUNK):
                child.stdin.write(view[start : start + CHUNK])
                await child.stdin.drain()
                await asyncio.sleep(0)  # a child that reads fast would keep the loop to itself


async def _frame(stream: asyncio.StreamReader) -> bytes:
    (length,) = FRAME.unpack(await stream.readexactly(FRAME.size))
    return await stream.readexactly(length)
