"""POP3 servers that know no UIDL, give one twice, forget or withhold: scripted, for no real one does it on order."""

from __future__ import annotations

from typing import Any

import pytest

from imbot.domain.errors import LetterWithheld, MailboxError
from imbot.mailbox.pop3 import Pop3, Pop3Settings
from imbot.mailbox.pop3_cursor import short_hash
from tests.mailbox.test_pop3 import DAY, Clock, numbers
from tests.proxy import ScriptedServer


def scripted(
    letters: dict[int, bytes], *, top: bool, uidl: bytes = b"-ERR what?\r\n", deleted: set[int] | None = None
) -> Any:
    """A small POP3 server: without UIDL unless given its answer, with or without TOP."""

    def answer(line: bytes) -> bytes | None:
        verb, *words = line.split()
        if verb == b"LIST":
            return b"+OK\r\n" + b"".join(b"%d %d\r\n" % (n, len(raw)) for n, raw in letters.items()) + b".\r\n"
        if verb == b"UIDL":
            return uidl
        if verb == b"TOP" and not top:
            return b"-ERR what?\r\n"
        if verb in {b"RETR", b"TOP"}:
            raw = letters[int(words[0])]
            return b"+OK\r\n" + (raw.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if verb == b"TOP" else raw) + b".\r\n"
        if verb == b"DELE" and deleted is not None:
            deleted.add(int(words[0]))
        return b"+OK\r\n"

    return answer


@pytest.mark.parametrize("top", [True, False])
async def test_without_uidl_letters_are_told_apart_by_their_content(top: bool) -> None:
    letters = {1: b"Subject: letter 1\r\n\r\na\r\n", 2: b"Subject: letter 2\r\n\r\nb\r\n"}
    async with ScriptedServer(b"+OK\r\n", scripted(letters, top=top)) as server:
        pop = Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all"))
        first = await pop.fetch_new(None)
        assert numbers(first) == [1, 2]
        del letters[1]
        letters[2], letters[3] = b"Subject: letter 3\r\n\r\nc\r\n", letters[2]  # numbers change from visit to visit
        assert numbers(await pop.fetch_new(first.cursor)) == [3]
        assert "no UIDL" in await pop.check()


@pytest.mark.parametrize("top", [True, False])
async def test_without_uidl_a_visit_reads_what_is_new_and_one_letter_more(top: bool) -> None:
    verb = b"TOP" if top else b"RETR"
    letters = {n: b"Subject: letter %d\r\n\r\nsame size\r\n" % n for n in range(1, 10)}
    async with ScriptedServer(b"+OK\r\n", scripted(letters, top=top)) as server:
        pop = Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all"))

        async def visit(cursor: str | None) -> tuple[list[int], str, int]:
            before = len(server.lines)
            batch = await pop.fetch_new(cursor)
            named = [line for line in server.lines[before:] if line.startswith(verb)]
            return numbers(batch), batch.cursor, len(named) - (0 if top else len(batch.letters))

        new, cursor, read = await visit(None)
        assert (new, read) == (list(range(1, 10)), 9)
        letters[10] = b"Subject: letter 0\r\n\r\nsame size\r\n"
        new, cursor, read = await visit(cursor)
        assert (new, read) == ([0], 2)
        assert (await visit(cursor))[0::2] == ([], 1)
        kept = [raw for number, raw in letters.items() if number != 4]  # deleted by somebody: numbers move up
        letters.clear()
        letters.update(enumerate([*kept, b"Subject: letter 7\r\n\r\nanother 7 \r\n"], 1))
        new, cursor, _ = await visit(cursor)
        assert new == [7]
        assert (await visit(cursor))[0::2] == ([], 1)


async def test_a_list_that_is_empty_by_mistake_forgets_nothing() -> None:
    letters = {1: b"Subject: letter 1\r\n\r\na\r\n"}
    async with ScriptedServer(b"+OK\r\n", scripted(letters, top=True)) as server:
        pop = Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all"))
        cursor = (await pop.fetch_new(None)).cursor
        kept = letters.pop(1)
        cursor = (await pop.fetch_new(cursor)).cursor
        letters[1] = kept
        assert numbers(await pop.fetch_new(cursor)) == []


def uidl(*names: bytes) -> bytes:
    return b"+OK\r\n" + b"".join(b"%d %s\r\n" % (n, name) for n, name in enumerate(names, 1)) + b".\r\n"


def told(number: int, words: bytes) -> bytes:
    return b"Subject: letter %d\r\nMessage-ID: <1@itsm.test>\r\n\r\n%s\r\n" % (number, words)


@pytest.mark.parametrize("top", [True, False])
async def test_letters_that_share_a_uidl_are_all_read_and_each_once(top: bool) -> None:
    """Some servers make it of the Message-ID."""
    letters = {1: told(1, b"registered"), 2: told(2, b"done")}
    names = [b"same", b"same"]
    cursor: str | None = None
    seen: list[Any] = []
    async with ScriptedServer(b"+OK\r\n", lambda line: scripted(letters, top=top, uidl=uidl(*names))(line)) as server:
        pop = Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all"))
        for _ in range(3):
            batch = await pop.fetch_new(cursor)
            cursor, seen = batch.cursor, [*seen, sorted(numbers(batch))]
            assert len({fetched.key for fetched in batch.letters}) == len(batch.letters)
            if len(letters) == 2:
                letters[3] = told(3, b"reopened")
                names.append(b"same")
    assert seen == [[1, 2], [3], []]


async def test_a_uidl_that_is_given_again_is_another_letter() -> None:
    letters, names = {1: told(1, b"registered")}, [b"again"]
    async with ScriptedServer(b"+OK\r\n", lambda line: scripted(letters, top=True, uidl=uidl(*names))(line)) as server:
        pop = Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all"))
        first = await pop.fetch_new(None)
        letters[1] = told(2, b"done")
        assert numbers(await pop.fetch_new(first.cursor)) == [2]


async def test_what_was_not_handed_over_is_not_deleted_whatever_its_name() -> None:
    letters, names, deleted = {1: told(1, b"this"), 2: told(2, b"two")}, [b"one", b"two"], set[int]()
    answer = lambda line: scripted(letters, top=True, uidl=uidl(*names), deleted=deleted)(line)  # noqa: E731
    async with ScriptedServer(b"+OK\r\n", answer) as server:
        clock = Clock()
        of = Pop3Settings(
            "127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all", delete_after_days=3
        )
        pop = Pop3(of, clock)
        cursor = (await pop.fetch_new(None)).cursor
        letters[1] = told(3, b"that")  # of the same size
        clock.now += 3 * DAY
        batch = await pop.fetch_new(cursor)
        assert (numbers(batch), deleted) == ([3], {2})
        deleted.clear()
        clock.now += 1 * DAY
        assert (numbers(await pop.fetch_new(batch.cursor)), deleted) == ([], {2})
        clock.now += 2 * DAY
        assert (numbers(await pop.fetch_new(batch.cursor)), deleted) == ([], {1, 2})


async def test_a_cursor_of_an_earlier_version_repeats_nothing_and_deletes_what_it_has_seen_again() -> None:
    letters, names, deleted = {1: told(1, b"one"), 2: told(2, b"two")}, [b"one", b"two"], set[int]()
    answer = lambda line: scripted(letters, top=True, uidl=uidl(*names), deleted=deleted)(line)  # noqa: E731
    async with ScriptedServer(b"+OK\r\n", answer) as server:
        pop = Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2), Clock())
        earlier = f"pop3 {short_hash(b'one')}.19000 {short_hash(b'two')}"  # the second was there before the first run
        batch = await pop.fetch_new(earlier)
        assert numbers(batch) == []
        assert batch.cursor.count(".19000") == 1
        of = Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, delete_after_days=3)
        again = await Pop3(of, Clock()).fetch_new(batch.cursor)
        assert (numbers(again), deleted) == ([1], set())
        assert (await Pop3(of, Clock()).fetch_new(again.cursor)).letters == ()
        assert deleted == {1}


@pytest.mark.parametrize("cut", [False, True])
async def test_a_letter_that_the_server_does_not_hand_out_is_named_and_can_be_passed_over(cut: bool) -> None:
    letters, names = {n: told(n, b"x") for n in (1, 2, 3)}, [b"one", b"two", b"three"]

    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"RETR 2"):
            return None if cut else b"-ERR cannot convert it\r\n"
        found: bytes | None = scripted(letters, top=True, uidl=uidl(*names))(line)
        return found

    async with ScriptedServer(b"+OK\r\n", answer) as server:
        pop = Pop3(Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=0.5, start="all"))
        for _ in range(2 * cut):  # may be the network's fault
            with pytest.raises(MailboxError) as first:
                await pop.fetch_new(None)
            assert not isinstance(first.value, LetterWithheld)
        batch = await pop.fetch_new(None)
        assert (numbers(batch), batch.more) == ([1], True)
        with pytest.raises(LetterWithheld, match="letter two") as raised:
            await pop.fetch_new(batch.cursor)
        assert (raised.value.key, raised.value.lost) == ("two", cut)
        batch = await pop.fetch_new(batch.cursor, {"two"})
        assert (numbers(batch), batch.more) == ([3], False)
        with pytest.raises(LetterWithheld):
            await pop.fetch_one("two")
        assert await pop.fetch_one("gone") is None
        found = await pop.fetch_one("three")
        assert found is not None
        assert (found.key, found.raw) == ("three", letters[3])


async def test_a_mailbox_that_stands_for_another_is_read_whole() -> None:
    pop = Pop3(Pop3Settings("Mail.test", 110, "bot", "pw"))
    assert (pop.place, pop.elsewhere("7:42:20000")) == ("pop3://bot@mail.test", "pop3")


@pytest.mark.parametrize(
    "uidl", [b"+OK\r\nnonsense\r\n.\r\n", b"+OK\r\n1 a\r\n2 b\r\n3 c d\r\n.\r\n", b"+OK\r\nx y\r\n.\r\n"]
)
async def test_nonsense_in_a_listing_is_an_error_not_a_crash(uidl: bytes) -> None:
    async with ScriptedServer(b"+OK\r\n", scripted({1: b"a: b\r\n\r\nc\r\n"}, top=True, uidl=uidl)) as server:
        with pytest.raises(MailboxError):
            await Pop3(
                Pop3Settings("127.0.0.1", server.port, "bot", "pw", tls="none", timeout=2, start="all")
            ).fetch_new(None)
