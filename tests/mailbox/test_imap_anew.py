"""A folder that is begun anew, and a mailbox that stands for another one: nothing that came in is passed over."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.mailbox.imap import Imap
from imbot.mailbox.imap_cursor import ImapCursor, read_cursor
from imbot.mailbox.inbox import Fetched
from tests.mailbox.imap_box import by_hand, folder_made_anew, letter, numbers, opened, put_back, settings
from tests.servers import Dovecot


@pytest.mark.servers
async def test_a_mailbox_put_back_from_a_backup_is_read_again(dovecot: Dovecot, mailbox: str) -> None:
    """UIDVALIDITY is as before, and the UIDs of letters that are gone are given to others."""
    dovecot.deliver(mailbox, letter(1))
    with put_back(dovecot, mailbox):
        dovecot.deliver(mailbox, letter(2), letter(3))
        async with opened(settings(dovecot, mailbox)) as imap:
            before = await imap.fetch_new(None)
            assert (numbers(before), before.anew) == ([1, 2, 3], False)
    async with opened(settings(dovecot, mailbox)) as imap:
        again = await imap.fetch_new(before.cursor)
        assert (numbers(again), again.anew) == ([1], True)
        assert (await imap.fetch_new(again.cursor)).anew is False
        dovecot.deliver(mailbox, letter(4))
        assert numbers(await imap.fetch_new(again.cursor)) == [4]
        await imap.mark([Fetched("", "", b"", uid=3, uidvalidity=before.letters[0].uidvalidity)])
        dovecot.deliver(mailbox, letter(5))
    with by_hand(dovecot, mailbox) as client:
        client.select("INBOX")
        assert client.search(None, "SEEN")[1] == [b""]


@pytest.mark.servers
async def test_a_backup_that_has_outgrown_the_cursor_meanwhile_is_known_by_the_last_letter(
    dovecot: Dovecot, mailbox: str
) -> None:
    dovecot.deliver(mailbox, letter(1))
    with put_back(dovecot, mailbox):
        dovecot.deliver(mailbox, letter(2))
        async with opened(settings(dovecot, mailbox)) as imap:
            before = await imap.fetch_new(None)
    await asyncio.sleep(1.1)  # a letter's date of arrival counts seconds
    dovecot.deliver(mailbox, letter(3), letter(4), letter(5))
    async with opened(settings(dovecot, mailbox)) as imap:
        again = await imap.fetch_new(before.cursor)
        assert (numbers(again), again.anew) == ([1, 3, 4, 5], True)


@pytest.mark.servers
async def test_letters_of_before_the_first_run_are_left_alone_in_a_folder_begun_anew_for_good(
    dovecot: Dovecot, mailbox: str
) -> None:
    def fill() -> None:
        for number, day in ((1, "10-Nov-2026"), (2, "20-Nov-2026"), (3, "11-Nov-2026"), (4, "21-Nov-2026")):
            client.append("Status", "", f'"{day} 12:00:00 +0000"', letter(number))

    first_run = 1_794_787_200  # 2026-11-16
    with by_hand(dovecot, mailbox) as client:
        client.create("Status")
        of = settings(dovecot, mailbox, folder="Status", start="now", window=1)
        imap = Imap(of, clock=lambda: first_run)
        cursor = (await imap.fetch_new(None)).cursor
        await imap.close()
        folder_made_anew(client, "Status")
        fill()
        found = []
        async with opened(of) as imap:
            for _ in range(5):
                batch = await imap.fetch_new(cursor)
                found += numbers(batch)
                cursor = batch.cursor
            client.append("Status", "", '"01-Nov-2026 12:00:00 +0000"', letter(5))  # somebody moves an old one here
            found += numbers(await imap.fetch_new(cursor))
    assert found == [2, 4, 5]


@pytest.mark.servers
async def test_a_mailbox_that_stands_for_another_is_read_from_its_beginning(dovecot: Dovecot, mailbox: str) -> None:
    """Whatever came there while it was moved is not skipped, though a first run starts at now."""
    dovecot.deliver(mailbox, letter(1))
    async with opened(settings(dovecot, mailbox, start="now")) as imap:
        there = await imap.fetch_new(None)
        begin = imap.elsewhere(there.cursor)
        assert read_cursor(begin).day == read_cursor(there.cursor).day > 0
        assert numbers(await imap.fetch_new(begin)) == [1]
        assert imap.elsewhere("pop3 abc.20000") == imap.elsewhere("") == "0:0"
        assert imap.place == f"imap://{mailbox}@127.0.0.1/INBOX"


@given(
    st.builds(
        ImapCursor,
        validity=st.integers(0, 2**32),
        uid=st.integers(0, 2**32),
        day=st.integers(0, 99_999),
        came=st.integers(-1, 2**33),
        below=st.just(0),
    )
)
def test_a_cursor_reads_back(cursor: ImapCursor) -> None:
    assert read_cursor(str(cursor)) == cursor


def test_cursors_of_earlier_versions_are_read_and_what_is_none_starts_from_the_beginning() -> None:
    assert read_cursor("7:42") == ImapCursor(7, 42)
    assert read_cursor("7:42:20700") == ImapCursor(7, 42, 20700)
    assert read_cursor(str(ImapCursor(7, 1, 20700, 5, below=9))) == ImapCursor(7, 1, 20700, 5, 9)
    for text in (None, "", "pop3 a.1", "7", ":5", "7:", "7:x", "7:1:2:3:4:5", "²:1"):
        assert read_cursor(text) == ImapCursor()
