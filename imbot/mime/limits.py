"""The bounds of reading one letter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of one letter: bytes in all, parts, nesting, header fields of a part, bytes of a field."""

    size: int = 50 * 1024 * 1024
    parts: int = 200
    depth: int = 20
    headers: int = 1000
    header_bytes: int = 64 * 1024
