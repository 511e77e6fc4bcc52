"""What is new in a letter: quoted letters, signatures and a desk's own marks told apart from what somebody just wrote.

Nothing is thrown away: the whole text stays in the mail; this is for interpretation and display only. Answers between
quoted lines stay. Linear in the text, whatever it consists of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from imbot.backends.patterns import Pattern
from imbot.backends.quote_marks import (
    attribution,
    begins_letter,
    is_phone,
    is_quoted,
    is_rule,
    says_above,
    signature_length,
)

MOST_PASSES = 5
MOST_HEAD = 12  # lines of a quoted letter's head

_Item = tuple[int, str]  # a line, and which one of the text it is
_CUT = -1
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Trimmed:
    """`shown`: the lines that somebody wrote; `rest`: those left out, in their order, "" where all is shown."""

    shown: str
    rest: str


def trimmed(text: str, separators: Sequence[Pattern] = ()) -> Trimmed:
    """For people: `text` without what it quotes and without signatures. `separators`: the profile's own marks. Where
    nothing would be left, the whole is shown. What is shown, trimmed once more, stays as it is."""
    return _trimmed(text, tuple(separators))


@lru_cache(maxsize=64)  # asked several times of one letter, inside a transaction; the first time before it begins
def _trimmed(text: str, separators: tuple[Pattern, ...]) -> Trimmed:
    lines = text.split("\n")
    items = _tidy(list(enumerate(lines)))
    kept = _settled(items, separators, signature=True)
    if not _has_words(kept):
        return Trimmed(_joined(items), "")
    shown = {index for index, _ in kept}
    return Trimmed(_joined(kept), _joined(_tidy([item for item in items if item[0] not in shown])))


def unquoted(text: str, separators: Sequence[Pattern] = ()) -> str:
    """For patterns: what stands above the first quoted letter, without lines that quote by `>`. A mark that stands on top
    ("reply above this line" in a letter that comes from the desk) hides nothing."""
    return _joined(_settled(_tidy(list(enumerate(text.split("\n")))), separators))


def _settled(items: list[_Item], separators: Sequence[Pattern], *, signature: bool = False) -> list[_Item]:
    """Once more while anything goes: what is cut out of the middle may bring the halves of a mark together."""
    for _ in range(MOST_PASSES):
        own = _own([line for _, line in items], separators, signature=signature)
        left = _tidy([item if mine else (_CUT, "") for item, mine in zip(items, own, strict=True)])
        if left == items or (signature and not _has_words(left)):
            break
        items = left
    return items


def _tidy(items: list[_Item]) -> list[_Item]:
    """No blanks behind a line, no two blank lines in a row, none at either end."""
    tidy: list[_Item] = []
    for index, line in items:
        text = line.rstrip()
        if text or (tidy and tidy[-1][1]):
            tidy.append((index, text))
    while tidy and not tidy[-1][1]:
        tidy.pop()
    return tidy


def _joined(items: Sequence[_Item]) -> str:
    return "\n".join(line for _, line in items).strip()


def _has_words(items: Sequence[_Item]) -> bool:
    return any(_WORD.search(line) for _, line in items)


def _own(lines: Sequence[str], separators: Sequence[Pattern], *, signature: bool = False) -> list[bool]:
    """Of each line, whether it is the writer's own."""
    marks, quoted = _marked(lines, separators), [is_quoted(line) for line in lines]
    letters = [begins_letter(lines, index) for index in range(len(lines))]
    heads = [_attribution_length(lines, index, quoted) for index in range(len(lines))]
    ends = [any(each) for each in zip(quoted, letters, heads, strict=True)]
    own = [False] * len(lines)
    spoken = False  # words of their own stand above
    index = 0
    while index < len(lines):
        line, count = lines[index], 1
        if quoted[index] or is_phone(line):
            pass
        elif heads[index] and _quotes(quoted, lines, index + heads[index]):
            count = heads[index]
        elif marks[index] or says_above(line) or letters[index] or heads[index]:
            if spoken:
                return _without_rules(lines, own)
            if letters[index] or heads[index]:  # a letter that was passed on, and nothing else: that is shown
                count = heads[index] or _head_length(lines, index)
                own[index : index + count] = [True] * count
        elif signature and (cut := signature_length(lines, index, ends)):
            count = cut
        else:
            own[index] = True
            spoken = spoken or _WORD.search(line) is not None
        index += count
    return own


def _without_rules(lines: Sequence[str], own: list[bool]) -> list[bool]:
    """A line of dashes above what was cut belongs to it."""
    last = next((index for index in range(len(own) - 1, -1, -1) if own[index] and lines[index]), -1)
    while last >= 0 and (not lines[last] or is_rule(lines[last])):
        own[last] = False
        last -= 1
    return own


def _head_length(lines: Sequence[str], index: int) -> int:
    """A mark and the head of the letter below it: all up to a blank line."""
    head = lines[index : index + MOST_HEAD]
    return next((at for at, line in enumerate(head) if not line), len(head))


def _attribution_length(lines: Sequence[str], index: int, quoted: Sequence[bool]) -> int:
    count, sure = attribution(lines, index)
    return count if sure or (count and _quotes(quoted, lines, index + count)) else 0


def _quotes(quoted: Sequence[bool], lines: Sequence[str], index: int) -> bool:
    """Whether the next line with anything in it quotes by `>`."""
    return next((quoted[at] for at in range(index, min(index + 4, len(lines))) if lines[at]), False)


def _marked(lines: Sequence[str], separators: Sequence[Pattern]) -> list[bool]:
    """Of each line, whether one of the profile's own marks begins in it."""
    marked = [False] * len(lines)
    if not separators:
        return marked
    text = "\n".join(lines)
    for pattern in separators:
        index, position = 0, 0
        for found in pattern.finds(text):
            while position + len(lines[index]) < found.start:
                position += len(lines[index]) + 1
                index += 1
            marked[index] = True
    return marked
