"""winmail.dat: its files and words are taken out; what is broken or strange is passed on whole."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.mime import bytes_to_mail
from imbot.mime.tnef import PackedFile, unpack
from tests.mime.letters import multipart

HEAD = struct.pack("<IH", 0x223E9F78, 1)


def attribute(tag: int, data: bytes, level: int = 2) -> bytes:
    return struct.pack("<BII", level, tag, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def changing(kind: int, name: int, data: bytes) -> bytes:
    return struct.pack("<HHII", kind, name, 1, len(data)) + data + b"\0" * (-len(data) % 4)


def wide(name: int, text: str) -> bytes:
    return changing(0x1F, name, text.encode("utf-16-le") + b"\0\0")


def properties(*each: bytes) -> bytes:
    return struct.pack("<I", len(each)) + b"".join(each)


def file(title: str, data: bytes, *more: bytes) -> bytes:
    return (
        attribute(0x00069002, bytes(14))
        + attribute(0x00018010, title.encode("cp1251") + b"\0")
        + attribute(0x0006800F, data)
        + (attribute(0x00069005, properties(*more)) if more else b"")
    )


CYRILLIC = attribute(0x00069007, struct.pack("<II", 1251, 0), level=1)
NUMBER = struct.pack("<HHI", 0x0003, 0x0E20, 7)
NAMED = struct.pack("<HH", 0x0003, 0x8001) + bytes(16) + struct.pack("<II", 0, 5) + struct.pack("<I", 1)
SPELLED = struct.pack("<HH", 0x0003, 0x8002) + bytes(16) + struct.pack("<II", 1, 6) + b"a\0b\0\0\0\0\0" + bytes(4)
SEVERAL = struct.pack("<HHIII", 0x1003, 0x8003, 0, 0, 0)[:4] + bytes(16) + struct.pack("<IIIII", 0, 5, 2, 1, 2)


def test_files_bear_their_long_names_types_and_places() -> None:
    more = (NUMBER, NAMED, SPELLED, SEVERAL, wide(0x3707, "Отчёт за ноябрь.pdf"), wide(0x370E, "application/pdf"))
    packed = unpack(
        HEAD + CYRILLIC + file("OTCHET~1.PDF", b"%PDF", *more, wide(0x3712, "<a@b>")) + file("фото.jpg", b"x")
    )
    assert packed is not None
    assert packed.files == (
        PackedFile("Отчёт за ноябрь.pdf", b"%PDF", "application/pdf", "a@b"),
        PackedFile("фото.jpg", b"x"),
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (attribute(0x0002800C, "Заявка принята\0".encode("cp1251"), level=1), "Заявка принята"),
        (attribute(0x00069003, properties(wide(0x1000, "Заявка принята")), level=1), "Заявка принята"),
        (attribute(0x00069003, properties(changing(0x102, 0x1013, "<p>Да<p>Нет".encode())), level=1), "Да\n\nНет"),
    ],
)
def test_the_words_in_it_count_where_the_letter_has_none(body: bytes, words: str) -> None:
    data = base64.b64encode(HEAD + CYRILLIC + body + file("a.txt", b"x")).decode()
    part = f"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}"
    alone, beside = bytes_to_mail(multipart("mixed", part)), bytes_to_mail(multipart("mixed", "\r\nown words", part))
    assert (alone.text, beside.text) == (words, "own words")
    assert [(one.name, one.data) for one in alone.attachments] == [("a.txt", b"x")]
    assert alone.problems == ("a winmail.dat with 1 files was taken apart",)


def test_one_with_a_letter_within_is_passed_on_beside_its_files() -> None:
    within = attribute(0x00069002, bytes(14)) + attribute(0x00069005, properties(changing(0x0D, 0x3701, bytes(20))))
    data = base64.b64encode(HEAD + file("a.txt", b"x") + within).decode()
    part = f"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}"
    assert [one.name for one in bytes_to_mail(multipart("mixed", part)).attachments] == ["a.txt", "winmail.dat"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1\2",
        HEAD + b"\2" + bytes(9),
        HEAD + file("a", b"x" * 99)[:-40],
        HEAD + file("a", b"x", struct.pack("<HH", 0x7777, 1)),
        HEAD + file("a", b"x", struct.pack("<HHII", 0x102, 1, 1, 0xFFFFFFF0)),
        HEAD + file("a", b"x", struct.pack("<HHI", 0x1003, 1, 0xFFFFFFFF)),
        HEAD + file("a", b"x") * 300,
    ],
)
def test_what_is_broken_is_passed_on_whole(data: bytes) -> None:
    assert not (packed := unpack(data)) or packed.files == ()
    coded = base64.b64encode(data).decode()
    part = f"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n{coded}"
    assert [(one.name, one.data) for one in bytes_to_mail(multipart("mixed", part)).attachments] == [
        ("winmail.dat", data)
    ]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_it(data: st.DataObject) -> None:
    good = bytearray(HEAD + CYRILLIC + file("a.txt", b"x", NUMBER, NAMED, SPELLED, SEVERAL, wide(0x3707, "имя.txt")))
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(6, len(good) - 1))] = data.draw(st.integers(0, 255))
    packed = unpack(bytes(good))
    assert packed is None or all(len(one.data) <= len(good) for one in packed.files)
