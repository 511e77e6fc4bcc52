"""What somebody types where a button would have said it, and what a button says that has nothing to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.dialog.layout import OLD
from imbot.dialog.orders import AddToTicket
from imbot.dialog.slots import draft_of, open_draft, stray_of
from imbot.domain.chats import Commanded, Pressed, Typed
from tests.dialog.test_turn import press, problem, screen, world_with_ticket
from tests.dialog.world import ANNA, CODE, World


@pytest.mark.parametrize(
    ("words", "pressed"), [("Да", "yes"), ("да, конечно!", "yes"), ("no", "no"), ("Не надо.", "no")]
)
def test_a_question_that_yes_and_no_answer_takes_them_in_words(words: str, pressed: str) -> None:
    said, tapped = world_with_ticket(), world_with_ticket()
    for world in (said, tapped):
        world.take(Pressed("wd:x1"))
        assert screen(world) == "withdraw"
    turn = said.take(Typed(words))
    press(tapped, pressed)
    assert (screen(said), said.orders) == (screen(tapped), tapped.orders)
    assert stray_of(said.session) is None
    assert not turn.edit
    world = world_with_ticket()
    world.take(Pressed("wd:x1"))
    world.take(Typed("да, но сначала почините"))  # that says more
    assert stray_of(world.session) is not None


@pytest.mark.parametrize(("words", "name"), [("да", "draft"), ("нет", "cancel")])
def test_what_was_kept_before_the_sign_in_goes_on_or_not_by_a_word(words: str, name: str) -> None:
    said, tapped = World(person=None), World(person=None)
    for world in (said, tapped):
        for each in ("Печатает полосами", "ivanova@company.ru", CODE):
            world.take(Typed(each))
        assert screen(world) == "welcome"
    said.take(Typed(words))
    press(tapped, name)
    assert screen(said) == screen(tapped) != "welcome"
    assert said.screen is not None
    assert tapped.screen is not None
    assert said.screen.values == tapped.screen.values


def test_a_word_unlinks_as_the_button_does() -> None:
    world = World()
    world.take(Commanded("me"))
    press(world, "unlink")
    world.take(Typed("нет"))
    assert (screen(world), world.person) == ("me", ANNA)
    press(world, "unlink")
    world.take(Typed("да"))
    assert world.person is None


@pytest.mark.parametrize("address", ["ivanova @ company.ru", "ivanova@ company.ru", "Ivanova @company.ru"])
def test_an_address_with_the_blanks_of_a_phone_is_one(address: str) -> None:
    world = World(person=None)
    world.take(Typed(address))
    assert screen(world) == "wait_code"
    assert open_draft(world.session) is None


def test_figures_in_place_of_a_code_are_no_request() -> None:
    world = World(person=None)
    world.take(Typed("ivanova@company.ru"))
    world.take(Typed("12 34"))
    assert problem(world) == "not_a_code"
    assert open_draft(world.session) is None


def test_the_number_of_a_ticket_alone_shows_it() -> None:
    for words in ("IM-CL-1", "№ im-cl-1."):
        world = world_with_ticket()
        world.take(Typed(words))
        assert screen(world) == "ticket"
        assert stray_of(world.session) is None
    world.take(Typed("IM-CL-2"))
    assert screen(world) == "stray"


@pytest.mark.parametrize(
    "words",
    [
        "Статус?",
        "где моя заявка",
        "Where is my ticket?",
        "какой статус",
        "Подскажите статус моей заявки, пожалуйста",
        "ну что там??",
        "Что с моей заявкой?",
        "как там заявка",
        "What's the status of my request?",
        "Where's my request",
        "status please",
    ],
)
def test_who_asks_for_the_status_sees_the_requests(words: str) -> None:
    world = world_with_ticket()
    world.take(Typed(words))
    assert screen(world) == "tickets"


@pytest.mark.parametrize(
    "words", ["статус принтера красный", "что там с принтером", "заявка", "где мой принтер", "что"]
)
def test_what_only_sounds_like_it_is_no_such_question(words: str) -> None:
    world = world_with_ticket()
    world.take(Typed(words))
    assert screen(world) != "tickets"


def reviewed() -> World:
    world = World()
    world.take(Typed("Печатает полосами"))
    while screen(world) != "review":
        assert world.screen is not None
        world.take(Pressed(world.screen.rows[0][0].value))  # the first of each list
    return world


@pytest.mark.parametrize(
    "words", ["Отправить", "да, отправляйте!", "Отправить…", "отправь пожалуйста", "Send it", "yes, send"]
)
def test_a_request_that_is_shown_whole_is_sent_by_a_word(words: str) -> None:
    said, tapped = reviewed(), reviewed()
    said.take(Typed(words))
    press(tapped, "send")
    assert [each.title for each in said.tickets.values()] == [each.title for each in tapped.tickets.values()] != []
    assert said.session.state == tapped.session.state != "form"
    said.take(Typed(words))  # said twice it is no second request
    assert len(said.tickets) == 1


@pytest.mark.parametrize("words", ["Исправить", "изменить описание", "Change", "изменить заявку"])
def test_a_word_opens_the_list_of_changes(words: str) -> None:
    world = reviewed()
    world.take(Typed(words))
    assert screen(world) == "change"
    world.take(Typed("изменить"))  # said again it is no part of the request
    assert screen(world) == "change"
    world.take(Typed("Отправить"))  # not before it has been looked through
    assert (screen(world), world.tickets, told(world)) == ("review", {}, "Печатает полосами")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Описание", "description"),
        ("изменить описание", "description"),
        ("раздел", "category"),
        ("Где", "location"),
        ("телефон", "phone"),
        ("E-mail", "mail"),
    ],
)
def test_a_thing_that_is_to_be_changed_is_named_in_words(words: str, shown: str) -> None:
    world = reviewed()
    press(world, "change")
    world.take(Typed(words))
    assert (screen(world), told(world)) == (shown, "Печатает полосами")


def test_no_other_word_is_anything_but_part_of_a_request() -> None:
    world = reviewed()
    # Perhaps meant for news that have come since, or a question, or a refusal.
    for words in (
        "да",
        "нет",
        "Yes",
        "верно",
        "Всё верно?",
        "подтверждаю",
        "it's correct",
        "Отправить?",
        "❌ отправить",
    ):
        world.take(Typed(words))
        assert (screen(world), world.tickets, told(world)) == ("review", {}, "Печатает полосами")
    world.take(Typed("отправить на печать не могу"))
    world.take(Typed("изменить почту"))  # may be what is asked for
    press(world, "change")
    world.take(Typed("и бумаги нет"))  # seen at once
    assert screen(world) == "review"
    assert told(world) == "Печатает полосами\nотправить на печать не могу\nизменить почту\nи бумаги нет"


def told(world: World) -> str:
    draft = draft_of(world.session)
    assert draft is not None
    return draft.pile.words


def test_nobody_sends_by_a_word_what_is_not_in_the_chat_yet() -> None:
    world = reviewed()
    world.owed = True
    world.take(Typed("не могу"))
    world.take(Typed("отправить"))  # one sentence in two messages, the review still on its way
    assert (screen(world), world.tickets) == ("review", {})
    world.owed = False
    world.take(Typed("отправить"))
    assert len(world.tickets) == 1
    world = world_with_ticket("waiting")
    world.take(Pressed("add:x1"))
    world.owed = True
    world.take(Typed("не могу"))
    world.take(Typed("отправить"))
    assert not any(isinstance(each, AddToTicket) for each in world.orders)
    assert world.screen is not None
    assert world.screen.values["text"] == "не могу\nотправить"


@pytest.mark.parametrize("step", ["description", "location", "phone", "mail"])
def test_the_word_of_a_button_said_twice_changes_nothing(step: str) -> None:
    for words in ("описание", "отправить", "где", "исправить"):
        world = reviewed()
        press(world, "change")
        press(world, f"ch:{step}")
        for _ in range(2):
            world.take(Typed(words))
            assert (screen(world), told(world), world.tickets) == (step, "Печатает полосами", {})


def test_an_addition_is_sent_by_a_word_and_what_may_be_an_answer_is_one() -> None:
    world = world_with_ticket("waiting")
    world.take(Pressed("add:x1"))
    for words in ("да", "верно", "подтверждаю"):
        world.take(Typed(words))
        assert screen(world) == "adding"
    world.replied = "x1"
    world.take(Typed("отправить"))  # a reply to that request
    assert not any(isinstance(each, AddToTicket) for each in world.orders)
    world.take(Typed("Отправить"))
    sent = next(each for each in world.orders if isinstance(each, AddToTicket))
    assert sent.text == "да\nверно\nподтверждаю\nотправить"
    world = world_with_ticket("waiting")
    world.take(Pressed("add:x1"))
    world.take(Typed("Отправить"))  # may be what support asked about
    assert screen(world) == "adding"
    assert world.screen is not None
    assert world.screen.values["text"] == "Отправить"


def test_an_old_button_to_withdraw_says_why_there_is_nothing_to_withdraw() -> None:
    world = world_with_ticket("closed")
    world.take(Pressed("wd:x1"))
    assert (screen(world), problem(world)) == ("ticket", "nothing_to_withdraw")
    world = world_with_ticket()
    world.take(Pressed("t:x1"))
    assert problem(world) == ""


def test_a_change_of_the_description_does_not_offer_to_cancel_the_request() -> None:
    world = World()
    world.take(Commanded("newticket"))
    assert world.screen is not None
    while screen(world) != "description":  # the first of each list
        world.take(Pressed(world.screen.rows[0][0].value))
    labels = [one.label for row in world.screen.rows for one in row]
    assert "cancel" in labels, labels
    world.take(Typed("Печатает полосами"))
    while screen(world) != "review":
        world.take(Pressed(world.screen.rows[0][0].value))
    press(world, "change")
    press(world, "ch:description")
    assert screen(world) == "description"
    labels = [one.label for row in world.screen.rows for one in row]
    assert (labels.count("back"), labels.count("cancel")) == (1, 0), labels


def test_a_cancel_with_nothing_written_says_what_can_be_brought_back() -> None:
    world = World()
    world.take(Typed("Печатает полосами"))
    world.take(Commanded("cancel"))
    assert world.screen is not None
    assert not world.screen.values["earlier"]
    world.take(Commanded("newticket"))
    world.take(Commanded("cancel"))
    assert (world.screen.values["earlier"], world.screen.values["text"]) == (True, "Печатает полосами")


def test_a_ticket_that_was_offered_may_be_chosen_when_its_day_is_over() -> None:
    world = world_with_ticket("resolved")
    world.tickets["x1"].resolved_at = world.now - timedelta(hours=23)
    world.take(Typed("Опять мигает"))
    assert screen(world) == "stray"
    offered = world.session.value("to:x1")
    world.now += timedelta(hours=2)
    world.take(Pressed(offered))
    assert problem(world) == ""
    assert [order for order in world.orders if isinstance(order, AddToTicket)]
    assert [words for _, words in world.tickets["x1"].said] == ["Опять мигает"]
    assert stray_of(world.session) is None


def test_a_ticket_that_was_not_offered_may_not() -> None:
    world = world_with_ticket()
    world.take(Typed("Ещё вот что"))
    world.take(Pressed(world.session.value("to:another")))
    assert problem(world) == OLD


def test_who_asks_for_a_human_behind_words_that_hang_is_told_as_well_and_keeps_them() -> None:
    world = world_with_ticket()
    world.settings = replace(world.settings, support_contact="12-34")
    world.take(Typed("алло"))
    assert screen(world) == "stray"
    world.take(Typed("позовите человека"))
    assert world.screen is not None
    assert (world.screen.name, world.screen.values["greeting"]) == ("menu", "human")
    pile = stray_of(world.session)
    assert pile is not None
    assert pile.words == "алло"


def test_who_asks_for_a_human_is_told_where_one_is_and_files_nothing() -> None:
    world = World()
    world.settings = replace(world.settings, support_contact="12-34")
    world.take(Typed("Позовите человека!"))
    assert world.screen is not None
    assert (world.screen.name, world.screen.values["greeting"]) == ("menu", "human")
    assert world.screen.values["support_contact"] == "12-34"
    assert draft_of(world.session) is None
    world.settings = replace(world.settings, support_contact="")  # nothing could be said
    world.take(Typed("Позовите человека!"))
    assert draft_of(world.session) is not None
