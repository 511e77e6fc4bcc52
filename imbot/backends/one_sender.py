"""A From in which every server reads the same one mailbox (RFC 5322, 3.4): trust may rest on no other. Addresses for people
are read more kindly elsewhere (`imbot.mime.addresses`)."""

from __future__ import annotations

import re

LONGEST = 2000
_ADDRESS = r"[^\s<>()\[\]@,;:\"\\]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,20}"
_PART = re.compile(
    r"(?P<aside>[ \t]+|\([^()\\<>@,;]*\))"
    r"|(?P<name>\"(?:[^\"\\]|\\.)*\"|=\?[\w*-]{1,40}\?[bqBQ]\?[^?\s<>@;()\"\\]*\?=(?=[ \t<(]))"
    rf"|<[ \t]*(?P<angle>{_ADDRESS})[ \t]*>"
    rf"|(?P<alone>{_ADDRESS})(?=[ \t(]|$)"
    r"|(?P<word>[^\s<>()@,;:\"\\]+)"  # of a name without quotes: free of all that divides
)


def one_sender(value: str) -> str:
    """The address, in small letters, of a header that is one mailbox, with or without a name, and nothing else; else ""."""
    text = value.strip(" \t")
    if len(text) > LONGEST or not text.replace("\t", " ").isprintable():
        return ""
    address, parts, position = "", [], 0
    while position < len(text):
        found = _PART.match(text, position)
        if found is None:
            return ""
        position = found.end()
        if found.lastgroup != "aside":
            parts.append(found.lastgroup)
            address = found["angle"] or found["alone"] or address
    if parts == ["alone"] or (parts[-1:] == ["angle"] and not {"angle", "alone"} & set(parts[:-1])):
        return address.lower()
    return ""
