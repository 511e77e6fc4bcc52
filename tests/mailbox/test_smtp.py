"""Sending letters to a real SMTP server, and to servers that misbehave."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from imbot.domain.errors import DeliveryError
from imbot.mailbox.smtp import Smtp, SmtpSettings
from tests.proxy import LONG, Proxy, ScriptedServer, in_time
from tests.servers import Certificates
from tests.smtp_server import SmtpServer, abort

LETTER = b"From: bot@example.test\r\nTo: itsm@example.test\r\nSubject: Printer\r\n\r\nIt does not print.\r\n.\r\n..\r\n"
ANNA, ITSM = "bot@example.test", ["itsm@example.test"]


@pytest.fixture(params=[False, True], ids=["one by one", "pipelined"], autouse=True)
def pipelining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmtpServer, "pipelining", request.param)


def settings(port: int, **changes: Any) -> SmtpSettings:
    return dataclasses.replace(
        SmtpSettings("127.0.0.1", port, tls="none", hello_name="bot.example.test", timeout=5), **changes
    )


async def refused(smtp: Smtp, data: bytes = LETTER, recipients: list[str] = ITSM) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        await smtp.send(ANNA, recipients, data)
    return raised.value


async def test_a_letter_arrives_byte_for_byte_and_the_answer_is_returned() -> None:
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port))
        answer = await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()
    assert answer == "250 2.0.0 Ok: queued as 1"
    assert [(got.sender, got.recipients, got.data) for got in server.letters] == [(ANNA, ITSM, LETTER)]


async def test_bare_line_ends_become_crlf() -> None:
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port))
        await smtp.send(ANNA, ITSM, b"Subject: a\n\n.b\rc\r\nd")
        await smtp.close()
    assert server.letters[0].data == b"Subject: a\r\n\r\n.b\r\nc\r\nd\r\n"


async def test_one_connection_is_kept_for_all_letters() -> None:
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port))
        for _ in range(3):
            await smtp.send(ANNA, ITSM, LETTER)
        await smtp.check()
        await smtp.close()
    assert (len(server.letters), server.connections) == (3, 1)


async def test_letters_of_several_tasks_are_sent_one_after_the_other() -> None:
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port))
        answers = await asyncio.gather(*(smtp.send(ANNA, ITSM, LETTER) for _ in range(5)))
        await smtp.close()
    assert (len(set(answers)), len(server.letters), server.connections) == (5, 5, 1)


async def test_a_kept_connection_that_was_closed_is_opened_again_silently() -> None:
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port))
        await smtp.send(ANNA, ITSM, LETTER)
        server.cut()
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()
    assert (len(server.letters), server.connections) == (2, 2)


async def test_a_kept_connection_that_died_unnoticed_is_opened_again() -> None:
    async with SmtpServer() as server, Proxy(server.port) as proxy:
        smtp = Smtp(settings(proxy.port, timeout=1.5))
        await smtp.send(ANNA, ITSM, LETTER)
        proxy.freeze()
        asyncio.get_running_loop().call_later(0.6, proxy.thaw)  # after the patience with a kept connection
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()
    assert (len(server.letters), proxy.connections) == (2, 2)


async def test_a_connection_idle_for_too_long_is_not_reused() -> None:
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port, reuse_for=0.0))
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()
    assert server.connections == 2


async def test_a_421_on_a_kept_connection_is_answered_by_a_fresh_one() -> None:
    said = iter([b"250 ok\r\n", b"421 too many letters, bye\r\n", b"250 ok\r\n"])

    def answer(line: bytes) -> bytes | None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            return next(said)
        return {
            b"EHLO": b"250 hello\r\n",
            b"RCPT": b"250 ok\r\n",
            b"DATA": b"354 go\r\n",
            b".": b"250 taken\r\n",
            b"QUIT": b"221 bye\r\n",
        }.get(verb, b"")

    async with ScriptedServer(b"220 hi\r\n", answer) as server:
        smtp = Smtp(settings(server.port))
        assert await smtp.send(ANNA, ITSM, b"a: b\r\n\r\nhello\r\n") == "250 taken"
        assert await smtp.send(ANNA, ITSM, b"a: b\r\n\r\nhello\r\n") == "250 taken"
        await smtp.close()
    assert [line[:4] for line in server.lines].count(b"EHLO") == 2


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_login_over_tls_works(certificates: Certificates, tls: Any) -> None:
    async with SmtpServer(certificates, tls=tls, username="bot", password="пароль") as server:
        smtp = Smtp(settings(server.port, tls=tls, username="bot", password="пароль", ca_file=str(certificates.ca)))
        await smtp.send(ANNA, ITSM, LETTER)
        said = await smtp.check()
        await smtp.close()
    assert server.letters[0].login == "bot"
    assert "signed in as bot" in said
    assert "пароль" not in said


async def test_a_wrong_password_is_trouble_of_the_server_not_of_the_letter(certificates: Certificates) -> None:
    async with SmtpServer(certificates, tls="tls", username="bot", password="right") as server:
        smtp = Smtp(settings(server.port, tls="tls", username="bot", password="wrong", ca_file=str(certificates.ca)))
        error = await refused(smtp)
        with pytest.raises(DeliveryError, match="login refused"):
            await smtp.check()
    assert (error.kind, error.permanent, error.code) == ("down", False, "535")
    assert "wrong" not in str(error)


async def test_a_server_that_wants_a_login_is_trouble_of_the_server(certificates: Certificates) -> None:
    async with SmtpServer(certificates, tls="tls", username="bot", password="right") as server:
        error = await refused(Smtp(settings(server.port, tls="tls", ca_file=str(certificates.ca))))
    assert (error.kind, error.permanent) == ("down", False)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_certificate_of_another_authority_is_refused(certificates: Certificates, tls: Any) -> None:
    async with SmtpServer(certificates, tls=tls) as server:
        error = await refused(Smtp(settings(server.port, tls=tls, ca_file=str(certificates.other_ca))))
    assert (error.kind, error.permanent, error.code) == ("down", False, "certificate")
    assert server.letters == []


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_certificate_for_another_name_is_refused(certificates: Certificates, tls: Any) -> None:
    async with SmtpServer(certificates, tls=tls, wrong_name=True) as server:
        error = await refused(Smtp(settings(server.port, tls=tls, ca_file=str(certificates.ca))))
    assert error.code == "certificate"


async def test_without_starttls_on_offer_nothing_is_sent_in_plain_text(certificates: Certificates) -> None:
    async with SmtpServer() as server:
        error = await refused(Smtp(settings(server.port, tls="starttls", ca_file=str(certificates.ca))))
    assert (error.kind, error.permanent, server.letters) == ("down", False, [])


async def test_a_missing_file_of_authorities_is_named() -> None:
    error = await refused(Smtp(settings(1, tls="tls", ca_file="/nowhere/ca.pem")))
    assert error.kind == "down"


@pytest.mark.parametrize(
    ("where", "answer", "kind", "permanent"),
    [
        ("rcpt_answer", "550 5.1.1 No such mailbox", "refused", True),
        ("rcpt_answer", "450 4.2.0 Greylisted", "throttled", False),
        ("mail_answer", "552 5.3.4 Too big", "refused", True),
        ("mail_answer", "451 4.3.0 Try later", "throttled", False),
        ("mail_answer", "530 5.7.0 Authentication required", "down", False),
        ("mail_answer", "421 4.3.2 Closing", "throttled", False),
        ("data_answer", "554 5.7.1 Spam", "refused", True),
        ("data_answer", "452 4.3.1 Disk full", "throttled", False),
        ("data_answer", "421 4.3.2 Closing", "throttled", False),
    ],
)
async def test_refusals_are_told_apart(where: str, answer: str, kind: str, permanent: bool) -> None:
    async with SmtpServer() as server:
        setattr(server, where, answer)
        smtp = Smtp(settings(server.port))
        error = await refused(smtp)
        assert (error.kind, error.permanent, error.code) == (kind, permanent, answer[:3])
        assert answer[4:] in str(error)
        setattr(server, where, "")
        assert (await smtp.send(ANNA, ITSM, LETTER)).startswith("250")
        await smtp.close()
    assert len(server.letters) == 1


async def test_after_a_clean_refusal_the_connection_is_kept() -> None:
    async with SmtpServer(rcpt_answer="550 5.1.1 No such mailbox") as server:
        smtp = Smtp(settings(server.port))
        await refused(smtp)
        server.rcpt_answer = ""
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()
    assert server.connections == 1


async def test_one_refused_recipient_refuses_the_letter_as_a_whole() -> None:
    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"RCPT"):
            return b"550 no\r\n" if b"eve" in line else b"250 ok\r\n"
        return b"250 ok\r\n"

    async with ScriptedServer(b"220 hi\r\n", answer) as server:
        smtp = Smtp(settings(server.port))
        error = await refused(smtp, recipients=["itsm@example.test", "eve@example.test"])
        await smtp.close()
    assert error.permanent
    assert b"DATA" not in server.lines


async def test_a_letter_over_the_limit_of_the_server_is_not_even_begun() -> None:
    async with SmtpServer(size_limit=100) as server:
        smtp = Smtp(settings(server.port))
        error = await refused(smtp, LETTER * 2)
        await smtp.close()
    assert (error.kind, error.permanent, error.code) == ("refused", True, "552")


@pytest.mark.parametrize("address", ["eve@example.test>\r\nRCPT TO:<tom@example.test", "почта@example.test"])
async def test_an_address_that_cannot_stand_in_a_command_is_refused_for_good(address: str) -> None:
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port))
        error = await refused(smtp, recipients=[address])
        assert (error.kind, error.permanent) == ("refused", True)
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()
    assert len(server.letters) == 1


async def test_nobody_listening_is_down(unused_port: int) -> None:
    error = await refused(Smtp(settings(unused_port)))
    assert (error.kind, error.permanent) == ("down", False)
    with pytest.raises(DeliveryError):
        await Smtp(settings(unused_port)).check()


async def test_a_greeting_that_refuses_is_down() -> None:
    async with ScriptedServer(b"554 no service here\r\n", lambda _: b"") as server:
        error = await refused(Smtp(settings(server.port)))
    assert (error.kind, error.permanent, error.code) == ("down", False, "554")


async def test_a_refused_hello_is_down_not_the_fault_of_the_letter() -> None:
    async with ScriptedServer(b"220 hi\r\n", lambda _: b"550 go away\r\n") as server:
        error = await refused(Smtp(settings(server.port)))
    assert (error.kind, error.permanent) == ("down", False)


async def test_an_old_server_without_ehlo_is_served() -> None:
    def answer(line: bytes) -> bytes | None:
        verb = line[:4].upper()
        return {b"EHLO": b"502 what?\r\n", b"DATA": b"354 go\r\n", b".": b"250 taken\r\n"}.get(
            verb, b"250 ok\r\n" if verb in {b"HELO", b"MAIL", b"RCPT", b"QUIT"} else b""
        )

    async with ScriptedServer(b"220 hi\r\n", answer) as server:
        smtp = Smtp(settings(server.port))
        assert await smtp.send(ANNA, ITSM, b"a: b\r\n\r\nhello\r\n") == "250 taken"
        await smtp.close()


async def test_a_silent_server_is_given_up_in_time() -> None:
    async with ScriptedServer(b"", lambda _: b"") as server:
        smtp = Smtp(settings(server.port, timeout=0.3))
        async with in_time():
            error = await refused(smtp)
    assert (error.kind, error.code) == ("down", "timeout")


async def test_a_server_of_one_byte_a_moment_is_given_up_in_time() -> None:
    async with SmtpServer() as server, Proxy(server.port) as proxy:
        proxy.byte_pause = 0.02
        async with in_time():
            error = await refused(Smtp(settings(proxy.port, timeout=0.5)))
    assert (error.kind, error.code) == ("down", "timeout")


async def test_a_drop_after_the_final_dot_is_an_unknown_outcome() -> None:
    async def drop(protocol: SMTP) -> None:
        abort(protocol)

    async with SmtpServer(on_data=drop) as server:
        smtp = Smtp(settings(server.port))
        error = await refused(smtp)
        assert (error.kind, error.permanent, error.code) == ("down", False, "unknown-outcome")
        server.on_data = None
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()


async def test_silence_after_the_final_dot_is_an_unknown_outcome() -> None:
    async def sleep(_: SMTP) -> None:
        await asyncio.sleep(LONG)

    async with SmtpServer(on_data=sleep) as server:
        error = await refused(Smtp(settings(server.port, timeout=0.4)))
    assert (error.kind, error.code) == ("down", "unknown-outcome")


async def test_a_cut_in_the_middle_of_a_large_letter_is_not_accepted_for_sure() -> None:
    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"DATA"):
            return b"354 go\r\n"
        return b"250 ok\r\n" if line[:4] in {b"EHLO", b"MAIL", b"RCPT"} else None

    async with ScriptedServer(b"220 hi\r\n", answer) as server:
        error = await refused(Smtp(settings(server.port)), b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" * 8_000_000)
    assert (error.kind, error.permanent, error.code) == ("down", False, "connection")


async def test_a_refusal_in_the_middle_of_a_letter_counts() -> None:
    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"DATA"):
            return b"354 go\r\n"
        if line.startswith(b"Subject: 2"):
            return b"552 too much already\r\n"
        return b"250 ok\r\n" if line[:4] in {b"EHLO", b"MAIL", b"RCPT"} else b""

    async with ScriptedServer(b"220 hi\r\n", answer) as server:
        smtp = Smtp(settings(server.port, timeout=60))
        error = await refused(smtp, b"Subject: 2\r\n\r\n" + b"x\r\n" * 3_000_000)
        assert len(server.lines) < 3_000_000
    assert (error.kind, error.permanent, error.code) == ("refused", True, "552")


async def test_a_large_letter_arrives_whole_and_does_not_stop_the_loop() -> None:
    letter = b"Subject: big\r\n\r\n" + b"".join(b".%069d\r\n" % number for number in range(100_000))
    async with SmtpServer() as server:
        smtp = Smtp(settings(server.port, timeout=20))
        await smtp.send(ANNA, ITSM, letter)
        await smtp.close()
    assert server.letters[0].data == letter


async def test_a_cancelled_send_leaves_no_half_letter_behind() -> None:
    async with SmtpServer() as server, Proxy(server.port) as proxy:
        smtp = Smtp(settings(proxy.port))
        await smtp.send(ANNA, ITSM, LETTER)
        proxy.freeze()
        sending = asyncio.ensure_future(smtp.send(ANNA, ITSM, LETTER))
        async with in_time():
            await proxy.held.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        proxy.thaw()
        await smtp.send(ANNA, ITSM, LETTER)
        await smtp.close()
    assert len(server.letters) == 2


async def test_closing_twice_and_closing_unopened_is_no_error(unused_port: int) -> None:
    smtp = Smtp(settings(unused_port))
    await smtp.close()
    await smtp.close()
