"""The walk over a letter's parts: bodies become texts, everything else becomes files. By offsets and a stack of its own: no
part is copied before it is decoded, and no nesting is a recursion."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import MailPart
from imbot.mime.calendars import calendar_line
from imbot.mime.charsets import decode, is_stateful
from imbot.mime.headers import Block, split_headers, to_text
from imbot.mime.html import LONGEST as LONGEST_PAGE
from imbot.mime.html import html_to_text
from imbot.mime.limits import ReadLimits
from imbot.mime.names import clean_file_name
from imbot.mime.parameters import Parameters, read_parameters
from imbot.mime.tnef import PackedFile, unpack
from imbot.mime.transfer import decode_transfer, take_uuencoded

LONGEST_TEXT = 5_000_000
LONGEST_BOUNDARY = 998  # a line's length; RFC 2046 allows 70
MAX_EVENTS = 20  # invitations of a letter that are read
MAX_PACKS = 10  # winmail.dat of a letter that are taken apart
MAX_FILES = 1000  # of those that letters hold in texts or in winmail.dat too; what is beyond is left inside


@dataclass(slots=True)
class Body:
    """What the walk over the parts has gathered."""

    raw: bytes
    limits: ReadLimits
    charset: str = ""  # the first charset named, a hint for bytes without one
    parts: int = 0
    texts: list[str] = field(default_factory=list)
    htmls: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # invitations, a line each
    files: list[MailPart] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    said: int = 0  # characters of all texts; what is beyond the longest text is not read
    walked: int = 0  # characters of pages
    calendars: int = 0
    packs: int = 0

    def add_text(self, text: str) -> None:
        self.texts.append(newlines(text))
        self.said += len(text)

    def add_page(self, html: str) -> None:
        """As text. Pages are walked up to the length of one long page; of those beyond, the tags are cut out."""
        self.add_text(html_to_text(html, self.problems, max(LONGEST_PAGE - self.walked, 0)))
        self.walked += min(len(html), LONGEST_PAGE)

    def text(self) -> str:
        """The readable words of the letter."""
        said = "\n\n".join(part for part in self.texts if part.strip())
        events = [line for line in dict.fromkeys(self.events) if line not in said]
        return newlines("\n\n".join([said, *events] if said else events))[:LONGEST_TEXT]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the letter: its headers, its body's offsets, how deep it lies and what it lies in."""

    block: Block
    start: int
    end: int
    depth: int
    parent: str
    kind: Parameters
    disposition: Parameters


def newlines(text: str) -> str:
    """Every line ends in LF, and none is empty at either end."""
    return (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text).strip("\n")


def make_part(block: Block, start: int, end: int, depth: int, parent: str, body: Body) -> Part:
    kind = read_parameters(block.raw("content-type"), body.charset)
    if "/" not in kind.value:
        guess = "message/rfc822" if parent == "multipart/digest" else "text/plain"
        kind = Parameters(guess if not kind.value.startswith("text") else "text/plain", kind.parameters)
    disposition = read_parameters(block.raw("content-disposition"), body.charset)
    return Part(block, start, end, depth, parent, kind, disposition)


def walk(top: Part, body: Body) -> None:
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


def _by_preference(children: list[Part]) -> list[Part]:
    """Plain text is read first, so that the HTML version of the same words can be told from a body of its own."""
    return sorted(children, key=lambda part: part.kind.value != "text/plain")


def _children(part: Part, body: Body) -> list[Part] | None:
    boundary = part.kind.get("boundary") or _guessed_boundary(part, body)
    mark = boundary.encode("utf-8", "replace").rstrip()
    if not boundary or len(mark) > LONGEST_BOUNDARY:
        return None
    spans = _spans(body.raw, part.start, part.end, mark, body.limits.parts)
    if spans is None:
        return None
    limits = body.limits
    made = []
    for start, end in spans:
        block = split_headers(body.raw, start, end, most=limits.headers, longest=limits.header_bytes)
        made.append(make_part(block, block.body, end, part.depth + 1, part.kind.value, body))
    return made


def _guessed_boundary(part: Part, body: Body) -> str:
    """A multipart that does not name its boundary: the first line that looks like one."""
    body.problems.append("a multipart without a boundary")
    match = re.search(
        rb"(?m)^--([^\s-][^\r\n]{0,99}?)[ \t]*\r?$", body.raw[part.start : min(part.end, part.start + 20_000)]
    )
    return match.group(1).decode("latin-1") if match else ""


def _spans(raw: bytes, start: int, end: int, boundary: bytes, most: int) -> list[tuple[int, int]] | None:
    """The offsets between the delimiter lines of `boundary`. None: the boundary never comes."""
    spans: list[tuple[int, int]] = []
    opened = -1
    for found, following, closing in _delimiters(raw, start, end, boundary):
        if opened >= 0:
            spans.append((opened, _before_line(raw, opened, found)))
            if len(spans) > most:
                raise LetterRefused(f"more than {most} parts")
        opened = -1 if closing else following
        if closing:
            break
    if opened >= 0:
        spans.append((opened, end))
    return spans or None


def _delimiters(raw: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
    """(where it begins, where its line ends, whether it is the last one) of each. The pattern begins with the plain boundary,
    which is found fast, and looks at each byte once, however many lines only begin like one."""
    mark = re.escape(b"--" + boundary)
    rest = rb"(?:(--)|[ \t\r]*+(?:\n|\Z))"
    first = re.compile(mark + rest).match(raw, start, end)
    if first is not None:
        yield start, first.end(), first[1] is not None
        start = first.end()
    for match in re.compile(mark + rb"(?<=[\r\n]" + mark + rb")" + rest).finditer(raw, start, end):
        yield match.start(), match.end(), match[1] is not None


def _before_line(raw: bytes, start: int, found: int) -> int:
    """The line break before a delimiter belongs to the delimiter."""
    if found - 1 >= start and raw[found - 1 : found] == b"\n":
        found -= 1
    if found - 1 >= start and raw[found - 1 : found] == b"\r":
        found -= 1
    return max(found, start)


def _leaf(part: Part, body: Body) -> None:
    block, kind = part.block, part.kind.value
    encoding = block.raw("content-transfer-encoding")
    name = part.disposition.get("filename") or part.kind.get("name")
    data = decode_transfer(body.raw[part.start : part.end], to_text(encoding).strip().lower() if encoding else "")
    attached = part.disposition.value == "attachment" or (bool(name) and part.depth > 0)
    if kind in ("text/plain", "text/html", "text/enriched", "text/x-markdown", "text/markdown") and not attached:
        _text(part, data, body)
    elif kind.startswith("multipart/") and not attached:
        _text(part, data, body)  # the boundary never came: what is there can still be read
    elif kind == "text/watch-html" and part.parent == "multipart/alternative":
        return
    elif data or name:
        if kind == "text/calendar" and body.calendars < MAX_EVENTS:
            body.calendars += 1
            body.events += filter(None, [calendar_line(decode(data, part.kind.get("charset") or "utf-8"))])
        if not (kind in _TNEF or name.lower() == "winmail.dat") or not _unpacked(data, body):
            body.files.append(_file(part, kind, name, data, len(body.files) + 1))


def _text(part: Part, data: bytes, body: Body) -> None:
    charset = part.kind.get("charset")
    most = max(LONGEST_TEXT - body.said, 0) * 4
    if len(data) > most and (b"begin " not in data or part.kind.value == "text/html" or is_stateful(charset)):
        data = data[:most]  # no copies of what nobody will see; a file within it is whole
    body.charset = body.charset or charset
    text = decode(data, charset, body.charset)
    if part.kind.value != "text/html":
        text, files = take_uuencoded(text, MAX_FILES - len(body.files))
        for name, content in files:
            body.files.append(_described(name, "application/octet-stream", content, len(body.files) + 1))
        body.add_text(text)
        return
    body.htmls.append(text)
    plain_twin = part.parent == "multipart/alternative" or part.parent == "multipart/related"
    if not (plain_twin and any(known.strip() for known in body.texts)):
        body.add_page(text)


_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


def _unpacked(data: bytes, body: Body) -> bool:
    """Whether the files of a winmail.dat could stand for it. Its words count where the letter has none of its own."""
    body.packs += 1
    packed = unpack(data) if body.packs <= MAX_PACKS else None
    if packed is None:
        body.problems.append("a winmail.dat that cannot be taken apart")
        return False
    if not any(text.strip() for text in body.texts):
        if packed.text.strip():
            body.add_text(packed.text)
        elif packed.html:
            body.add_page(packed.html)
    whole = [file for file in packed.files if file.whole]
    if not whole or len(whole) + len(body.files) > MAX_FILES:
        return False
    for file in whole:
        body.files.append(_from_pack(file, len(body.files) + 1))
    body.problems.append(f"a winmail.dat with {len(packed.files)} files was taken apart")
    return len(whole) == len(packed.files)


def _from_pack(file: PackedFile, index: int) -> MailPart:
    return _described(file.name, file.content_type, file.data, index, bool(file.content_id), file.content_id)


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


def _file(part: Part, kind: str, name: str, data: bytes, index: int) -> MailPart:
    raw = part.block.raw("content-id")
    content_id = to_text(raw).strip().strip("<>")[:300] if raw else ""
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
