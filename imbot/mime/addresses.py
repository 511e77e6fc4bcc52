"""Addresses in headers, read in one pass: groups, comments, quotes, junk; never more than linear, never a recursion."""

from __future__ import annotations

import re

from imbot.mime.marks import few_marks
from imbot.mime.words import SPOILT, decode_words

MAX_ADDRESSES = 1000
_HALF = re.compile(r"[^\s<>()\[\],;:\"@]{1,256}")  # of an address, on either side of its at sign
_QUOTED = re.compile(r"\s*(\"[^\"\\<>@]{1,200}\"@[^\s<>()\[\],;:\"@]{1,255})")  # a local part in quotes is one, too
# One mailbox, and nothing that could divide it. Possessive: a long blank is tried once.
_PLAIN = re.compile(r"[^\"(),:;<>\\]*+(?:<[^\"(),:;<>\\]*+>\s*+)?+")
_EDGES = " \t\r\n\"'<>,;:"


def parse_addresses(text: str) -> list[tuple[str, str]]:
    """(display name, address) of every mailbox in a header's undecoded text, at most a thousand. Addresses keep their
    case; what bears neither `@` nor angles is left out."""
    found: list[tuple[str, str]] = []
    for entry in [text] if _PLAIN.fullmatch(text) else _entries(text):
        pair = _mailbox(entry)
        if pair is not None:
            found.append(pair)
        if len(found) >= MAX_ADDRESSES:
            break
    if "=?" in text and SPOILT not in text and (not found or any("=?" in name + address for name, address in found)):
        decoded = decode_words(text)
        if decoded != text and "=?" not in decoded:
            return parse_addresses(decoded) or found
    return found


def _entries(text: str) -> list[str]:
    """Split at commas and semicolons outside of quotes, comments and angles. Comments are kept, as `(...)`."""
    entries: list[str] = []
    start, depth, angle = 0, 0, False
    closing = text.rfind('"')
    quoted = escaped = False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif quoted:
            quoted = char != '"'
        elif char == '"' and not depth:
            quoted = index < closing
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char in ",;" and (not angle or char == ";"):
            entries.append(text[start:index])
            start, angle = index + 1, False
        elif char == ":" and not angle and "@" not in text[start:index]:
            start = index + 1  # the name of a group
        if len(entries) > MAX_ADDRESSES * 4:
            return entries
    entries.append(text[start:])
    if len(entries) == 1 and depth:  # a comment that never closes hides what follows it: read it as plain text
        return re.split(r"[,;]", text.replace("(", " "))[: MAX_ADDRESSES * 4]
    return entries


def is_spoilt(text: str) -> bool:
    """Whether a control stands where an address does; in a name it does no harm."""
    return any(SPOILT in _where_addressed(_without_comments(entry)[0]) for entry in _entries(text))


def _where_addressed(plain: str) -> str:
    """What stands between angles; without any, the whole."""
    opening = plain.rfind("<")
    return plain[opening + 1 :].split(">", 1)[0] if opening >= 0 else plain


def _mailbox(entry: str) -> tuple[str, str] | None:
    plain, comment = _without_comments(entry)
    if SPOILT in entry:
        if SPOILT in _where_addressed(plain):
            return None
        plain, comment = plain.replace(SPOILT, " "), comment.replace(SPOILT, " ")
    opening = plain.rfind("<")
    if opening >= 0:
        inside = plain[opening + 1 :].split(">", 1)[0]
        address = _address(inside)
        if address:
            return _name(plain[:opening]) or _name(comment), address
    start, end = _bare(plain)
    if start == end:
        quoted = _QUOTED.match(plain)
        return ("", quoted[1]) if quoted else None
    rest = plain[:start] + " " + plain[end:]
    return _name(rest) or _name(comment), plain[start:end].strip(_EDGES)


def _bare(plain: str) -> tuple[int, int]:
    """Where the first address without angles stands, (0, 0) for none. The at sign is found first: looking for what may stand
    before it at every place of a long word would take hundreds of times as long."""
    at = plain.find("@")
    while at >= 0:
        local, domain = _HALF.match(plain[max(at - 256, 0) : at][::-1]), _HALF.match(plain, at + 1, at + 256)
        if local is not None and domain is not None:
            return at - local.end(), domain.end()
        at = plain.find("@", at + 1)
    return 0, 0


def _address(inside: str) -> str:
    """The address between angles: a route (`@a,@b:c@d`) is dropped, blanks around the at sign too."""
    inside = "".join(inside.split()) if '"' not in inside else inside.strip()
    if inside.startswith("@") and ":" in inside:
        inside = inside.rsplit(":", 1)[1]
    inside = inside.removeprefix("mailto:").strip("'")
    local, at, domain = inside.rpartition("@")
    if not at and 0 < len(inside) <= 64 and inside.replace("-", "").isalnum():
        return inside  # a local mailbox, as a host's own daemons write
    if not at or not local or not domain or len(inside) > 512:
        return ""
    return f"{local}@{domain}"


def _without_comments(entry: str) -> tuple[str, str]:
    if "(" not in entry:
        return entry, ""
    plain: list[str] = []
    comment: list[str] = []
    depth, quoted = 0, False
    for char in entry:
        if char == '"' and not depth:
            quoted = not quoted
        if char == "(" and not quoted:
            depth += 1
        elif char == ")" and not quoted and depth:
            depth -= 1
        else:
            (comment if depth else plain).append(char)
    return "".join(plain), "".join(comment)


def _name(text: str) -> str:
    text = text.strip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return few_marks(" ".join(decode_words(text).split()).strip(_EDGES))
