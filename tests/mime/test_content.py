from __future__ import annotations

from pathlib import Path

import pytest

from imbot.mime.content import harmless_name, refusal, refusal_of, type_of

REFUSED = frozenset({"exe", "js", "deb"})


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"%PDF-1.4", "акт.pdf", ""),
        (b"%PDF-1.4", "акт.EXE", "type"),
        (b"%PDF-1.4", "акт.js ", "type"),
        (b"%PDF-1.4", "exe", ""),
        (b"MZ\x90\x00", "фото.jpg", "type"),
        (b"\x7fELF\x02", "", "type"),
        (b"#!/bin/sh\n", "readme", "type"),
        (b"!<arch>\ndebian-binary   1", "a.zip", "type"),
        (b"", "пусто.txt", ""),
    ],
)
def test_a_program_is_known_by_its_name_or_its_first_bytes(tmp_path: Path, data: bytes, name: str, reason: str) -> None:
    assert refusal_of(data, name, REFUSED) == reason
    (tmp_path / "file").write_bytes(data)
    assert refusal(tmp_path / "file", name, REFUSED) == reason


def test_a_type_is_told_by_the_bytes_only() -> None:
    assert type_of(b"%PDF-1.4") == "application/pdf"
    assert type_of(b"words") == type_of(b"") == ""


@pytest.mark.parametrize("name", ["a.html", "a.HTM", "a.svg", "схема.mht", "a.tar.xhtml", ".svg"])
def test_what_a_browser_would_run_gets_the_name_of_a_text(name: str) -> None:
    assert harmless_name(name) == f"{name}.txt"
    assert harmless_name(harmless_name(name)) == f"{name}.txt"


@pytest.mark.parametrize("name", ["a.pdf", "html", "a.html.pdf", "отчёт", ""])
def test_other_names_stay(name: str) -> None:
    assert harmless_name(name) == name
