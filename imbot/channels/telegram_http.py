"""python-telegram-bot's request layer on aiohttp and orjson, which costs an eighth of its own on httpx; it also streams
downloads. Knows proxies (HTTP and SOCKS5, with a password) and turns every fault of the transport into the library's
own exceptions. No text of an error here bears a URL, because the URL bears the token."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import aiohttp
import orjson
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

CONNECTIONS = (
    40  # more than parcels that may be in hand (`loops.hands`): answers to people find one even where Telegram is slow
)
CONNECT_SECONDS = 10.0
READ_SECONDS = 20.0
UPLOAD_SECONDS = 60.0
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file that goes out as a part of a form, read while it goes. Whoever opened `content` closes it."""

    content: BinaryIO
    name: str
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Call:
    """The parameters of a raw call: plain JSON, and files beside it. Takes the place of the library's `RequestData`,
    which `BaseRequest.post` hands through untouched."""

    values: Mapping[str, Any]
    files: Mapping[str, FilePart] = field(default_factory=dict)

    def as_request_data(self) -> RequestData:
        return cast(RequestData, self)


class Slowed(RetryAfter):
    """429. `seconds` as Telegram told; the library's own attribute warns of its change of type on every use."""

    def __init__(self, seconds: float) -> None:
        TelegramError.__init__(self, f"Too Many Requests: retry after {seconds:g}")
        self._retry_after = dt.timedelta(seconds=seconds)
        self.seconds = seconds


def place_of(url: str) -> str:
    """Host and port of a URL: what may be shown and logged of it."""
    parts = urlsplit(url)
    return f"{parts.hostname or '?'}{f':{parts.port}' if parts.port else ''}"


_Kinds = tuple[type[BaseException], ...]


class AiohttpRequest(BaseRequest):
    """One pool of connections. `read_seconds` is the default patience for an answer; `in_all`: for a whole call, a connection
    included, which is a tenth cheaper than a timer for each of its parts. `initialize` before use."""

    def __init__(
        self,
        *,
        proxy: str = "",
        read_seconds: float = READ_SECONDS,
        connections: int = CONNECTIONS,
        in_all: bool = False,
    ) -> None:
        self._proxy = proxy
        self._read_seconds = read_seconds
        self._usual = (
            aiohttp.ClientTimeout(total=read_seconds, sock_connect=min(CONNECT_SECONDS, read_seconds))
            if in_all
            else _timeout(CONNECT_SECONDS, read_seconds, 0.0)
        )
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._slow: _Kinds = (TimeoutError,)
        self._refused: _Kinds = ()  # by the proxy
        self._troubles: _Kinds = (TimeoutError, aiohttp.ClientError, OSError)

    @property
    def read_timeout(self) -> float | None:
        return self._read_seconds

    async def initialize(self) -> None:
        if self._session is not None:
            return
        connector: aiohttp.BaseConnector
        if self._proxy:
            from imbot.channels import telegram_proxy

            connector = telegram_proxy.proxy_connector(self._proxy)
            self._slow, self._refused = (TimeoutError, *telegram_proxy.TIMED_OUT), telegram_proxy.REFUSED
            self._troubles = (*self._slow, *self._refused, aiohttp.ClientError, OSError)
        else:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": self.USER_AGENT}
        )

    async def shutdown(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library promises, but quick, and without writing a strange answer into the log."""
        try:
            answer = orjson.loads(payload)
        except orjson.JSONDecodeError:
            try:  # orjson refuses lone surrogates, which a strange name may bear
                answer = json.loads(payload.decode("utf-8", "replace"))
            except (ValueError, RecursionError):
                raise TelegramError("Invalid server response: not JSON") from None
        if not isinstance(answer, dict):
            raise TelegramError("Invalid server response: not an object")
        return answer

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002 - waiting for the pool is part of connecting
    ) -> tuple[int, bytes]:
        """See `BaseRequest`. An error page that is not Telegram's JSON is a NetworkError whatever its number."""
        body, headers = _body_of(request_data)
        uploads = isinstance(body, aiohttp.FormData)
        timeout = self._usual
        if uploads or any(_is_asked(each) for each in (connect_timeout, read_timeout, write_timeout)):
            timeout = _timeout(
                _chosen(connect_timeout, CONNECT_SECONDS),
                _chosen(read_timeout, self._read_seconds),
                _chosen(write_timeout, UPLOAD_SECONDS) if uploads else 0.0,
            )
        try:
            async with self._open().request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                payload = await response.read()
        except self._troubles as problem:
            raise self._in_the_librarys_words(problem, url) from None
        if response.status >= 300:
            _refuse_strange(response.status, payload)
        return response.status, payload

    async def stream(self, url: str, seconds: float) -> AsyncGenerator[tuple[aiohttp.ClientResponse, bytes]]:
        """A download in pieces, each with its answer's head; first an empty piece. `seconds` bounds the whole of it.
        The caller looks at the status; there is no body to be had of a refusal."""
        timeout = _timeout(CONNECT_SECONDS, self._read_seconds, 0.0, seconds)
        try:
            async with self._open().request("GET", url, timeout=timeout, allow_redirects=False) as response:
                yield response, b""
                if response.status == 200:
                    async for chunk in response.content.iter_chunked(_CHUNK):
                        yield response, chunk
        except self._troubles as problem:
            raise self._in_the_librarys_words(problem, url) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise NetworkError("the connection to Telegram is closed")
        return self._session

    def _in_the_librarys_words(self, problem: BaseException, url: str) -> NetworkError:
        """Whatever goes wrong until an answer is read through becomes the library's exception."""
        if isinstance(problem, self._slow):
            return TimedOut(f"no answer from {self._far_end(url)} in time")
        if isinstance(problem, self._refused):
            return NetworkError(f"the proxy {place_of(self._proxy)} refused: {_words(problem, url)}")
        return NetworkError(f"{self._far_end(url)}: {_words(problem, url)}")

    def _far_end(self, url: str) -> str:
        return place_of(url) + (f" through the proxy {place_of(self._proxy)}" if self._proxy else "")


def _is_asked(patience: Any) -> bool:
    return patience is not BaseRequest.DEFAULT_NONE and patience is not None


def _chosen(asked: Any, default: float) -> float:
    return float(asked) if _is_asked(asked) else default


def _timeout(connect: float, read: float, write: float, total: float = 0.0) -> aiohttp.ClientTimeout:
    """`total` also stops a far end that sends one byte now and then."""
    return aiohttp.ClientTimeout(
        total=total or connect + read + write, connect=connect, sock_connect=connect, sock_read=read
    )


def _words(problem: BaseException, url: str) -> str:
    """The problem in its own words, unless they bear the URL."""
    name, words = type(problem).__name__, str(problem)
    token = urlsplit(url).path.partition("bot")[2].partition("/")[0]
    return name if not words or url in words or (token and token in words) else f"{name}: {words}"


def _body_of(data: RequestData | None) -> tuple[Any, dict[str, str]]:
    if data is None:
        return None, {}
    if isinstance(data, Call):
        if not data.files:
            return orjson.dumps(data.values), {"Content-Type": "application/json"}
        return _form(data), {}
    if data.contains_files:
        form = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
        for name, text in data.json_parameters.items():
            form.add_field(name, text)
        for name, (file_name, content, content_type) in (data.multipart_data or {}).items():
            form.add_field(name, content, filename=_file_name(file_name), content_type=content_type)
        return form, {}
    return orjson.dumps(data.parameters), {"Content-Type": "application/json"}


def _form(call: Call) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
    for name, value in call.values.items():
        form.add_field(name, value if isinstance(value, str) else orjson.dumps(value).decode())
    for name, part in call.files.items():
        form.add_field(name, part.content, filename=_file_name(part.name), content_type=part.content_type)
    return form


def _file_name(name: str) -> str:
    """A name that cannot break out of its header. It goes as UTF-8, not percent-encoded: Telegram shows it as it is."""
    return re.sub(r'[\x00-\x1f\x7f"\\\ud800-\udfff]', "_", name)


def _refuse_strange(status: int, payload: bytes) -> None:
    """Raise what the library would not tell well: a wait that is asked for, a size refused by the gateway in front, and
    pages that a gateway or a proxy made up."""
    if status == 413:
        raise BadRequest("Request Entity Too Large")
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("description"), str):
        raise NetworkError(f"HTTP {status} with a page instead of Telegram's answer")
    parameters = answer.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if isinstance(seconds, int | float) and seconds > 0:
        raise Slowed(float(seconds))
    if status == 429:
        raise Slowed(1.0)
