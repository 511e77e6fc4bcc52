"""What is sent or tapped twice is done once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imbot.dialog.slots import draft_of
from imbot.domain.chats import Pressed, Typed
from tests.dialog.test_turn import screen, world_with_ticket
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
