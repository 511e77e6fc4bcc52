"""Runs of combining marks, which no language has and a bomb is made of: bringing them into their order takes quadratic time.

Every text of a letter is shortened here before anything normalises it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MOST = 30  # marks in a row: what a stream-safe text may have (UAX #15)


def few_marks(text: str) -> str:
    """At most thirty combining marks in a row; what is beyond is dropped. Linear."""
    if text.isascii() or _marks().isdisjoint(text):  # nearly all of them, and quicker than the pattern
        return text
    return _runs().sub(lambda run: run[0][:MOST], text)


@lru_cache(maxsize=1)
def _marks() -> frozenset[str]:
    """Every character that is a mark, or becomes one when it is taken apart."""
    characters = map(chr, range(0x300, 0x1F000))
    return frozenset(char for char in characters if unicodedata.combining(unicodedata.normalize("NFKD", char)[0]))


@lru_cache(maxsize=1)
def _runs() -> re.Pattern[str]:
    spans: list[list[int]] = []
    for code in sorted(map(ord, _marks())):
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    kind = "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)
    return re.compile(f"[{kind}]{{{MOST + 1},}}")
