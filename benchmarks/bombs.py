"""Letters made to do harm: deep, wide, endless. Each is a name and bytes; what becomes of it is the reader's business."""

from __future__ import annotations

import base64
from collections.abc import Iterator

_FROM = b"From: itsm@demo.local\r\nTo: bot@example.test\r\n"
_BELIEVED = b"Authentication-Results: mx.demo.local; dmarc=pass header.from=demo.local\r\n" + _FROM


def bombs(scale: float = 1.0) -> Iterator[tuple[str, bytes]]:
    def many(count: int) -> int:
        return max(10, int(count * scale))

    yield "multiparts in one another", _nested(many(20_000))
    yield "letters in one another", _FROM + b"Content-Type: message/rfc822\r\n\r\n" * many(20_000) + b"end"
    yield "parts", _parts(many(100_000))
    yield "headers", _FROM + b"".join(b"X-%d: y\r\n" % n for n in range(many(100_000))) + b"\r\nend"
    word = b"=?utf-8?B?" + base64.b64encode("Заявка".encode()) + b"?="
    yield "encoded words in Subject", _FROM + b"Subject: " + b"\r\n ".join([word] * many(30_000)) + b"\r\n\r\nend"
    for name, sign in (("commas", b","), ("quotes", b'"'), ("parentheses", b"("), ("semicolons", b";")):
        yield f"{name} in To", b"From: a@b.c\r\nTo: " + sign * many(50_000) + b"\r\n\r\nend"
        kind = b"Content-Type: text/plain" + sign * many(50_000) + b"\r\nContent-Disposition: a" + sign * many(50_000)
        yield f"{name} in parameters", _FROM + kind + b"\r\n\r\nend"
    addresses = b", ".join(b"p%d@demo.local" % n for n in range(many(20_000)))
    yield "addresses", b"From: a@b.c\r\nTo: " + addresses + b"\r\n\r\nend"
    for name, text in (
        ("a long text", "Слова и слова. ".encode()),
        ("quotes upon quotes", b">" * 60 + b" x\n"),
        ("tokens, nearly", b"imb:AAAAAAAAA \n> "),
        ("numbers", b"IM-CL-1234567 "),
        ("spaces", b" " * 100 + b"\n"),
    ):
        body = text * (many(4_000_000) // len(text))
        yield name, _BELIEVED + b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body
    yield "a long page", _BELIEVED + b"Content-Type: text/html\r\n\r\n" + b"<div><table><tr><td>x" * many(150_000)
    yield "45 MB", _attachment(many(45 * 1024 * 1024))


def _nested(depth: int) -> bytes:
    kinds = [b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)]
    return _FROM + b"".join(kinds) + b"\r\nend"


def _parts(count: int) -> bytes:
    return _FROM + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


def _attachment(size: int) -> bytes:
    body = base64.encodebytes(bytes(57 * 1024)).replace(b"\n", b"\r\n")
    head = _BELIEVED + b"Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + body * max(1, size // len(body))
