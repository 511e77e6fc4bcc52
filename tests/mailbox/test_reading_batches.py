"""Batches through the reading child: in order, each letter for itself, and nothing large in one piece."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.mailbox import reading
from imbot.mailbox.reading import Reader, ReaderDied
from imbot.mailbox.reading_child import CHUNK, HEAD
from imbot.mime import ReadLimits


def plain(number: int) -> bytes:
    return f"Subject: {number}\r\n\r\ntext {number}".encode()


def with_file(data: bytes) -> bytes:
    head = b"Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return b"Subject: file\r\n" + head + base64.encodebytes(data)


def subjects(answers: list[InboundMail | LetterRefused]) -> list[str]:
    return [answer.subject if isinstance(answer, InboundMail) else type(answer).__name__ for answer in answers]


async def test_answers_come_in_order_and_a_refused_letter_stands_among_them(tmp_path: Path) -> None:
    filed = tmp_path / "letter"
    filed.write_bytes(plain(2))
    endless = b"X-A: 1\r\n" * 9 + b"\r\n"
    async with Reader(ReadLimits(headers=5, size=1000)) as reader:
        answers = await reader.read_many([plain(1), filed, endless, b"x" * 1001, plain(5)])
        assert subjects(answers) == ["1", "2", "LetterRefused", "LetterRefused", "5"]
        assert [getattr(answer, "died", None) for answer in answers] == [None, None, False, False, None]
        assert await reader.read_many([]) == []


async def test_a_child_that_was_asked_for_before_reads_what_comes() -> None:
    async with Reader() as reader:
        assert (reader.pid, reader.is_ready) == (None, False)
        await reader.ready()
        assert reader.is_ready
        child = reader.pid
        assert child is not None
        assert subjects(await reader.read_many([plain(1)])) == ["1"]
        await reader.ready()
        assert reader.pid == child


async def test_one_that_was_cancelled_while_it_started_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Reader() as reader:
        monkeypatch.setattr(reading, "_started", lambda _: asyncio.sleep(60))
        asked = asyncio.create_task(reader.ready())
        while reader.pid is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert reader.pid is None
        monkeypatch.undo()
        assert subjects(await reader.read_many([plain(1)])) == ["1"]


async def test_a_file_over_the_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    filed = tmp_path / "letter"
    filed.write_bytes(b"x" * 1001)
    async with Reader(ReadLimits(size=1000)) as reader:
        with pytest.raises(LetterRefused, match="larger than 1000 bytes"):
            await reader.read(filed)


async def test_a_child_that_dies_answers_for_the_letter_it_was_at_and_for_none_behind_it(tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    os.mkfifo(stuck)  # whoever reads it waits for a writer
    async with Reader() as reader:
        await reader.read(plain(0))
        child = reader.pid
        assert child is not None
        task = asyncio.create_task(reader.read_many([plain(1), plain(2), stuck, plain(4)]))
        with await asyncio.to_thread(stuck.open, "wb"):  # opens once the child is at this letter
            os.kill(child, signal.SIGKILL)
            answers = await task
        assert subjects(answers) == ["1", "2", "ReaderDied"]
        assert isinstance(answers[-1], ReaderDied)
        assert answers[-1].died
        assert subjects(await reader.read_many([plain(4)])) == ["4"]


async def test_a_file_that_is_gone_may_come_back(tmp_path: Path) -> None:
    async with Reader() as reader:
        answers = await reader.read_many([tmp_path / "gone", plain(2)])
        assert subjects(answers) == ["ReaderDied"]
        assert "cannot be read: No such file" in str(answers[0])


async def test_large_files_and_long_texts_come_back_whole_and_leave_no_trace() -> None:
    data = os.urandom(700_000)
    text = "Длинный текст. " * 20_000
    async with Reader() as reader:
        mail = await reader.read(with_file(data))
        assert [part.data for part in mail.attachments] == [data]
        mail = await reader.read(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode())
        assert mail.text == text.strip("\n")
        answers = await reader.read_many([with_file(data + b"1"), plain(1), with_file(data + b"2")])
        assert [answer.attachments[0].data for answer in (answers[0], answers[2])] == [data + b"1", data + b"2"]  # type: ignore[union-attr]
        assert reader._scratch is not None
        assert os.fstat(reader._scratch.fileno()).st_size == 0


async def test_a_disk_that_takes_no_scratch_costs_no_file() -> None:
    async with Reader(ReadLimits(size=200_000)) as reader:  # the child may write four times that, no more
        await reader.read(plain(1))
        assert reader._scratch is not None
        os.ftruncate(reader._scratch.fileno(), 799_999)
        data = os.urandom(120_000)
        mail = await reader.read(with_file(data))
        assert mail.attachments[0].data == data


async def test_a_large_letter_is_written_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    async with Reader() as reader:
        await reader.read(plain(1))
        assert reader._child is not None
        assert reader._child.stdin is not None
        write = reader._child.stdin.write

        def count(piece: Any) -> None:
            written.append(len(piece))
            write(piece)

        monkeypatch.setattr(reader._child.stdin, "write", count)
        raw = with_file(os.urandom(3_000_000))
        await reader.read(raw)
    assert sum(written) == len(raw) + HEAD.size
    assert max(written) <= CHUNK


async def test_a_child_is_replaced_after_many_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LETTERS", 3)
    async with Reader() as reader:
        await reader.read_many([plain(1), plain(2)])
        assert reader.pid is not None
        await reader.read(plain(3))
        assert reader.pid is None
        assert (await reader.read(plain(4))).subject == "4"
