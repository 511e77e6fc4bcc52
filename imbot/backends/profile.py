"""A profile: one ITSM's mail habits as data.

It says by what a letter is known (senders, fingerprints), how a number looks and where it stands, which words mean which
status, which values can be lifted, where quoted text begins, and how our letters are bound. Its file is read by
`imbot.backends.profiles`; letters are read by `imbot.backends.understanding`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imbot.backends.patterns import Pattern
from imbot.domain.tickets import Status

HEADER = "header:"  # a place of this kind names a header: `header:X-RT-Ticket`
_HOLE = re.compile(r"\{n(?::0([1-9][0-9]?))?\}")  # `{n}`, or `{n:07}` where zeros are part of the number


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """How a number is written. Its group `n`, or its first one, is the number; its group `tag`, where there is one, is
    what must come back verbatim in the subject of our letters. `places`: subject, body, `header:<name>`."""

    pattern: Pattern
    places: tuple[str, ...] = ("subject", "body")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Words that mean a status. `status` None: the letter is known, but moves nothing (a comment); `silent`: and nobody is
    told of it. `where`: subject, body, any (subject first), together (both as one text), `header:<name>`. `near`: how far
    round a match `unless` is looked for: in the whole text, its line or its sentence. `beside`: one of these must stand there
    too, where the match is one of the text (a subject is about the ticket anyway)."""

    status: Status | None
    where: str
    any: tuple[Pattern, ...]
    unless: tuple[Pattern, ...] = ()
    near: str = "text"
    silent: bool = False
    beside: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Lift:
    """A value to lift. It begins behind `pattern` (or is its first group) and runs to the first match of `until`, by
    default to the end of its line. `drop`: patterns that are cut out of it. `kind`: text | datetime (`formats`: strptime).
    `statuses`: only with these, None among them for a letter without a status (empty: with any). `where`: subject, body,
    whole (quotes included), `header:<name>`. `last`: of several matches the last counts."""

    name: str
    pattern: Pattern
    kind: str = "text"
    formats: tuple[str, ...] = ()
    until: tuple[Pattern, ...] = ()
    drop: tuple[Pattern, ...] = ()
    statuses: tuple[Status | None, ...] = ()
    where: str = "body"
    last: bool = False


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What only this system writes. `place`: `header:<name>`, body or subject; `pattern` None: any value of the header."""

    place: str
    pattern: Pattern | None


@dataclass(frozen=True, slots=True)
class EvidenceHint:
    """The evidence of origin that this system's letters usually bear (`EvidenceSettings.kind`), and why, for people."""

    kind: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """One ITSM's habits. `senders` come from the settings (`a@b.ru`, or `*@b.ru`), and `language` may; the rest is from the
    profile's file."""

    name: str
    title: str = ""
    language: str = "ru"
    senders: tuple[str, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    numbers: tuple[NumberPattern, ...] = ()
    number_shown: str = "{n}"
    number_subject: tuple[str, ...] = ("{number}",)  # how our follow-up letters bear it, the first that can be filled
    anchors: tuple[Anchor, ...] = ()
    lifts: tuple[Lift, ...] = ()
    separators: tuple[Pattern, ...] = ()
    registers: bool = True
    threads_by_message_id: bool = False
    token_place: str = "both"  # noqa: S105 - a place in a letter, no secret
    evidence: EvidenceHint = EvidenceHint()
    confirmed: bool = True  # False: no source confirms the wording

    def show_number(self, found: str) -> str:
        """The number as people and letters write it: `1042` -> `IM-CL-1042`."""

        def fill(hole: re.Match[str]) -> str:
            return found.upper().zfill(int(hole.group(1) or 0))

        return _HOLE.sub(fill, self.number_shown)

    def subject_number(self, number: str, tag: str = "") -> str:
        """What the subject of a follow-up letter bears: `{number}`, or `{tag}`, the number as the ITSM itself wrote it,
        verbatim ("": not seen)."""
        fitting = [form for form in self.number_subject if tag or "{tag}" not in form]
        form = next(iter(fitting), "{number}") if number else ""
        return form.replace("{number}", number).replace("{tag}", tag)

    @property
    def places_of_numbers(self) -> tuple[str, ...]:
        """Every place where a number may stand, headers first: no person writes those."""
        places = dict.fromkeys(place for each in self.numbers for place in each.places)
        return tuple(sorted(places, key=lambda place: not place.startswith(HEADER)))

    @property
    def headers(self) -> frozenset[str]:
        """Lower-case names of the header fields in which numbers, states and values are looked for."""
        places = [*self.places_of_numbers, *(one.where for one in self.anchors), *(one.where for one in self.lifts)]
        return frozenset(place.removeprefix(HEADER).lower() for place in places if place.startswith(HEADER))

    @property
    def is_generic(self) -> bool:
        """It serves a whole language and fits nearly everything: asked last."""
        return self.name.startswith("generic-")

    @property
    def waits_for_number(self) -> bool:
        """Whether follow-up letters wait until the ITSM has given a number: without it they would open second calls."""
        return self.registers and not self.threads_by_message_id


def has_hole(shown: str) -> bool:
    """Whether `shown` says where the number goes."""
    return _HOLE.search(shown) is not None
