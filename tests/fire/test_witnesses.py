"""Each witness does what the rig's contract says of it: remembers before it answers, fails as ordered, ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.fire.control import Remote, RigError, port_of, serve_control
from tests.fire.journal import Journal, Tail, read
from tests.fire.nanny import note_stalls
from tests.fire.world import LOGIN, end, start_witness
from tests.servers import Certificates, free_port

LONG = 30.0  # seconds that nobody waits out


@dataclass
class Witness:
    remote: Remote
    ports: dict[str, int]
    journal: Path
    process: asyncio.subprocess.Process

    def of(self, event: str) -> list[dict[str, Any]]:
        return [one for one in read(self.journal) if one["e"] == event]


async def until(what: Callable[[], Any]) -> Any:
    """What it gives, as soon as that is true."""
    async with asyncio.timeout(LONG):
        while not (found := what()):  # noqa: ASYNC110 - a journal of another process: no event spans them
            await asyncio.sleep(0.02)
    return found


@contextlib.asynccontextmanager
async def witness(name: str, folder: Path, *options: str) -> AsyncIterator[Witness]:
    journal = folder / f"{name}.jsonl"
    process, ports = await start_witness(name, journal, folder / f"{name}.log", *options)
    try:
        async with Remote(ports["control"]) as remote:
            yield Witness(remote, ports, journal, process)
    finally:
        assert await end(process) == 0, (folder / f"{name}.log").read_text()


# --- memory and orders


def test_a_journal_survives_a_torn_line_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "j.jsonl"
    assert read(path) == []
    with Journal(path) as journal:
        journal.note("one", words="привет\n\ud800")
        journal.note_all([("two", {}), ("three", {})])
    with path.open("ab") as file:
        file.write(b'{"t": 1, "e": "ha')
    assert [one["e"] for one in read(path)] == ["one", "two", "three"]
    with Journal(path) as journal:
        journal.note("four")
    events = read(path)
    assert [one["e"] for one in events] == ["one", "two", "three", "torn", "four"]
    assert events[0]["words"] == "привет\n\ud800"
    assert [one["t"] for one in events] == sorted(one["t"] for one in events)
    assert events[-1]["t"] <= time.monotonic()
    path.write_bytes(b"babble\n" + path.read_bytes())
    with pytest.raises(ValueError, match="line 1 is no JSON"):
        read(path)


async def test_it_is_noted_when_the_machine_stood_still(tmp_path: Path) -> None:
    with Journal(tmp_path / "nanny.jsonl") as journal:
        watch = asyncio.create_task(note_stalls(journal))
        await asyncio.sleep(0)
        begun = time.monotonic()
        time.sleep(0.8)  # noqa: ASYNC251 - nothing else runs meanwhile, as on a machine that stands still
        await asyncio.sleep(0.2)  # the watch, whose turn came before, has had it
        noted = read(journal.path)
        watch.cancel()
    assert noted[0]["e"] == "stalled"
    assert noted[0]["since"] <= begun
    assert noted[0]["t"] >= begun + 0.8


async def test_a_tail_gives_whole_lines_once_as_they_come(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "j.jsonl")
    assert tail.new() == []
    with Journal(tail._path) as journal:
        journal.write([("one", {})])
        await asyncio.gather(journal.settle(), journal.settle(), journal.settle())
        assert [one["e"] for one in tail.new()] == ["one"]
        with tail._path.open("ab") as file:
            file.write(b'{"t": 1, "e": "tw')
        assert tail.new() == []
        with tail._path.open("ab") as file:
            file.write(b'o"}\n')
        assert [one["e"] for one in tail.new()] == ["two"]


async def test_orders_run_side_by_side_and_errors_travel() -> None:
    go_on = asyncio.Event()

    async def handler(verb: str, args: dict[str, Any]) -> Any:
        if verb == "wait":
            await go_on.wait()
        if verb == "fail":
            raise ValueError("on order")
        return args

    server = await serve_control(handler)
    async with Remote(port_of(server)) as remote:
        waiting = asyncio.create_task(remote.call("wait", a=1))
        with pytest.raises(RigError, match="fail: ValueError: on order"):
            await remote.call("fail")
        assert await remote.call("echo", words="ё" * 100_000) == {"words": "ё" * 100_000}
        go_on.set()
        assert await waiting == {"a": 1}
    server.close()
    with pytest.raises(RigError, match="no witness"):
        await Remote(free_port()).call("x")


async def test_who_waits_for_a_witness_that_dies_hears_of_it(tmp_path: Path) -> None:
    process, ports = await start_witness("botapi", tmp_path / "j", tmp_path / "l", "--files", str(tmp_path))
    async with Remote(ports["control"]) as remote:
        waiting = asyncio.create_task(remote.call("changes", since=0, wait=LONG))
        await remote.call("pending")
        process.kill()
        with pytest.raises(RigError, match="is gone"):
            await waiting
        with pytest.raises(RigError, match="is gone"):
            await remote.call("pending")
    assert await end(process) in (-9, 255)  # asyncio says 255 where it came too late to hear how a child ended


@pytest.mark.parametrize(
    ("name", "options"), [("botapi", ["--files", "{folder}"]), ("proxy", ["--leg", "imap=1"])], ids=["botapi", "proxy"]
)
async def test_a_witness_ends_with_its_parent(tmp_path: Path, name: str, options: list[str]) -> None:
    words = [one.format(folder=tmp_path) for one in options]
    process, _ = await start_witness(name, tmp_path / "j", tmp_path / "l", *words)
    assert process.stdin is not None
    process.stdin.close()  # what the death of the parent does
    assert await asyncio.wait_for(process.wait(), LONG) == 0
    await end(process)


# --- the mail server


@pytest.fixture
async def sink(tmp_path: Path, certificates: Certificates) -> AsyncIterator[Witness]:
    options = {
        "letters": tmp_path / "letters",
        "cert": certificates.cert,
        "key": certificates.key,
        "wrong-cert": certificates.wrong_name_cert,
        "wrong-key": certificates.wrong_name_key,
        "username": LOGIN[0],
        "password": LOGIN[1],
    }
    async with witness(
        "smtp", tmp_path, *(word for pair in options.items() for word in (f"--{pair[0]}", str(pair[1])))
    ) as w:
        yield w


def letter(marker: str = "fire0000001", size: int = 100) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["Message-ID"] = f"Заявка {marker}", f"<{marker}@example.test>"
    made.set_content(f"Не печатает {marker}\n")
    made.add_attachment(b"x" * size, maintype="image", subtype="jpeg", filename="экран.jpg")
    return made


@dataclass
class Mailer:
    """A client of the sink; blocking, for a thread."""

    port: int
    ca: Path

    def send(self, message: EmailMessage, to: str = "itsm@helpdesk.test") -> None:
        context = ssl.create_default_context(cafile=str(self.ca))
        with smtplib.SMTP("127.0.0.1", self.port, timeout=LONG) as smtp:
            try:
                smtp.starttls(context=context)
                smtp.login(*LOGIN)
                smtp.send_message(message, "bot@example.test", [to])
            finally:
                if smtp.sock is not None and smtp.file is None:
                    smtp.sock.close()


@pytest.fixture
def mailer(sink: Witness, certificates: Certificates) -> Callable[..., Coroutine[Any, Any, None]]:
    one = Mailer(sink.ports["port"], certificates.ca)

    async def send(message: EmailMessage) -> None:
        await asyncio.to_thread(one.send, message)

    return send


async def test_a_letter_is_on_the_disk_before_the_250(sink: Witness, mailer: Any) -> None:
    await mailer(letter(size=5000))
    (accepted,) = sink.of("accepted")
    assert (accepted["n"], accepted["rcpt"], accepted["sender"]) == (1, ["itsm@helpdesk.test"], "bot@example.test")
    assert (accepted["message_id"], accepted["subject"]) == ("<fire0000001@example.test>", "Заявка fire0000001")
    assert accepted["text"] == "Не печатает fire0000001\n"
    assert [(one["name"], one["size"]) for one in accepted["files"]] == [("экран.jpg", 5000)]
    raw = await asyncio.to_thread(Path(accepted["path"]).read_bytes)
    assert message_from_bytes(raw)["Message-ID"] == "<fire0000001@example.test>"
    await sink.remote.call("drop_after_dot", n=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        await mailer(letter("fire0000002"))
    assert [one["message_id"] for one in sink.of("accepted")][1:] == ["<fire0000002@example.test>"]
    assert [one["n"] for one in sink.of("dropped")] == [2]
    await mailer(letter("fire0000003"))
    assert (await sink.remote.call("count"))["letters"] == 3


async def test_answers_on_order_refuse_and_nothing_is_taken(sink: Witness, mailer: Any) -> None:
    for stage, text, error in (
        ("mail", "451 4.3.0 Try later", smtplib.SMTPSenderRefused),
        ("rcpt", "550 5.1.1 No such user", smtplib.SMTPRecipientsRefused),
        ("data", "552 5.2.2 Full", smtplib.SMTPDataError),
    ):
        await sink.remote.call("answer", stage=stage, text=text)
        with pytest.raises(error):
            await mailer(letter())
        await sink.remote.call("clear")
    await sink.remote.call("refuse_auth")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await mailer(letter())
    await sink.remote.call("clear")
    await sink.remote.call("size_limit", size=2000)
    with pytest.raises(smtplib.SMTPSenderRefused):
        await mailer(letter(size=5000))
    await sink.remote.call("clear")
    assert sink.of("accepted") == []
    told = [(one["stage"], one["code"]) for one in sink.of("refused")]
    assert told[:3] == [("mail", 451), ("rcpt", 550), ("data", 552)]
    assert ("auth", 535) in told
    with pytest.raises(RigError, match="a stage is one of"):
        await sink.remote.call("answer", stage="helo", text="500 no")
    await mailer(letter())


async def test_a_letter_that_breaks_off_is_half_and_a_wrong_certificate_is_seen(sink: Witness, mailer: Any) -> None:
    await sink.remote.call("drop_mid_data", n=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        await mailer(letter(size=2_000_000))
    assert (len(sink.of("half")), sink.of("accepted")) == (1, [])
    await sink.remote.call("wrong_certificate")
    with pytest.raises(ssl.SSLCertVerificationError):
        await mailer(letter())
    await sink.remote.call("clear")
    await mailer(letter())


async def test_a_mail_server_can_be_silent_and_slow(sink: Witness, mailer: Any) -> None:
    await sink.remote.call("hang", stage="data")
    sending = asyncio.create_task(mailer(letter()))
    await until(lambda: sink.of("connected"))
    done, _ = await asyncio.wait({sending}, timeout=0.3)
    assert not done
    await sink.remote.call("clear")
    await sending
    await sink.remote.call("slow", bytes_per_second=20_000)
    began = time.monotonic()
    await mailer(letter(size=10_000))  # in base64 and with TLS's own: more than 13,000 bytes
    assert time.monotonic() - began > 0.6
    assert len(sink.of("accepted")) == 2


# --- the wires


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield port_of(server)
    server.close()


@pytest.fixture
async def wires(tmp_path: Path, echo: int) -> AsyncIterator[Witness]:
    async with witness("proxy", tmp_path, "--leg", f"smtp={echo}", "--leg", f"imap={echo}") as w:
        yield w


@dataclass
class Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def said(self, words: bytes) -> bytes:
        self.writer.write(words)
        return await asyncio.wait_for(self.reader.readexactly(len(words)), LONG)

    async def ended(self) -> bytes:
        """What still came before the end."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), LONG)
        return b""


@contextlib.asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_cut_ends_what_is_open_on_that_leg_and_is_journaled(wires: Witness) -> None:
    async with line(wires.ports["smtp"]) as smtp, line(wires.ports["imap"]) as imap:
        assert await smtp.said(b"hello") == b"hello"
        assert await imap.said(b"hello") == b"hello"
        assert await wires.remote.call("cut", leg="smtp") == 1
        assert await smtp.ended() == b""
        assert await imap.said(b"still here") == b"still here"
    async with line(wires.ports["smtp"]) as smtp:
        assert await smtp.said(b"again") == b"again"
    assert [(one["leg"], one["connections"]) for one in wires.of("cut")] == [("smtp", 1)]
    with pytest.raises(RigError, match="there is no leg 'pop3'"):
        await wires.remote.call("cut", leg="pop3")


async def test_a_black_hole_takes_everything_and_gives_nothing_until_it_thaws(wires: Witness) -> None:
    async with line(wires.ports["smtp"]) as old:
        await old.said(b"hello")
        await wires.remote.call("freeze", leg="smtp")
        async with line(wires.ports["smtp"]) as new:
            waiting = [asyncio.create_task(one.said(b"anybody?")) for one in (old, new)]
            done, _ = await asyncio.wait(waiting, timeout=0.3)
            assert not done
            await wires.remote.call("thaw", leg="smtp")
            assert await asyncio.gather(*waiting) == [b"anybody?"] * 2
    assert [one["e"] for one in read(wires.journal) if one["e"] != "connected"] == ["freeze", "thaw"]


async def test_a_closed_port_refuses_until_it_heals(wires: Witness) -> None:
    async with line(wires.ports["smtp"]) as smtp:
        await smtp.said(b"hello")
        await wires.remote.call("refuse", leg="smtp")
        assert await smtp.ended() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", wires.ports["smtp"])
    await wires.remote.call("heal", leg="*")
    async with line(wires.ports["smtp"]) as smtp:
        assert await smtp.said(b"again") == b"again"


async def test_a_leg_can_be_slow_dirty_and_break_off_after_so_many_bytes(wires: Witness) -> None:
    async with line(wires.ports["smtp"]) as smtp:
        await wires.remote.call("slow", leg="smtp", bytes_per_second=10_000, delay=0.01)
        began = time.monotonic()
        await smtp.said(b"x" * 3000)
        assert time.monotonic() - began > 0.3
        await wires.remote.call("heal")
        await wires.remote.call("corrupt", leg="smtp", times=1)
        assert await smtp.said(b"words") != b"words"
        assert await smtp.said(b"words") == b"words"
        await wires.remote.call("cut_after", leg="smtp", n=4)
        assert await smtp.said(b"ab") == b"ab"
        smtp.writer.write(b"cdefgh")
        assert await smtp.ended() in (b"cd", b"")  # b"": an RST may overtake them
    async with line(wires.ports["smtp"]) as smtp:
        assert await smtp.said(b"longer than four") == b"longer than four"
    assert [one["why"] for one in wires.of("cut")] == ["cut_after"]
    assert wires.of("corrupted")[0]["direction"] == "to_client"
