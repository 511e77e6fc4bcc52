"""The post office: real SMTP in, real IMAP out, the trace fields of a receiving server, no forged word on the origin."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aioimaplib  # type: ignore[import-untyped]
import aiosmtplib
import pytest

from imbot.demo.cast import AUTHSERV_ID, BOT_ADDRESS, ITSM_ADDRESS
from imbot.demo.post import PostOffice
from imbot.demo.trace import strip_forged

LETTER = b"From: itsm@demo.local\r\nTo: bot@demo.local\r\nSubject: hello\r\nMessage-ID: <1@x>\r\n\r\nBody\r\n"


@pytest.fixture
async def post() -> AsyncIterator[PostOffice]:
    office = PostOffice([BOT_ADDRESS, ITSM_ADDRESS], vouched=ITSM_ADDRESS)
    await office.start()
    yield office
    await office.close()


async def send(post: PostOffice, raw: bytes, to: str = BOT_ADDRESS, login: str = "") -> str:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=post.smtp_port, start_tls=False, timeout=5)
    async with client:
        if login:
            await client.login(login, post.password(login))
        _, answer = await client.sendmail("itsm@demo.local", [to], raw)
    return answer


async def imap_body(post: PostOffice, address: str) -> bytes:
    client = aioimaplib.IMAP4(host="127.0.0.1", port=post.imap_port, timeout=5)
    await client.wait_hello_from_server()
    assert (await client.login(address, post.password(address))).result == "OK"
    await client.select("INBOX")
    fetched = await client.uid("fetch", "1:*", "(BODY.PEEK[])")
    await client.logout()
    return bytes(fetched.lines[1])


async def test_a_letter_sent_by_smtp_is_read_by_imap_byte_for_byte(post: PostOffice) -> None:
    assert "queued" in await send(post, LETTER)
    raw = await imap_body(post, BOT_ADDRESS)
    assert raw.endswith(LETTER)
    stored = post.letters(BOT_ADDRESS)
    assert stored is not None
    assert [letter.raw for letter in stored] == [raw]


async def test_only_the_itsm_that_has_logged_in_is_vouched_for(post: PostOffice) -> None:
    for login in ("", BOT_ADDRESS, ITSM_ADDRESS):
        await send(post, LETTER, login=login)
    letters = post.letters(BOT_ADDRESS)
    assert letters is not None
    heads = [letter.raw.split(b"\r\n\r\n")[0] for letter in letters]
    assert [b"Authentication-Results" in head for head in heads] == [False, False, True]
    assert f"{AUTHSERV_ID}; dmarc=pass header.from=demo.local".encode() in heads[2]


async def test_a_forged_word_of_ours_is_taken_out_and_a_foreign_one_stays(post: PostOffice) -> None:
    forged = b"authentication-results:\r\n Demo.imbot.LOCAL;\r\n\tdmarc=pass\r\n"
    foreign = b"Authentication-Results: mx.other.example; dmarc=fail\r\n"
    await send(post, forged + foreign + LETTER)
    letters = post.letters(BOT_ADDRESS)
    assert letters is not None
    assert b"dmarc=pass" not in letters[0].raw
    assert letters[0].raw.endswith(foreign + LETTER)


@pytest.mark.parametrize(
    "value",
    [
        b'"demo\\.imbot.local"; dmarc=pass',
        b"(" + b"x" * 5000 + b") demo.imbot.local; dmarc=pass",
        b"\r\n (a)\r\n\tdemo.imbot.local (b) 1; dmarc=pass",
        b"demo.imbot.local evil; dmarc=pass",
        b"=?utf-8?q?demo.imbot.local?=; dmarc=pass",
        b"demo.im\x00bot.local; dmarc=pass",
        b"; demo.imbot.local; dmarc=pass",
        b"dmarc=pass",
        b"",
    ],
)
def test_whatever_might_be_read_as_our_word_is_taken_out(value: bytes) -> None:
    for name in (b"Authentication-Results", b"AUTHENTICATION-RESULTS "):
        raw = b"X: 1\r\n" + name + b": " + value + b"\r\n" + LETTER
        assert strip_forged(raw) == b"X: 1\r\n" + LETTER


def test_a_body_is_nobodys_word() -> None:
    body = LETTER + b"Authentication-Results: demo.imbot.local; dmarc=pass\r\n"
    assert strip_forged(body) == body
    assert strip_forged(b"\r\n " + body) == b"\r\n " + body


async def test_a_wrong_password_is_answered_and_an_unknown_mailbox_refused(post: PostOffice) -> None:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=post.smtp_port, start_tls=False, timeout=5)
    async with client:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await client.login(BOT_ADDRESS, "wrong")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await send(post, LETTER, to="nobody@demo.local")
    await send(post, LETTER, to="bot+7kq2@demo.local")
    assert len(post.letters(BOT_ADDRESS) or []) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"no header at all",
        b"Subject: " + b"x" * 20_000 + b"\r\n\r\n" + b"y" * 300_000,
        bytes(range(1, 256)) + b"\r\n\r\n" + bytes(range(1, 256)),
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n--\r\n",
        b'Content-Type: multipart/mixed; boundary="a"\r\n\r\n' + b"--a\r\nContent-Type: message/rfc822\r\n\r\n" * 50,
        b"Date: never\r\nFrom: \xff\xfe\r\nTo: =?utf-8?B?!!!?=\r\nMessage-ID: <<<>>>\r\nReferences: (((((\r\n\r\n.\r\n",
    ],
)
async def test_odd_letters_are_delivered_too(post: PostOffice, raw: bytes) -> None:
    await send(post, raw)
    letters = post.letters(BOT_ADDRESS)
    assert letters is not None
    assert len(letters) == 1
    assert (await imap_body(post, BOT_ADDRESS)).rstrip() == letters[0].raw.rstrip()


async def test_closing_ends_an_idle_connection() -> None:
    office = PostOffice([BOT_ADDRESS], vouched="")
    await office.start()
    client = aioimaplib.IMAP4(host="127.0.0.1", port=office.imap_port, timeout=5)
    await client.wait_hello_from_server()
    await client.login(BOT_ADDRESS, office.password(BOT_ADDRESS))
    await client.select("INBOX")
    idle = await client.idle_start(timeout=20)
    await send(office, LETTER)
    assert b"EXISTS" in b"".join(bytes(line) for line in await client.wait_server_push(timeout=5))
    await office.close()
    idle.cancel()
