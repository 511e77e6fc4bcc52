"""A letter as it goes out by SMTP: who it is from and for, and its bytes as they stand in the conversation."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from imbot.mailbox.smtp_talk import envelope_lines

ONE_PART = 32 * 1024  # bytes that go with the final dot, in one piece
_BARE_NEWLINE = re.compile(rb"\r\n|\r|\n")


@dataclass(slots=True, eq=False)
class Outgoing:
    """A letter that is to be sent, and how far it has come. `lines`: of its envelope, none where that cannot go ahead.
    `in_vain`: the server has not answered somebody before it. `begun`: the server has said 354. `dot_sent`: the final dot has
    left us, the server may have the letter."""

    sender: str
    recipients: Sequence[str]
    data: bytes
    lines: Sequence[bytes] = ()
    in_vain: bool = False
    begun: bool = False
    dot_sent: bool = False

    def __post_init__(self) -> None:
        if self.recipients and len(self.data) <= 2 * ONE_PART:
            with contextlib.suppress(ValueError):  # which is raised when its turn has come
                self.lines = envelope_lines(plain(self.sender), [plain(each) for each in self.recipients])


def nobody() -> Outgoing:
    """Stands in the line for who has no letter."""
    return Outgoing("", (), b"")


def stuffed(data: bytes) -> bytes:
    """CRLF line ends, a final one, and dots doubled at line starts (RFC 5321, 4.5.2), without the final dot."""
    if not data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n"):
        data = _BARE_NEWLINE.sub(b"\r\n", data)
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data


def plain(address: str) -> str:
    """The address, fit to stand in a command. aiosmtplib would send what it can parse of a bad one. Raises ValueError."""
    if not address.isascii() or not address.isprintable() or any(char in " <>" for char in address):
        raise ValueError(f"{address[:80]!r} is not a plain ASCII address")
    return address
