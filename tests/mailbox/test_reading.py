"""The reading child: answers, refuses, is killed in time and comes back; nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from base64 import encodebytes
from dataclasses import asdict
from pathlib import Path

import pytest

from imbot.domain.errors import LetterRefused
from imbot.mailbox.reading import Reader, ReaderDied
from imbot.mailbox.reading_child import FRAME
from imbot.mime import ReadLimits

LETTER = (
    b"From: Tom <tom@itsm.example>\r\nSubject: =?utf-8?B?0J/RgNC40LLQtdGC?=\r\nMessage-ID: <1@itsm.example>\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: image/png; name=a.png\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n"
)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def spent(pid: int) -> float:
    """CPU seconds of a process."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def test_a_letter_comes_back_with_its_files() -> None:
    async with Reader() as reader:
        mail = await reader.read(LETTER)
        assert (mail.subject, mail.sender, mail.text) == ("Привет", "tom@itsm.example", "text")
        assert [(part.name, part.data) for part in mail.attachments] == [("a.png", b"\x89PNG\r\n\x1a\n")]


async def test_one_child_reads_many_letters_and_ends_with_the_reader() -> None:
    async with Reader() as reader:
        await reader.read(LETTER)
        pid = reader.pid
        for _ in range(20):
            await reader.read(LETTER)
        assert pid is not None
        assert reader.pid == pid
    assert reader.pid is None
    assert not alive(pid)


async def test_a_bound_that_is_broken_refuses_the_letter_and_keeps_the_child() -> None:
    async with Reader(ReadLimits(headers=5)) as reader:
        with pytest.raises(LetterRefused, match="more than 5 headers") as caught:
            await reader.read(b"X-A: 1\r\n" * 9 + b"\r\n")
        assert not isinstance(caught.value, ReaderDied)
        pid = reader.pid
        with pytest.raises(LetterRefused, match="larger"):
            await Reader(ReadLimits(size=10)).read(LETTER)
        assert (await reader.read(b"Subject: x\r\n\r\ny")).subject == "x"
        assert reader.pid == pid


async def test_a_child_that_does_not_answer_in_time_is_killed(tmp_path: Path) -> None:
    """What it reads never comes: it does not answer, however long the wait."""
    os.mkfifo(stuck := tmp_path / "stuck")
    async with Reader(wall_seconds=0.5) as reader:
        with pytest.raises(ReaderDied, match=r"longer than 0\.5 s"):
            await reader.read(stuck)
        assert reader.pid is None
    with pytest.raises(OSError, match="No such device"):  # nobody waits at its other end
        os.open(stuck, os.O_WRONLY | os.O_NONBLOCK)


async def test_a_child_says_that_it_has_started_before_any_letter() -> None:
    """So that its start on a busy machine is taken off no letter's time."""
    limits = asdict(ReadLimits()) | {"memory_mb": 512, "cpu_seconds": 10, "scratch": 0}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "imbot.mailbox.reading_child",
        json.dumps(limits),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert await child.stdout.readexactly(FRAME.size) == FRAME.pack(0)
    assert (await child.communicate(b""))[0] == b""


def test_a_child_whose_parent_has_died_says_nothing() -> None:
    """The log is what an admin reads after a crash: a traceback of ours there would lead them astray."""
    limits = asdict(ReadLimits()) | {"memory_mb": 512, "cpu_seconds": 10, "scratch": 0}
    nobody, gone = os.pipe()
    os.close(nobody)
    command = [sys.executable, "-m", "imbot.mailbox.reading_child", json.dumps(limits)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=gone, stderr=subprocess.PIPE, timeout=30)
    os.close(gone)
    assert (ended.returncode, ended.stderr) == (0, b"")


async def test_a_child_that_dies_costs_this_letter_only() -> None:
    async with Reader() as reader:
        await reader.read(LETTER)
        pid = reader.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        reading = asyncio.create_task(reader.read(LETTER))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ReaderDied):
            await reading
        assert (await reader.read(LETTER)).subject == "Привет"


async def test_memory_is_bounded() -> None:
    async with Reader(memory_mb=96) as reader:
        big = LETTER.replace(b"iVBORw0KGgo=", b"iVBORw0KGgoA" * 3_000_000)
        with pytest.raises(LetterRefused):
            await reader.read(big)
        assert (await reader.read(LETTER)).subject == "Привет"


async def test_each_letter_has_its_own_share_of_cpu_time() -> None:
    """Counted by the system over a child's life: its limit is set anew for each letter, from what was spent before."""
    async with Reader(cpu_seconds=7) as reader:
        await reader.read(LETTER)
        pid = reader.pid
        assert pid is not None
        resource.prlimit(pid, resource.RLIMIT_CPU, (1000, resource.RLIM_INFINITY))
        before = spent(pid)
        await reader.read(LETTER)
        soft, _ = resource.prlimit(pid, resource.RLIMIT_CPU)
        assert int(before) + 8 <= soft <= int(spent(pid)) + 8


async def test_a_letter_that_takes_more_than_its_share_of_cpu_time_ends_the_child() -> None:
    """Five seconds of work or more, of which one is allowed."""
    addresses = b"".join((name + b": " + b"a(b)" * 16_000 + b"\n") * 20 for name in (b"To", b"Cc"))
    long = addresses + b"Content-Type: text/html\n\n" + b"<p>x</p>y" * 220_000
    async with Reader(cpu_seconds=0, wall_seconds=150) as reader:
        with pytest.raises(ReaderDied, match="died on this letter"):
            await reader.read(long)
        assert (await reader.read(LETTER)).subject == "Привет"


async def test_what_the_disk_does_not_take_comes_through_the_pipe() -> None:
    data = bytes(range(256)) * 1000
    letter = b"Content-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\n" + encodebytes(data)
    async with Reader(ReadLimits(size=1_000_000)) as reader:
        await reader.read(LETTER)
        pid = reader.pid
        assert pid is not None
        assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (4_000_000, 4_000_000)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, 4_000_000))
        (part,) = (await reader.read(letter)).attachments
        assert (part.data, reader.pid) == (data, pid)


async def test_a_cancelled_reading_leaves_no_answer_behind() -> None:
    async with Reader() as reader:
        await reader.read(LETTER)
        reading = asyncio.create_task(reader.read(LETTER.replace(b"0J/RgNC40LLQtdGC", b"eA==")))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert (await reader.read(LETTER)).subject == "Привет"


async def test_letters_that_come_at_once_do_not_mix() -> None:
    async with Reader() as reader:
        letters = [f"Subject: {number}\r\n\r\ntext {number}".encode() for number in range(20)]
        mails = await asyncio.gather(*(reader.read(letter) for letter in letters))
        assert [mail.subject for mail in mails] == [str(number) for number in range(20)]
