"""What the receipts of a chat say when their person reads it again."""

from __future__ import annotations

import pytest

from imbot.domain.chats import Blocked, Commanded
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind
from imbot.domain.people import Entry
from imbot.domain.tickets import Ticket
from imbot.services import delivery, signin, telling
from imbot.services.env import Fresh
from imbot.store import people
from tests.services.conftest import ANNA, ANNA_ENTRY, EVE, EVE_ENTRY, Office
from tests.services.silence import parcels, register
from tests.services.test_delivery import claim, file_a_request, now_is

BLOCKED = DeliveryError("bot was blocked by the user", permanent=True, kind="blocked")


def shown(office: Office) -> Ticket:
    """A request whose receipt stands in the chat."""
    ticket = file_a_request(office)
    office.later(seconds=1)  # the receipt gives the mail server a moment
    receipt = claim(office, Kind.RECEIPT)
    delivery.message_shown(office.c, receipt, ANNA.key, "r1", office.now)
    assert not parcels(office, Kind.RECEIPT)
    return now_is(office, ticket)


def sign_in(office: Office, entry: Entry = ANNA_ENTRY, chat: str = "anna") -> None:
    token = signin.invite(office.c, entry, office.now, office.env)
    who = ANNA if chat == "anna" else EVE
    signin.redeem(office.c, who, token, office.now, office.env, Fresh.mint("demo.local"))


def test_whoever_signs_in_again_is_shown_receipts_as_things_are(office: Office) -> None:
    ticket = shown(office)
    people.unlink_chat(office.c, ANNA.key, office.now)
    register(office, ticket)
    assert not parcels(office, Kind.RECEIPT), "nobody's chat is told"
    sign_in(office)
    (receipt,) = parcels(office, Kind.RECEIPT)
    found = telling.receipt(office.c, ticket.id, office.env, ANNA.key)
    assert receipt.payload["ticket"] == ticket.id
    assert found is not None
    assert (found[0]["number"], found[2]) == ("IM-CL-1042", "r1"), "the message that stands there says it now"


def test_what_was_withdrawn_unseen_is_shown_too(office: Office) -> None:
    """Out of the chat before the receipt was shown: there is none in it."""
    ticket = file_a_request(office)
    people.unlink_chat(office.c, ANNA.key, office.now)
    office.later(seconds=1)
    delivery.reroute(office.c, claim(office, Kind.RECEIPT), office.now, office.env)
    sign_in(office)
    lanes = {one.lane for one in parcels(office, Kind.RECEIPT)}
    assert lanes, "there is a receipt to come"
    assert all(ticket.id in lane for lane in lanes)


def test_a_chat_that_somebody_else_signs_in_to_is_shown_none(office: Office) -> None:
    ticket = shown(office)
    people.unlink_chat(office.c, ANNA.key, office.now)
    register(office, ticket)
    sign_in(office, EVE_ENTRY)
    sign_in(office, ANNA_ENTRY, "another")
    assert not parcels(office, Kind.RECEIPT)


@pytest.mark.parametrize("way", ["told by Telegram", "the person writes"])
def test_whoever_lets_the_bot_in_again_is_shown_receipts_as_things_are(office: Office, way: str) -> None:
    ticket = shown(office)
    office.take(ANNA, Blocked(True))
    register(office, ticket)
    delivery.failed(office.c, claim(office, Kind.RECEIPT), BLOCKED, office.now, office.env)
    assert not parcels(office, Kind.RECEIPT)
    office.later(hours=1)
    office.take(ANNA, Blocked(False) if way == "told by Telegram" else Commanded("start"))
    (receipt,) = parcels(office, Kind.RECEIPT)
    assert receipt.payload["ticket"] == ticket.id
    office.later(hours=1)
    office.take(ANNA, Blocked(False))
    assert len(parcels(office, Kind.RECEIPT)) == 1, "once"
