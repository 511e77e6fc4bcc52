"""J4c: one letter of 25 MB among small ones. How long does the event loop stand still, and what memory does it take?

idle: the ticker alone. default, imap_tools: the same letter parsed in the loop, as the usual builds do (no mailbox, no store).
imbot: its watcher on a real Dovecot: fetched, kept, read by the child, received, marked. Memory: the peak of the resident
set above what it was after the small letters, in times of the letter's size; the parent's and the child's, each by itself.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from benchmarks import office
from benchmarks.journey import Figures, Journey, Missing, Place, Ratio, check
from benchmarks.watching import count, freeze, ticking, watch
from imbot import event_loop
from imbot.mailbox.reading import Reader

_FULL = 25 * 1024 * 1024
_SMALL = 40


def large_letter(size: int, number: int) -> bytes:
    """A status letter with one attachment; `size` bytes in all."""
    small = office.status_letter(number)
    head, _, body = small.partition(b"\r\n\r\n")
    head = head.replace(b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64", b"")
    data = random.Random(7).randbytes((size - len(small) - 600) * 57 // 78)
    parts = [
        head.rstrip(b"\r\n") + b'\r\nContent-Type: multipart/mixed; boundary="b-1"\r\n\r\n--b-1\r\n',
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body,
        b'--b-1\r\nContent-Type: application/zip\r\nContent-Disposition: attachment; filename="log.zip"\r\n',
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data).replace(b"\n", b"\r\n"),
        b"--b-1--\r\n",
    ]
    return b"".join(parts)


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    size = max(1 << 20, int(_FULL * scale))
    small = [office.status_letter(number) for number in range(1, 2 * _SMALL + 1)]
    letters = [*small[:_SMALL], large_letter(size, 2 * _SMALL + 1), *small[_SMALL:]]
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder, office.mailbox(letters) as place:
        raw = Path(folder) / "large.eml"
        raw.write_bytes(letters[_SMALL])
        office.prepared_tickets(f"sqlite:///{folder}/imbot.db", len(letters))
        yield place | {"database": f"{folder}/imbot.db", "large": str(raw)}


def idle(_place: Place) -> Figures:
    async def wait() -> float:
        async with ticking() as lags:
            await asyncio.sleep(1)
        return lags.worst

    return {"stall_ms": asyncio.run(wait())}


def default(place: Place) -> Figures:
    return _in_the_loop(place, lambda raw: _payload(message_from_bytes(raw, policy=policy.default)))


def imap_tools(place: Place) -> Figures:
    try:
        from imap_tools import MailMessage
    except ImportError as error:
        raise Missing("imap-tools") from error
    return _in_the_loop(place, lambda raw: MailMessage.from_bytes(raw).attachments[0].payload)


def _payload(message: Any) -> bytes:
    return bytes(next(iter(message.iter_attachments())).get_payload(decode=True))


def _in_the_loop(place: Place, parse: Callable[[bytes], bytes]) -> Figures:
    raw = Path(place["large"]).read_bytes()
    _forget_peak("self")
    before = _resident("self")

    async def run() -> tuple[float, int]:
        async with ticking() as lags:
            await asyncio.sleep(0.1)
            found = len(parse(raw))
        return lags.worst, found

    stall, found = asyncio.run(run())
    check(found > len(raw) // 2, f"an attachment of {found} bytes")
    return {"stall_ms": stall, "parent_memory": (_peak("self") - before) / len(raw)}


def imbot(place: Place) -> Figures:
    return event_loop.run(_imbot(place))


async def _imbot(place: Place) -> Figures:
    size = Path(place["large"]).stat().st_size
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        folder = Path(name)
        (folder / "imbot.db").write_bytes(Path(place["database"]).read_bytes())
        office.env()
        async with Reader() as reader:
            await reader.read(office.status_letter(1))
            child = str(reader.pid)
            _forget_peak("self")
            _forget_peak(child)
            before = {"self": _resident("self"), child: _resident(child)}
            freeze()
            async with ticking() as lags:
                await watch(place, folder, reader)
            check(str(reader.pid) == child, "the child has died")
            parent, its = (_peak(pid) - before[pid] for pid in ("self", child))
        applied = count(folder / "imbot.db", "SELECT count(*) FROM mails WHERE outcome = 'applied'")
        check(applied == place["count"], f"{applied} letters applied of {place['count']}")
        files = count(folder / "imbot.db", "SELECT count(*) FROM mails WHERE path <> ''")
        check(files == 1, f"{files} letters in files")
    return {
        "stall_ms": lags.worst,
        "stall_p99_ms": lags.p99,
        "own_work_ms": lags.own,
        "parent_memory": parent / size,
        "child_memory": its / size,
    }


def _status(pid: str, name: str) -> int:
    """Bytes, of /proc/<pid>/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise Missing("/proc")


def _resident(pid: str) -> int:
    return _status(pid, "VmRSS")


def _peak(pid: str) -> int:
    return _status(pid, "VmHWM")


def _forget_peak(pid: str) -> None:
    if not os.access(f"/proc/{pid}/clear_refs", os.W_OK):
        raise Missing("/proc")
    Path(f"/proc/{pid}/clear_refs").write_text("5")


JOURNEY = Journey(
    "J4c",
    "one 25 MB letter among small ones",
    prepare,
    {"idle": idle, "default": default, "imap_tools": imap_tools, "imbot": imbot},
    (
        Ratio("longest stall / 10 ms", "imbot.stall_ms", 10.0, at_most=1, aim=0.5),
        Ratio("longest stall / policy.default in the loop", "imbot.stall_ms", "default.stall_ms"),
        Ratio("memory of the parent / the letter", "imbot.parent_memory", 1.0, at_most=3),
        Ratio("memory of the child / the letter", "imbot.child_memory", 1.0, at_most=3),
    ),
    {
        "stall_ms": "ms",
        "stall_p99_ms": "ms",
        "own_work_ms": "ms",
        "parent_memory": "x the letter",
        "child_memory": "x the letter",
    },
)
