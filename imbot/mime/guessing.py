"""Which charset bytes are in that nobody, or a liar, named: a guess between the Cyrillic ones, by how Russian falls.

Latin text has lone accented letters between ASCII ones; Cyrillic text has words of nothing but high bytes. Among the
Cyrillic charsets the one wins in which the letters are as frequent, and as rarely capital, as they are in Russian.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from math import log

CYRILLIC = ("cp1251", "koi8_u", "cp866", "mac_cyrillic", "iso8859_5")  # the likelier first; KOI8-U holds KOI8-R
_RARE = {"cp866": 0.4, "mac_cyrillic": 0.8, "iso8859_5": 0.4}  # hardly any letter is in them unsaid
SAMPLE = 4096
_FREQUENT = dict(
    zip(
        "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґ",
        (110, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 16, 16, 14, 12, 10, 9, 7, 6, 5, 4, 3,
         3, 0.4, 4, 0.6, 0.3, 0.3, 0.1),
        strict=True,
    )
)  # fmt: skip
_MARKS = frozenset("«»—–№„“”’…·•°§©®\u00a0‘†‰€™±µ")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{3,64}")
_BEST_WRONG = -2.9  # a letter of Russian has -2.8 at the mean; what is worse is another language, or no text
_CLEAR = 0.7  # so much better must a charset be than the one that the letter names


def guess(data: bytes) -> str:
    """The Cyrillic charset that these bytes read as Russian in; `gb18030`, where they are words of high bytes and no
    Russian; "" for Latin words and where nothing can be said."""
    sample = data[:SAMPLE]
    high = sum(byte >= 0x80 for byte in sample)
    runs = sum(len(run) for run in _HIGH_RUN.findall(sample))
    letters = sum(65 <= byte <= 90 or 97 <= byte <= 122 for byte in sample)
    if high < 2 or runs * 2 < high or high * 12 < letters:
        return ""
    marks = {name: mark(sample, name) for name in CYRILLIC}
    best = max(marks, key=lambda name: marks[name])
    if marks[best] > _BEST_WRONG - 1.5:
        return best
    return "gb18030" if high > max(7, letters) and _fits(sample, "gb18030") else ""


def better_than(declared: str, data: bytes) -> str:
    """The Cyrillic charset that is clearly meant where a letter names another one; else "". Short words prove nothing."""
    sample = data[:SAMPLE]
    if sum(byte >= 0x80 for byte in sample) < 8:
        return ""
    named = mark(sample, declared) + _RARE.get(declared, 0.0)
    best = max(CYRILLIC, key=lambda name: mark(sample, name))
    return best if mark(sample, best) > max(named + _CLEAR, _BEST_WRONG - 0.5) else ""


def russian(data: bytes) -> str:
    """The Cyrillic charset that these bytes, called Chinese or the like, clearly read as Russian in; else ""."""
    sample = data[:SAMPLE]
    high = sum(byte >= 0x80 for byte in sample)
    if high < 8:
        return ""
    best = max(CYRILLIC, key=lambda name: mark(sample, name))
    return best if mark(sample, best) > _BEST_WRONG - (1.1 if high >= 16 else 0.5) else ""  # Chinese: -4.2, long -5.2


def is_russian(text: str) -> bool:
    """Whether all that is not ASCII is Russian, four letters of it at least: Chinese that is read as UTF-8 by chance is not."""
    high = [char for char in text[:SAMPLE] if not char.isascii()]
    letters = sum("а" <= char.lower() <= "я" or char in "ёЁ" for char in high)
    return letters >= 4 and all("а" <= char.lower() <= "я" or char in "ёЁ" or char in _MARKS for char in high)


def mark(sample: bytes, codec: str) -> float:
    """How much like Russian the high bytes are in this charset: the mean logarithm of how frequent each is there, less for
    capitals where none are due and for vowels or consonants in a row."""
    table = _table(codec)
    total, number, before, vowel = 0.0, 0, _NO_LETTER, False
    for byte in sample:
        if byte < 0x80:
            before = _NO_LETTER
            continue
        weight, kind, sounds = table[byte - 0x80]
        total += weight + _TURN[before][kind]
        if before and kind:
            total += 0.25 if sounds != vowel else -0.25
        number += 1
        before, vowel = kind, sounds
    return total / number - _RARE.get(codec, 0.0) if number else -99.0


_NO_LETTER, _SMALL, _CAPITAL = range(3)
_TURN = ((0.0, 0.0, -0.6), (0.0, 0.0, -6.0), (0.0, 0.0, -0.2))  # what it costs that the second follows the first


@lru_cache(maxsize=16)
def _table(codec: str) -> tuple[tuple[float, int, bool], ...]:
    """What each high byte counts, what it is, and whether it is a vowel."""
    table = []
    for byte in range(0x80, 0x100):
        char = bytes([byte]).decode(codec, "replace")
        frequency = _FREQUENT.get(char.lower())
        if frequency is None:
            table.append((-5.0 if char in _MARKS else -9.0, _NO_LETTER, False))
        else:
            kind = _SMALL if char.islower() else _CAPITAL
            table.append((log(frequency / 1000), kind, char.lower() in "аеёиоуыэюяіїє"))
    return tuple(table)


def _fits(data: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)("strict").decode(data, final=len(data) < SAMPLE)
    except UnicodeError:
        return False
    return True
