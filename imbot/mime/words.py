"""Encoded words (RFC 2047) -> text, as they are met in the wild: inside quotes, without blanks around, split in mid-character,
with blanks inside, with wrong padding. And base64, as tolerant. Everything is linear."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from imbot.mime.charsets import codec_of, decode, is_utf8
from imbot.mime.marks import few_marks

_CONTROLS = re.compile("[\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]+[ \t]*")
SPOILT = "\x1a"  # SUB, "substitute": in no charset a letter
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # they make a line read as what it is not


def one_line(text: str) -> str:
    """No line breaks, no controls, nothing that turns the direction of what follows, few marks in a row."""
    if not text.isprintable():
        text = _BIDI.sub("", _CONTROLS.sub(" ", text.replace("\x00", "")))
    return few_marks(text)


def spoilt(text: str) -> str:
    """For addresses: what `one_line` takes away is marked instead. Where it stood, two halves must not become one."""
    return text if text.isprintable() else _BIDI.sub(SPOILT, _CONTROLS.sub(SPOILT, text))


def decode_words(text: str, hint: str = "") -> str:
    """Encoded words -> text, on one line. Neighbours of one charset are joined before they are decoded, so that a character
    that was split between two words is whole again. What only looks like an encoded word stays as it is."""
    if "=?" not in text:
        return text
    out: list[str] = []
    held: list[_Word] = []
    last = text.rfind("?=")
    position = 0
    while True:
        start = text.find("=?", position)
        word = _word_at(text, start) if start >= 0 else None
        if word is None and last < start:
            start = -1  # no word can end any more: what remains is plain
        gap = text[position:] if start < 0 else text[position:start]
        if held and (start < 0 or word is None or gap.strip() or word.charset != held[0].charset):
            out.append(_together(held, hint))
            held.clear()
            gap = "" if word is not None and not gap.strip() else gap
        elif held:
            gap = ""
        out.append(gap)
        if start < 0:
            return one_line("".join(out))
        if word is None:
            out.append("=?")
            position = start + 2
            continue
        held.append(word)
        position = word.end


@dataclass(frozen=True, slots=True)
class _Word:
    charset: str
    content: str
    base64: bool
    end: int


def _word_at(text: str, start: int) -> _Word | None:
    first = text.find("?", start + 2, start + 2 + 80)
    if first < 0 or text[first + 2 : first + 3] != "?":
        return None
    encoding = text[first + 1].lower()
    charset = text[start + 2 : first].strip().lower()
    if encoding not in "bq" or not charset or " " in charset:
        return None
    stop = text.find("?=", first + 3)  # the last step: what is found is read on from
    if stop < 0:
        return None
    return _Word(charset.split("*", 1)[0], text[first + 3 : stop], encoding == "b", stop + 2)


def _together(words: list[_Word], hint: str) -> str:
    """Words of one charset. Some writers cut base64 anywhere: where that shows, its pieces are joined first."""
    charset = words[0].charset
    data = b"".join(_bytes(word) for word in words)
    if len(words) > 1 and codec_of(charset) == "utf-8" and not is_utf8(data) and all(word.base64 for word in words):
        whole = decode_base64("".join(word.content for word in words).encode("ascii", "ignore"))
        data = whole if is_utf8(whole) else data
    return decode(data, charset, hint)


def _bytes(word: _Word) -> bytes:
    if word.base64:
        return decode_base64(word.content.encode("ascii", "ignore"))
    return binascii.a2b_qp(word.content.encode("utf-8", "ignore"), header=True)


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


def decode_base64(data: bytes) -> bytes:
    """Base64 with anything between its letters, missing padding, or padding in the middle (pieces that were joined)."""
    padding = data.find(b"=")
    if padding < 0 or not data[padding:].strip(b"=\r\n\t "):  # the usual, and no copy of what may be large
        try:
            return binascii.a2b_base64(data)
        except binascii.Error:
            pass
    cleaned = data.translate(None, _NOT_BASE64)
    body = cleaned.rstrip(b"=")
    pieces = [body] if b"=" not in body else [piece for piece in body.split(b"=", 2000)[:2000] if piece]
    out = []
    for piece in pieces:
        whole = piece.rstrip(b"=")
        whole = whole[:-1] if len(whole) % 4 == 1 else whole
        out.append(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)))
    return out[0] if len(out) == 1 else b"".join(out)
