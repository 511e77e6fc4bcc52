"""Walking the form: which question of a draft comes next, which came before, and what its answers are called. Keys that an
edited catalogue no longer has are asked again; everything else that was answered is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from imbot.dialog.draft import Answer, Draft, Place
from imbot.dialog.facts import Facts
from imbot.dialog.words import OTHER, without_room
from imbot.domain.forms import Category, Field, Location, Subcategory, text_of
from imbot.domain.tickets import title_of

REVIEWING = frozenset({"review", "change", "files", "phone", "mail"})


def category_of(draft: Draft, facts: Facts) -> Category | None:
    return facts.catalogue.category(draft.category) if draft.category else None


def subcategory_of(draft: Draft, facts: Facts) -> Subcategory | None:
    return (
        facts.catalogue.subcategory(draft.category, draft.subcategory) if draft.category and draft.subcategory else None
    )


def fields_of(draft: Draft, facts: Facts) -> tuple[Field, ...]:
    sub = subcategory_of(draft, facts)
    return sub.fields if sub else ()


def field_at(draft: Draft, facts: Facts) -> Field | None:
    """The field that is being asked, if the step is one and the catalogue still has it."""
    name = draft.step.removeprefix("field:")
    return next((field for field in fields_of(draft, facts) if field.key == name), None) if name != draft.step else None


def asks_description(draft: Draft, facts: Facts) -> bool:
    sub = subcategory_of(draft, facts)
    return sub is None or sub.ask_description


def first_open(draft: Draft, facts: Facts) -> str:
    """The first question without an answer, else "review"."""
    category = category_of(draft, facts)
    if draft.category is None or (draft.category and category is None):
        return "category"
    if category and category.subs and (draft.subcategory is None or _is_gone(draft, facts)):
        return "subcategory"
    if draft.place is None:
        return "location"
    for field in fields_of(draft, facts):
        if field.key not in draft.answers or (field.required and not draft.answers[field.key].text):
            return f"field:{field.key}"
    if asks_description(draft, facts) and not draft.pile.words and not draft.undescribed:
        return "description"
    return "review"


def settle(draft: Draft, facts: Facts) -> Draft:
    """On to the first open question. A place that is known already is not asked for."""
    if draft.place is None:
        draft = replace(draft, place=known_place(facts))
    step = first_open(draft, facts)
    before = draft.before if step != "review" else {}
    return replace(draft, step=step, page=0, trail="", returning=False, before=before)


def mend(draft: Draft, facts: Facts) -> Draft:
    """The draft at a step that still exists, after the catalogue may have been edited."""
    opened = first_open(draft, facts)
    if draft.step in REVIEWING:
        stands = opened == "review"
    elif draft.step == "subcategory":
        category = category_of(draft, facts)
        stands = category is not None and bool(category.subs)
    elif draft.step.startswith("field:"):
        stands = field_at(draft, facts) is not None
    else:
        stands = draft.step in ("category", "location", "location_text", "description")
    return draft if stands else settle(draft, facts)


def walk(draft: Draft, facts: Facts) -> list[str]:
    """The questions of this draft in their order. A prefilled place is none."""
    category = category_of(draft, facts)
    steps = ["category"]
    if category and category.subs:
        steps.append("subcategory")
    if draft.place is None or draft.place.source in ("list", "typed", "unknown"):
        steps.append("location")
    steps += [f"field:{field.key}" for field in fields_of(draft, facts)]
    if asks_description(draft, facts):
        steps.append("description")
    return steps


def step_before(draft: Draft, facts: Facts) -> str:
    """Where Back leads, "" from the first question."""
    if draft.returning or (draft.before and draft.step == "category"):
        return "review"
    steps = walk(draft, facts)
    at = steps.index(draft.step) if draft.step in steps else 0
    return steps[at - 1] if at else ""


def known_place(facts: Facts) -> Place | None:
    """Where the person is, by the directory or else by their last ticket."""
    if facts.person is not None and facts.person.office.strip():
        return _listed(facts.person.office.strip(), facts)
    if facts.last_location is not None and any(facts.last_location):
        key, text = facts.last_location
        return Place(key if facts.locations.path(key) else "", text, source="last")
    return None


def place_text(place: Place | None, facts: Facts, lang: str) -> str:
    """The place in words; "" for "I don't know"."""
    if place is None:
        return ""
    path = facts.locations.path(place.key) if place.key else None
    # The text of a last ticket may say more than its key does (a room), so it is kept as it was.
    named = path_text(path, lang) if path and place.source != "last" else place.text
    return ", ".join(filter(None, (named, place.detail)))


def building_of(place: Place | None, facts: Facts) -> Place | None:
    """What is left of a place without its room and floor: the building, or whatever it is in. None where nothing is."""
    if place is None:
        return None
    path, key = facts.locations.path(place.key) or (), place.key
    while path:
        if without_room(path_text(path[-1:], facts.lang)):
            return Place(key, path_text(path, facts.lang), source="list")
        path, key = path[:-1], key.rpartition("/")[0]
    text = without_room(place.text) if not place.key else ""
    return Place("", text, source="typed") if text else None


def path_text(path: tuple[Location, ...], lang: str) -> str:
    return ", ".join(text_of(place.label, lang) for place in path)


def level_of(draft: Draft, facts: Facts) -> tuple[Location, ...]:
    """The places to choose from, down the trail."""
    path = facts.locations.path(draft.trail)
    return path[-1].children if path else facts.locations.places


def category_text(draft: Draft, facts: Facts, lang: str) -> str:
    category = category_of(draft, facts)
    return text_of(category.label, lang) if category else text_of(OTHER, lang)


def subcategory_text(draft: Draft, facts: Facts, lang: str) -> str:
    """ "" where the category has no second level."""
    sub, category = subcategory_of(draft, facts), category_of(draft, facts)
    if sub:
        return text_of(sub.label, lang)
    return text_of(OTHER, lang) if category and category.subs else ""


def answer_text(field: Field, answer: Answer, lang: str) -> str:
    """An answer as people read it: of a choice the label that it has now, a day as 24.11.2026."""
    chosen = next((choice for choice in field.choices if answer.key and choice.key == answer.key), None)
    if chosen:
        return text_of(chosen.label, lang)
    try:
        return date.fromisoformat(answer.text).strftime("%d.%m.%Y") if field.kind == "date" else answer.text
    except ValueError:
        return answer.text  # the field was of another kind when it was answered


def answers_text(draft: Draft, facts: Facts, lang: str) -> tuple[tuple[str, str], ...]:
    """(label, answer) of everything that was answered."""
    told = (
        (text_of(field.label, lang), answer_text(field, draft.answers[field.key], lang))
        for field in fields_of(draft, facts)
        if field.key in draft.answers
    )
    return tuple((label, answer) for label, answer in told if answer)


def title_for(draft: Draft, facts: Facts, lang: str, fallback: Mapping[str, str]) -> str:
    """The name of the ticket: what it is about, then the first words. "Other" says nothing and is left out."""
    sub, category = subcategory_of(draft, facts), category_of(draft, facts)
    about = sub.short or sub.label if sub else category.label if category else {}
    return title_of(text_of(about, lang), draft.pile.words) or text_of(fallback, lang)


def _is_gone(draft: Draft, facts: Facts) -> bool:
    return bool(draft.subcategory) and subcategory_of(draft, facts) is None


def _listed(office: str, facts: Facts) -> Place:
    """The place of the list that bears this name in any language; else the name as text."""
    wanted = office.casefold()
    for key, path in facts.locations.walk():
        langs = set(path[-1].label)
        if any(
            wanted in (text_of(path[-1].label, lang).casefold(), path_text(path, lang).casefold()) for lang in langs
        ):
            return Place(key, path_text(path, facts.lang), source="office")
    return Place("", office, source="office")
