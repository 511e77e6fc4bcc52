"""What Telegram refuses, and in which words: texts, entities, keyboards. Pure; every refusal is an `ApiError`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from imbot.demo.botapi_markup import BadMarkup, parse_html, parse_markdown
from imbot.demo.botapi_state import utf16_length

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_DOWNLOAD = 20 * 1024 * 1024
MAX_UPLOAD = 50 * 1024 * 1024
MAX_PHOTO = 10 * 1024 * 1024


class ApiError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, status: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        return answer | ({"parameters": self.parameters} if self.parameters else {})


def bad_request(words: str) -> ApiError:
    return ApiError(400, f"Bad Request: {words}")


def as_json(value: Any, name: str) -> Any:
    """A nested parameter: JSON already, or JSON in a string (forms)."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        raise bad_request(f"can't parse {name} JSON object") from None


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of a call, whichever way they came. Forms bring strings, JSON brings values."""

    values: Mapping[str, Any]
    files: Mapping[str, Upload]

    def text(self, name: str) -> str:
        value = self.values.get(name, "")
        return value if isinstance(value, str) else str(value)

    def whole(self, name: str, default: int = 0) -> int:
        value = self.values.get(name)
        if value in (None, ""):
            return default
        try:
            return int(str(value))
        except ValueError:
            raise bad_request(f'can\'t parse "{name}": expected a number') from None

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in ("true", "1", "yes")

    def json(self, name: str) -> Any:
        value = self.values.get(name)
        return None if value in (None, "") else as_json(value, name)


def check_text(
    text: str, parse_mode: str, entities: Any, *, limit: int = MAX_TEXT, required: bool = True
) -> tuple[str, list[dict[str, Any]]]:
    """The text and entities as Telegram stores them (trimmed). Raises what Telegram answers."""
    words, marks = _parse(text, parse_mode, entities)
    _check_entities(words, marks)
    stripped = words.lstrip()
    lost = utf16_length(words) - utf16_length(stripped)
    stripped = stripped.rstrip()
    length = utf16_length(stripped)
    if not stripped and required:
        raise bad_request("message text is empty")
    if length > limit:
        raise bad_request("message is too long" if limit == MAX_TEXT else "message caption is too long")
    kept = []
    for mark in marks:
        start = max(0, mark["offset"] - lost)
        end = min(length, mark["offset"] + mark["length"] - lost)
        if end > start:
            kept.append({**mark, "offset": start, "length": end - start})
    return stripped, kept


def _parse(text: str, parse_mode: str, entities: Any) -> tuple[str, list[dict[str, Any]]]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    mode = parse_mode.lower()
    try:
        if mode == "html":
            return parse_html(text)
        if mode == "markdownv2":
            return parse_markdown(text)
    except BadMarkup as problem:
        raise bad_request(f"can't parse entities: {problem}") from None
    if mode:
        raise bad_request("unsupported parse_mode")
    if not isinstance(entities or [], list):
        raise bad_request("can't parse entities: expected an Array of MessageEntity")
    return text, list(entities or [])


def _check_entities(text: str, entities: list[dict[str, Any]]) -> None:
    units = text.encode("utf-16-le")
    total = len(units) // 2
    for entity in entities:
        if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
            raise bad_request('can\'t parse MessageEntity: Field "type" must be of type String')
        start, length = entity.get("offset"), entity.get("length")
        if not isinstance(start, int) or not isinstance(length, int):
            raise bad_request('can\'t parse MessageEntity: Field "offset" must be of type Number')
        if start < 0 or length <= 0:
            raise bad_request("can't parse MessageEntity: offset and length must be positive")
        if start + length > total:
            raise bad_request(
                f"entity beginning at UTF-16 offset {start} ends after the end of the text at UTF-16 offset {total}"
            )
        for edge in (start, start + length):
            if 0 < edge < total and 0xDC <= units[edge * 2 + 1] <= 0xDF:
                raise bad_request(
                    f"entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol"
                    f" at UTF-16 offset {edge}"
                )


def check_keyboard(markup: Any) -> dict[str, Any] | None:
    """The inline keyboard as it is kept, or None for "no keyboard"."""
    if markup in (None, "", {}):
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" not in markup:
        return None  # remove_keyboard, force_reply and custom keyboards leave nothing on the message
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request("can't parse inline keyboard: expected an Array of Array of InlineKeyboardButton")
    kept = [[_check_button(button) for button in row] for row in rows if row]
    if any(len(row) > 8 for row in kept) or sum(len(row) for row in kept) > 100:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return {"inline_keyboard": kept} if kept else None


def _check_button(button: Any) -> dict[str, Any]:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be of type String')
    if not button["text"].strip():
        raise bad_request("can't parse inline keyboard button: inline keyboard button text must be non-empty")
    if "url" in button:
        _check_url(str(button["url"]))
        return {"text": button["text"], "url": button["url"]}
    value = button.get("callback_data")
    if not isinstance(value, str):
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if not 1 <= len(value.encode()) <= 64:
        raise bad_request("BUTTON_DATA_INVALID")
    return {"text": button["text"], "callback_data": value}


def _check_url(url: str) -> None:
    scheme, colon, rest = url.partition(":")
    if colon and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) and scheme not in ("http", "https", "tg", "ton"):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Unsupported URL protocol")
    host = rest.lstrip("/") if colon else url
    if not host or re.search(r"\s", url) or (scheme in ("http", "https") and "." not in host and ":" not in host):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
