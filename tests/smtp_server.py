"""A real SMTP server for tests: aiosmtpd with AUTH and TLS, in the loop of the test, with answers that can be replaced."""

from __future__ import annotations

import asyncio
import base64
import ssl
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers import Certificates


def abort(protocol: SMTP) -> None:
    """Cuts a connection that is open. Its transport's class is the loop's own."""
    if protocol.transport is not None:
        cast("asyncio.WriteTransport", protocol.transport).abort()


@dataclass
class Received:
    sender: str
    recipients: list[str]
    data: bytes
    login: str


@dataclass
class SmtpServer:
    """aiosmtpd in the loop of the test. Answers can be replaced: `mail_answer`, `rcpt_answer`, `data_answer`; `on_data`
    runs before the answer to the final dot. `tokens`: whose each good token is, to sign in by XOAUTH2."""

    certificates: Certificates | None = None
    tls: str = "none"  # none, starttls, tls
    username: str = ""
    password: str = ""
    tokens: dict[str, str] | None = None
    wrong_name: bool = False
    size_limit: int = 33_554_432
    letters: list[Received] = field(default_factory=list)
    connections: int = 0
    mail_answer: str = ""
    rcpt_answer: str = ""
    data_answer: str = ""
    pipelining: ClassVar[bool] = False  # offered; what comes at once is taken in any case
    repeats: Callable[[str], str] | None = None  # what it says of a token that it refuses
    on_data: Callable[[SMTP], Awaitable[None]] | None = None
    port: int = 0
    _server: asyncio.Server | None = None
    _open: list[SMTP] = field(default_factory=list)

    async def __aenter__(self) -> SmtpServer:
        context = self.certificates.server_context(wrong_name=self.wrong_name) if self.certificates else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: self._protocol(context), "127.0.0.1", 0, ssl=context if self.tls == "tls" else None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def _protocol(self, context: ssl.SSLContext | None) -> SMTP:
        self.connections += 1
        with_login: dict[str, Any] = {}
        if self.username or self.tokens is not None:
            # aiosmtpd knows only of STARTTLS: it must be told to let people log in on a port that is TLS from the start.
            with_login = {
                "authenticator": self._authenticate,
                "auth_required": True,
                "auth_require_tls": self.tls == "starttls",
            }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "requiring AUTH while not requiring TLS"
            protocol = SMTP(
                self,
                hostname="mail.example.test",
                tls_context=context if self.tls == "starttls" else None,
                require_starttls=self.tls == "starttls",
                data_size_limit=self.size_limit,
                **with_login,
            )
        self._open.append(protocol)
        return protocol

    def cut(self) -> None:
        """Close all connections as a restarted server does."""
        for protocol in self._open:
            abort(protocol)
        self._open.clear()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        expected = LoginPassword(self.username.encode(), self.password.encode())
        return AuthResult(success=data == expected, handled=False, auth_data=self.username)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802  a hook of aiosmtpd
        said = base64.b64decode(args[1]).decode().split("\x01")
        user, token = said[0].removeprefix("user="), said[1].removeprefix("auth=Bearer ")
        if (self.tokens or {}).get(token) == user:
            return AuthResult(success=True, auth_data=user)
        await server.challenge_auth(base64.b64encode(b'{"status":"401"}').decode(), encode_to_b64=False)
        await server.push(
            f"535 5.7.8 Error: authentication failed {self.repeats(token) if self.repeats else ''}".rstrip()
        )
        return AuthResult(success=False, handled=True)

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.pipelining else responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mail_answer:
            return self.mail_answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_answer:
            return self.rcpt_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.on_data is not None:
            await self.on_data(server)
        if self.data_answer:
            return self.data_answer
        content = envelope.content or b""
        data = content if isinstance(content, bytes) else content.encode()
        self.letters.append(
            Received(envelope.mail_from or "", list(envelope.rcpt_tos), data, str(session.auth_data or ""))
        )
        return f"250 2.0.0 Ok: queued as {len(self.letters)}"
