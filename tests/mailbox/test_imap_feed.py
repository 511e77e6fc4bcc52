"""What a server sends is taken apart alike, however the network cuts it."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Sequence
from typing import Any

import aioimaplib  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.domain.errors import MailboxError
from imbot.mailbox.imap_feed import MOUTHFUL, Feed, Outside, Pauses, read_outsides
from imbot.mailbox.imap_wire import Wire
from tests.proxy import ScriptedServer
from tests.servers import Certificates, make_certificates

STREAM = (
    b"* 3 EXISTS\r\n"
    b"* 1 FETCH (UID 5 BODY[] {12}\r\nab\r\n{3}\r\n)c\r)\r\n"
    b"* 2 FETCH (FLAGS (\\Seen))\r\n"
    b"* 3 FETCH (BODY[] {0}\r\n UID 6)\r\n"
    b"* 4 FETCH (UID 7 BODY[HEADER] {2}\r\nxy BODY[TEXT] {1}\r\nz)\r\n"
    b"A1 OK Fetch completed.\r\n"
)
ANSWERS = [
    [b"1 FETCH (UID 5 BODY[] {12}", b"ab\r\n{3}\r\n)c\r", b")"],
    [b"2 FETCH (FLAGS (\\Seen))"],
    [b"3 FETCH (BODY[] {0}", b"", b" UID 6)"],
    [b"4 FETCH (UID 7 BODY[HEADER] {2}", b"xy", b" BODY[TEXT] {1}", b"z", b")"],
]


class Heard(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]
    """aioimaplib's protocol, with what it is told of."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.state = aioimaplib.SELECTED
        self.lines: list[bytes] = []

    def _handle_line(self, line: bytes, command: Any) -> Any:
        self.lines.append(line)
        return super()._handle_line(line, command) if not line.startswith(b"A1 ") else None


def fed(pieces: Sequence[bytes]) -> tuple[list[list[bytes]], list[bytes]]:
    async def feed() -> tuple[list[list[bytes]], list[bytes]]:
        protocol = Heard()
        whole = Feed(protocol)
        with whole.collecting() as answers:
            for piece in pieces:
                whole.data_received(piece)
        return answers, protocol.lines

    return asyncio.run(feed())


@pytest.mark.parametrize("whole", [True, False])
async def test_a_thin_line_is_waited_for_and_a_silent_one_is_not(whole: bool) -> None:
    parts = [b"* 1 FETCH (UID 3 BODY[] {60}\r\n", *[b"0123456789" * 2] * (3 if whole else 2)]

    def answer(line: bytes) -> bytes:
        tag, _, rest = line.partition(b" ")
        if rest.startswith(b"UID FETCH"):
            told = [*parts, b")\r\n" + tag + b" OK done\r\n"] if whole else parts
            for n, part in enumerate(told, 1):
                asyncio.get_running_loop().call_later(0.3 * n, server._writers[-1].write, part)
            return b""
        said = b"* CAPABILITY IMAP4rev1\r\n" if rest.startswith(b"CAPABILITY") else b""
        return said + tag + b" OK done\r\n"

    async with ScriptedServer(b"* OK hi\r\n", answer) as server:
        wire = Wire("here", timeout=0.5)
        await wire.open("127.0.0.1", server.port, "none", "")
        await wire.login("bot", "pw")
        await wire.select("INBOX")
        if whole:
            assert await wire.bodies([3]) == {3: b"0123456789" * 6}
        else:
            with pytest.raises(MailboxError, match=r"no answer within 0\.5 s to the letters"):
                await wire.bodies([3])
        wire.abort()


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=40))
def test_any_cut_gives_the_same_answers(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(places)]
    answers, lines = fed(pieces)
    assert answers == ANSWERS
    assert lines == [b"* 3 EXISTS", b"A1 OK Fetch completed."]


def test_a_thousand_small_letters_in_one_piece_are_no_recursion() -> None:
    letters = [b"* %d FETCH (UID %d BODY[] {1}\r\nx)\r\n" % (number, number) for number in range(1, 5001)]
    answers, _ = fed([b"".join(letters)])
    assert len(answers) == 5000
    assert answers[-1] == [b"5000 FETCH (UID 5000 BODY[] {1}", b"x", b")"]


@pytest.mark.parametrize("said", [b"* 1 FETCH (BODY[] {999999999999}\r\n", b"x" * (17 << 20)])
def test_what_no_server_sends_is_an_error(said: bytes) -> None:
    with pytest.raises(ValueError, match=r"a literal of|without an end"):
        fed([said])


async def test_literals_of_other_answers_go_to_the_command_that_asked() -> None:
    protocol = Heard()
    command = aioimaplib.Command("LIST", "A2")
    protocol.pending_async_commands["LIST"] = command
    whole = Feed(protocol)
    for piece in (b'* LIST () "/" {6', b"}\r\nab", b"\r\nxy\r\n* LIST () {0}\r\n\r\n"):
        whole.data_received(piece)
    assert [bytes(line) for line in command.response.lines] == [b'() "/" {6}', b"ab\r\nxy", b"() {0}", b""]


def test_the_size_and_the_date_of_a_letter_are_read_where_the_server_tells_them() -> None:
    answers = [
        [b'1 FETCH (UID 5 RFC822.SIZE 44827 INTERNALDATE "17-Jul-1996 02:44:25 -0700")'],
        [b'2 FETCH (INTERNALDATE " 1-jan-1970 03:00:10 +0300" RFC822.SIZE 0 UID 6)'],
        [b"3 FETCH (UID 7 RFC822.SIZE 9)"],
        [b'4 FETCH (UID 8 RFC822.SIZE 9 INTERNALDATE "31-Feb-2026 00:00:00 +0000")'],
        [b"5 FETCH (UID 9 FLAGS ())"],
        [b"6 FETCH (RFC822.SIZE 9)"],
    ]
    assert read_outsides(answers) == {5: Outside(44827, 837596665), 6: Outside(0, 10), 7: Outside(9), 8: Outside(9)}


_CHUNK = 256 * 1024  # bytes that uvloop reads at once


class _Eater(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: Any = None
        self.eaten = 0
        self.pauses = Pauses(self)
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.eaten += len(data)
        self.pauses.came(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set_result(exc)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("pauses"))


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_large_letter_leaves_others_their_turn(certificates: Certificates, *, encrypted: bool) -> None:
    whole, plates = 32 * MOUTHFUL, []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(whole))
        writer.close()

    offered = asked = None
    if encrypted:
        offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        offered.load_cert_chain(certificates.cert, certificates.key)
        asked = ssl.create_default_context(cafile=str(certificates.ca))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=offered)
    loop, port = asyncio.get_running_loop(), server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(60):
        _, eater = await loop.create_connection(_Eater, "127.0.0.1", port, ssl=asked)
        while not eater.done.done():
            before = eater.eaten
            await asyncio.sleep(0)
            plates.append(eater.eaten - before)
    assert (eater.done.result(), eater.eaten) == (None, whole)
    assert max(plates) < MOUTHFUL + _CHUNK
