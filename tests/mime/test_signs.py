"""What a letter says of itself as a whole."""

from __future__ import annotations

import pytest

from imbot.mime import bytes_to_mail


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


REPORT = (
    b"From: mailer-daemon@example.test\r\nMessage-ID: <r@example.test>\r\n"
    b"Content-Type: multipart/%s; report-type=delivery-status; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nMessage-ID: <in-the-text@example.test>\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mx\r\n\r\nOriginal-Message-ID: <in-the-status@example.test>\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: x\r\nMessage-ID: <returned@example.test>\r\n\r\nMessage-ID: <in-its-body@example.test>\r\n"
    b"--b--\r\n"
)


def test_what_a_report_returns_is_told_from_what_a_text_quotes() -> None:
    assert bytes_to_mail(REPORT % b"report").returned_ids == (
        "<in-the-status@example.test>",
        "<returned@example.test>",
    )
    assert bytes_to_mail(REPORT % b"mixed").returned_ids == ()
    quoted = bytes_to_mail(b"From: a@b.example\r\n\r\nMessage-ID: <in-the-text@example.test>\r\n")
    assert (quoted.original_message_ids, quoted.returned_ids) == (("<in-the-text@example.test>",), ())
