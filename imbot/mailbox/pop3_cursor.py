"""What is known of a POP3 mailbox, as the text that the caller keeps: `pop3 <mark>[.<day>[.<bytes>]] ...`, one word for each
letter that is still on the server.

A mark is a short hash of the letter's name (its UIDL) and its size, since some servers give a name twice or again. Earlier
versions made it of the name alone; such a mark is known as well, and written anew.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

MARK = "pop3"
NEVER = -1


@dataclass(frozen=True, slots=True)
class Known:
    """`day` (since 1970): when the letter was handed over; NEVER: it was there before the first run and is not read. `content`:
    a short hash of its bytes as they were handed over, "" where it is not to be deleted on the server."""

    day: int = NEVER
    content: str = ""


def marks_of(name: str, size: int) -> tuple[str, str]:
    """The mark, and the one of earlier versions."""
    return short_hash(f"{name} {size}".encode()), short_hash(name.encode())


def short_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()[:9]).decode()


def write_cursor(known: Mapping[str, Known]) -> str:
    return " ".join([MARK, *(_word(mark, one) for mark, one in known.items())])


def read_cursor(cursor: str | None) -> dict[str, Known]:
    """By mark. A cursor of another kind (a mailbox that was read by IMAP before) knows nothing."""
    first, *words = (cursor or "").split() or [""]
    if first != MARK:
        return {}
    found = {}
    for word in words:
        mark, day, content = [*word.split("."), "", ""][:3]
        found[mark] = Known(int(day) if day.isdigit() else NEVER, content)
    return found


def _word(mark: str, known: Known) -> str:
    if known.day == NEVER:
        return mark
    return f"{mark}.{known.day}.{known.content}" if known.content else f"{mark}.{known.day}"
