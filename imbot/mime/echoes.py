"""Our own texts on their way back: every shape in which a desk may repeat one or we may read it then, and what in it could
bind a letter. Pure; nothing is judged."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from imbot.mime.html import html_to_text
from imbot.mime.marks import few_marks
from imbot.mime.tidying import LONGEST, is_plain, readable

FORMS = 8  # of one text
LONGEST_FIGURE = 24
_A_FEW_WORDS = 120  # characters
_MARKUP = re.compile(r"<[^<>]{0,500}>")
_ADDRESS = re.compile(r"[a-z0-9._%+'-]{1,64}@[a-z0-9.-]{3,200}")
_FIGURES = re.compile(r"[0-9]+")
# What stands in a text and shows nothing: formats (category Cf), the joiner of marks, variation selectors, fillers.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


# What a desk that knows Markdown or a wiki's marks does not show; and what one does not keep whose data base knows no emoji.
_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\([^()\n]{0,500}\)")
_MACRO = re.compile(r"\{[^{}\n]{1,80}\}")
_MARKS = re.compile(r"[*_~`^|\\]+|[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]+")


def forms(text: str) -> tuple[str, ...]:
    """`text` and every shape of it that keeps its lines: entities resolved (a desk that forgets to escape leads to a second
    round), tags gone, wide and invisible characters as plain ones. For most texts there is one."""
    return _forms_of_words(text) if len(text) <= _A_FEW_WORDS else _forms(text)


def _forms(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((text, readable(text) or text))) if is_plain(text) else _forms_of_any(text)


def _forms_of_any(text: str) -> tuple[str, ...]:
    found = [text]
    for each in found:
        seen = _IGNORABLE.sub("", few_marks(each[:LONGEST]))
        plain = _IGNORABLE.sub("", "№".join(unicodedata.normalize("NFKC", part) for part in seen.split("№")))
        tidy = readable(each)
        bare = _MARKUP.sub("", tidy) if "<" in tidy else tidy
        found += [one for one in dict.fromkeys((tidy, seen, plain, bare)) if one and one not in found]
        if len(found) >= FORMS:
            break
    return tuple(found)


# Names, places and categories come again with each request of a person.
_forms_of_words = lru_cache(maxsize=512)(_forms)


def flat(text: str) -> str:
    """In one line, as a page shows it."""
    return " ".join(text.split())


def echoes(text: str) -> tuple[str, ...]:
    """`forms`, and those in which a page shows what has marks of one, HTML's, Markdown's or a wiki's: what is hidden is gone
    there. A desk may put the whole into its page or a line of it. That a page has one blank for all blanks and line ends is
    left to `flat`."""
    found = list(dict.fromkeys(forms(text)))
    if is_plain(text):
        return tuple(one for one in found if one)
    for each in tuple(found):
        if "<" in each or "&" in each:
            whole = html_to_text(each[:LONGEST])
            lines = "\n".join(html_to_text(line) if "<" in line else line for line in each[:LONGEST].split("\n"))
            found += [whole, readable(lines)]
    found += [_unmarked(each) for each in tuple(found)]
    return tuple(one for one in dict.fromkeys(found) if one)


def _unmarked(text: str) -> str:
    """As a desk shows it that takes marks in it for marks, the text itself where there are none."""
    return _MARKS.sub("", _MACRO.sub("", _LINK.sub(r"\1", text)))


def binding_words(shapes: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """What the shapes of a text (`echoes`) bear that could name somebody's request: (figures as `figures` has them, what
    stands round an at sign, in small letters)."""
    numbers: set[str] = set()
    addresses: set[str] = set()
    for each in shapes:
        numbers.update(figures(each))
        if "@" in each:
            addresses.update(_ADDRESS.findall(each.casefold()))
    return frozenset(numbers), frozenset(addresses)


def figures(text: str) -> list[str]:
    """Every row of figures in order, without the zeros before it; of a very long one the beginning."""
    return [row.lstrip("0")[:LONGEST_FIGURE] or "0" for row in _FIGURES.findall(text)]


def figure_of(number: str) -> str:
    """By which of its figures a number is looked up: the last row of them; "" where it has none."""
    return (figures(number) or [""])[-1]
