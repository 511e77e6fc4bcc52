"""What is sent or tapped twice is done once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.dialog.session import Session
from imbot.dialog.slots import draft_of, dropped_words, stray_of
from imbot.dialog.taps import last_of
from imbot.domain.chats import Commanded, Pressed, Typed
from tests.dialog.test_turn import press, screen, world_with_ticket
from tests.dialog.world import CODE, World


@pytest.mark.parametrize("again", [CODE, CODE.lower(), f" {CODE[:4]} {CODE[4:]} "])
def test_a_code_sent_twice_is_no_words_of_a_request(again: str) -> None:
    world = World(person=None)
    world.take(Typed("ivanova@company.ru"))
    world.take(Typed(CODE))
    first = screen(world)
    turn = world.take(Typed(again))
    assert draft_of(turn.session) is None
    assert screen(world) == first
    world.take(Typed("Печатает полосами"))
    assert draft_of(world.session) is not None


def test_nor_is_it_taken_into_words_that_were_said_before() -> None:
    world = World(person=None)
    for words in ("Печатает полосами", "ivanova@company.ru", CODE, CODE):
        world.take(Typed(words))
    draft = draft_of(world.session)
    assert draft is not None
    assert draft.pile.words == "Печатает полосами"


def test_a_code_that_comes_behind_something_else_is_what_it_says() -> None:
    """It may be the number on a printer."""
    world = World(person=None)
    for words in ("ivanova@company.ru", CODE, "Печатает полосами", CODE):
        world.take(Typed(words))
    draft = draft_of(world.session)
    assert draft is not None
    assert CODE in draft.pile.words


@pytest.mark.parametrize("name", ["add", "wd", "rs", "rate", "ns"])
def test_a_double_tap_asks_and_notes_once(name: str) -> None:
    world = world_with_ticket()
    value = f"{name}:x1" + (":2" if name == "rate" else "")
    first = world.take(Pressed(value, "notice"))
    assert first.screen is not None or world.orders
    again = world.take(Pressed(value, "notice"))
    assert (again.screen, world.orders) == (None, [])
    elsewhere = world.take(Pressed(value, "another"))
    assert elsewhere.screen is not None or world.orders
    world.now += timedelta(seconds=4)
    later = world.take(Pressed(value, "another"))
    assert later.screen is not None or world.orders


def test_a_double_tap_asks_for_one_code() -> None:
    world = World(person=None)
    world.take(Typed("ivanova@company.ru"))
    again = world.session.value("again")
    world.take(Pressed(again, "shown"))
    assert [type(order).__name__ for order in world.orders] == ["LookUp"]
    second = world.take(Pressed(again, "shown"))
    assert (second.screen, world.orders) == (None, [])
    world.now += timedelta(seconds=4)
    world.take(Pressed(again, "shown"))
    assert [type(order).__name__ for order in world.orders] == ["LookUp"]


def test_who_may_ask_for_no_more_codes_hears_that_the_last_one_works() -> None:
    world = World(person=None)
    world.take(Typed("ivanova@company.ru"))
    world.looked_up = False
    world.take(Pressed(world.session.value("again"), "shown"))
    turn = world.take(Pressed(world.session.value("again"), "another"))
    assert turn.screen is not None
    assert (turn.screen.values["problem"], turn.screen.values["works"]) == ("limited", True)
    world.now += timedelta(minutes=10)
    turn = world.take(Pressed(world.session.value("again"), "third"))
    assert turn.screen is not None
    assert turn.screen.values["works"] is False


def reviewed() -> World:
    """A request that only wants its Send, on the message "first"."""
    world = World()
    world.take(Typed("Как заказать пропуск?"))
    press(world, "c:advice")
    while screen(world) != "review":
        world.take(Typed("у окна"))
    return world


def test_send_under_an_old_review_shows_what_would_be_sent_now() -> None:
    world = reviewed()
    world.take(Typed("И ещё пропуск на парковку"))
    send = world.session.value("send")
    world.take(Pressed(send, "first"))  # the review that is current is "shown"
    assert (screen(world), world.tickets) == ("review", {})
    assert world.screen is not None
    assert "парковку" in world.screen.values["description"]
    assert world.screen.values["problem"] == "old_button"
    world.take(Pressed(send, "shown"))
    assert len(world.tickets) == 1


def test_send_counts_where_it_cannot_be_said_which_review_it_stood_under() -> None:
    world = reviewed()
    world.owed = True  # the newest is on its way
    world.take(Pressed(world.session.value("send"), "first"))
    assert len(world.tickets) == 1


@pytest.mark.parametrize("step", ["change", "phone", "ch:phone"])
def test_send_under_an_old_review_shows_the_review_whatever_was_being_changed(step: str) -> None:
    world = reviewed()
    send = world.session.value("send")
    for name in ("change", step) if step.startswith("ch:") else (step,):
        press(world, name)
    world.take(Pressed(send, "first"))
    assert (screen(world), world.tickets) == ("review", {})


def test_a_second_tap_of_a_send_that_did_not_count_does_not_count_either() -> None:
    world = reviewed()
    world.take(Typed("И ещё пропуск на парковку"))
    send = world.session.value("send")
    world.take(Pressed(send, "first"))
    world.owed = True  # what it said is on its way
    for seconds in (0.2, 5, 50):
        world.now += timedelta(seconds=seconds)
        world.take(Pressed(send, "first"))
        assert world.tickets == {}
    world.owed = False
    world.take(Pressed(send, "shown"))
    assert len(world.tickets) == 1


def test_the_send_of_an_addition_files_no_request_and_the_other_way_round() -> None:
    world = reviewed()
    request = world.session.value("send")
    world.tickets["x1"] = world_with_ticket().tickets["x1"]
    world.take(Pressed("add:x1", "notice"))
    world.take(Typed("добавление"))
    addition = world.session.value("send_addition")
    world.take(Pressed("menu", "first"))
    press(world, "draft")
    for message in ("first", "first", "shown", "shown"):
        world.take(Pressed(addition, message))
        assert (screen(world), list(world.tickets), world.tickets["x1"].said) == ("review", ["x1"], [])
    world.take(Pressed("add:x1", "notice"))
    world.take(Pressed(request, "shown"))
    assert (list(world.tickets), world.tickets["x1"].said) == (["x1"], [])


@pytest.mark.parametrize("looked_at", ["menu", "my:0", "t:x2"])
def test_the_send_of_an_answer_that_was_left_shows_the_answer(looked_at: str) -> None:
    world = world_with_ticket("waiting")
    world.tickets["x2"] = replace(world.tickets["x1"], id="x2")
    world.take(Pressed("add:x1", "notice"))
    world.take(Typed("Третий этаж"))
    send = world.session.value("send_addition")
    world.take(Pressed(looked_at, "elsewhere"))
    world.take(Pressed(send, "first"))
    assert (screen(world), world.tickets["x1"].said) == ("adding", [])
    world.take(Pressed(send, "shown"))
    assert world.tickets["x1"].said == [("added", "Третий этаж")]


def test_an_addition_without_words_does_not_hide_the_request() -> None:
    world = reviewed()
    world.tickets["x1"] = world_with_ticket().tickets["x1"]
    world.take(Pressed("add:x1", "notice"))
    world.take(Pressed("menu", "first"))
    press(world, "draft")
    send = world.session.value("send")
    world.take(Pressed("my:0", "elsewhere"))
    world.take(Pressed(send, "first"))
    assert screen(world) == "review"


def test_a_double_tap_of_send_where_one_request_is_allowed_leaves_the_offer_to_add() -> None:
    world = reviewed()
    world.settings = replace(world.settings, one_open_ticket=True)
    world.tickets["x1"] = world_with_ticket().tickets["x1"]
    send = world.session.value("send")
    world.take(Pressed(send, "shown"))
    assert screen(world) == "one_open"
    world.now += timedelta(seconds=0.25)
    world.take(Pressed(send, "shown"))
    world.take(Pressed(world.session.value("give"), "shown"))
    assert [what for what, _ in world.tickets["x1"].said] == ["added"]


def test_a_letter_that_is_not_found_leaves_the_answer_where_it_is() -> None:
    world = world_with_ticket("waiting")
    world.take(Pressed("add:x1", "notice"))
    world.take(Typed("Третий этаж"))
    world.take(Pressed("more:nobodys:7:0", "old notice"))
    assert screen(world) == "adding"
    world.take(Pressed(world.session.value("send_addition"), "shown"))
    assert world.tickets["x1"].said == [("added", "Третий этаж")]


@pytest.mark.parametrize("fits", [True, False])
def test_words_for_a_closed_ticket_take_the_place_of_no_others(*, fits: bool) -> None:
    """A draft is open, other words wait for their place, and then a notice of a closed request is replied to."""
    world = reviewed()
    world.settings = replace(world.settings, max_text=200)
    world.tickets["x1"] = replace(world_with_ticket("closed").tickets["x1"])
    world.tickets["x2"] = replace(world_with_ticket().tickets["x1"], id="x2")
    world.take(Commanded("menu"))
    world.take(Typed("Шумит вентилятор"))
    assert screen(world) == "stray"
    world.replied = "x1"
    world.take(Typed("Опять сломалось" if fits else "Опять сломалось " * 12))
    assert screen(world) == "cannot_add"
    held = stray_of(world.session)
    assert held is not None
    assert "Опять сломалось" in held.words
    kept = held.words if fits else dropped_words(world.session)
    assert "Шумит вентилятор" in kept


@pytest.mark.parametrize(
    "tap", ["garbage", ["v", "m", 5], ["v", "m"], ["v", "m", "soon"], ["v", "m", "2026-11-23T06:40:00"], 7]
)
def test_a_tap_that_cannot_be_read_is_none(tap: object) -> None:
    assert last_of(Session("rest", {"tap": tap}, "tttt")) is None


def test_a_letter_read_in_the_middle_of_an_answer_leaves_the_answer_where_it_is() -> None:
    world = world_with_ticket("waiting")
    world.take(Pressed("add:x1", "notice"))
    world.take(Typed("Третий этаж"))
    send = world.session.value("send_addition")
    world.take(Pressed("more:x1:7:0", "notice"))
    assert screen(world) == "more"
    world.take(Typed("кабинет 312"))
    assert screen(world) == "adding"
    world.take(Pressed("more:x1:7:0", "notice"))
    world.take(Pressed(send, "first"))
    assert (screen(world), world.tickets["x1"].said) == ("adding", [])
    world.take(Pressed(world.session.value("send_addition"), "shown"))
    assert world.tickets["x1"].said == [("added", "Третий этаж\nкабинет 312")]


@pytest.mark.parametrize("looked_at", ["menu", "my:0", "t:x1", "more:x1:7:0"])
def test_send_after_something_else_was_looked_at_shows_what_it_would_send(looked_at: str) -> None:
    world = reviewed()
    send = world.session.value("send")
    world.tickets["x1"] = world_with_ticket().tickets["x1"]
    world.take(Pressed(looked_at, "elsewhere"))
    world.take(Pressed(send, "first"))
    assert screen(world) == "review"
    world.take(Pressed(world.session.value("send"), "shown"))
    assert len(world.tickets) == 2
