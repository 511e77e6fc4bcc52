"""What the kernel and the disk say of a run: CPU and memory of processes, and how often the disk makes something durable."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.journey import Missing

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.0005  # seconds between two looks at the memory


def cpu() -> float:
    """Seconds that this process has cost so far, by the kernel's accounting."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads, by the kernel's accounting."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident(pid: int) -> int:
    """Bytes of a process that lie in memory."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    """The most that ever did, or since `forget_peak`."""
    return _status(pid, "VmHWM")


def resident_mib(pid: int) -> float:
    return resident(pid) / 2**20


def peak_mib(pid: int) -> float:
    return peak(pid) / 2**20


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise Missing("/proc")


def forget_peak(pid: int) -> None:
    file = Path(f"/proc/{pid}/clear_refs")
    if not os.access(file, os.W_OK):
        raise Missing("/proc")
    file.write_text("5")


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


# --- memory of several processes at the same moments


@dataclass
class Peaks:
    """Bytes in memory, the most that was seen: of all at the same moment, and of each by itself. Filled when the block ends."""

    together: int = 0
    apart: list[int] = field(default_factory=list)


@contextmanager
def watched(pids: Sequence[int]) -> Iterator[Peaks]:
    """A process of its own looks, so that whoever is watched cannot keep it from looking. Raises Missing."""
    if not Path("/proc/self/statm").exists():
        raise Missing("/proc")
    found = Peaks()
    asked = [sys.executable, "-S", str(Path(__file__).with_name("memory_watch.py")), str(_EVERY), *map(str, pids)]
    process = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    try:
        process.stdout.read(1)  # it looks
        yield found
        told, _ = process.communicate(timeout=30)
        found.together, *found.apart = (int(pages) * _PAGE for pages in told.split())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(15)


# --- the disk


def syncs_per_second(folder: Path, seconds: float = 0.5) -> float:
    """How many times a second the disk makes 4 KB durable."""
    file = os.open(folder / "syncs", os.O_CREAT | os.O_WRONLY)
    try:
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            os.pwrite(file, bytes(4096), 0)
            os.fdatasync(file)
            count += 1
        return count / (time.perf_counter() - began)
    finally:
        os.close(file)
