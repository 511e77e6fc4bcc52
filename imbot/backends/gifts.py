"""Which numbers of a letter the far end gave, and which it only repeats: a person who writes a number into a request must
not become the owner of the one that is given it later. Pure.

A subject and a header are the far end's own. Of a text, a number counts that no letter of ours may have brought up: in no
shape, not cut off, not in the place of a figure in our words; and as this ticket's only where no other is left beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from imbot.backends.own_words import Ours, stands_for_ours
from imbot.backends.profile import Profile
from imbot.backends.understanding import Words, numbers_at
from imbot.mime.echoes import figure_of, flat

MOST_TOLD = 2000  # numbers in one shape of a letter of ours
MOST_PLACES = 200  # of numbers in a text; one that has more gives none


def numbers_told(profile: Profile, shapes: Iterable[str]) -> list[str]:
    """Every number of this ITSM in `shapes` of our letters, as it is shown; in one line as well."""
    lines = (each for shape in shapes for each in dict.fromkeys((shape, flat(shape))))
    return list(dict.fromkeys(shown for line in lines for shown, _, _ in numbers_at(profile, line, most=MOST_TOLD)))


def given(profile: Profile, looked: Words, ours: Ours, known: Collection[str]) -> Words:
    """`looked` with the numbers that the far end wrote. `known`: those that the ticket has already."""
    if not looked.numbers:
        return looked
    told = set(numbers_told(profile, ours.texts)) - set(known)
    named = set(numbers_told(profile, ours.subjects)) - set(known)
    fresh = tuple(number for number in looked.in_subject if number not in told)
    in_subject = fresh or tuple(number for number in looked.in_subject if number not in named)
    echoed = _echoed(profile, looked, ours, told, known) if ours else set()
    left = (n for n in looked.numbers if n not in looked.in_subject and n not in echoed and (ours.whole or n in known))
    return replace(looked, numbers=(*in_subject, *left), in_subject=in_subject)


def sole(looked: Words) -> Words:
    """`looked` with those of its numbers that this ticket may be called by from now on: of several in a text alone none, for
    the letter does not say which is whose."""
    return looked if looked.in_subject or len(looked.numbers) < 2 else replace(looked, numbers=())


def of_these(looked: Words, known: Collection[str]) -> Words:
    """`looked` with no number but those that the ticket has already."""
    numbers, in_subject = (tuple(one for one in some if one in known) for some in (looked.numbers, looked.in_subject))
    return replace(looked, numbers=numbers, in_subject=in_subject)


def _echoed(profile: Profile, looked: Words, ours: Ours, told: set[str], known: Collection[str]) -> set[str]:
    """Numbers of the text that may have come from us."""
    figures = {figure_of(number) for number in told}
    new = set(looked.numbers).difference(looked.in_subject, known)
    echoed = {one for one in new if one in told or any(each.startswith(figure_of(one) or "-") for each in figures)}
    places = numbers_at(profile, looked.body, "body", most=MOST_PLACES) if new > echoed else []
    if len(places) == MOST_PLACES:
        return new
    return echoed | {
        shown for shown, start, end in places if shown in new and stands_for_ours(looked.body, start, end, ours)
    }
