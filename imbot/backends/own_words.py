"""Our own words on their way back: what we sent, taken out of an answer before it is interpreted. Offsets hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from imbot.mime.echoes import echoes

MIN_RUN_WORDS = 3
MOST_OURS = (
    60_000  # characters of our letters, every shape of them counted, are looked at: this is done in a transaction
)
LONGEST_WORD = 100

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_TOKEN = re.compile(r"[^\W_]+(?:[-.:/,][^\W_]+)*")  # `21.11.2026` and `12-34` are one
_FIGURE = re.compile(r"[0-9]")
_DIGIT = re.compile(r"\d")
# Nouns that letters about a request are full of: whoever writes nothing but them says no status.
_IDLE = re.compile(
    r"(?:заявк|обращени|запрос|инцидент|тикет|задач|работ|статус|состояни|описани|комментари)[а-я]{0,4}"
    r"|(?:request|ticket|incident|case|issue|task|call|status|state|description|comment)s?|№|[\w-]*\d[\w-]*"
)

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ours:
    """What our own letters said, in every shape in which it may come back. `texts`: those shapes; `subjects`: of the
    subjects alone. `runs`: three words in this order; `lines`: whole lines; `short`: lines, or what stands behind their
    label, of one or two words that may say something; `before` and `behind`: three words beside one with a figure; `told`:
    all words, one blank between them, a bar round each text; `tokens`: those with a figure. `whole`: nothing was left out."""

    texts: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    runs: frozenset[Run] = frozenset()
    lines: frozenset[str] = frozenset()
    short: frozenset[Run] = frozenset()
    before: frozenset[Run] = frozenset()
    behind: frozenset[Run] = frozenset()
    told: str = ""
    tokens: frozenset[str] = frozenset()
    whole: bool = True
    of_subjects: Ours | None = field(default=None, repr=False)  # the same of the subjects alone
    firsts: frozenset[str] = frozenset()  # words that `lines` begin with
    masked: dict[str, str] = field(default_factory=dict, repr=False, compare=False)  # what was looked up already

    def __bool__(self) -> bool:
        return bool(self.texts)

    def say(self, words: str) -> bool:
        """Whether these words stand in one of our letters in this order, one behind the other."""
        said = _joined(words)
        return bool(said) and f" {said} " in self.told


Sent = Sequence[str] | Ours  # subjects and texts of our letters by turns, or what is known of them already


def our_words(sent: Sent) -> Ours:
    """Of the subjects and texts of our letters, to be looked up in an answer."""
    if isinstance(sent, Ours):
        return sent
    return ours_of([(echoes(text), ()) if at % 2 == 0 else ((), echoes(text)) for at, text in enumerate(sent)])


def ours_of(letters: Iterable[tuple[Sequence[str], Sequence[str]]], *, whole: bool = True) -> Ours:
    """The same of letters whose shapes (`echoes`) are known: (of the subject, of the text). `whole`: there are no more."""
    listed = list(letters)
    subjects = tuple(dict.fromkeys(form for subject, _ in listed for form in subject))
    texts = tuple(dict.fromkeys(form for subject, text in listed for form in (*subject, *text)))
    of_subjects = _ours(subjects, subjects, whole) if subjects else None
    return _ours(texts, subjects, whole, of_subjects)


def _ours(texts: tuple[str, ...], subjects: tuple[str, ...], whole: bool, of_subjects: Ours | None = None) -> Ours:
    runs: set[Run] = set()
    before: set[Run] = set()
    behind: set[Run] = set()
    told: set[str] = set()
    lines: set[str] = set()
    units: set[str] = set()
    tokens: set[str] = set()
    for text in texts:
        said = _joined(text)
        if said not in told:
            told.add(said)
            words = said.split(" ")
            runs.update(zip(words, words[1:], words[2:], strict=False))
            for at in (at for at, word in enumerate(words) if _FIGURE.search(word)):
                before.add(tuple(words[max(0, at - MIN_RUN_WORDS) : at]))
                behind.add(tuple(words[at + 1 : at + 1 + MIN_RUN_WORDS]))
        for line in dict.fromkeys(text.split("\n")):
            lines.add(whole_line := _joined(line))
            units.update((whole_line, _behind_label(line)))
        tokens.update(token.casefold() for token in _TOKEN.findall(text) if not token.isalpha())
    bare = frozenset(lines - {""})
    short = {tuple(unit.split(" ")) for unit in units - {""} if unit.count(" ") < MIN_RUN_WORDS - 1}
    short = {run for run in short if not all(_IDLE.fullmatch(word) for word in run)}
    bars = " | ".join(["", *told, ""])
    return Ours(
        texts,
        subjects,
        frozenset(runs),
        bare,
        frozenset(short),
        frozenset(run for run in before if len(run) == MIN_RUN_WORDS),
        frozenset(run for run in behind if len(run) == MIN_RUN_WORDS),
        bars,
        frozenset(tokens),
        whole,
        of_subjects,
        frozenset(line.partition(" ")[0] for line in bare),
    )


def _behind_label(line: str) -> str:
    """What somebody answered, where the line is a question and an answer."""
    label, colon, rest = line.partition(":")
    return _joined(rest) if colon and len(label) <= 60 else ""


def without_ours(text: str, ours: Ours) -> str:
    """`text` with every stretch that we sent blanked out, offsets kept: runs of three words and more that stand in one of
    our letters in this order, and whole lines of them however short. An employee's own words must never act as a status.
    Words with a figure in them (the ticket's number, which our letters repeat) stay: alone they mean nothing."""
    if not text or not ours:
        return text
    if text not in ours.masked:
        ours.masked[text] = _without_lines(_without_runs(text, ours), text, ours)
    return ours.masked[text]


def _without_runs(text: str, ours: Ours) -> str:
    words = _joined(text).split(" ")
    if ours.runs.isdisjoint(zip(words, words[1:], words[2:], strict=False)):
        return text
    return _blanked(text, list(_WORD.finditer(text)), words, _repeated(words, ours))


def _without_lines(masked: str, text: str, ours: Ours) -> str:
    if not any(_may_be(line, ours) and _joined(line) in ours.lines for line in text.split("\n")):
        return masked
    pairs = zip(masked.split("\n"), text.split("\n"), strict=True)
    return "\n".join(" " * len(line) if line and _joined(line) in ours.lines else rest for rest, line in pairs)


def _may_be(line: str, ours: Ours) -> bool:
    """Quick, and wrong only by saying yes."""
    first = _WORD.search(line)
    return first is not None and _folded(first.group()) in ours.firsts


def without_short(text: str, ours: Ours) -> str:
    """`text` with every line of ours of one or two words blanked out, wherever a desk has put it: in quotes, behind a
    label, in a sentence of its own. Offsets hold."""
    words = _joined(text).split(" ") if text and ours.short else []
    pairs = list(pairwise(words))
    if ours.short.isdisjoint(pairs) and ours.short.isdisjoint((word,) for word in words):
        return text
    known = {at for at, word in enumerate(words) if (word,) in ours.short}
    known.update(index for at, pair in enumerate(pairs) if pair in ours.short for index in (at, at + 1))
    return _blanked(text, list(_WORD.finditer(text)), words, known)


def _blanked(text: str, found: Sequence[re.Match[str]], words: Sequence[str], known: Iterable[int]) -> str:
    out = list(text)
    for index in known:
        if not _DIGIT.search(words[index]):
            start, end = found[index].span()
            out[start:end] = " " * (end - start)
    return "".join(out)


def stretches(text: str, ours: Ours) -> list[list[tuple[int, int]]]:
    """The stretches of `text` that stand in one of our letters, three words and more each, as places of those words that
    say something."""
    words = _joined(text).split(" ")
    known = _repeated(words, ours)
    found = list(_WORD.finditer(text)) if known else []
    made: list[list[tuple[int, int]]] = []
    for at in sorted(known):
        if at - 1 not in known:
            made.append([])
        if not _IDLE.fullmatch(_folded(found[at].group())):
            made[-1].append(found[at].span())
    return [part for part in made if part]


def goes_on(parts: Sequence[Sequence[tuple[int, int]]], start: int, end: int) -> bool:
    """Whether one of the `stretches` lies over the place and is longer by three words and more: somebody repeats us, and
    does not say the same by chance."""
    for part in parts:
        if part[0][0] < end and part[-1][1] > start:
            return sum(word[1] <= start or word[0] >= end for word in part) >= MIN_RUN_WORDS
    return False


def _repeated(words: Sequence[str], ours: Ours) -> set[int]:
    """Which of `words` stand in runs of ours."""
    known: set[int] = set()
    for index, run in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if run in ours.runs:
            known.update(range(index, index + MIN_RUN_WORDS))
    return known


def stands_for_ours(text: str, start: int, end: int, ours: Ours) -> bool:
    """Whether the number at `text[start:end]` is a figure of ours, or stands where our letter has one: between the same
    words, however the figure itself has changed on its way."""
    line = text.rfind("\n", 0, start) + 1
    token = next((one for one in _TOKEN.finditer(text, max(line, start - LONGEST_WORD)) if one.end() > start), None)
    if token is not None and token.start() <= start and token.group().casefold() in ours.tokens:
        return True
    rest = text.find("\n", end)
    above = _WORD.findall(text, max(line, start - 3 * LONGEST_WORD), start)
    below = _WORD.findall(text, end, min(rest if rest >= 0 else len(text), end + 3 * LONGEST_WORD))
    before, behind = (tuple(map(_folded, words)) for words in (above[-MIN_RUN_WORDS:], below[:MIN_RUN_WORDS]))
    return before in ours.before or behind in ours.behind


def around_words(text: str, start: int, end: int) -> tuple[str, ...]:
    """The words in which `text[start:end]` stands, of which one letter of ours has to bear one: those words themselves, or
    of a single word it and the one before or behind it. A word alone may be said by anybody."""
    near = list(_WORD.finditer(text, max(0, start - LONGEST_WORD), end + LONGEST_WORD))
    inside = [at for at, word in enumerate(near) if word.start() < end and word.end() > start]
    if not inside:
        return ()
    first, last = inside[0], inside[-1]
    pairs = [(first, last)] if first < last else [(max(0, first - 1), first), (first, min(first + 1, len(near) - 1))]
    return tuple(text[near[a].start() : near[b].end()] for a, b in pairs if a < b)


def _joined(text: str) -> str:
    return _folded(" ".join(_WORD.findall(text)))


def _folded(words: str) -> str:
    """As two texts are compared: without capitals, "ё" as "е"."""
    return words.casefold().replace("ё", "е")
