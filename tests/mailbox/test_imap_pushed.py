"""Letters that the server has just told of are found by one question; where that does not tell all, by the usual ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aioimaplib  # type: ignore[import-untyped]
import pytest

from imbot.domain.errors import LetterWithheld
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.imap_cursor import read_cursor
from imbot.mailbox.inbox import Batch
from tests.mailbox.imap_box import by_hand, letter, numbers, opened, put_back, settings
from tests.proxy import LONG, ScriptedServer, in_time
from tests.servers import Dovecot


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said to the servers."""
    lines: list[str] = []
    told: Callable[..., Any] = aioimaplib.IMAP4ClientProtocol.send

    def send(self: Any, line: str, *args: Any, **kwargs: Any) -> Any:
        lines.append(line.partition(" ")[2] or line)
        return told(self, line, *args, **kwargs)

    monkeypatch.setattr(aioimaplib.IMAP4ClientProtocol, "send", send)
    return lines


async def pushed(imap: Imap, dovecot: Dovecot, mailbox: str, *letters: bytes) -> None:
    """They come while it waits."""
    waiting = asyncio.ensure_future(imap.wait(LONG))
    await asyncio.sleep(0.1)
    dovecot.deliver(mailbox, *letters)
    async with in_time():
        assert await waiting


@pytest.mark.servers
async def test_a_letter_that_is_pushed_is_asked_for_once(dovecot: Dovecot, mailbox: str, said: list[str]) -> None:
    dovecot.deliver(mailbox, letter(1))
    async with opened(settings(dovecot, mailbox)) as imap:
        batch = await imap.fetch_new(None)
        for number in (2, 3):
            await pushed(imap, dovecot, mailbox, letter(number))
            said.clear()
            batch = await imap.fetch_new(batch.cursor)
            assert (numbers(batch), batch.more, batch.anew) == ([number], False, False)
            assert [line.split()[:2] for line in said] == [["UID", "FETCH"]]
        whole = batch.letters[0]
        assert (whole.raw.endswith(letter(3)), whole.size, whole.truncated) == (True, len(whole.raw), False)
        again = await imap.fetch_new(batch.cursor)
        assert (again.letters, again.cursor) == ((), batch.cursor)
    async with opened(
        settings(dovecot, mailbox)
    ) as imap:  # the cursor means to a new connection what it means to this one
        assert numbers(await imap.fetch_new(batch.cursor)) == []


@pytest.mark.servers
async def test_a_backlog_is_searched_for_once(dovecot: Dovecot, mailbox: str, said: list[str]) -> None:
    dovecot.deliver(mailbox, *(letter(number) for number in range(1, 9)))
    async with opened(settings(dovecot, mailbox, window=3)) as imap:
        batch = await imap.fetch_new(None)
        found, moved = numbers(batch), [batch.more]
        with by_hand(dovecot, mailbox) as client:  # gone before its window is asked for
            client.select("INBOX")
            client.store("5", "+FLAGS", r"(\Deleted)")
            client.expunge()
        dovecot.deliver(mailbox, letter(9))
        said.clear()
        while batch.more:
            batch = await imap.fetch_new(batch.cursor)
            found += numbers(batch)
            moved.append(batch.more)
        assert (found, moved) == ([1, 2, 3, 4, 6, 7, 8], [True, True, False])
        assert [line for line in said if "SELECT" in line] == []
        assert numbers(await imap.fetch_new(batch.cursor)) == [9]
        again = await imap.fetch_new(
            str(read_cursor(batch.cursor).at(3, -1))
        )  # another place than the one it stands at
        assert numbers(again) == [4, 6, 7]


@pytest.mark.servers
async def test_long_letters_come_whole_and_those_over_the_limit_as_headers(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    async with opened(settings(dovecot, mailbox, largest=200_000)) as imap:
        first = await imap.fetch_new(None)
        waiting = asyncio.ensure_future(imap.wait(LONG))
        await asyncio.sleep(0.1)
        dovecot.deliver(mailbox, letter(2, size=100_000), letter(3), letter(4, size=300_000))
        async with in_time():
            assert await waiting
        found = list((await imap.fetch_new(first.cursor)).letters)
        cursor = found[-1].cursor
        while batch := (await imap.fetch_new(cursor)).letters:  # where the push told of fewer
            found += batch
            cursor = batch[-1].cursor
    assert [b"letter %d" % number in one.raw for number, one in enumerate(found, 2)] == [True] * 3
    assert [(len(one.raw) > 100_000, one.truncated) for one in found] == [(True, False), (False, False), (False, True)]


@pytest.mark.servers
async def test_a_letter_beside_those_that_were_told_of_is_found_as_well(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    async with opened(settings(dovecot, mailbox)) as imap:
        batch = await imap.fetch_new(None)
        await pushed(imap, dovecot, mailbox, letter(2))
        dovecot.deliver(mailbox, letter(3))
        batch = await imap.fetch_new(batch.cursor)
        found = numbers(batch)
        if found == [2]:  # the session had not heard of the other one yet
            async with in_time():
                assert await imap.wait(LONG)
            found += numbers(await imap.fetch_new(batch.cursor))
        assert found == [2, 3]


@pytest.mark.servers
async def test_a_letter_that_somebody_takes_out_meanwhile_hides_no_other(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2))
    async with opened(settings(dovecot, mailbox)) as imap:
        batch = await imap.fetch_new(None)
        await pushed(imap, dovecot, mailbox, letter(3), letter(4))
        with by_hand(dovecot, mailbox) as client:
            client.select("INBOX")
            client.store("3", "+FLAGS", r"(\Deleted)")
            client.expunge()
        assert numbers(await imap.fetch_new(batch.cursor)) == [4]


@pytest.mark.servers
async def test_a_folder_put_back_while_it_waits_is_read_again(dovecot: Dovecot, mailbox: str) -> None:
    """The connection goes with the folder, and the wait that follows opens another one by itself."""
    dovecot.deliver(mailbox, letter(1))
    async with opened(settings(dovecot, mailbox)) as imap:
        with put_back(dovecot, mailbox):
            dovecot.deliver(mailbox, letter(2))
            before = await imap.fetch_new(None)
            await imap.close()
        await asyncio.sleep(1.1)  # a letter's date of arrival counts seconds
        dovecot.deliver(mailbox, letter(3))  # bears the UID of the second one
        await pushed(imap, dovecot, mailbox, letter(4))
        again = await imap.fetch_new(before.cursor)
    assert (numbers(again), again.anew) == ([1, 3, 4], True)


class Desk:
    """A server that holds letter 8, tells of 9 and 10 while we idle, and says `fetched` when asked for what lies from 8 on, None:
    hangs up. One by one it hands out all but those `held_back`."""

    def __init__(self, fetched: bytes | None, held_back: Sequence[int] = ()) -> None:
        self._fetched, self._held_back, self._idle, self._came = fetched, held_back, b"", False

    def __call__(self, line: bytes) -> bytes | None:
        tag, _, rest = line.partition(b" ")
        verb, said = rest.upper(), b""
        if line.upper() == b"DONE":
            return self._idle + b" OK done\r\n"
        if verb.startswith(b"IDLE"):
            self._idle, self._came = tag, True
            return b"+ idling\r\n* 3 EXISTS\r\n"
        if verb.startswith(b"UID FETCH 8:*"):
            return None if self._fetched is None else self._fetched.replace(b"{tag}", tag)
        if verb.startswith(b"CAPABILITY"):
            said = b"* CAPABILITY IMAP4rev1 IDLE\r\n"
        elif verb.startswith(b"SELECT"):
            said = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] ok\r\n"
            said %= (3, 11) if self._came else (1, 9)
        elif verb.startswith(b"UID SEARCH"):
            said = b"* SEARCH 8 9 10\r\n" if self._came else b"* SEARCH 8\r\n"
        elif verb.startswith(b"UID FETCH") and b"BODY" in verb:
            uids = range(9, 11) if b"9:10" in verb else [int(verb.split()[2])]
            said = b"".join(piece(uid) for uid in uids if uid not in self._held_back)
        return said + tag + b" OK done\r\n"


def piece(uid: int, cut: int = 0) -> bytes:
    """As some servers answer: the name of what was asked for stands last, and the size is a guess, as Exchange's. `cut`: so many
    bytes come of it."""
    raw = letter(uid)[: cut or None]
    told = b'RFC822.SIZE %d INTERNALDATE " 1-Dec-2026 09:00:00 +0000"' % (len(raw) - 1 if not cut else 40)
    return b"* %d FETCH (%s BODY[]<0> {%d}\r\n%s UID %d)\r\n" % (uid - 7, told, len(raw), raw, uid)


BOTH, DONE = piece(9) + piece(10), b"{tag} OK done\r\n"


@pytest.mark.parametrize(
    ("fetched", "asks"),
    [
        pytest.param(BOTH + DONE, 1, id="all"),
        pytest.param(piece(10) + piece(8) + piece(9) + DONE, 1, id="in another order, the last one read among them"),
        pytest.param(piece(10) + DONE, 6, id="one is missing"),
        pytest.param(piece(9, cut=20) + piece(10) + DONE, 2, id="one is cut short"),
        pytest.param(DONE, 6, id="none"),
        pytest.param(b"{tag} NO [SERVERBUG] cannot\r\n", 6, id="refused"),
        pytest.param(b"{tag} BAD what?\r\n", 6, id="not understood"),
        pytest.param(None, 10, id="hangs up"),
    ],
)
async def test_whatever_is_said_to_the_one_question_both_letters_are_found(fetched: bytes | None, asks: int) -> None:
    async with ScriptedServer(b"* OK hi\r\n", Desk(fetched)) as server, opened(spoken(server)) as imap:
        assert numbers(await imap.fetch_new("7:8")) == []
        async with in_time():
            assert await imap.wait(LONG)
        asked = len(server.lines)
        assert [one.raw for one in (await imap.fetch_new("7:8")).letters] == [letter(9), letter(10)]
        assert len(server.lines) - asked <= asks + 1  # and DONE


@pytest.mark.parametrize("held_back", [9, 10])
async def test_a_letter_that_is_held_back_is_passed_over_by_nobody(held_back: int) -> None:
    other = 19 - held_back
    desk = Desk(piece(other) + DONE, [held_back])
    async with ScriptedServer(b"* OK hi\r\n", desk) as server, opened(spoken(server)) as imap:
        await imap.fetch_new("7:8")
        async with in_time():
            assert await imap.wait(LONG)
        if held_back == 10:
            batch: Batch = await imap.fetch_new("7:8")
            assert (numbers(batch), batch.more) == ([9], True)
            with pytest.raises(LetterWithheld, match="UID 10 "):
                await imap.fetch_new(batch.cursor)
            return
        with pytest.raises(LetterWithheld, match="UID 9 "):
            await imap.fetch_new("7:8")
        assert numbers(await imap.fetch_new("7:8", without=["7:9"])) == [10]


class Late(Desk):
    """Tells of one letter, and then another one has come as well."""

    def __call__(self, line: bytes) -> bytes | None:
        said = super().__call__(line)
        return said.replace(b"* 3 EXISTS", b"* 2 EXISTS") if said and said.startswith(b"+") else said


async def test_a_letter_that_came_meanwhile_does_not_stand_for_one_that_is_held_back() -> None:
    desk = Late(b"* 3 EXISTS\r\n" + piece(8) + piece(10) + DONE, [9])
    async with ScriptedServer(b"* OK hi\r\n", desk) as server, opened(spoken(server)) as imap:
        await imap.fetch_new("7:8")
        async with in_time():
            assert await imap.wait(LONG)
        with pytest.raises(LetterWithheld, match="UID 9 "):
            await imap.fetch_new("7:8")


def spoken(server: ScriptedServer) -> ImapSettings:
    return ImapSettings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all")
