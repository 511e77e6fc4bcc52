"""J4c: one letter of 25 MB among small ones. How long does the event loop stand still, and what memory does it take?

idle: the ticker alone. default, imap_tools: the same letter parsed in the loop, as the usual builds do (no mailbox, no store).
imbot: its watcher on a real Dovecot: fetched, kept, read by the child, received, marked. memory: the same once more, not timed:
the most that parent and child together have in memory at one moment, above what they had before, in times of the letter's size.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from benchmarks import machine, office
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
    raw, us = Path(place["large"]).read_bytes(), os.getpid()
    machine.forget_peak(us)
    before = machine.resident(us)

    async def run() -> tuple[float, int]:
        async with ticking() as lags:
            await asyncio.sleep(0.1)
            found = len(parse(raw))
        return lags.worst, found

    stall, found = asyncio.run(run())
    check(found > len(raw) // 2, f"an attachment of {found} bytes")
    return {"stall_ms": stall, "memory": (machine.peak(us) - before) / len(raw)}


def imbot(place: Place) -> Figures:
    return event_loop.run(_imbot(place, _stalls))


def memory(place: Place) -> Figures:
    return event_loop.run(_imbot(place, _memory))


async def _imbot(place: Place, measured: Callable[[Place, Path, Reader], Awaitable[Figures]]) -> Figures:
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        folder = Path(name)
        (folder / "imbot.db").write_bytes(Path(place["database"]).read_bytes())
        office.env()
        async with Reader() as reader:
            await reader.read(office.status_letter(1))
            child = reader.pid
            freeze()
            figures = await measured(place, folder, reader)
            check(reader.pid == child, "the child has died")
        applied = count(folder / "imbot.db", "SELECT count(*) FROM mails WHERE outcome = 'applied'")
        check(applied == place["count"], f"{applied} letters applied of {place['count']}")
        files = count(folder / "imbot.db", "SELECT count(*) FROM mails WHERE path <> ''")
        check(files == 1, f"{files} letters in files")
    return figures


async def _stalls(place: Place, folder: Path, reader: Reader) -> Figures:
    async with ticking() as lags:
        await watch(place, folder, reader)
    return {"stall_ms": lags.worst, "stall_p99_ms": lags.p99, "own_work_ms": lags.own}


async def _memory(place: Place, folder: Path, reader: Reader) -> Figures:
    """The kernel remembers the peak of each by itself. What the looks at both have missed of either is added to what they saw
    together, so that a busy machine makes no better figure."""
    assert reader.pid is not None
    both = [os.getpid(), reader.pid]
    with machine.watched(both) as seen:
        for pid in both:
            machine.forget_peak(pid)
        before = [machine.resident(pid) for pid in both]
        await watch(place, folder, reader)
        peaks = [machine.peak(pid) for pid in both]
    missed = sum(max(0, peak - most) for peak, most in zip(peaks, seen.apart, strict=True))
    together = min(sum(peaks), seen.together + missed) - sum(before)
    size = Path(place["large"]).stat().st_size
    parent, child = (peak - was for peak, was in zip(peaks, before, strict=True))
    return {"memory": together / size, "parent_memory": parent / size, "child_memory": child / size}


JOURNEY = Journey(
    "J4c",
    "one 25 MB letter among small ones",
    prepare,
    {"idle": idle, "default": default, "imap_tools": imap_tools, "imbot": imbot, "memory": memory},
    (
        Ratio("longest stall / 10 ms", "imbot.stall_ms", 10.0, at_most=1, aim=0.5),
        Ratio("longest stall / policy.default in the loop", "imbot.stall_ms", "default.stall_ms"),
        Ratio("memory of parent and child together / the letter", "memory.memory", 1.0, at_most=3),
        Ratio("memory of the parent alone / the letter", "memory.parent_memory", 1.0),
        Ratio("memory of the child alone / the letter", "memory.child_memory", 1.0),
    ),
    {"stall_ms": "ms", "stall_p99_ms": "ms", "own_work_ms": "ms"}
    | dict.fromkeys(("memory", "parent_memory", "child_memory"), "x the letter"),
)
