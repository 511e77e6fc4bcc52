"""The reading child: answers, refuses, is killed in time and comes back; nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from imbot.domain.errors import LetterRefused
from imbot.mailbox.reading import Reader, ReaderDied
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


async def test_a_child_that_does_not_answer_in_time_is_killed_and_replaced() -> None:
    async with Reader(wall_seconds=1.5) as reader:
        await reader.read(LETTER)
        pid = reader.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ReaderDied, match=r"longer than 1\.5 s"):
            await reader.read(LETTER)
        assert not alive(pid)
        assert (await reader.read(LETTER)).subject == "Привет"


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
