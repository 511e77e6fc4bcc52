"""What the gauge reads of a process is what that process does."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from tests.fire import gauge

WORK = """
import subprocess, sys, threading, time
kept = bytearray(b"x" * 60_000_000)
del kept
kept = bytearray(b"x" * 20_000_000)
files = [open("/dev/null") for _ in range(9)]
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
words = "import sys\\nkept = bytearray(b'y' * 30_000_000)\\nprint('up', flush=True)\\nsys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
print("ready", flush=True)
sys.stdin.read()
"""


async def test_memory_peak_children_descriptors_threads_and_time() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORK, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    costs = gauge.Costs({"it": process.pid})
    try:
        assert await process.stdout.readline() == b"ready\n"
        found = gauge.read(process.pid)
        assert found.peak > 60_000_000
        assert 20_000_000 < found.rss < 60_000_000
        assert 30_000_000 < found.children_rss <= found.children_peak
        assert found.whole_peak == found.peak + found.children_peak
        assert found.cpu >= 0.3
        assert found.descriptors >= 3 + 9 + 2
        assert found.threads == 2
        lines = costs.told()
        assert [line.partition(":")[0] for line in lines] == ["it", "the machine"]
    finally:
        process.stdin.close()
        await process.wait()
    with pytest.raises(OSError, match=str(process.pid)):
        gauge.read(process.pid)
    assert costs.told()[0].startswith("it: ")


async def test_a_child_with_a_name_of_its_own_is_not_counted_with_us() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORK, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        await process.stdout.readline()
        with_it, without = gauge.cpu(os.getpid()), gauge.cpu(os.getpid(), frozenset({process.pid}))
        assert with_it - without >= 0.3
    finally:
        process.stdin.close()
        await process.wait()
