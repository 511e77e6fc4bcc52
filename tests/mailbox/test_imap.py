"""Reading a mailbox by IMAP on a real Dovecot: what is new, what is marked, what is refused."""

from __future__ import annotations

import asyncio
import imaplib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from imbot.domain.errors import MailboxError
from imbot.mailbox.imap_names import folder_name
from tests.mailbox.imap_box import FULL, by_hand, folder_made_anew, letter, numbers, opened, settings
from tests.proxy import LONG, in_time
from tests.servers import Certificates, Dovecot, open_folder

pytestmark = pytest.mark.servers


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
        with by_hand(dovecot, mailbox) as client:
            folder_made_anew(client, "Status")
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


async def test_a_changed_uidvalidity_brings_no_letters_of_the_days_before_the_first_run(
    dovecot: Dovecot, mailbox: str
) -> None:
    def fill(client: imaplib.IMAP4, *numbers: int) -> None:
        for number in numbers:
            came = imaplib.Time2Internaldate(time.time() - (30 if number == 1 else 0) * 86_400)
            client.append("Status", "", came, letter(number))

    with by_hand(dovecot, mailbox) as client:
        client.create("Status")
        fill(client, 1)
    async with opened(settings(dovecot, mailbox, folder="Status", start="now")) as imap:
        begin = await imap.fetch_new(None)
        with by_hand(dovecot, mailbox) as client:
            fill(client, 2)
        second = await imap.fetch_new(begin.cursor)
        assert numbers(second) == [2]
        await imap.close()
        with by_hand(dovecot, mailbox) as client:
            folder_made_anew(client, "Status")
            fill(client, 1, 2, 3)
        again = await imap.fetch_new(second.letters[0].cursor)
        assert numbers(again) == [2, 3]
        assert numbers(await imap.fetch_new(again.cursor)) == []


async def test_a_mailbox_renamed_under_us_is_an_error_that_names_it(dovecot: Dovecot, mailbox: str) -> None:
    with by_hand(dovecot, mailbox) as client:
        client.create("Status")
    async with opened(settings(dovecot, mailbox, folder="Status")) as imap:
        cursor = (await imap.fetch_new(None)).cursor
        with by_hand(dovecot, mailbox) as client:
            client.rename("Status", "Elsewhere")
        with pytest.raises(MailboxError, match=r"opening Status: NO .*; there are INBOX, Elsewhere$") as raised:
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
    monkeypatch.setattr("imbot.mailbox.imap_taking._BATCH_BYTES", 25_000)
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
        waiting = asyncio.ensure_future(imap.wait(LONG))
        dovecot.deliver(mailbox, letter(2))
        async with in_time():
            assert await waiting
        assert numbers(await imap.fetch_new(batch.cursor)) == [2]


@pytest.mark.parametrize(("tls", "port"), [("starttls", "IMAP"), ("tls", "IMAPS")])
async def test_a_certificate_of_another_authority_is_refused(
    dovecot: Dovecot, mailbox: str, tls: Any, port: str
) -> None:
    wrong = settings(dovecot, mailbox, tls=tls, port=dovecot.ports[port], ca_file=str(dovecot.certificates.other_ca))
    async with opened(wrong) as imap:
        with pytest.raises(MailboxError, match=r"certificate is not trusted: .*; .* in ca_file") as raised:
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


async def test_a_folder_that_is_missing_is_told_with_those_that_exist_in_their_own_letters(
    dovecot: Dovecot, mailbox: str
) -> None:
    with by_hand(dovecot, mailbox) as client:
        client.create(folder_name("Заявки/В работе"))
        client.create(folder_name("R&D"))
    async with opened(settings(dovecot, mailbox, folder="Заявки/Решено")) as imap:
        with pytest.raises(MailboxError, match="; there are INBOX, R&D, Заявки/В работе") as raised:
            await imap.fetch_new(None)
        assert raised.value.permanent
        with by_hand(dovecot, mailbox) as client:
            client.create(folder_name("Заявки/Решено"))
        assert numbers(await imap.fetch_new(None)) == []  # the connection is the same, and good


@pytest.fixture(scope="module")
def dotted(certificates: Certificates) -> Iterator[Dovecot]:
    """A server with another separator of folders, an INBOX that the others lie in, and a quota."""
    with open_folder("imbot-dovecot-") as folder:
        server = Dovecot(folder, certificates, extra=FULL).start()
        yield server
        server.stop()


async def test_a_slash_stands_for_whatever_separator_the_server_has(dotted: Dovecot, mailbox: str) -> None:
    dotted.deliver(mailbox, letter(1))
    with by_hand(dotted, mailbox) as client:
        client.create(folder_name("INBOX.Заявки.Новые"))
        client.append(folder_name("INBOX.Заявки.Новые"), "", "", letter(2))
    of = settings(dotted, mailbox, folder="INBOX/Заявки/Новые", processed_folder="INBOX/Заявки/Готово & архив")
    async with opened(of) as imap:
        batch = await imap.fetch_new(None)
        assert numbers(batch) == [2]
        await imap.mark(batch.letters)
        assert numbers(await imap.fetch_new(None)) == []
    async with opened(settings(dotted, mailbox, folder="INBOX.Заявки.Готово & архив")) as imap:
        assert numbers(await imap.fetch_new(None)) == [2]


async def test_a_full_mailbox_refuses_the_move_and_keeps_the_connection_and_the_letter(
    dotted: Dovecot, mailbox: str
) -> None:
    dotted.deliver(mailbox, letter(1, size=70_000))
    async with opened(settings(dotted, mailbox, processed_folder="INBOX/Done")) as imap:
        batch = await imap.fetch_new(None)
        with pytest.raises(MailboxError, match="OVERQUOTA") as raised:
            await imap.mark(batch.letters)
        assert not raised.value.permanent
        assert numbers(await imap.fetch_new(None)) == [1]


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
