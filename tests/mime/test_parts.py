"""Bodies and files of a letter: which words are its text, and what becomes a file."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("part", "name", "data"),
    [
        ("Content-Type: application/pkcs7-signature\r\n\r\nx", "smime.p7s", b"x"),
        ("Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx", "smime.p7m", b"x"),
        ("Content-Type: application/pgp-signature\r\n\r\nx", "signature.asc", b"x"),
        ("Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1", "version.txt", b"Version: 1"),
        ('Content-Type: application/octet-stream; name="encrypted.asc"\r\n\r\nx', "encrypted.asc", b"x"),
        ("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx", "letter.eml", b"Subject: in\r\n\r\nx"),
        ("Content-Type: message/delivery-status\r\n\r\nAction: failed", "delivery-status.txt", b"Action: failed"),
        ("Content-Type: image/png\r\nContent-ID: <a@b>\r\n\r\nx", "image.png", b"x"),
        ("Content-Type: text/html; name=page.html\r\n\r\n<p>x", "page.html", b"<p>x"),
        ("Content-Disposition: attachment; filename=empty.txt\r\n\r\n", "empty.txt", b""),
    ],
)
def test_what_is_no_text_is_a_file_with_a_name(part: str, name: str, data: bytes) -> None:
    mail = bytes_to_mail(multipart("mixed", "\r\nwords", part))
    assert [(one.name, one.data, one.size) for one in mail.attachments] == [(name, data, len(data))]
    assert mail.text == "words"


def test_a_signed_letter_shows_its_words_and_keeps_the_signature_as_a_file() -> None:
    inner = "Content-Type: text/plain; charset=utf-8\r\n\r\nЗаявка принята"
    mail = bytes_to_mail(multipart("signed", inner, "Content-Type: application/pgp-signature\r\n\r\n-----BEGIN"))
    assert (mail.text, [one.name for one in mail.attachments]) == ("Заявка принята", ["signature.asc"])


def test_a_letter_that_is_one_file_is_that_file() -> None:
    mail = bytes_to_mail(
        b"Content-Type: application/pkcs7-mime; name=smime.p7m\nContent-Transfer-Encoding: base64\n\nQUJD\n"
    )
    assert (mail.text, [(one.name, one.data) for one in mail.attachments]) == ("", [("smime.p7m", b"ABC")])


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed\n\n--b\n\none\n--b\n\ntwo\n--b--\n",
        b"Content-Type: multipart/mixed; boundary=\n\n--b\n\none\n--b\n\ntwo\n--b--\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo",
        b"Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b  \n\none\n--b\n\ntwo\n--b--\nepilogue",
        b'Content-Type: multipart/mixed; boundary="b\n\n--b\n\none\n--b\n\ntwo\n--b--\n',
        b"Content-Type: multipart/mixed; BOUNDARY = b\n\n--b\none\n--b\ntwo\n--b--\n",
    ],
)
def test_parts_are_found_with_a_boundary_that_is_missing_empty_or_never_closed(raw: bytes) -> None:
    assert bytes_to_mail(raw).text == "one\n\ntwo"


def test_a_boundary_that_never_comes_leaves_what_there_is_readable() -> None:
    assert bytes_to_mail(b"Content-Type: multipart/mixed; boundary=other\n\nwords\n").text == "words"


@pytest.mark.parametrize("encoding", ["", "x-unknown", "BASE64", "Base64 ;", '"base64"', "base64 (comment)"])
def test_encodings_are_known_in_any_spelling(encoding: str) -> None:
    known = "64" in encoding or "ASE" in encoding
    mail = bytes_to_mail(f"Content-Transfer-Encoding: {encoding}\n\nd29yZHM=\n".encode())
    assert mail.text == ("words" if known else "d29yZHM=")


def test_a_text_longer_than_anybody_reads_is_cut() -> None:
    assert len(bytes_to_mail(b"\n" + b"x" * 6_000_000).text) == 5_000_000
