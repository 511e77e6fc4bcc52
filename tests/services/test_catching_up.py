"""Out of a chat and in again: what happens meanwhile comes by letter, in order, and the receipts say it behind that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.domain.chats import Blocked, Commanded
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Entry
from imbot.domain.tickets import Ticket
from imbot.services import delivery, signin, telling
from imbot.services.env import Fresh
from imbot.store import outbox, people, tickets
from tests.services.conftest import ANNA, ANNA_ENTRY, EVE, EVE_ENTRY, Office
from tests.services.delivering import claim, file_a_request, now_is
from tests.services.silence import parcels, register

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


def news(office: Office, ticket: Ticket, *keys: str) -> None:
    """Notices of this request that wait for its chat."""
    for key in keys:
        payload = {"screen": {"name": "x", "values": {}, "rows": []}, "ticket": ticket.id}
        outbox.put(office.c, NewParcel(f"chat:{ANNA.key}", "telegram", key, Kind.NOTICE, payload), office.now)


def by_letter(office: Office) -> list[tuple[str, str]]:
    """(key, address) of what goes by letter now, in order."""
    letters = outbox.of_lane(office.c, "mail:1")
    return [(one.key, str(one.payload["to"])) for one in letters if one.payload.get("template") == "notice"]


@pytest.mark.parametrize("way", ["left", "shut", "somebody else's"])
def test_what_waits_for_a_chat_that_is_closed_goes_by_letter_before_what_comes_later(office: Office, way: str) -> None:
    """It may be in hand for seconds, as a chat gets one message a second: nothing overtakes it."""
    ticket = shown(office)
    news(office, ticket, "n1", "n2")
    in_hand = claim(office, Kind.NOTICE)
    if way == "shut":
        office.take(ANNA, Blocked(True))
    else:
        people.unlink_chat(office.c, ANNA.key, office.now)
    if way == "somebody else's":
        office.link(ANNA, EVE_ENTRY)
    register(office, ticket)
    assert by_letter(office) == []
    if way == "shut":
        delivery.failed(office.c, in_hand, BLOCKED, office.now, office.env)
    else:
        assert not telling.may_show(office.c, in_hand, office.env)
        delivery.reroute(office.c, in_hand, office.now, office.env)
        delivery.reroute(office.c, in_hand, office.now, office.env)  # whose claim has ended
    first, second, third = by_letter(office)
    assert [first[0], second[0]] == ["n1", "n2"]
    assert {first[1], second[1], third[1]} == {"anna@demo.local"}
    because = {one.payload["values"]["unlinked"] for one in outbox.of_lane(office.c, "mail:1") if one.key == first[0]}
    assert because == {way != "shut"}
    assert not parcels(office, Kind.NOTICE)


def test_where_nothing_waits_news_of_a_closed_chat_go_by_letter_at_once(office: Office) -> None:
    ticket = shown(office)
    people.unlink_chat(office.c, ANNA.key, office.now)
    register(office, ticket)
    assert len(by_letter(office)) == 1


@pytest.mark.parametrize(("whose", "lang"), [("nobody's", "en"), ("somebody else's", "ru")])
def test_a_letter_greets_by_name_in_the_language_of_the_chat_it_stands_for(
    office: Office, whose: str, lang: str
) -> None:
    ticket = shown(office)
    people.set_language(office.c, ANNA.key, "en")
    news(office, ticket, "n1")
    in_hand = claim(office, Kind.NOTICE)
    people.unlink_chat(office.c, ANNA.key, office.now)
    if whose == "somebody else's":
        office.link(ANNA, EVE_ENTRY)
    delivery.reroute(office.c, in_hand, office.now, office.env)
    register(office, ticket)
    letters = outbox.of_lane(office.c, "mail:1")
    greeted = {"name": "Анна Сергеевна" if lang == "ru" else "", "unlinked": True}
    assert [(one.payload["values"], one.payload["lang"]) for one in letters] == [(greeted, lang)] * 2


def test_news_of_a_left_chat_go_to_another_chat_of_theirs_in_order(office: Office) -> None:
    ticket = shown(office)
    office.link(EVE, ANNA_ENTRY)
    news(office, ticket, "n1", "n2")
    people.unlink_chat(office.c, ANNA.key, office.now)
    register(office, ticket)
    assert outbox.of_lane(office.c, f"chat:{EVE.key}") == []
    delivery.reroute(office.c, claim(office, Kind.NOTICE), office.now, office.env)
    keys = [one.key for one in outbox.of_lane(office.c, f"chat:{EVE.key}")]
    assert (keys[:2], len(keys)) == (["n1", "n2"], 3)


def test_what_waits_in_a_chat_for_somebody_else_stays(office: Office) -> None:
    """An admin's alert, the news of whoever has the chat now."""
    ticket = shown(office)
    news(office, ticket, "n1")
    alert = {"screen": {"name": "alert", "values": {}, "rows": []}}
    outbox.put(office.c, NewParcel(f"chat:{ANNA.key}", "telegram", "a1", Kind.NOTICE, alert), office.now)
    in_hand = claim(office, Kind.NOTICE)
    people.unlink_chat(office.c, ANNA.key, office.now)
    office.link(ANNA, EVE_ENTRY)
    delivery.reroute(office.c, in_hand, office.now, office.env)
    assert [one.key for one in outbox.of_lane(office.c, f"chat:{ANNA.key}")] == ["a1"]
    assert [key for key, _ in by_letter(office)] == ["n1"]
    (ready,) = [one for one in office.due("telegram") if one.kind is Kind.NOTICE]
    assert ready.key == "a1", "it is the first of its lane now"


def test_whoever_has_left_the_firm_is_told_nothing_more(office: Office) -> None:
    ticket = shown(office)
    news(office, ticket, "n1")
    in_hand = claim(office, Kind.NOTICE)
    people.mark_gone(office.c, ticket.person_id, office.now)
    delivery.reroute(office.c, in_hand, office.now, office.env)
    assert by_letter(office) == []
    assert not parcels(office, Kind.NOTICE)


@pytest.mark.parametrize("found", ["by the notice in hand", "by a receipt"])
@pytest.mark.parametrize("chat", ["nobody's", "somebody else's"])
def test_whoever_leaves_a_chat_that_is_shut_then_loses_no_news_and_nobody_else_gets_them(
    office: Office, chat: str, found: str
) -> None:
    """Signed out, and the bot blocked, while a message is in hand."""
    ticket = shown(office)
    telling.put_receipt(office.c, ticket, office.now)
    news(office, ticket, "n1", "n2")
    in_hand = claim(office, Kind.NOTICE if found == "by the notice in hand" else Kind.RECEIPT)
    people.unlink_chat(office.c, ANNA.key, office.now)
    if chat == "somebody else's":
        office.link(ANNA, EVE_ENTRY)
    register(office, ticket)
    delivery.failed(office.c, in_hand, BLOCKED, office.now, office.env)
    assert [key for key, _ in by_letter(office)] == ["n1", "n2", "notice:mail:1:registered"]
    told = {str(one.payload["to"]) for one in parcels(office, Kind.NOTE) if one.payload.get("template") == "notice"}
    assert told == {"anna@demo.local"}
    assert not parcels(office, Kind.NOTICE)


def test_news_for_whoever_has_left_the_firm_go_to_nobody_when_the_next_one_shuts_the_chat(office: Office) -> None:
    ticket = shown(office)
    news(office, ticket, "n1")
    in_hand = claim(office, Kind.NOTICE)
    people.mark_gone(office.c, ticket.person_id, office.now)
    office.link(ANNA, EVE_ENTRY)
    delivery.failed(office.c, in_hand, BLOCKED, office.now, office.env)
    assert not parcels(office, Kind.NOTICE)
    assert not [one for one in parcels(office, Kind.NOTE) if one.payload.get("template") == "notice"]


def test_what_goes_by_letter_instead_does_not_say_that_letters_do_not_go(office: Office) -> None:
    """What Telegram refused, or a chat of somebody else, is no failure of the mail server: admins without a chat still hear."""
    ticket = shown(office)
    news(office, ticket, "n1")
    in_hand = claim(office, Kind.NOTICE)
    people.unlink_chat(office.c, ANNA.key, office.now)
    delivery.reroute(office.c, in_hand, office.now, office.env)
    assert [key for key, _ in by_letter(office)] == ["n1"]
    assert not outbox.stuck(office.c, "smtp")
    assert telling.admins_hear(office.c, office.env)


def test_requests_of_another_chat_take_no_place_of_those_that_are_brought_up_to_date(office: Office) -> None:
    ticket = shown(office)
    people.unlink_chat(office.c, ANNA.key, office.now)
    for n in range(20):
        one = replace(ticket, id=f"t{n}", token=f"imb:{n:010}", message_id=f"<{n}@bot>", chat_key=EVE.key)
        tickets.add(office.c, replace(one, created_at=office.now))
    sign_in(office)
    assert [one.payload["ticket"] for one in parcels(office, Kind.RECEIPT)] == [ticket.id]
