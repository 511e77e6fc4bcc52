"""Names of files made harmless."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from imbot.mime import clean_file_name
from imbot.mime.names import name_apart
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


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("a.pdf", [], "a.pdf"),
        ("фото-1.jpg", ["фото-1.jpg", "фото-2.jpg"], "фото-3.jpg"),
        ("Отчёт.XLSX", ["отчёт.xlsx"], "Отчёт-2.XLSX"),
        ("README", ["readme", "README-2"], "README-3"),
        ("a-0.b-7.txt", ["a-0.b-7.txt"], "a-0.b-8.txt"),
        ("-9.txt", ["-9.txt"], "-10.txt"),
        ("й" * 146 + ".pdf", ["й" * 146 + ".pdf"], "й" * 144 + "-2.pdf"),
    ],
)
def test_what_is_called_alike_is_told_apart(name: str, taken: list[str], expected: str) -> None:
    assert name_apart(name, taken) == expected


@given(ODD_TEXT)
@settings(max_examples=200, deadline=None)
def test_whatever_it_is_called_a_free_name_is_found(name: str) -> None:
    cleaned = clean_file_name(name)
    taken = [cleaned]
    for _ in range(11):
        taken.append(name_apart(cleaned, taken))
        assert len(taken[-1]) <= 150
    assert len({one.casefold() for one in taken}) == 12
