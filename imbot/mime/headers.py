"""Header blocks and their values: found without regular expressions that could run away, and decoded. Everything is linear.

A field that is longer than the bound is cut there; one that trust may rest on (where a letter comes from, and what servers
say of it) is left out as a whole instead: half of it could say what the whole does not. For the same reason all of those are
left out where they are too many together: one that is missing could contradict one that is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imbot.domain.errors import LetterRefused
from imbot.mime.charsets import decode
from imbot.mime.words import SPOILT, decode_words, one_line, spoilt

_FIELD_NAME = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_FIELD = re.compile(rb"([!-9;-~]{1,200})([ \t]*):([^\n]*(?:\n[ \t][^\n]*)*)\n?")


@dataclass(frozen=True, slots=True)
class Block:
    """The headers of a part, as (name, raw value) in order, and where its body begins. `odd`: the places of fields that a
    server may not have seen as such: a blank before the colon, or behind a line that is no header. `cut`: the names, in
    lower case, of fields that were too long."""

    fields: tuple[tuple[str, bytes], ...]
    body: int
    odd: frozenset[int] = frozenset()
    cut: tuple[str, ...] = ()

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
        self.cut: list[str] = []

    def open(self, name: str, value: bytes, *, odd: bool) -> None:
        self.close()
        if len(self.fields) >= self.most:
            raise LetterRefused(f"more than {self.most} headers")
        if odd or self.broken:
            self.odd.add(len(self.fields))
        self.name, self.pieces, self.length = name, [value], len(value)

    def add(self, piece: bytes) -> None:
        if self.name and self.length <= self.longest:
            self.pieces.append(piece)
            self.length += len(piece)

    def close(self) -> None:
        if not self.name:
            return
        if self.length > self.longest:
            self.cut.append(self.name.lower())
            if is_trusted(self.name):
                self.odd.discard(len(self.fields))
                return
        self.fields.append((self.name, b"".join(self.pieces)[: self.longest]))


def within(block: Block, most: int) -> Block:
    """The block itself, if the fields that say who wrote the letter have at most `most` bytes together, and the trace fields
    as well; else without any of those that have more."""
    for kind in (is_trace, is_origin):
        if sum(_weight(*field) for field in block.fields if kind(field[0])) > most:
            kept = [place for place, (name, _) in enumerate(block.fields) if not kind(name)]
            odd = frozenset(place for place, before in enumerate(kept) if before in block.odd)
            gone = sorted({name.lower() for name, _ in block.fields if kind(name)})
            block = Block(tuple(block.fields[place] for place in kept), block.body, odd, (*block.cut, *gone))
    return block


def beyond(block: Block, most: int) -> frozenset[int]:
    """The places of fields that trust does not rest on in any way and that do not fit into `most` bytes any more."""
    left, out = most, set()
    for place, (name, value) in enumerate(block.fields):
        if is_trusted(name) or name.lower() in _SIGNED:
            continue
        weight = _weight(name, value)
        if weight > left:
            out.add(place)
        else:
            left -= weight
    return frozenset(out)


def _weight(name: str, value: bytes) -> int:
    return len(name) + len(value) + 4  # with a colon, a blank and the line's end


def split_headers(raw: bytes, start: int, end: int, *, most: int, longest: int) -> Block:
    """Reads header fields from `start` on. The block ends at an empty line, or where a line is no header.

    Raises `LetterRefused` above `most` fields; a field of more than `longest` bytes is cut or left out.
    """
    found = _Collector(most, longest)
    position = start
    while position < end:
        match = _FIELD.match(raw, position, end)
        if match is not None:
            first, last = match.span(3)
            value = raw[first : min(last, first + longest + 1)].rstrip(b"\r\n")
            found.open(match[1].decode("ascii"), value, odd=bool(match[2]))
            position = match.end()
            continue
        stop = raw.find(b"\n", position, end)
        following = end if stop < 0 else stop + 1
        # No more of a line is copied than tells that it is too long.
        line = raw[position : min(following, position + longest + 1000)].rstrip(b"\r\n")
        if not line:
            if found.name:
                position = following
                break
        elif line[:1] in b" \t":
            found.add(b"\r\n" + line)
        elif found.name or not line.startswith((b"From ", b">From ")):
            if not _goes_on(raw, following, end):
                break  # a body without the empty line before it
            found.broken = bool(found.name)
            found.add(b"\r\n " + line)  # a line that lost its indent
        position = following
    found.close()
    return Block(tuple(found.fields), position, frozenset(found.odd), tuple(found.cut))


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
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\r", b"").replace(b"\n", b"")
    return raw.strip()


def to_text(raw: bytes, hint: str = "") -> str:
    """A raw value as text: unfolded, 8-bit bytes read as well as can be, encoded words left as they are."""
    flat = unfold(raw)
    if flat.isascii() and b"\x1b" not in flat:  # nearly all of them
        return one_line(flat.decode("ascii"))
    return one_line(decode(flat, "", hint))


_FOLD = re.compile(rb"\r*\n(?=[ \t])")
_LOST = re.compile(rb"[\x00\r\n]")  # decoding and unfolding would drop them


def address_text(raw: bytes, hint: str = "") -> str:
    """The same of a value that holds addresses: a control in it is marked (`words.SPOILT`), never dropped."""
    flat = _FOLD.sub(b"", raw).strip()
    if flat.isascii() and b"\x1b" not in flat:
        return spoilt(_LOST.sub(SPOILT.encode(), flat).decode("ascii"))
    return spoilt(decode(_LOST.sub(SPOILT.encode(), flat), "", hint))


_TRACE = frozenset({"authentication-results", "received", "return-path"})
_TRACE_PREFIX = "x-ms-exchange-organization-"
_TRACE_UNWANTED = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


_ORIGIN = frozenset({"from", "sender", "reply-to"})
# What a signature vouches for at most once: a second one out of sight would be read by the servers, and not by us.
_SIGNED = frozenset(
    {
        *("dkim-signature", "subject", "date", "message-id", "in-reply-to", "references"),
        *("mime-version", "content-type", "content-transfer-encoding"),
    }
)


def is_trusted(name: str) -> bool:
    """Whether trust may rest on this field."""
    return is_trace(name) or is_origin(name)


def is_origin(name: str) -> bool:
    """Whether this field says who wrote the letter."""
    return name.lower() in _ORIGIN


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
