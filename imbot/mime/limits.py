"""The bounds of reading one letter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of one letter: bytes in all, parts, nesting, header fields of a part, bytes of a field, bytes of the fields that
    are handed on: of those that trust rests on, and as many of the others."""

    size: int = 50 * 1024 * 1024
    parts: int = 200
    depth: int = 20
    headers: int = 1000
    header_bytes: int = 64 * 1024
    kept_headers: int = 256 * 1024
