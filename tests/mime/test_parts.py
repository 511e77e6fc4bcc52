"""Bodies and files of a letter: which words are its text, and what becomes a file."""

from __future__ import annotations

from imbot.mime import bytes_to_mail
from tests.mime.letters import multipart


def test_the_plain_version_is_preferred_and_the_html_one_kept() -> None:
    mail = bytes_to_mail(multipart("alternative", "Content-Type: text/html\r\n\r\n<b>html</b>", "\r\nplain"))
    assert (mail.text, mail.html) == ("plain", "<b>html</b>")


def test_an_empty_plain_version_gives_way_to_html() -> None:
    mail = bytes_to_mail(multipart("alternative", "\r\n  ", "Content-Type: text/html\r\n\r\n<p>one<p>two"))
    assert mail.text == "one\n\ntwo"


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


def test_a_part_without_headers_and_with_one_endless_line_is_read() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\xd0\x9f" + b"x" * 200_000 + b"\n--b--\n"
    assert len(bytes_to_mail(raw).text) == 200_001
