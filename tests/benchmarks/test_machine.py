"""What is measured of processes: their memory at the same moments, which is less than the sum of their peaks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import machine

_MIB = 2**20
_HOLDS = 64 * _MIB
_EATER = f"""\
import sys
for word in sys.stdin:
    held = b"x" * {_HOLDS} if word == "take\\n" else b""
    print("done", flush=True)
"""

pytestmark = pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="no /proc")


@contextmanager
def _eater() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _EATER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    assert process.stdout.readline() == "done\n"


@pytest.mark.parametrize(("in_turn", "wanted"), [(True, 1), (False, 2)])
def test_memory_together_is_that_of_one_moment(in_turn: bool, wanted: int) -> None:
    with _eater() as one, _eater() as other:
        for each in (one, other):
            _tell(each, "drop")
        before = [machine.resident(each.pid) for each in (one, other)]
        with machine.watched([one.pid, other.pid]) as seen:
            for each in (one, other):
                _tell(each, "take")
                time.sleep(0.3)  # for the one that looks to be given a look, on a busy machine as well
                if in_turn:
                    _tell(each, "drop")
                    time.sleep(0.3)
    held = seen.together - sum(before)
    assert held == pytest.approx(wanted * _HOLDS, abs=_HOLDS // 4)
    assert [most - was for most, was in zip(seen.apart, before, strict=True)] == pytest.approx(
        [_HOLDS] * 2, abs=_HOLDS // 4
    )


def test_a_peak_is_remembered_until_it_is_forgotten() -> None:
    with _eater() as one:
        _tell(one, "take")
        _tell(one, "drop")
        assert machine.peak(one.pid) - machine.resident(one.pid) > _HOLDS // 2
        machine.forget_peak(one.pid)
        assert machine.peak(one.pid) - machine.resident(one.pid) < _HOLDS // 4


def test_children_are_those_of_the_process(tmp_path: Path) -> None:
    with _eater() as one:
        assert one.pid in machine.children(os.getpid())
        assert machine.children(one.pid) == []
    assert machine.syncs_per_second(tmp_path, 0.05) > 0
