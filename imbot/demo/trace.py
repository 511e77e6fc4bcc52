"""What a receiving mail server writes on top of a letter: trace fields and its word on the origin. Pure, bytes to bytes."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime

from imbot.backends.auth_results import parse_auth_results
from imbot.demo.cast import AUTHSERV_ID, MX_HOST
from imbot.mime.headers import trace_text

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
    """The letter without the Authentication-Results fields that bear our id, or that cannot be told: they are read as a
    believer reads them. All else stays byte for byte."""
    kept: list[bytes] = []
    position = 0
    while position < len(raw):
        end = _end_of_field(raw, position)
        field = raw[position:end]
        if not field.strip(b"\r\n"):
            break  # the header ends here
        name, _, value = field.partition(b":")
        if name.strip().lower() != b"authentication-results" or _is_anothers(value):
            kept.append(field)
        position = end
    return b"".join(kept) + raw[position:]


def _end_of_field(raw: bytes, start: int) -> int:
    """Behind the line that begins at `start` and the folded lines that follow it."""
    position = start
    while True:
        stop = raw.find(b"\n", position)
        if stop < 0:
            return len(raw)
        position = stop + 1
        if raw[position : position + 1] not in (b" ", b"\t") or not raw[start:position].strip(b"\r\n"):
            return position


def _is_anothers(value: bytes) -> bool:
    found = parse_auth_results(trace_text(value.rstrip(b"\r\n")))
    return found.sound and found.authserv_id not in ("", AUTHSERV_ID.lower())


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
