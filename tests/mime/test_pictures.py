from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.mime.pictures import picture_size

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 640, 480)
BMP = b"BM" + bytes(16) + struct.pack("<ii", 640, -480)
EXIF = b"\xff\xe1\x00\x08Exif\x00\x00"
JPEG = b"\xff\xd8" + EXIF + b"\xff\xff\xc2\x00\x11\x08" + struct.pack(">HH", 480, 640)
LOSSY = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + struct.pack("<HH", 640 | 0x4000, 480)
LOSSLESS = b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f" + struct.pack("<I", 639 | 479 << 14)
EXTENDED = b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")
ALL = {"png": PNG, "gif": GIF, "bmp": BMP, "jpeg": JPEG, "webp": LOSSY, "lossless": LOSSLESS, "extended": EXTENDED}


@pytest.mark.parametrize("data", ALL.values(), ids=ALL)
def test_the_size_stands_in_the_first_bytes(data: bytes) -> None:
    assert picture_size(data) == (640, 480)
    assert picture_size(data + b"whatever follows") == (640, 480)


@pytest.mark.parametrize("data", ALL.values(), ids=ALL)
def test_what_is_cut_short_has_no_size(data: bytes) -> None:
    assert [picture_size(data[:length]) for length in range(len(data))] == [None] * len(data)


@given(st.sampled_from([*ALL.values(), b"\xff\xd8", b"%PDF-1.4", b"<svg>"]), st.binary(max_size=60), st.integers(0, 40))
def test_no_bytes_break_it(start: bytes, rest: bytes, cut: int) -> None:
    size = picture_size(start[:cut] + rest)
    assert size is None or len(size) == 2
