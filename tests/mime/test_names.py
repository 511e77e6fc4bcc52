"""Names of files made harmless."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from imbot.mime import clean_file_name
from tests.mime.letters import ODD_TEXT


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
