"""`winmail.dat` (MS-OXTNEF), as Outlook and Exchange write it: the files and the text in it. Bounded by its own length; what
is no such file, or broken, gives nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from imbot.mime.charsets import decode

MAX_FILES = 200
MAX_PROPERTIES = 5000
MAX_ATTRIBUTES = 20_000  # of a pack; two hundred files have some thousands
MAX_VALUES = 100_000  # of all its properties together
_SIGNATURE = 0x223E9F78
# Attributes of the message and of its attachments (MS-OXTNEF 2.1.3.2).
_MESSAGE_BODY, _MESSAGE_PROPERTIES, _CODEPAGE = 0x0002800C, 0x00069003, 0x00069007
_FILE_BEGINS, _FILE_TITLE, _FILE_DATA, _FILE_PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
# Properties (MS-OXPROPS) and their types (MS-OXCDATA 2.11.1).
_BODY, _BODY_HTML, _ATTACH_DATA, _SHORT_NAME, _LONG_NAME, _MIME_TYPE, _CONTENT_ID = (
    0x1000, 0x1013, 0x3701, 0x3704, 0x3707, 0x370E, 0x3712,
)  # fmt: skip
_STRING, _UNICODE, _OBJECT, _BINARY, _MULTIPLE = 0x001E, 0x001F, 0x000D, 0x0102, 0x1000
_FIXED = {0x0002: 4, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 4, 0x0014: 8, 0x0040: 8,
          0x0048: 16}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file in it. `whole`: false for an object of OLE or a letter within, whose data is not for others to open."""

    name: str
    data: bytes
    content_type: str = "application/octet-stream"
    content_id: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Packed:
    """What a winmail.dat holds. `text`: the letter's own words, "" where they are not in it; `html`: the same as a page."""

    files: tuple[PackedFile, ...]
    text: str = ""
    html: str = ""


@dataclass(slots=True)
class _Gathering:
    codec: str = "cp1252"
    text: str = ""
    html: str = ""
    files: list[dict[str, bytes]] = field(default_factory=list)
    values: int = 0  # that were read, of all properties


def unpack(data: bytes) -> Packed | None:
    """None: no winmail.dat, or a broken one, or one with too much in it."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        return None
    found = _Gathering()
    try:
        for number, (tag, value) in enumerate(_attributes(data)):
            if number >= MAX_ATTRIBUTES:
                return None
            _take(found, tag, value)
    except (struct.error, ValueError):
        return None
    files = tuple(_file(each, found.codec) for each in found.files)
    return Packed(files, found.text, found.html)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 6
    while position + 9 <= len(data):
        level, tag, length = struct.unpack_from("<BII", data, position)
        position += 9
        if level not in (1, 2) or position + length > len(data):
            raise ValueError("broken")
        yield tag, data[position : position + length]
        position += length + 2  # a checksum


def _take(found: _Gathering, tag: int, value: bytes) -> None:
    if tag == _CODEPAGE and len(value) >= 4:
        found.codec = f"cp{struct.unpack_from('<I', value)[0]}"
    elif tag == _MESSAGE_BODY:
        found.text = decode(value.rstrip(b"\0"), found.codec)
    elif tag == _MESSAGE_PROPERTIES:
        for name, kind, content in _properties(value, found):
            if name == _BODY:
                found.text = _words(kind, content, found.codec)
            elif name == _BODY_HTML:
                found.html = decode(content.rstrip(b"\0"), "" if kind == _BINARY else found.codec)
    elif tag == _FILE_BEGINS:
        if len(found.files) >= MAX_FILES:
            raise ValueError("too many files")
        found.files.append({})
    elif found.files and tag == _FILE_TITLE:
        found.files[-1]["title"] = value.rstrip(b"\0")
    elif found.files and tag == _FILE_DATA:
        found.files[-1]["data"] = value
    elif found.files and tag == _FILE_PROPERTIES:
        _take_properties(found, value)


def _take_properties(found: _Gathering, value: bytes) -> None:
    file, codec = found.files[-1], found.codec
    keys = {_LONG_NAME: "long", _SHORT_NAME: "short", _MIME_TYPE: "type", _CONTENT_ID: "id"}
    for name, kind, content in _properties(value, found):
        if name in keys:
            file[keys[name]] = _words(kind, content, codec).encode()
        elif name == _ATTACH_DATA and kind == _BINARY:
            file["data"] = content
        elif name == _ATTACH_DATA:
            file["object"] = content


def _file(file: dict[str, bytes], codec: str) -> PackedFile:
    name = file.get("long") or decode(file.get("title", b""), codec).encode() or file.get("short", b"")
    return PackedFile(
        name.decode(),
        file.get("data", b""),
        file.get("type", b"").decode().strip().lower() or "application/octet-stream",
        file.get("id", b"").decode().strip("<> ")[:300],
        whole="data" in file and "object" not in file,
    )


def _words(kind: int, content: bytes, codec: str) -> str:
    if kind == _UNICODE:
        content = content[: len(content) // 2 * 2]
        return content.decode("utf-16-le", "replace").rstrip("\0")
    return decode(content.rstrip(b"\0"), codec)


def _properties(data: bytes, found: _Gathering) -> Iterator[tuple[int, int, bytes]]:
    """(name, type, value) of each property that has one value of changing length; others are stepped over."""
    (count,) = struct.unpack_from("<I", data)
    position = 4
    for _ in range(min(count, MAX_PROPERTIES)):
        kind, name = struct.unpack_from("<HH", data, position)
        position += 4
        if name >= 0x8000:
            position = _after_name(data, position)
        number, one = 1, kind & ~_MULTIPLE
        if kind & _MULTIPLE or one not in _FIXED:  # what has a changing length says how many there are in any case
            (number,) = struct.unpack_from("<I", data, position)
            position += 4
        kind = one
        found.values += 1 if kind in _FIXED else number
        if found.values > MAX_VALUES:
            raise ValueError("too many values")
        if kind in _FIXED:
            position += _FIXED[kind] * number
            if position > len(data):
                raise ValueError("broken")
            continue
        if kind not in (_STRING, _UNICODE, _OBJECT, _BINARY):
            raise ValueError("an unknown type")
        for _ in range(number):
            (length,) = struct.unpack_from("<I", data, position)
            position += 4
            if position + length > len(data):
                raise ValueError("broken")
            yield name, kind, data[position : position + length]
            position += length + -length % 4


def _after_name(data: bytes, position: int) -> int:
    """A named property: a GUID, then a number or a name."""
    kind, number = struct.unpack_from("<II", data, position + 16)
    return position + 24 + (0 if kind == 0 else number + -number % 4)
