"""Letters read by the standard library's email alone, in compat32, so that a mistake of the product's own readers and writers
cannot hide itself."""

from __future__ import annotations

import hashlib
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import Any


def words_of(value: Any) -> str:
    """A header as a person reads it; as it stands where its encoded words are broken."""
    text = "".join(str(value or "").splitlines())
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def text_of(letter: Message) -> str:
    """The first text/plain part that is no file, decoded; "" where there is none."""
    for part in letter.walk():
        if part.get_content_type() == "text/plain" and part.get_filename() is None and not part.is_multipart():
            return _decoded(part).decode(part.get_content_charset() or "utf-8", "replace").replace("\r\n", "\n")
    return ""


def files_of(letter: Message) -> list[dict[str, Any]]:
    """Every part with a file name: `name`, `size` and `sha256` of its decoded bytes."""
    found = []
    for part in letter.walk():
        name = part.get_filename()
        if name is not None:
            data = _decoded(part)
            found.append({"name": words_of(name), "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    return found


def as_read(raw: bytes) -> dict[str, Any]:
    """What the journal tells of a letter."""
    letter = message_from_bytes(raw)
    headers = {"message_id": "Message-ID", "in_reply_to": "In-Reply-To", "references": "References", "date": "Date"}
    facts: dict[str, Any] = {name: " ".join(str(letter[header] or "").split()) for name, header in headers.items()}
    return facts | {"subject": words_of(letter["Subject"]), "text": text_of(letter), "files": files_of(letter)}


def _decoded(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
