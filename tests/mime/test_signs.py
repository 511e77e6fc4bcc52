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
