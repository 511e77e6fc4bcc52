"""What the transcripts do not reach: turns that no channel would send in this order, and sessions that lack what they need."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from imbot.dialog import orders as o
from imbot.dialog.draft import begin, draft_from_json, is_stale, to_json
from imbot.dialog.facts import Facts
from imbot.dialog.form import walk
from imbot.dialog.session import Session
from imbot.dialog.slots import addition_of, anew, bring_back, draft_of, stray_of
from imbot.dialog.turn import advance
from imbot.domain.chats import Attached, Blocked, Commanded, Edited, FileRef, Happened, Pressed, Shared, Typed
from tests.dialog.test_intake import catalogue
from tests.dialog.world import ANNA, CODE, Ticket, World


def world_with_ticket(status: str = "in_progress", **changes: Any) -> World:
    world = World(**changes)
    world.tickets["x1"] = Ticket("x1", "Принтер мигает", "IM-CL-1", status)
    return world


def press(world: World, name: str) -> None:
    world.take(Pressed(world.session.value(name)))


def screen(world: World) -> str:
    assert world.screen is not None
    return world.screen.name


def photo(unique: str = "u1", **more: Any) -> Attached:
    return Attached(FileRef(f"v-{unique}", unique, kind="photo"), message_id=f"p-{unique}", **more)


def problem(world: World) -> str:
    assert world.screen is not None
    return str(world.screen.values.get("problem", ""))


def test_a_press_may_replace_the_screen_and_words_may_not() -> None:
    world = World()
    assert not world.take(Commanded("start")).edit
    assert advance(world.session, Pressed(world.session.value("new")), world.facts()).edit


def test_being_shut_out_changes_nothing() -> None:
    world = World()
    world.take(Typed("Беда"))
    before = world.session
    turn = world.take(Blocked(True))
    assert (turn.screen, turn.session) == (None, before)


def test_a_dialog_without_a_token_gets_one() -> None:
    assert World().take(Commanded("start")).session.token == "k001"
    assert anew(Session(), Facts(fresh_token="")).token == ""


def test_a_token_is_never_the_name_of_a_durable_button() -> None:
    assert anew(Session(), Facts(fresh_token="rate")).token != "rate"


def test_somebody_who_was_linked_elsewhere_meanwhile_is_at_rest() -> None:
    world = World(person=None)
    world.take(Typed("ivanova@company.ru"))
    world.person = ANNA
    world.take(Typed(CODE))
    assert screen(world) == "category"


def test_until_a_request_is_begun_only_the_newest_screen_bears_buttons() -> None:
    world = World(person=None)
    for words in ("Печатает полосами", "ivanova@company.ru", "И скрипит", CODE, "Ещё вот что"):
        world.take(Typed(words))
        assert world.screen is not None
        assert world.screen.retires, world.screen.name
    press(world, "draft")
    assert world.screen is not None
    assert not world.screen.retires


def test_somebody_who_was_unlinked_keeps_the_draft_for_a_day() -> None:
    world = World()
    world.take(Typed("Беда"))
    world.now += timedelta(days=30)
    world.person = None
    world.take(Typed("Ещё беда"))
    assert screen(world) == "ask_address"
    world.take(Typed("ivanova@company.ru"))
    world.take(Typed(CODE))
    assert screen(world) == "welcome"
    press(world, "draft")
    assert world.screen is not None
    assert world.screen.values["text"] == "Беда\nЕщё беда"


def test_a_gone_person_is_told_and_the_draft_is_kept() -> None:
    world = World()
    world.take(Typed("Беда"))
    turn = advance(world.session, Happened("not_opened", {"reason": "gone", "ticket": ""}), world.facts())
    assert turn.screen is not None
    assert turn.screen.name == "gone"
    assert draft_of(turn.session)


def test_outcomes_of_the_future_show_nothing_new() -> None:
    assert advance(Session(), Happened("of_the_future"), World().facts()).screen is None
    more = advance(Session(), Happened("more", {"ticket": "x1", "title": "t", "text": "слова"}), World().facts())
    assert more.screen is not None
    assert more.screen.values["text"] == "слова"


def test_an_addition_whose_words_have_gone_shows_the_menu() -> None:
    facts = World().facts()
    turn = advance(Session("adding", {}, "tttt"), Happened("ticket", {"id": "x1", "can_add": True}), facts)
    assert turn.session.state == "rest"
    for event in (Typed("слова"), Pressed("tttt:send"), Commanded("cancel")):
        assert advance(Session("adding", {}, "tttt"), event, facts).session.state == "rest"
    assert advance(Session("stray", {}, "tttt"), Pressed("tttt:tonew"), facts).session.state == "rest"


def test_an_addition_is_gone_on_with_when_its_button_is_pressed_again() -> None:
    world = world_with_ticket()
    world.take(Pressed("add:x1"))
    world.take(Typed("Шумит"))
    world.take(Pressed("add:x1"))
    assert world.screen is not None
    assert world.screen.values["text"] == "Шумит"


def test_a_ticket_that_vanished_while_words_were_chosen_for_it_loses_nothing() -> None:
    world = world_with_ticket()
    world.take(Typed("Шумит"))
    value = world.session.value("to:x1")
    world.tickets["x1"].mine = True
    ticket = world.tickets["x1"]
    world.take(Pressed("old1:to:x1"))
    assert screen(world) == "stray"
    facts = world.facts()
    turn = advance(world.session, Pressed(value), facts)
    ticket.mine = False
    turn = advance(turn.session, Happened("not_found"), facts)
    assert turn.screen is not None
    assert (turn.screen.name, turn.screen.values["problem"]) == ("stray", "not_found")
    pile = stray_of(turn.session)
    assert pile is not None
    assert pile.words == "Шумит"


def test_giving_without_a_draft_shows_the_menu() -> None:
    world = world_with_ticket(session=Session("one_open", {}, "tttt"))
    world.take(Pressed("tttt:give"))
    assert screen(world) == "menu"


def test_what_was_cancelled_changes_places_with_what_was_begun_since() -> None:
    world = World()
    world.take(Typed("Первое"))
    press(world, "cancel")
    world.take(Typed("Второе"))
    world.take(Pressed("menu"))
    press(world, "restore")
    assert world.screen is not None
    assert world.screen.values["text"] == "Первое"
    press(world, "cancel")
    assert world.orders == [o.DropDraft(draft_id(world, "Второе"))]
    session, kind, orders = bring_back(Session(), world.facts())
    assert (session, kind, orders) == (Session(), "", ())


def draft_id(world: World, _: str) -> str:
    return f"id{3:014}"


def test_a_moment_that_cannot_be_read_has_passed() -> None:
    assert is_stale("yesterday", World().facts())
    assert is_stale(None, World().facts())


def test_an_early_draft_of_which_nothing_came_is_none() -> None:
    world = World(person=None)
    world.take(Shared("poll"))
    assert world.screen is not None
    assert world.screen.values["problem"] == "not_text"
    assert draft_of(world.session) is None
    world.take(Edited("слова", "m9"))
    assert draft_of(world.session) is None


def test_an_edit_before_sign_in_that_does_not_fit_is_told() -> None:
    world = World(person=None, settings=replace(World().settings, max_text=20))
    world.take(Typed("Принтер мигает", "m1"))
    world.take(Edited("Принтер мигает и ещё не печатает", "m1"))
    assert problem(world) == "edit_too_long"
    draft = draft_of(world.session)
    assert draft is not None
    assert draft.pile.words == "Принтер мигает"


def test_a_long_complaint_is_passed_on_whole() -> None:
    world = world_with_ticket("resolved")
    world.take(Pressed("rate:x1:1"))
    world.take(Typed("ж" * 4096))
    assert world.tickets["x1"].said == [("complaint", "ж" * 4096)]


def test_photos_of_a_complaint_go_on_whichever_way_the_question_is_left() -> None:
    for leave in (Commanded("newticket"), Pressed("menu"), Pressed("rate:x1:5"), Pressed("add:x1"), Commanded("me")):
        world = world_with_ticket("resolved")
        world.take(Pressed("rate:x1:1"))
        world.take(photo())
        assert screen(world) == "complain"
        world.take(leave)
        assert [order.files_id for order in world.orders if isinstance(order, o.AddToTicket)] == ["id00000000000002"]
        assert world.tickets["x1"].files == ["u1"]
        assert screen(world) != "added"


def test_photos_of_one_complaint_never_go_to_another_ticket() -> None:
    world = world_with_ticket("resolved")
    world.tickets["x2"] = Ticket("x2", "Мышь", "IM-CL-2", "resolved")
    world.take(Pressed("rate:x1:1"))
    world.take(photo())
    world.take(Pressed("rate:x2:1"))
    world.take(Typed("Долго"))
    assert world.tickets["x1"].files == ["u1"]
    assert world.tickets["x2"].files == []
    assert world.tickets["x2"].said == [("complaint", "Долго")]


def test_what_was_written_elsewhere_never_gets_into_a_complaint() -> None:
    world = world_with_ticket("in_progress")
    world.tickets["x2"] = Ticket("x2", "Мышь", "IM-CL-2", "resolved")
    world.take(Typed("Личное"))
    world.take(Pressed("rate:x2:1"))
    world.take(Typed("Долго"))
    assert world.tickets["x2"].said == [("complaint", "Долго")]
    press(world, "stray")
    assert world.screen is not None
    assert world.screen.values["text"] == "Личное"


def test_a_sign_in_that_says_nothing_about_the_code_still_shows_something() -> None:
    turn = advance(
        Session("code", {"signin": {"address": "a@b.ru"}}, "tttt"), Happened("code_checked"), World(person=None).facts()
    )
    assert turn.screen is not None
    assert turn.screen.name == "wait_code"


def test_a_file_of_the_same_kind_twice_is_one() -> None:
    world = World()
    world.take(photo())
    world.take(photo())
    assert sum(map(len, world.kept.values())) == 1
    assert world.screen is not None
    assert world.screen.values["files"] == 1


def test_a_draft_without_a_description_question_is_walked_back_through() -> None:
    world = World(catalogue=catalogue(ask_description=False))
    draft = replace(begin(world.facts()), category="a", subcategory="one")
    assert walk(draft, world.facts()) == [
        "category",
        "subcategory",
        "location",
        "field:inv",
        "field:phone",
        "field:day",
        "field:os",
    ]


def test_the_new_request_after_silence_bears_the_old_one() -> None:
    world = world_with_ticket("resolved")
    world.take(Pressed("new:x1"))
    draft = draft_of(world.session)
    assert draft is not None
    assert draft.previous == "x1"
    world.take(Typed("Опять"))
    world.take(Pressed("new:x1"))
    assert screen(world) == "offer"
    press(world, "anew")
    draft = draft_of(world.session)
    assert draft is not None
    assert (draft.previous, draft.pile.words) == ("x1", "")


def test_buttons_of_other_moments_do_nothing_at_rest() -> None:
    world = World()
    world.take(Commanded("start"))
    for name in ("yes", "anew", "give", "cancel", "unlink", "lang:en", "addition", "stray", "draft", "restore", "send"):
        press(world, name)
        assert world.session.state in ("rest", "cancelled")
        assert world.orders == []
    world.take(Commanded("me"))
    press(world, "lang:xx")
    assert world.orders == []


def test_a_reply_is_sent_beside_an_unsent_addition_to_another_ticket() -> None:
    world = world_with_ticket()
    world.tickets["x2"] = Ticket("x2", "Мышь", "IM-CL-2", "waiting")
    world.take(Pressed("add:x1"))
    world.take(Typed("Шумит"))
    world.replied = "x2"
    world.take(Typed("Да"))
    addition = addition_of(world.session)
    assert addition is not None
    assert (addition.ticket, addition.pile.words) == ("x1", "Шумит")
    assert world.tickets["x2"].said == [("added", "Да")]


def test_a_reply_that_is_too_long_waits_and_says_so() -> None:
    world = world_with_ticket()
    world.replied = "x1"
    world.settings = replace(world.settings, max_text=10)
    turn = world.take(Typed("Это куда длиннее", "m1"))
    assert turn.screen is not None
    assert (turn.screen.name, turn.screen.values["problem"]) == ("adding", "too_long")
    assert not any(isinstance(order, o.AddToTicket) for order in world.orders)


def test_json_of_a_draft_is_plain() -> None:
    facts = Facts(now=datetime(2026, 11, 23, tzinfo=UTC), fresh_id="x")
    data = to_json(begin(facts))
    assert data["pile"] == {"id": "x", "parts": [], "files": [], "missed": [], "beyond": 0}
    older = {**data, "pile": {"id": "x", "parts": [], "files": []}}
    assert draft_from_json(older) == begin(facts)


def test_an_edit_of_a_message_that_gave_nothing_shows_nothing() -> None:
    world = World()
    world.take(Typed("Беда", "m1"))
    press(world, "c:advice")
    press(world, "send")
    for edited in (Edited("слова", "m9"), Edited("", "m1")):
        assert world.take(edited).screen is None
        assert world.orders == []


def test_the_menu_names_a_draft_of_nothing_but_photos() -> None:
    world = World()
    world.take(photo())
    world.take(Commanded("menu"))
    assert world.screen is not None
    assert world.screen.values["draft"] == "Заявка"


def test_what_is_being_gathered_stands_through_small_talk_and_is_cancelled_by_command() -> None:
    world = world_with_ticket()
    world.take(Typed("Шумит"))
    world.take(Commanded("nosuch"))
    assert screen(world) == "stray"
    world.take(Commanded("cancel"))
    assert screen(world) == "cancelled"
    world.take(Pressed("add:x1"))
    world.take(Typed("Гудит"))
    world.take(Shared("sticker"))
    assert screen(world) == "adding"
    world.take(Commanded("cancel"))
    assert screen(world) == "cancelled"


def test_thanks_answer_no_question_of_ours() -> None:
    world = world_with_ticket()
    world.take(Pressed("wd:x1"))
    world.take(Typed("спасибо"))
    assert screen(world) == "withdraw"
    assert world.orders == []


def test_consent_that_a_company_asks_for_later_stands_before_everything() -> None:
    world = World()
    world.take(Typed("Беда"))
    world.settings = replace(world.settings, consent=True)
    press(world, "c:advice")
    assert screen(world) == "consent"
    press(world, "agree")
    assert screen(world) == "welcome"
    press(world, "draft")
    assert world.screen is not None
    assert world.screen.values["text"] == "Беда"
