"""Letters as bytes, both ways: what we build is read back by us and by the standard library; no bytes break the reader."""

from __future__ import annotations

import email
import email.policy
import json
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.domain.errors import DeliveryError, LetterRefused
from imbot.domain.letters import Attachment, InboundMail, Letter
from imbot.mime import (
    ReadLimits,
    bytes_to_mail,
    clean_file_name,
    html_to_text,
    letter_to_bytes,
    mail_from_json,
    mail_to_json,
    parse_addresses,
)
from imbot.mime.charsets import decode
from imbot.mime.headers import decode_header
from imbot.mime.parameters import read_parameters

WHEN = datetime(2026, 11, 21, 6, 14, tzinfo=UTC)
ODD_TEXT = st.text(st.characters(codec=None), max_size=200)


def letter(**changes: object) -> Letter:
    values: dict[str, object] = {
        "message_id": "<abc@bot.example>",
        "sender": "bot@company.example",
        "to": "itsm@company.example",
        "subject": "Принтер: мигает красным, не печатает — Иванова А. С. [imb:7KQ2MXPA4T]",
        "text": "Описание:\nПринтер мигает.\n" + "Длинная строка без переносов. " * 60,
        "date": WHEN,
    }
    return Letter(**(values | changes))  # type: ignore[arg-type]


def back(made: Letter) -> InboundMail:
    return bytes_to_mail(letter_to_bytes(made))


# Writing


def test_a_letter_is_read_back_as_it_was_written() -> None:
    made = letter(sender_name="Бот поддержки", in_reply_to="<1@x>", references=("<0@x>", "<1@x>"), html="<p>Привет</p>")
    mail = back(made)
    assert (mail.subject, mail.text) == (made.subject, made.text.strip("\n"))
    assert (mail.sender, mail.sender_name, mail.to) == (made.sender, made.sender_name, (made.to,))
    assert (mail.message_id, mail.in_reply_to, mail.references) == (made.message_id, ("<1@x>",), made.references)
    assert (mail.date, mail.html.strip()) == (WHEN, made.html)
    assert not mail.automatic


def test_the_same_letter_gives_the_same_bytes() -> None:
    made = letter(html="<p>x</p>", attachments=(Attachment("фото.jpg", "image/jpeg", b"\xff\xd8"),))
    assert letter_to_bytes(made) == letter_to_bytes(made)


def test_lines_are_short_and_end_in_crlf() -> None:
    raw = letter_to_bytes(
        letter(text="я" * 5000 + "\n.\nFrom here\n", attachments=(Attachment("a.bin", data=bytes(5000)),))
    )
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78


def test_the_standard_library_reads_cyrillic_file_names_and_text() -> None:
    name = "Скриншот экрана с ошибкой «Не удаётся напечатать документ» от 21 ноября.png"
    made = letter(attachments=(Attachment(name, "image/png", b"\x89PNG"), Attachment("a b.txt", "text/plain", b"x")))
    parsed = email.message_from_bytes(letter_to_bytes(made), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    files = list(parsed.iter_attachments())
    assert [file.get_filename() for file in files] == [name, "a b.txt"]
    assert files[0].get_content() == b"\x89PNG"
    body = parsed.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").strip() == made.text.strip()
    assert parsed["subject"] == made.subject


def test_outlook_finds_a_cyrillic_name_in_content_type() -> None:
    raw = letter_to_bytes(letter(attachments=(Attachment("фото.jpg", "image/jpeg", b"x"),)))
    assert b'name="=?utf-8?B?' in raw
    assert b"filename*=utf-8''%D1%84" in raw


def test_no_header_marks_our_letters_as_automatic_unless_asked() -> None:
    mail = back(letter())
    names = {name.lower() for name, _ in mail.headers}
    assert not names & {"auto-submitted", "precedence", "x-autoreply", "x-auto-response-suppress", "x-loop", "reply-to"}
    marked = letter(headers=(("Auto-Submitted", "auto-generated"),))
    assert back(marked).header("auto-submitted") == ("auto-generated",)


def test_files_are_read_from_disk_when_the_bytes_are_built(tmp_path: Path) -> None:
    path = tmp_path / "random-name"
    path.write_bytes(b"content")
    made = letter(attachments=(Attachment("отчёт.pdf", "application/pdf", path=path),))
    part = back(made).attachments[0]
    assert (part.name, part.data, part.content_type) == ("отчёт.pdf", b"content", "application/pdf")
    path.unlink()
    with pytest.raises(DeliveryError) as caught:
        letter_to_bytes(made)
    assert (caught.value.permanent, caught.value.kind) == (True, "gone")


@given(subject=ODD_TEXT, name=ODD_TEXT, text=ODD_TEXT, file=ODD_TEXT)
@settings(max_examples=150, deadline=None)
def test_no_words_can_add_a_header_or_break_a_letter(subject: str, name: str, text: str, file: str) -> None:
    made = letter(subject=subject, sender_name=name, text=text, attachments=(Attachment(file, data=b"x"),))
    raw = letter_to_bytes(made)
    mail = bytes_to_mail(raw)
    assert [key for key, _ in mail.headers] == [
        "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert mail.sender == made.sender
    assert len(mail.attachments) == 1
    assert b"\x00" not in raw


@pytest.mark.parametrize(
    "bad", ["x\r\nBcc: eve@example.test", "a\nb: c", "nul\x00nul", "one\u2028two", "lone \ud800 surrogate"]
)
def test_line_breaks_and_their_kin_become_blanks(bad: str) -> None:
    mail = back(letter(subject=bad, sender_name=bad, attachments=(Attachment(bad, data=b"x"),)))
    assert len(mail.headers) == 7
    assert not mail.header("bcc")
    assert "\n" not in mail.subject + mail.attachments[0].name


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "a@b.example\r\nBcc: eve@example.test"},
        {"to": "a@b.example, eve@example.test"},
        {"sender": "no address"},
        {"sender": "Бот@company.example"},
        {"reply_to": "<a@b.example>"},
        {"message_id": "<a\r\nb>"},
        {"message_id": "no brackets"},
        {"references": ("<a b>",)},
        {"headers": (("Subject", "second"),)},
        {"headers": (("X-A\r\nBcc", "x"),)},
    ],
)
def test_what_is_no_address_or_header_is_refused_for_good(changes: dict[str, object]) -> None:
    with pytest.raises(DeliveryError) as caught:
        letter_to_bytes(letter(**changes))
    assert (caught.value.permanent, caught.value.kind) == (True, "refused")


# Headers and addresses


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


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"attachment; filename*=utf-8''%D1%84%D0%BE%D1%82%D0%BE.jpg", "фото.jpg"),
        (b"attachment; filename*0*=utf-8''%D1%84; filename*1*=%D0%BE%D1%82%D0%BE; filename*2=.jpg", "фото.jpg"),
        (b'attachment; filename="=?utf-8?B?0YTQvtGC0L4uanBn?="', "фото.jpg"),
        (b"attachment; filename=x.jpg; filename*=utf-8''%D1%84%D0%BE%D1%82%D0%BE.jpg", "фото.jpg"),
        (b'attachment; filename="a; b\\"c.txt"', 'a; b"c.txt'),
        (b'attachment; filename="never closed.txt', "never closed.txt"),
        ('attachment; filename="фото.jpg"'.encode("windows-1251"), "фото.jpg"),
        (b"attachment; filename*=koi8-r''%C6%CF%D4%CF.jpg", "фото.jpg"),
    ],
)
def test_file_names_are_read_in_every_form(raw: bytes, expected: str) -> None:
    assert read_parameters(raw).get("filename") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
        ("CON.txt", "_CON.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("a\x00b\r\nc.txt", "ab c.txt"),
        ("  . ", "file"),
        ("й" * 300 + ".pdf", "й" * 146 + ".pdf"),
        ("и\u0306.txt", "й.txt"),
        ("a<b>:c|d?.txt", "a_b__c_d_.txt"),
    ],
)
def test_file_names_are_made_harmless(name: str, expected: str) -> None:
    assert clean_file_name(name) == expected


@given(ODD_TEXT)
@settings(max_examples=200, deadline=None)
def test_no_file_name_stays_dangerous(name: str) -> None:
    cleaned = clean_file_name(name)
    assert 0 < len(cleaned) <= 150
    assert cleaned not in (".", "..")
    assert not set(cleaned) & set('/\\\0:*?"<>|\r\n\u202e\u200f')
    cleaned.encode("utf-8")


# Charsets


@pytest.mark.parametrize("truth", ["windows-1251", "koi8-r", "utf-8"])
@pytest.mark.parametrize("said", ["", "us-ascii", "iso-8859-1", "unknown-8bit", "x-nothing"])
def test_russian_text_is_read_whatever_is_said_of_its_charset(truth: str, said: str) -> None:
    text = "Заявка принята, обещанное время решения завтра. Картридж заменён."
    assert decode(text.encode(truth), said) == text


@pytest.mark.parametrize(
    "name", ["win-1251", "CP1251", "koi8r", "x-mac-cyrillic", "iso-gb2312", "ks_c_5601-1987", "'utf-8'"]
)
def test_odd_names_of_charsets_are_known(name: str) -> None:
    codecs = {"win-1251": "cp1251", "CP1251": "cp1251", "koi8r": "koi8-r", "x-mac-cyrillic": "mac_cyrillic",
              "iso-gb2312": "gb2312", "ks_c_5601-1987": "cp949", "'utf-8'": "utf-8"}  # fmt: skip
    text = {"iso-gb2312": "中文报告", "ks_c_5601-1987": "한국말"}.get(name, "Картридж")
    assert decode(text.encode(codecs[name]), name) == text


def test_latin_text_is_not_taken_for_russian() -> None:
    for text in ("Grüße aus München", "naïve café, déjà vu", "Årsmøte på fredag"):
        assert decode(text.encode("latin-1")) == text
        assert decode(text.encode("latin-1"), "iso-8859-1") == text


def test_codecs_that_are_no_charsets_are_not_used() -> None:
    for name in ("zlib", "rot13", "idna", "punycode", "unicode_escape", "base64", "../../x", "a" * 999):
        assert decode(b"plain \xd0\x9f\xd1\x80\xd0\xb8", name) == "plain При"


# Bodies


def multipart(kind: str, *parts: str) -> bytes:
    inner = "".join(f"--b\r\n{part}\r\n" for part in parts)
    return f"From: a@b.example\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n{inner}--b--\r\n".encode()


def test_the_plain_version_is_preferred_and_the_html_one_kept() -> None:
    mail = bytes_to_mail(multipart("alternative", "Content-Type: text/html\r\n\r\n<b>html</b>", "\r\nplain"))
    assert (mail.text, mail.html) == ("plain", "<b>html</b>")


def test_an_empty_plain_version_gives_way_to_html() -> None:
    mail = bytes_to_mail(multipart("alternative", "\r\n  ", "Content-Type: text/html\r\n\r\n<p>one<p>two"))
    assert mail.text == "one\n\ntwo"


def test_html_becomes_readable_text() -> None:
    page = (
        "<head><title>no</title><style>no</style></head><p>Заявка <b>принята</b>.</p>"
        "<table><tr><td>Срок:</td><td>21.11.2026 18:00</td></tr><tr><td>a</td><td>b</td></tr></table>"
        "<ul><li>one<li>two</ul><ol><li>x</ol><blockquote>old<br>words</blockquote>"
        '<a href="https://itsm.example/1">open</a><div style="display:none">hidden</div><script>no</script>&nbsp;end'
    )
    assert html_to_text(page) == (
        "Заявка принята.\n\nСрок: 21.11.2026 18:00\na | b\n\n- one\n- two\n\n1. x\n\n> old\n> words\n\n"
        "open <https://itsm.example/1> end"
    )


def test_files_of_all_kinds_are_kept() -> None:
    mail = bytes_to_mail(
        multipart(
            "mixed",
            "\r\ntext",
            "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx",
            "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC",
            "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR",
            "Content-Type: text/plain; name=log.txt\r\n\r\nlog",
            "\r\nbegin 644 a.txt\r\n#0V%T\r\n`\r\nend",
        )
    )
    names = [(part.name, part.content_type) for part in mail.attachments]
    assert names == [
        ("letter.eml", "message/rfc822"),
        ("winmail.dat", "application/ms-tnef"),
        ("invitation.ics", "text/calendar"),
        ("log.txt", "text/plain"),
        ("a.txt", "application/octet-stream"),
    ]
    assert mail.attachments[1].data == b"\0\1\2"
    assert mail.attachments[4].data == b"Cat"
    assert mail.text == "text"


@pytest.mark.parametrize(
    ("head", "automatic"),
    [
        ("Auto-Submitted: auto-generated", True),
        ("Auto-Submitted: no", False),
        ("Precedence: bulk", True),
        ("Return-Path: <>", True),
        ("X-Autoreply: yes", True),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", True),
        ("X-Priority: 3", False),
    ],
)
def test_automatic_letters_are_told(head: str, automatic: bool) -> None:
    assert bytes_to_mail(f"From: a@b.example\r\n{head}\r\n\r\nx".encode()).automatic is automatic


def test_a_mail_survives_json_with_its_files_and_without() -> None:
    mail = back(letter(attachments=(Attachment("a.bin", data=b"\x00\xff"),)))
    table = json.loads(json.dumps(mail_to_json(mail)))
    assert mail_from_json(table, [b"\x00\xff"]) == mail
    assert mail_from_json(table).attachments[0].data is None


# Bounds


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x" * 2_000_001, "larger"),
        (b"X: y\n" * 1001 + b"\n", "1000 headers"),
        (b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000, "200 parts"),
        (
            b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000)),
            "20 levels",
        ),
    ],
)
def test_bombs_are_refused_by_the_bound_that_they_break(raw: bytes, reason: str) -> None:
    begun = time.process_time()
    with pytest.raises(LetterRefused, match=reason):
        bytes_to_mail(raw, ReadLimits(size=2_000_000))
    assert time.process_time() - begun < 1


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


NESTED = b"Content-Type: message/rfc822\n\n"


@pytest.mark.parametrize(
    "raw",
    [
        NESTED * 20_000,
        b"To: " + b"," * 50_000 + b"\n\nx",
        b"To: " + b"(" * 50_000 + b"\n\nx",
        b"To: " + b'"' * 50_000 + b"\n\nx",
        b"To: " + b"a:" * 25_000 + b"\n\nx",
        b"To: " + b"a@b.example," * 5_000 + b"\n\nx",
        b"From: " + b"<" * 50_000 + b"\n\nx",
        b"From: " + b"a@" * 25_000 + b"\n\nx",
        b"From: " + b"\\" * 50_000 + b"\n\nx",
        b"Subject: " + b"=?a?q? " * 8_000 + b"\n\nx",
        b"Subject: " + b"=?" * 30_000 + b"\n\nx",
        b"References: " + b"<" * 60_000 + b"\n\nx",
        b"Content-Type: text/plain; " + b";" * 50_000 + b"\n\nx",
        b"Content-Type: text/plain; " + b'a="' * 16_000 + b"\n\nx",
        b"Content-Disposition: attachment; " + b"filename*0*=x;" * 4_000 + b"\n\nx",
        b"Content-Type: text/html\n\n" + b"<div>" * 100_000,
        b"Content-Type: text/html\n\n" + b"<" * 500_000,
        b"Content-Type: text/html\n\n" + b"<!--" * 200_000,
        b"Content-Type: text/html\n\n" + b"<table><tr><td>" * 30_000,
        b"Content-Transfer-Encoding: base64\n\n" + b"A=" * 500_000,
        b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 1_000_000,
        b"\n\nbegin 644 a\n" * 20_000,
        b"junk line\n" * 100_000,
        b"Date: " + b"1" * 60_000 + b"\n\nx",
    ],
)
def test_no_bytes_take_long(raw: bytes) -> None:
    begun = time.process_time()
    bytes_to_mail(raw)
    assert time.process_time() - begun < 1


@given(st.binary(max_size=600))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_letter_or_are_refused(raw: bytes) -> None:
    for head in (
        b"",
        b"Subject: ",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n",
        b"From: ",
        b"Content-Type: ",
    ):
        mail = bytes_to_mail(head + raw)
        (mail.subject + mail.text + mail.sender + mail.html).encode("utf-8")
        json.dumps(mail_to_json(mail))


def test_a_part_without_headers_and_with_one_endless_line_is_read() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\xd0\x9f" + b"x" * 200_000 + b"\n--b--\n"
    assert len(bytes_to_mail(raw).text) == 200_001


def test_lines_that_lost_their_indent_belong_to_the_header_before() -> None:
    raw = b"---- Original message ----\nReceived: from x\nby y with z\nFrom: tom@itsm.example\nSubject: x\n\nbody"
    mail = bytes_to_mail(raw)
    assert (mail.sender, mail.subject, mail.text) == ("tom@itsm.example", "x", "body")
    assert mail.header("Received") == ("from x by y with z",)


def test_a_body_without_an_empty_line_before_it_is_found() -> None:
    mail = bytes_to_mail(b"Subject: x\nHello there, this is text.\nMore of it.\n")
    assert (mail.subject, mail.text) == ("x", "Hello there, this is text.\nMore of it.")
