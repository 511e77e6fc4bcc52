"""A reply to a message whose id we never learned: its own words say which request it is about."""

from __future__ import annotations

import pytest

from imbot.domain.chats import Typed
from imbot.store import outbox, tickets
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, Office
from tests.services.inbound import a_ticket

NOTICE = "По заявке IM-CL-1042 «Принтер» поддержка пишет:\n«Приняли к сведению»"


def letters_of(office: Office, ticket_id: str) -> int:
    return sum(one.parcel.payload.get("ticket") == ticket_id for one in outbox.open_parcels(office.c, 50))


@pytest.fixture
def numbered(office: Office) -> Office:
    """Two requests of Anna's with numbers, one of which is a piece of the other's."""
    for id, number in (("t1", "IM-CL-1042"), ("t2", "IM-CL-10")):
        ticket = a_ticket(office, id)
        tickets.add_number(office.c, ticket.backend, number, ticket.id, office.now)
    return office


def test_the_number_in_its_words_says_which_request_it_is_about(numbered: Office) -> None:
    numbered.take(ANNA, Typed("можно прийти после трёх", "7", "999", NOTICE))
    assert (letters_of(numbered, "t1"), letters_of(numbered, "t2")) == (1, 0)


@pytest.mark.parametrize("words", ["", "Что-то другое", f"{NOTICE} и IM-CL-10", "По заявке IM-CL-10425"])
def test_words_that_name_none_or_several_say_nothing(numbered: Office, words: str) -> None:
    numbered.take(ANNA, Typed("можно прийти после трёх", "7", "999", words))
    assert (letters_of(numbered, "t1"), letters_of(numbered, "t2")) == (0, 0)


def test_nobody_elses_request_is_found_so(numbered: Office) -> None:
    numbered.link(EVE, EVE_ENTRY)
    numbered.take(EVE, Typed("можно прийти после трёх", "7", "999", NOTICE))
    assert letters_of(numbered, "t1") == 0
