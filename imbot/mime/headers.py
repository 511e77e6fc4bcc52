"""Header blocks and their values: found without regular expressions that could run away, decoded whatever the abuse.

Encoded words (RFC 2047) are taken as they are met in the wild: inside quotes, without blanks around, split in mid-character,
with blanks inside, with wrong padding. Parameters (RFC 2231 and the older ways) likewise. Everything is linear.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from imbot.domain.errors import LetterRefused
from imbot.mime.charsets import decode

MAX_PARAMETERS = 300
_FIELD_NAME = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_CONTROLS = re.compile(r"[\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+[ \t]*")


@dataclass(frozen=True, slots=True)
class Block:
    """The headers of a part, as (name, raw value) in order, and where its body begins. `odd`: the places of fields that a
    server may not have seen as such: a blank before the colon, or behind a line that is no header."""

    fields: tuple[tuple[str, bytes], ...]
    body: int
    odd: frozenset[int] = frozenset()

    def raw(self, name: str) -> bytes | None:
        """The first value of `name` (lower case), or None."""
        for key, value in self.fields:
            if key.lower() == name:
                return value
        return None


class _Collector:
    """Fields of a block, one after the other, within bounds."""

    def __init__(self, most: int, longest: int) -> None:
        self.most = most
        self.longest = longest
        self.fields: list[tuple[str, bytes]] = []
        self.name = ""
        self.pieces: list[bytes] = []
        self.length = 0
        self.broken = False  # a line that is no header stood among them
        self.odd: set[int] = set()

    def open(self, name: str, value: bytes, *, odd: bool = False) -> None:
        self.close()
        if len(self.fields) >= self.most:
            raise LetterRefused(f"more than {self.most} headers")
        if odd or self.broken:
            self.odd.add(len(self.fields))
        self.name, self.pieces, self.length = name, [], 0
        self.add(value)

    def add(self, piece: bytes) -> None:
        if not self.name:
            return
        self.pieces.append(piece)
        self.length += len(piece)
        if self.length > self.longest:
            raise LetterRefused(f"the header {self.name[:40]} is longer than {self.longest} bytes")

    def close(self) -> None:
        if self.name:
            self.fields.append((self.name, b"".join(self.pieces)))


def split_headers(raw: bytes, start: int, end: int, *, most: int, longest: int) -> Block:
    """Reads header fields from `start` on. The block ends at an empty line, or where a line is no header.

    Raises `LetterRefused` above `most` fields or where one is longer than `longest` bytes.
    """
    found = _Collector(most, longest)
    position = start
    while position < end:
        stop = raw.find(b"\n", position, end)
        following = end if stop < 0 else stop + 1
        # No more of a line is copied than tells that it is too long.
        line = raw[position : min(following, position + longest + 1000)].rstrip(b"\r\n")
        match = _FIELD_NAME.match(line)
        if not line:
            if found.name:
                position = following
                break
        elif line[:1] in b" \t":
            found.add(b"\r\n" + line)
        elif match is not None:
            name = match.group()[:-1]
            found.open(name.rstrip(b" \t").decode("ascii"), line[match.end() :], odd=name[-1:] in b" \t")
        elif found.name or not line.startswith((b"From ", b">From ")):
            if not _goes_on(raw, following, end):
                break  # a body without the empty line before it
            found.broken = bool(found.name)
            found.add(b"\r\n " + line)  # a line that lost its indent
        position = following
    found.close()
    return Block(tuple(found.fields), position, frozenset(found.odd))


_WELL_KNOWN = re.compile(
    rb"(?i)(?:from|to|cc|subject|date|message-id|received|return-path|reply-to|mime-version|content-type"
    rb"|content-transfer-encoding|delivered-to|x-[!-9;-~]{1,60})[ \t]*:"
)
LOOK_AHEAD = 40


def _goes_on(raw: bytes, position: int, end: int) -> bool:
    """Whether a well-known header stands within the next lines, before an empty one: then what is between is no body."""
    for _ in range(LOOK_AHEAD):
        stop = raw.find(b"\n", position, min(end, position + 2000))
        line = raw[position : stop if stop >= 0 else min(end, position + 2000)].rstrip(b"\r")
        if not line:
            return False
        if _WELL_KNOWN.match(line):
            return True
        if stop < 0:
            return False
        position = stop + 1
    return False


def unfold(raw: bytes) -> bytes:
    """RFC 5322, 2.2.3: the line break goes, the blank stays."""
    return raw.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\r", b"").strip()


def to_text(raw: bytes, hint: str = "") -> str:
    """A raw value as text: unfolded, 8-bit bytes read as well as can be, encoded words left as they are."""
    return _CONTROLS.sub(" ", decode(unfold(raw), "", hint))


_TRACE = frozenset({"authentication-results", "received", "return-path"})
_TRACE_PREFIX = "x-ms-exchange-organization-"
_TRACE_UNWANTED = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def is_trace(name: str) -> bool:
    """Whether servers write this field as evidence of where a letter came from."""
    lowered = name.lower()
    return lowered in _TRACE or lowered.startswith(_TRACE_PREFIX)


def trace_text(raw: bytes) -> str:
    """A trace field as our servers compare it: only unfolded. Encoded words stay encoded (RFC 2047, 5 has none here), and
    what is no text is shown as such: were it left out, a letter could spell there what its server did not see."""
    unfolded = raw.replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b" ")
    return _TRACE_UNWANTED.sub("\ufffd", unfolded.decode("utf-8", "replace")).strip(" \t")


def decode_header(raw: bytes, hint: str = "") -> str:
    """A raw value as people read it: one line, no controls."""
    return decode_words(to_text(raw, hint), hint)


def decode_words(text: str, hint: str = "") -> str:
    """Encoded words -> text. Neighbours of one charset are joined before they are decoded, so that a character that was
    split between two words is whole again. What only looks like an encoded word stays as it is."""
    if "=?" not in text:
        return text
    out: list[str] = []
    held = bytearray()
    held_charset = ""
    position = 0
    while True:
        start = text.find("=?", position)
        word = _word_at(text, start) if start >= 0 else None
        if start >= 0 and word is None and text.find("?=", start) < 0:
            start = -1  # no word can end any more: what remains is plain
        gap = text[position:] if start < 0 else text[position:start]
        if held and (start < 0 or word is None or gap.strip() or word.charset != held_charset):
            out.append(decode(bytes(held), held_charset, hint))
            held.clear()
            gap = "" if word is not None and not gap.strip() else gap
        elif held:
            gap = ""
        out.append(gap)
        if start < 0:
            return _CONTROLS.sub(" ", "".join(out))
        if word is None:
            out.append("=?")
            position = start + 2
            continue
        held += word.data
        held_charset = word.charset
        position = word.end


@dataclass(frozen=True, slots=True)
class _Word:
    charset: str
    data: bytes
    end: int


def _word_at(text: str, start: int) -> _Word | None:
    first = text.find("?", start + 2, start + 2 + 80)
    if first < 0 or text[first + 2 : first + 3] != "?":
        return None
    encoding = text[first + 1].lower()
    stop = text.find("?=", first + 3)
    if stop < 0 or encoding not in "bq":
        return None
    charset = text[start + 2 : first].strip().lower()
    if not charset or " " in charset:
        return None
    content = text[first + 3 : stop]
    data = _b(content) if encoding == "b" else _q(content)
    return None if data is None else _Word(charset.split("*", 1)[0], data, stop + 2)


def _b(content: str) -> bytes | None:
    return decode_base64(content.encode("ascii", "ignore"))


def _q(content: str) -> bytes:
    return binascii.a2b_qp(content.encode("utf-8", "ignore"), header=True)


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


def decode_base64(data: bytes) -> bytes:
    """Base64 with anything between its letters, missing padding, or padding in the middle (pieces that were joined)."""
    cleaned = data.translate(None, _NOT_BASE64)
    body = cleaned.rstrip(b"=")
    pieces = [body] if b"=" not in body else [piece for piece in body.split(b"=", 2000)[:2000] if piece]
    out = []
    for piece in pieces:
        whole = piece.rstrip(b"=")
        whole = whole[:-1] if len(whole) % 4 == 1 else whole
        out.append(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)))
    return out[0] if len(out) == 1 else b"".join(out)


# Parameters: Content-Type and Content-Disposition


@dataclass(frozen=True, slots=True)
class Parameters:
    """`value` is the part before the first semicolon in lower case; `parameters` are read by their lower-case names."""

    value: str
    parameters: dict[str, str]

    def get(self, name: str, default: str = "") -> str:
        return self.parameters.get(name, default)


def read_parameters(raw: bytes | None, hint: str = "") -> Parameters:
    """RFC 2231 continuations and charsets, encoded words, quotes that never close, doubles (the RFC 2231 form wins)."""
    if raw is None:
        return Parameters("", {})
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
        if encoded:
            data += _percent(value)
        else:
            data += decode_words(value).encode("utf-8", "replace") if not charset else value.encode("utf-8", "replace")
    return _CONTROLS.sub(" ", decode(bytes(data), charset))


def _percent(value: str) -> bytes:
    pieces = value.encode("utf-8", "replace").split(b"%")
    out = [pieces[0]]
    for piece in pieces[1:]:
        try:
            out.append(bytes.fromhex(piece[:2].decode("ascii")) + piece[2:] if len(piece) > 1 else b"%" + piece)
        except ValueError:
            out.append(b"%" + piece)
    return b"".join(out)
