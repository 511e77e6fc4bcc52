from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from imbot.store import files, sessions
from imbot.store.files import FileRow
from imbot.store.sessions import OwedScreen, Slot
from tests.store.conftest import NOW, link_anna

ANNA, EVE = "telegram:1001", "telegram:666"
LATER = NOW + timedelta(seconds=5)
MENU, HELP = {"name": "menu"}, {"name": "help"}


def owe(c: Connection, screen: dict[str, str], *, edit: bool = False) -> int:
    return sessions.owe(c, ANNA, screen, NOW, edit, NOW).seq


def owed(c: Connection) -> list[OwedScreen]:
    return sessions.owed(c, LATER, 10)


def test_a_session_is_saved_and_loaded(c: Connection) -> None:
    assert sessions.load(c, ANNA) is None
    sessions.save(c, ANNA, {"state": "menu", "data": {"x": [1]}}, NOW)
    sessions.save(c, ANNA, {"state": "review"}, LATER)
    sessions.save(c, EVE, {"state": "address"}, LATER)
    assert sessions.load(c, ANNA) == {"state": "review"}


def test_the_newest_screen_wins(c: Connection) -> None:
    owe(c, MENU)
    seq = owe(c, HELP)
    assert owed(c) == [OwedScreen(ANNA, seq, HELP, "", 0)]
    sessions.shown(c, ANNA, seq, "m1", LATER)
    assert owed(c) == []
    assert sessions.slot(c, ANNA) == Slot(HELP, "m1", seq, True)
    assert sessions.slot(c, EVE) is None


def test_an_edit_changes_the_message_shown_last(c: Connection) -> None:
    sessions.shown(c, ANNA, owe(c, MENU), "m1", NOW)
    seq = owe(c, HELP, edit=True)
    assert owed(c) == [OwedScreen(ANNA, seq, HELP, "m1", 0)]
    assert sessions.slot(c, ANNA) == Slot(HELP, "m1", seq, False)
    seq = owe(c, MENU, edit=True)
    assert owed(c)[0].edit_message_id == "m1"


def test_an_edit_in_place_of_a_message_never_shown_is_a_new_message(c: Connection) -> None:
    sessions.shown(c, ANNA, owe(c, MENU), "m1", NOW)
    owe(c, HELP)
    owe(c, MENU, edit=True)
    assert owed(c)[0].edit_message_id == ""


def test_a_screen_waits_for_its_moment(c: Connection) -> None:
    sessions.owe(c, ANNA, MENU, LATER, False, NOW)
    assert sessions.owed(c, NOW, 10) == []
    assert len(sessions.owed(c, LATER, 10)) == 1


def test_what_one_chat_is_owed_is_known_before_it_is_due(c: Connection) -> None:
    assert sessions.owed_to(c, ANNA) is None
    seq = sessions.owe(c, ANNA, MENU, LATER, False, NOW).seq
    assert sessions.owed_to(c, ANNA) == OwedScreen(ANNA, seq, MENU, "", 0)
    sessions.shown(c, ANNA, seq, "m1", NOW)
    assert sessions.owed_to(c, ANNA) is None


def test_a_screen_shown_late_leaves_a_newer_one_owed(c: Connection) -> None:
    first = owe(c, MENU)
    second = owe(c, HELP)
    sessions.shown(c, ANNA, first, "m1", NOW)
    assert [screen.seq for screen in owed(c)] == [second]
    assert sessions.slot(c, ANNA) == Slot(HELP, "m1", second, False)


def test_many_are_shown_at_once(c: Connection) -> None:
    first = owe(c, MENU)
    other = sessions.owe(c, EVE, MENU, NOW, False, NOW).seq
    sessions.shown_many(c, [(ANNA, first, "a"), (EVE, other, "e")], NOW)
    sessions.shown_many(c, [], NOW)
    assert owed(c) == []
    assert [slot.message_id for slot in (sessions.slot(c, ANNA), sessions.slot(c, EVE)) if slot] == ["a", "e"]


def test_a_screen_that_could_not_be_shown_comes_again_later(c: Connection) -> None:
    seq = owe(c, MENU)
    sessions.not_shown(c, ANNA, seq, LATER, "429")
    assert sessions.owed(c, NOW, 10) == []
    assert owed(c) == [OwedScreen(ANNA, seq, MENU, "", 1)]
    newer = owe(c, HELP)
    sessions.not_shown(c, ANNA, seq, LATER + timedelta(1), "late")
    assert owed(c) == [OwedScreen(ANNA, newer, HELP, "", 0)]
    sessions.give_up(c, ANNA, seq)
    assert len(owed(c)) == 1
    sessions.give_up(c, ANNA, newer, "blocked")
    assert owed(c) == []
    assert sessions.slot(c, ANNA) == Slot(HELP, "", newer, True)


def test_a_released_message_is_left_alone(c: Connection) -> None:
    sessions.release_slot(c, ANNA)  # there is none yet
    review = owe(c, MENU)
    sessions.shown(c, ANNA, review, "m1", NOW)
    sessions.release_slot(c, ANNA)
    assert sessions.slot(c, ANNA) == Slot(None, "", review, True)
    owe(c, HELP, edit=True)
    assert owed(c)[0].edit_message_id == ""


def test_a_release_drops_what_was_owed_and_what_is_just_being_shown(c: Connection) -> None:
    seq = owe(c, MENU)
    sessions.release_slot(c, ANNA)
    assert owed(c) == []
    sessions.shown(c, ANNA, seq, "m1", NOW)
    assert sessions.slot(c, ANNA) == Slot(None, "", seq, True)


def test_idle_sessions_are_forgotten_but_no_screen_that_is_owed(c: Connection) -> None:
    for chat in (ANNA, EVE):
        sessions.save(c, chat, {}, NOW)
        sessions.owe(c, chat, MENU, NOW, False, NOW)
    sessions.shown(c, EVE, 1, "m", NOW)
    assert sessions.prune(c, NOW) == 0
    assert sessions.prune(c, LATER) == 2
    assert sessions.load(c, ANNA) is None
    assert sessions.slot(c, EVE) is None
    assert len(owed(c)) == 1


def test_what_strangers_wrote_is_forgotten_and_what_signed_in_people_wrote_is_not(c: Connection) -> None:
    person = link_anna(c)
    for chat in (ANNA, EVE):
        sessions.save(c, chat, {"state": "address"}, NOW)
        row = FileRow(f"f-{chat}", f"d-{chat}", chat, "v", "u", "a.jpg", 1, "", "photo", "", "1", "", "wanted", NOW)
        files.add(c, row)
    assert sessions.prune_strangers(c, NOW) == 0
    assert sessions.prune_strangers(c, LATER) == 1
    assert sessions.load(c, EVE) is None
    assert files.of_ticket(c, f"d-{EVE}") == []
    assert sessions.load(c, ANNA) is not None
    assert len(files.of_ticket(c, f"d-{ANNA}")) == 1
    assert person.id
