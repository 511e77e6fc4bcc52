"""The words round a match: its line or its sentence, so that a negation elsewhere in the letter does not undo it."""

from __future__ import annotations

import re

REACH = 500  # characters to either side; no sentence of a letter is longer

# A full stop, or a line's end unless the next line goes on in small letters (a wrapped sentence).
_END = re.compile(r"[.!?…]+(?=\s|$)|\n(?!\s{0,40}[a-zа-яё])")


def around(text: str, start: int, end: int, near: str) -> str:
    """The line or the sentence (`near`) that `text[start:end]` stands in, at most `REACH` characters to either side."""
    first, last = max(0, start - REACH), min(len(text), end + REACH)
    if near == "line":
        begins, ends = text.rfind("\n", first, start) + 1, text.find("\n", end, last)
        return text[max(first, begins) : ends if ends >= 0 else last]
    before = list(_END.finditer(text, first, start))
    behind = _END.search(text, max(start, end - 1), last)
    return text[before[-1].end() if before else first : behind.start() if behind else last]
