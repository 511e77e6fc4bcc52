"""The witnesses' memory: an append-only file of JSON lines, on the disk before anything else happens, which the death of any
process cannot take back."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_TORN = "torn"


class Journal:
    """Each line is `{"t": seconds of time.monotonic(), "e": event, ...}`. Monotonic time is one clock for all processes of
    a machine. A file that its last writer left in mid-line is carried on behind a line that says so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._disk = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")
            self.note(_TORN)

    def note(self, event: str, **fields: Any) -> None:
        """One line, on the disk when this returns."""
        self.note_all([(event, fields)])

    def note_all(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Several lines of one moment, on the disk together when this returns."""
        self.write(events)
        os.fdatasync(self._file)

    def write(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """The lines are in their place, and no death of a process takes them away; only `settle` makes them outlive the
        machine."""
        t = time.monotonic()
        lines = "".join(json.dumps({"t": t, "e": event, **fields}, default=str) + "\n" for event, fields in events)
        rest = memoryview(lines.encode())
        while rest:
            rest = rest[os.write(self._file, rest) :]

    async def settle(self) -> None:
        """What was written so far is on the disk. Callers that come while the disk is busy share its next turn."""
        if self._next is None:
            self._next = asyncio.create_task(self._sync())
        await asyncio.shield(self._next)

    async def _sync(self) -> None:
        async with self._disk:
            self._next = None
            await asyncio.to_thread(os.fdatasync, self._file)

    def close(self) -> None:
        """Closing again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Tail:
    """Reads a journal as it grows: `new()` gives the whole lines written since the last call. The file may not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def new(self) -> list[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self._at += end
        return _parse(data[:end])


def read(path: Path) -> list[dict[str, Any]]:
    """All events in their order; none where the file does not exist. The last line may be torn, and so may one where a
    later writer found it so. Raises ValueError for any other line that is no JSON: a witness that babbles is no witness."""
    return _parse(path.read_bytes()) if path.exists() else []


def _parse(data: bytes) -> list[dict[str, Any]]:
    lines = data.split(b"\n")
    lines.pop()  # what follows the last newline: nothing, or a line torn by the death of its writer
    events: list[dict[str, Any]] = []
    torn: ValueError | None = None
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError as broken:
            if torn is not None:
                raise torn from broken
            torn = ValueError(f"line {number} is no JSON: {line[:80]!r}")
            continue
        if torn is not None and event.get("e") != _TORN:
            raise torn
        torn = None
        events.append(event)
    if torn is not None:
        raise torn
    return events
