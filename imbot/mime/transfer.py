"""Content-Transfer-Encoding taken off: base64, quoted-printable, uuencode, and what only claims to be one of them."""

from __future__ import annotations

import binascii
import re

from imbot.mime.words import decode_base64

MAX_UU_FILES = 20
_BEGIN = re.compile(r"(?m)^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n")
_END = re.compile(r"(?m)^end\s*$")


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """The bytes that were meant. An unknown encoding leaves them as they are. Never raises."""
    word = encoding.split(";", 1)[0].split("(", 1)[0].strip().strip("\"'").split(" ", 1)[0]
    if word == "base64":
        return decode_base64(data)
    if word in ("quoted-printable", "quotedprintable"):
        return binascii.a2b_qp(data)
    if word in ("x-uuencode", "uuencode", "x-uue", "uue"):
        text = data.decode("latin-1")
        match = _BEGIN.search(text)
        return _uudecode(text[match.end() :]) if match else data
    return data


def take_uuencoded(text: str, most: int = MAX_UU_FILES) -> tuple[str, list[tuple[str, bytes]]]:
    """Files that stand in a plain text as `begin 644 name` ... `end`, `most` of them, and the text without them. A beginning
    with another one before its end is none."""
    files: list[tuple[str, bytes]] = []
    kept: list[str] = []
    position = 0
    match = _BEGIN.search(text) if "begin " in text else None
    end: re.Match[str] | None = None
    while match is not None and len(files) < min(most, MAX_UU_FILES):
        if end is None or end.start() < match.end():
            end = _END.search(text, match.end())
        if end is None:
            break
        following = _BEGIN.search(text, match.end())
        if following is None or following.start() > end.start():
            data = _uudecode(text[match.end() : end.start()])
            if data:
                kept.append(text[position : match.start()])
                files.append((match.group(1).strip(), data))
                position = end.end()
        match = following
    return "".join([*kept, text[position:]]), files


def _uudecode(text: str) -> bytes:
    out = []
    for line in text.split("\n"):
        bare = line.rstrip("\r")
        if not bare or bare == "end":
            if bare:
                break
            continue
        try:
            out.append(binascii.a2b_uu(bare.encode("latin-1", "replace")))
        except binascii.Error:
            length = (((ord(bare[0]) - 32) & 63) * 4 + 5) // 3  # lines of encoders that pad too much
            try:
                out.append(binascii.a2b_uu(bare[:length].encode("latin-1", "replace")))
            except binascii.Error:
                return b""
    return b"".join(out)
