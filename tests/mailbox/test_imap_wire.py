"""The IMAP connection in the faults that are normal life: cuts, silence, nonsense; and its small grammar."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.domain.errors import LetterWithheld, MailboxError
from imbot.mailbox import imap as imap_module
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.imap_feed import read_literals
from imbot.mailbox.imap_names import from_modified_utf7, modified_utf7, read_folders, read_separator
from tests.mailbox.imap_box import by_hand, letter, numbers, opened, settings
from tests.proxy import LONG, Proxy, ScriptedServer, in_time
from tests.servers import Dovecot

pytestmark = pytest.mark.servers


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
        async with in_time():
            assert await imap.wait(LONG)


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
        waiting = asyncio.ensure_future(imap.wait(LONG))
        await proxy.heard(b"+ idling")
        proxy.cut()
        with pytest.raises(MailboxError, match="broke") as raised:
            async with in_time():
                await waiting
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


async def test_a_server_that_falls_silent_in_idle_is_asked_long_before_idle_ends(
    dovecot: Dovecot, mailbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_module, "_LONGEST_IDLE", 0.3)
    monkeypatch.setattr(imap_module, "_STILL_THERE", 0.3)
    async with Proxy(dovecot.ports["IMAP"]) as proxy, opened(settings(dovecot, mailbox, port=proxy.port)) as imap:
        await imap.fetch_new(None)
        waiting = asyncio.ensure_future(imap.wait(3600))
        await proxy.heard(b"+ idling")
        proxy.freeze()
        with pytest.raises(MailboxError, match="no answer") as raised:
            async with in_time():
                await waiting
        assert raised.value.lost
        assert proxy.connections == 1


async def test_a_wait_of_many_idles_hears_of_a_letter(
    dovecot: Dovecot, mailbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_module, "_LONGEST_IDLE", 0.1)
    async with opened(settings(dovecot, mailbox)) as imap:
        await imap.fetch_new(None)
        waiting = asyncio.ensure_future(imap.wait(3600))
        await asyncio.sleep(0.5)
        dovecot.deliver(mailbox, letter(1))
        async with in_time():
            assert await waiting


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
            waiting = asyncio.ensure_future(imap.wait(LONG))
            await proxy.heard(b"+ idling")
            await asyncio.sleep(0.05)  # from the proxy to the client
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            dovecot.deliver(mailbox, letter(number))
            batch = await imap.fetch_new(batch.cursor)
            assert numbers(batch) == [number]
        assert proxy.connections == 1


async def test_a_cancelled_wait_and_close_leave_nothing_behind(dovecot: Dovecot, mailbox: str) -> None:
    async with Proxy(dovecot.ports["IMAP"]) as proxy:
        imap = Imap(settings(dovecot, mailbox, port=proxy.port))
        await imap.fetch_new(None)
        waiting = asyncio.ensure_future(imap.wait(LONG))
        await proxy.heard(b"+ idling")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await imap.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.sleep(0)
    assert all(task.done() for task in others)


async def test_close_does_not_wait_for_a_wait(dovecot: Dovecot, mailbox: str) -> None:
    async with Proxy(dovecot.ports["IMAP"]) as proxy:
        imap = Imap(settings(dovecot, mailbox, port=proxy.port))
        await imap.fetch_new(None)
        waiting = asyncio.ensure_future(imap.wait(LONG))
        await proxy.heard(b"+ idling")
        async with in_time():
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
        with pytest.raises(MailboxError, match=r"no answer within 0\.6 s"):
            async with in_time():
                await imap.fetch_new(None)


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
        with pytest.raises(MailboxError):
            async with in_time():
                await imap.fetch_new(None)
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
        with pytest.raises(MailboxError):
            async with in_time():
                await imap.wait(LONG)
        await imap.close()


@pytest.mark.parametrize("kept_back", [b"OK done", b"NO [SERVERBUG] cannot", b"BAD sorry"])
async def test_a_letter_that_the_server_does_not_hand_out_is_named_and_can_be_passed_over(kept_back: bytes) -> None:
    def answer(line: bytes) -> bytes | None:
        tag = line.partition(b" ")[0]
        if b"UID FETCH 3:5" in line and b"BODY" in line:
            return tag + b" NO [SERVERBUG] cannot\r\n"
        if b"UID FETCH 3 " in line and b"BODY" in line:
            return b"* 1 FETCH (UID 3 BODY[] {3}\r\nabc)\r\n" + tag + b" OK done\r\n"
        if b"UID FETCH 5 " in line and b"BODY" in line:
            return b"* 3 FETCH (UID 5 BODY[] {3}\r\nxyz)\r\n" + tag + b" OK done\r\n"
        if b"UID FETCH 4" in line and b"BODY" in line:
            return tag + b" " + kept_back + b"\r\n"
        found: bytes | None = scripted(b"", search=b"* SEARCH 3 4 5\r\n")(line)
        return found

    async with ScriptedServer(b"* OK hi\r\n", answer) as server:
        imap = Imap(ImapSettings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all"))
        batch = await imap.fetch_new(None)
        assert ([fetched.raw for fetched in batch.letters], batch.cursor, batch.more) == ([b"abc"], "7:3", True)
        with pytest.raises(LetterWithheld, match="UID 4 of INBOX") as raised:
            await imap.fetch_new(batch.cursor)
        assert (raised.value.key, raised.value.lost) == ("7:4", False)
        batch = await imap.fetch_new(batch.cursor, {raised.value.key})
        assert ([fetched.raw for fetched in batch.letters], batch.cursor, batch.more) == ([b"xyz"], "7:5", False)
        with pytest.raises(LetterWithheld):
            await imap.fetch_one("7:4")
        assert (await imap.fetch_one("7:6"), await imap.fetch_one("8:3")) == (None, None)
        found = await imap.fetch_one("7:3")
        assert found is not None
        assert (found.key, found.raw) == ("7:3", b"abc")
        await imap.close()


async def test_a_letter_that_ends_the_connection_is_found_one_by_one() -> None:
    def answer(line: bytes) -> bytes | None:
        tag = line.partition(b" ")[0]
        if b"UID FETCH" in line and b"BODY" in line:
            uids = line.split(b"FETCH ")[1].split(b" ")[0]
            if uids == b"3":
                return b"* 1 FETCH (UID 3 BODY[] {3}\r\nabc)\r\n" + tag + b" OK done\r\n"
            return b"* BYE oops\r\n"
        found: bytes | None = scripted(b"", search=b"* SEARCH 3 4 5\r\n")(line)
        return found

    async with ScriptedServer(b"* OK hi\r\n", answer) as server:
        imap = Imap(ImapSettings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=0.5, start="all"))
        for _ in range(2):  # once may be the network's fault
            with pytest.raises(MailboxError) as first:
                await imap.fetch_new(None)
            assert not isinstance(first.value, LetterWithheld)
        batch = await imap.fetch_new(None)
        assert [fetched.uid for fetched in batch.letters] == [3]
        with pytest.raises(LetterWithheld, match="UID 4") as raised:
            await imap.fetch_new(batch.cursor)
        assert raised.value.lost
        await imap.close()


def test_a_literal_is_bound_to_its_uid_wherever_that_stands() -> None:
    answers = [
        [b"1 FETCH (UID 5 BODY[] {1}", b"a", b")"],
        [b"2 FETCH (FLAGS (\\Seen))"],
        [b"3 FETCH (BODY[] {1}", b"b", b" UID 6)"],
        [b"4 FETCH (UID 7 FLAGS ())"],
    ]
    assert read_literals(answers) == {5: b"a", 6: b"b"}


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
    assert from_modified_utf7(wire) == name


@given(st.text(alphabet="&-+,/ABCZaz09 ", max_size=30))
def test_a_name_that_is_no_modified_utf7_stays_readable(name: str) -> None:
    assert isinstance(from_modified_utf7(name), str)


def test_listed_folders_are_named_as_people_write_them() -> None:
    lines = [
        rb'(\HasNoChildren) "/" INBOX',
        rb'(\Noselect \HasChildren) "/" "&BBcEMARPBDIEOgQ4-"',
        rb'(\HasNoChildren) "/" "&BBcEMARPBDIEOgQ4-/&BBMEPgRCBD4EMgQ+-"',
        rb'(\HasNoChildren) "." "a \"b\" \\ c"',
        rb"(\HasNoChildren) NIL {3}",
        rb"x&y",
        b"List completed.",
    ]
    assert read_folders(lines) == ["INBOX", 'a "b" \\ c', "x&y", "Заявки/Готово"]


@pytest.mark.parametrize(
    ("line", "separator"),
    [
        (rb'(\Noselect) "." ""', "."),
        (rb'(\Noselect) "\\" ""', "\\"),
        (rb'(\Noselect) NIL ""', ""),
        (b"List completed.", ""),
    ],
)
def test_the_separator_is_what_the_server_says(line: bytes, separator: str) -> None:
    assert read_separator([line]) == separator
