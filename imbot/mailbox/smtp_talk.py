"""One letter's part of a conversation with an SMTP server: the envelope, the letter, the answers.

aiosmtplib opens the connection, signs in and ends it; in between it can wait for one answer at a time only, and drops any other.
So its transport is borrowed for a letter, and where the server pipelines (RFC 2920) MAIL, RCPT and DATA go at once: two ways
there and back in place of four. The envelope of a letter that waits goes behind the final dot of the one before it, which
leaves one (3.1: the content may begin a group of commands), and its words the moment that the server waits for them, before
anything else is done with the answers. Nothing of a letter goes before the server has said 354.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import aiosmtplib

_LONGEST_ANSWER = 64 * 1024  # bytes
_CHUNK = 64 * 1024
_NO_ANSWER = -1  # the code of what is no SMTP

Answer = aiosmtplib.SMTPResponse


class Talk(asyncio.Protocol):
    """Stands in for aiosmtplib's protocol from `taken_over` until `give_back`. Faults are aiosmtplib's exceptions."""

    def __init__(self, transport: asyncio.WriteTransport, owner: asyncio.BaseProtocol) -> None:
        self._transport, self._owner = transport, owner
        self._rest = b""
        self._lines: list[str] = []  # of the answer that is coming in
        self._answers: deque[Answer] = deque()
        self._fault: aiosmtplib.SMTPException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._wanted: deque[tuple[int, ...]] = deque()  # the codes that have to come before `_then`
        self._then: Callable[[], None] | None = None

    # --- what the loop tells

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.rstrip(b"\r"))
        if len(self._rest) + sum(map(len, self._lines)) > _LONGEST_ANSWER:
            self._fault = self._fault or aiosmtplib.SMTPResponseException(_NO_ANSWER, "the answer has no end")
        self._go_on()
        self._wake()

    def _line(self, line: bytes) -> None:
        code, text = line[:3], line[4:].decode("utf-8", "replace").strip()
        if not code.isdigit():
            words = f"no SMTP: {line[:80].decode('utf-8', 'replace')}"
            self._fault = self._fault or aiosmtplib.SMTPResponseException(_NO_ANSWER, words)
            return
        self._lines.append(text)
        if line[3:4] != b"-":
            answer = Answer(int(code), "\n".join(self._lines))
            self._answers.append(answer)
            self._lines = []
            self._count(answer)

    def _count(self, answer: Answer) -> None:
        """One of those that `once` waits for, or none of them: then nothing goes."""
        if not self._wanted or answer.code not in self._wanted.popleft():
            self._wanted.clear()
            self._then = None

    def _go_on(self) -> None:
        if self._then is None or self._wanted:
            return
        then, self._then = self._then, None
        if self._fault is None and not self._paused and not self._transport.is_closing():
            then()

    def eof_received(self) -> bool:
        self._lose("the server has ended the connection")
        return False  # which closes the transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(str(exc or "") or "Connection lost")
        self._owner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    def _lose(self, why: str) -> None:
        self._fault = self._fault or aiosmtplib.SMTPServerDisconnected(why)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _something(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def give_back(self) -> None:
        self._transport.set_protocol(self._owner)

    # --- what a letter needs

    @property
    def has_answer(self) -> bool:
        """Whether the server has spoken, or will speak no more."""
        return bool(self._answers) or self._fault is not None

    def say(self, *commands: bytes) -> None:
        """Raises SMTPServerDisconnected."""
        if self._transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._transport.write(b"".join(command + b"\r\n" for command in commands))

    def once(self, codes: Iterable[tuple[int, ...]], then: Callable[[], None]) -> None:
        """`then`, at once, when each of the answers that come next bears one of its codes, and no other has come behind them;
        else never."""
        self._wanted, self._then = deque(codes), then

    async def answer(self) -> Answer:
        """The next one. Raises SMTPServerDisconnected, or SMTPResponseException where it is none."""
        while not self._answers:
            if self._fault is not None:
                raise self._fault
            await self._something()
        return self._answers.popleft()

    async def envelope(
        self, sender: str, recipients: Sequence[str], *, at_once: bool, patience: float, said: bool = False
    ) -> None:
        """MAIL, RCPT and DATA, until the server waits for the letter. `patience`: seconds for its first answer. `said`: behind
        the letter before it.

        Raises SMTPSenderRefused, SMTPRecipientRefused, SMTPDataError for the first refusal; the server then waits for the next
        command. Where it would take the letter all the same (to some of the recipients, or to none), it has lost our trust:
        SMTPServerDisconnected.
        """
        lines = envelope_lines(sender, recipients)
        refused: aiosmtplib.SMTPResponseException | None = None
        if at_once and not said:
            self.say(*lines)
        for number, command in enumerate(lines):
            if not at_once:
                self.say(command)
            answer = await self._within(patience) if number == 0 else await self._next(refused)
            if answer is None:  # the server has said why before it went away
                break
            if number < len(lines) - 1:
                good = answer.code in ((250,) if number == 0 else (250, 251))
            else:
                good = answer.code == 354
                if good and refused is not None:
                    self._transport.abort()
                    break
            if not good:
                refused = refused or _refusal(number, answer, sender, recipients)
                if not at_once:
                    break
        if refused is not None:
            raise refused

    async def _within(self, patience: float) -> Answer:
        try:
            async with asyncio.timeout(patience):
                return await self.answer()
        except TimeoutError:
            raise aiosmtplib.SMTPTimeoutError("no answer to MAIL FROM") from None

    async def _next(self, refused: aiosmtplib.SMTPException | None) -> Answer | None:
        try:
            return await self.answer()
        except aiosmtplib.SMTPServerDisconnected:
            if refused is None:
                raise
            return None

    async def part(self, data: bytes) -> None:
        """A part of the letter, as fast as the network takes it; nothing more once the server has spoken."""
        view = memoryview(data)
        for start in range(0, len(view), _CHUNK):
            while self._paused and not self.has_answer:
                await self._something()
            if self.has_answer:
                return
            self._transport.write(view[start : start + _CHUNK])


def _refusal(number: int, answer: Answer, sender: str, recipients: Sequence[str]) -> aiosmtplib.SMTPResponseException:
    if number == 0:
        return aiosmtplib.SMTPSenderRefused(answer.code, answer.message, sender)
    if number <= len(recipients):
        return aiosmtplib.SMTPRecipientRefused(answer.code, answer.message, recipients[number - 1])
    return aiosmtplib.SMTPDataError(answer.code, answer.message)


def writable(client: aiosmtplib.SMTP) -> asyncio.WriteTransport | None:
    """Its transport: that of a connection, whatever its class. None: there is none."""
    return cast("asyncio.WriteTransport | None", client.transport)


def envelope_lines(sender: str, recipients: Sequence[str]) -> list[bytes]:
    """MAIL, RCPT and DATA. Raises UnicodeError."""
    commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"]
    return [command.encode("ascii") for command in commands]


def taken_over(client: aiosmtplib.SMTP) -> Talk:
    """The connection is ours until the talk's `give_back`. Raises SMTPServerDisconnected."""
    transport, protocol = writable(client), client.protocol
    if transport is None or protocol is None or transport.is_closing():
        raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    talk = Talk(transport, protocol)
    transport.set_protocol(talk)
    return talk
