"""The screens of the form: each question, the review, what can be changed. Built from the draft alone, so that the current
screen can always be shown again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imbot.dialog.draft import Draft, files_values
from imbot.dialog.facts import Facts
from imbot.dialog.form import (
    answer_text,
    answers_text,
    building_of,
    category_of,
    category_text,
    field_at,
    fields_of,
    level_of,
    path_text,
    place_text,
    step_before,
    subcategory_text,
)
from imbot.dialog.layout import Row, button, literal, paged, row
from imbot.dialog.screen import Button, Screen
from imbot.dialog.session import Session
from imbot.domain.forms import Field, text_of


def form_screen(session: Session, draft: Draft, facts: Facts, problem: str = "") -> Screen:
    """The screen of the question that waits."""
    if draft.step.startswith("field:"):
        field = field_at(draft, facts)
        return _ask_field(session, draft, facts, problem, field) if field else _review(session, draft, facts, problem)
    return _BY_STEP.get(draft.step, _review)(session, draft, facts, problem)


def _values(draft: Draft, facts: Facts, problem: str) -> dict[str, Any]:
    """What every question may say: what is held already, and what was wrong."""
    return {
        "problem": problem,
        "text": draft.pile.words,
        "files": draft.pile.count,
        "category": category_text(draft, facts, facts.lang) if draft.category is not None else "",
        **facts.settings.limits,
        **draft.pile.left,
        "now": facts.now.isoformat(),
    }


def _nav(session: Session, draft: Draft, facts: Facts, *extra: Button | None) -> Row:
    back = button(session, "back") if step_before(draft, facts) or draft.trail else None
    return row(*extra, back, None if draft.changing else button(session, "cancel"))


def _ask_category(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    items = [literal(session, f"c:{each.key}", text_of(each.label, facts.lang)) for each in facts.catalogue.categories]
    rows = paged(session, items, draft.page, [_nav(session, draft, facts, button(session, "c:", "other"))])
    return Screen("category", _values(draft, facts, problem) | {"previous": draft.previous}, rows)


def _ask_subcategory(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    category = category_of(draft, facts)
    subs = category.subs if category else ()
    items = [literal(session, f"s:{each.key}", text_of(each.label, facts.lang)) for each in subs]
    rows = paged(session, items, draft.page, [_nav(session, draft, facts, button(session, "s:", "other"))])
    return Screen("subcategory", _values(draft, facts, problem), rows)


def _ask_location(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    items = [literal(session, f"l:{each.key}", text_of(each.label, facts.lang)) for each in level_of(draft, facts)]
    unknown = button(session, "l:", "not_exactly" if draft.trail else "unknown")
    tail = [row(button(session, "words", "in_words") if items else None, unknown), _nav(session, draft, facts)]
    path = facts.locations.path(draft.trail) or ()
    values = _values(draft, facts, problem) | {
        "path": path_text(path, facts.lang),
        "listed": bool(items),
        "current": place_text(draft.place, facts, facts.lang),
        "building": _building(draft, facts),
    }
    return Screen("location", values, paged(session, items, draft.page, tail))


def _building(draft: Draft, facts: Facts) -> str:
    """What stays where a room alone is written."""
    return place_text(building_of(draft.place, facts), facts, facts.lang)


def _ask_location_text(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    path = facts.locations.path(draft.trail) or ()
    values = _values(draft, facts, problem) | {"path": path_text(path, facts.lang), "building": _building(draft, facts)}
    rows = (row(button(session, "back"), None if draft.changing else button(session, "cancel")),)
    return Screen("location_text", values, rows)


def _ask_field(session: Session, draft: Draft, facts: Facts, problem: str, field: Field) -> Screen:
    skip = None if field.required else button(session, "skip")
    items: list[Button] = []
    if field.kind == "choice":
        items = [literal(session, f"f:{each.key}", text_of(each.label, facts.lang)) for each in field.choices]
        skip = button(session, "f:", "unknown")
    elif field.kind == "date":
        items = [button(session, "day:0", "today"), button(session, "day:1", "tomorrow")]
    elif field.kind == "phone" and facts.person is not None and facts.person.phone:
        items = [literal(session, "mine", facts.person.phone)]
    answer = draft.answers.get(field.key)
    values = _values(draft, facts, problem) | {
        "label": text_of(field.label, facts.lang),
        "help": text_of(field.help, facts.lang),
        "kind": field.kind,
        "current": answer_text(field, answer, facts.lang) if answer else "",
    }
    columns = 2 if field.kind == "date" else 1
    return Screen(
        "field", values, paged(session, items, draft.page, [_nav(session, draft, facts, skip)], columns=columns)
    )


def _ask_description(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    skip = button(session, "skip") if draft.pile.files and not draft.returning else None
    values = _values(draft, facts, problem) | {"subcategory": subcategory_text(draft, facts, facts.lang)}
    return Screen("description", values, (_nav(session, draft, facts, skip),))


def _review(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    person = facts.person
    values = _values(draft, facts, problem) | {
        "subcategory": subcategory_text(draft, facts, facts.lang),
        "place": place_text(draft.place, facts, facts.lang),
        "fields": [list(each) for each in answers_text(draft, facts, facts.lang)],
        "description": draft.pile.words,
        "held": files_values(draft.pile),
        "phone": draft.phone or (person.phone if person else ""),
        "mail": draft.mail or (person.address if person else ""),
        "contacts_changed": bool(draft.phone or draft.mail),
    }
    rows = (row(button(session, "send")), row(button(session, "change"), button(session, "cancel")))
    return Screen("review", values, rows, retires=True)  # an older one says less, and its Send would be old


def _change(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    items = [button(session, "ch:category", "change_category"), button(session, "ch:location", "change_location")]
    items += [literal(session, f"ch:f:{each.key}", text_of(each.label, facts.lang)) for each in fields_of(draft, facts)]
    items.append(button(session, "ch:description", "change_description"))
    if draft.pile.listed:
        items.append(button(session, "ch:files", "change_files", count=draft.pile.count))
    items += [button(session, "ch:phone", "change_phone"), button(session, "ch:mail", "change_mail")]
    rows = paged(session, items, draft.page, [row(button(session, "review", "to_review"))], columns=2)
    return Screen("change", _values(draft, facts, problem), rows)


def _ask_phone(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    own = facts.person.phone if facts.person else ""
    mine = literal(session, "mine", own) if own and draft.phone else None
    values = _values(draft, facts, problem) | {"current": draft.phone or own}
    return Screen("phone", values, tuple(filter(None, (row(mine), row(button(session, "review", "to_review"))))))


def _ask_mail(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    own = facts.person.address if facts.person else ""
    mine = literal(session, "mine", own) if own and draft.mail else None
    values = _values(draft, facts, problem) | {"current": draft.mail or own}
    return Screen("mail", values, tuple(filter(None, (row(mine), row(button(session, "review", "to_review"))))))


def _files(session: Session, draft: Draft, facts: Facts, problem: str) -> Screen:
    items = [
        button(
            session,
            f"drop:{held.mark}",
            "drop_file" if held.file.name else "drop_nth",
            number=number,
            name=held.file.name,
        )
        for number, held in enumerate(draft.pile.listed, 1)
    ]
    rows = paged(session, items, draft.page, [row(button(session, "review", "to_review"))])
    return Screen("files", _values(draft, facts, problem) | {"held": files_values(draft.pile)}, rows)


_BY_STEP: dict[str, Callable[[Session, Draft, Facts, str], Screen]] = {
    "category": _ask_category,
    "subcategory": _ask_subcategory,
    "location": _ask_location,
    "location_text": _ask_location_text,
    "description": _ask_description,
    "review": _review,
    "change": _change,
    "phone": _ask_phone,
    "mail": _ask_mail,
    "files": _files,
}
