"""Letters that are claimed come with their words, so that nobody looks for them again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.tickets import Handover
from imbot.mime import letter_to_bytes
from imbot.services import delivery
from imbot.services import letters as ticket_letters
from imbot.store import letters, outbox
from tests.services.conftest import Office
from tests.services.delivering import claim, file_a_request, now_is, pack, store


def put_back(office: Office) -> None:
    """The letter waits for its next try."""
    outbox.uncount(office.c, claim(office, Kind.LETTER), office.now, "")


def claimed(office: Office) -> Parcel:
    (parcel,) = delivery.claim(office.c, office.now, {"smtp": 5})
    return parcel


def test_a_letter_of_words_alone_is_at_hand_as_it_would_be_read(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    put_back(office)
    parcel = claimed(office)
    stored = ticket_letters.to_send(office.c, parcel.payload["message_id"], Path())
    assert isinstance(parcel.at_hand, Letter)
    assert stored is not None
    assert letter_to_bytes(parcel.at_hand) == letter_to_bytes(stored)


def test_one_with_files_is_read_by_whoever_sends_it(office: Office) -> None:
    file_a_request(office, "a.jpg")
    store(office, claim(office, Kind.DOWNLOAD))
    pack(office, claim(office, Kind.PACK))
    put_back(office)
    assert claimed(office).at_hand is None


def test_one_that_cannot_be_read_holds_up_no_other(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    put_back(office)
    (waiting,) = [one.parcel for one in outbox.open_parcels(office.c, 9) if one.parcel.kind is Kind.LETTER]
    letters.rewrite_letter(office.c, waiting.payload["message_id"], {"sender": "bot@demo.local"})
    assert claimed(office).at_hand is None


def test_what_is_accepted_says_so_and_changes_nothing_else_of_its_ticket(office: Office) -> None:
    ticket = file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    put_back(office)
    before = now_is(office, ticket)
    delivery.letter_accepted(office.c, claimed(office), "250 ok", office.now, office.env)
    after = now_is(office, ticket)
    assert after == replace(before, handover=Handover.ACCEPTED, accepted_at=office.now, failure="")
