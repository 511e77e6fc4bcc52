"""Takes apart what an IMAP server sends, in one pass: FETCH answers for whoever collects them, all else for aioimaplib.

aioimaplib's own way calls itself once a line, prints every chunk of data and looks at all lines of an answer for each new
one: fine for a few letters, and most of the time of a backlog. A literal becomes bytes without being copied again.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aioimaplib  # type: ignore[import-untyped]

from imbot.failpoints import hit

_CRLF = b"\r\n"
_LITERAL = re.compile(rb"\{(\d{1,12})\+?\}$")
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
_DATE = re.compile(
    rb'\bINTERNALDATE "([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"', re.IGNORECASE
)
_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
EXISTS = re.compile(rb"(\d+) EXISTS", re.IGNORECASE)
_UIDVALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_UIDNEXT = re.compile(rb"\[UIDNEXT (\d+)\]", re.IGNORECASE)
_FETCH = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)
_LONGEST_LINE = 16 * 1024 * 1024
_LARGEST_LITERAL = 512 * 1024 * 1024
MOUTHFUL = 1024 * 1024  # bytes that are read before others have their turn

Answer = list[bytes]  # of one letter: its lines, and the literals between them at odd places


@dataclass(frozen=True, slots=True)
class Outside:
    """What a server says of a letter without its content: bytes, and when it came (Unix seconds). -1: it does not say."""

    size: int = -1
    came: int = -1


@dataclass(frozen=True, slots=True)
class Selected:
    """What the server tells of a folder when it is opened. `uidnext` is 0 where it keeps that to itself."""

    uidvalidity: int
    uidnext: int
    exists: int


class Pauses:
    """Between a quick server and everybody else: after each mouthful the loop goes round once. uvloop would read on otherwise,
    up to 8 MiB of a large letter in one go."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._came = 0  # bytes since the loop went round
        self._paused: Any = None  # the transport that is not read meanwhile

    def came(self, count: int) -> None:
        if not self._came:
            asyncio.get_running_loop().call_soon(self._went_round)
        self._came += count
        transport = self._protocol.transport
        if self._came >= MOUTHFUL and self._paused is None and not transport.is_closing():
            self._paused = transport
            transport.pause_reading()

    def _went_round(self) -> None:
        self._came, transport, self._paused = 0, self._paused, None
        if transport is not None and not transport.is_closing():
            transport.resume_reading()


class Feed:
    """Stands before `protocol` (aioimaplib's). Raises ValueError for what no server sends."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._collected: list[Answer] | None = None
        self._answer: Answer | None = None  # the FETCH answer under way
        self._literal: io.BytesIO | None = None
        self._missing = 0  # bytes of the literal
        self.came = 0  # bytes so far

    @property
    def collects(self) -> bool:
        """Whether letters are on their way."""
        return self._collected is not None

    @contextmanager
    def collecting(self) -> Iterator[list[Answer]]:
        """FETCH answers that come meanwhile are put into the list, whether asked for or not."""
        self._collected = []
        try:
            yield self._collected
        finally:
            self._collected = None

    def data_received(self, data: bytes) -> None:
        self.came += len(data)
        protocol = self._protocol
        if protocol.incomplete_line:
            data, protocol.incomplete_line = protocol.incomplete_line + data, b""
        command, protocol.current_command = protocol.current_command, None
        position = 0
        while True:
            position, command, hungry = self._literals(data, position, command)
            if hungry:
                break
            end = data.find(_CRLF, position)
            if end < 0:
                self._keep_rest(data, position, command)
                return
            command = self._line(data[position:end], command)
            position = end + 2
        protocol.current_command = command

    def _literals(self, data: bytes, position: int, command: Any) -> tuple[int, Any, bool]:
        """What of the literal under way is here; True while some of it is not."""
        if self._literal is not None:
            part = data[position : position + self._missing]
            self._literal.write(part)
            self._missing -= len(part)
            if self._missing:
                hit("fetch_half")
                return len(data), command, True
            if self._answer is not None:
                self._answer.append(self._literal.getvalue())  # no copy: the buffer becomes the bytes
            self._literal = None
            return position + len(part), command, False
        if command is not None and command.wait_literal_data():
            before = len(command._resp_literal_data)
            part = data[position : position + command._expected_size - before]
            command.append_literal_data(part)
            return position + len(part), command, command.wait_literal_data()
        return position, command, False

    def _keep_rest(self, data: bytes, position: int, command: Any) -> None:
        protocol = self._protocol
        protocol.incomplete_line = data[position:]
        if len(protocol.incomplete_line) > _LONGEST_LINE:
            raise ValueError("a line without an end")
        if not protocol.incomplete_line and protocol.pending_sync_command is not None:
            protocol.pending_sync_command.flush()
        protocol.current_command = command if protocol.incomplete_line or _waits(command) else None

    def _line(self, line: bytes, command: Any) -> Any:
        """The command that the next line belongs to, if any."""
        size = _size(line)
        if self._answer is not None:
            self._answer.append(line)
        elif self._collected is not None and command is None and _FETCH.match(line):
            self._answer = [line[2:]]
        else:
            return self._theirs(line, command, size)
        if size is not None:
            self._literal, self._missing = io.BytesIO(), size
        else:
            if self._collected is not None:
                self._collected.append(self._answer)
            self._answer = None
        return None

    def _theirs(self, line: bytes, command: Any, size: int | None) -> Any:
        command = self._protocol._handle_line(line, command)
        if size is not None:
            command = command or aioimaplib.Command("NIL", "unused")
            command.begin_literal_data(size)
            return command
        return command if _waits(command) else None


def _waits(command: Any) -> bool:
    return command is not None and bool(command.wait_data())


def _size(line: bytes) -> int | None:
    """Of the literal that follows the line; None: there is none."""
    match = _LITERAL.search(line) if line.endswith(b"}") else None
    if match is None:
        return None
    size = int(match[1])
    if size > _LARGEST_LITERAL:
        raise ValueError(f"a literal of {size} bytes")
    return size


def read_literals(answers: Sequence[Answer]) -> dict[int, bytes]:
    """UID -> literal of FETCH answers. The UID may stand before or behind the literal; answers about flags may stand between."""
    found: dict[int, bytes] = {}
    for answer in answers:
        uid = _number(_UID, b" ".join(answer[::2]))
        if uid is not None and len(answer) > 1:
            found[uid] = answer[1]
    return found


def read_outsides(answers: Sequence[Answer]) -> dict[int, Outside]:
    """UID -> size and date of arrival."""
    found: dict[int, Outside] = {}
    for answer in answers:
        told = b" ".join(answer[::2])
        uid, size, came = _number(_UID, told), _number(_SIZE, told), _came(told)
        if uid and (size is not None or came >= 0):
            found[uid] = Outside(-1 if size is None else size, came)
    return found


def read_selected(lines: Sequence[bytes]) -> Selected:
    """What stands in the answer to SELECT."""
    whole = b"\n".join(lines)
    exists = EXISTS.search(whole)
    return Selected(_number(_UIDVALIDITY, whole) or 0, _number(_UIDNEXT, whole) or 0, int(exists[1]) if exists else 0)


def _came(line: bytes) -> int:
    match = _DATE.search(line)
    if match is None or match[2].lower() not in _MONTHS:
        return -1
    day, year, hour, minute, second, east, west = (int(match[place]) for place in (1, 3, 4, 5, 6, 8, 9))
    away = timedelta(hours=east, minutes=west)
    try:
        moment = datetime(year, _MONTHS.index(match[2].lower()) + 1, day, hour, minute, second, tzinfo=UTC)
        return max(0, int((moment + away if match[7] == b"-" else moment - away).timestamp()))
    except (ValueError, OverflowError):
        return -1


def _number(pattern: re.Pattern[bytes], line: bytes) -> int | None:
    match = pattern.search(line)
    return int(match[1]) if match else None
