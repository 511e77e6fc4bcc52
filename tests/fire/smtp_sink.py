"""The witness on the mail server's side: takes letters (AUTH, STARTTLS) and has each of them, raw and as a line of the journal,
on the disk before it says 250; fails as real servers do when told to.
`python -m tests.fire.smtp_sink --journal F --letters DIR --cert C --key K --username U --password P`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import warnings
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.fire.control import announce, port_of, serve_control, until_told_to_end
from tests.fire.journal import Journal
from tests.fire.letters import as_read

_STAGES = ("mail", "rcpt", "data")


class Faults:
    """What goes wrong for now. `drop_after_dot` and `drop_mid_data`: how many letters are still to be treated so."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.hanging: set[str] = set()
        self.late: dict[str, float] = {}
        self.go_on = asyncio.Event()
        self.drop_after_dot = 0
        self.drop_mid_data = 0
        self.bytes_per_second = 0.0
        self.refuse_auth = False
        self.wrong_certificate = False


class Connection(SMTP):
    """One client. Its bytes may be held back, to be as slow as ordered, and a letter may break off in the middle."""

    def __init__(self, sink: Sink, **options: Any) -> None:
        self._sink = sink
        self._in_data = False
        self._due = 0.0
        self.pipelines = bool(sink.connections % 2)  # every other one says that it does: both ways are walked
        super().__init__(sink, **options)

    def data_received(self, data: bytes) -> None:
        faults = self._sink.faults
        if self._in_data and faults.drop_mid_data:
            faults.drop_mid_data -= 1
            self._broke_off()
            self.cut()
            return
        now = self.loop.time()
        if faults.bytes_per_second:
            self._due = max(now, self._due) + len(data) / faults.bytes_per_second
        transport: Any = self.transport
        if self._due <= now:
            super().data_received(data)
            return
        if isinstance(transport, asyncio.ReadTransport):
            transport.pause_reading()
        self.loop.call_at(self._due, self._let_in, transport, data)

    def _let_in(self, connection: asyncio.Transport, data: bytes) -> None:
        if connection is not self.transport or connection.is_closing():
            return
        super().data_received(data)
        with contextlib.suppress(RuntimeError):
            connection.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self._in_data:
            self._broke_off()
        self._sink.open.discard(self)
        super().connection_lost(error)

    def _broke_off(self) -> None:
        self._in_data = False
        assert self.envelope
        self._sink.journal.note("half", sender=self.envelope.mail_from, rcpt=list(self.envelope.rcpt_tos))

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        self._in_data = True
        try:
            await super().smtp_DATA(arg)
        finally:
            if self.transport is not None and not self.transport.is_closing():
                self._in_data = False

    def whole(self) -> None:
        """The final dot has come."""
        self._in_data = False

    def cut(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


class Sink:
    """The hooks of aiosmtpd, and what all connections share."""

    def __init__(
        self,
        journal: Journal,
        letters: Path,
        contexts: tuple[ssl.SSLContext, ssl.SSLContext | None],
        login: LoginPassword,
    ) -> None:
        self.journal, self.faults = journal, Faults()
        self.size_limit = 33_554_432
        self.open: set[Connection] = set()
        self.letters = self.connections = 0
        self._folder, self._contexts, self._login = letters, contexts, login
        letters.mkdir(parents=True, exist_ok=True)

    def connection(self) -> Connection:
        self.connections += 1
        self.journal.write([("connected", {})])
        good, wrong = self._contexts
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            made = Connection(
                self,
                hostname="mail.example.test",
                tls_context=wrong if self.faults.wrong_certificate and wrong else good,
                require_starttls=True,
                data_size_limit=self.size_limit,
                authenticator=self._authenticate,
                auth_required=True,
                auth_require_tls=True,
            )
        self.open.add(made)
        return made

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        good = data == self._login and not self.faults.refuse_auth
        if not good:
            self.journal.note("refused", code=535, stage="auth")
        return AuthResult(success=good, handled=False, auth_data="bot" if good else None)

    async def _judged(self, stage: str, raw: bytes = b"") -> str:
        """The answer on order for this stage, or "". Hangs while it is told to. `raw`: the letter, where it has come."""
        while stage in self.faults.hanging:
            await self.faults.go_on.wait()
        if stage in self.faults.late:
            await asyncio.sleep(self.faults.late[stage])
        answer = self.faults.answers.get(stage, "")
        if answer:
            about = {"message_id": as_read(raw)["message_id"]} if raw else {}
            self.journal.note("refused", code=int(answer[:3]), stage=stage, **about)
        return answer

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        assert isinstance(server, Connection)
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if server.pipelines else responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._judged("mail"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._judged("rcpt"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(server, Connection)
        server.whole()
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        if refusal := await self._judged("data", raw):
            return refusal
        self.letters += 1
        number = self.letters
        facts = as_read(raw) | {"n": number, "rcpt": list(envelope.rcpt_tos), "sender": envelope.mail_from or ""}
        path = self._folder / f"{number:06d}.eml"
        await asyncio.to_thread(_write_through, path, raw)
        self.journal.write([("accepted", facts | {"path": str(path)})])
        await self.journal.settle()
        if self.faults.drop_after_dot:
            self.faults.drop_after_dot -= 1
            self.journal.note("dropped", n=number, message_id=facts["message_id"])
            server.cut()
        return f"250 2.0.0 Ok: queued as {number}"


class Control:
    """What the rig may order: each public coroutine is a verb. A fault lasts until `clear`, unless it is counted."""

    def __init__(self, sink: Sink, stop: asyncio.Event) -> None:
        self._sink, self._stop = sink, stop

    async def handle(self, verb: str, args: dict[str, Any]) -> Any:
        method = None if verb.startswith("_") or verb == "handle" else getattr(self, verb, None)
        if method is None:
            raise ValueError("there is no such verb")
        if verb not in ("count", "stop"):
            self._sink.journal.note("fault", verb=verb, **args)
        return await method(**args)

    async def answer(self, stage: str, text: str) -> None:
        """This instead of 250 at `stage` (mail, rcpt, data), such as "450 4.2.0 Greylisted"; "" is 250 again."""
        if stage not in _STAGES or (text and not text[:3].isdigit()):
            raise ValueError(f"a stage is one of {_STAGES}, an answer begins with its code")
        self._sink.faults.answers[stage] = text

    async def hang(self, stage: str) -> None:
        """Silence at `stage` (mail, rcpt, data), until `clear`: then those who still wait are answered."""
        if stage not in _STAGES:
            raise ValueError(f"a stage is one of {_STAGES}")
        self._sink.faults.hanging.add(stage)

    async def late(self, stage: str, seconds: float) -> None:
        """Answers at `stage` (mail, rcpt, data) take so long: within anybody's patience."""
        if stage not in _STAGES:
            raise ValueError(f"a stage is one of {_STAGES}")
        self._sink.faults.late[stage] = seconds

    async def drop_after_dot(self, n: int = 1) -> None:
        """The next `n` letters are taken and journaled; then the connection is cut instead of the 250."""
        self._sink.faults.drop_after_dot = n

    async def drop_mid_data(self, n: int = 1) -> None:
        """The next `n` letters are cut inside DATA, before their end was looked at."""
        self._sink.faults.drop_mid_data = n

    async def slow(self, bytes_per_second: float) -> None:
        """What clients send is heard only this fast; 0: at once. It holds for connections that are open already, too."""
        self._sink.faults.bytes_per_second = bytes_per_second

    async def size_limit(self, size: int) -> None:
        """Letters beyond `size` bytes get 552; connections opened from now on tell it in EHLO."""
        self._sink.size_limit = size
        for connection in self._sink.open:
            connection.data_size_limit = size

    async def refuse_auth(self, on: bool = True) -> None:
        self._sink.faults.refuse_auth = on

    async def wrong_certificate(self, on: bool = True) -> None:
        """New connections are shown a certificate of another host."""
        self._sink.faults.wrong_certificate = on

    async def cut(self) -> None:
        """Every open connection ends, as by a restart."""
        for connection in list(self._sink.open):
            connection.cut()

    async def clear(self) -> None:
        """All is well again."""
        faults, self._sink.faults = self._sink.faults, Faults()
        self._sink.size_limit = 33_554_432
        for connection in self._sink.open:
            connection.data_size_limit = self._sink.size_limit
        faults.hanging.clear()
        faults.late.clear()
        faults.answers.clear()
        faults.go_on.set()

    async def count(self) -> dict[str, int]:
        """`letters` accepted, `connections` ever made and `open` now."""
        return {"letters": self._sink.letters, "connections": self._sink.connections, "open": len(self._sink.open)}

    async def stop(self) -> None:
        self._stop.set()


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("journal", "letters", "cert", "key"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("wrong-cert", "wrong-key"):
        parser.add_argument(f"--{name}", type=Path)
    for name in ("username", "password"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    stop = asyncio.Event()
    wrong = _context(args.wrong_cert, args.wrong_key) if args.wrong_cert else None
    with Journal(args.journal) as journal:
        login = LoginPassword(args.username.encode(), args.password.encode())
        sink = Sink(journal, args.letters, (_context(args.cert, args.key), wrong), login)
        server = await asyncio.get_running_loop().create_server(sink.connection, "127.0.0.1", 0)
        control = await serve_control(Control(sink, stop).handle)
        announce(port=port_of(server), control=port_of(control))
        await until_told_to_end(stop)
        control.close()
        server.close()
        for connection in list(sink.open):
            connection.cut()
        await asyncio.sleep(0)
        await journal.settle()


if __name__ == "__main__":
    asyncio.run(main())
