"""Values that sample letters bear behind the usual labels: a promised time, the solution, a question, who works on it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from imbot.backends.learning_numbers import Sample
from imbot.domain.tickets import Status

_WHOSE = "(?:исполнителя|специалиста|инженера|оператора|поддержки)"  # never the requester's
_LABELS: tuple[tuple[str, str], ...] = (
    ("promised", r"(?:обещанн\w+|планов\w+|крайний) (?:время|срок)(?: \w+)?|срок (?:решения|выполнения|исполнения)|решить до"
     r"|due (?:date|by)|expected resolution|time to resolve|resolve by|target date"),
    ("solution", r"решение|результаты?(?: работы?| выполнения| обработки)?|что сделано|выполненные работы"
     r"|причина (?:отказа|отклонения)|solution|resolution(?: notes)?|close notes|result|work done"),
    ("question", rf"вопрос(?: {_WHOSE})?|question|information (?:needed|requested)"),
    ("comment", rf"комментарий(?: {_WHOSE})?|сообщение|примечание|comments?|message|note"),
    ("assignee", r"исполнитель|ответственный|назначен(?: на)?|assigned to|assignee|owner|technician"),
)  # fmt: skip
# They may stand behind other words of the line: "По обращению 17 назначен исполнитель: Ковалёв"
_CLAUSES: tuple[tuple[str, str], ...] = (
    ("question", r"(?:просит|просят|просим|прошу|просьба|требуется|необходимо|нужно) (?:уточнить|сообщить|указать|прислать)"
     r"|уточните|please (?:clarify|specify|tell us)"),
    ("assignee", r"назначен(?:а|о)? (?:исполнител(?:ь|ем)|специалист(?:ом)?|инженер(?:ом)?|ответственн(?:ый|ым))"
     r"|исполнителем назначена?"),
)  # fmt: skip
_FORMATS = (
    ("%d.%m.%Y %H:%M:%S", r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d{2}:\d{2}"),
    ("%d.%m.%Y %H:%M", r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d{2}"),
    ("%d.%m.%Y", r"\d{1,2}\.\d{1,2}\.\d{4}"),
    ("%Y-%m-%d %H:%M:%S", r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"),
    ("%Y-%m-%d %H:%M", r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}"),
    ("%Y-%m-%d", r"\d{4}-\d{2}-\d{2}"),
)
_ROW_LABEL = re.compile(r"(?m)^[ \t]*([^\W\d_][^\n:.!?,;]{1,40}?)[ \t]*:[ \t]*\S")
_MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class LearnedField:
    """`label`: as the desk writes it. `formats`: of a moment, () for words. `example`: the value in one sample. `within`: it
    may stand behind other words of its line."""

    name: str
    label: str
    formats: tuple[str, ...]
    example: str
    within: bool = False


def learn_fields(samples: Sequence[Sample]) -> list[LearnedField]:
    """One for each label that stands at the beginning of a line, or ends a clause there, with a value behind it or on the
    next line."""
    found: dict[tuple[str, str], LearnedField] = {}
    for sample in samples:
        labelled = [(name, labels, False) for name, labels in _LABELS]
        labelled += [
            (name, labels, True)
            for name, labels in _CLAUSES
            if name != "question"
            or sample.status is Status.WAITING  # elsewhere a desk's foot asks for telephones and stars
        ]
        for name, labels, within in labelled:
            start = r"(?:^|(?<=[ \t(]))" if within else r"^[ \t]*"
            pattern = rf"(?im){start}((?:{labels}))[ \t]*:[ \t]*\n?[ \t]*(\S[^\n]{{0,300}})"
            for label, value in re.findall(pattern, sample.body):
                formats = _formats(value) if name == "promised" else ()
                if name != "promised" or formats:
                    one = LearnedField(name, label, formats, value.strip(), within)
                    found.setdefault((name, label.casefold()), one)
    return list(found.values())


def row_labels(samples: Sequence[Sample]) -> list[str]:
    """What begins a line "label: value" in more than one sample: the desk's own rows, which no words of support go on over."""
    counted = Counter(
        label
        for sample in samples
        for label in {found.casefold(): found for found in _ROW_LABEL.findall(sample.body)}.values()
    )
    return sorted(label for label, count in counted.items() if count > 1)[:_MOST_ROWS]


def is_label(words: str) -> bool:
    """Whether these words are what a value stands behind: they say nothing of a status."""
    return any(re.fullmatch(rf"(?i)(?:{labels})", words.strip(" :")) for _, labels in _LABELS)


def _formats(value: str) -> tuple[str, ...]:
    for form, shape in _FORMATS:
        match = re.match(shape, value)
        if match:
            try:
                datetime.strptime(match[0], form)
            except ValueError:
                continue
            return (form,)
    return ()
