"""Parameters of Content-Type and Content-Disposition: RFC 2231 and every older way, in linear time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from imbot.mime.charsets import decode
from imbot.mime.headers import to_text
from imbot.mime.words import decode_words, one_line

MAX_PARAMETERS = 300


@dataclass(frozen=True, slots=True)
class Parameters:
    """`value` is the part before the first semicolon in lower case; `parameters` are read by their lower-case names."""

    value: str
    parameters: Mapping[str, str]

    def get(self, name: str, default: str = "") -> str:
        return self.parameters.get(name, default)


_NONE = Parameters("", {})


def read_parameters(raw: bytes | None, hint: str = "") -> Parameters:
    """RFC 2231 continuations and charsets, encoded words, quotes that never close, doubles (the RFC 2231 form wins)."""
    if raw is None:
        return _NONE
    return _read_short(raw, hint) if len(raw) < 200 else _read(raw, hint)


@lru_cache(maxsize=256)
def _read_short(raw: bytes, hint: str) -> Parameters:
    """The same few stand in most parts of most letters."""
    return _read(raw, hint)


def _read(raw: bytes, hint: str) -> Parameters:
    pieces = _split_semicolons(to_text(raw, hint))
    simple: dict[str, str] = {}
    numbered: dict[str, dict[int, tuple[bool, str]]] = {}
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        name = name.strip().lower()
        if not equals or not name:
            continue
        base, star, index = name.partition("*")
        if not star:
            simple.setdefault(base, decode_words(_unquote(value), hint))
            continue
        number, encoded = index.rstrip("*"), index.endswith("*") or not index
        if number and not (number.isdecimal() and number.isascii() and len(number) < 4):
            continue
        numbered.setdefault(base, {}).setdefault(int(number or 0), (encoded, _unquote(value)))
    for base, parts in numbered.items():
        text = _joined(parts)
        if text:
            simple[base] = text
    return Parameters(pieces[0].strip().lower() if pieces else "", simple)


def _split_semicolons(text: str) -> list[str]:
    pieces: list[str] = []
    start = position = 0
    while len(pieces) < MAX_PARAMETERS:
        semicolon, quote = text.find(";", position), text.find('"', position)
        if semicolon < 0:
            break
        if 0 <= quote < semicolon:
            closing = _closing_quote(text, quote + 1)
            if closing >= 0:
                position = closing + 1
                continue
        pieces.append(text[start:semicolon])
        start = position = semicolon + 1
    pieces.append(text[start:])
    return pieces


def _closing_quote(text: str, position: int) -> int:
    while True:
        quote = text.find('"', position)
        if quote < 0:
            return -1
        slashes = 0
        while slashes < 64 and text[quote - 1 - slashes] == "\\":
            slashes += 1
        if slashes % 2 == 0:
            return quote
        position = quote + 1


def _unquote(value: str) -> str:
    value = value.strip()
    if value.startswith('"'):
        closing = _closing_quote(value, 1)
        value = value[1:closing] if closing > 0 else value[1:]
        return re.sub(r"\\([\\\"])", r"\1", value)
    if value.startswith("'") and value.endswith("'") and len(value) > 1 and value.count("'") == 2:
        return value[1:-1]
    return value


def _joined(parts: dict[int, tuple[bool, str]]) -> str:
    """RFC 2231: the pieces in order; the charset stands in the first one."""
    charset = ""
    data = bytearray()
    for index in sorted(parts):
        encoded, value = parts[index]
        if encoded and index == min(parts) and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += _percent(value) if encoded else value.encode("utf-8", "replace")
    return decode_words(one_line(decode(bytes(data), charset)))  # both at once, and words cut by continuations


def _percent(value: str) -> bytes:
    pieces = value.encode("utf-8", "replace").split(b"%")
    out = [pieces[0]]
    for piece in pieces[1:]:
        try:
            out.append(bytes.fromhex(piece[:2].decode("ascii")) + piece[2:] if len(piece) > 1 else b"%" + piece)
        except ValueError:
            out.append(b"%" + piece)
    return b"".join(out)
