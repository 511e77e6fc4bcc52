"""Hands letters to the mail server by SMTP, over one kept connection. It decides nothing: when to try again is the outbox's.

A connection lives through these states; every error but a clean refusal ends in *closed*, by abort:

    closed -> connecting -> (STARTTLS) -> (AUTH) -> idle -> MAIL -> RCPT -> DATA -> final dot -> 250 -> idle

Up to the final dot an error means "not accepted". A drop or silence after it is the one honest window: the server may have
taken the letter, so the error bears the code `unknown-outcome` and the letter is sent again with the same Message-ID.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiosmtplib

from imbot import failpoints
from imbot.domain.errors import DeliveryError, ImbotError, TokenError
from imbot.mailbox.inbox import TlsMode, tls_context
from imbot.mailbox.oauth import Tokens, secrets_of_sign_in
from imbot.mailbox.smtp_errors import AUTH_CODES, Errors
from imbot.mailbox.smtp_outgoing import ONE_PART, Outgoing, nobody, plain, stuffed
from imbot.mailbox.smtp_talk import Talk, taken_over, writable

_IN_A_THREAD = 512 * 1024  # a letter above this is prepared off the event loop
_PATIENCE = 10.0  # seconds for the first answer of a connection that was good before
_NOT_AHEAD_FOR = 600.0  # seconds, where an envelope that went ahead came to nothing


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """`timeout`: seconds for a whole send, connection included; who waits for one that takes longer has waited in vain.
    `reuse_for`: a connection idle for longer is not trusted any more (firewalls forget quietly). `hello_name`: our name in
    EHLO, "" = this host's."""

    host: str
    port: int
    tls: TlsMode = "starttls"
    username: str = ""
    password: str = ""
    ca_file: str = ""
    timeout: float = 30.0
    hello_name: str = ""
    reuse_for: float = 60.0


class Smtp:
    """One connection to one server, kept between letters. Safe to call from several tasks: sends are serialised."""

    def __init__(self, settings: SmtpSettings, tokens: Tokens | None = None) -> None:
        self._settings, self._tokens = settings, tokens
        self._lock = asyncio.Lock()
        self._client: aiosmtplib.SMTP | None = None
        self._context: ssl.SSLContext | None = None
        self._used_at = 0.0
        self._line: deque[Outgoing] = deque()  # those that wait for their turn, as they will get it
        self._ahead: deque[Outgoing] = deque()  # of which the server has the envelope, or all, behind the letter before
        self._talk: Talk | None = None  # in which it was said
        self._none_ahead_until = 0.0
        self._errors = Errors(f"SMTP {settings.host}:{settings.port}", settings.timeout)

    async def send(self, envelope_sender: str, recipients: Sequence[str], data: bytes) -> str:
        """Hand over one letter to all recipients or to none; return the server's answer to the final dot.

        Raises DeliveryError: `refused` and permanent for a 5xx on this letter, `throttled` for a 4xx, else `down`.
        """
        outgoing = Outgoing(envelope_sender, recipients, data)
        async with self._turn(outgoing):
            if outgoing.in_vain:
                raise self._errors.silent(outgoing)
            return await self._in_turn(outgoing)

    @asynccontextmanager
    async def _turn(self, outgoing: Outgoing) -> AsyncIterator[None]:
        """The connection is theirs, in the order of coming."""
        self._line.append(outgoing)
        try:
            async with self._lock:
                self._line.remove(outgoing)
                yield
        finally:
            with contextlib.suppress(ValueError):  # its turn has not come
                self._line.remove(outgoing)
            if self._next_ahead is outgoing and not self._lock.locked():
                self._drop()

    @property
    def _next_ahead(self) -> Outgoing | None:
        return self._ahead[0] if self._ahead else None

    async def _in_turn(self, outgoing: Outgoing) -> str:
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._send(outgoing)
        except TimeoutError as error:
            for other in self._line:  # who has waited as long as this one need not wait as long once more
                other.in_vain = True
            raise self._errors.silent(outgoing) from error
        finally:
            if self._ahead and self._ahead[0] not in self._line:
                self._drop()  # it has given up meanwhile

    async def check(self) -> str:
        """Connect, log in and ask for a NOOP; one line of what was found. Raises DeliveryError."""
        place = nobody()
        try:
            async with asyncio.timeout(self._settings.timeout), self._turn(place):
                client = await self._ready(place)
                try:
                    answer = await client.noop()
                except BaseException:
                    self._drop()
                    raise
                self._used_at = time.monotonic()
        except TimeoutError as error:
            raise self._errors.silent() from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._errors.down(error) from error
        login = f"signed in as {self._settings.username}" if self._settings.username else "no login"
        tls = {"none": "no TLS", "tls": "TLS", "starttls": "STARTTLS"}[self._settings.tls]
        return f"{self._errors.where}: {tls}, {login}, answers {answer.code}"

    async def close(self) -> None:
        """Say QUIT if the connection is well, then let it go. Never raises."""
        async with self._turn(nobody()):
            client = self._client
            if client is not None and client.is_connected and not self._ahead:
                with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                    await client.quit(timeout=min(2.0, self._settings.timeout))
            self._drop()

    # --- the connection

    async def _ready(self, outgoing: Outgoing) -> aiosmtplib.SMTP:
        """The kept connection if it may still be trusted and waits for nobody else, else a fresh one; for a letter that has gone
        already the one that it went by, and no other. Raises DeliveryError."""
        client = self._client
        if outgoing.dot_sent:
            if client is None or self._next_ahead is not outgoing:
                raise self._errors.down(aiosmtplib.SMTPServerDisconnected("Connection lost"), outgoing)
            return client
        trusted = client is not None and time.monotonic() - self._used_at < self._settings.reuse_for
        if client is not None and client.is_connected and trusted and self._next_ahead in (None, outgoing):
            return client
        self._drop()
        return await self._connect()

    async def _connect(self) -> aiosmtplib.SMTP:
        if self._tokens is None:
            return await self._open("")
        try:
            return await self._tokens.sign_in(self._open, _token_refused)
        except TokenError as error:
            raise DeliveryError(f"{self._errors.where}: {error}", kind="down", code="token") from error

    async def _open(self, token: str) -> aiosmtplib.SMTP:
        settings = self._settings
        self._errors.hidden = secrets_of_sign_in(settings.username, token, settings.host, settings.port)

        async def given() -> str:
            return token

        try:
            if settings.tls != "none" and self._context is None:
                self._context = await asyncio.to_thread(tls_context, settings.ca_file)
            client = aiosmtplib.SMTP(
                hostname=settings.host,
                port=settings.port,
                username=settings.username or None,
                password=None if token else settings.password or None,
                oauth_token_generator=given if token else None,
                local_hostname=settings.hello_name or None,
                timeout=settings.timeout,
                use_tls=settings.tls == "tls",
                start_tls=settings.tls == "starttls",
                tls_context=self._context,
            )
            self._client = client
            await client.connect()
            await _greet(client)
            failpoints.hit("smtp_connected")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._drop()
            raise self._errors.down(error) from (None if token else error)
        except BaseException:
            self._drop()
            raise
        return client

    def _drop(self) -> None:
        """Let the connection go at once, without waiting for what is still in our buffers."""
        client, self._client = self._client, None
        self._talk = None
        self._ahead.clear()
        if client is None:
            return
        transport = writable(client)
        client.close()
        if transport is not None:
            transport.abort()

    # --- one letter

    async def _send(self, outgoing: Outgoing) -> str:
        reused = self._client
        client = await self._ready(outgoing)
        try:
            for address in (outgoing.sender, *outgoing.recipients):
                plain(address)
            data = outgoing.data
            payload = await asyncio.to_thread(stuffed, data) if len(data) > _IN_A_THREAD else stuffed(data)
            answer = await self._hand_over(client, outgoing, payload, again=client is reused)
        except aiosmtplib.SMTPResponseException as error:
            await self._reset(error.code)
            raise self._errors.refusal(error.code, error.message, outgoing) from error
        except (UnicodeError, ValueError) as error:  # an address that cannot stand in a command
            raise self._errors.address(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            self._drop()
            raise self._errors.down(error, outgoing) from error
        except BaseException:
            self._drop()
            raise
        self._used_at = time.monotonic()
        return answer

    async def _hand_over(self, client: aiosmtplib.SMTP, outgoing: Outgoing, payload: bytes, *, again: bool) -> str:
        """The letter over this connection; a kept one that turns out to be closed is opened again, once and silently. So is one
        on which its envelope went ahead and came to nothing: some servers say that they pipeline and do not."""
        patience = min(_PATIENCE, self._settings.timeout / 3) if again else self._settings.timeout
        said = self._next_ahead is outgoing
        if said:
            self._ahead.popleft()
        at_once = said or client.supports_extension("pipelining")
        try:
            self._check_size(client, len(outgoing.data))
            talk, self._talk = self._talk or taken_over(client), None
            try:
                sender, recipients = outgoing.sender, outgoing.recipients
                await talk.envelope(sender, recipients, at_once=at_once, patience=patience, said=said)
                return await self._letter(client, talk, outgoing, payload)
            finally:
                if not self._ahead:
                    talk.give_back()
                else:
                    self._talk = talk
        except aiosmtplib.SMTPException as error:
            ahead_in_vain = said and (_is_closing(error) or isinstance(error, aiosmtplib.SMTPSenderRefused))
            if outgoing.begun or not (ahead_in_vain or (again and _is_closing(error))):
                raise
        if said:
            self._none_ahead_until = time.monotonic() + _NOT_AHEAD_FOR
        self._drop()
        fresh = await self._connect()
        return await self._hand_over(fresh, outgoing, payload, again=False)

    def _check_size(self, client: aiosmtplib.SMTP, size: int) -> None:
        """The server's own limit (RFC 1870), asked before megabytes are sent in vain."""
        if not self._fits(client, size):
            limit = client.esmtp_extensions["size"].strip()
            raise aiosmtplib.SMTPDataError(552, f"the letter has {size} bytes, the server takes {limit}")

    def _fits(self, client: aiosmtplib.SMTP, size: int) -> bool:
        limit = client.esmtp_extensions.get("size", "").strip()
        return not limit.isdigit() or not 0 < int(limit) < size

    def _following(self, client: aiosmtplib.SMTP, outgoing: Outgoing) -> Outgoing | None:
        """Whose envelope goes behind this letter's dot."""
        place = self._line.index(outgoing) + 1 if outgoing in self._line else 0
        if place == len(self._line) or time.monotonic() < self._none_ahead_until:
            return None
        following = self._line[place]
        fits = client.supports_extension("pipelining") and self._fits(client, len(following.data))
        return following if following.lines and fits else None

    async def _letter(self, client: aiosmtplib.SMTP, talk: Talk, outgoing: Outgoing, payload: bytes) -> str:
        """The letter, unless it has gone already, and the answer; a server may speak in the middle, and that counts."""
        if not outgoing.dot_sent:
            await self._words(client, talk, outgoing, payload)
        answer = await talk.answer()
        if answer.code != 250 or not outgoing.dot_sent:
            if not outgoing.dot_sent:
                self._drop()  # it spoke before our last byte: the two sides no longer agree where they are
            raise aiosmtplib.SMTPDataError(answer.code, answer.message)
        failpoints.hit("smtp_250")
        return f"{answer.code} {answer.message}"

    async def _words(self, client: aiosmtplib.SMTP, talk: Talk, outgoing: Outgoing, payload: bytes) -> None:
        outgoing.begun = True
        failpoints.hit("smtp_rcpt")
        middle = 0 if _in_one_piece(payload) else len(payload) // 2
        await talk.part(payload[:middle])
        failpoints.hit("smtp_mid_data")
        if middle > ONE_PART:
            await talk.part(payload[middle:])
            middle = len(payload)
        if not talk.has_answer:
            self._end(client, talk, outgoing, payload[middle:])

    def _end(self, client: aiosmtplib.SMTP, talk: Talk, outgoing: Outgoing, rest: bytes) -> None:
        """The rest of the letter, its final dot and, in one piece with it (or two computers wait for one another, by Nagle and by
        delayed acknowledgement), the envelope of the next. Its words go once this letter is taken and the server waits for
        them: whose turn it is then need not be awakened first."""
        following = self._following(client, outgoing)
        talk.say(rest + b".", *(following.lines if following is not None else ()))
        outgoing.begun = outgoing.dot_sent = True
        failpoints.hit("smtp_dot")
        if following is None:
            return
        self._ahead.append(following)
        payload = stuffed(following.data)
        if _in_one_piece(payload):
            good = [(250,), (250,), *[(250, 251)] * len(following.recipients), (354,)]
            talk.once(good, partial(self._go_ahead, client, talk, following, payload))

    def _go_ahead(self, client: aiosmtplib.SMTP, talk: Talk, outgoing: Outgoing, payload: bytes) -> None:
        if outgoing in self._line:  # it has not given up meanwhile
            failpoints.hit("smtp_rcpt")
            self._end(client, talk, outgoing, payload)

    async def _reset(self, code: int) -> None:
        """After a clean refusal the connection stays good: forget the envelope. Otherwise it is dropped."""
        client = self._client
        if client is None or not client.is_connected or code == 421 or code in AUTH_CODES or code < 400:
            self._drop()
            return
        if self._ahead:  # the next letter's envelope has taken its place
            self._used_at = time.monotonic()
            return
        try:
            await client.rset(timeout=min(5.0, self._settings.timeout))
            self._used_at = time.monotonic()
        except (aiosmtplib.SMTPException, OSError):
            self._drop()


def _in_one_piece(payload: bytes) -> bool:
    return len(payload) <= 2 * ONE_PART and not failpoints.awaits("smtp_mid_data")


def _token_refused(error: ImbotError) -> bool:
    return isinstance(error, DeliveryError) and error.code in ("535", "534", "530", "538")


def _is_closing(error: aiosmtplib.SMTPException) -> bool:
    """The server has ended the connection, or says in place of MAIL's answer that it does."""
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return bool(error.code == 421)
    return isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPTimeoutError)


async def _greet(client: aiosmtplib.SMTP) -> None:
    """EHLO, unless connecting has said it already: its answer bears the limits, and its refusal is no letter's fault."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()
