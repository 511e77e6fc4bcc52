"""A letter that waits for nothing is composed with its turn; whatever else is left to the courier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imbot.config import packed
from imbot.domain.chats import Pressed
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, Parcel
from imbot.mime import letter_to_bytes
from imbot.services import composing
from imbot.services import letters as ticket_letters
from imbot.store import letters, outbox, people, tickets
from imbot.store.touched import all_taken
from imbot.templates import Templates
from tests.services.conftest import ANNA, MOSCOW, Office


@pytest.fixture
def desk(office: Office) -> Office:
    """One whose turns may compose."""
    office.env = replace(office.env, templates=Templates((packed("templates"),), MOSCOW))
    office.link()
    return office


def send(office: Office, words: str = "Мигает красным", *photos: str) -> list[Parcel]:
    """What the courier is given behind that commit."""
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    office.say(words)
    for photo in photos:
        office.attach(photo)
    office.show(message_id="review")
    value = next(one["value"] for row in office.screen()["rows"] for one in row if one["label"] == "send")
    all_taken(office.c)
    office.take(ANNA, Pressed(value, "review"))
    return all_taken(office.c)


def letter_of(taken: list[Parcel]) -> Letter | None:
    return next((parcel.at_hand for parcel in taken if isinstance(parcel.at_hand, Letter)), None)


def kinds(office: Office) -> set[Kind]:
    return {one.parcel.kind for one in outbox.open_parcels(office.c, 50)}


def test_a_request_of_words_alone_is_a_letter_as_soon_as_it_is_sent(desk: Office, tmp_path: Path) -> None:
    taken = send(desk)
    assert [(parcel.kind, parcel.attempt) for parcel in taken] == [(Kind.LETTER, 1)]  # the receipt gives it a moment
    assert kinds(desk) == {Kind.RECEIPT, Kind.LETTER}
    (ticket,) = tickets.open_of_person(desk.c, 1, 1)
    stored = ticket_letters.to_send(desk.c, ticket.message_id, tmp_path)
    at_hand = letter_of(taken)
    assert stored is not None
    assert at_hand is not None
    assert letter_to_bytes(at_hand) == letter_to_bytes(stored)  # another try sends what the first one sent
    assert "Мигает красным" in at_hand.text
    assert outbox.by_key(desk.c, f"pack:{ticket.message_id}") is None  # it was never ordered of the courier


@pytest.mark.parametrize(("words", "photos"), [("Мигает красным", ("a.jpg",)), ("долго " * 500, ())])
def test_what_has_files_or_is_long_is_composed_by_the_courier(
    desk: Office, words: str, photos: tuple[str, ...]
) -> None:
    assert letter_of(send(desk, words, *photos)) is None
    assert Kind.PACK in kinds(desk)
    assert Kind.LETTER not in kinds(desk)


def test_a_template_that_cannot_be_rendered_costs_no_turn(desk: Office, tmp_path: Path) -> None:
    desk.env = replace(desk.env, templates=Templates((tmp_path,), MOSCOW))
    assert letter_of(send(desk)) is None
    assert Kind.PACK in kinds(desk)
    assert letters.letters_of(desk.c, tickets.open_of_person(desk.c, 1, 1)[0].id) == []


def test_what_is_under_way_already_is_not_composed_again(desk: Office, tmp_path: Path) -> None:
    packed_ones = desk.env.templates
    desk.env = replace(desk.env, templates=Templates((tmp_path,), MOSCOW))
    send(desk)
    desk.env = replace(desk.env, templates=packed_ones)
    desk.later(seconds=5)
    taken = send(desk, "Теперь и скрипит")
    assert [parcel.kind for parcel in taken] == [Kind.LETTER]
    letter = letter_of(taken)
    assert letter is not None
    assert "скрипит" in letter.text


def test_an_addition_stands_behind_what_is_open_and_is_composed_by_then(desk: Office) -> None:
    """What it may say of the ticket, its number above all, is not known before its turn has come."""
    (first,) = send(desk)
    (ticket,) = tickets.open_of_person(desk.c, 1, 1)
    person = people.person(desk.c, 1)
    assert person is not None
    for number, (open_before, kind) in enumerate([(True, Kind.PACK), (False, Kind.LETTER)]):
        if not open_before:
            for one in outbox.of_lane(desk.c, f"ticket:{ticket.id}"):
                outbox.drop(desk.c, one.id, desk.now)
        said = replace(ticket, number="IM-1")
        composing.write(desk.c, said, person, "addition", f"<{number}@demo.local>", "И гудит", desk.now, desk.env)
        newest = outbox.of_lane(desk.c, f"ticket:{ticket.id}")[-1]
        assert newest.kind is kind
    assert first.id != newest.id
    letter = letter_of(all_taken(desk.c))
    assert letter is not None
    assert "IM-1" in letter.subject


def test_behind_a_request_that_failed_an_addition_is_composed_when_it_may_go(desk: Office) -> None:
    """Its lane is empty and suspended: by the time that somebody sends again, there may be a number."""
    send(desk)
    (ticket,) = tickets.open_of_person(desk.c, 1, 1)
    person = people.person(desk.c, 1)
    assert person is not None
    for one in outbox.of_lane(desk.c, f"ticket:{ticket.id}"):
        outbox.drop(desk.c, one.id, desk.now)
    outbox.suspend(desk.c, f"ticket:{ticket.id}", "550 no", desk.now)
    composing.write(desk.c, ticket, person, "addition", "<9@demo.local>", "И гудит", desk.now, desk.env)
    assert [one.kind for one in outbox.of_lane(desk.c, f"ticket:{ticket.id}")] == [Kind.PACK]
