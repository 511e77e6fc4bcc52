"""Reading a mailbox by IMAP on a real Dovecot, with the faults that are normal life."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import gc
import imaplib
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.domain.errors import MailboxError
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.imap_wire import modified_utf7, read_literals
from imbot.mailbox.inbox import Batch
from tests.proxy import Proxy, ScriptedServer
from tests.servers import Dovecot

pytestmark = pytest.mark.servers


@pytest.fixture
def mailbox(request: pytest.FixtureRequest) -> str:
    """A mailbox of this test's own."""
    return f"{abs(hash(request.node.nodeid)):x}@example.test"


def settings(dovecot: Dovecot, mailbox: str, **changes: Any) -> ImapSettings:
    plain = ImapSettings(
        "127.0.0.1",
        dovecot.ports["IMAP"],
        mailbox,
        dovecot.password,
        tls="none",
        ca_file=str(dovecot.certificates.ca),
        timeout=5,
        start="all",
    )
    return dataclasses.replace(plain, **changes)


@contextlib.asynccontextmanager
async def opened(of: ImapSettings) -> AsyncIterator[Imap]:
    imap = Imap(of)
    try:
        yield imap
    finally:
        await imap.close()


def letter(number: int, size: int = 0) -> bytes:
    body = b"(" * 7 + b"x" * size  # brackets in a body must not be counted by anybody
    return b"Subject: letter %d\r\nMessage-ID: <%d@itsm.test>\r\n\r\n%s\r\n" % (number, number, body)


def numbers(batch: Batch) -> list[int]:
    return [int(fetched.raw.split(b"Subject: letter ")[1].split(b"\r\n")[0]) for fetched in batch.letters]


@contextlib.contextmanager
def by_hand(dovecot: Dovecot, mailbox: str) -> Any:
    """What a person does with a mail client meanwhile."""
    client = imaplib.IMAP4("127.0.0.1", dovecot.ports["IMAP"], timeout=5)
    client.login(mailbox, dovecot.password)
    try:
        yield client
    finally:
        client.logout()


async def test_new_letters_are_found_by_cursor_whole_and_once(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2))
    async with opened(settings(dovecot, mailbox)) as imap:
        first = await imap.fetch_new(None)
        assert numbers(first) == [1, 2]
        assert first.letters[0].raw.endswith(letter(1))
        assert numbers(await imap.fetch_new(first.letters[0].cursor)) == [2]
        nothing = await imap.fetch_new(first.cursor)
        assert (nothing.letters, nothing.cursor, nothing.more) == ((), first.cursor, False)
        dovecot.deliver(mailbox, letter(3))
        assert numbers(await imap.fetch_new(first.cursor)) == [3]


async def test_the_first_run_starts_at_now_unless_told_otherwise(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    async with opened(settings(dovecot, mailbox, start="now")) as imap:
        begin = await imap.fetch_new(None)
        assert (begin.letters, begin.more) == ((), False)
        dovecot.deliver(mailbox, letter(2))
        assert numbers(await imap.fetch_new(begin.cursor)) == [2]


async def test_an_empty_mailbox_gives_a_cursor_that_holds(dovecot: Dovecot, mailbox: str) -> None:
    async with opened(settings(dovecot, mailbox, start="now")) as imap:
        begin = await imap.fetch_new(None)
        dovecot.deliver(mailbox, letter(1))
        assert numbers(await imap.fetch_new(begin.cursor)) == [1]


async def test_letters_that_somebody_has_read_already_are_found_all_the_same(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    with by_hand(dovecot, mailbox) as client:
        client.select("INBOX")
        client.store("1", "+FLAGS", r"(\Seen \Flagged)")
    async with opened(settings(dovecot, mailbox)) as imap:
        assert numbers(await imap.fetch_new(None)) == [1]


async def test_fetching_marks_nothing_and_mark_marks_as_read(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2))
    async with opened(settings(dovecot, mailbox)) as imap:
        batch = await imap.fetch_new(None)
        with by_hand(dovecot, mailbox) as client:
            client.select("INBOX", readonly=True)
            assert client.search(None, "UNSEEN")[1] == [b"1 2"]
        await imap.mark(batch.letters[:1])
        await imap.mark(batch.letters[:1])
        with by_hand(dovecot, mailbox) as client:
            client.select("INBOX", readonly=True)
            assert client.search(None, "UNSEEN")[1] == [b"2"]


async def test_120_letters_come_in_windows_of_50(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, *(letter(number) for number in range(120)))
    async with opened(settings(dovecot, mailbox)) as imap:
        cursor, sizes, seen = None, [], []
        while True:
            batch = await imap.fetch_new(cursor)
            sizes.append(len(batch.letters))
            seen += numbers(batch)
            cursor = batch.cursor
            if not batch.more:
                break
    assert (sizes, seen) == ([50, 50, 20], list(range(120)))


async def test_done_letters_are_moved_to_a_cyrillic_folder_that_is_made_when_missing(
    dovecot: Dovecot, mailbox: str
) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2))
    async with opened(settings(dovecot, mailbox, processed_folder="Готово & архив")) as imap:
        batch = await imap.fetch_new(None)
        await imap.mark(batch.letters[:1])
        await imap.mark(batch.letters[:1])  # gone already: no error
        assert numbers(await imap.fetch_new(None)) == [2]
        assert "Готово & архив" in await imap.check()
    async with opened(settings(dovecot, mailbox, folder="Готово & архив")) as imap:
        assert numbers(await imap.fetch_new(None)) == [1]


async def test_without_move_letters_are_copied_and_only_they_are_expunged(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2))
    with by_hand(dovecot, mailbox) as client:
        client.select("INBOX")
        client.store("2", "+FLAGS", r"(\Deleted)")  # by a person, who has not expunged it
    async with opened(settings(dovecot, mailbox, processed_folder="Done")) as imap:
        batch = await imap.fetch_new(None)
        assert imap._wire is not None
        assert imap._wire._client is not None
        imap._wire._client.protocol.capabilities.discard("MOVE")
        await imap.mark(batch.letters[:1])
        assert numbers(await imap.fetch_new(None)) == [2]
    async with opened(settings(dovecot, mailbox, folder="Done")) as imap:
        assert numbers(await imap.fetch_new(None)) == [1]


async def test_a_changed_uidvalidity_reads_all_again(dovecot: Dovecot, mailbox: str) -> None:
    with by_hand(dovecot, mailbox) as client:
        client.create("Status")
        for number in (1, 2, 3):
            client.append("Status", "", "", letter(number))
    async with opened(settings(dovecot, mailbox, folder="Status")) as imap:
        before = await imap.fetch_new(None)
        await imap.close()
        await asyncio.sleep(1.1)  # Dovecot mints a UIDVALIDITY from the clock's seconds
        with by_hand(dovecot, mailbox) as client:
            client.delete("Status")
            client.create("Status")
            for number in (2, 3):
                client.append("Status", "", "", letter(number))
        after = await imap.fetch_new(before.cursor)
        assert numbers(after) == [2, 3]
        assert after.letters[0].uidvalidity != before.letters[0].uidvalidity
        assert numbers(await imap.fetch_new(after.cursor)) == []
        await imap.mark(before.letters)  # UIDs of the old count: nothing of the new one may be touched
        with by_hand(dovecot, mailbox) as client:
            client.select("Status", readonly=True)
            assert client.search(None, "UNSEEN")[1] == [b"1 2"]


async def test_a_mailbox_renamed_under_us_is_an_error_that_names_it(dovecot: Dovecot, mailbox: str) -> None:
    with by_hand(dovecot, mailbox) as client:
        client.create("Status")
    async with opened(settings(dovecot, mailbox, folder="Status")) as imap:
        cursor = (await imap.fetch_new(None)).cursor
        with by_hand(dovecot, mailbox) as client:
            client.rename("Status", "Elsewhere")
        with pytest.raises(MailboxError, match="Status") as raised:
            await imap.fetch_new(cursor)
        assert raised.value.permanent
        with by_hand(dovecot, mailbox) as client:
            client.rename("Elsewhere", "Status")
        await imap.fetch_new(cursor)


async def test_a_letter_over_the_limit_comes_as_headers_only(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2, size=50_000), letter(3))
    async with opened(settings(dovecot, mailbox, largest=20_000)) as imap:
        batch = await imap.fetch_new(None)
    assert numbers(batch) == [1, 2, 3]
    assert [fetched.truncated for fetched in batch.letters] == [False, True, False]
    assert len(batch.letters[1].raw) < 2_000
    assert batch.letters[1].size > 50_000


async def test_a_batch_is_limited_by_weight_too(
    dovecot: Dovecot, mailbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imbot.mailbox.imap._BATCH_BYTES", 25_000)
    dovecot.deliver(mailbox, *(letter(number, size=10_000) for number in range(5)))
    async with opened(settings(dovecot, mailbox)) as imap:
        first = await imap.fetch_new(None)
        assert (numbers(first), first.more) == ([0, 1], True)
        second = await imap.fetch_new(first.cursor)
        assert (numbers(second), second.more) == ([2, 3], True)
        third = await imap.fetch_new(second.cursor)
        assert (numbers(third), third.more) == ([4], False)


@pytest.mark.parametrize(("tls", "port"), [("starttls", "IMAP"), ("tls", "IMAPS")])
async def test_tls_is_spoken_and_idle_works_through_it(dovecot: Dovecot, mailbox: str, tls: Any, port: str) -> None:
    dovecot.deliver(mailbox, letter(1, size=100_000))
    async with opened(settings(dovecot, mailbox, tls=tls, port=dovecot.ports[port])) as imap:
        batch = await imap.fetch_new(None)
        assert numbers(batch) == [1]
        waiting = asyncio.ensure_future(imap.wait(20))
        await asyncio.sleep(0.1)
        dovecot.deliver(mailbox, letter(2))
        assert await waiting
        assert numbers(await imap.fetch_new(batch.cursor)) == [2]


@pytest.mark.parametrize(("tls", "port"), [("starttls", "IMAP"), ("tls", "IMAPS")])
async def test_a_certificate_of_another_authority_is_refused(
    dovecot: Dovecot, mailbox: str, tls: Any, port: str
) -> None:
    wrong = settings(dovecot, mailbox, tls=tls, port=dovecot.ports[port], ca_file=str(dovecot.certificates.other_ca))
    async with opened(wrong) as imap:
        with pytest.raises(MailboxError, match="certificate") as raised:
            await imap.fetch_new(None)
    assert raised.value.permanent


async def test_a_wrong_password_is_permanent_and_not_repeated_in_the_error(dovecot: Dovecot, mailbox: str) -> None:
    async with opened(settings(dovecot, mailbox, password="not-the-one")) as imap:
        with pytest.raises(MailboxError) as raised:
            await imap.connect()
    assert raised.value.permanent
    assert "not-the-one" not in str(raised.value)


async def test_a_password_beyond_ascii_signs_in(dovecot: Dovecot) -> None:
    async with opened(settings(dovecot, "cat@example.test", password="пароль")) as imap:
        assert "has 0 letters" in await imap.check()


async def test_a_missing_folder_is_permanent_and_named(dovecot: Dovecot, mailbox: str) -> None:
    async with opened(settings(dovecot, mailbox, folder="Нет такой")) as imap:
        with pytest.raises(MailboxError, match="Нет такой") as raised:
            await imap.check()
    assert raised.value.permanent


async def test_nobody_listening_is_a_passing_error(dovecot: Dovecot, mailbox: str, unused_port: int) -> None:
    async with opened(settings(dovecot, mailbox, port=unused_port)) as imap:
        with pytest.raises(MailboxError) as raised:
            await imap.fetch_new(None)
    assert not raised.value.permanent


async def test_check_tells_what_was_found(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    async with opened(settings(dovecot, mailbox)) as imap:
        said = await imap.check()
    assert "INBOX has 1 letters" in said
    assert "IDLE" in said
    assert dovecot.password not in said


# --- IDLE


async def test_idle_ends_at_its_time_and_the_connection_stays(dovecot: Dovecot, mailbox: str) -> None:
    async with Proxy(dovecot.ports["IMAP"]) as proxy, opened(settings(dovecot, mailbox, port=proxy.port)) as imap:
        batch = await imap.fetch_new(None)
        assert not await imap.wait(0.2)
        assert not await imap.wait(0.2)
        dovecot.deliver(mailbox, letter(1))
        assert numbers(await imap.fetch_new(batch.cursor)) == [1]
        assert proxy.connections == 1


async def test_a_letter_between_fetch_and_wait_is_not_slept_over(dovecot: Dovecot, mailbox: str) -> None:
    async with opened(settings(dovecot, mailbox)) as imap:
        batch = await imap.fetch_new(None)
        dovecot.deliver(mailbox, letter(1))
        await imap.mark(batch.letters)
        began = time.monotonic()
        assert await imap.wait(20)
        assert time.monotonic() - began < 5


async def test_a_letter_that_was_moved_away_unseen_does_not_wake_for_ever(dovecot: Dovecot, mailbox: str) -> None:
    async with opened(settings(dovecot, mailbox)) as imap:
        await imap.fetch_new(None)
        dovecot.deliver(mailbox, letter(1))
        with by_hand(dovecot, mailbox) as client:
            client.select("INBOX")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
        assert await imap.wait(5)
        assert (await imap.fetch_new(None)).letters == ()
        assert not await imap.wait(0.1)


async def test_a_cut_in_idle_is_noticed_at_once_and_the_next_call_connects_again(
    dovecot: Dovecot, mailbox: str
) -> None:
    async with Proxy(dovecot.ports["IMAP"]) as proxy, opened(settings(dovecot, mailbox, port=proxy.port)) as imap:
        batch = await imap.fetch_new(None)
        waiting = asyncio.ensure_future(imap.wait(60))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        proxy.cut()
        with pytest.raises(MailboxError, match="broke") as raised:
            await waiting
        assert time.monotonic() - began < 2
        assert not raised.value.permanent
        dovecot.deliver(mailbox, letter(1))
        assert numbers(await imap.fetch_new(batch.cursor)) == [1]


async def test_a_connection_that_dies_silently_in_idle_is_noticed_when_idle_ends(
    dovecot: Dovecot, mailbox: str
) -> None:
    async with (
        Proxy(dovecot.ports["IMAP"]) as proxy,
        opened(settings(dovecot, mailbox, port=proxy.port, timeout=0.5)) as imap,
    ):
        await imap.fetch_new(None)
        asyncio.get_running_loop().call_later(0.2, proxy.freeze)
        await imap.wait(0.5)
        with pytest.raises(MailboxError, match="no answer"):
            await imap.fetch_new(None)
        proxy.thaw()
        await imap.fetch_new(None)


async def test_a_kept_connection_closed_by_the_server_is_opened_again_silently(dovecot: Dovecot, mailbox: str) -> None:
    async with Proxy(dovecot.ports["IMAP"]) as proxy, opened(settings(dovecot, mailbox, port=proxy.port)) as imap:
        await imap.fetch_new(None)
        proxy.cut()
        await imap.fetch_new(None)
        assert proxy.connections == 2


async def test_a_wait_that_is_cancelled_costs_no_new_connection(dovecot: Dovecot, mailbox: str) -> None:
    async with Proxy(dovecot.ports["IMAP"]) as proxy, opened(settings(dovecot, mailbox, port=proxy.port)) as imap:
        batch = await imap.fetch_new(None)
        for number in range(3):
            waiting = asyncio.ensure_future(imap.wait(60))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            dovecot.deliver(mailbox, letter(number))
            batch = await imap.fetch_new(batch.cursor)
            assert numbers(batch) == [number]
        assert proxy.connections == 1


async def test_a_cancelled_wait_and_close_leave_nothing_behind(dovecot: Dovecot, mailbox: str) -> None:
    imap = Imap(settings(dovecot, mailbox))
    await imap.fetch_new(None)
    waiting = asyncio.ensure_future(imap.wait(60))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await imap.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.sleep(0)
    assert all(task.done() for task in others)


async def test_close_does_not_wait_for_a_wait(dovecot: Dovecot, mailbox: str) -> None:
    imap = Imap(settings(dovecot, mailbox))
    await imap.fetch_new(None)
    waiting = asyncio.ensure_future(imap.wait(60))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(3):
        await imap.close()
        with pytest.raises(MailboxError):
            await waiting


async def test_without_idle_wait_just_waits(dovecot: Dovecot, mailbox: str) -> None:
    async with opened(settings(dovecot, mailbox, idle=False)) as imap:
        await imap.fetch_new(None)
        assert not await imap.wait(0.05)
        assert "polled" in await imap.check()


# --- cuts and silence


@pytest.mark.parametrize("after", [150_000, 60_000, 20_000])
async def test_a_cut_in_mid_literal_is_noticed_and_nothing_is_half(dovecot: Dovecot, mailbox: str, after: int) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2, size=200_000), letter(3))
    async with Proxy(dovecot.ports["IMAP"]) as proxy, opened(settings(dovecot, mailbox, port=proxy.port)) as imap:
        await imap.connect()
        proxy.cut_after = after
        with pytest.raises(MailboxError, match="broke"):
            await imap.fetch_new(None)
        assert numbers(await imap.fetch_new(None)) == [1, 2, 3]


async def test_silence_in_mid_literal_is_given_up_in_time(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1, size=20_000))
    async with (
        Proxy(dovecot.ports["IMAP"]) as proxy,
        opened(settings(dovecot, mailbox, port=proxy.port, timeout=0.6)) as imap,
    ):
        await imap.connect()
        proxy.byte_pause = 0.05
        began = time.monotonic()
        with pytest.raises(MailboxError, match="no answer"):
            await imap.fetch_new(None)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("greeting", "answer"),
    [
        (b"* BYE too many\r\n", b""),
        (b"", b""),
        (b"garbage\r\n", b"garbage\r\n"),
        (b"* OK hi\r\n", b"* BYE\r\n"),
        (b"* OK hi\r\n", b"\xff\xfe{99999999999}\r\n"),
        (b"* OK hi\r\n", b"* CAPABILITY FOO\r\nX1 OK\r\n"),
        (b"* OK hi\r\n", b"* x\r\n" * 5000),
    ],
)
async def test_a_server_that_speaks_nonsense_is_an_error_in_time(
    greeting: bytes, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedServer(greeting, lambda _: answer) as server:
        imap = Imap(ImapSettings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=0.5))
        began = time.monotonic()
        with pytest.raises(MailboxError):
            await imap.fetch_new(None)
        assert time.monotonic() - began < 3
        await imap.close()
    gc.collect()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_server_that_turns_us_away_is_quoted_at_once() -> None:
    async with ScriptedServer(b"* BYE too many connections\r\n", lambda _: b"") as server:
        imap = Imap(ImapSettings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=20))
        with pytest.raises(MailboxError, match="too many connections"):
            await imap.connect()
        await imap.close()


def scripted(idle: bytes, fetch: bytes = b"", search: bytes = b"* SEARCH\r\n") -> Any:
    """A small IMAP server: `{tag}` stands for the tag of the command."""

    def answer(line: bytes) -> bytes | None:
        tag, _, rest = line.partition(b" ")
        verb = rest.upper()
        if verb.startswith(b"CAPABILITY"):
            said = b"* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK done\r\n"
        elif verb.startswith(b"SELECT"):
            said = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 9] ok\r\n{tag} OK [READ-WRITE] done\r\n"
        elif verb.startswith(b"IDLE"):
            said = idle
        elif verb.startswith(b"UID SEARCH"):
            said = search + b"{tag} OK done\r\n"
        elif verb.startswith(b"UID FETCH") and b"BODY" in verb:
            said = fetch
        else:
            said = b"{tag} OK done\r\n"
        return said.replace(b"{tag}", tag)

    return answer


@pytest.mark.parametrize("idle", [b"* BYE going down\r\n", b"{tag} NO not now\r\n", b"{tag} BAD what?\r\n", b""])
async def test_an_idle_that_is_refused_or_ignored_is_an_error_in_time(idle: bytes) -> None:
    async with ScriptedServer(b"* OK hi\r\n", scripted(idle)) as server:
        imap = Imap(ImapSettings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=0.5))
        await imap.fetch_new(None)
        began = time.monotonic()
        with pytest.raises(MailboxError):
            await imap.wait(30)
        assert time.monotonic() - began < 3
        await imap.close()


async def test_a_letter_that_the_server_will_not_give_stops_there_and_is_named() -> None:
    def answer(line: bytes) -> bytes | None:
        tag = line.partition(b" ")[0]
        if b"UID FETCH 3:4" in line and b"BODY" in line:
            return tag + b" NO [SERVERBUG] cannot\r\n"
        if b"UID FETCH 3 " in line and b"BODY" in line:
            return b"* 1 FETCH (UID 3 BODY[] {3}\r\nabc)\r\n" + tag + b" OK done\r\n"
        if b"UID FETCH 4 " in line and b"BODY" in line:
            return tag + b" OK done\r\n"
        found: bytes | None = scripted(b"", search=b"* SEARCH 3 4\r\n")(line)
        return found

    async with ScriptedServer(b"* OK hi\r\n", answer) as server:
        imap = Imap(ImapSettings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all"))
        batch = await imap.fetch_new(None)
        assert ([fetched.raw for fetched in batch.letters], batch.cursor, batch.more) == ([b"abc"], "7:3", True)
        with pytest.raises(MailboxError, match="UID 4"):
            await imap.fetch_new(batch.cursor)
        await imap.close()


def test_a_literal_is_bound_to_its_uid_wherever_that_stands() -> None:
    lines: list[bytes | bytearray] = [
        b"1 FETCH (UID 5 BODY[] {1}", bytearray(b"a"), b")",
        b"2 FETCH (FLAGS (\\Seen))",
        b"3 FETCH (BODY[] {1}", bytearray(b"b"), b" UID 6)",
        b"4 FETCH (UID 7 FLAGS ())",
        b"Fetch completed.",
    ]  # fmt: skip
    assert read_literals(lines) == {5: b"a", 6: b"b"}


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("Entwürfe", "Entw&APw-rfe"),
        ("Готово", "&BBMEPgRCBD4EMgQ+-"),
        ("A & B", "A &- B"),
        ("台北", "&U,BTFw-"),
        ("INBOX/a", "INBOX/a"),
    ],
)
def test_folder_names_are_written_in_modified_utf7(name: str, wire: str) -> None:
    assert modified_utf7(name) == wire


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc"))))
def test_any_folder_name_becomes_printable_ascii_that_reads_back(name: str) -> None:
    wire = modified_utf7(name)
    assert wire.isascii()
    assert wire.isprintable()
    back = re.sub(r"&([A-Za-z0-9+,]*)-", lambda shift: decoded(shift[1]), wire)
    assert back == name


def decoded(shifted: str) -> str:
    if not shifted:
        return "&"
    padded = shifted.replace(",", "/") + "=" * (-len(shifted) % 4)
    return base64.b64decode(padded, validate=True).decode("utf-16-be")
