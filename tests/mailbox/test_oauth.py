"""Tokens: what their giver answers, how long one is kept, how a chain of refresh tokens holds, and the words of SASL."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import random
import stat
import string
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from imbot.domain.errors import MailboxError, SignInRefused, TokenError
from imbot.mailbox.oauth import Tokens, oauthbearer, said_in_challenge, xoauth2
from tests.proxy import ScriptedServer
from tests.servers import Certificates
from tests.token_server import SECRET, TokenServer, application

ANNA = "anna@example.test"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


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


@pytest.mark.parametrize("place", ["error", "error_description"])
@pytest.mark.parametrize("said", ["{}", "'{}' is bad", "{:.500} ... is bad"])
async def test_a_secret_that_the_giver_quotes_is_nowhere_in_the_error(
    giver: TokenServer, place: str, said: str
) -> None:
    """A token longer than what is shown of an answer, one that the giver has cut, and one as a form bears it."""
    hidden = "S3cr~et.With+Plus/Slash=" + "".join(random.Random(7).choices(string.ascii_letters, k=1200))
    tokens = Tokens(application(giver, grant="refresh_token", refresh_token=hidden, client_secret="w+x/y z="))
    for form in (hidden, quote_plus(hidden), quote(hidden, safe="").replace("%2F", "%2f")):
        words = said.format(form) + " w+x/y z= w%2Bx%2Fy+z%3D w%2bx%2fy%20z%3d"
        giver.answer = (400, json.dumps({"error": "invalid_grant"} | {place: words}).encode())
        with pytest.raises(TokenError) as raised:
            await token_of(tokens)
        assert not [told for told in ("S3cr", "With", hidden[30:50], "w+x", "y z=", "z%3") if told in str(raised.value)]
        assert "***" in str(raised.value)


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
