"""Reading a mailbox by POP3 on a real Dovecot, and on scripted servers that lack the optional commands."""

from __future__ import annotations

import asyncio
import dataclasses
import poplib
from collections.abc import Iterator
from typing import Any

import pytest

from imbot.domain.errors import MailboxError
from imbot.mailbox.inbox import Batch
from imbot.mailbox.pop3 import Pop3, Pop3Settings
from tests.proxy import LONG, Proxy, ScriptedServer, in_time
from tests.servers import Certificates, Dovecot, open_folder

pytestmark = pytest.mark.servers

DAY = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 20_000.0 * DAY

    def __call__(self) -> float:
        return self.now


def settings(dovecot: Dovecot, mailbox: str, **changes: Any) -> Pop3Settings:
    plain = Pop3Settings(
        "127.0.0.1",
        dovecot.ports["POP3"],
        mailbox,
        dovecot.password,
        tls="none",
        ca_file=str(dovecot.certificates.ca),
        timeout=5,
        start="all",
    )
    return dataclasses.replace(plain, **changes)


def letter(number: int, size: int = 0) -> bytes:
    text = b".dot\r\n" + b"x" * size
    return b"Subject: letter %d\r\nMessage-ID: <%d@itsm.test>\r\n\r\n%s\r\n" % (number, number, text)


def numbers(batch: Batch) -> list[int]:
    return [int(fetched.raw.split(b"Subject: letter ")[1].split(b"\r\n")[0]) for fetched in batch.letters]


async def test_letters_are_handed_over_once_by_their_uidl(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2))
    pop = Pop3(settings(dovecot, mailbox))
    first = await pop.fetch_new(None)
    assert (numbers(first), first.more) == ([1, 2], False)
    assert first.letters[0].raw.endswith(letter(1))
    assert numbers(await pop.fetch_new(first.letters[0].cursor)) == [2]
    assert numbers(await pop.fetch_new(first.cursor)) == []
    dovecot.deliver(mailbox, letter(3))
    await pop.mark(first.letters)
    assert numbers(await pop.fetch_new(first.cursor)) == [3]
    await pop.close()


async def test_the_first_run_starts_at_now_unless_told_otherwise(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    clock = Clock()
    pop = Pop3(settings(dovecot, mailbox, start="now", delete_after_days=1), clock)
    begin = await pop.fetch_new(None)
    assert (begin.letters, begin.more) == ((), False)
    dovecot.deliver(mailbox, letter(2))
    second = await pop.fetch_new(begin.cursor)
    assert numbers(second) == [2]
    clock.now += 30 * DAY
    third = await pop.fetch_new(second.cursor)
    # What was there before the first run was never read, so it is never deleted: only letter 2 is.
    assert numbers(await Pop3(settings(dovecot, mailbox)).fetch_new(None)) == [1]
    assert numbers(await pop.fetch_new(third.cursor)) == []


async def test_an_empty_mailbox_gives_a_cursor_that_holds(dovecot: Dovecot, mailbox: str) -> None:
    pop = Pop3(settings(dovecot, mailbox, start="now"))
    begin = await pop.fetch_new(None)
    dovecot.deliver(mailbox, letter(1))
    assert numbers(await pop.fetch_new(begin.cursor)) == [1]


async def test_letters_are_deleted_only_after_the_days_and_only_those_the_cursor_knows(
    dovecot: Dovecot, mailbox: str
) -> None:
    clock = Clock()
    pop = Pop3(settings(dovecot, mailbox, delete_after_days=3), clock)
    dovecot.deliver(mailbox, letter(1))
    first = await pop.fetch_new(None)
    clock.now += 2 * DAY
    dovecot.deliver(mailbox, letter(2))
    second = await pop.fetch_new(first.cursor)
    clock.now += 1 * DAY
    await pop.fetch_new(first.cursor)  # the cursor with letter 2 was never kept: letter 2 may not be durable
    everything = Pop3(settings(dovecot, mailbox))
    assert numbers(await everything.fetch_new(None)) == [2]
    clock.now += 2 * DAY
    await pop.fetch_new(second.cursor)
    assert numbers(await everything.fetch_new(None)) == []


async def test_nothing_is_deleted_without_the_setting(dovecot: Dovecot, mailbox: str) -> None:
    clock = Clock()
    dovecot.deliver(mailbox, letter(1))
    pop = Pop3(settings(dovecot, mailbox), clock)
    cursor = (await pop.fetch_new(None)).cursor
    clock.now += 1000 * DAY
    await pop.fetch_new(cursor)
    assert numbers(await pop.fetch_new(None)) == [1]


async def test_a_window_is_not_exceeded(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, *(letter(number) for number in range(12)))
    pop = Pop3(settings(dovecot, mailbox, window=5))
    cursor, sizes, seen = None, [], []
    while True:
        batch = await pop.fetch_new(cursor)
        sizes.append(len(batch.letters))
        seen += numbers(batch)
        cursor = batch.cursor
        if not batch.more:
            break
    assert (sizes, seen) == ([5, 5, 2], list(range(12)))


async def test_a_letter_over_the_limit_comes_as_headers_only(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2, size=50_000))
    batch = await Pop3(settings(dovecot, mailbox, largest=20_000)).fetch_new(None)
    assert [fetched.truncated for fetched in batch.letters] == [False, True]
    assert (numbers(batch), len(batch.letters[1].raw) < 2_000) == ([1, 2], True)
    assert batch.letters[1].size > 50_000


async def test_a_line_of_100_kb_is_read(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1, size=100_000))
    batch = await Pop3(settings(dovecot, mailbox)).fetch_new(None)
    assert len(batch.letters[0].raw) > 100_000


@pytest.mark.parametrize(("tls", "port"), [("starttls", "POP3"), ("tls", "POP3S")])
async def test_tls_is_spoken_and_verified(dovecot: Dovecot, mailbox: str, tls: Any, port: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    right = settings(dovecot, mailbox, tls=tls, port=dovecot.ports[port])
    assert numbers(await Pop3(right).fetch_new(None)) == [1]
    wrong = dataclasses.replace(right, ca_file=str(dovecot.certificates.other_ca))
    with pytest.raises(MailboxError, match="certificate") as raised:
        await Pop3(wrong).fetch_new(None)
    assert raised.value.permanent


async def test_a_password_beyond_ascii_signs_in(dovecot: Dovecot) -> None:
    said = await Pop3(settings(dovecot, "cat@example.test", password="пароль")).check()
    assert "signed in as cat@example.test, 0 letters" in said


async def test_a_wrong_password_is_permanent_and_not_repeated_in_the_error(dovecot: Dovecot, mailbox: str) -> None:
    with pytest.raises(MailboxError) as raised:
        await Pop3(settings(dovecot, mailbox, password="not-the-one")).check()
    assert raised.value.permanent
    assert "not-the-one" not in str(raised.value)


async def test_nobody_listening_is_a_passing_error(dovecot: Dovecot, mailbox: str, unused_port: int) -> None:
    with pytest.raises(MailboxError) as raised:
        await Pop3(settings(dovecot, mailbox, port=unused_port)).fetch_new(None)
    assert not raised.value.permanent


async def test_wait_waits_and_knows_nothing(dovecot: Dovecot, mailbox: str) -> None:
    assert not await Pop3(settings(dovecot, mailbox)).wait(0.01)


async def test_a_cut_in_the_middle_of_a_letter_is_an_error_and_nothing_is_half(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1), letter(2, size=100_000))
    async with Proxy(dovecot.ports["POP3"]) as proxy:
        pop = Pop3(settings(dovecot, mailbox, port=proxy.port))
        proxy.cut_after = 30_000
        with pytest.raises(MailboxError):
            await pop.fetch_new(None)
        async with asyncio.timeout(10):  # Dovecot keeps the mailbox for the lost session a moment longer
            while True:
                try:
                    batch = await pop.fetch_new(None)
                    break
                except MailboxError as error:
                    assert not error.permanent  # noqa: PT017
        assert numbers(batch) == [1, 2]


async def test_silence_and_slowness_are_given_up_in_time(dovecot: Dovecot, mailbox: str) -> None:
    async with Proxy(dovecot.ports["POP3"]) as proxy:
        proxy.byte_pause = 0.05
        async with in_time():
            with pytest.raises(MailboxError, match=r"not done within 0\.6 s"):
                await Pop3(settings(dovecot, mailbox, port=proxy.port, session=0.6)).fetch_new(None)
            proxy.freeze()
            with pytest.raises(MailboxError, match="timed out"):
                await Pop3(settings(dovecot, mailbox, port=proxy.port, timeout=0.4)).fetch_new(None)


@pytest.fixture(scope="module")
def locking(certificates: Certificates) -> Iterator[Dovecot]:
    """A server that gives a mailbox to one POP3 session at a time (RFC 1939)."""
    with open_folder("imbot-dovecot-") as folder:
        server = Dovecot(folder, certificates, extra="pop3_lock_session = yes\n").start()
        yield server
        server.stop()


async def test_a_mailbox_that_another_session_holds_is_a_passing_error(locking: Dovecot, mailbox: str) -> None:
    locking.deliver(mailbox, letter(1))
    pop = Pop3(settings(locking, mailbox, timeout=0.7))  # Dovecot says nothing while it waits for the lock
    other = poplib.POP3("127.0.0.1", locking.ports["POP3"], timeout=5)
    other.user(mailbox)
    other.pass_(locking.password)
    try:
        with pytest.raises(MailboxError) as raised:
            await pop.fetch_new(None)
        assert not raised.value.permanent
    finally:
        other.quit()
    assert numbers(await pop.fetch_new(None)) == [1]


async def test_a_locked_mailbox_is_a_passing_error() -> None:
    def answer(line: bytes) -> bytes | None:
        return b"-ERR [IN-USE] locked\r\n" if line.startswith(b"PASS") else b"+OK\r\n"

    async with ScriptedServer(b"+OK\r\n", answer) as server:
        with pytest.raises(MailboxError, match="locked") as raised:
            await Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2)).fetch_new(None)
    assert not raised.value.permanent


async def test_a_cursor_of_another_kind_reads_everything(dovecot: Dovecot, mailbox: str) -> None:
    dovecot.deliver(mailbox, letter(1))
    assert numbers(await Pop3(settings(dovecot, mailbox)).fetch_new("1700000000:17")) == [1]


async def test_a_cancelled_visit_ends_its_thread(dovecot: Dovecot, mailbox: str) -> None:
    async with Proxy(dovecot.ports["POP3"]) as proxy:
        pop = Pop3(settings(dovecot, mailbox, port=proxy.port, timeout=LONG))
        proxy.freeze()
        visiting = asyncio.ensure_future(pop.fetch_new(None))
        async with in_time():
            await proxy.held.wait()
        visiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visiting
        async with in_time():
            await asyncio.get_running_loop().shutdown_default_executor()
