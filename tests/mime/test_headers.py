"""Headers, as they are met: encoded words in every abuse, 8-bit bytes, lost indents, too long ones."""

from __future__ import annotations

import pytest

from imbot.mime import bytes_to_mail
from imbot.mime.headers import decode_header


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"=?utf-8?B?0J/RgNC40LLQtdGC?=", "Привет"),
        (b"=?koi8-r?Q?=F0=D2=C9=D7=C5=D4?= plain =?windows-1251?B?z/Do4uXy?=", "Привет plain Привет"),
        (b"=?utf-8?B?0J/RgNC40LLQ?= =?utf-8?B?tdGC?=", "Привет"),
        (b"=?utf-8?Q?a_b?==?utf-8?Q?_c?=", "a b c"),
        (b"=?utf-8?Q?How are you??=", "How are you?"),
        (b"=?utf-8*ru?Q?x?=", "x"),
        (b"=?utf-8?B?0J/RgNC40LLQtdGC", "=?utf-8?B?0J/RgNC40LLQtdGC"),
        (b"=?no-such?Q?=CF?= x", "Ï x"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x=00?=", "a Bcc: x"),
        ("Привет".encode("windows-1251"), "Привет"),
        ("Привет, Анна".encode("koi8-r"), "Привет, Анна"),
        ("Привет".encode(), "Привет"),
        (b"one\r\n two\r\n\tthree", "one two\tthree"),
    ],
)
def test_headers_are_decoded_whatever_the_abuse(raw: bytes, expected: str) -> None:
    assert decode_header(raw) == expected


def test_lines_that_lost_their_indent_belong_to_the_header_before() -> None:
    raw = b"---- Original message ----\nReceived: from x\nby y with z\nFrom: tom@itsm.example\nSubject: x\n\nbody"
    mail = bytes_to_mail(raw)
    assert (mail.sender, mail.subject, mail.text) == ("tom@itsm.example", "x", "body")
    assert mail.header("Received") == ("from x by y with z",)


def test_a_body_without_an_empty_line_before_it_is_found() -> None:
    mail = bytes_to_mail(b"Subject: x\nHello there, this is text.\nMore of it.\n")
    assert (mail.subject, mail.text) == ("x", "Hello there, this is text.\nMore of it.")


def test_a_long_header_is_cut_and_the_letter_read() -> None:
    mail = bytes_to_mail(b"From: a@b.example\nSubject: " + b"=?utf-8?Q?x?= " * 80_000 + b"\nTo: c@d.example\n\ntext")
    assert set(mail.subject) - set("=? utf-8Q") == {"x"}
    assert 4000 < len(mail.subject) < 5000
    assert (mail.sender, mail.to, mail.text) == ("a@b.example", ("c@d.example",), "text")
    assert mail.problems == ("the header subject is longer than 65536 bytes",)


@pytest.mark.parametrize("name", ["From", "Sender", "Reply-To", "Received", "Authentication-Results", "Return-Path"])
def test_a_long_header_that_trust_may_rest_on_is_left_out(name: str) -> None:
    mail = bytes_to_mail(f"{name}: tom@itsm.example{' x' * 40_000}\nSubject: y\n\n".encode())
    assert (mail.header(name), mail.sender, mail.subject) == ((), "", "y")


def test_no_other_field_speaks_for_a_sender_that_was_too_long() -> None:
    mail = bytes_to_mail(b"From: eve@evil.example" + b" x" * 40_000 + b"\nSender: tom@itsm.example\n\n")
    assert mail.sender == ""
