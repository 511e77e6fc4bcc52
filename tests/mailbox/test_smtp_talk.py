"""MAIL, RCPT and DATA sent at once to a server that pipelines, and what it may answer to them."""

from __future__ import annotations

import asyncio

import pytest

from imbot.domain.errors import DeliveryError
from imbot.mailbox.smtp import Smtp
from tests.mailbox.pipelining import BOT, EVE, ITSM, LETTER, pipelining


async def refused(smtp: Smtp, *recipients: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        await smtp.send(BOT, recipients or [ITSM], LETTER)
    return raised.value


async def test_the_envelope_goes_at_once_and_the_letter_with_its_dot_behind_it() -> None:
    async with pipelining({}) as server:
        for _ in range(2):
            assert await server.smtp.send(BOT, [ITSM], LETTER) == "250 taken"
    envelope = f"MAIL FROM:<{BOT}>\r\nRCPT TO:<{ITSM}>\r\nDATA\r\n".encode()
    hello, *pieces = server.came
    assert hello == b"EHLO bot.example.test\r\n"
    assert pieces[0] == pieces[2 if pieces[1].endswith(b"\r\n.\r\n") else 3] == envelope
    assert b"".join(pieces) == (envelope + LETTER + b".\r\n") * 2 + b"QUIT\r\n"
    assert server.connections == 1


async def test_nothing_of_a_letter_goes_where_one_of_its_recipients_is_refused() -> None:
    async with pipelining({b"RCPT": b"550 no such mailbox\r\n"}) as server:  # and still it says 354
        error = await refused(server.smtp, ITSM, EVE)
        assert (error.kind, error.permanent, error.code) == ("refused", True, "550")
        assert not any(b"does not print" in piece for piece in server.came)


async def test_what_is_refused_first_is_told_and_the_connection_serves_the_next_letter() -> None:
    answers = {b"MAIL": b"451 4.3.0 later\r\n", b"RCPT": b"503 need MAIL\r\n", b"DATA": b"503 need RCPT\r\n"}
    async with pipelining(answers) as server:
        for _ in range(2):
            error = await refused(server.smtp)
            assert (error.kind, error.code) == ("throttled", "451")
        assert server.connections == 1
        assert b"RSET\r\n" in server.came


async def test_a_refusal_counts_though_the_server_hangs_up_behind_it() -> None:
    async with pipelining({b"MAIL": b"550 5.7.1 not you\r\n", b"RCPT": None}) as server:
        error = await refused(server.smtp)
        assert (error.kind, error.permanent, error.code) == ("refused", True, "550")


async def test_a_server_that_hangs_up_within_the_envelope_has_taken_nothing() -> None:
    async with pipelining({b"RCPT": None}) as server:
        error = await refused(server.smtp)
        assert (error.kind, error.permanent, error.code) == ("down", False, "connection")
        assert server.connections == 1  # it was a fresh one: no second try on the spot


async def test_answers_may_come_in_pieces_and_on_many_lines() -> None:
    def crumbs(writer: asyncio.StreamWriter, said: bytes) -> None:
        for byte in said.replace(b"250 ok", b"250-well\r\n250-then\r\n250 ok"):
            writer.write(bytes([byte]))

    async with pipelining({b".": b"250-taken\r\n250 as 17\r\n"}, crumbs) as server:
        assert await server.smtp.send(BOT, [ITSM], LETTER) == "250 taken\nas 17"


@pytest.mark.parametrize("noise", [b"hello?\r\n", b"250-" + b"x" * 70_000, b"250-more\r\n" * 8_000])
async def test_what_is_no_answer_ends_the_connection(noise: bytes) -> None:
    async with pipelining({b"MAIL": noise}) as server:
        error = await refused(server.smtp)
        assert (error.kind, error.permanent) == ("down", False)


async def test_a_cut_behind_the_dot_is_an_unknown_outcome_and_no_second_try() -> None:
    async with pipelining({}) as server:
        await server.smtp.send(BOT, [ITSM], LETTER)
        server._answers[b"."] = None
        error = await refused(server.smtp)
        assert (error.kind, error.code) == ("down", "unknown-outcome")
        assert server.connections == 1


@pytest.mark.parametrize("noise", [b"hello?\r\n", b"354 go on\r\n"])
async def test_what_is_no_answer_to_a_letter_that_has_gone_is_an_unknown_outcome(noise: bytes) -> None:
    async with pipelining({b".": noise}) as server:
        error = await refused(server.smtp)
        assert (error.kind, error.code) == ("down", "unknown-outcome")
