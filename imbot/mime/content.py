"""What a file is by its first bytes, whatever its name says. Nothing is unpacked or run."""

from __future__ import annotations

from pathlib import Path

import filetype  # type: ignore[import-untyped]

from imbot.mime.names import extension_of

_HEAD = 8192  # bytes by which a type is known
_ACTIVE = frozenset(
    [
        "htm",
        "html",
        "xht",
        "xhtml",
        "shtml",
        "mht",
        "mhtml",
        "svg",
        "svgz",
        "xml",
        "xsl",
        "xslt",
        "js",
        "mjs",
        "hta",
        "wsf",
    ]
)
# What leads elsewhere or holds programs, and the types that it is refused with.
_MAGICS = (
    (b"L\0\0\0\x01\x14\x02\0", "lnk"),
    (b"ITSF\x03\0\0\0", "chm"),
    (b"vhdxfile", "vhdx"),
    (b"conectix", "vhd"),
)
_BOM = b"\xef\xbb\xbf"
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"#!")


def refusal(path: Path, name: str, refused: frozenset[str]) -> str:
    """Why a stored file may not go out: "type", by its name's ending or by what it is; "" if it may. `refused` are
    extensions in lower case without the dot."""
    with path.open("rb") as file:
        return refusal_of(file.read(_HEAD), name, refused)


def refusal_of(data: bytes, name: str, refused: frozenset[str]) -> str:
    """The same of bytes."""
    if extension_of(name) in refused:
        return "type"
    if data.removeprefix(_BOM).startswith(_PROGRAMS):
        return "type"
    if any(data.startswith(magic) and extension in refused for magic, extension in _MAGICS):
        return "type"
    kind = filetype.guess(data[:_HEAD]) if data else None
    return "type" if kind is not None and kind.extension in refused else ""


def type_of(data: bytes) -> str:
    """The content type by the first bytes, "" where they say nothing."""
    kind = filetype.guess(data[:_HEAD]) if data else None
    return str(kind.mime) if kind is not None else ""


def harmless_name(name: str) -> str:
    """The name that a file may be given to a person under: what a browser would run (a page, a drawing with scripts, a
    script) opens as plain text. Nothing is lost: the bytes are the same."""
    return f"{name}.txt" if extension_of(name) in _ACTIVE else name
