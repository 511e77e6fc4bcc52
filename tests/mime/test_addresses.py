"""Addresses in headers, in any clothes."""

from __future__ import annotations

import pytest

from imbot.mime import bytes_to_mail, parse_addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna <anna@example.test>", [("Anna", "anna@example.test")]),
        ('"Иванова, Анна" <a@b.example>, b@c.example', [("Иванова, Анна", "a@b.example"), ("", "b@c.example")]),
        ("=?utf-8?B?0JDQvdC90LA=?= <a@b.example>", [("Анна", "a@b.example")]),
        ("Team: a@b.example, c@d.example;", [("", "a@b.example"), ("", "c@d.example")]),
        ("a@b.example (Anna (the (first)))", [("Anna the first", "a@b.example")]),
        ("undisclosed-recipients:;", []),
        ('"broken <a@b.example>', [("broken", "a@b.example")]),
        ("<@route.example:a@b.example>", [("", "a@b.example")]),
        ("=?utf-8?Q?Anna_<a@b.example>?=", [("Anna", "a@b.example")]),
        ('"eve@example.test" <tom@itsm.example>', [("eve@example.test", "tom@itsm.example")]),
    ],
)
def test_addresses_are_found_in_any_clothes(text: str, expected: list[tuple[str, str]]) -> None:
    assert parse_addresses(text) == expected


def test_of_very_many_addresses_the_first_thousand_are_read() -> None:
    mail = bytes_to_mail(b"To: " + b",\n ".join(b"a%d@b.example" % number for number in range(20_000)) + b"\n\nx")
    assert mail.to == tuple(f"a{number}@b.example" for number in range(1000))
    assert len(parse_addresses("a@b.example," * 20_000)) == 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a lottery"@spam.example>', [("", '"a lottery"@spam.example')]),
        ("Anna anna@example.test", [("Anna", "anna@example.test")]),
        ("mailto:anna@example.test", [("", "anna@example.test")]),
        ("<anna @ example.test>", [("", "anna@example.test")]),
        ("MAILER-DAEMON", []),
        ("<>", []),
        ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("One: a@b.example;, Two: c@d.example;, e@f.example", [("", "a@b.example"), ("", "c@d.example"), ("", "e@f.example")]),
        ("(never closed a@b.example, c@d.example", [("never closed", "a@b.example"), ("", "c@d.example")]),
    ],
)  # fmt: skip
def test_junk_around_addresses_is_left_out(text: str, expected: list[tuple[str, str]]) -> None:
    assert parse_addresses(text) == expected


def test_a_name_cannot_turn_the_line_that_it_stands_in() -> None:
    raw = b"From: =?utf-8?Q?=E2=80=AEmoT_=E2=81=A6Eve?= <eve@evil.example>\n\n"
    assert bytes_to_mail(raw).sender_name == "moT Eve"


@pytest.mark.parametrize(
    "control", [b"\x00", b"\x07", b"\r", b"\x7f", b"\xc2\x9b", "\u202e".encode(), "\u2028".encode()]
)
@pytest.mark.parametrize(
    "value",
    [
        b"itsm@de%smo.example",
        b"<it%ssm@demo.example>",
        b"Desk <itsm@demo.example%s>",
        b"x@evil.test,<itsm@de%smo.example>",
    ],
)
def test_an_address_with_a_control_is_no_sender_and_nobody_else_is_in_its_place(value: bytes, control: bytes) -> None:
    mail = bytes_to_mail(b"From: " + value % control + b"\nSender: itsm@demo.example\nReply-To: itsm@demo.example\n\nx")
    assert mail.sender == ""
    for doubled in (b"From: itsm@demo.example\n", b"From: =?utf-8?q?x?= <itsm@demo.example>\n"):
        assert bytes_to_mail(b"From: " + value % control + b"\n" + doubled + b"\nx").sender == ""


def test_a_control_in_a_name_or_between_addresses_hides_nobody() -> None:
    mail = bytes_to_mail(
        b"From: De\x00sk\x07 (a\x0bb) <itsm@demo.example>\r\nTo: a@b.example,\r\r\n\tc@d.example,\r\n e@f\x00.example\r\n\r\nx"
    )
    assert (mail.sender, mail.sender_name) == ("itsm@demo.example", "De sk")
    assert mail.to == ("a@b.example", "c@d.example")
    assert bytes_to_mail(b"From: \x1b$B4A;z\x1b(B <a@b.example>\n\nx").sender == "a@b.example"
