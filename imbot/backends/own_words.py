"""Our own words on their way back: what we sent, taken out of an answer before it is interpreted. Offsets hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from imbot.backends.tidying import LONGEST, readable
from imbot.mime.marks import few_marks

MIN_RUN_WORDS = 3
MAX_SENT_WORDS = 20_000

_MARKUP = re.compile(r"<[^<>]{0,500}>")
_FORMS = 8  # of one text
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Ours:
    """What our own letters said: runs of three words, and whole lines."""

    runs: frozenset[tuple[str, ...]] = frozenset()
    lines: frozenset[str] = frozenset()


def without_ours(text: str, ours: Ours) -> str:
    """`text` with every stretch that we sent blanked out, offsets kept: runs of three words and more that stand in one of
    our letters in this order, and whole lines of them however short. An employee's own words must never act as a status.
    Words with a figure in them (the ticket's number, which our letters repeat) stay: alone they mean nothing."""
    if not text or not (ours.runs or ours.lines):
        return text
    found = list(_WORD.finditer(text))
    words = [match.group().casefold() for match in found]
    known: set[int] = set()
    for index, run in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if run in ours.runs:
            known.update(range(index, index + MIN_RUN_WORDS))
    out = list(text)
    for index in known:
        if not any(char.isdigit() for char in words[index]):
            start, end = found[index].span()
            out[start:end] = " " * (end - start)
    position = 0
    for line in text.split("\n"):
        if _folded(line) in ours.lines:
            out[position : position + len(line)] = " " * len(line)
        position += len(line) + 1
    return "".join(out)


def forms(text: str) -> tuple[str, ...]:
    """`text` and every shape in which a desk may give it back or we may read it then: entities resolved (a desk that forgets
    to escape leads to a second round), tags gone, wide and invisible characters as plain ones. For most texts there is one."""
    found = [text]
    for each in found:
        nfkc = unicodedata.normalize("NFKC", few_marks(each[:LONGEST]))
        plain = "".join(char for char in nfkc if unicodedata.category(char) != "Cf") if not nfkc.isascii() else nfkc
        tidy = readable(each)
        bare = _MARKUP.sub("", tidy) if "<" in tidy else tidy
        found += [one for one in dict.fromkeys((tidy, plain, bare)) if one and one not in found]
        if len(found) >= _FORMS:
            break
    return tuple(found)


def our_words(sent: Sequence[str]) -> Ours:
    """Of the subjects and texts of our letters, to be looked up in an answer."""
    runs: set[tuple[str, ...]] = set()
    lines: set[str] = set()
    for cleaned in {readable(form) for text in sent for form in forms(text)}:
        words = [word.casefold() for word in _WORD.findall(cleaned)[:MAX_SENT_WORDS]]
        runs.update(tuple(words[index : index + MIN_RUN_WORDS]) for index in range(len(words) - MIN_RUN_WORDS + 1))
        lines.update(folded for line in cleaned.split("\n")[:5000] if (folded := _folded(line)))
    return Ours(frozenset(runs), frozenset(lines))


def _folded(line: str) -> str:
    return " ".join(word.casefold() for word in _WORD.findall(line))
