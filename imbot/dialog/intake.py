"""Filing a request: what each press, word and file does to the open draft, up to Send. The questions themselves are drawn
in `dialog.questions`, their order is `dialog.form`'s.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from imbot.dialog import menu
from imbot.dialog.draft import Answer, Draft, Part, Pile, Place, Said, begin, gather
from imbot.dialog.facts import Facts, Turn
from imbot.dialog.form import (
    answers_text,
    building_of,
    category_of,
    category_text,
    field_at,
    level_of,
    mend,
    path_text,
    place_text,
    settle,
    step_before,
    subcategory_of,
    subcategory_text,
    title_for,
)
from imbot.dialog.layout import OLD
from imbot.dialog.orders import DropFile, FetchFiles, OpenTicket, Order
from imbot.dialog.questions import form_screen
from imbot.dialog.screen import Screen
from imbot.dialog.session import Session
from imbot.dialog.slots import anew, draft_of, set_aside, with_draft
from imbot.dialog.words import (
    REQUEST,
    UNKNOWN,
    cyrillic_in,
    day_in,
    mixes_alphabets,
    names_a_place,
    names_a_room,
    phone_in,
    phone_inside,
    told,
)
from imbot.domain.chats import Attached, Pressed, Shared, Typed
from imbot.domain.forms import Field, text_of
from imbot.domain.people import canonical_address

MAX_ANSWER = 500
_ABOUT_REVIEW = frozenset({"change", "files", "phone", "mail"})  # steps that lead back to the review
Orders = tuple[Order, ...]


def start(session: Session, facts: Facts, pile: Pile | None = None, *, previous: str = "") -> Turn:
    """A new draft, perhaps with what was given already."""
    draft = settle(begin(facts, pile, previous=previous), facts)
    return show(anew(session, facts), draft, facts)


def resume(session: Session, facts: Facts, problem: str = "") -> Turn:
    """Back to the draft, where it was left. What was kept before sign-in is fetched now."""
    draft = draft_of(session)
    if draft is None:
        return menu.rest(session, facts)
    orders: Orders = ()
    if draft.early:
        orders = (FetchFiles(draft.pile.id),) if draft.pile.files else ()
        draft = settle(replace(draft, early=False), facts)
    return show(session, mend(draft, facts), facts, problem, orders)


def to_be_sent(session: Session, facts: Facts) -> Turn:
    """For a Send that does not count: the request as it would be sent, or the question that waits still."""
    draft = draft_of(session)
    if draft is not None and draft.step in _ABOUT_REVIEW:
        session = with_draft(session, replace(draft, step="review", page=0))
    return resume(session, facts, OLD)


def show(session: Session, draft: Draft, facts: Facts, problem: str = "", orders: Orders = ()) -> Turn:
    session = with_draft(session.go("form"), draft)
    return Turn(session, form_screen(session, draft, facts, problem), orders)


def current(session: Session, facts: Facts, problem: str = "") -> Screen:
    """The form's screen as it stands."""
    draft = draft_of(session)
    return (
        form_screen(session, mend(draft, facts), facts, problem)
        if draft is not None
        else menu.menu_screen(session, facts)
    )


def advance(session: Session, event: Pressed | Said, facts: Facts) -> Turn:
    """One event while a question of the form waits."""
    draft = draft_of(session)
    if draft is None:
        return menu.rest(session, facts)
    draft = mend(draft, facts)
    screen = form_screen(session, draft, facts)
    match event:
        case Pressed():
            if not screen.offers(event.value):
                return show(session, draft, facts, OLD)
            return _press(session, draft, event.value.partition(":")[2], facts)
        case Typed():
            return _typed(session, draft, screen, event, facts)
        case Shared():
            phone = phone_inside(event.text)
            if phone and _wants_phone(draft, facts):
                return _said(session, draft, phone, event.message_id, facts)
            return _joined(session, draft, event, facts)
        case _:
            return _joined(session, draft, event, facts)


def cancel(session: Session, facts: Facts) -> Turn:
    """Away with the draft, but not for good: a mistaken tap loses nothing."""
    orders: Orders = ()
    begun = bool(draft_of(session))
    if begun:
        session, orders = set_aside(session, "draft", facts)
    session = with_draft(session, None).go("cancelled")
    return Turn(session, menu.cancelled_screen(session, facts, earlier=not begun), orders)


def open_order(draft: Draft, facts: Facts) -> OpenTicket:
    """The finished draft. Its labels are in the company's language, whatever the chat's."""
    lang = facts.settings.language or facts.lang
    sub, category, person = subcategory_of(draft, facts), category_of(draft, facts), facts.person
    contacts = {
        "phone": draft.phone or (person.phone if person else ""),
        "mail": draft.mail or (person.address if person else ""),
    }
    return OpenTicket(
        ticket_id=draft.pile.id,
        category_key=draft.category or "",
        category=category_text(draft, facts, lang),
        subcategory_key=draft.subcategory or "",
        subcategory=subcategory_text(draft, facts, lang),
        backend=(sub.backend if sub else "") or (category.backend if category else ""),
        location_key=draft.place.key if draft.place else "",
        location=place_text(draft.place, facts, lang),
        description=draft.pile.words,
        contacts=contacts,
        fields=answers_text(draft, facts, lang),
        title=title_for(draft, facts, lang, REQUEST),
        previous=draft.previous,
    )


def _press(session: Session, draft: Draft, name: str, facts: Facts) -> Turn:
    """A button that the screen offers."""
    head, _, rest = name.partition(":")
    match head:
        case "c":
            return _answered(session, replace(draft, category=rest, subcategory=None), facts)
        case "s":
            return _answered(session, replace(draft, subcategory=rest), facts)
        case "l":
            return _place(session, draft, rest, facts)
        case "words":
            return show(session, replace(draft, step="location_text"), facts)
        case "f" | "day" | "mine" | "skip":
            return _answer_pressed(session, draft, head, rest, facts)
        case "page":
            return show(session, replace(draft, page=int(rest)), facts)
        case "back":
            return show(session, _back(draft, facts), facts)
        case "cancel":
            return cancel(session, facts)
        case "send":
            return Turn(with_draft(session, draft).put(done=session.value("send")), None, (open_order(draft, facts),))
        case "ch":
            return show(session, _ask_again(draft, rest), facts)
        case "drop":
            return _drop_file(session, draft, rest, facts)
        case _:  # change, review
            return show(session, replace(draft, step=head, page=0, returning=False), facts)


def _answer_pressed(session: Session, draft: Draft, head: str, rest: str, facts: Facts) -> Turn:
    """A ready answer to a field, the description or the contacts."""
    if draft.step == "description":  # only Skip is offered there
        return _answered(session, replace(draft, undescribed=True), facts)
    if draft.step in ("phone", "mail"):  # only one's own is offered there
        return show(session, _with_contact(draft, ""), facts)
    answer = Answer()
    if head == "day":
        today = facts.now.astimezone(facts.timezone).date()
        answer = Answer((today + timedelta(days=int(rest))).isoformat())
    elif head == "mine":
        answer = Answer(facts.person.phone if facts.person else "")
    elif head == "f":
        field = field_at(draft, facts)
        chosen = next((each for each in field.choices if each.key == rest), None) if field else None
        answer = Answer(text_of(chosen.label if chosen else UNKNOWN, facts.lang), rest)
    return _answer(session, draft, answer, facts)


def _answer(session: Session, draft: Draft, answer: Answer, facts: Facts) -> Turn:
    key = draft.step.removeprefix("field:")
    return _answered(session, replace(draft, answers={**draft.answers, key: answer}), facts)


def _answered(session: Session, draft: Draft, facts: Facts, orders: Orders = ()) -> Turn:
    return show(session, settle(draft, facts), facts, orders=orders)


def _place(session: Session, draft: Draft, key: str, facts: Facts) -> Turn:
    """A place of the list, or "I don't know": then what is known from the level above."""
    chosen = next((place for place in level_of(draft, facts) if key and place.key == key), None)
    whole = "/".join(filter(None, (draft.trail, key)))
    if chosen is not None and chosen.children:
        return show(session, replace(draft, trail=whole, page=0), facts)
    path = facts.locations.path(whole) or ()
    place = Place(whole, path_text(path, facts.lang), source="list" if whole else "unknown")
    return _answered(session, replace(draft, place=place), facts)


def _back(draft: Draft, facts: Facts) -> Draft:
    if draft.step == "location_text":
        return replace(draft, step="location")
    if draft.step == "location" and draft.trail:
        return replace(draft, trail=draft.trail.rpartition("/")[0], page=0)
    step = step_before(draft, facts)
    if step == "review" and draft.before:  # the change was begun only
        kept = draft.before
        draft = replace(draft, category=kept["category"], subcategory=kept["subcategory"], before={})
    return replace(draft, step=step, page=0, trail="", returning=False)


def _ask_again(draft: Draft, what: str) -> Draft:
    """A question from the list of changes."""
    step = f"field:{what[2:]}" if what.startswith("f:") else what
    before = {"category": draft.category, "subcategory": draft.subcategory} if what == "category" else {}
    returning = step not in ("files", "phone", "mail")
    return replace(draft, step=step, page=0, trail="", returning=returning, before=before)


def _drop_file(session: Session, draft: Draft, mark: str, facts: Facts) -> Turn:
    gone = next(held for held in draft.pile.files if held.mark == mark)
    kept = tuple(held for held in draft.pile.files if held.mark != mark)
    pile = replace(draft.pile, files=kept)
    draft = replace(draft, pile=pile, step="files" if pile.listed else "review")
    return show(session, mend(draft, facts), facts, orders=(DropFile(draft.pile.id, gone.file.unique_id),))


def _typed(session: Session, draft: Draft, screen: Screen, event: Typed, facts: Facts) -> Turn:
    text = told(event.text)
    if not text:
        return show(session, draft, facts, "empty")
    pressed = _same_label(screen, text)
    if pressed:
        return _press(session, draft, pressed.partition(":")[2], facts)
    return _said(session, draft, text, event.message_id, facts)


def _same_label(screen: Screen, text: str) -> str:
    """The value of the choice whose label was typed instead of pressed. One's own phone, typed, is an answer like any."""
    plain = text.casefold()
    return next(
        (
            b.value
            for row in screen.rows
            for b in row
            if b.literal and not b.value.endswith(":mine") and b.label.casefold() == plain
        ),
        "",
    )


def _said(session: Session, draft: Draft, text: str, message_id: str, facts: Facts) -> Turn:
    """Words: the answer to the question that waits, where they can be one; else more of the description."""
    field = field_at(draft, facts)
    if draft.step == "location_text" or (
        draft.step == "location" and (names_a_place(text) or not level_of(draft, facts))
    ):
        return _place_in_words(session, draft, text, message_id, facts)
    if field is not None and field.kind != "choice":
        return _field_said(session, draft, field, text, message_id, facts)
    if draft.step in ("phone", "mail"):
        answer = phone_in(text) if draft.step == "phone" else canonical_address(text) or ""
        if draft.step == "mail" and cyrillic_in(text) and (not answer or mixes_alphabets(answer)):
            return show(session, draft, facts, "cyrillic")
        if answer:
            return show(session, _with_contact(draft, answer), facts)
        return show(session, draft, facts, f"not_a_{draft.step}")
    if draft.step == "description" and draft.returning and len(text) <= facts.settings.max_text:
        pile = replace(draft.pile, parts=(Part(text, message_id),), missed=())
        return _answered(session, replace(draft, pile=pile), facts)
    return _joined(session, draft, Typed(text, message_id), facts)


def _with_contact(draft: Draft, value: str) -> Draft:
    """Another phone or mail address for this ticket; "" is one's own again."""
    if draft.step == "phone":
        return replace(draft, step="review", phone=value)
    return replace(draft, step="review", mail=value)


def _place_in_words(session: Session, draft: Draft, text: str, message_id: str, facts: Facts) -> Turn:
    if len(text) > MAX_ANSWER:
        return show(session, draft, facts, "long_answer")
    path = facts.locations.path(draft.trail) if draft.trail else None
    building = building_of(draft.place, facts) if names_a_room(text) else None
    if not path and building is not None:  # a room alone: support must not lose where it is
        place = replace(building, detail=text, message_id=message_id)
    elif path:
        place = Place(draft.trail, path_text(path, facts.lang), text, "list", message_id)
    else:
        place = Place("", text, source="typed", message_id=message_id)
    return _answered(session, replace(draft, place=place), facts)


def _field_said(session: Session, draft: Draft, field: Field, text: str, message_id: str, facts: Facts) -> Turn:
    """An answer in words. What is plainly no phone and no day but a story joins the description."""
    answer, problem = read_answer(field, text, facts)
    if not problem:
        return _answer(session, draft, Answer(answer, message_id=message_id), facts)
    if problem != "long_answer" and (len(text) > 40 or "\n" in text):
        return _joined(session, draft, Typed(text, message_id), facts)
    return show(session, draft, facts, problem)


def read_answer(field: Field, text: str, facts: Facts) -> tuple[str, str]:
    """(answer, problem): one of them is empty."""
    if field.kind == "phone":
        phone = phone_in(text)
        return phone, "" if phone else "not_a_phone"
    if field.kind == "date":
        day = day_in(text, facts.now.astimezone(facts.timezone).date())
        return day.isoformat() if day else "", "" if day else "not_a_day"
    return (text, "") if len(text) <= MAX_ANSWER else ("", "long_answer")


def _joined(session: Session, draft: Draft, event: Said, facts: Facts) -> Turn:
    """Words and files that come while anything else is asked join the draft. At the question for words they answer it."""
    pile, orders, problem = gather(draft.pile, event, facts.settings)
    asked = draft.step not in _ABOUT_REVIEW | {"review", "description"}  # those show the words themselves
    if asked and not problem and pile.parts != draft.pile.parts:
        problem = "joined"
    draft = replace(draft, pile=pile)
    if draft.step == "description" and pile.words and problem != "too_long" and not draft.returning:
        return show(session, settle(draft, facts), facts, problem, orders)
    if draft.step == "change" or (isinstance(event, Attached) and draft.step in _ABOUT_REVIEW):
        draft = replace(draft, step="review" if draft.step == "change" else draft.step, page=0)  # where it is seen
    return show(session, draft, facts, problem, orders)


def _wants_phone(draft: Draft, facts: Facts) -> bool:
    field = field_at(draft, facts)
    return draft.step == "phone" or (field is not None and field.kind == "phone")


def takes_any_words(draft: Draft, facts: Facts) -> bool:
    """Whether the question that waits may be answered by any words at all, "ok" among them."""
    field = field_at(draft, facts)
    return draft.step == "location_text" or (field is not None and field.kind == "text")
