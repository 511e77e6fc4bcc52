from __future__ import annotations

from datetime import timedelta
from sqlite3 import IntegrityError

import pytest
from sqlalchemy import Connection

from imbot.domain.people import Person
from imbot.store import letters, ratings
from imbot.store.letters import LetterRow
from imbot.store.ratings import RatingRow
from tests.store.conftest import ANNA, EVE, NOW, file_ticket

LATER = NOW + timedelta(hours=1)


def save(c: Connection, message_id: str, ticket_id: str = "tick1") -> LetterRow:
    row = LetterRow(message_id, ticket_id, "ticket", {"subject": "Принтер"}, NOW)
    letters.save_letter(c, row)
    return row


def test_a_message_id_is_minted_once(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    row = save(c, "<a@bot>")
    assert letters.letter(c, "<a@bot>") == row
    assert letters.letter(c, "<b@bot>") is None
    with pytest.raises(IntegrityError):
        save(c, "<a@bot>")


def test_a_letters_fate_is_kept_and_a_bounce_replaces_it(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    save(c, "<a@bot>")
    assert letters.letter_settled(c, "<a@bot>", NOW, "sent", "250 ok")
    assert letters.letter_settled(c, "<a@bot>", LATER, "bounced", "550 no such user")
    assert not letters.letter_settled(c, "<b@bot>", NOW, "sent", "")
    kept = letters.letter(c, "<a@bot>")
    assert kept is not None
    assert (kept.settled_at, kept.outcome, kept.answer) == (LATER, "bounced", "550 no such user")
    assert letters.rewrite_letter(c, "<a@bot>", {"subject": "Снова"})
    assert not letters.rewrite_letter(c, "<b@bot>", {})
    kept = letters.letter(c, "<a@bot>")
    assert kept is not None
    assert (kept.letter, kept.outcome, kept.settled_at) == ({"subject": "Снова"}, "", None)


def test_tickets_are_found_by_the_ids_of_any_of_their_letters(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    file_ticket(c, anna.id, "tick2")
    for message_id, ticket_id in (("<a@bot>", "tick1"), ("<b@bot>", "tick1"), ("<c@bot>", "tick2")):
        save(c, message_id, ticket_id)
    assert [row.message_id for row in letters.letters_of(c, "tick1")] == ["<a@bot>", "<b@bot>"]
    assert [ticket.id for ticket in letters.by_message_ids(c, ["<x@y>", "<b@bot>", "<a@bot>"])] == ["tick1"]
    assert [ticket.id for ticket in letters.by_message_ids(c, ["<c@bot>", "<a@bot>"])] == ["tick1", "tick2"]
    assert letters.by_message_ids(c, []) == []


def test_thousands_of_references_are_no_burden(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    save(c, "<a@bot>")
    strangers = [f"<{n}@x>" for n in range(50_000)]
    assert [ticket.id for ticket in letters.by_message_ids(c, [*strangers, "<a@bot>"])] == ["tick1"]


def test_a_reply_to_a_message_means_its_ticket(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    file_ticket(c, anna.id, "tick2")
    letters.note_message(c, ANNA.key, "5", "tick1", NOW)
    letters.note_message(c, ANNA.key, "5", "tick2", LATER)
    assert letters.ticket_of_message(c, ANNA.key, "5") == "tick2"
    assert letters.ticket_of_message(c, EVE.key, "5") == ""


def test_a_rating_is_one_a_ticket_and_keeps_its_first_moment(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    assert ratings.rating(c, "tick1") is None
    assert not ratings.rating_words(c, "tick1", "words before stars")
    ratings.rate(c, "tick1", 1, NOW)
    assert ratings.rating_words(c, "tick1", "Долго")
    ratings.rate(c, "tick1", 4, LATER)
    assert ratings.rating(c, "tick1") == RatingRow("tick1", 4, "Долго", NOW)
    ratings.rate(c, "tick1", None, LATER)
    assert ratings.rating(c, "tick1") == RatingRow("tick1", None, "Долго", NOW)
