"""Names of IMAP folders: modified UTF-7 (RFC 3501, 5.1.3) both ways, and what LIST tells of them. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import aioimaplib  # type: ignore[import-untyped]

_LISTED = re.compile(rb'\(([^)]*)\) (?:"(\\?.)"|NIL) (.+)', re.IGNORECASE | re.DOTALL)
_SHIFT = re.compile(r"&([A-Za-z0-9+,]*)-")


def folder_name(name: str) -> str:
    """A folder name as a command wants it: modified UTF-7, quoted. INBOX is INBOX in any case."""
    return str(aioimaplib.quoted(modified_utf7("INBOX" if name.upper() == "INBOX" else name)))


def modified_utf7(text: str) -> str:
    pieces: list[str] = []
    for plain, other in re.findall(r"([\x20-\x7e]+)|([^\x20-\x7e]+)", text):
        if plain:
            pieces.append(plain.replace("&", "&-"))
        else:
            coded = base64.b64encode(other.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            pieces.append(f"&{coded}-")
    return "".join(pieces)


def from_modified_utf7(name: str) -> str:
    """What `modified_utf7` wrote; what is no such name stays as it is."""
    try:
        return _SHIFT.sub(lambda shift: _unshifted(shift[1]) if shift[1] else "&", name)
    except (binascii.Error, UnicodeDecodeError):
        return name


def read_separator(lines: Sequence[bytes]) -> str:
    """The sign between folder and subfolder, from the answer to LIST "" "", or ""."""
    for line in lines:
        if found := _LISTED.match(line):
            return (found[2] or b"")[-1:].decode("ascii", "replace")
    return ""


def read_folders(lines: Sequence[bytes]) -> list[str]:
    """The folders that can be opened, from the answer to LIST "" "*", as people write them, INBOX
    first. A name may come as a literal."""
    found = []
    rest = list(lines)
    for index, line in enumerate(rest):
        listed = _LISTED.match(line)
        if listed is None or b"\\noselect" in listed[1].lower():
            continue
        raw = listed[3]
        if re.fullmatch(rb"\{\d+\}", raw) and index + 1 < len(rest):
            raw = bytes(rest[index + 1])
        elif raw.startswith(b'"'):
            raw = re.sub(rb"\\(.)", rb"\1", raw.strip()[1:-1])
        name = from_modified_utf7(raw.decode("utf-8", "replace"))
        found.append("".join(char if char.isprintable() else "?" for char in name))
    return sorted(found, key=lambda name: (name.upper() != "INBOX", name))


def _unshifted(coded: str) -> str:
    padded = coded.replace(",", "/") + "=" * (-len(coded) % 4)
    return base64.b64decode(padded, validate=True).decode("utf-16-be")
