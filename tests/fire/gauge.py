"""What a process takes of the machine, with the children it has: memory, CPU seconds, descriptors, threads; and how busy the
machine was meanwhile. Read from /proc; the process is not asked and does not notice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes and seconds. `rss`, `peak`, `descriptors`, `threads`: of the process itself; `children_rss`: of its children now
    (what they share with it counts twice); `cpu`: of all of them, those that have ended included."""

    at: float
    rss: int
    peak: int
    children_rss: int
    children_peak: int
    cpu: float
    descriptors: int
    threads: int

    @property
    def whole_peak(self) -> int:
        """No more than this was ever taken at once."""
        return self.peak + self.children_peak


def read(pid: int) -> Reading:
    """Raises OSError where there is no such process any more."""
    own = _status(pid)
    children = [found for child in _children(pid) for found in _status_if_there(child)]
    return Reading(
        at=time.monotonic(),
        rss=own["VmRSS"],
        peak=own["VmHWM"],
        children_rss=sum(one["VmRSS"] for one in children),
        children_peak=sum(one["VmHWM"] for one in children),
        cpu=cpu(pid),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=own["Threads"],
    )


def _status(pid: int) -> dict[str, int]:
    """The lines of /proc/PID/status that are numbers; kB become bytes. One without memory (a zombie) has none of it."""
    found = {"VmRSS": 0, "VmHWM": 0, "Threads": 0}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        number, _, unit = value.strip().partition(" ")
        if number.isdigit():
            found[name] = int(number) * (1024 if unit == "kB" else 1)
    return found


def _status_if_there(pid: int) -> Iterator[dict[str, int]]:
    try:
        yield _status(pid)
    except OSError:  # ended between two looks
        return


def _children(pid: int) -> list[int]:
    """And theirs."""
    found = _own_children(pid)
    return found + [grandchild for child in found for grandchild in _children(child)]


def _own_children(pid: int) -> list[int]:
    found: list[int] = []
    for task in _listed(Path(f"/proc/{pid}/task")):
        try:
            found += [int(word) for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
        except OSError:  # a thread that ended
            continue
    return found


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # a process that ended
        return []


def _cpu(pid: int) -> float:
    """Of the process, and of its children that have ended; of our own, who may have a name of their own, not."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    counted = (11, 12) if pid == os.getpid() else (11, 12, 13, 14)
    return sum(int(fields[number]) for number in counted) / _TICKS


def _cpu_if_there(pid: int) -> float:
    try:
        return _cpu(pid)
    except OSError:
        return 0.0


def machine_busy() -> float:
    """CPU seconds that the whole machine has worked since its start, everybody's."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / _TICKS


def cpu(pid: int, apart: frozenset[int] = frozenset()) -> float:
    """CPU seconds of a process and its children, those that have ended included; but not of those that stand `apart`."""
    spent, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        spent += _cpu_if_there(one)
        waiting += [child for child in _own_children(one) if child not in apart]
    return spent


class Costs:
    """What named processes spend from now on, their children included, except those that have a name of their own. A process
    that has ended keeps what it had spent at the last `look`."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._begun = self._spent()
        self._last = dict(self._begun)
        self._busy, self._at = machine_busy(), time.monotonic()

    def look(self) -> None:
        for name, spent in self._spent().items():
            self._last[name] = max(self._last[name], spent)

    def _spent(self) -> dict[str, float]:
        named = frozenset(self._pids.values())
        return {name: cpu(pid, named) for name, pid in self._pids.items()}

    def told(self) -> list[str]:
        """A line for each, and one for the machine: as cores that were kept busy on the mean."""
        self.look()
        seconds = max(time.monotonic() - self._at, 0.001)
        spent = {name: self._last[name] - self._begun[name] for name in self._pids}
        lines = [f"{name}: {cpu:.1f} CPU s, {cpu / seconds:.2f} cores" for name, cpu in spent.items()]
        busy = machine_busy() - self._busy
        others = max(0.0, busy - sum(spent.values()))
        lines.append(
            f"the machine: {busy / seconds:.2f} of {os.cpu_count()} cores in {seconds:.0f} s, {others / seconds:.2f} of them"
            f" for others; load {' '.join(f'{one:.1f}' for one in os.getloadavg())}"
        )
        return lines
