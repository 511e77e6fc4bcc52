"""The current screen again: the answer to a button that it does not offer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.dialog.session import Session
from imbot.dialog.slots import draft_of
from imbot.dialog.turn import advance
from imbot.domain.chats import Commanded, Happened, Pressed, Typed
from tests.dialog.test_turn import press, problem, screen, world_with_ticket
from tests.dialog.world import Ticket, World


@pytest.mark.parametrize("state", ["me", "unlink", "help", "withdraw", "cancelled", "rest"])
def test_an_old_button_shows_the_current_screen_again(state: str) -> None:
    world = world_with_ticket()
    world.take(Commanded("start"))
    world.session = world.session.go(state)
    turn = world.take(Pressed("old1:send"))
    assert turn.screen is not None
    assert turn.screen.name == {"rest": "menu"}.get(state, state)
    assert turn.session.state == state
    assert turn.orders == ()


@pytest.mark.parametrize("state", ["offer", "welcome", "one_open"])
def test_an_old_button_shows_those_screens_too_while_they_make_sense(state: str) -> None:
    world = world_with_ticket()
    world.take(Typed("Беда"))
    press(world, "tonew")
    world.session = world.session.go(state)
    assert world.take(Pressed("old1:x")).screen.name == state  # type: ignore[union-attr]
    world.session = Session(state, {}, "tttt")
    world.tickets = {}
    assert world.take(Pressed("old1:x")).screen.name == "menu"  # type: ignore[union-attr]


def test_an_old_button_is_said_to_be_one_wherever_somebody_stands() -> None:
    world = World(person=None)
    for text in ("/start", "ivanova@company.ru"):
        world.take(Typed(text))
        world.take(Pressed("old1:send"))
        assert world.screen is not None
        assert world.screen.values["problem"] == "old_button"
    world.take(Pressed("t:x1"))  # it works again after sign-in
    assert world.screen is not None
    assert world.screen.values["problem"] == "sign_in_first"
    world = World(settings=replace(World().settings, consent=True))
    world.take(Pressed("old1:send"))
    assert (screen(world), problem(world)) == ("consent", "old_button")
    world.take(Pressed("rate:x1:5"))
    assert (screen(world), problem(world)) == ("consent", "")


def test_the_second_tap_of_a_double_tap_is_no_old_button() -> None:
    world = world_with_ticket()
    world.take(Commanded("newticket"))
    first = world.session.value("c:hardware")
    world.take(Pressed(first))
    for _ in range(2):
        world.take(Pressed(first))
        assert (screen(world), problem(world)) == ("subcategory", "")
    assert problem(world) == ""
    world.now += timedelta(seconds=4)
    assert world.take(Pressed(first)).screen is not None  # no double tap any more: they want to see where they are
    world.take(Pressed("old1:send"))
    assert problem(world) == "old_button"
    world.take(Pressed(first))
    assert problem(world) == "old_button"


def test_a_second_tap_does_not_take_the_place_of_what_the_first_one_said() -> None:
    world = world_with_ticket()
    world.take(Pressed("add:x1"))
    world.take(Typed("Ещё и шумит"))
    send = world.session.value("send_addition")
    world.tickets["x1"].status = "closed"  # while they wrote
    world.take(Pressed(send))
    assert world.screen is not None
    assert (world.screen.name, world.screen.values["kept"]) == ("cannot_add", True)
    assert world.take(Pressed(send)).screen is None
    world.now += timedelta(minutes=1)
    world.owed = True  # Telegram was away
    assert world.take(Pressed(send)).screen is None
    assert draft_of(world.session) is not None


def test_an_addition_to_what_is_not_theirs_is_kept_and_words_of_no_addition_stay_where_they_are() -> None:
    world = world_with_ticket()
    world.take(Pressed("add:x1"))
    world.take(Typed("Ещё и шумит"))
    world.tickets["x1"].mine = False
    world.take(Pressed(world.session.value("send_addition")))
    assert screen(world) == "menu"
    assert draft_of(world.session) is not None
    values = {"ticket": "x1", "title": "Принтер", "number": "IM-CL-1"}
    turn = advance(Session("rest", {"sending": "stray"}, "tttt"), Happened("cannot_add", values), world.facts())
    assert turn.screen is not None
    assert turn.screen.name == "menu"
    nothing = advance(Session("adding", {}, "tttt"), Happened("not_found", {}), world.facts())
    assert nothing.session.state == "rest"


def test_words_out_of_the_blue_are_offered_first_to_the_request_that_waits_for_words() -> None:
    world = World()
    for number, status in enumerate(("waiting", "new", "in_progress", "new"), 1):
        created = world.now + timedelta(minutes=number)
        world.tickets[f"x{number}"] = Ticket(f"x{number}", "Принтер", "", status, created_at=created)
    world.take(Typed("Можно прийти после трёх"))
    assert world.screen is not None
    assert [one["id"] for one in world.screen.values["tickets"]] == ["x1", "x4", "x3"]
