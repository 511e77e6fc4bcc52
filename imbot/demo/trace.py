"""What a receiving mail server writes on top of a letter: trace fields and its word on the origin. Pure, bytes to bytes."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime

from imbot.demo.cast import AUTHSERV_ID, MX_HOST

_ADDRESS = re.compile(rb"[A-Za-z0-9.+=_-]{1,64}@[A-Za-z0-9.-]{1,200}")
_UNSAFE = re.compile(r"[^A-Za-z0-9.@+=_\-\[\]:]")


def stamp(raw: bytes, *, sender: str, recipient: str, helo: str, vouched: bool, letter_id: int, now: datetime) -> bytes:
    """The letter as it lies in the mailbox. Any Authentication-Results that claims to be ours is taken out (RFC 8601,
    5); ours is written only where the server itself knows the sender (`vouched`)."""
    head = [f"Return-Path: <{_plain(sender)}>"]
    if vouched:
        domain = header_from_domain(raw)
        head.append(f"Authentication-Results: {AUTHSERV_ID}; dmarc=pass header.from={domain}; auth=pass")
    head.append(
        f"Received: from {_plain(helo) or 'unknown'} ([127.0.0.1]) by {MX_HOST} with ESMTP id {letter_id}\r\n"
        f" for <{_plain(recipient)}>; {format_datetime(now)}"
    )
    return "".join(f"{line}\r\n" for line in head).encode() + strip_forged(raw)


def strip_forged(raw: bytes) -> bytes:
    """The letter without the Authentication-Results fields that bear our id. All else stays byte for byte."""
    kept: list[bytes] = []
    dropping = False
    rest = raw
    while rest:
        line, end, tail = rest.partition(b"\n")
        if not line.strip(b"\r"):
            break  # the header ends here
        if not line[:1].isspace():
            name = line.partition(b":")[0].strip().lower()
            dropping = name == b"authentication-results" and AUTHSERV_ID.encode() in _unfolded(rest).lower()
        if not dropping:
            kept.append(line + end)
        rest = tail
    return b"".join(kept) + rest


def _unfolded(block: bytes) -> bytes:
    """The first field of a header block, its folded lines included (at most 4 KB of it)."""
    lines = block[:4096].split(b"\n")
    field = [lines[0]]
    for line in lines[1:]:
        if line[:1] not in (b" ", b"\t"):
            break
        field.append(line)
    return b"".join(field)


def header_from(raw: bytes) -> str:
    """The address of the From field where it is plain to see, else ""."""
    header = re.split(rb"\r?\n\r?\n", raw[:65536], maxsplit=1)[0]
    found = re.search(rb"(?im)^from[ \t]*:(.*(?:\n[ \t].*)*)", header)
    addresses = _ADDRESS.findall(found.group(1)) if found else []
    return addresses[-1].decode("ascii").lower() if addresses else ""


def header_from_domain(raw: bytes) -> str:
    """The domain of the From field as DMARC sees it, or "invalid" where it cannot be told."""
    return header_from(raw).rpartition("@")[2] or "invalid"


def _plain(text: str) -> str:
    """Words of the SMTP dialogue made safe for a header."""
    return _UNSAFE.sub("", text)[:200]
