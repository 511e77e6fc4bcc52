"""Structured logs: one line an event, as text for a terminal or as JSON for a journal; secrets are masked in every line.

It owns the root logger, so lines of libraries and tracebacks pass the same masks. It decides nothing about what is logged.
"""

from __future__ import annotations

import imbot.lean  # noqa: F401 # isort: skip # before all others: they take the libraries as they find them

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "console", "json"]

_TOKEN = re.compile(r"(?<!\d)\d{5,}:[A-Za-z0-9_-]{10,}")  # a Telegram bot token, also inside URLs
_ADDRESS = re.compile(r"([^\W_])[\w.%+'-]{0,100}?(@|%40)([^\W_][\w.-]{0,252}[^\W_])")  # of any alphabet, also in URLs
_URL_PASSWORD = re.compile(r"([a-z][a-z0-9+]{0,20}://[^\s/:@]{0,256}):[^\s/@]{1,256}@")
_NAMED = re.compile(
    r"(?i)(\b(?:pass(?:word|wd)?|(?:client_)?secret|(?:access_|refresh_)?token|api_key|authorization|пароль)\\{0,3}[\"']?\s*[=:]\s*)(?:bearer\s+)?"
    r"(?:\"(?:[^\"\\]|\\.)*(?:\"|$)|'(?:[^'\\]|\\.)*(?:'|$)|(\\+[\"']).*?(?:\2|$)"
    r"|(?!(?:is|are|was|must|may|can|cannot|should|has|no|not|missing|empty|unknown|wrong|refused)\b)[^\s,;&\"'\\]+)"
)
# In a sentence; "password is missing" is none. A password has a figure in it, or is not worth the name.
_TOLD = re.compile(r"(?i)(\b(?:password|passwd|secret|token|пароль)\s+(?:is|was|-|—)\s+)(?=\S*\d)[^\s,;]{6,}")
# Of sign-in, in capitals or with a figure in it; an SMTP code and a word of eight letters stay readable.
_CODE = re.compile(
    r"((?i:\b(?:code|код[а-я]{0,2}))(?:[\"']?|[^\n:=]{1,60}?)(?:\s*[=:]\s*|\s+)[\"'«(]?)"
    r"(?:[A-Z2-7]{4}[ -]?[A-Z2-7]{4}|(?=[a-zA-Z -]{0,8}[2-7])[a-zA-Z2-7]{4}[ -]?[a-zA-Z2-7]{4})\b"
)
_CODE_VALUE = re.compile(r"(?i)[a-z2-7]{4}[ -]?[a-z2-7]{4}")
_START_LINK = re.compile(r"(?i)(\?start=|/start\s+)[A-Za-z0-9_-]{16,}")
_BEARER = re.compile(r"(?i)(\bbearer\s+)(?=\S*[\d._-])[A-Za-z0-9._~+/-]{16,}=*")
_SECRET_KEYS = frozenset(
    {"password", "passwd", "pass", "secret", "token", "link", "authorization", "bind_password", "proxy"}
)
_SHORTEST = 4  # a shorter secret would mask half of every line
_LOUD_ONLY = (
    "alembic",
    "httpx",
    "httpcore",
    "aiohttp",
    "telegram",
    "aioimaplib",
    "apscheduler",
    "aiosmtplib",
    "asyncio",
    "uvicorn",
)
_DOTS = "***"


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without tokens, passwords, codes and whole addresses (`a***@company.ru`). `secrets` are blotted out literally."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, _DOTS)
    text = _URL_PASSWORD.sub(rf"\1:{_DOTS}@", text)
    text = _TOKEN.sub(_DOTS, text)
    text = _BEARER.sub(rf"\1{_DOTS}", text)
    text = _START_LINK.sub(rf"\1{_DOTS}", text)
    text = _CODE.sub(rf"\1{_DOTS}", text)
    text = _TOLD.sub(rf"\1{_DOTS}", _NAMED.sub(rf"\1{_DOTS}", text))
    return _ADDRESS.sub(rf"\1{_DOTS}\2\3", text)


def mask_secrets(text: str) -> str:
    """`text` without bot tokens, sign-in links and passwords in URLs: for our own sentences, whose words stay as they are."""
    return _START_LINK.sub(rf"\1{_DOTS}", _TOKEN.sub(_DOTS, _URL_PASSWORD.sub(rf"\1:{_DOTS}@", text)))


class Masking:
    """A processor that masks every value of a line, however deep. The last but one in the chain, after tracebacks are text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True))

    def __call__(self, _logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        return {key: self._clean(key, value) for key, value in event_dict.items()}

    def _clean(self, key: str, value: Any) -> Any:
        if key.lower() in _SECRET_KEYS and value not in (None, "", 0):
            return _DOTS
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return _DOTS if key == "code" and _CODE_VALUE.fullmatch(value) else mask(value, self._secrets)
            case dict():
                return {str(inner): self._clean(str(inner), item) for inner, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._clean("", item) for item in value]
        return mask(str(value), self._secrets)


def set_up(
    level: str = "info", form: Format = "auto", *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's lines to `stream` (stderr). `auto`: text on a terminal, else JSON."""
    out = stream or sys.stderr
    as_json = form == "json" or (form == "auto" and not out.isatty())
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *before],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                Masking(secrets),
                _as_json() if as_json else _as_text(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _LOUD_ONLY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _as_json() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


def _as_text() -> Processor:
    """`2026-11-21T09:14:03Z warning  mailbox is down  mailbox=imap error='...'`; a traceback follows on its own lines."""
    return structlog.dev.ConsoleRenderer(
        colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
