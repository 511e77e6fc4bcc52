"""From a few sample letters to a profile: learned, written as TOML, read back by the ordinary reader, and tried.

A proposal that misses one of its samples, or takes a letter of another desk, is none: `CannotLearn` says why. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from imbot.backends.choosing import choose
from imbot.backends.learning_fields import LearnedField, learn_fields, row_labels
from imbot.backends.learning_marks import learn_marks
from imbot.backends.learning_numbers import Sample, Text, learn_numbers
from imbot.backends.learning_words import Phrase, Told, phrases, told
from imbot.backends.learning_writing import ABSENT, RULE, doubts, named, notes, write_profile
from imbot.backends.patterns import compile_pattern
from imbot.backends.profile import Profile
from imbot.backends.profiles import parse_profile
from imbot.backends.trimming import unquoted
from imbot.backends.understanding import read, understand
from imbot.domain.errors import ImbotError
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status
from imbot.mime.tidying import readable

_UTC = ZoneInfo("UTC")
_CYRILLIC = re.compile("[а-яё]", re.I)
# As profiles have them: what ends or stops goes before what only says that something came.
_ORDER: tuple[Status | None, ...] = (
    None, Status.REJECTED, Status.WITHDRAWN, Status.WAITING, Status.IN_PROGRESS, Status.CLOSED, Status.RESOLVED,
    Status.REGISTERED,
)  # fmt: skip
_SAYS: dict[Status | None, str] = {
    Status.WAITING: "question", Status.RESOLVED: "solution", Status.REJECTED: "solution",
}  # fmt: skip


class CannotLearn(ImbotError):
    """The samples cannot be told apart, or no pattern finds their numbers. The reason is its text."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """`source`: the profile.toml. `notes`: what was chosen and why, for people. `doubts`: what to look at before it is used."""

    profile: Profile
    source: str
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


def learn(samples: Sequence[Sample], others: Mapping[str, InboundMail], name: str) -> Lesson:
    """A profile that reads all of `samples` and none of `others` (letters of other desks by name). Raises CannotLearn.

    A line of dashes is taken for the beginning of what the desk repeats, where that leaves enough."""
    if any(compile_pattern(RULE).matches(readable(sample.mail.text)) for sample in samples):
        try:
            above = [replace(sample, separators=(compile_pattern(RULE),)) for sample in samples]
            return _learn(above, others, name, (RULE,))
        except CannotLearn:
            pass
    return _learn(samples, others, name, ())


def _learn(
    samples: Sequence[Sample], others: Mapping[str, InboundMail], name: str, separators: tuple[str, ...]
) -> Lesson:
    foreign = [Text(key, readable(mail.subject), unquoted(readable(mail.text))) for key, mail in others.items()]
    forms = learn_numbers(samples, foreign)
    if not forms and any(sample.number for sample in samples):
        raise CannotLearn(_no_number(samples))
    letters = [told(sample, forms) for sample in samples]
    _same_words(letters)
    chosen: dict[Status | None, Phrase] = {}
    for status in _ORDER:
        group = [one for one in letters if one.sample.status is status]
        if group:
            rest = [one for one in letters if one.sample.status is not status]
            chosen[status] = _one_of(group, phrases(group, rest, forms[0] if forms else None, foreign))
    fields = learn_fields(samples)
    language = (
        "ru" if sum(bool(_CYRILLIC.search(one.subject + one.body)) for one in samples) * 2 > len(samples) else "en"
    )
    marks = learn_marks([sample.mail for sample in samples], list(others.values()))
    absent = not any(compile_pattern(ABSENT).matches(sample.subject) for sample in samples)
    source = write_profile(name, language, forms, chosen, fields, row_labels(samples), marks, separators, absent=absent)
    profile = parse_profile(source, "profile.toml", name)
    _try(profile, samples)
    taken = taken_by(profile, others)
    if any(status for _, status in taken):
        named = ", ".join(key for key, status in taken if status)
        raise CannotLearn(
            f"its words are those of other desks too ({named}): add a sample whose wording is the desk's own"
        )
    said = tuple(notes(forms, chosen, _as_read(profile, fields, samples), marks))
    return Lesson(profile, source, said, tuple(doubts(forms, chosen, taken, _wordless(profile, samples))))


def taken_by(profile: Profile, others: Mapping[str, InboundMail]) -> list[tuple[str, str]]:
    """Which of `others` the profile would take for its own without looking at the sender: (name, status it reads there)."""
    found = []
    for name, mail in others.items():
        report = read(profile, mail, tz=_UTC)
        status = report.status.value if report and report.status else ""
        if status or choose([profile], mail)[0] is not None:
            found.append((name, status))
    return found


def _as_read(profile: Profile, fields: Sequence[LearnedField], samples: Sequence[Sample]) -> list[LearnedField]:
    """The fields with the example that the profile itself reads, "" where another of that name goes first everywhere. A
    moment is shown as it was written."""
    values: dict[int, str] = {}
    for sample in samples:
        for one in understand(profile, sample.mail, tz=_UTC).lifted:
            values.setdefault(one.index, one.value)
    return [
        field if field.formats else replace(field, example=values.get(index, ""))
        for index, field in enumerate(fields, 1)
    ]


def _wordless(profile: Profile, samples: Sequence[Sample]) -> list[tuple[str, str]]:
    """(letter, field) where a letter that asks or ends something has nothing lifted that says what."""
    found = []
    for sample in samples:
        wanted = _SAYS.get(sample.status)
        report = read(profile, sample.mail, tz=_UTC)
        if wanted and report is not None and not {wanted, "comment"} & report.fields.keys():
            found.append((sample.name, wanted))
    return found


def _no_number(samples: Sequence[Sample]) -> str:
    for sample in samples:
        if sample.number and not sample.core:
            return f"{sample.name}: {sample.number!r} has no digits: give the number as the desk writes it"
        if sample.core and sample.core.casefold() not in f"{sample.subject}\n{sample.body}".casefold():
            return f"{sample.name}: it bears no {sample.number.strip()}, neither in its subject nor in what is new in its text"
        whole = sample.within()
        if whole:
            said = sample.number.strip()
            return f"{sample.name}: {said} stands in it only within {whole}: give the number as the desk writes it"
    return "no pattern finds the number in every sample: are they of one desk, and are the numbers in the order of the files?"


def _same_words(letters: Sequence[Told]) -> None:
    for index, one in enumerate(letters):
        for other in letters[index + 1 :]:
            same = (one.subject, one.body) == (other.subject, other.body)
            if same and one.sample.status is not other.sample.status:
                raise CannotLearn(
                    f"{one.sample.name} and {other.sample.name} have the same words, but the statuses "
                    f"{named(one.sample.status)} and {named(other.sample.status)}: nothing in them tells which is which"
                )


def _one_of(group: Sequence[Told], found: Sequence[Phrase]) -> Phrase:
    status = named(group[0].sample.status)
    names = ", ".join(one.sample.name for one in group)
    if not found:
        where = "it" if len(group) == 1 else "all of them"
        raise CannotLearn(
            f"{names}: nothing says {status}: no words of the desk stand in {where} that no letter of another status has"
        )
    if found[0].foreign:
        raise CannotLearn(
            f"{names}: {found[0].said!r} says {status} here, but letters of {found[0].foreign} other desks bear it too"
        )
    return found[0]


def _try(profile: Profile, samples: Sequence[Sample]) -> None:
    """By the ordinary reader, whatever was thought before."""
    for sample in samples:
        report = read(profile, sample.mail, tz=_UTC)
        status, number = (report.status, report.number) if report else (None, "")
        if status is not sample.status or number.upper() != sample.number.strip().upper():
            raise CannotLearn(
                f"{sample.name}: what was learned reads {named(status)}, {number or 'no number'} there, not "
                f"{named(sample.status)}, {sample.number or 'no number'}"
            )
