"""Headers, as they are met: encoded words in every abuse, 8-bit bytes, lost indents, too long ones."""

from __future__ import annotations

import json

import pytest

from imbot.mime import bytes_to_mail, mail_to_json
from imbot.mime.headers import decode_header, split_headers, within


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


def test_headers_are_handed_on_up_to_a_bound_and_trust_loses_nothing_by_the_others() -> None:
    """They come back as JSON, which the loop reads."""
    long = b"".join(b"X-%d: " % n + b'"\\' * 15_000 + b"\n" for n in range(900))
    head = b"Received: by mx.company.example\nFrom: tom@itsm.example\n"
    behind = b"Authentication-Results: mx; dmarc=pass\nX-Failed-Recipients: a@b.example\nSubject: y\n\nx"
    mail = bytes_to_mail(head + long + behind)
    assert len(json.dumps(mail_to_json(mail))) < 600_000
    assert sum(name.startswith("X-") for name, _ in mail.headers) == 9
    assert [name for name, _ in mail.headers if not name.startswith("X-")] == [
        "Received",
        "From",
        "Authentication-Results",
        "Subject",
    ]
    assert (mail.sender, mail.subject, mail.header("X-Failed-Recipients")) == (
        "tom@itsm.example",
        "y",
        ("a@b.example",),
    )
    assert mail.problems == ("left out, having more than 262144 bytes together: 892 headers",)


@pytest.mark.parametrize("name", ["Received", "Authentication-Results", "X-MS-Exchange-Organization-AuthAs"])
def test_where_servers_say_too_much_nothing_that_they_say_is_kept(name: str) -> None:
    """One that is left out could contradict one that is not."""
    fields = f"{name}: {'x' * 1000}\n" * 300
    head = f"From: tom@itsm.example\nX-A: 1\n{fields}Return-Path: <tom@itsm.example>\nSubject: y\n\n"
    mail = bytes_to_mail(head.encode())
    assert [field for field, _ in mail.headers] == ["From", "X-A", "Subject"]
    assert (mail.sender, mail.return_path) == ("tom@itsm.example", "")
    said = f"left out, having more than 262144 bytes together: {', '.join(sorted({name.lower(), 'return-path'}))}"
    assert mail.problems == (said,)


@pytest.mark.parametrize("name", ["From", "Sender", "Reply-To"])
def test_where_too_many_are_said_to_have_written_a_letter_nobody_has(name: str) -> None:
    fields = f"{name}: {'x' * 1000}\n" * 300
    mail = bytes_to_mail(f"From: tom@itsm.example\nReceived: by mx\n{fields}Reply-To: a@b.example\n\n".encode())
    assert [field for field, _ in mail.headers] == ["Received"]
    assert (mail.sender, mail.sender_name, mail.reply_to) == ("", "", "")


def test_a_field_that_a_server_may_not_have_seen_stays_one_where_others_are_left_out() -> None:
    odd = b"Subject: y\nX-Odd : 1\nAuthentication-Results : mx; dmarc=pass\n"
    block = split_headers(odd + b"From: a@b.example\n\n", 0, 200, most=9, longest=99)
    kept = within(block, 40)
    assert ([name for name, _ in kept.fields], kept.odd) == (["Subject", "X-Odd", "From"], frozenset({1}))
    assert within(block, 300) is block


def test_who_a_letter_was_for_is_read_of_twenty_short_fields() -> None:
    head = b"Delivered-To: <Bot+7KQ2MXPA4T@company.example>\nX-Original-To: bot@company.example\nenvelope-to: c@d.example\n"
    assert bytes_to_mail(head + b"\nx").delivered_to == (
        "bot+7kq2mxpa4t@company.example",
        "bot@company.example",
        "c@d.example",
    )
    many = b"".join(b"Delivered-To: a%d@b.example\n" % n for n in range(99))
    assert len(bytes_to_mail(many + b"\nx").delivered_to) == 20
    assert bytes_to_mail(b"Delivered-To: " + b"(x)" * 500 + b" a@b.example\n\nx").delivered_to == ()


def test_no_other_field_speaks_for_a_sender_that_was_too_long() -> None:
    mail = bytes_to_mail(b"From: eve@evil.example" + b" x" * 40_000 + b"\nSender: tom@itsm.example\n\n")
    assert mail.sender == ""


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"=?utf-8?B?0J/RgNC?= =?utf-8?B?40LLQtdGC?=", "Привет"),  # base64 cut where it should not be
        (b"=?utf-8?B?0J/RgNC40LLQtdE=?= =?utf-8?Q?=82?=", "Привет"),  # a character in two words, each coded its own way
        (b"=?koi8-r?B?8NLJ19g=?= =?KOI8-R?B?xdQ=?=", "Привьет"),
        (b"=?us-ascii?Q?=CF=F0=E8=E2=E5=F2?=", "Привет"),
        (b"=?iso-8859-1?Q?=CF=F0=E8=E2=E5=F2?=", "Привет"),
        (b"=?x-mac-cyrillic?Q?=8F=F0=E8=E2=E5=F2?=", "Привет"),
        (b"=?unknown-8bit?B?z/Do4uXy?=", "Привет"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"\x1b$BF|K\\\x1b(B", "日本"),
        ("Re: \u202eтекст\u202c \u2066и\u2069 ещё".encode(), "Re: текст и ещё"),
        (b"=?utf-8?B?4oCu0YLQtdC60YHRgg==?=", "текст"),
        ("два\u2028слова\x85три".encode(), "два слова три"),
        ("שלום עולם".encode(), "שלום עולם"),
    ],
)
def test_charsets_that_lie_and_characters_that_turn_a_line_do_no_harm(raw: bytes, expected: str) -> None:
    assert decode_header(raw) == expected


def test_short_8_bit_headers_are_read_by_what_the_longer_ones_are_in() -> None:
    raw = "From: Юз <a@b.example>\nSubject: Заявка зарегистрирована, ожидайте ответа\n\nx".encode("koi8-r")
    mail = bytes_to_mail(raw)
    assert (mail.sender_name, mail.subject) == ("Юз", "Заявка зарегистрирована, ожидайте ответа")


def test_of_doubled_headers_the_first_that_says_something_counts() -> None:
    mail = bytes_to_mail(b"Subject: \nSubject: one\nSubject: two\nFrom: \nFrom: a@b.example\nMessage-ID: <1@x>\n\n")
    assert (mail.subject, mail.sender, mail.message_id) == ("one", "a@b.example", "<1@x>")
    assert mail.header("subject") == ("", "one", "two")


def test_a_letter_without_any_header_has_empty_ones() -> None:
    mail = bytes_to_mail(b"\nwords")
    assert (mail.subject, mail.sender, mail.sender_name, mail.message_id, mail.date) == ("", "", "", "", None)
    assert (mail.to, mail.cc, mail.reply_to, mail.text, mail.headers) == ((), (), "", "words", ())


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Mon, 99 Nov 2026 99:99:99 +0300", "Sat, 21 Nov 2026 10:00 +9999",
             "31 Feb 2026 10:00 +0300", "1" * 400, "21 Nov 99999 10:00:00 +0300"],
)  # fmt: skip
def test_an_impossible_date_is_none(date: str) -> None:
    assert bytes_to_mail(f"Date: {date}\n\n".encode()).date is None


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Sat, 21 Nov 2026 09:14:00 +0300", "2026-11-21T09:14:00+03:00"),
        ("21 Nov 26 09:14 +0300 (MSK)", "2026-11-21T09:14:00+03:00"),
        ("Sat, 21 Nov 2026 09:14:00", "2026-11-21T09:14:00+00:00"),
        ("=?utf-8?Q?Sat,_21_Nov_2026_09:14:00_+0300?=", "2026-11-21T09:14:00+03:00"),
    ],
)
def test_dates_are_read_in_the_forms_that_are_met(date: str, moment: str) -> None:
    found = bytes_to_mail(f"Date: {date}\n\n".encode()).date
    assert found is not None
    assert found.isoformat() == moment
