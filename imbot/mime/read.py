"""Bytes -> `InboundMail`, within bounds, whatever the bytes.

Our own scanner in place of the standard library's: it works on offsets instead of copies, knows no recursion, and takes
linear time. Bodies become one readable text; everything else becomes files. Raises `LetterRefused` and nothing else.
"""

from __future__ import annotations

import hashlib

from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.mime.charsets import codec_of, guess_together
from imbot.mime.fields import Fields, read_date
from imbot.mime.headers import Block, beyond, split_headers, within
from imbot.mime.limits import ReadLimits
from imbot.mime.marks import few_marks
from imbot.mime.parts import LONGEST_TEXT, Body, make_part, walk
from imbot.mime.signs import is_automatic, original_ids, returned_ids

__all__ = ["ReadLimits", "bytes_to_mail"]

MOST_PROBLEMS = 50


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
    body = Body(text, limits)
    block = _within(block, limits, body)
    top = make_part(block, block.body, len(text), 0, "", body)
    body.charset = top.kind.get("charset")
    walk(top, body)
    fields = Fields(block, _hint(body.charset, block))
    senders = _senders(fields)
    ids = fields.ids("message-id")
    return InboundMail(
        sha256=digest,
        size=len(raw),
        message_id=ids[0] if ids else "",
        subject=fields.line("subject"),
        sender=senders[0][1].lower() if senders else "",
        sender_name=senders[0][0] if senders else "",
        to=fields.bare("to"),
        cc=fields.bare("cc"),
        delivered_to=fields.delivered(),
        reply_to=next(iter(fields.bare("reply-to")), ""),
        return_path=next(iter(fields.bare("return-path")), ""),
        date=read_date(fields.line("date")),
        in_reply_to=fields.ids("in-reply-to"),
        references=fields.ids("references"),
        text=few_marks(body.text()),
        html=few_marks("\n".join(body.htmls)[:LONGEST_TEXT]),
        headers=fields.all(limits.kept_headers),
        attachments=tuple(body.files),
        automatic=is_automatic(fields, top.kind),
        report_type=top.kind.get("report-type").lower() if top.kind.value == "multipart/report" else "",
        original_message_ids=original_ids(body, fields, top.kind),
        returned_ids=returned_ids(body, top.kind),
        problems=tuple(body.problems[:MOST_PROBLEMS]),
    )


def _within(block: Block, limits: ReadLimits, body: Body) -> Block:
    """The letter's headers, with what is said of those that are too large."""
    body.problems += [f"the header {name} is longer than {limits.header_bytes} bytes" for name in block.cut]
    whole = within(block, limits.kept_headers)
    if whole is not block:
        gone = ", ".join(dict.fromkeys(whole.cut[len(block.cut) :]))[:200]
        body.problems.append(f"left out, having more than {limits.kept_headers} bytes together: {gone}")
    if out := len(beyond(whole, limits.kept_headers)):
        body.problems.append(f"left out, having more than {limits.kept_headers} bytes together: {out} headers")
    return whole


def _hint(charset: str, block: Block) -> str:
    """What 8-bit headers are in, of which nothing is said: what the body is in, else a guess from all of them together."""
    return charset if codec_of(charset) not in ("", "ascii", "cp1252") else guess_together([v for _, v in block.fields])


def _senders(fields: Fields) -> list[tuple[str, str]]:
    """Who wrote it. A From that was too long to be read, or has a control in an address, speaks for nobody, and no other
    field does in its place."""
    if "from" in fields.block.cut or fields.spoilt("from"):
        return []
    return fields.addresses("from") or fields.addresses("sender") or fields.addresses("reply-to")
