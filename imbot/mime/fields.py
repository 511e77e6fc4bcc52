"""The headers of a letter as a whole, by lower-case name: lines, addresses and Message-IDs, each read once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from imbot.mime.addresses import is_spoilt, parse_addresses
from imbot.mime.headers import Block, address_text, beyond, decode_header, is_trace, to_text, trace_text
from imbot.mime.marks import few_marks
from imbot.mime.words import SPOILT

MAX_IDS = 200
MAX_FIELDS = 20  # of one name that are read for addresses or Message-IDs
MAX_DELIVERED = 1024  # bytes of a field that names who got the letter
_DELIVERED = frozenset({"delivered-to", "x-original-to", "envelope-to", "x-envelope-to"})
_ID = re.compile(r"<[^<>\s]{1,900}>")


class Fields:
    """`hint`: the charset of 8-bit bytes that nothing is said of."""

    def __init__(self, block: Block, hint: str) -> None:
        self.block = block
        self.hint = hint
        self.values: dict[str, list[bytes]] = {}
        self._lines: dict[bytes, str] = {}
        self._addresses: dict[str, list[tuple[str, str]]] = {}
        self._ids: dict[str, tuple[str, ...]] = {}
        for name, value in block.fields:
            self.values.setdefault(name.lower(), []).append(value)

    def line(self, name: str) -> str:
        """The first value that says something: doubled headers often begin with an empty one."""
        if name not in self.values:
            return ""
        return self._read(next((value for value in self.values[name] if value.strip()), b"")).strip()

    def addresses(self, name: str) -> list[tuple[str, str]]:
        """Of the first field of this name that has any."""
        if name not in self._addresses:
            found = (
                parse_addresses(address_text(value, self.hint)) for value in self.values.get(name, [])[:MAX_FIELDS]
            )
            self._addresses[name] = next((one for one in found if one), [])
        return self._addresses[name]

    def delivered(self) -> tuple[str, ...]:
        """The addresses that mail servers noted as those the letter was for, in lower case, each once. Of the first twenty
        fields, which have one address each; a longer one is cut."""
        raw = [value for name, value in self.block.fields if name.lower() in _DELIVERED][:MAX_FIELDS]
        texts = (address_text(value[:MAX_DELIVERED], self.hint) for value in raw)
        return tuple(dict.fromkeys(address.lower() for text in texts for _, address in parse_addresses(text)))

    def spoilt(self, name: str) -> bool:
        """Whether a control stands in an address of a field of this name: it names somebody, and nobody can say whom."""
        return any(SPOILT in text and is_spoilt(text) for text in map(self._addressed, self.values.get(name, [])))

    def _addressed(self, value: bytes) -> str:
        return address_text(value, self.hint)

    def bare(self, name: str) -> tuple[str, ...]:
        """The addresses alone, in lower case, each once."""
        return tuple(dict.fromkeys(address.lower() for _, address in self.addresses(name)))

    def ids(self, name: str) -> tuple[str, ...]:
        """Message-IDs, in angle brackets."""
        if name not in self._ids:
            self._ids[name] = self._find_ids(name) if name in self.values else ()
        return self._ids[name]

    def _find_ids(self, name: str) -> tuple[str, ...]:
        text = " ".join(to_text(value, self.hint) for value in self.values[name][:MAX_FIELDS])
        found = tuple(dict.fromkeys(_ID.findall(text)))[:MAX_IDS]
        if not found and name == "message-id" and text.strip() and len(text) < 900:
            words = text.strip().strip("<>").split()
            return (f"<{words[0]}>",) if words else ()
        return found

    def all(self, most: int) -> tuple[tuple[str, str], ...]:
        """The fields for people, as many as fit into `most` bytes, trace fields as they are, and From undecoded: words that are
        decoded there could divide it otherwise than the servers read it. A trace field that a server may have taken for
        something else, and so has not stripped, is left out: nothing may be believed for its sake."""
        odd, out = self.block.odd, beyond(self.block, most)
        return tuple(
            (name, self._shown(name.lower(), value))
            for place, (name, value) in enumerate(self.block.fields)
            if place not in out and not (place in odd and is_trace(name))
        )

    def _shown(self, name: str, value: bytes) -> str:
        if name == "from":
            return few_marks(self._addressed(value))
        return trace_text(value) if is_trace(name) or name == "dkim-signature" else self._read(value)

    def _read(self, value: bytes) -> str:
        line = self._lines.get(value)
        if line is None:
            line = self._lines[value] = decode_header(value, self.hint)
        return line


def read_date(text: str) -> datetime | None:
    """An aware moment, or None where the date is impossible. A date without a zone is taken as UTC."""
    try:
        moment = parsedate_to_datetime(text[:200])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return moment
