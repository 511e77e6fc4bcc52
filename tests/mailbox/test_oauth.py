"""Signing in by token: the giver's answers, how long a token is kept, and a real Dovecot that asks whose token it is."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from imbot import wiring
from imbot.cli_base import secrets_of
from imbot.config import checked
from imbot.domain.errors import DeliveryError, MailboxError, SignInRefused, TokenError
from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.oauth import OAuthSettings, Tokens, oauthbearer, said_in_challenge, xoauth2
from imbot.mailbox.pop3 import Pop3, Pop3Settings
from imbot.mailbox.smtp import Smtp, SmtpSettings
from tests.mailbox.imap_box import letter, numbers
from tests.proxy import ScriptedServer
from tests.servers import Certificates, Dovecot, open_folder
from tests.smtp_server import SmtpServer
from tests.token_server import SECRET, TokenServer

ANNA = "anna@example.test"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def shared_giver() -> Iterator[TokenServer]:
    server = TokenServer().start()
    yield server
    server.stop()


@pytest.fixture
def giver(shared_giver: TokenServer) -> TokenServer:
    """The giver of this module, as new."""
    for one in dataclasses.fields(TokenServer):
        if one.name != "port":
            default = one.default_factory() if callable(one.default_factory) else one.default
            setattr(shared_giver, one.name, default)
    return shared_giver


@pytest.fixture(scope="module")
def token_dovecot(shared_giver: TokenServer, certificates: Certificates) -> Iterator[Dovecot]:
    with open_folder("imbot-dovecot-") as folder:
        server = Dovecot(folder, certificates, introspection=shared_giver.introspection_url).start()
        yield server
        server.stop()


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def application(giver: TokenServer, mailbox: str = ANNA, **changes: Any) -> OAuthSettings:
    plain = OAuthSettings(giver.token_url, mailbox, SECRET, scope="mail", timeout=5)
    return dataclasses.replace(plain, **changes)


async def token_of(tokens: Tokens) -> str:
    async def use(token: str) -> str:
        return token

    return await tokens.sign_in(use, lambda _: True)


# --- the giver


async def test_a_token_is_fetched_once_and_kept_until_shortly_before_its_end(giver: TokenServer) -> None:
    clock = Clock()
    tokens = Tokens(application(giver), clock)
    first = await token_of(tokens)
    clock.now += 3600 - 121
    assert await token_of(tokens) == first
    clock.now += 2
    assert await token_of(tokens) != first
    assert giver.asked[0] == {
        "grant_type": "client_credentials",
        "client_id": ANNA,
        "client_secret": SECRET,
        "scope": "mail",
    }
    assert len(giver.asked) == 2


async def test_many_who_need_a_token_at_once_fetch_one(giver: TokenServer) -> None:
    tokens = Tokens(application(giver))
    assert len(set(await asyncio.gather(*(token_of(tokens) for _ in range(8))))) == 1
    assert len(giver.asked) == 1


@pytest.mark.parametrize("expires_in", [None, 0, 30])
async def test_a_life_that_is_short_or_unsaid_is_no_endless_asking(giver: TokenServer, expires_in: int | None) -> None:
    giver.expires_in = expires_in
    tokens = Tokens(application(giver), Clock())
    await token_of(tokens)
    await token_of(tokens)
    assert len(giver.asked) == (2 if expires_in == 0 else 1)


@pytest.mark.parametrize(
    ("status", "body", "permanent", "says"),
    [
        (400, {"error": "invalid_grant", "error_description": f"expired {SECRET}"}, True, "sign the mailbox in anew"),
        (401, {"error": "invalid_client"}, True, "client_secret is wrong"),
        (400, {"error": "temporarily_unavailable"}, False, "temporarily_unavailable"),
        (429, {"error": "too_many"}, False, "429"),
        (503, b"<html>Sorry", False, "503"),
        (200, b"<html>Sign in to the guest network", False, "200"),
        (400, b"\xff[[[[", False, "400"),
        (200, {"access_token": "two words"}, False, "no bearer token"),
        (200, {"access_token": "a\u0001b"}, False, "no bearer token"),
        (200, {"access_token": 7}, False, "no bearer token"),
        (200, {"access_token": "x", "token_type": "mac"}, False, "no bearer token"),
        (302, b"", False, "302"),
    ],
)
async def test_what_the_giver_says_instead_of_a_token_is_told_and_judged(
    giver: TokenServer, status: int, body: Any, permanent: bool, says: str
) -> None:
    giver.answer = (status, body if isinstance(body, bytes) else json.dumps(body).encode())
    with pytest.raises(TokenError, match=says) as raised:
        await token_of(Tokens(application(giver)))
    assert raised.value.permanent is permanent
    assert SECRET not in str(raised.value)
    giver.answer = None
    assert await token_of(Tokens(application(giver)))


async def test_a_giver_that_is_not_there_or_silent_is_a_passing_error(giver: TokenServer, unused_port: int) -> None:
    nowhere = application(giver, token_url=f"http://127.0.0.1:{unused_port}/token")
    with pytest.raises(TokenError) as raised:
        await token_of(Tokens(nowhere))
    assert not raised.value.permanent
    async with ScriptedServer(b"", lambda _: b"") as silent:
        mute = application(giver, token_url=f"http://127.0.0.1:{silent.port}/token", timeout=0.2)
        with pytest.raises(TokenError, match=r"no answer within 0\.2 s") as raised:
            await token_of(Tokens(mute))
    assert not raised.value.permanent


async def test_a_giver_behind_an_own_authority_is_known_by_ca_file_only(certificates: Certificates) -> None:
    secure = TokenServer().start(certificates)
    try:
        own = application(secure, token_url=f"https://127.0.0.1:{secure.port}/token", ca_file=str(certificates.ca))
        assert await token_of(Tokens(own))
        with pytest.raises(TokenError, match="certificate is not trusted") as raised:
            await token_of(Tokens(dataclasses.replace(own, ca_file=str(certificates.other_ca))))
        assert raised.value.permanent
    finally:
        secure.stop()


async def test_a_refresh_token_that_is_replaced_is_kept_for_its_owner_and_used_next_time(
    giver: TokenServer, tmp_path: Path
) -> None:
    giver.rotate, giver.refresh_tokens = True, {"first": ANNA}
    of = application(giver, grant="refresh_token", refresh_token="first", keep=tmp_path / "tokens")
    await token_of(Tokens(of))
    await token_of(Tokens(of))  # another process, or the next start
    assert [form["refresh_token"] for form in giver.asked] == ["first", "first+"]
    kept = [file for file in (tmp_path / "tokens").iterdir() if file.suffix == ".token"]
    assert [(file.read_text(), stat.S_IMODE(file.stat().st_mode)) for file in kept] == [("first++", 0o600)]
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700


async def test_connections_that_share_a_chain_of_refresh_tokens_do_not_break_it(
    giver: TokenServer, tmp_path: Path
) -> None:
    giver.rotate, giver.refresh_tokens = True, {"first": ANNA}
    of = application(giver, grant="refresh_token", refresh_token="first", keep=tmp_path)
    await asyncio.gather(*(token_of(Tokens(of)) for _ in range(5)))
    assert [form["refresh_token"] for form in giver.asked] == ["first" + "+" * number for number in range(5)]


async def test_a_new_first_refresh_token_starts_a_new_chain(giver: TokenServer, tmp_path: Path) -> None:
    giver.rotate, giver.refresh_tokens = True, {"first": ANNA, "second": ANNA}
    of = application(giver, grant="refresh_token", refresh_token="first", keep=tmp_path)
    await token_of(Tokens(of))
    giver.refresh_tokens.pop("first+")  # the consent was withdrawn
    with pytest.raises(TokenError, match="sign the mailbox in anew") as raised:
        await token_of(Tokens(of))
    assert raised.value.permanent
    assert "first+" not in str(raised.value)
    assert await token_of(Tokens(dataclasses.replace(of, refresh_token="second")))


async def test_a_kept_token_that_is_refused_is_replaced_once(giver: TokenServer) -> None:
    tokens, tried = Tokens(application(giver)), []

    async def use(token: str) -> str:
        tried.append(token)
        if len(tried) > 1:
            raise SignInRefused("no", permanent=True)
        return token

    await tokens.sign_in(use, lambda error: isinstance(error, SignInRefused))
    with pytest.raises(SignInRefused):
        await tokens.sign_in(use, lambda error: isinstance(error, SignInRefused))
    assert (len(tried), len(set(tried)), len(giver.asked)) == (3, 2, 2)
    with pytest.raises(MailboxError, match="other"):
        await tokens.sign_in(failing, lambda error: isinstance(error, SignInRefused))
    assert len(giver.asked) == 2


async def failing(_: str) -> str:
    raise MailboxError("other")


async def test_no_token_and_no_secret_is_ever_logged(giver: TokenServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = await token_of(Tokens(application(giver)))
    assert token not in caplog.text
    assert SECRET not in caplog.text


# --- the words of SASL


def test_the_first_words_are_those_of_the_specifications() -> None:
    assert base64.b64decode(xoauth2("a@b", "t0k")) == b"user=a@b\x01auth=Bearer t0k\x01\x01"
    said = base64.b64decode(oauthbearer("a=,@b", "t0k", "mail", 993))
    assert said == b"n,a=a=3D=2C@b,\x01host=mail\x01port=993\x01auth=Bearer t0k\x01\x01"


@given(st.binary(max_size=300))
@given_settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_challenge_breaks_the_reader(challenge: bytes) -> None:
    assert "\n" not in said_in_challenge(challenge)
    assert "\n" not in said_in_challenge(b"+ " + base64.b64encode(challenge))


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
