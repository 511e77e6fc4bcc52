"""The words that tell one status from another, found in sample letters: what every letter of a status says and no letter of
another one does.

A phrase may hold the number, in whatever digits; dates, times and addresses end it. The person's own words (titles,
descriptions, quoted words, names in greetings) are never part of it where letters show which they are. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imbot.backends.learning_fields import is_label, learn_fields
from imbot.backends.learning_numbers import NumberForm, Sample, Text, literal
from imbot.backends.patterns import Pattern, compile_pattern
from imbot.backends.standing import MACHINE
from imbot.domain.tickets import Status

MAX_WORDS = 4
_WHOLE_WORDS = 8  # of a phrase without a known word, which must run to its end
MAX_LINES = 40
_TRIED = 400  # of one status, the likeliest first: each is tried on every letter of other desks

# How desks speak of a status, in Russian and English: a phrase with such a word is likelier to be the desk's.
_STEMS: dict[Status | None, str] = {
    Status.REGISTERED: "зарегистр|учтен|принят|создан|получен|открыт|оформлен|заведен|поступил|нов[аыо]|поставлен\\w* в очеред"
    "|registered|created|opened|received|logged|new|assigned an id|confirm|queued",
    Status.IN_PROGRESS: "в работ|назначен|взят|передан|приступил|начат|обрабат|выполняется|не решен|не выполнен"
    "|(?:на|->)\\W{0,3}открыт|in progress|processing|assigned|started|work|owner|reopen|(?:to|->)\\W{0,3}open",
    Status.WAITING: "уточн|ожида|жд[уе]м|нужен|нужн[аоы]|информаци|вопрос|приостановл|отложен|отклик"
    "|waiting|pending|hold|await|information|feedback|question|stalled|need",
    Status.RESOLVED: "выполнен|исполнен|решен|исправлен|устранен|сделан|готов|закрыт|завершен"
    "|resolved|solved|completed|done|fixed|finished|solution|closed",
    Status.CLOSED: "закры|завершен|closed|closing|closure|archived",
    Status.REJECTED: "отклонен|отказ|rejected|declined|denied",
    Status.WITHDRAWN: "отозван|отмен|аннулирован|удален|cancel|withdrawn|delet",
    None: "комментари|сообщен|ответ|comment|repl|note|update",
}
_OWN_LABEL = re.compile(
    r"(?im)^[ \t>*|]*(?:описание|краткое описание|тема|заголовок|title|subject|summary|(?:short )?description|"
    r"topic|details|request|обращение|текст)[ \t]*:[ \t]*(.{3,300})$"
)
_ANSWERED = re.compile(
    r"(?i)\b(?:re|fwd?|aw|ответ)[ \t]?:[ \t]*([^\n\ue000]{3,200})"
)  # what was answered is a person's title
_QUOTED = re.compile(r"[«“\"]([^»”\"\n]{3,200})[»”\"]")
_GREETING = re.compile(
    r"(?im)^[ \t]*(?:dear|hello|hi|hey|уважаем\w+|здравствуйте|добрый день)[ ,]+([^\n,!:]{2,60})[,!:]"
)
_ENDS = re.compile(r"\s*(?:[.!?;:,(«\"—–|]|-\s|$)")
# What may follow words that are known only by being whole: "work is over", but not "work is over in part".
_ENDED = '[ \\t]*(?:[.!;:(«"—–|]|- |$)'
_STATE = re.compile(r"(?i)\b(?:статус|состояние|status|state)\b\W{1,4}\w")
# What a phrase must not end with, and verbs that say nothing without where to: "taken in" hand, or in the archive.
_HANGING = frozenset(
    [
        *(
            "в",
            "во",
            "на",
            "к",
            "ко",
            "по",
            "с",
            "со",
            "из",
            "от",
            "до",
            "для",
            "за",
            "о",
            "об",
            "у",
            "при",
            "без",
            "и",
            "или",
        ),
        *(
            "in",
            "into",
            "to",
            "on",
            "of",
            "for",
            "by",
            "at",
            "with",
            "from",
            "and",
            "or",
            "the",
            "a",
            "an",
            "is",
            "has",
            "been",
        ),
    ]
)
_WHERE_TO = re.compile(r"(?i)(?:взят|принят|перевед|возвращ|поставлен|taken|put|moved|placed)[а-яё]{0,3}$")
_TO = frozenset({"в", "во", "на", "in", "into", "to", "on"})
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_TOKEN = re.compile(r"\ue000+|[^\W_]+(?:-[^\W_]+)*")  # a number's place is marked before


@dataclass(frozen=True, slots=True)
class Phrase:
    """A pattern in one place. `said`: the words, for people. `known`: a word in it speaks of the status. `foreign`: letters
    of other desks that bear it there."""

    source: str
    place: str
    said: str
    known: bool
    score: int
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """One sample's two texts, numbers found in it marked, and the words in it that are the person's own."""

    sample: Sample
    subject: str
    body: str
    own: frozenset[str]


def told(sample: Sample, forms: Sequence[NumberForm]) -> Told:
    """The sample as phrases are looked for in it."""
    subject = sample.subject
    body = "\n".join(line for line in sample.body.split("\n") if not MACHINE.search(line))  # how the letter was made
    own = [
        found
        for pattern in (_OWN_LABEL, _ANSWERED, _QUOTED, _GREETING)
        for found in pattern.findall(f"{body}\n{subject}")
    ]
    own += [field.example for field in learn_fields([sample])]
    words = frozenset(word.casefold() for text in own for word in _WORD.findall(text))
    return Told(sample, _marked(subject, forms), _marked(body, forms), words)


def phrases(
    group: Sequence[Told], rest: Sequence[Told], form: NumberForm | None, others: Sequence[Text]
) -> list[Phrase]:
    """What all of `group` (letters of one status) say and none of `rest`, the best first."""
    status = group[0].sample.status
    stems = re.compile(rf"(?:^|\W)(?:{_STEMS.get(status, '')})")
    seen: dict[tuple[str, str], Phrase] = {}
    for place in ("subject", "body"):
        for source, said, ends in _of(group[0], place, form):
            known = stems.search(said.casefold()) is not None
            if status is not None and not known:
                if not ends or not _says_more(said, rest):
                    continue
                source = source.removesuffix("\\>") + _ENDED
            elif _TOKEN.findall(said.replace("…", "\ue000"))[MAX_WORDS + 1 :]:
                continue
            if (place, source.casefold()) in seen:
                continue
            score = _score(said, place, known, group, rest)
            if score > 0:
                seen[place, source.casefold()] = Phrase(source, place, said, known, score)
    kept = _ranked(list(seen.values()))
    if form is not None:
        bodies = [one for one in kept if one.place == "body" and one.known and "…" not in one.said]
        speaking = [one for one in bodies if not _said_by_any(one, rest)]
        heads = list(dict.fromkeys((form.inner, _head(group, form))))
        kept += [_together(one, head, 20 + 5 * index) for index, head in enumerate(heads) for one in speaking]
    counted = [_with_foreign(one, others) for one in kept[: 2 * _TRIED] if _tells_apart(one, group, rest)]
    return sorted(counted, key=lambda one: (one.foreign > 0, -one.score, one.foreign, len(one.source)))


def _says_more(said: str, rest: Sequence[Told]) -> bool:
    """A word that no letter of another status has, and that is not a desk's name for any request: without one, the phrase
    would be what stands before the words that say it."""
    words = {word.casefold() for word in _WORD.findall(said)} - _DESK
    heard = {word.casefold() for one in rest for word in _WORD.findall(f"{one.subject}\n{one.body}")}
    return any(len(word) > 3 for word in words - heard)


def _ranked(found: Sequence[Phrase]) -> list[Phrase]:
    return sorted(found, key=lambda one: (-one.score, len(one.source)))[:_TRIED]


def _head(group: Sequence[Told], form: NumberForm) -> str:
    """The most words round the number that all subjects of the group have, whatever other statuses say there."""
    found = [source for source, said, _ in _of(group[0], "subject", form) if "…" in said and "..." not in said]
    fitting = [one for one in found if all(matches(compile_pattern(one), "subject", each.sample) for each in group)]
    return max(fitting, key=len, default=form.inner)


def _together(one: Phrase, head: str, less: int) -> Phrase:
    """The same words of a text, in a letter whose subject or text bears a number, or more, before them."""
    source = one.source.replace("^", "\\n", 1) if one.source.startswith("^") else one.source
    return Phrase(f"(?s:{head}.*){source}", "together", one.said, one.known, one.score - less)


def _said_by_any(one: Phrase, rest: Sequence[Told]) -> bool:
    """Words that letters of other statuses have too say none, whatever stands before them."""
    pattern = compile_pattern(one.source)
    return any(matches(pattern, one.place, each.sample) for each in rest)


def _tells_apart(one: Phrase, group: Sequence[Told], rest: Sequence[Told]) -> bool:
    pattern = compile_pattern(one.source)
    return all(matches(pattern, one.place, each.sample) for each in group) and not any(
        matches(pattern, one.place, each.sample) for each in rest
    )


def matches(pattern: Pattern, place: str, sample: Sample | Text) -> bool:
    """Whether the letter bears it there."""
    if place == "together":
        return pattern.matches(f"{sample.subject}\n{sample.body}")
    return pattern.matches(sample.subject if place == "subject" else sample.body)


def _with_foreign(one: Phrase, others: Sequence[Text]) -> Phrase:
    pattern = compile_pattern(one.source)
    count = sum(matches(pattern, one.place, text) for text in others)
    return Phrase(one.source, one.place, one.said, one.known, one.score, count)


def _score(said: str, place: str, known: bool, group: Sequence[Told], rest: Sequence[Told]) -> int:
    """More for the words of a status, for the subject, for standing beside the number; less for length. 0: not to be used,
    since the words are the person's own, or too few to mean anything."""
    words = [word.casefold() for word in _WORD.findall(said)]
    if (
        not words
        or is_label(said.removeprefix("^").partition(":")[0])
        or any(word in one.own for one in (*group, *rest) for word in words if not _common(word))
    ):
        return 0
    if not known and (len(words) < 2 or max(map(len, words)) < 4):
        return 0
    score = 10 + (90 if known else 0) + (25 if place == "subject" else 0) + (12 if "…" in said else 0)
    strange = sum(not _common(word) for word in words)  # more likely a title's than the desk's
    score += (4 if len(words) in (2, 3) else 0) - (5 * strange if known else 0)
    score += (8 if said.startswith("^") else 0) + (20 if known and _STATE.search(said) else 0)
    names = [word for word in _WORD.findall(said.removeprefix("^"))[1:] if word[:1].isupper() and word[1:].islower()]
    score -= 30 if any(not _common(word.casefold()) for word in names) and (place == "body" or not known) else 0
    score -= 15 if "..." in said else 0
    return score - 6 * max(0, len(words) - 2) if known else score + 3 * len(words)


def _common(word: str) -> bool:
    """Words that a desk says of every request, whatever a person wrote."""
    return len(word) <= 2 or any(re.match(stems, word) for stems in _STEMS.values()) or word in _DESK


_DESK = frozenset(
    [
        *("заявка", "заявки", "заявку", "обращение", "обращения", "запрос", "запроса", "инцидент", "задача"),
        *("ваша", "ваше", "ваш", "номер", "статус", "request", "ticket", "case", "issue", "incident"),
        *("your", "status", "the", "has", "been", "number", "update", "was"),
    ]
)


def _of(one: Told, place: str, form: NumberForm | None) -> Iterator[tuple[str, str, bool]]:
    """(pattern, words, whether nothing follows in their sentence) of every phrase of the letter: up to four words, more
    where nothing follows, alone, and with the number on its line before or behind them, at any distance."""
    inner = form.inner if form else ""
    lines = [one.subject] if place == "subject" else [line for line in one.body.split("\n") if line.strip()]
    for line in lines[:MAX_LINES]:
        tokens = list(_TOKEN.finditer(line[:400]))[:40]
        numbered = [token.start() for token in tokens if token[0][0] == "\ue000"]
        for start in range(len(tokens)):
            for end in range(start, min(len(tokens), start + _WHOLE_WORDS)):
                ends = _ENDS.match(line, tokens[end].end()) is not None
                if (end > start + MAX_WORDS and not ends) or _hangs(line, tokens, end):
                    continue
                stretch = _stretch(line, tokens[start : end + 1], inner)
                if stretch is None:
                    break
                source, said = stretch
                yield source, said, ends
                if start == 0 and not line[: tokens[0].start()].strip():
                    yield "^[ \\t]*" + source.removeprefix("\\<"), f"^{said}", ends
                    if place == "subject" and line[tokens[end].end() : tokens[end].end() + 1] == ":":
                        yield "^[ \\t]*" + source.removeprefix("\\<").removesuffix("\\>") + ":", f"^{said}:", False
                if not inner or "…" in said:
                    continue
                if any(place < tokens[start].start() for place in numbered):
                    yield f"{inner}[^\\n]{{0,80}}{source}", f"… ... {said}", ends
                if any(place > tokens[end].start() for place in numbered):
                    yield f"{source}[^\\n]{{0,80}}{inner}", f"{said} ... …", False


def _hangs(line: str, tokens: Sequence[re.Match[str]], end: int) -> bool:
    """Whether the words break off before the one that says it: at a preposition, or before where a thing was taken to."""
    last = tokens[end][0].casefold()
    if last in _HANGING:
        return True
    behind = tokens[end + 1] if end + 1 < len(tokens) else None
    return (
        behind is not None
        and behind[0].casefold() in _TO
        and not line[tokens[end].end() : behind.start()].strip()
        and _WHERE_TO.match(last) is not None
    )


def _stretch(line: str, tokens: Sequence[re.Match[str]], inner: str) -> tuple[str, str] | None:
    """The tokens and what stands between them as a pattern. None where a figure that is not the number is among them, or
    they stand too far apart."""
    source, said = "", ""
    for index, token in enumerate(tokens):
        if index:
            between = line[tokens[index - 1].end() : token.start()]
            if len(between) > 5 or re.search(r"[.!?;](?:\s|$)", between):
                return None
            source, said = source + literal(between), said + between
        if token[0][0] == "\ue000":
            source, said = source + inner, said + "…"
        elif any(char.isdigit() for char in token[0]):
            return None
        else:
            source, said = source + literal(token[0]), said + token[0]
    if tokens[0][0][0] != "\ue000":
        source = "\\<" + source
    if tokens[-1][0][0] != "\ue000":
        source += "\\>"
    return source, said


def _marked(text: str, forms: Sequence[NumberForm]) -> str:
    """Every number, whatever its brackets, is one private-use token."""
    for form in forms:
        for found in reversed(list(compile_pattern(form.inner).finds(text))):
            text = f"{text[: found.start]}\ue000{text[found.end :]}"
    return text
