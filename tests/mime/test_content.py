from __future__ import annotations

from pathlib import Path

import pytest

from imbot.mime.content import harmless_name, refusal, refusal_of, type_of

REFUSED = frozenset({"exe", "js", "deb", "lnk", "chm"})


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
        (b"words", "x.exe,", "type"),
        (b"words", "x.exe. .", "type"),
        (b"words", "x.exe::$DATA", "type"),
        (b"words", "x.exe__$DATA", "type"),
        (b"words", "x.exe\u3164", "type"),
        (b"words", "x.exe\u2800\u200b", "type"),
        (b"words", "x.e\u200bx\u00ade", "type"),
        (b"words", "x.\uff45\uff58\uff45", "type"),
        (b"words", "x\uff0eexe", "type"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "readme.txt", "type"),
        (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", "a.txt", "type"),
        (b"ITSF\x03\0\0\0", "a.txt", "type"),
        (b"ITSF or not", "words.txt", ""),
        (b"L\0\0\0", "a.txt", ""),
        (b"words", "x.exe.txt", ""),
        (b"words", "акт (1).", ""),
        (b"words", "v1.2 (final)", ""),
    ],
)
def test_a_program_is_known_by_its_name_or_its_first_bytes(tmp_path: Path, data: bytes, name: str, reason: str) -> None:
    assert refusal_of(data, name, REFUSED) == reason
    (tmp_path / "file").write_bytes(data)
    assert refusal(tmp_path / "file", name, REFUSED) == reason


def test_what_only_leads_elsewhere_is_refused_as_far_as_its_type_is() -> None:
    for data, extension in (
        (b"L\0\0\0\x01\x14\x02\0", "lnk"),
        (b"ITSF\x03\0\0\0", "chm"),
        (b"vhdxfile", "vhdx"),
        (b"conectix", "vhd"),
    ):
        assert refusal_of(data, "a.txt", frozenset({extension})) == "type"
        assert refusal_of(data, "a.txt", frozenset({"exe"})) == ""


def test_a_type_is_told_by_the_bytes_only() -> None:
    assert type_of(b"%PDF-1.4") == "application/pdf"
    assert type_of(b"words") == type_of(b"") == ""


@pytest.mark.parametrize(
    "name", ["a.html", "a.HTM", "a.svg", "схема.mht", "a.tar.xhtml", ".svg", "a.ｈｔｍｌ", "a.html,"]
)
def test_what_a_browser_would_run_gets_the_name_of_a_text(name: str) -> None:
    assert harmless_name(name) == f"{name}.txt"
    assert harmless_name(harmless_name(name)) == f"{name}.txt"


@pytest.mark.parametrize("name", ["a.pdf", "html", "a.html.pdf", "отчёт", ""])
def test_other_names_stay(name: str) -> None:
    assert harmless_name(name) == name
