"""What a letter says by one profile's habits, and how that was found: which anchor decided, which lift gave which value.

What we sent is taken out before a status is looked for, so that an employee's own words never act as one. Headers count
before the subject, the subject before the text; of the text only what is new in it. Pure; linear in the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

from imbot.backends.own_words import (
    Ours,
    Sent,
    around_words,
    goes_on,
    our_words,
    stretches,
    without_ours,
    without_short,
)
from imbot.backends.patterns import Found, Pattern
from imbot.backends.profile import HEADER, Anchor, Lift, Profile
from imbot.backends.sentences import around
from imbot.backends.trimming import unquoted
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status, StatusReport
from imbot.mime.tidying import readable

MAX_NUMBERS = 20
MAX_VALUE = 4000
MAX_MATCHES = 50  # of one pattern that `unless` is asked about
OURS = "a letter of ours"  # what stopped words that we have written before


@dataclass(frozen=True, slots=True)
class Words:
    """What one profile looks at: the letter's subject and what is new in its text, tidied; `whole`: the text with what it
    quotes; `headers`: the values of those that the profile asks for, by place. `numbers`: as they are shown
    (`IM-CL-1042`), the surest place first, each once, at most twenty; `in_subject`: those that the far end wrote outside
    of the text, in its headers or else in the subject. `tag`: the first of them as the ITSM wrote it, verbatim. `against`: a
    number of the subject, where its headers bear numbers and the subject none of those."""

    subject: str
    body: str
    in_subject: tuple[str, ...]
    numbers: tuple[str, ...]
    whole: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    against: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """An anchor that fitted, but for the words that its `unless` names, or because we had written them (`OURS`). `index`:
    which [[status]] of the file, from 1."""

    index: int
    status: str
    words: str
    unless: str


@dataclass(frozen=True, slots=True)
class Anchored:
    """The anchor that decided. `index`: which [[status]] of the file, from 1; `pattern`: its source; `words`: what it
    fitted, in `place` (subject, body, together, `header:<name>`)."""

    index: int
    status: str
    place: str
    pattern: str
    words: str


@dataclass(frozen=True, slots=True)
class Lifted:
    """A value and where it came from. `index`: which [[field]] of the file, from 1; `words`: what its pattern fitted."""

    index: int
    name: str
    place: str
    words: str
    value: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A letter read. `report` None: it holds no status, no number and no value that the profile knows."""

    report: StatusReport | None
    words: Words
    anchor: Anchored | None
    lifted: tuple[Lifted, ...]
    stopped: tuple[Stopped, ...]


def words(profile: Profile, mail: InboundMail) -> Words:
    """The slow part of reading, which needs nothing but the letter: to be done before a transaction begins."""
    subject, whole = readable(mail.subject), readable(mail.text)
    body, headers = unquoted(whole, profile.separators), _headers(profile, mail)
    texts = {"subject": subject, "body": body} | headers
    found: list[tuple[str, str, str]] = []  # place, shown, tag
    for place in profile.places_of_numbers:
        patterns = [each.pattern for each in profile.numbers if place in each.places]
        found += [(place, shown, tag) for shown, tag in _numbers(profile, patterns, texts.get(place, ""))]
    heads = [each for each in found if each[0].startswith(HEADER)]
    titled = [shown for place, shown, _ in found if place == "subject"]
    against = "" if not heads or {shown for _, shown, _ in heads}.intersection(titled) else next(iter(titled), "")
    sure = heads or [each for each in found if each[0] == "subject"]
    told = (
        sure if sure and sure[0][0].startswith(HEADER) else found
    )  # beside a header, what a text mentions is no number of it
    numbers = tuple(dict.fromkeys(shown for _, shown, _ in told))[:MAX_NUMBERS]
    tag = next((tag for _, shown, tag in found if tag and shown == numbers[0]), "")
    in_subject = tuple(dict.fromkeys(shown for _, shown, _ in sure))
    return Words(subject, body, in_subject, numbers, whole, headers, tag, against)


def _headers(profile: Profile, mail: InboundMail) -> dict[str, str]:
    """The values of every header that the profile names, one a line."""
    places = [*profile.places_of_numbers, *(anchor.where for anchor in profile.anchors)]
    places += [lift.where for lift in profile.lifts]
    asked = {place for place in places if place.startswith(HEADER)}
    return {place: "\n".join(mail.header(place.removeprefix(HEADER))) for place in asked}


def _numbers(profile: Profile, patterns: Sequence[Pattern], text: str) -> Iterator[tuple[str, str]]:
    """(as it is shown, as it stands there verbatim), each once, at most twenty."""
    seen: set[str] = set()
    for shown, tag, _ in _found(profile, patterns, text):
        if shown not in seen:
            seen.add(shown)
            yield shown, tag
        if len(seen) >= MAX_NUMBERS:
            return


def _found(profile: Profile, patterns: Sequence[Pattern], text: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """(as it is shown, verbatim, where the number stands) of every match."""
    for pattern in patterns if text else ():
        tag, own = pattern.group_of("tag"), pattern.group_of("n")
        for found in pattern.finds(text):
            wanted = [own] if own else [index for index in range(1, pattern.groups + 1) if index != tag]
            at = next((index - 1 for index in wanted if found.groups[index - 1]), None)
            if at is not None and (number := found.groups[at]):
                yield profile.show_number(number), (found.groups[tag - 1] or "") if tag else "", found.spans[at]


def numbers_at(profile: Profile, text: str, place: str = "", *, most: int) -> list[tuple[str, int, int]]:
    """(as it is shown, where it begins and ends) of the first `most` numbers in `text`, repeated ones as well. `place`: only
    those that may stand there; "": wherever they would have to stand."""
    patterns = [each.pattern for each in profile.numbers if not place or place in each.places]
    return [(shown, *span) for shown, _, span in islice(_found(profile, patterns, text), most)]


def numbers_in(profile: Profile, text: str) -> tuple[str, ...]:
    """Every number of this ITSM in `text` as it is shown, wherever it would have to stand; each once, at most twenty."""
    return tuple(shown for shown, _ in _numbers(profile, [each.pattern for each in profile.numbers], text))


def numbers(profile: Profile, mail: InboundMail) -> tuple[str, ...]:
    """Every number of this ITSM in the letter, as `Words` has them."""
    return words(profile, mail).numbers


def read(
    profile: Profile, mail: InboundMail, *, tz: ZoneInfo, sent: Sent = (), looked: Words | None = None
) -> StatusReport | None:
    """What `mail` says: the report of `understand`."""
    return understand(profile, mail, tz=tz, sent=sent, looked=looked).report


def understand(
    profile: Profile, mail: InboundMail, *, tz: ZoneInfo, sent: Sent = (), looked: Words | None = None
) -> Reading:
    """What `mail` says by `profile`'s habits, and how that was found. `sent`: subjects and texts of our own letters for
    this ticket; `looked`: its `words`, where they are known already. Moments that bear no zone are in `tz`. A report whose
    status is None: it is one of the ITSM's letters, but moves nothing. Never raises."""
    looked, ours = looked or words(profile, mail), our_words(sent)
    masked = _without(looked, ours)
    anchor, decided, stopped = _decide(profile, looked, masked, ours)
    status = anchor.status if anchor else None
    lifted = tuple(_lifted(profile, looked, masked, status, tz))
    report = None
    if anchor is not None or looked.numbers or any(each.name != "watermark" for each in lifted):
        number = looked.numbers[0] if looked.numbers else ""
        fields = {each.name: each.value for each in lifted}
        report = StatusReport(profile.name, status, number, fields, mail.date, silent=bool(anchor and anchor.silent))
    return Reading(report, looked, decided, lifted, stopped)


def _without(looked: Words, ours: Ours) -> Words:
    """A subject comes back as a subject: words that our texts bear as well are the far end's own there."""
    subject = without_ours(looked.subject, ours.of_subjects or Ours())
    body = without_ours(looked.body, ours)
    return replace(looked, subject=subject, body=body, whole=without_ours(looked.whole, ours))


# Which status


def speaks(profile: Profile, looked: Words) -> Anchored | None:
    """The anchor that the letter bears, whoever wrote its words."""
    return _decide(profile, looked, looked, Ours())[1]


@dataclass(frozen=True, slots=True)
class _Place:
    """A text in which anchors are looked for. `text`: without our words; `sought`: and without our shortest lines, at the
    same offsets. `echoes`: whether the words between two of them are ours all the same."""

    name: str
    text: str
    sought: str
    echoes: Callable[[int, int], bool]


def _decide(
    profile: Profile, looked: Words, masked: Words, ours: Ours
) -> tuple[Anchor | None, Anchored | None, tuple[Stopped, ...]]:
    """The first anchor, in the profile's order, that a header bears; only then the subject is asked, then the text."""
    stopped: list[Stopped] = []
    places: dict[str, _Place] = {}
    for kind in (HEADER, "subject", "body"):
        for index, anchor in enumerate(profile.anchors, 1):
            if _asked_in(anchor, kind):
                where = anchor.where if anchor.where == "together" or kind == HEADER else kind
                place = places.get(where) or places.setdefault(where, _place(where, looked, masked, ours))
                pattern, found, unless = _holds(anchor, place)
                name = anchor.status.value if anchor.status else ("none" if anchor.silent else "comment")
                if pattern is not None and found is not None:
                    shown = found.text.strip()
                    return anchor, Anchored(index, name, where, pattern.source, shown), tuple(stopped)
                if unless is not None:
                    stopped.append(Stopped(index, name, *unless))
    return None, None, tuple(stopped)


def _place(name: str, looked: Words, masked: Words, ours: Ours) -> _Place:
    """No person writes a header. A subject is the far end's, but for what goes on as our text does. In a text nobody can
    tell who says what we have said before, in however few words; where not all of that was looked at, nobody can at all."""
    if name.startswith(HEADER):
        text = masked.headers.get(name, "")
        return _Place(name, text, text, lambda _start, _end: False)
    if name == "subject":
        parts = stretches(looked.subject, ours)
        return _Place(name, masked.subject, masked.subject, lambda start, end: goes_on(parts, start, end))
    above = name == "together"
    whole = f"{looked.subject}\n{looked.body}" if above else looked.body
    text = f"{masked.subject}\n{masked.body}" if above else masked.body
    said = cache(ours.say)
    return _Place(
        name,
        text,
        without_short(text, ours),
        lambda start, end: not ours.whole or any(map(said, around_words(whole, start, end))),
    )


def _asked_in(anchor: Anchor, place: str) -> bool:
    match anchor.where:
        case "any":
            return place in ("subject", "body")
        case "together":
            return place == "body"
        case "subject" | "body":
            return place == anchor.where
    return place == HEADER


def _holds(anchor: Anchor, place: _Place) -> tuple[Pattern | None, Found | None, tuple[str, str] | None]:
    """(pattern, what it fits), or the first (words, what stopped them)."""
    stopped: tuple[str, str] | None = None
    for pattern in anchor.any if place.sought else ():
        for found in islice(pattern.finds(place.sought), MAX_MATCHES):
            said = found.text.strip()
            if place.echoes(found.start, found.end):
                stopped = stopped or (said, OURS)
                continue
            reach = place.text if anchor.near == "text" else around(place.text, found.start, found.end, anchor.near)
            against = next((hit for each in anchor.unless if (hit := each.first(reach)) is not None), None)
            bare = place.name == "body" and bool(anchor.beside) and not any(map(_in(reach), anchor.beside))
            if against is None and bare:
                continue
            if against is None:
                return pattern, found, None
            stopped = stopped or (said, against.text.strip())
            if anchor.near == "text":
                return None, None, stopped
    return None, None, stopped


def _in(text: str) -> Callable[[Pattern], bool]:
    return lambda pattern: pattern.first(text) is not None


# Which values


def _lifted(profile: Profile, whole: Words, masked: Words, status: Status | None, tz: ZoneInfo) -> Iterator[Lifted]:
    """A label must stand in what is not ours; its value is taken as it was written."""
    known: set[str] = set()
    for index, lift in enumerate(profile.lifts, 1):
        if lift.name in known or (lift.statuses and status not in lift.statuses):
            continue
        label, value = _value(lift, _place_of(lift, masked), _place_of(lift, whole))
        if lift.kind == "datetime":
            value = _moment(value, lift.formats, tz)
        if value:
            known.add(lift.name)
            yield Lifted(index, lift.name, lift.where, label.strip(), value)


def _place_of(lift: Lift, looked: Words) -> str:
    match lift.where:
        case "subject":
            return looked.subject
        case "body":
            return looked.body
        case "whole":
            return looked.whole
    return looked.headers.get(lift.where, "")


def _value(lift: Lift, masked: str, whole: str) -> tuple[str, str]:
    found = lift.pattern.last(masked) if lift.last else lift.pattern.first(masked)
    if found is None:
        return "", ""
    if lift.pattern.groups and found.spans[0][0] >= 0:
        start, end = found.spans[0]
    else:
        start, end = found.end, _end_of_value(lift, whole, found.end)
    value = whole[start:end][:MAX_VALUE]
    for pattern in lift.drop:
        for match in reversed(list(pattern.finds(value))):
            value = value[: match.start] + value[match.end :]
    return found.text, value.strip(" \t\r\n\"'«»") if lift.kind == "datetime" else value.strip()


def _end_of_value(lift: Lift, text: str, start: int) -> int:
    ends = [found.start for pattern in lift.until if (found := pattern.first(text, start)) is not None]
    if lift.until:
        return min(ends, default=len(text))
    line = text.find("\n", start)
    return len(text) if line < 0 else line


def _moment(value: str, formats: Sequence[str], tz: ZoneInfo) -> str:
    """ISO 8601 with an offset, or "" where no format fits. Words behind the moment ("МСК") are forgiven."""
    parts = value.split()
    for length in range(min(len(parts), 5), 0, -1):
        for form in formats:
            try:
                moment = datetime.strptime(" ".join(parts[:length]).rstrip(".,;"), form)
            except ValueError:
                continue
            return (moment if moment.tzinfo else moment.replace(tzinfo=tz)).isoformat()
    return ""
