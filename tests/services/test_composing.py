"""A letter that waits for nothing is composed with its turn; whatever else is left to the courier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imbot.config import packed
from imbot.domain.chats import Pressed
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind
from imbot.mime import letter_to_bytes
from imbot.services import letters as ticket_letters
from imbot.services import turns
from imbot.services.composing import Claimed
from imbot.store import letters, outbox, tickets
from imbot.templates import Templates
from tests.services.conftest import ANNA, MOSCOW, Office


@pytest.fixture
def desk(office: Office) -> Office:
    """One whose turns may compose."""
    office.env = replace(office.env, templates=Templates((packed("templates"),), MOSCOW))
    office.link()
    return office


def send(office: Office, words: str = "Мигает красным", *photos: str) -> turns.Taken:
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    office.say(words)
    for photo in photos:
        office.attach(photo)
    office.show(message_id="review")
    value = next(one["value"] for row in office.screen()["rows"] for one in row if one["label"] == "send")
    return office.take(ANNA, Pressed(value, "review"))


def letter_of(claimed: tuple[Claimed, ...]) -> Letter | None:
    return next((letter for _, letter in claimed if letter is not None), None)


def kinds(office: Office) -> set[Kind]:
    return {one.parcel.kind for one in outbox.open_parcels(office.c, 50)}


def test_a_request_of_words_alone_is_a_letter_as_soon_as_it_is_sent(desk: Office, tmp_path: Path) -> None:
    claimed = send(desk).claimed
    assert [parcel.kind for parcel, _ in claimed] == [Kind.LETTER]  # the receipt gives it a moment
    assert kinds(desk) == {Kind.RECEIPT, Kind.LETTER}
    (ticket,) = tickets.open_of_person(desk.c, 1, 1)
    stored = ticket_letters.to_send(desk.c, ticket.message_id, tmp_path)
    at_hand = letter_of(claimed)
    assert stored is not None
    assert at_hand is not None
    assert letter_to_bytes(at_hand) == letter_to_bytes(stored)  # another try sends what the first one sent
    assert "Мигает красным" in at_hand.text
    order = outbox.by_key(desk.c, f"pack:{ticket.message_id}")
    assert order is not None
    assert order.outcome == "packed"


@pytest.mark.parametrize(("words", "photos"), [("Мигает красным", ("a.jpg",)), ("долго " * 500, ())])
def test_what_has_files_or_is_long_is_composed_by_the_courier(
    desk: Office, words: str, photos: tuple[str, ...]
) -> None:
    claimed = send(desk, words, *photos).claimed
    assert letter_of(claimed) is None
    assert Kind.PACK in kinds(desk)
    assert Kind.LETTER not in kinds(desk)


def test_a_template_that_cannot_be_rendered_costs_no_turn(desk: Office, tmp_path: Path) -> None:
    desk.env = replace(desk.env, templates=Templates((tmp_path,), MOSCOW))
    assert letter_of(send(desk).claimed) is None
    assert Kind.PACK in kinds(desk)
    assert letters.letters_of(desk.c, tickets.open_of_person(desk.c, 1, 1)[0].id) == []


def test_what_is_under_way_already_is_not_composed_again(desk: Office, tmp_path: Path) -> None:
    packed_ones = desk.env.templates
    desk.env = replace(desk.env, templates=Templates((tmp_path,), MOSCOW))
    send(desk)
    desk.env = replace(desk.env, templates=packed_ones)
    desk.later(seconds=5)
    claimed = send(desk, "Теперь и скрипит").claimed
    assert sorted(parcel.kind for parcel, _ in claimed).count(Kind.PACK) == 1
    letter = letter_of(claimed)
    assert letter is not None
    assert "скрипит" in letter.text
