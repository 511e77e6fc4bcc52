"""What a file is by its first bytes, whatever its name says (threats.md R1). Nothing is unpacked or run."""

from __future__ import annotations

from pathlib import Path

import filetype  # type: ignore[import-untyped]

_PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"#!")


def refusal(path: Path, name: str, refused: frozenset[str]) -> str:
    """Why a stored file may not go out: "type", by its name's ending or by what it is; "" if it may. `refused` are
    extensions in lower case without the dot."""
    if name.rpartition(".")[2].lower().strip() in refused and "." in name:
        return "type"
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_PROGRAMS):
        return "type"
    kind = filetype.guess(str(path))
    return "type" if kind is not None and kind.extension in refused else ""
