"""Bytes -> `InboundMail`, within bounds (threats.md M4), whatever the bytes.

Our own scanner in place of the standard library's: it works on offsets instead of copies, knows no recursion, and takes
linear time. Bodies become one readable text; everything else becomes files. Raises `LetterRefused` and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail, MailPart
from imbot.mime.addresses import parse_addresses
from imbot.mime.charsets import decode
from imbot.mime.headers import (
    Block,
    Parameters,
    decode_header,
    is_trace,
    read_parameters,
    split_headers,
    to_text,
    trace_text,
)
from imbot.mime.html import html_to_text
from imbot.mime.names import clean_file_name
from imbot.mime.transfer import decode_transfer, take_uuencoded

LONGEST_TEXT = 5_000_000
MAX_IDS = 200
_ID = re.compile(r"<[^<>\s]{1,900}>")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of one letter: bytes in all, parts, nesting, header fields of a part, bytes of a field."""

    size: int = 50 * 1024 * 1024
    parts: int = 200
    depth: int = 20
    headers: int = 1000
    header_bytes: int = 64 * 1024


@dataclass(slots=True)
class _Body:
    """What the walk over the parts has gathered."""

    raw: bytes
    limits: ReadLimits
    charset: str = ""  # the first charset named, a hint for bytes without one
    parts: int = 0
    texts: list[str] = field(default_factory=list)
    htmls: list[str] = field(default_factory=list)
    files: list[MailPart] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the letter: its headers, its body's offsets, how deep it lies and what it lies in."""

    block: Block
    start: int
    end: int
    depth: int
    parent: str
    kind: Parameters
    disposition: Parameters


def bytes_to_mail(raw: bytes, limits: ReadLimits | None = None) -> InboundMail:
    """Reads a letter. `sha256` and `size` are those of `raw` as given. Raises only `LetterRefused`."""
    limits = limits or ReadLimits()
    if len(raw) > limits.size:
        raise LetterRefused(f"larger than {limits.size} bytes")
    try:
        return _read(raw, limits)
    except LetterRefused:
        raise
    except MemoryError:
        raise LetterRefused("takes too much memory") from None
    except Exception as error:  # the border of an item: a letter that we cannot read is refused, and kept whole
        raise LetterRefused(f"cannot be read: {type(error).__name__}: {error}"[:300]) from error


def _read(raw: bytes, limits: ReadLimits) -> InboundMail:
    digest = hashlib.sha256(raw).hexdigest()
    text = raw.replace(b"\r", b"\n") if b"\n" not in raw[:65536] and b"\r" in raw else raw
    start = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    block = split_headers(text, start, len(text), most=limits.headers, longest=limits.header_bytes)
    body = _Body(text, limits)
    top = _part(block, block.body, len(text), 0, "", body)
    body.charset = top.kind.get("charset")
    _walk(top, body)
    hint = body.charset
    fields = _Fields(block, hint)
    senders = fields.addresses("from") or fields.addresses("sender") or fields.addresses("reply-to")
    html = "\n".join(body.htmls)[:LONGEST_TEXT]
    return InboundMail(
        sha256=digest,
        size=len(raw),
        message_id=fields.ids("message-id")[:1][0] if fields.ids("message-id") else "",
        subject=fields.line("subject"),
        sender=senders[0][1].lower() if senders else "",
        sender_name=senders[0][0] if senders else "",
        to=_bare(fields.addresses("to")),
        cc=_bare(fields.addresses("cc")),
        reply_to=next(iter(_bare(fields.addresses("reply-to"))), ""),
        return_path=next(iter(_bare(fields.addresses("return-path"))), ""),
        date=_date(fields.line("date")),
        in_reply_to=fields.ids("in-reply-to"),
        references=fields.ids("references"),
        text=_newlines("\n\n".join(part for part in body.texts if part.strip()))[:LONGEST_TEXT],
        html=html,
        headers=_headers(block, hint),
        attachments=tuple(body.files),
        automatic=_is_automatic(fields, top.kind),
        report_type=top.kind.get("report-type").lower() if top.kind.value == "multipart/report" else "",
        original_message_ids=_original_ids(body, fields, top.kind),
        problems=tuple(body.problems),
    )


def _headers(block: Block, hint: str) -> tuple[tuple[str, str], ...]:
    """Every field for people, and trace fields as they are. A trace field that a server may have taken for something else,
    and so has not stripped, is left out: nothing may be believed for its sake (threats.md M1)."""
    return tuple(
        (name, trace_text(value) if is_trace(name) else decode_header(value, hint))
        for place, (name, value) in enumerate(block.fields)
        if not (is_trace(name) and place in block.odd)
    )


class _Fields:
    """Headers of the letter as a whole, by lower-case name."""

    def __init__(self, block: Block, hint: str) -> None:
        self.hint = hint
        self.values: dict[str, list[bytes]] = {}
        for name, value in block.fields:
            self.values.setdefault(name.lower(), []).append(value)

    def first(self, name: str) -> bytes:
        """The first value that says something: doubled headers often begin with an empty one."""
        values = self.values.get(name, [])
        return next((value for value in values if value.strip()), b"")

    def line(self, name: str) -> str:
        return decode_header(self.first(name), self.hint).strip()

    def addresses(self, name: str) -> list[tuple[str, str]]:
        for value in self.values.get(name, []):
            found = parse_addresses(to_text(value, self.hint))
            if found:
                return found
        return []

    def ids(self, name: str) -> tuple[str, ...]:
        text = " ".join(to_text(value, self.hint) for value in self.values.get(name, [])[:20])
        found = tuple(dict.fromkeys(_ID.findall(text)))[:MAX_IDS]
        if not found and name == "message-id" and text.strip() and len(text) < 900:
            return (f"<{text.strip().strip('<>').split()[0]}>",) if text.strip().strip("<>").split() else ()
        return found


def _bare(addresses: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address.lower() for _, address in addresses))


def _date(text: str) -> datetime | None:
    """An aware moment, or None where the date is impossible. A date without a zone is taken as UTC."""
    try:
        moment = parsedate_to_datetime(text[:200])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return moment


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


# The walk over the parts


def _part(block: Block, start: int, end: int, depth: int, parent: str, body: _Body) -> _Part:
    kind = read_parameters(block.raw("content-type"), body.charset)
    if "/" not in kind.value:
        guess = "message/rfc822" if parent == "multipart/digest" else "text/plain"
        kind = Parameters(guess if not kind.value.startswith("text") else "text/plain", kind.parameters)
    disposition = read_parameters(block.raw("content-disposition"), body.charset)
    return _Part(block, start, end, depth, parent, kind, disposition)


def _walk(top: _Part, body: _Body) -> None:
    """Depth first by a stack; `multipart/alternative` keeps its best version only."""
    stack = [top]
    while stack:
        part = stack.pop()
        body.parts += 1
        if body.parts > body.limits.parts:
            raise LetterRefused(f"more than {body.limits.parts} parts")
        if part.depth > body.limits.depth:
            raise LetterRefused(f"nested deeper than {body.limits.depth} levels")
        if part.kind.value.startswith("multipart/"):
            children = _children(part, body)
            if children is not None:
                if part.kind.value == "multipart/alternative":
                    children = _by_preference(children)
                stack.extend(reversed(children))
                continue
        _leaf(part, body)


def _by_preference(children: list[_Part]) -> list[_Part]:
    """Plain text is read first, so that the HTML version of the same words can be told from a body of its own."""
    return sorted(children, key=lambda part: part.kind.value != "text/plain")


def _children(part: _Part, body: _Body) -> list[_Part] | None:
    boundary = part.kind.get("boundary") or _guessed_boundary(part, body)
    if not boundary:
        return None
    spans = _spans(body.raw, part.start, part.end, boundary.encode("utf-8", "replace").rstrip(), body.limits.parts)
    if spans is None:
        return None
    limits = body.limits
    made = []
    for start, end in spans:
        block = split_headers(body.raw, start, end, most=limits.headers, longest=limits.header_bytes)
        made.append(_part(block, block.body, end, part.depth + 1, part.kind.value, body))
    return made


def _guessed_boundary(part: _Part, body: _Body) -> str:
    """A multipart that does not name its boundary: the first line that looks like one."""
    body.problems.append("a multipart without a boundary")
    match = re.search(
        rb"(?m)^--([^\s-][^\r\n]{0,99}?)[ \t]*\r?$", body.raw[part.start : min(part.end, part.start + 20_000)]
    )
    return match.group(1).decode("latin-1") if match else ""


def _spans(raw: bytes, start: int, end: int, boundary: bytes, most: int) -> list[tuple[int, int]] | None:
    """The offsets between the delimiter lines of `boundary`. None: the boundary never comes."""
    mark = b"--" + boundary
    spans: list[tuple[int, int]] = []
    opened = -1
    position = start
    while True:
        found = raw.find(mark, position, end)
        if found < 0:
            break
        position = found + len(mark)
        if found > start and raw[found - 1 : found] not in (b"\n", b"\r"):
            continue
        line_end = raw.find(b"\n", position, end)
        rest = raw[position : end if line_end < 0 else line_end]
        closing = rest.startswith(b"--")
        if rest.strip(b" \t\r") and not closing:
            continue
        if opened >= 0:
            spans.append((opened, _before_line(raw, opened, found)))
            if len(spans) > most:
                raise LetterRefused(f"more than {most} parts")
        opened = -1 if closing else (end if line_end < 0 else line_end + 1)
        if closing:
            break
    if opened >= 0:
        spans.append((opened, end))
    return spans or None


def _before_line(raw: bytes, start: int, found: int) -> int:
    """The line break before a delimiter belongs to the delimiter."""
    if found - 1 >= start and raw[found - 1 : found] == b"\n":
        found -= 1
    if found - 1 >= start and raw[found - 1 : found] == b"\r":
        found -= 1
    return max(found, start)


def _leaf(part: _Part, body: _Body) -> None:
    encoding = to_text(part.block.raw("content-transfer-encoding") or b"").strip().lower()
    kind = part.kind.value
    name = part.disposition.get("filename") or part.kind.get("name")
    data = decode_transfer(body.raw[part.start : part.end], encoding)
    attached = part.disposition.value == "attachment" or (bool(name) and part.depth > 0)
    if kind in ("text/plain", "text/html", "text/enriched", "text/x-markdown", "text/markdown") and not attached:
        _text(part, data, body)
    elif kind.startswith("multipart/") and not attached:
        _text(part, data, body)  # the boundary never came: what is there can still be read
    elif kind == "text/watch-html" and part.parent == "multipart/alternative":
        return
    elif data or name:
        body.files.append(_file(part, kind, name, data, len(body.files) + 1))


def _text(part: _Part, data: bytes, body: _Body) -> None:
    charset = part.kind.get("charset")
    body.charset = body.charset or charset
    text = decode(data, charset, body.charset)
    if part.kind.value != "text/html":
        text, files = take_uuencoded(text)
        for name, content in files:
            body.files.append(_described(name, "application/octet-stream", content, len(body.files) + 1))
        body.texts.append(_newlines(text))
        return
    body.htmls.append(text)
    plain_twin = part.parent == "multipart/alternative" or part.parent == "multipart/related"
    if not (plain_twin and any(known.strip() for known in body.texts)):
        body.texts.append(html_to_text(text))


_NAMES = {
    "message/rfc822": "letter.eml",
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition.txt",
    "text/rfc822-headers": "headers.txt",
    "text/calendar": "invitation.ics",
    "text/html": "page.html",
    "text/plain": "text.txt",
    "application/ms-tnef": "winmail.dat",
    "application/pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/pgp-encrypted": "version.txt",
    "application/pdf": "document.pdf",
    "image/jpeg": "image.jpg",
    "image/png": "image.png",
    "image/gif": "image.gif",
}


def _file(part: _Part, kind: str, name: str, data: bytes, index: int) -> MailPart:
    content_id = to_text(part.block.raw("content-id") or b"").strip().strip("<>")[:300]
    inline = part.disposition.value == "inline" or (bool(content_id) and part.disposition.value != "attachment")
    return _described(name or _NAMES.get(kind, ""), kind, data, index, inline, content_id)


def _described(name: str, kind: str, data: bytes, index: int, inline: bool = False, content_id: str = "") -> MailPart:
    return MailPart(
        name=clean_file_name(name, f"file-{index}"),
        content_type=kind[:100],
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        inline=inline,
        content_id=content_id,
        data=data,
    )


# What the headers say of the letter as a whole


def _is_automatic(fields: _Fields, kind: Parameters) -> bool:
    """RFC 3834 and its older kin (facts: what helpdesks take for an automatic answer)."""
    submitted = fields.line("auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    for name in ("precedence", "x-precedence"):
        if fields.line(name).lower() in ("bulk", "junk", "list", "auto_reply"):
            return True
    if fields.line("x-auto-response-suppress").lower() not in ("", "none"):
        return True
    names = ("x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply-from", "x-mail-autoreply", "x-autogenerated",
             "x-loop", "list-id", "list-unsubscribe", "x-failed-recipients")  # fmt: skip
    if any(fields.line(name) and fields.line(name).lower() != "no" for name in names):
        return True
    if "return-path" in fields.values and fields.line("return-path") == "<>":
        return True
    local = (fields.addresses("from") or [("", "")])[0][1].partition("@")[0].lower()
    return kind.value == "multipart/report" or local in ("mailer-daemon", "postmaster")


_ORIGINAL_ID = re.compile(
    rb"(?im)^[ \t>]{0,8}(?:message-id|original-message-id|x-original-message-id)[ \t]{0,4}:\s{0,4}(<[^<>\s]{1,900}>)"
)
_RETURNED = ("message/rfc822", "text/rfc822-headers", "message/delivery-status", "message/disposition-notification",
             "message/partial", "text/rfc822")  # fmt: skip


def _original_ids(body: _Body, fields: _Fields, kind: Parameters) -> tuple[str, ...]:
    """Message-IDs in returned letters; in the text too, where an old mail system quotes the headers there."""
    found: list[str] = []
    for file in body.files:
        if file.content_type in _RETURNED and file.data:
            found += [match.decode("latin-1") for match in _ORIGINAL_ID.findall(file.data[:200_000])]
    if kind.value != "multipart/report" or not found:
        for text in body.texts:
            found += [match.decode("latin-1") for match in _ORIGINAL_ID.findall(text[:200_000].encode("utf-8"))]
    own = fields.ids("message-id")
    return tuple(dict.fromkeys(each for each in found if each not in own))[:20]
