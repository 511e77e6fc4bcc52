"""The demo's post office: a real SMTP server (aiosmtpd) that delivers into real IMAP mailboxes (pymap), on loopback.

It keeps every letter as it came, for the page to show. It knows nothing of tickets; it stamps what a receiving server
stamps (see `trace`). Sender addresses are vouched for only after AUTH as that mailbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import weakref
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Identity, Login
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

from imbot.demo.cast import MX_HOST
from imbot.demo.trace import stamp

HOST = "127.0.0.1"
MAX_LETTER = 60 * 1024 * 1024
_MAX_LINE = 8 * 1024 * 1024  # letters from the wild bear lines far beyond RFC 5321; a play server takes them


@dataclass(frozen=True, slots=True)
class Delivered:
    """A letter in a mailbox. `id` is unique over all mailboxes; `raw` bears our trace fields on top."""

    id: int
    mailbox: str
    raw: bytes
    at: datetime


class _TolerantSmtp(SMTP):
    """aiosmtpd with long lines allowed."""

    line_length_limit = _MAX_LINE


class PostOffice:
    """Both servers and the letters. `on_delivered` is called (in the loop) after each letter lies in its mailbox."""

    def __init__(self, mailboxes: Iterable[str], vouched: str) -> None:
        self._passwords = {address: secrets.token_urlsafe(18) for address in mailboxes}
        self._vouched = vouched
        self._letters: dict[str, list[Delivered]] = {address: [] for address in self._passwords}
        self._next_id = 1
        self._sessions: weakref.WeakSet[SMTP] = weakref.WeakSet()
        self._imap_tasks: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.Server] = []
        self._login: Login | None = None
        self.smtp_port = 0
        self.imap_port = 0
        self.on_delivered: Callable[[Delivered], None] = lambda _: None

    def password(self, address: str) -> str:
        """The password of a mailbox, for SMTP and IMAP alike."""
        return self._passwords[address]

    def letters(self, address: str) -> list[Delivered] | None:
        """The letters of a mailbox, oldest first, or None where there is no such mailbox."""
        return self._letters.get(address.lower())

    def letter(self, address: str, letter_id: int) -> Delivered | None:
        """One letter of a mailbox."""
        return next((letter for letter in self._letters.get(address.lower(), ()) if letter.id == letter_id), None)

    async def start(self) -> None:
        """Open both servers on free loopback ports."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd: never the lines of a dialogue with a password
        smtp = await asyncio.get_running_loop().create_server(self._accept_smtp, HOST, 0)
        accept_imap = await self._prepare_imap()
        imap = await asyncio.start_server(accept_imap, HOST, 0)
        self._servers = [smtp, imap]
        self.smtp_port = smtp.sockets[0].getsockname()[1]
        self.imap_port = imap.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Shut both servers and every connection. No task is left."""
        for server in self._servers:
            server.close()
        for session in list(self._sessions):
            if session.transport is not None:
                session.transport.abort()  # type: ignore[attr-defined]
        tasks = list(self._imap_tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    # SMTP ------------------------------------------------------------------------------------------------------------

    def _accept_smtp(self) -> SMTP:
        protocol = _TolerantSmtp(
            self,
            data_size_limit=MAX_LETTER,
            hostname=MX_HOST,
            ident="imbot demo",
            authenticator=self._authenticate,
            auth_require_tls=False,  # loopback only
            loop=asyncio.get_running_loop(),
        )
        self._sessions.add(protocol)
        return protocol

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        login = data.login.decode("utf-8", "replace").lower()
        known = self._passwords.get(login, "").encode()
        if known and secrets.compare_digest(known, data.password):
            return AuthResult(success=True, auth_data=login)
        return AuthResult(success=False, handled=False)  # handled=True would send no answer, and the client would hang

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds its hooks by these names
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._mailbox_of(address) is None:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = bytes(envelope.original_content or b"")
        queued = self._next_id
        for recipient in envelope.rcpt_tos:
            mailbox = self._mailbox_of(recipient)
            if mailbox is None:  # refused at RCPT already
                continue
            letter_id = self._next_id
            self._next_id += 1
            now = datetime.now(UTC)
            stamped = stamp(
                raw,
                sender=envelope.mail_from or "",
                recipient=recipient,
                helo=str(session.host_name or ""),
                vouched=session.authenticated is True and session.auth_data == self._vouched,
                letter_id=letter_id,
                now=now,
            )
            await self._deliver(Delivered(letter_id, mailbox, stamped, now))
        return f"250 2.0.0 Ok: queued as {queued}"

    def _mailbox_of(self, recipient: str) -> str | None:
        """Whose mailbox an address means; `bot+tag@...` is `bot@...`."""
        local, _, domain = recipient.lower().rpartition("@")
        address = f"{local.partition('+')[0]}@{domain}"
        return address if address in self._passwords else None

    # IMAP ------------------------------------------------------------------------------------------------------------

    async def _prepare_imap(self) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        config = Config(
            Namespace(proxy_protocol=None, passlib_cfg=None),
            host=HOST,
            port=0,
            demo_data=False,
            demo_user="",
            demo_password="",
            tls_enabled=False,
            reject_dnsbl=False,
            hash_context=Cleartext(),
        )
        config.apply_context()
        login = self._login = Login(config)
        for address, password in self._passwords.items():
            await self._identity(address).set(UserMetadata(config, address, password=password))
        return self._accept_imap(IMAPServer(login, config))

    def _accept_imap(
        self, server: IMAPServer
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        """Remember the task of each connection, to end it at close; a connection that breaks is no news."""

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._imap_tasks.add(task)
                task.add_done_callback(self._imap_tasks.discard)
            with contextlib.suppress(ConnectionError, EOFError, asyncio.CancelledError):
                await server(reader, writer, SocketInfo.get(writer, None, unique_id=uuid4().bytes))
            writer.close()

        return accepted

    def _identity(self, address: str) -> Identity:
        if self._login is None:
            raise RuntimeError("the post office is not open")
        return Identity(address, self._login, None, frozenset())

    async def _deliver(self, letter: Delivered) -> None:
        async with self._identity(letter.mailbox).new_session() as session:
            await session.append_messages("INBOX", [AppendMessage(letter.raw, letter.at, frozenset())])
        self._letters[letter.mailbox].append(letter)
        self.on_delivered(letter)
