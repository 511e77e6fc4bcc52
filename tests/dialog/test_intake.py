"""What the transcripts do not reach: fields of every kind, long lists, edited catalogues, broken sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from imbot.dialog import form, intake
from imbot.dialog.draft import Answer, begin
from imbot.dialog.questions import form_screen
from imbot.dialog.session import Session
from imbot.dialog.slots import draft_of, with_draft
from imbot.domain.chats import Attached, Commanded, Edited, FileRef, Pressed, Shared, Typed
from imbot.domain.forms import parse_catalogue, parse_locations
from tests.dialog.test_screens import check
from tests.dialog.world import World
from tests.transcripts.test_transcripts import short

FIELDS: list[dict[str, Any]] = [
    {"key": "inv", "label": {"ru": "Номер", "en": "Number"}},
    {"key": "phone", "label": "Телефон на месте", "kind": "phone", "required": True},
    {"key": "day", "label": "Когда удобно", "kind": "date"},
    {
        "key": "os",
        "label": "Система",
        "kind": "choice",
        "required": True,
        "choice": [{"key": "win", "label": {"ru": "Окна", "en": "Windows"}}, {"key": "lin", "label": "Пингвин"}],
    },
]


def catalogue(fields: list[dict[str, Any]] = FIELDS, **sub: Any) -> Any:
    one = {"key": "one", "label": {"ru": "Первое", "en": "First"}, "field": fields, "backend": "second", **sub}
    return parse_catalogue({"category": [{"key": "a", "label": {"ru": "Раздел", "en": "Topic"}, "sub": [one]}]})


def world_at_field(step: str, **changes: Any) -> World:
    world = World(catalogue=catalogue(), **changes)
    world.take(Commanded("newticket"))
    press(world, "c:a")
    press(world, "s:one")
    for name, answer in (("inv", "7"), ("phone", "12-34"), ("day", "24.11")):
        if name == step:
            break
        world.take(Typed(answer, f"m-{name}"))
    return world


def press(world: World, name: str) -> None:
    world.take(Pressed(world.session.value(name)))


def buttons(world: World) -> list[str]:
    assert world.screen is not None
    return [short(button.value) for row in world.screen.rows for button in row]


def shown(world: World, key: str) -> Any:
    assert world.screen is not None
    return world.screen.values[key]


def test_a_field_that_is_not_required_can_be_skipped() -> None:
    world = world_at_field("inv")
    assert buttons(world) == ["skip", "back", "cancel"]
    press(world, "skip")
    assert shown(world, "label") == "Телефон на месте"
    assert buttons(world) == ["mine", "back", "cancel"]


def test_an_answer_that_is_far_too_long_is_asked_again_and_the_rest_stays() -> None:
    world = world_at_field("inv")
    world.take(Typed("ж" * 501))
    assert shown(world, "problem") == "long_answer"
    assert shown(world, "label") == "Номер"


def test_a_phone_is_typed_pressed_or_sent_as_a_contact() -> None:
    world = world_at_field("phone")
    world.take(Typed("нету"))
    assert shown(world, "problem") == "not_a_phone"
    press(world, "mine")
    assert shown(world, "label") == "Когда удобно"
    press(world, "back")
    assert shown(world, "current") == "12-34"
    world.take(Shared("contact", "Пётр, +7 900 111-22-33"))
    press(world, "back")
    assert shown(world, "current") == "+7 900 111-22-33"


def test_nobody_has_a_phone_to_offer() -> None:
    world = world_at_field("phone", person=replace(World().directory, phone=""))
    assert buttons(world) == ["back", "cancel"]


def test_a_day_is_pressed_or_typed_and_a_story_joins_the_description() -> None:
    world = world_at_field("day")
    assert buttons(world) == ["day:0", "day:1", "skip", "back", "cancel"]
    world.take(Typed("скоро"))
    assert shown(world, "problem") == "not_a_day"
    world.take(Typed("Когда-нибудь, но лучше до отпуска, а то потом некому"))
    assert shown(world, "text") == "Когда-нибудь, но лучше до отпуска, а то потом некому"
    assert shown(world, "label") == "Когда удобно"
    press(world, "day:1")
    press(world, "back")
    assert shown(world, "current") == "24.11.2026"


def test_a_choice_is_pressed_typed_or_unknown_and_other_words_join_the_description() -> None:
    world = world_at_field("os")
    assert buttons(world) == ["f:win", "f:lin", "f:", "back", "cancel"]
    world.take(Typed("Не включается"))
    assert shown(world, "text") == "Не включается"
    world.take(Typed("пингвин"))
    assert shown(world, "fields")[-1] == ["Система", "Пингвин"]
    press(world, "change")
    press(world, "ch:f:os")
    assert shown(world, "current") == "Пингвин"
    press(world, "f:")
    assert shown(world, "fields")[-1] == ["Система", "Не знаю"]


def test_the_order_is_in_the_companys_language_whatever_the_chats() -> None:
    world = world_at_field("os", lang="en")
    world.settings = replace(world.settings, language="ru")
    press(world, "f:win")
    world.take(Typed("Not booting"))
    press(world, "send")
    order = next(iter(world.tickets.values())).order
    assert order is not None
    assert (order.category, order.subcategory, order.backend) == ("Раздел", "Первое", "second")
    assert order.fields == (
        ("Номер", "7"),
        ("Телефон на месте", "12-34"),
        ("Когда удобно", "24.11.2026"),
        ("Система", "Окна"),
    )
    assert order.location == "Ленинская Слобода, 19"


def test_a_description_that_is_not_asked_for_may_come_all_the_same() -> None:
    world = World(catalogue=catalogue([], ask_description=False))
    world.take(Commanded("newticket"))
    press(world, "c:a")
    press(world, "s:one")
    assert world.screen is not None
    assert world.screen.name == "review"
    world.take(Typed("Заодно"))
    assert shown(world, "description") == "Заодно"


def test_an_edited_catalogue_asks_again_only_what_it_no_longer_has() -> None:
    world = world_at_field("os")
    world.take(Typed("Не включается"))
    press(world, "f:win")
    assert world.screen is not None
    assert world.screen.name == "review"
    world.catalogue = catalogue([*FIELDS, {"key": "new", "label": "Новый вопрос", "required": True}])
    press(world, "send")
    assert shown(world, "label") == "Новый вопрос"
    assert shown(world, "text") == "Не включается"
    world.catalogue = parse_catalogue({"category": [{"key": "z", "label": "Другой раздел"}]})
    world.take(Commanded("start"))
    press(world, "draft")
    assert world.screen.name == "category"
    press(world, "c:z")
    assert world.screen.name == "review"
    assert shown(world, "description") == "Не включается"


def test_a_subcategory_that_has_gone_is_asked_again() -> None:
    world = world_at_field("os")
    data = {"category": [{"key": "a", "label": "Раздел", "sub": [{"key": "two", "label": "Второе"}]}]}
    world.catalogue = parse_catalogue(data)
    world.take(Typed("Не включается"))
    assert world.screen is not None
    assert world.screen.name == "subcategory"
    press(world, "s:two")
    assert world.screen.name == "review"


def test_a_field_that_became_another_kind_keeps_what_was_said() -> None:
    field = catalogue([{"key": "day", "label": "Когда", "kind": "date"}]).categories[0].subs[0].fields[0]
    assert form.answer_text(field, Answer("когда-нибудь"), "ru") == "когда-нибудь"
    assert form.answer_text(field, Answer("", key="gone"), "ru") == ""


def test_lists_longer_than_a_page_are_paged() -> None:
    many = [{"key": f"k{number}", "label": f"Раздел {number}"} for number in range(11)]
    world = World(catalogue=parse_catalogue({"category": many}))
    world.take(Commanded("newticket"))
    assert buttons(world) == ["c:k0", "c:k1", "c:k2", "c:k3", "page:1", "c:", "cancel"]
    press(world, "page:1")
    assert buttons(world) == ["c:k4", "c:k5", "c:k6", "c:k7", "page:0", "page:2", "c:", "cancel"]
    press(world, "page:2")
    assert buttons(world) == ["c:k8", "c:k9", "c:k10", "page:1", "c:", "cancel"]
    assert world.screen is not None
    check(world.screen, "ru")
    check(world.screen, "en")
    press(world, "page:1")
    press(world, "c:k5")
    world.take(Typed("вопрос"))
    assert world.screen.name == "review"


def test_many_fields_and_files_are_paged_in_the_changes() -> None:
    fields = [{"key": f"f{number}", "label": f"Вопрос {number}"} for number in range(9)]
    world = World(catalogue=catalogue(fields))
    world.take(Typed("Слова"))
    press(world, "c:a")
    press(world, "s:one")
    for number in range(9):
        world.take(Typed(str(number), f"m{number}"))
    for number in range(9):
        world.take(Attached(FileRef(f"v{number}", f"u{number}", f"{number}.pdf"), message_id=f"p{number}"))
    press(world, "change")
    assert len(buttons(world)) == 8
    press(world, "page:1")
    press(world, "review")
    press(world, "change")
    press(world, "ch:location")
    press(world, "back")
    press(world, "change")
    press(world, "page:1")
    press(world, "page:2")
    press(world, "ch:files")
    first = buttons(world)[0]
    press(world, first)
    assert len(shown(world, "held")) == 8
    assert world.screen is not None
    for lang in ("ru", "en"):
        check(world.screen, lang)
    press(world, first)  # the second tap of a double tap takes no other file away
    assert len(shown(world, "held")) == 8


def test_the_last_file_removed_leads_back_to_the_review() -> None:
    world = World()
    world.take(Attached(FileRef("v", "u1"), "Слова под фото", "m1"))
    press(world, "c:advice")
    press(world, "change")
    press(world, "ch:files")
    press(world, buttons(world)[0])
    assert world.screen is not None
    assert world.screen.name == "description"  # the words stood under the photo and went with it


def test_places_that_are_not_listed_are_written() -> None:
    world = World(locations=parse_locations({}), person=replace(World().directory, office=""))
    world.take(Commanded("newticket"))
    press(world, "c:advice")
    assert buttons(world) == ["l:", "back", "cancel"]
    world.take(Typed("у окна"))
    assert world.screen is not None
    assert world.screen.name == "description"


def test_a_place_in_far_too_many_words_is_asked_again() -> None:
    world = World(person=replace(World().directory, office=""))
    world.take(Commanded("newticket"))
    press(world, "c:advice")
    press(world, "words")
    world.take(Typed("ж" * 501))
    assert shown(world, "problem") == "long_answer"


def test_a_place_that_left_the_list_keeps_its_words() -> None:
    world = World(person=replace(World().directory, office=""))
    world.take(Commanded("newticket"))
    press(world, "c:advice")
    press(world, "l:store")
    world.take(Typed("вопрос"))
    world.locations = parse_locations({})
    press(world, "send")
    order = next(iter(world.tickets.values())).order
    assert order is not None
    assert order.location == "Склад"


@pytest.mark.parametrize("office", ["ленинская слобода, 19, 3-й этаж", "3rd floor", "СКЛАД"])
def test_the_directorys_office_is_found_in_the_list_by_any_of_its_names(office: str) -> None:
    place = form.known_place(World(person=replace(World().directory, office=office)).facts())
    assert place is not None
    assert place.key in ("ls19/f3", "store")


def test_words_without_a_word_are_asked_again() -> None:
    world = World(catalogue=catalogue())
    world.take(Commanded("newticket"))
    world.take(Typed("\u202e\x00 "))
    assert world.screen is not None
    assert world.screen.name == "category"
    press(world, "c:a")
    press(world, "s:one")
    world.take(Typed("\u202e\x00 "))
    assert shown(world, "problem") == "empty"


def test_an_edit_of_a_place_in_the_list_changes_its_room() -> None:
    world = World(person=replace(World().directory, office=""), catalogue=catalogue())
    world.take(Typed("Беда", "m0"))
    press(world, "c:a")
    press(world, "s:one")
    press(world, "l:ls19")
    world.take(Typed("каб. 31", "m1"))
    world.take(Edited("каб. 315", "m1"))
    draft = draft_of(world.session)
    assert draft is not None
    assert form.place_text(draft.place, world.facts(), "ru") == "Ленинская Слобода, 19, каб. 315"
    world.take(Edited("", "m1"))
    draft = draft_of(world.session)
    assert draft is not None
    assert draft.place is not None
    assert draft.place.detail == "каб. 315"


def test_an_edit_that_is_no_answer_any_more_leaves_the_answer() -> None:
    world = world_at_field("os")
    world.take(Edited("нет", "m-phone"))
    assert shown(world, "problem") == "not_a_phone"
    draft = draft_of(world.session)
    assert draft is not None
    assert draft.answers["phone"].text == "12-34"


def test_an_edit_that_would_make_it_too_long_is_refused() -> None:
    world = World()
    world.settings = replace(world.settings, max_text=20)
    world.take(Typed("Принтер мигает", "m1"))
    world.take(Edited("Принтер мигает и ещё не печатает", "m1"))
    assert shown(world, "problem") == "edit_too_long"
    assert shown(world, "text") == "Принтер мигает"


def test_an_edit_to_nothing_takes_the_words_out() -> None:
    world = World()
    world.take(Typed("Принтер", "m1"))
    world.take(Typed("мигает", "m2"))
    world.take(Edited("\u202e", "m1"))
    assert shown(world, "text") == "мигает"


def test_a_session_without_its_draft_shows_the_menu() -> None:
    world = World(session=Session("form", {}, "tttt"))
    assert intake.current(world.session, world.facts()).name == "menu"
    world.take(Typed("Беда"))
    assert world.screen is not None
    assert world.screen.name == "menu"
    assert intake.resume(Session(), world.facts()).session.state == "rest"


def test_a_draft_at_a_field_that_is_none_shows_the_review() -> None:
    world = World()
    draft = replace(begin(world.facts()), step="field:none")
    assert form_screen(Session(), draft, world.facts()).name == "review"
    session = with_draft(Session("form"), draft)
    assert intake.current(session, world.facts()).name == "category"


def test_words_beside_a_list_are_said_to_be_in_the_description() -> None:
    for lang, said in (
        ("ru", "Дописали к описанию. Теперь выберите раздел.\nО чём заявка?"),
        ("en", "Added to the description. Now choose a topic.\nWhat is it about?"),
    ):
        world = World(lang=lang)
        world.take(Commanded("newticket"))
        world.take(Typed("Мигает красным"))
        assert world.screen is not None
        assert check(world.screen, lang).startswith(said)
        press(world, "c:hardware")
        world.take(Typed("И шумит"))
        assert check(world.screen, lang).startswith(said.partition(".")[0])
