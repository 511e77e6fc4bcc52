"""MAIL, RCPT and DATA sent at once to a server that pipelines, and what it may answer to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from imbot.domain.errors import DeliveryError
from imbot.mailbox.smtp import Smtp, SmtpSettings
from tests.proxy import in_time

LETTER = b"Subject: Printer\r\n\r\nIt does not print.\r\n"
BOT, ITSM, EVE = "bot@example.test", "itsm@example.test", "eve@example.test"

Answers = Mapping[bytes, bytes | None]
_USUAL: Answers = {
    b"EHLO": b"250-hi\r\n250 PIPELINING\r\n",
    b"DATA": b"354 go\r\n",
    b".": b"250 taken\r\n",
    b"QUIT": b"221 bye\r\n",
}


class Pipelining:
    """Takes what comes in pieces as they come. `answers` by verb, None to hang up; `came`: the pieces."""

    def __init__(self, answers: Answers, write: Callable[[asyncio.StreamWriter, bytes], object]) -> None:
        self._answers, self._write = {**_USUAL, **answers}, write
        self.came: list[bytes] = []
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self.smtp = Smtp(SmtpSettings("127.0.0.1", 0, tls="none"))

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.transport.abort()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        body, rest = False, b""
        while piece := await reader.read(65536):
            self.came.append(piece)
            *lines, rest = (rest + piece).split(b"\r\n")
            for line in lines:
                verb = line if line == b"." else line[:4].upper()
                if body and line != b".":
                    continue
                said = self._answers.get(verb, b"250 ok\r\n")
                if said is None:
                    return
                body = said.startswith(b"354")
                await asyncio.sleep(0)
                self._write(writer, said)


@asynccontextmanager
async def pipelining(
    answers: Answers, write: Callable[..., object] = asyncio.StreamWriter.write
) -> AsyncIterator[Pipelining]:
    server = Pipelining(answers, write)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server.smtp = Smtp(SmtpSettings("127.0.0.1", port, tls="none", hello_name="bot.example.test", timeout=5))
    async with in_time():
        yield server
    await server.smtp.close()
    listening.close()
    server.cut()
    await asyncio.sleep(0)


async def refused(smtp: Smtp, *recipients: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        await smtp.send(BOT, recipients or [ITSM], LETTER)
    return raised.value


async def test_the_envelope_goes_at_once_and_the_letter_with_its_dot_behind_it() -> None:
    async with pipelining({}) as server:
        for _ in range(2):
            assert await server.smtp.send(BOT, [ITSM], LETTER) == "250 taken"
    envelope = f"MAIL FROM:<{BOT}>\r\nRCPT TO:<{ITSM}>\r\nDATA\r\n".encode()
    hello, *pieces = server.came
    assert hello == b"EHLO bot.example.test\r\n"
    assert pieces[0] == pieces[2 if pieces[1].endswith(b"\r\n.\r\n") else 3] == envelope
    assert b"".join(pieces) == (envelope + LETTER + b".\r\n") * 2 + b"QUIT\r\n"
    assert server.connections == 1


async def test_nothing_of_a_letter_goes_where_one_of_its_recipients_is_refused() -> None:
    async with pipelining({b"RCPT": b"550 no such mailbox\r\n"}) as server:  # and still it says 354
        error = await refused(server.smtp, ITSM, EVE)
        assert (error.kind, error.permanent, error.code) == ("refused", True, "550")
        assert not any(b"does not print" in piece for piece in server.came)


async def test_what_is_refused_first_is_told_and_the_connection_serves_the_next_letter() -> None:
    answers = {b"MAIL": b"451 4.3.0 later\r\n", b"RCPT": b"503 need MAIL\r\n", b"DATA": b"503 need RCPT\r\n"}
    async with pipelining(answers) as server:
        for _ in range(2):
            error = await refused(server.smtp)
            assert (error.kind, error.code) == ("throttled", "451")
        assert server.connections == 1
        assert b"RSET\r\n" in server.came


async def test_a_refusal_counts_though_the_server_hangs_up_behind_it() -> None:
    async with pipelining({b"MAIL": b"550 5.7.1 not you\r\n", b"RCPT": None}) as server:
        error = await refused(server.smtp)
        assert (error.kind, error.permanent, error.code) == ("refused", True, "550")


async def test_a_server_that_hangs_up_within_the_envelope_has_taken_nothing() -> None:
    async with pipelining({b"RCPT": None}) as server:
        error = await refused(server.smtp)
        assert (error.kind, error.permanent, error.code) == ("down", False, "connection")
        assert server.connections == 1  # it was a fresh one: no second try on the spot


async def test_answers_may_come_in_pieces_and_on_many_lines() -> None:
    def crumbs(writer: asyncio.StreamWriter, said: bytes) -> None:
        for byte in said.replace(b"250 ok", b"250-well\r\n250-then\r\n250 ok"):
            writer.write(bytes([byte]))

    async with pipelining({b".": b"250-taken\r\n250 as 17\r\n"}, crumbs) as server:
        assert await server.smtp.send(BOT, [ITSM], LETTER) == "250 taken\nas 17"


@pytest.mark.parametrize("noise", [b"hello?\r\n", b"250-" + b"x" * 70_000, b"250-more\r\n" * 8_000])
async def test_what_is_no_answer_ends_the_connection(noise: bytes) -> None:
    async with pipelining({b"MAIL": noise}) as server:
        error = await refused(server.smtp)
        assert (error.kind, error.permanent) == ("down", False)


async def test_a_cut_behind_the_dot_is_an_unknown_outcome_and_no_second_try() -> None:
    async with pipelining({}) as server:
        await server.smtp.send(BOT, [ITSM], LETTER)
        server._answers[b"."] = None
        error = await refused(server.smtp)
        assert (error.kind, error.code) == ("down", "unknown-outcome")
        assert server.connections == 1
