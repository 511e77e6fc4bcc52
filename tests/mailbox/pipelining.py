"""A mail server that pipelines, says what it is told to and keeps what came, in the pieces in which it came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

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
    """Takes what comes in pieces as they come. `answers` by verb or whole line, None to hang up; `came`: the pieces. `hold`: the
    answer to a letter waits for it. `refuse_behind_a_dot`: the answer to commands that came with one, None for the usual.
    `together`: what a piece is answered with goes at once, as Postfix does it."""

    def __init__(self, answers: Answers, write: Callable[[asyncio.StreamWriter, bytes], object]) -> None:
        self._answers, self._write = {**_USUAL, **answers}, write
        self.came: list[bytes] = []
        self.connections = 0
        self.hold: asyncio.Event | None = None
        self.pause = 0.0  # seconds before a letter is answered
        self.refuse_behind_a_dot: bytes | None = None
        self.together = False
        self._news = asyncio.Event()
        self._last = b""  # behind the letter that bears this, once, nobody is there
        self._writers: list[asyncio.StreamWriter] = []
        self.smtp = Smtp(SmtpSettings("127.0.0.1", 0, tls="none"))

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.transport.abort()

    async def until(self, words: bytes) -> None:
        """These have come."""
        while words not in b"".join(self.came):
            self._news.clear()
            await self._news.wait()

    def hang_up_behind(self, words: bytes) -> None:
        self._last = words

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        body, rest, letter = False, b"", b""
        while piece := await reader.read(65536):
            self.came.append(piece)
            self._news.set()
            *lines, rest = (rest + piece).split(b"\r\n")
            behind_a_dot, kept = False, b""
            for line in lines:
                verb = line if line == b"." else line[:4].upper()
                if body and line != b".":
                    letter += line
                    continue
                said = self._answers.get(line, self._answers.get(verb, b"250 ok\r\n"))
                if behind_a_dot and self.refuse_behind_a_dot is not None:
                    said = self.refuse_behind_a_dot
                if said is None:
                    return
                if body:
                    behind_a_dot = True
                    await asyncio.sleep(self.pause)
                    if self.hold is not None:
                        await self.hold.wait()
                body = said.startswith(b"354")
                await asyncio.sleep(0)
                if self.together:
                    kept += said
                elif said:
                    self._write(writer, said)
                if line == b"." and self._last and self._last in letter:
                    self._last = b""
                    await writer.drain()
                    return
                letter = letter if body else b""
            if kept:
                self._write(writer, kept)


@asynccontextmanager
async def pipelining(
    answers: Answers, write: Callable[..., object] = asyncio.StreamWriter.write
) -> AsyncIterator[Pipelining]:
    server = Pipelining(answers, write)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server.smtp = Smtp(SmtpSettings("127.0.0.1", port, tls="none", hello_name="bot.example.test", timeout=5))
    try:
        async with in_time():
            yield server
        await server.smtp.close()
    finally:
        listening.close()
        server.cut()
        await asyncio.sleep(0)
