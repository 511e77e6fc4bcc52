"""`DKIM-Signature` (RFC 6376) as data: who signed, and what. Our server has verified it; here is told what that leaves open.

A signature covers the fields that it names, from the bottom up, and with `l=` only the beginning of the text. Whoever has a
signed letter may send it on with a second Subject on top, with a field changed that was not signed, or with more text
behind: it passes as before. And what a server prints of a signature into its own field comes from the letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imbot.domain.letters import InboundMail
from imbot.mime.words import one_line

MOST = 50  # signatures of one letter: real ones have one to five
# RFC 5322, 3.6 and RFC 2045 allow one of each; a second one is read by some and not by others.
SINGLE = (
    *("from", "subject", "date", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding"),
)
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{0,320}")  # of an address, without what divides a server's field
_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*(.*?)\s*", re.DOTALL)
_QUOTED = re.compile(r"=([0-9A-F]{2})")  # dkim-quoted-printable
_PRINTED = ("d", "i", "s", "a")  # what servers print of it


@dataclass(frozen=True, slots=True)
class Signature:
    """`domain`: that of its signer, in lower case. `covers`: lower-case names of the fields that it signs. `partial`: it signs
    the beginning of the text only. `oddity`: why nothing that a server says of it is clear, "" where it is."""

    domain: str
    covers: frozenset[str] = frozenset()
    partial: bool = False
    oddity: str = ""


def signatures(mail: InboundMail) -> tuple[Signature, ...]:
    """Those of the letter, top first; of more than `MOST` one that is odd stands for the rest. Never raises."""
    fields = mail.header("DKIM-Signature")
    read = tuple(_read(value) for value in fields[:MOST])
    return (*read, Signature("", oddity="there are too many of them")) if len(fields) > MOST else read


def _read(value: str) -> Signature:
    tags: dict[str, str] = {}
    for part in value.split(";"):
        if not part.strip():
            continue
        found = _TAG.fullmatch(part)
        if found is None:
            return Signature("", oddity="it holds something that is no tag")
        if found[1] in tags:
            return Signature("", oddity=f"it says {found[1]}= twice")
        tags[found[1]] = found[2]
    domain = tags.get("d", "").rstrip(".").lower()
    for tag in _PRINTED:
        said = _QUOTED.sub(lambda match: chr(int(match[1], 16)), re.sub(r"\s", "", tags.get(tag, "")))
        if not _PLAIN.fullmatch(said):
            return Signature(domain, oddity=f"its {tag}= {one_line(said)[:60]} could pass for a result of our server")
    if not domain:
        return Signature("", oddity="it names no domain")
    covers = frozenset(name.strip().lower() for name in tags.get("h", "").split(":"))
    return Signature(domain, covers, "l" in tags)


def doubled(mail: InboundMail, names: Sequence[str] = SINGLE) -> str:
    """The first of `names` that the letter bears twice, "" where there is none."""
    seen: set[str] = set()
    for name, _ in mail.headers:
        lowered = name.lower()
        if lowered in names:
            if lowered in seen:
                return name
            seen.add(lowered)
    return ""
