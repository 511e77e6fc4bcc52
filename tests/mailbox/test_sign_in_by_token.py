"""Signing in by token: a real Dovecot that asks whose a token is, an SMTP server with XOAUTH2, and the settings of both."""

from __future__ import annotations

import asyncio
import base64
import json
import tomllib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from imbot import wiring
from imbot.cli_base import secrets_of
from imbot.config import checked
from imbot.domain.errors import DeliveryError, MailboxError, SignInRefused
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.oauth import Tokens, xoauth2
from imbot.mailbox.pop3 import Pop3, Pop3Settings
from imbot.mailbox.smtp import Smtp, SmtpSettings
from tests.mailbox.imap_box import letter, numbers
from tests.proxy import ScriptedServer
from tests.servers import Certificates, Dovecot, open_folder
from tests.smtp_server import SmtpServer
from tests.token_server import SECRET, TokenServer, application

ANNA = "anna@example.test"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def token_dovecot(shared_giver: TokenServer, certificates: Certificates) -> Iterator[Dovecot]:
    with open_folder("imbot-dovecot-") as folder:
        server = Dovecot(folder, certificates, introspection=shared_giver.introspection_url).start()
        yield server
        server.stop()


# --- real servers


def boxes(dovecot: Dovecot, mailbox: str, tokens: Tokens) -> dict[str, Imap | Pop3]:
    common = {"tls": "tls", "ca_file": str(dovecot.certificates.ca), "timeout": 5, "start": "all"}
    imap = ImapSettings("127.0.0.1", dovecot.ports["IMAPS"], mailbox, "", **common)  # type: ignore[arg-type]
    pop3 = Pop3Settings("127.0.0.1", dovecot.ports["POP3S"], mailbox, "", **common)  # type: ignore[arg-type]
    return {"imap": Imap(imap, tokens=tokens), "pop3": Pop3(pop3, tokens=tokens)}


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["imap", "pop3"])
async def test_a_mailbox_is_read_by_token(giver: TokenServer, token_dovecot: Dovecot, mailbox: str, kind: str) -> None:
    token_dovecot.deliver(mailbox, letter(1))
    box = boxes(token_dovecot, mailbox, Tokens(application(giver, mailbox)))[kind]
    batch = await box.fetch_new(None)
    assert numbers(batch) == [1]
    assert "signed in as" in await box.check()
    await box.close()
    assert len(giver.asked) == 1


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["imap", "pop3"])
async def test_a_token_that_the_mail_server_forgot_is_replaced_and_nobody_notices(
    giver: TokenServer, token_dovecot: Dovecot, mailbox: str, kind: str
) -> None:
    box = boxes(token_dovecot, mailbox, Tokens(application(giver, mailbox)))[kind]
    await box.fetch_new(None)
    await box.close()
    giver.forget()
    token_dovecot.deliver(mailbox, letter(1))
    assert numbers(await box.fetch_new(None)) == [1]
    await box.close()
    assert len(giver.asked) == 2


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["imap", "pop3"])
async def test_a_token_for_another_mailbox_is_a_permanent_refusal_in_time(
    giver: TokenServer, token_dovecot: Dovecot, mailbox: str, kind: str
) -> None:
    box = boxes(token_dovecot, mailbox, Tokens(application(giver, "eve@example.test")))[kind]
    with pytest.raises(SignInRefused, match="login") as raised:
        await box.fetch_new(None)
    assert raised.value.permanent
    assert "token-1" not in str(raised.value)
    await box.close()


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["imap", "pop3"])
async def test_a_consent_that_has_ended_is_told_with_what_to_do(
    giver: TokenServer, token_dovecot: Dovecot, mailbox: str, kind: str
) -> None:
    giver.answer = (400, json.dumps({"error": "invalid_grant"}).encode())
    box = boxes(token_dovecot, mailbox, Tokens(application(giver, mailbox)))[kind]
    with pytest.raises(MailboxError, match="invalid_grant -- the consent has ended") as raised:
        await box.fetch_new(None)
    assert raised.value.permanent
    await box.close()


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["imap", "pop3"])
async def test_a_server_that_takes_no_tokens_is_said_so(
    giver: TokenServer, dovecot: Dovecot, mailbox: str, kind: str
) -> None:
    box = boxes(dovecot, mailbox, Tokens(application(giver, mailbox)))[kind]
    with pytest.raises(MailboxError, match="takes no tokens") as raised:
        await box.fetch_new(None)
    assert raised.value.permanent
    await box.close()


IMAP_HELLO = b"* OK hi\r\n"
REASON = base64.b64encode(b'{"status":"401","schemes":"bearer"}')


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (b"AUTH=XOAUTH2 SASL-IR", [b"AUTHENTICATE XOAUTH2 dXNl", b""]),
        (b"AUTH=XOAUTH2", [b"AUTHENTICATE XOAUTH2", b"dXNl", b""]),
        (b"AUTH=OAUTHBEARER", [b"AUTHENTICATE OAUTHBEARER", b"bixh", b"AQ=="]),
    ],
)
async def test_an_imap_refusal_is_heard_to_its_end(giver: TokenServer, offered: bytes, expected: list[bytes]) -> None:
    """Without an answer to its challenge the server would wait for ever, and a refused token would show as a timeout."""
    state = {"tag": b"", "steps": 0}

    def answer(line: bytes) -> bytes | None:
        tag, _, rest = line.partition(b" ")
        if rest.startswith(b"CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1 %s\r\n%s OK done\r\n" % (offered, tag)
        if rest.startswith(b"AUTHENTICATE"):
            state["tag"], state["steps"] = tag, len(expected)
        state["steps"] -= 1  # type: ignore[operator]
        if state["steps"] == 0:
            return b"%s NO [AUTHENTICATIONFAILED] no\r\n" % state["tag"]
        return b"+ %s\r\n" % (REASON if state["steps"] == 1 else b"")

    async with ScriptedServer(IMAP_HELLO, answer) as server:
        settings = ImapSettings("127.0.0.1", server.port, ANNA, "", tls="none", timeout=20)
        imap = Imap(settings, tokens=Tokens(application(giver)))
        with pytest.raises(SignInRefused, match=r"AUTHENTICATIONFAILED.*\(401\)"):
            await imap.fetch_new(None)
        await imap.close()
    said = [line.partition(b" ")[2] if b" " in line else line for line in server.lines[1:]]
    assert [line[: len(words)] for line, words in zip(said, expected, strict=True)] == expected


# --- servers that repeat a token

TOKEN = "ya29.A0" + "b1C~x+y/" * 30 + "="
REPEATS = [
    lambda token: f"token {token} expired",
    lambda token: f"token {token[:90]}... expired",
    lambda token: f"token {quote(token, safe='')} expired",
    lambda token: f"{'word ' * 50}{token} expired",
]


def hides(error: BaseException) -> bool:
    """The token stands nowhere in the error, nor in what it came from: a traceback would show that."""
    told = "".join(traceback.format_exception(error))
    return not any(part in told for part in ("ya29", "b1C~x", "b1C%7Ex", xoauth2(ANNA, TOKEN)[:40])) and "***" in str(
        error
    )


@pytest.fixture
def repeated(giver: TokenServer) -> Tokens:
    giver.answer = (200, json.dumps({"access_token": TOKEN, "token_type": "Bearer"}).encode())
    return Tokens(application(giver))


@pytest.mark.parametrize("repeats", REPEATS)
@pytest.mark.parametrize("place", ["challenge", "refusal"])
async def test_a_token_that_an_imap_server_repeats_is_in_no_error(
    repeated: Tokens, repeats: Callable[[str], str], place: str
) -> None:
    tag = b""
    words = {"challenge": "", "refusal": ""} | {place: repeats(TOKEN)}

    def answer(line: bytes) -> bytes | None:
        nonlocal tag
        if b"CAPABILITY" in line:
            return b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\n%s OK done\r\n" % line.partition(b" ")[0]
        if b"AUTHENTICATE" in line:
            tag = line.partition(b" ")[0]
            return b"+ %s\r\n" % challenge(words["challenge"])
        return b"%s NO [AUTHENTICATIONFAILED] %s\r\n" % (tag, words["refusal"].encode())

    async with ScriptedServer(IMAP_HELLO, answer) as server:
        imap = Imap(ImapSettings("127.0.0.1", server.port, ANNA, "", tls="none", timeout=20), tokens=repeated)
        with pytest.raises(SignInRefused, match="AUTHENTICATIONFAILED") as raised:
            await imap.fetch_new(None)
        await imap.close()
    assert hides(raised.value)


@pytest.mark.parametrize("repeats", REPEATS)
@pytest.mark.parametrize("place", ["challenge", "refusal"])
async def test_a_token_that_a_pop3_server_repeats_is_in_no_error(
    repeated: Tokens, repeats: Callable[[str], str], place: str
) -> None:
    words = {"challenge": "", "refusal": ""} | {place: repeats(TOKEN)}

    def answer(line: bytes) -> bytes | None:
        if line.startswith(b"CAPA"):
            return b"+OK\r\nSASL XOAUTH2\r\n.\r\n"
        if line.startswith(b"AUTH"):
            return b"+ \r\n"
        return b"+ %s\r\n" % challenge(words["challenge"]) if line else b"-ERR %s\r\n" % words["refusal"].encode()

    async with ScriptedServer(b"+OK hi\r\n", answer) as server:
        pop3 = Pop3(Pop3Settings("127.0.0.1", server.port, ANNA, "", tls="none", timeout=20), tokens=repeated)
        with pytest.raises(SignInRefused, match="login") as raised:
            await pop3.fetch_new(None)
    assert hides(raised.value)


@pytest.mark.parametrize("repeats", REPEATS)
async def test_a_token_that_an_smtp_server_repeats_is_in_no_error(
    repeated: Tokens, repeats: Callable[[str], str]
) -> None:
    async with SmtpServer(tokens={"other": ANNA}, repeats=repeats) as server:
        smtp = Smtp(smtp_settings(server.port), tokens=repeated)
        with pytest.raises(DeliveryError, match="login refused") as raised:
            await sent(smtp)
        await smtp.close()
    assert hides(raised.value)


def challenge(said: str) -> bytes:
    return base64.b64encode(json.dumps({"status": "401", "error_description": said}).encode())


# --- SMTP


def smtp_settings(port: int) -> SmtpSettings:
    return SmtpSettings("127.0.0.1", port, tls="none", username=ANNA, hello_name="bot.example.test", timeout=5)


async def sent(smtp: Smtp) -> str:
    return await smtp.send(ANNA, ["itsm@example.test"], b"Subject: a\r\n\r\nb\r\n")


async def test_a_letter_goes_out_by_token_and_a_forgotten_token_is_replaced(giver: TokenServer) -> None:
    async with SmtpServer(tokens=giver.good) as server:
        smtp = Smtp(smtp_settings(server.port), tokens=Tokens(application(giver)))
        await sent(smtp)
        giver.forget()
        await sent(smtp)  # the connection is kept: nobody asks
        server.cut()
        await sent(smtp)
        await smtp.close()
    assert [got.login for got in server.letters] == [ANNA] * 3
    assert len(giver.asked) == 2


async def test_an_smtp_server_that_refuses_every_token_is_down_and_no_letter_is_blamed(giver: TokenServer) -> None:
    async with SmtpServer(tokens={"other": ANNA}) as server:
        smtp = Smtp(smtp_settings(server.port), tokens=Tokens(application(giver)))
        for _ in range(2):
            with pytest.raises(DeliveryError, match="login refused") as raised:
                await sent(smtp)
            assert (raised.value.kind, raised.value.permanent, raised.value.code) == ("down", False, "535")
        await smtp.close()
    assert len(giver.asked) == 2  # the second time the kept one was tried before


async def test_a_consent_that_has_ended_is_no_fault_of_a_letter(giver: TokenServer) -> None:
    giver.answer = (400, json.dumps({"error": "invalid_grant"}).encode())
    async with SmtpServer(tokens=giver.good) as server:
        smtp = Smtp(smtp_settings(server.port), tokens=Tokens(application(giver)))
        with pytest.raises(DeliveryError, match="the consent has ended") as raised:
            await sent(smtp)
        assert (raised.value.kind, raised.value.permanent, raised.value.code) == ("down", False, "token")
        giver.answer = None
        await sent(smtp)
        await smtp.close()


@pytest.mark.servers
async def test_the_settings_reach_the_mailbox_and_the_mail_server(
    giver: TokenServer, token_dovecot: Dovecot, mailbox: str, tmp_path: Path
) -> None:
    """As `imbot run` and `imbot doctor` build them; one chain of refresh tokens serves both."""
    giver.rotate, giver.refresh_tokens = True, {"first-refresh": mailbox}
    oauth = {
        "token_url": giver.token_url,
        "client_id": mailbox,
        "client_secret": SECRET,
        "grant": "refresh_token",
        "refresh_token": "first-refresh",
    }
    tree = tomllib.loads((ROOT / "config.example.toml").read_text("utf-8"))
    tree["general"]["data_dir"] = str(tmp_path)
    common = {"host": "127.0.0.1", "username": mailbox, "oauth": oauth}
    imaps = token_dovecot.ports["IMAPS"]
    tree["mailbox"] = {**common, "port": imaps, "ca_file": str(token_dovecot.certificates.ca)}
    async with SmtpServer(tokens=giver.good) as server:
        tree["smtp"] = {**common, "port": server.port, "tls": "none"}
        settings = checked(tree)
        box, smtp = wiring.mailbox(settings), wiring.smtp(settings)
        said = await asyncio.gather(box.check(), smtp.check())
        await box.close()
        await smtp.close()
    assert all(f"signed in as {mailbox}" in line for line in said)
    assert sorted(form["refresh_token"] for form in giver.asked) == ["first-refresh", "first-refresh+"]
    assert {SECRET, "first-refresh"} <= set(secrets_of(settings))
