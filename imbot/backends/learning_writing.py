"""A learned profile as TOML that a person can read and mend, and the reasons for what stands in it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from imbot.backends.learning_fields import LearnedField
from imbot.backends.learning_marks import Mark
from imbot.backends.learning_numbers import ANY_YEAR, YEAR, NumberForm, literal
from imbot.backends.learning_words import Phrase
from imbot.domain.tickets import Status

_HEAD = """\
# Learned from sample letters. Read it, mend it, and try it with `imbot mail explain`: words that no sample has are not in it.
# Patterns run on RE2: no look-around; \\b, \\w, \\d know only ASCII; \\< and \\> are the edges of a word in any language.
"""
ABSENT = (
    "^(автоматический ответ|автоответ|нет на месте|automatic reply|auto(matic)?[ -]?(reply|response)|out of office)"
)
_TOLD = frozenset({"solution", "question", "comment"})
_CLOSING = (
    "\\n[ \\t]*(С уважением|(Это|Данное) (письмо|сообщение)|(Номер|Статус|Ссылка|Метка)[^\\n:]{0,30}:"
    "|(Kind |Best )?regards|Sincerely|This is an automat|(Number|Status|Link)[^\\n:]{0,30}:|https?:|imb:|-{3,})"
)
_LINKED = "\\n[^\\n:]{1,60}:[ \\t]*(https?://|www\\.)"
RULE = "^[ \\t]*(-{20,}|={20,}|_{20,}|\\*{20,})[ \\t]*$"
_NOT = {
    "ru": "(не|будет|будут|не был[аои]?|не будет|частично|ещё не) (полностью |до конца |был[аои]? )?",
    "en": "(not|not yet|not been|not yet been|will be|to be|partially|partly) (fully |completely |entirely )?",
}
_BUT = {"ru": "[ ,]+(но )?(не|частично|лишь)\\>", "en": "[ ,]+(but )?(not|partially|partly|only)\\>"}


def write_profile(
    name: str,
    language: str,
    forms: Sequence[NumberForm],
    chosen: Mapping[Status | None, Phrase],
    fields: Sequence[LearnedField],
    rows: Sequence[str],
    marks: Sequence[Mark],
    separators: Sequence[str],
    *,
    absent: bool,
) -> str:
    """The text of profile.toml. `rows`: labels of the desk that end what somebody wrote above them.
    `absent`: what an absent person's machine answers with the old subject is told apart."""
    lines = [
        _HEAD + f"name = {_text(name)}",
        f'language = "{language}"',
        f"registers = {'true' if forms else 'false'}" + ("" if forms else "               # no sample bears a number"),
        "threads_by_message_id = false   # true where it finds the request by In-Reply-To alone",
        'token_place = "both"',
    ]
    lines += [f"separators = [{', '.join(map(_text, separators))}]"] if separators else []
    if forms:
        patterns = ", ".join(f"{{ pattern = {_text(one.source)}, where = {json.dumps(one.places)} }}" for one in forms)
        shown, subject = _text(forms[0].shown), _text(forms[0].subject)
        lines += ["", "[number]", f"patterns = [{patterns}]", f"shown = {shown}", f"subject = {subject}"]
    if absent and forms:
        machine = f"{ABSENT}[^\\n]{{0,200}}{forms[0].inner}"
        lines += ["", "[[status]]                      # an absent person's machine answers with the old subject"]
        lines += ['status = "comment"', 'where = "subject"', f"any = [{_text(machine)}]"]
    for status, phrase in chosen.items():
        unless = negations(phrase, language)
        lines += ["", "[[status]]", f"status = {_text(named(status))}", f'where = "{phrase.place}"']
        lines.append(f"any = [{_text(phrase.source)}]")
        lines += [f"unless = [{', '.join(map(_text, unless))}]"] if unless else []
        lines += ['near = "line"'] if unless and phrase.place != "together" else []
    for one in fields:
        lines += ["", "[[field]]", f'name = "{one.name}"', f"pattern = {_text(_label(one))}"]
        lines += ['kind = "datetime"', f"formats = {json.dumps(one.formats)}"] if one.formats else []
        lines += [f"until = [{', '.join(map(_text, _until(fields, rows)))}]"] if one.name in _TOLD else []
    for mark in marks:
        lines += ["", "[[fingerprint]]", f"header = {_text(mark.header)}"]
        lines += [f"pattern = {_text(literal(mark.value))}"] if mark.value else []
    return "\n".join(lines) + "\n"


def _until(fields: Sequence[LearnedField], rows: Sequence[str]) -> list[str]:
    """What somebody wrote goes on over lines: to an empty one, the closing, a link with a label, or the next label."""
    labels = {label.casefold(): literal(label) for label in (*(one.label for one in fields), *rows)}
    return ["\\n[ \\t]*\\n", _CLOSING, _LINKED, f"\\n[ \\t]*({'|'.join(labels.values())})[ \\t]*:"]


def negations(phrase: Phrase, language: str) -> list[str]:
    """What turns the phrase's last word into its opposite, where that word speaks of a status: before it, and behind it."""
    words = re.findall(r"[^\W\d_]+", phrase.said)
    if not phrase.known or not words or re.search(r"(?i)\b(не|not|будет|will)\b", phrase.said):
        return []
    last = literal(words[-1])
    before = [] if phrase.said.startswith("^") else [f"\\<{_NOT[language]}{last}"]
    return [*before, f"{last}{_BUT[language]}"]


def notes(
    forms: Sequence[NumberForm],
    chosen: Mapping[Status | None, Phrase],
    fields: Sequence[LearnedField],
    marks: Sequence[Mark],
) -> Iterator[str]:
    """What was chosen and why."""
    for form in forms:
        where = " and the ".join(_place(place) for place in form.places)
        year = ", any year in it" if ANY_YEAR in form.inner and not YEAR.search(form.why) else ""
        yield f"number: {form.why}{year}, in the {where}, shown as {form.shown}"
    for status, phrase in chosen.items():
        why = "its words speak of it" if phrase.known else "no other status has these words"
        yield f"{named(status)}: {_shown(phrase.said)} in the {_place(phrase.place)}; {why}"
    for field in fields:
        kind = (
            f"a moment like {field.formats[0]}"
            if field.formats
            else "to an empty line or the next label"
            if field.name in _TOLD
            else "its line"
        )
        example = f"; for example {' '.join(field.example.split())[:60]!r}" if field.example else ""
        yield f"{field.name}: what follows {field.label!r}, {kind}{example}"
    for mark in marks:
        yield (
            f"fingerprint: the header {mark.header}"
            + (f" with {mark.value!r}" if mark.value else "")
            + ", in every sample"
        )


def doubts(
    forms: Sequence[NumberForm],
    chosen: Mapping[Status | None, Phrase],
    taken: Sequence[tuple[str, str]],
    wordless: Sequence[tuple[str, str]],
) -> Iterator[str]:
    """What to look at before it is used. `wordless`: letters, and the value that should be there and is not lifted."""
    for status, phrase in chosen.items():
        if not phrase.known:
            yield f"{named(status)} is known by {_shown(phrase.said)} only: see that these are the desk's words and no person's"
    if any("any word of such digits" in form.why for form in forms):
        yield "any figure in a subject would be taken for a number: put what stands beside it into [number] patterns"
    if any(YEAR.search(form.why) for form in forms):
        yield "a year stands beside the number: where the numbers begin anew each year, give it with them, --number 2026/17"
    if not forms:
        yield "no sample bears a number, so follow-up letters will not wait for one"
    if taken:
        names = ", ".join(name for name, _ in taken[:5])
        yield f"numbers of this form stand in letters of other desks too ({names}): keep `senders` exact"
    for name, value in wordless:
        yield (
            f"no {value} is lifted from {name}: no usual label stands before it; add a [[field]] {value} with the words that "
            f"do, or see with `imbot mail explain` that what is told without it is enough"
        )
    missing = [
        one.value
        for one in (Status.REGISTERED, Status.IN_PROGRESS, Status.WAITING, Status.RESOLVED)
        if one not in chosen
    ]
    if missing:
        yield f"no sample says {', '.join(missing)}: such letters will be passed on as comments"


def named(status: Status | None) -> str:
    return status.value if status else "comment"


def _place(place: str) -> str:
    return {"subject": "subject", "body": "text", "together": "text, behind a number of this form"}[place]


def _shown(said: str) -> str:
    plain = said.removeprefix("^").replace("…", "<number>").replace("...", "…")
    return f"«{plain}»" + (" at the beginning of a line" if said.startswith("^") else "")


def _label(field: LearnedField) -> str:
    start = "\\<" if field.within else "^[ \\t]*"
    return f"{start}{literal(field.label)}[ \\t]*:\\s*"


def _text(value: str) -> str:
    if "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
