"""Letters made to break a reader. Each is read, or refused by the bound that it breaks; none takes more than linear work.

Work is counted in lines run, never in seconds. What C does beneath is bounded by the child's CPU limit: `test_reading.py`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.domain.errors import LetterRefused
from imbot.mailbox.reading import Reader
from imbot.mime import ReadLimits, bytes_to_mail, mail_to_json
from imbot.mime.words import decode_words
from tests.mime.work import TooMuch, work


def parts(part: bytes, number: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b\n" + part) * number + b"--b--\n"


def nested(levels: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x" * 2_000_001, "larger than 2000000 bytes"),
        (b"X: y\n" * 100_000 + b"\n", "more than 1000 headers"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + b"X: y\n" * 100_000, "more than 1000 headers"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 100_000, "more than 200 parts"),
        (nested(20_000), "deeper than 20 levels"),
    ],
    ids=["size", "headers", "headers of a part", "parts", "nesting"],
)
def test_bombs_are_refused_by_the_bound_that_they_break(raw: bytes, reason: str) -> None:
    def reading() -> None:
        with pytest.raises(LetterRefused, match=reason):
            bytes_to_mail(raw, ReadLimits(size=2_000_000))

    assert work(reading) < 2 * len(raw)


def test_parts_of_all_multiparts_count_together() -> None:
    twenty = b"--in\n\nx\n" * 20 + b"--in--\n"
    inner = b"--out\nContent-Type: multipart/mixed; boundary=in\n\n" + twenty
    whole = b"Content-Type: multipart/mixed; boundary=out\n\n" + inner * 12 + b"--out--\n"
    with pytest.raises(LetterRefused, match="more than 200 parts"):
        bytes_to_mail(whole)


def test_bounds_are_settings() -> None:
    letter = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 300 + b"--b--\n"
    assert bytes_to_mail(letter, ReadLimits(parts=400)).text.count("x") == 300
    with pytest.raises(LetterRefused, match="deeper than 2 levels"):
        bytes_to_mail(nested(4), ReadLimits(depth=2))
    with pytest.raises(LetterRefused, match="more than 3 headers"):
        bytes_to_mail(b"A: x\n" * 4, ReadLimits(headers=3))
    assert bytes_to_mail(b"Subject: " + b"x" * 90, ReadLimits(header_bytes=50)).subject == "x" * 49


# What grows with the number: (how it is made, the number at which it is the size that is promised).
GROWING: dict[str, tuple[Callable[[int], bytes], int]] = {
    "letters in letters": (lambda n: b"Content-Type: message/rfc822\n\n" * n, 20_000),
    "encoded words": (lambda n: b"Subject: " + b"=?utf-8?Q?x?= " * n + b"\n\nx", 75_000),
    "encoded words, never whole": (lambda n: b"Subject: " + b"=?utf-8?B?0?=" * n + b"\n\nx", 5_000),
    "encoded words without an end": (lambda n: b"Subject: " + b"=?a?q? " * n + b"\n\nx", 9_000),
    "beginnings of encoded words": (lambda n: b"Subject: " + b"=?" * n + b"\n\nx", 32_000),
    "commas": (lambda n: b"To: " + b"," * n + b"\n\nx", 50_000),
    "semicolons in addresses": (lambda n: b"To: " + b";" * n + b"\n\nx", 50_000),
    "parentheses": (lambda n: b"To: " + b"(" * n + b"\n\nx", 50_000),
    "pairs of parentheses": (lambda n: b"To: " + b"(" * n + b")" * n + b" a@b.example\n\nx", 25_000),
    "quotes": (lambda n: b"To: " + b'"' * n + b"\n\nx", 50_000),
    "backslashes": (lambda n: b"From: " + b"\\" * n + b"\n\nx", 50_000),
    "groups": (lambda n: b"To: " + b"a:" * n + b"\n\nx", 25_000),
    "angles": (lambda n: b"From: " + b"<" * n + b"\n\nx", 50_000),
    "at signs": (lambda n: b"From: " + b"a@" * n + b"\n\nx", 25_000),
    "addresses": (lambda n: b"To: " + b"a@b.example," * n + b"\n\nx", 20_000),
    "addresses, folded": (lambda n: b"To: " + b"a@b.example,\n " * n + b"\n\nx", 20_000),
    "comments where a letter was delivered": (
        lambda n: (b"X-Original-To: " + b"a(b)" * 16_000 + b"\n") * n + b"\nx",
        700,
    ),
    "blanks in an address": (lambda n: b"From: a" + b" " * n + b"(\n\nx", 65_000),
    "references": (lambda n: b"References: " + b"<" * n + b"\n\nx", 60_000),
    "semicolons in parameters": (lambda n: b"Content-Type: text/plain; " + b";" * n + b"\n\nx", 50_000),
    "quotes in parameters": (lambda n: b"Content-Type: text/plain; " + b'"' * n + b"\n\nx", 50_000),
    "open quotes in parameters": (lambda n: b"Content-Type: text/plain; " + b'a="' * n + b"\n\nx", 16_000),
    "backslashes in parameters": (lambda n: b'Content-Type: text/plain; a="' + b'\\"' * n + b"\n\nx", 25_000),
    "commas in parameters": (lambda n: b"Content-Type: text/plain; " + b"," * n + b"\n\nx", 50_000),
    "parentheses in parameters": (lambda n: b"Content-Type: text/plain; " + b"(" * n + b"\n\nx", 50_000),
    "continuations": (lambda n: b"Content-Disposition: attachment; " + b"filename*0*=x;" * n + b"\n\nx", 4_000),
    "percents": (lambda n: b"Content-Disposition: attachment; filename*=utf-8''" + b"%" * n + b"\n\nx", 50_000),
    "tags": (lambda n: b"Content-Type: text/html\n\n" + b"<div>" * n, 100_000),
    "tags that close": (lambda n: b"Content-Type: text/html\n\n" + b"<p>x</p>" * n, 40_000),
    "tables in tables": (lambda n: b"Content-Type: text/html\n\n" + b"<table><tr><td>x" * n, 30_000),
    "lists in lists": (lambda n: b"Content-Type: text/html\n\n" + b"<ul><li>x" * n, 2_000),
    "quotes in quotes": (lambda n: b"Content-Type: text/html\n\n" + b"<blockquote>x" * n, 4_000),
    "links": (lambda n: b"Content-Type: text/html\n\n" + b"<a href=https://x.example/1>y</a>" * n, 10_000),
    "comments": (lambda n: b"Content-Type: text/html\n\n" + b"<!--" * n, 200_000),
    "padding": (lambda n: b"Content-Transfer-Encoding: base64\n\n" + b"A=" * n, 500_000),
    "soft line breaks": (lambda n: b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * n, 1_000_000),
    "uuencode without an end": (lambda n: b"\n\nbegin 644 a\n" * n, 20_000),
    "uuencode without files": (lambda n: b"\n\n" + b"begin 644 a\nend\n" * n, 20_000),
    "uuencoded files": (lambda n: b"\n\n" + b"begin 644 a\n#0V%T\nend\n" * n, 20_000),
    "beginnings of uuencode": (lambda n: b"\n\n" + b"begin 644 a\r\n" * n + b"\r\nend\r\n", 30_000),
    "beginnings of uuencode in parts": (
        lambda n: (
            b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b\n\n" + b"begin 644 a\n" * n + b"\nend\n") * 150
        ),
        300,
    ),
    "boundaries behind a lone return": (
        lambda n: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"\r--b" * n,
        2_000_000,
    ),
    "long boundaries": (
        lambda n: b"".join(b"Content-Type: multipart/mixed; boundary=%d%b\n\n" % (k, b"x" * n) for k in range(19)),
        60_000,
    ),
    "junk before the headers": (lambda n: b"junk line\n" * n, 100_000),
    "junk among the headers": (lambda n: b"From: a@b.example\n" + b"junk\n" * 38 * n + b"To: a@b.example\n" * n, 900),
    "blank continuations": (lambda n: b"Subject: x\n" + b" \n" * n + b"\nx", 100_000),
    "boundaries that are none": (
        lambda n: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--bx\n" * n + b"--b\n\nx",
        100_000,
    ),
    "lines like boundaries": (
        lambda n: b"Content-Type: multipart/mixed\n\n" + b"".join(b"--x%d\n" % i for i in range(n)),
        100_000,
    ),
    "digits in a date": (lambda n: b"Date: " + b"1" * n + b"\n\nx", 60_000),
    "parentheses in a date": (lambda n: b"Date: " + b"(" * n + b"\n\nx", 60_000),
    "names of charsets": (lambda n: b"Content-Type: text/plain; charset=" + b"x" * n + b"\n\n\xff", 60_000),
    "events": (lambda n: b"Content-Type: text/calendar\n\n" + b"BEGIN:VEVENT\nSUMMARY:x\n" * n, 20_000),
    "words of an event": (
        lambda n: b"Content-Type: text/calendar\n\nBEGIN:VEVENT\nSUMMARY" + b";" * n + b"\n",
        100_000,
    ),
}


# What would take the child minutes beneath the lines of Python, or too many of them to be counted here.
LARGE: dict[str, tuple[Callable[[int], bytes], int]] = {
    "long words in fields of addresses": (lambda n: (b"To: \\" + b"a" * 64_000 + b"\n") * n + b"\nx", 700),
    "comments in fields of addresses": (lambda n: (b"To: " + b"a(b)" * 16_000 + b"\n") * n + b"\nx", 700),
    "pages in parts": (
        lambda n: parts(b"Content-Type: text/html\n\n" + b"<p>x</p>y" * 20_000 + b"\n", n),
        190,
    ),
    "shifted Japanese": (
        lambda n: parts(b"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B" + b"-!" * n + b"\n", 2),
        10_000_000,
    ),
    "values of a winmail.dat": (
        lambda n: (
            b"Content-Type: application/ms-tnef\n\n"
            + struct.pack("<IH", 0x223E9F78, 1)
            + struct.pack("<BIIH", 2, 0x69002, 0, 0)
            + struct.pack("<BIIIHHI", 2, 0x69005, 12 + 8 * n, 1, 0x101F, 0x3707, n)
            + b"\2\0\0\0a\0\0\0" * n
        ),
        5_500_000,
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_as_much_takes_at_most_twice_the_work(name: str) -> None:
    make, size = GROWING[name]
    bytes_to_mail(make(size))  # the whole size is read, too; and what is imported late is there
    half, whole = (work(lambda n=n: bytes_to_mail(make(n))) for n in (size // 8, size // 4))  # type: ignore[misc]
    assert whole < 2.2 * half + 2000


class Counted(str):
    """A text that counts how many of its characters were looked through to find something."""

    looked = 0

    def find(self, sub: str, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        found = super().find(sub, start, end)
        Counted.looked += (found if found >= 0 else len(self) if end is None else end) - start
        return found


@pytest.mark.parametrize(
    "text", ["=?aaa" * 12_000 + "?=", "=?a?x?" * 10_000 + "?=", "=?a b?q?" * 8_000 + "?=", "=? ?b?" * 10_000 + "?="]
)
def test_beginnings_of_encoded_words_are_looked_through_a_few_times(text: str) -> None:
    Counted.looked = 0
    assert decode_words(Counted(text)) == text
    assert Counted.looked < 20 * len(text)


def test_files_in_texts_count_among_all_files() -> None:
    """What is beyond is left in its text."""
    text = b"--b\n\n" + b"begin 644 a\n#0V%T\nend\n" * 20
    mail = bytes_to_mail(b"Content-Type: multipart/mixed; boundary=b\n\n" + text * 60 + b"--b--\n")
    assert len(mail.attachments) == 1000
    assert mail.text.count("begin 644") == 200


def test_of_many_invitations_and_packs_the_first_are_read_and_all_are_kept() -> None:
    event = b"Content-Type: text/calendar\n\nBEGIN:VEVENT\nSUMMARY:at %d\nEND:VEVENT\n"
    mail = bytes_to_mail(
        b"".join([b"Content-Type: multipart/mixed; boundary=b\n\n", *(b"--b\n" + event % n for n in range(30))])
    )
    assert mail.text.split() == [word for n in range(20) for word in ("at", str(n))]
    assert len(mail.attachments) == 30
    pack = struct.pack("<IH", 0x223E9F78, 1) + struct.pack("<BIIH", 2, 0x69002, 0, 0)
    pack += struct.pack("<BII", 2, 0x6800F, 1) + b"x\0\0"
    mail = bytes_to_mail(parts(b"Content-Type: application/ms-tnef\n\n" + pack + b"\n", 12))
    assert [part.data for part in mail.attachments[:10]] == [b"x"] * 10
    assert [part.name for part in mail.attachments[10:]] == ["winmail.dat"] * 2
    assert mail.problems[10:] == ("a winmail.dat that cannot be taken apart",) * 2


def test_what_is_too_much_for_a_winmail_dat_is_passed_on_as_it_came() -> None:
    head = b"Content-Type: application/ms-tnef\n\n" + struct.pack("<IH", 0x223E9F78, 1)
    for pack in (struct.pack("<BIIH", 1, 0x69999, 0, 0) * 30_000, struct.pack("<BIIH", 2, 0x69002, 0, 0) * 300):
        mail = bytes_to_mail(head + pack)
        assert [part.name for part in mail.attachments] == ["winmail.dat"]


def test_work_that_is_more_than_linear_would_be_seen() -> None:
    def quadratic(size: int) -> None:
        for _ in range(size):
            for _ in range(size):
                pass

    assert work(lambda: quadratic(200)) > 2.2 * work(lambda: quadratic(100)) + 2000
    with pytest.raises(TooMuch):
        work(lambda: quadratic(1000), most=1000)


async def test_no_bomb_ends_the_reading_child() -> None:
    """All of them, at their full size, within the limits on memory and CPU that the program sets by default."""
    async with Reader(wall_seconds=150) as reader:
        await reader.read(b"Subject: x\n\n")
        pid = reader.pid
        for make, size in (GROWING | LARGE).values():
            await reader.read(make(size))
        for raw in (
            nested(20_000),
            b"X: y\n" * 100_000,
            b"Content-Type: multipart/x; boundary=b\n" + b"\n--b\n" * 100_000,
        ):
            with pytest.raises(LetterRefused):
                await reader.read(raw)
        assert reader.pid == pid


async def test_a_file_of_45_mb_is_read_within_the_childs_memory() -> None:
    head = (
        b"From: a@b.example\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    async with Reader(wall_seconds=150) as reader:
        mail = await reader.read(head + (b"QUJD" * 19 + b"\r\n") * (45 * 1024 * 1024 // 78))
    (part,) = mail.attachments
    assert (part.name, part.size, (part.data or b"")[:6]) == ("a.zip", 45 * 1024 * 1024 // 78 * 57, b"ABCABC")


@pytest.mark.parametrize("head", [b"", b"Content-Type: text/plain; charset=utf-8\n"])
async def test_45_mb_of_text_are_not_copied_whole_into_the_childs_memory(head: bytes) -> None:
    async with Reader(wall_seconds=150, memory_mb=200) as reader:
        mail = await reader.read(head + b"\n" + "слово \n".encode() * (45 * 1024 * 1024 // 12))
    assert len(mail.text) == 5_000_000


@given(st.binary(max_size=600))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_letter(raw: bytes) -> None:
    for head in (
        b"",
        b"Subject: ",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n",
        b"From: ",
        b"Content-Type: ",
        b"Content-Type: application/ms-tnef\n\n\x78\x9f\x3e\x22\x00\x00",
        b"Content-Type: text/calendar\n\nBEGIN:VEVENT\n",
        b"Content-Type: text/html\n\n<table><tr><td>",
    ):
        mail = bytes_to_mail(head + raw)
        (mail.subject + mail.text + mail.sender + mail.html).encode("utf-8")
        json.dumps(mail_to_json(mail))
