"""How a desk writes its numbers, learned from letters whose number somebody has told: a pattern that finds each of them.

Digits become any digits; the letters before them, brackets and the words beside them stay, as many as it takes to find the
number in every sample and none in letters of other desks. A year in it, or beside it, becomes any year. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imbot.backends.patterns import Pattern, compile_pattern
from imbot.backends.trimming import unquoted
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status
from imbot.mime.tidying import readable

_CORE = re.compile(r"[^\W_]+(?:[-_.][^\W_]+)*")
_BRACKETS = (("[", "]"), ("##", "##"), ("(", ")"))
_EDGE = "(?:^|[^0-9A-Za-zА-Яа-я-])"
YEAR = re.compile(r"(?<![0-9])20[0-9]{2}(?![0-9])")
ANY_YEAR = "20[0-9]{2}"
_OLDEST = 5  # years: figures farther from the letter's own date are no year
_AROUND = ".,:;!?#№()[]{}<>«»\"'"
_LONGEST = 40  # characters of a line that may stand beside a number and belong to it


@dataclass(frozen=True, slots=True)
class Sample:
    """A letter, and what somebody who knows the desk says of it. `number` as they write it, "" where it bears none.
    `status` None: it moves nothing. `separators`: lines that begin what is not read, besides the usual ones."""

    name: str
    mail: InboundMail
    number: str
    status: Status | None
    separators: tuple[Pattern, ...] = ()

    @property
    def core(self) -> str:
        """The number without what is written around it: `#0047513` -> `0047513`, `№ IM-CL-1042` -> `IM-CL-1042`. From the
        first word with digits to the last: `ОБР-2026/004512` stays whole."""
        found = [word for word in _CORE.finditer(self.number) if any(char.isdigit() for char in word[0])]
        return self.number[found[0].start() : found[-1].end()] if found else ""

    def within(self) -> str:
        """The longer word that the number stands in, where it never stands by itself; "" where it does, or is not there."""
        text = f"{self.subject}\n{self.body}"
        if not self.core or _hits(self.subject, self.core) or _hits(self.body, self.core):
            return ""
        words = (word.strip(_AROUND) for word in text.split())
        return next((word for word in words if self.core.casefold() in word.casefold()), "")[:_LONGEST]

    def bears_year(self, figures: str) -> bool:
        """Whether these figures may be a year of the letter's time."""
        date = self.mail.date
        return YEAR.fullmatch(figures) is not None and (date is None or abs(date.year - int(figures)) <= _OLDEST)

    @property
    def subject(self) -> str:
        return readable(self.mail.subject)

    @property
    def body(self) -> str:
        return unquoted(readable(self.mail.text), self.separators)


@dataclass(frozen=True, slots=True)
class Text:
    """A letter of another desk: what a learned profile must not take for its own."""

    name: str
    subject: str
    body: str

    def at(self, place: str) -> str:
        return self.subject if place == "subject" else self.body


@dataclass(frozen=True, slots=True)
class NumberForm:
    """`source`: the pattern with its group. `inner`: the same without edges and groups, to be put into anchors. `places`:
    where it is looked for; letters before the digits make it safe everywhere."""

    source: str
    inner: str
    places: tuple[str, ...]
    shown: str
    subject: str
    foreign: int  # letters of other desks in which it finds something
    why: str


def learn_numbers(samples: Sequence[Sample], others: Sequence[Text]) -> list[NumberForm]:
    """One form for numbers in subjects and, where letters bear theirs in the text only, one for texts; [] where nothing
    fits, or no sample bears a number."""
    bearing = [sample for sample in samples if sample.core]
    in_subject = [sample for sample in bearing if _hits(sample.subject, sample.core)]
    in_body = [sample for sample in bearing if sample not in in_subject and _hits(sample.body, sample.core)]
    if len(in_subject) + len(in_body) < len(bearing):
        return []
    forms = [
        best
        for place, group in (("subject", in_subject), ("body", in_body))
        if group and (best := _best(group, place, others)) is not None
    ]
    return forms if len(forms) == bool(in_subject) + bool(in_body) else []


def _best(samples: Sequence[Sample], place: str, others: Sequence[Text]) -> NumberForm | None:
    shown, group, prefix = _shape(samples)
    found: list[NumberForm] = []
    for inner, why in _candidates(samples, place, prefix, group):
        both = ("subject", "body") if _is_named(prefix) else (place,)
        for places in dict.fromkeys((both, (place,))):
            form = _form(samples, place, places, inner, shown, why, others)
            if form is not None and form.foreign == 0:
                return form
            found += [form] if form is not None else []
    return min(found, key=lambda form: form.foreign, default=None)


def _form(
    samples: Sequence[Sample],
    place: str,
    places: tuple[str, ...],
    marked: str,
    shown: str,
    why: str,
    others: Sequence[Text],
) -> NumberForm | None:
    """`marked`: the pattern, its group in private-use brackets. None where it misses a number."""
    bare = marked.replace("\ue000", "(?:").replace("\ue001", ")")
    bracketed = bare.startswith(("\\[", "\\(", "##"))
    source = marked.replace("\ue000", "(?P<n>" if bracketed else "(").replace("\ue001", ")")
    source = f"(?P<tag>{source})" if bracketed else _EDGE + source
    pattern = compile_pattern(source)
    for sample in samples:
        first = pattern.first(sample.subject if place == "subject" else sample.body)
        found = first.groups[(pattern.group_of("n") or 1) - 1] if first else None
        if found is None or shown.replace("{n}", found).upper() != sample.number.strip().upper():
            return None
    foreign = sum(any(pattern.matches(text.at(one)) for one in places) for text in others)
    verbatim = "{tag}" if bracketed and place == "subject" else _subject_form(samples, place)
    return NumberForm(source, bare, places, shown, verbatim, foreign, why)


def _shape(samples: Sequence[Sample]) -> tuple[str, str, str]:
    """(how it is shown, the pattern of its group, the letters before the group)."""
    outside = [sample.number.strip().removesuffix(sample.core) for sample in samples]
    before = outside[0] if len({one.upper() for one in outside}) == 1 else ""
    parts = [re.fullmatch(r"(\D*)(.+)", sample.core) for sample in samples]
    heads = {part[1].upper() for part in parts if part}
    digits = _digits([part[2] for part in parts if part], samples)
    if len(heads) == 1:
        head = heads.pop()
        return f"{before}{head}{{n}}", digits, head
    kinds = "|".join(literal(head) for head in sorted(heads) if head)
    return f"{before}{{n}}", f"(?:{kinds}){'?' if '' in heads else ''}{digits}", ""


def _is_named(prefix: str) -> bool:
    return sum(char.isalpha() for char in prefix) >= 2


def _digits(rests: Sequence[str], samples: Sequence[Sample]) -> str:
    if not all(rest.isdigit() for rest in rests):
        return _parts([re.findall(r"[0-9]+|[^0-9]+", rest) for rest in rests], samples)
    lengths = {len(rest) for rest in rests}
    padded = len(lengths) == 1 and (len(rests[0]) >= 6 or all(rest.startswith("0") for rest in rests))
    return f"[0-9]{{{len(rests[0]) if padded else 1},{max(12, *(length + 3 for length in lengths))}}}"


def _parts(rests: Sequence[Sequence[str]], samples: Sequence[Sample]) -> str:
    """A number of several parts, `2026/004512`: the same signs between any digits."""
    if len({len(rest) for rest in rests}) > 1:
        return _parts(rests[:1], samples[:1])  # one pattern finds them all or none does: the trial tells
    made = ""
    for index, part in enumerate(rests[0]):
        figures = [rest[index] for rest in rests]
        if not part.isdigit():
            made += literal(part)
        elif all(sample.bears_year(each) for sample, each in zip(samples, figures, strict=True)):
            made += ANY_YEAR
        else:
            padded = len(part) >= 6 and len({len(each) for each in figures}) == 1
            made += f"[0-9]{{{len(part) if padded else 1},12}}"
    return made


def _candidates(samples: Sequence[Sample], place: str, prefix: str, group: str) -> Iterator[tuple[str, str]]:
    """(pattern, why), the plainest first."""
    marked = f"{literal(prefix)}\ue000{group}\ue001"
    if _is_named(prefix):
        yield marked, f"digits behind {prefix}"
    lefts, rights = _beside(samples, place)
    for opening, closing in _BRACKETS:
        inner = _in_brackets(lefts, rights, opening, closing)
        if inner is not None:
            wanted, start, end = inner
            yield f"{literal(opening)}{start}{marked}{end}{literal(closing)}", f"what stands in {wanted}"
    left = _common_end(lefts)
    signs = re.match(r"\W{0,4}", common_start(rights))
    right = signs[0] if signs else ""
    if left.strip():
        yield _around(left) + marked, f"digits behind {left.strip()!r}"
        if right.strip():
            yield _around(left) + marked + _around(right), f"digits between {left.strip()!r} and {right.strip()!r}"
    elif right.strip():
        yield marked + _around(right), f"digits before {right.strip()!r}"
    if any(char.isalpha() for char in prefix + group) and ")?" not in group:
        yield marked, "words of such letters and digits"
    else:
        yield f"(?:№|#|\\<N)[ \\t]{{0,3}}{marked}", "digits behind № or #"
        yield marked, "any word of such digits, since nothing else stands beside it in every sample"


def _beside(samples: Sequence[Sample], place: str) -> tuple[list[str], list[str]]:
    """What stands before and behind each number on its line."""
    lefts, rights = [], []
    for sample in samples:
        text = sample.subject if place == "subject" else sample.body
        found = _hits(text, sample.core)[0]
        lefts.append(text[max(0, found.start() - _LONGEST) : found.start()].rpartition("\n")[2])
        rights.append(text[found.end() : found.end() + _LONGEST].partition("\n")[0])
    return lefts, rights


def _in_brackets(
    lefts: Sequence[str], rights: Sequence[str], opening: str, closing: str
) -> tuple[str, str, str] | None:
    """(how it looks, the pattern before the number, the one behind it), where every number stands in such brackets."""
    heads = [left.rpartition(opening)[2] for left in lefts if opening in left]
    tails = [right.partition(closing)[0] for right in rights if closing in right]
    if len(heads) < len(lefts) or len(tails) < len(rights) or any(closing in head for head in heads):
        return None
    if len(set(tails)) > 1:
        return None
    if len(set(heads)) == 1:
        return f"{opening}{heads[0]}…{tails[0]}{closing}", _around(heads[0]), _around(tails[0])
    end = common_start([head[::-1] for head in heads])[::-1]
    end = re.sub(r"^\w+", "", end)  # not from the middle of a word
    if not end.strip():
        return None
    inside = f"[^{literal(closing[0])}\n]{{0,60}}".replace("\n", "\\n")
    return f"{opening}…{end}…{closing}", inside + _around(end), _around(tails[0])


def _common_end(texts: Sequence[str]) -> str:
    """The words, two at most, that stand at the end of all."""
    end = common_start([text[::-1].casefold() for text in texts])[::-1]
    if any(len(text) > len(end) and text[-len(end) - 1].isalnum() for text in texts) and end[:1].isalnum():
        end = re.sub(r"^\w+", "", end)
    words = list(re.finditer(r"\w+", end))
    return end[words[-2].start() :] if len(words) > 2 else end


def common_start(texts: Sequence[str]) -> str:
    """What all begin with."""
    first, last = min(texts), max(texts)
    length = next((index for index, char in enumerate(first) if last[index : index + 1] != char), len(first))
    return first[:length]


def _subject_form(samples: Sequence[Sample], place: str) -> str:
    """How a subject bears it, to be repeated in our letters word for word: with the sign before it."""
    if place != "subject":
        return "{number}"
    given, core = samples[0].number.strip(), samples[0].core
    outside = given[: -len(core)] if given.upper().endswith(core.upper()) else ""
    sign = re.search(r"[^\w\s]{1,3}\s?$", _beside(samples, place)[0][0].removesuffix(outside))
    return f"{sign[0] if sign else ''}{{number}}"


def _hits(text: str, core: str) -> list[re.Match[str]]:
    words = r"\s+".join(re.escape(word) for word in core.split())
    return list(re.finditer(rf"(?i)(?<![^\W_]){words}(?![^\W_])", text))


def _around(text: str) -> str:
    """These very words beside a number, but in any year."""
    return ANY_YEAR.join(literal(piece) for piece in YEAR.split(text))


def literal(text: str) -> str:
    """A pattern for these very words: blanks of any length, quotes of any kind."""
    out = re.sub(r"\s+", " ", text)
    return "".join(
        " +" if char == " " else "." if char in "'\"`" else re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", char)
        for char in out
    )
