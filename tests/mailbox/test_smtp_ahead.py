"""The envelope of a letter that waits goes behind the final dot of the one before it (RFC 2920, 3.1), and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from imbot import failpoints
from imbot.domain.errors import DeliveryError
from imbot.mailbox import smtp as module
from imbot.mailbox.smtp import Smtp
from tests.mailbox.pipelining import BOT, EVE, ITSM, Pipelining, pipelining


def letter(name: str) -> bytes:
    return f"Subject: {name}\r\n\r\nIt does not print.\r\n".encode()


def envelope(recipient: str = ITSM) -> bytes:
    return f"MAIL FROM:<{BOT}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()


async def sent(smtp: Smtp, *names: str, to: Mapping[str, str] | None = None) -> list[str | BaseException]:
    """All at once, in this order; the answers."""
    return await asyncio.gather(
        *(smtp.send(BOT, [(to or {}).get(name, ITSM)], letter(name)) for name in names), return_exceptions=True
    )


async def followed_by_one_that_gives_up(server: Pipelining) -> asyncio.Task[str]:
    """A letter that waits for its answer, with the envelope of another behind it that nobody wants any more."""
    server.hold = asyncio.Event()
    first = asyncio.create_task(server.smtp.send(BOT, [ITSM], letter("one")))
    second = asyncio.create_task(server.smtp.send(BOT, [ITSM], letter("two")))
    await server.until(letter("one") + b".\r\n" + envelope())
    second.cancel()
    return first


@dataclass
class Places:
    passed: list[str] = field(default_factory=list)
    then: dict[str, Callable[[], object]] = field(default_factory=dict)

    def hit(self, name: str) -> None:
        self.passed.append(name)
        self.then.pop(name, lambda: None)()


def let_go(server: Pipelining) -> None:
    assert server.hold is not None
    server.hold.set()


def bodies(server: Pipelining) -> list[str]:
    """The subjects of the letters whose words have come, in order."""
    words = b"".join(server.came).decode()
    return [part.split("\r\n", 1)[0] for part in words.split("Subject: ")[1:]]


async def test_the_next_envelope_goes_with_the_dot_and_its_letter_behind_both_answers() -> None:
    async with pipelining({}) as server:
        assert await sent(server.smtp, "one", "two", "three") == ["250 taken"] * 3
        assert letter("one") + b".\r\n" + envelope() in server.came
        assert b"".join(server.came[1:]) == b"".join(envelope() + letter(n) + b".\r\n" for n in ("one", "two", "three"))
        assert server.connections == 1
        assert (await server.smtp.check()).endswith("answers 250")  # the connection is aiosmtplib's again


async def test_nothing_goes_ahead_of_a_letter_that_nobody_follows() -> None:
    async with pipelining({}) as server:
        await sent(server.smtp, "one")
        await sent(server.smtp, "two")
        assert not any(piece.endswith(b".\r\n" + envelope()) for piece in server.came)


async def test_a_letter_that_is_refused_behind_its_dot_takes_nobody_along() -> None:
    async with pipelining({b".": b"552 too much\r\n"}) as server:
        answers = await sent(server.smtp, "one", "two")
        assert [getattr(answer, "code", answer) for answer in answers] == ["552", "552"]
        assert bodies(server) == ["one", "two"]
        assert server.connections == 1
        assert b"".join(server.came).count(b"RSET") == 1  # behind the last one: the first's place was taken


async def test_a_server_that_goes_away_behind_a_letter_is_asked_anew_for_the_next() -> None:
    async with pipelining({}) as server:
        server.hang_up_behind(b"one")
        assert await sent(server.smtp, "one", "two", "three") == ["250 taken"] * 3
        assert bodies(server) == ["one", "two", "three"]
        assert server.connections == 2


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """What has been passed, in order; what is to be done there, once."""
    passed = Places()
    monkeypatch.setattr(failpoints, "hit", passed.hit)
    return passed


async def test_the_words_of_the_next_go_before_anybody_is_awakened(places: Places) -> None:
    async with pipelining({}) as server:
        server.together = True
        assert await sent(server.smtp, "one", "two", "three") == ["250 taken"] * 3
    end_of_one = places.passed.index("smtp_250")
    assert places.passed[:end_of_one].count("smtp_dot") == 2  # two has gone when one takes its answer
    assert b"".join(server.came[1:]).startswith(
        b"".join(envelope() + letter(name) + b".\r\n" for name in ("one", "two", "three"))
    )


@pytest.mark.parametrize("last", ["one", "two", "three"])
async def test_what_was_taken_is_taken_though_the_server_hangs_up_behind_it(last: str) -> None:
    async with pipelining({}) as server:
        server.hang_up_behind(last.encode())
        assert await sent(server.smtp, "one", "two", "three") == ["250 taken"] * 3
        assert bodies(server) == ["one", "two", "three"]


async def test_what_has_gone_by_a_connection_that_is_lost_is_an_unknown_outcome_and_goes_by_no_other(
    places: Places,
) -> None:
    async with pipelining({}) as server:
        server.together, places.then["smtp_250"] = True, server.smtp._drop
        answers = await sent(server.smtp, "one", "two", "three")
        assert [getattr(answer, "code", answer) for answer in answers] == ["250 taken", "unknown-outcome", "250 taken"]
        assert bodies(server).count("two") <= 1


async def test_who_gives_up_when_their_letter_has_gone_holds_up_nobody(places: Places) -> None:
    async with pipelining({}) as server:
        first, second, third = (
            asyncio.create_task(server.smtp.send(BOT, [ITSM], letter(n))) for n in ("one", "two", "three")
        )
        places.then["smtp_250"] = second.cancel
        assert await first == await third == "250 taken"
        assert second.cancelled()
        assert bodies(server).count("three") == 1
        assert server.connections == 2


async def test_who_gives_up_before_the_server_asks_for_their_words_sends_none() -> None:
    async with pipelining({}) as server:
        first = await followed_by_one_that_gives_up(server)
        let_go(server)
        assert await first == "250 taken"
        assert bodies(server) == ["one"]


async def test_a_look_at_the_server_takes_its_turn_and_costs_no_connection() -> None:
    async with pipelining({}) as server:
        first = asyncio.create_task(server.smtp.send(BOT, [ITSM], letter("one")))
        looked = asyncio.create_task(server.smtp.check())
        second = asyncio.create_task(server.smtp.send(BOT, [ITSM], letter("two")))
        assert await first == await second == "250 taken"
        assert (await looked).endswith("answers 250")
        assert server.connections == 1


async def test_where_the_next_gives_up_its_envelope_serves_nobody_else() -> None:
    async with pipelining({}) as server:
        server.hold = asyncio.Event()
        first = asyncio.create_task(server.smtp.send(BOT, [ITSM], letter("one")))
        second = asyncio.create_task(server.smtp.send(BOT, [EVE], letter("two")))
        third = asyncio.create_task(server.smtp.send(BOT, [ITSM], letter("three")))
        await server.until(envelope(EVE))
        second.cancel()
        await asyncio.sleep(0)
        server.hold.set()
        assert await first == await third == "250 taken"
        assert bodies(server) == ["one", "three"]
        assert server.connections == 2


async def test_a_refusal_of_what_went_ahead_is_asked_for_again() -> None:
    """Some servers say that they pipeline and take no command behind a dot."""
    async with pipelining({}) as server:
        server.refuse_behind_a_dot = b"503 5.5.0 no pipelining here\r\n"
        assert await sent(server.smtp, "one", "two", "three") == ["250 taken"] * 3
        assert bodies(server) == ["one", "two", "three"]
        assert server.connections == 2
        assert letter("two") + b".\r\n" + envelope() not in server.came  # and none goes ahead for a while


async def test_a_recipient_that_is_refused_is_refused_all_the_same() -> None:
    async with pipelining({f"RCPT TO:<{EVE}>".encode(): b"550 nobody\r\n"}) as server:
        answers = await sent(server.smtp, "one", "two", "three", to={"two": EVE})
        assert [getattr(answer, "code", answer) for answer in answers] == ["250 taken", "550", "250 taken"]
        assert isinstance(answers[1], DeliveryError)
        assert answers[1].permanent
        assert bodies(server) == ["one", "three"]
        assert server.smtp._none_ahead_until == 0  # the server pipelines; it is only that nobody is there


async def test_what_is_swallowed_behind_a_dot_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    async with pipelining({}) as server:
        server.refuse_behind_a_dot = b""
        assert await sent(server.smtp, "one", "two") == ["250 taken"] * 2
        assert bodies(server) == ["one", "two"]


async def test_a_bad_address_is_not_said_ahead_and_is_told_in_its_turn() -> None:
    async with pipelining({}) as server:
        answers = await sent(server.smtp, "one", "two", "three", to={"two": "кому@example.test"})
        assert [getattr(answer, "code", answer) for answer in answers] == ["250 taken", "address", "250 taken"]
        assert bodies(server) == ["one", "three"]


async def test_who_closes_in_between_leaves_no_envelope_open() -> None:
    async with pipelining({}) as server:
        first = await followed_by_one_that_gives_up(server)
        closing = asyncio.create_task(server.smtp.close())
        await asyncio.sleep(0)
        let_go(server)
        assert await first == "250 taken"
        await closing
        assert b"QUIT" not in b"".join(server.came)
        assert bodies(server) == ["one"]


async def test_who_gives_up_while_the_line_is_empty_leaves_no_envelope_open() -> None:
    async with pipelining({}) as server:
        first = await followed_by_one_that_gives_up(server)
        await asyncio.sleep(0)
        let_go(server)
        assert await first == "250 taken"
        assert server.smtp._client is None  # at once, not when somebody writes next


async def test_one_that_is_too_large_for_the_server_is_not_said_ahead() -> None:
    size = len(letter("one")) + 10
    async with pipelining({b"EHLO": b"250-hi\r\n250-SIZE %d\r\n250 PIPELINING\r\n" % size}) as server:
        answers = await sent(server.smtp, "one", "two" * 30, "three")
        assert [getattr(answer, "code", answer) for answer in answers] == ["250 taken", "552", "250 taken"]
        assert bodies(server) == ["one", "three"]
        assert server.connections == 1


async def test_who_waits_for_a_server_that_does_not_answer_waits_once() -> None:
    async with pipelining({b"MAIL": b""}) as server:
        server.smtp = Smtp(replace(server.smtp._settings, timeout=0.3))
        began = asyncio.get_running_loop().time()
        answers = await sent(server.smtp, "one", "two", "three", "four", "five")
        assert [getattr(answer, "code", answer) for answer in answers] == ["timeout"] * 5
        assert asyncio.get_running_loop().time() - began < 5 * 0.3
    assert server.connections == 1


async def test_a_slow_server_gives_each_letter_its_time() -> None:
    async with pipelining({}) as server:
        server.smtp = Smtp(replace(server.smtp._settings, timeout=0.6))
        server.pause = 0.2  # five letters take longer than the time of one
        assert await sent(server.smtp, "one", "two", "three", "four", "five") == ["250 taken"] * 5
        assert bodies(server) == ["one", "two", "three", "four", "five"]
        assert server.connections == 1


async def test_a_word_of_thanks_before_the_letter_was_said_is_no_acceptance() -> None:
    async with pipelining({b"DATA": b"354 go\r\n250 taken early\r\n"}) as server:
        with pytest.raises(DeliveryError) as raised:
            await server.smtp.send(BOT, [ITSM], letter("one"))
        assert raised.value.kind == "down"
        assert bodies(server) == []
        assert server.smtp._client is None
