"""Tokens to sign in to a mail server with, in place of a password: fetched, kept until shortly before they end, forgotten
when the server refuses them. It speaks to the token's giver only (RFC 6749); SASL is here as two small texts.

    none -> (fetch) -> good -> expires soon -> (fetch) -> good -> refused by the mail server -> (fetch, once) -> good

A refresh token that the giver replaces is kept in a file of its own, 0600, since the one in the settings may be dead from then
on. The file is read again before each use, under a lock: several connections and processes share one chain of tokens.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import json
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, urlsplit

import aiohttp
import structlog

from imbot.domain.errors import ImbotError, TokenError
from imbot.durable import write_whole
from imbot.mailbox.inbox import tls_context

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_LARGEST = 64 * 1024  # of an answer
_UNKNOWN_LIFE = 600.0  # seconds, where the giver does not say
_EARLY = 120.0  # seconds before its end that a token is replaced, or a fifth of its life
_TELLING = 12  # characters by which a long secret is known
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_HINTS = {
    "invalid_grant": "the consent has ended or was withdrawn: sign the mailbox in anew and set the new refresh_token",
    "invalid_client": "client_id or client_secret is wrong, or the secret has run out",
    "unauthorized_client": "the application may not use this grant",
    "invalid_scope": "scope is wrong",
}


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """`grant`: client_credentials or refresh_token. `keep`: the folder for refresh tokens that replace the first. `timeout`:
    seconds for one token."""

    token_url: str
    client_id: str
    client_secret: str = ""
    grant: str = "client_credentials"
    scope: str = ""
    refresh_token: str = ""
    ca_file: str = ""
    keep: Path | None = None
    timeout: float = 20.0


class Tokens:
    """Tokens of one application for one mailbox. Safe to call from several tasks. `clock`: Unix seconds."""

    def __init__(self, settings: OAuthSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._lock = asyncio.Lock()
        self._token, self._good_until = "", 0.0

    async def sign_in(self, use: Callable[[str], Awaitable[_T]], refused: Callable[[ImbotError], bool]) -> _T:
        """What `use` makes of a token. A kept one that is `refused` is replaced, once. Raises TokenError, and what `use` does."""
        token, kept = await self._get("")
        try:
            return await use(token)
        except ImbotError as error:
            if not kept or not refused(error):
                raise
        token, _ = await self._get(token)
        return await use(token)

    async def _get(self, refused: str) -> tuple[str, bool]:
        """A token that is not `refused`, and whether it was here already."""
        async with self._lock:
            if self._token and self._token != refused and self._clock() < self._good_until:
                return self._token, True
            self._token = ""
            try:
                async with asyncio.timeout(self._settings.timeout):
                    answer = await self._fetch()
            except TimeoutError as error:
                raise TokenError(f"{self._where}: no answer within {self._settings.timeout:g} s") from error
            life = _seconds(answer.get("expires_in"))
            self._token, self._good_until = _bearer(answer, self._where), self._clock() + life - min(_EARLY, life / 5)
            return self._token, False

    @property
    def _where(self) -> str:
        return f"the token server {urlsplit(self._settings.token_url).hostname}"

    async def _fetch(self) -> dict[str, Any]:
        settings = self._settings
        form = {"grant_type": settings.grant, "client_id": settings.client_id}
        form |= {
            name: value
            for name, value in (("client_secret", settings.client_secret), ("scope", settings.scope))
            if value
        }
        if settings.grant != "refresh_token":
            return await self._ask(form)
        async with self._chain() as file:
            current = await asyncio.to_thread(_kept, file) or settings.refresh_token
            answer = await self._ask(form | {"refresh_token": current})
            following = answer.get("refresh_token")
            if file is not None and isinstance(following, str) and following and following != current:
                await asyncio.to_thread(_keep, file, following)
            return answer

    @asynccontextmanager
    async def _chain(self) -> AsyncIterator[Path | None]:
        """The file of the newest refresh token, while nobody else uses it. A new first one in the settings starts a new file."""
        settings = self._settings
        if settings.keep is None:
            yield None
            return
        first = "\0".join((settings.token_url, settings.client_id, settings.refresh_token))
        file = settings.keep / f"{hashlib.sha256(first.encode()).hexdigest()[:16]}.token"
        try:
            for folder in (settings.keep.parent, settings.keep):  # the data folder, where nothing has made it yet
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TokenError(f"{settings.keep}: refresh tokens cannot be kept there: {error.strerror}") from error
        try:
            while not _locked(handle):  # noqa: ASYNC110  another process has no event to wait for
                await asyncio.sleep(0.05)
            yield file
        finally:
            os.close(handle)

    async def _ask(self, form: dict[str, str]) -> dict[str, Any]:
        """One POST. Raises TokenError that repeats no secret."""
        url = self._settings.token_url
        far = urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1")
        try:
            context = await asyncio.to_thread(tls_context, self._settings.ca_file)
            async with (
                aiohttp.ClientSession(trust_env=far) as session,
                session.post(
                    url, data=form, ssl=context, allow_redirects=False, headers={"Accept": "application/json"}
                ) as response,
            ):
                status, raw = response.status, b""
                async for chunk in response.content.iter_chunked(8192):
                    raw += chunk
                    if len(raw) > _LARGEST:
                        break
        except aiohttp.ClientConnectorCertificateError as error:
            found = error.certificate_error
            text = found.verify_message if isinstance(found, ssl.SSLCertVerificationError) else str(found)
            raise TokenError(f"{self._where}: its certificate is not trusted: {text}", permanent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise TokenError(f"{self._where}: {_one_line(str(error)) or type(error).__name__}") from None
        answer = _table(raw)
        if status == 200 and answer.get("access_token"):
            return answer
        raise self._refusal(status, answer, form)

    def _refusal(self, status: int, answer: dict[str, Any], form: dict[str, str]) -> TokenError:
        secret = [form.get(name, "") for name in ("client_secret", "refresh_token")]
        code, said = (
            _one_line(without(secret, str(answer.get(name) or ""))) for name in ("error", "error_description")
        )
        code = code[:60]
        words = [f"{status}", code, f"({said})" if said else "", f"-- {_HINTS[code]}" if code in _HINTS else ""]
        permanent = 400 <= status < 500 and status not in (408, 429) and bool(code) and code not in _PASSING
        return TokenError(f"{self._where}: {' '.join(word for word in words if word)}", permanent=permanent)


def xoauth2(username: str, token: str) -> str:
    """The first words of XOAUTH2, in base64."""
    return base64.b64encode(f"user={username}\1auth=Bearer {token}\1\1".encode()).decode()


def oauthbearer(username: str, token: str, host: str, port: int) -> str:
    """The first words of OAUTHBEARER (RFC 7628), in base64."""
    name = username.replace("=", "=3D").replace(",", "=2C")
    return base64.b64encode(f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {token}\1\1".encode()).decode()


def said_in_challenge(challenge: bytes, hidden: Iterable[str] = ()) -> str:
    """What a server says of a token that it refuses: `+ <base64 of JSON>` in words, without what is `hidden`, or "" where it
    says nothing of use."""
    try:
        answer = _table(base64.b64decode(challenge.strip().removeprefix(b"+").strip(), validate=True))
    except ValueError:
        return ""
    said = " ".join(str(answer[key]) for key in ("status", "error", "error_description") if answer.get(key))
    return _one_line(without(hidden, said))


def secrets_of_sign_in(username: str, token: str, host: str, port: int) -> tuple[str, ...]:
    """What a mail server may repeat of a sign-in by token and nobody is to read: the token, and the words that bear it."""
    return (token, xoauth2(username, token), oauthbearer(username, token, host, port)) if token else ()


def _bearer(answer: dict[str, Any], where: str) -> str:
    """The token, fit to stand in a command. Raises TokenError."""
    token = answer["access_token"]
    kind = str(answer.get("token_type") or "bearer").lower()
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token or kind != "bearer":
        raise TokenError(f"{where}: its answer is no bearer token")
    return token


def _seconds(value: Any) -> float:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return _UNKNOWN_LIFE


def _table(raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _kept(file: Path | None) -> str:
    try:
        return file.read_text("utf-8").strip() if file is not None else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _keep(file: Path, token: str) -> None:
    """Whole or not at all, for its owner only. A disk that does not take it is said, since the next start may need it."""
    try:
        write_whole(file, token.encode())
    except OSError as error:
        log.error("refresh_token_not_kept", file=str(file), error=error.strerror)


def without(hidden: Iterable[str], text: str) -> str:
    """`text` with every secret blotted out, as it is and as a form or an address bears it, and with what begins like a long
    one: who repeats it may have cut it. To be done before anything is cut here."""
    for secret in filter(None, hidden):
        for form in sorted({secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}, key=len, reverse=True):
            text = re.sub(re.escape(form), "***", text, flags=re.I)
            if len(form) >= 2 * _TELLING:
                text = re.sub(re.escape(form[:_TELLING]) + r"[^\s'\"<>]*", "***", text, flags=re.I)
    return text


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:300]
