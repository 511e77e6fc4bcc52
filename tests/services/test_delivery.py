from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.domain.chats import Pressed
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind, NewParcel, lane_of_receipts
from imbot.domain.people import Absence, Entry
from imbot.domain.tickets import Handover, Status, Ticket
from imbot.services import checks, delivery, telling
from imbot.services import letters as ticket_letters
from imbot.services import tickets as ticket_services
from imbot.store import inbox, letters, outbox, people, tickets
from tests.services.conftest import ANNA, ANNA_ENTRY, EVE, Office
from tests.services.delivering import claim, file_a_request, now_is, open_kinds, pack


def test_additions_of_words_alone_wait_for_the_number_in_one_row(office: Office) -> None:
    ticket = file_a_request(office)
    for words in ("И ещё гудит", "Больше не гудит"):
        office.take(ANNA, Pressed(f"add:{ticket.id}", "receipt"))
        office.say(words)
        office.press("send_addition")
    waiting = [one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.waits_for]
    assert [parcel.payload["text"] for parcel in waiting] == ["И ещё гудит", "Больше не гудит"]
    assert {parcel.lane for parcel in waiting} == {f"ticket:{ticket.id}"}


def test_a_temporary_failure_is_tried_again_and_a_target_that_is_down_costs_no_attempt(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    first = claim(office, Kind.LETTER)
    delivery.failed(office.c, first, DeliveryError("421", kind="throttled", retry_after=60), office.now, office.env)
    office.later(seconds=61)
    second = claim(office, Kind.LETTER)
    assert second.attempt == 2
    delivery.failed(office.c, second, DeliveryError("refused"), office.now, office.env)
    office.later(minutes=1)
    assert claim(office, Kind.LETTER).attempt == 2


def test_a_refusal_for_good_suspends_the_lane_and_sending_again_keeps_the_message_id(office: Office) -> None:
    ticket = file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    parcel = claim(office, Kind.LETTER)
    refused = DeliveryError("550 no such user", permanent=True, kind="refused")
    delivery.failed(office.c, parcel, refused, office.now, office.env)
    assert now_is(office, ticket).handover is Handover.FAILED
    assert outbox.is_suspended(office.c, f"ticket:{ticket.id}")
    office.later(hours=1)
    assert ticket_services.send_again(office.c, now_is(office, ticket), office.now)
    again = claim(office, Kind.LETTER)
    assert again.payload["message_id"] == ticket.message_id
    row = letters.letter(office.c, ticket.message_id)
    assert row is not None
    assert row.letter["date"] == office.now.isoformat()
    assert not ticket_services.send_again(office.c, now_is(office, ticket), office.now) or row.outcome == "failed"


def test_who_blocked_the_bot_gets_notices_by_letter_in_order_and_no_receipts(office: Office) -> None:
    ticket = file_a_request(office)
    office.later(seconds=1)  # the receipt gives the mail server a moment
    people.set_blocked(office.c, ANNA.key, False, office.now)
    for number in (1, 2):
        key, payload = f"n{number}", {"screen": {"name": "x", "values": {}, "rows": []}, "ticket": ticket.id}
        outbox.put(office.c, NewParcel(f"chat:{ANNA.key}", "telegram", key, Kind.NOTICE, payload), office.now)
    receipt = claim(office, Kind.RECEIPT)
    delivery.failed(office.c, receipt, DeliveryError("blocked", permanent=True, kind="blocked"), office.now, office.env)
    chat = people.chat(office.c, ANNA.key)
    assert chat is not None
    assert chat.blocked
    notes = [one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.lane == f"mail:{ticket.person_id}"]
    assert [parcel.key for parcel in notes if parcel.kind is Kind.NOTE] == ["n1", "n2"]
    assert Kind.RECEIPT not in open_kinds(office)


def test_notices_of_a_blocked_chat_go_to_the_persons_other_chat_first(office: Office) -> None:
    ticket = file_a_request(office)
    office.later(seconds=1)  # the receipt gives the mail server a moment
    office.link(EVE, ANNA_ENTRY)  # a second chat of the same person
    receipt = claim(office, Kind.RECEIPT)
    office.later(seconds=1)
    telling.put_receipt(office.c, ticket, office.now)
    key, payload = "n1", {"screen": {"name": "x", "values": {}, "rows": []}, "ticket": ticket.id}
    outbox.put(office.c, NewParcel(f"chat:{ANNA.key}", "telegram", key, Kind.NOTICE, payload), office.now)
    delivery.failed(office.c, receipt, DeliveryError("blocked", permanent=True, kind="blocked"), office.now, office.env)
    moved = outbox.by_key(office.c, "n1")
    assert moved is not None
    assert (moved.parcel.lane, moved.parcel.kind) == (f"chat:{EVE.key}", Kind.NOTICE)
    assert [one.kind for one in outbox.of_lane(office.c, lane_of_receipts(EVE.key, ticket.id))] == [Kind.RECEIPT]


def test_a_receipt_that_went_to_another_chat_is_shown_there_only_while_it_is_theirs(office: Office) -> None:
    ticket = file_a_request(office)
    office.later(seconds=1)
    office.link(EVE, ANNA_ENTRY)  # a second chat of the same person
    first = claim(office, Kind.RECEIPT)
    delivery.message_shown(office.c, first, ANNA.key, "r1", office.now)
    office.later(seconds=1)
    telling.put_receipt(office.c, ticket, office.now)
    key, payload = "n1", {"screen": {"name": "x", "values": {}, "rows": []}, "ticket": ticket.id}
    outbox.put(office.c, NewParcel(f"chat:{ANNA.key}", "telegram", key, Kind.NOTICE, payload), office.now)
    blocked = DeliveryError("blocked", permanent=True, kind="blocked")
    delivery.failed(office.c, claim(office, Kind.NOTICE), blocked, office.now, office.env)
    moved = claim(office, Kind.RECEIPT)
    assert moved.chat_key == EVE.key
    assert telling.receipt(office.c, ticket.id, office.env, moved.chat_key) is not None
    people.link_chat(office.c, EVE, Entry("eve@company.ru", "Eve"), office.now)
    assert telling.receipt(office.c, ticket.id, office.env, moved.chat_key) is None
    delivery.message_shown(office.c, moved, EVE.key, "r2", office.now)
    assert now_is(office, ticket).receipt_id == "r1"


def test_who_has_left_is_told_and_what_was_not_sent_ends_as_withdrawn(office: Office) -> None:
    office.link()
    office.later(hours=1)  # the directory was asked too long ago
    ticket = file_a_request_of_the_linked(office)
    checks.rechecked(office.c, claim(office, Kind.RECHECK), Absence.DISABLED, office.now, office.env)
    assert now_is(office, ticket).status is Status.WITHDRAWN
    assert people.person_of_chat(office.c, ANNA.key) is None
    assert Kind.PACK not in open_kinds(office)
    notices = [one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.kind is Kind.NOTICE]
    assert [parcel.payload["screen"]["name"] for parcel in notices] == ["notice_withdrawn"]


def file_a_request_of_the_linked(office: Office) -> Ticket:
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    office.say("Мигает красным")
    office.show(message_id="review")
    office.press("send")
    return tickets.open_of_person(office.c, 1, 1)[0]


def test_a_directory_that_is_down_is_grace_and_after_a_day_the_letter_says_so(office: Office) -> None:
    office.link()
    office.later(hours=30)
    file_a_request_of_the_linked(office)
    checks.rechecked(office.c, claim(office, Kind.RECHECK), None, office.now, office.env)
    packing = ticket_letters.packing(office.c, claim(office, Kind.PACK).payload, office.env)
    assert packing is not None
    assert packing.view.unverified_since is not None


def test_where_the_settings_say_so_an_unverified_request_waits(office: Office) -> None:
    office.env = replace(office.env, unverified_waits=True)
    office.link()
    office.later(hours=30)
    file_a_request_of_the_linked(office)
    checks.rechecked(office.c, claim(office, Kind.RECHECK), None, office.now, office.env)
    assert Kind.RECHECK in open_kinds(office)
    office.later(minutes=6)
    checks.rechecked(office.c, claim(office, Kind.RECHECK), ANNA_ENTRY, office.now, office.env)
    claim(office, Kind.PACK)


def test_a_sweep_that_would_remove_too_many_stops_and_tells_the_admins(office: Office) -> None:
    persons = [office.link(type(ANNA)("telegram", str(n)), Entry(f"p{n}@demo.local")) for n in range(20)]
    answers = [(person, Absence.ABSENT if n < 6 else Entry(person.address)) for n, person in enumerate(persons)]
    assert checks.swept(office.c, answers, office.now, office.env) == -1
    assert people.count_linked(office.c) == 20
    assert Kind.ALERT in open_kinds(office)
    assert checks.swept(office.c, answers[1:6], office.now, office.env) == 5
    assert people.count_linked(office.c) == 15


def test_a_silence_after_not_solved_is_told_once_and_offers_a_new_request(office: Office) -> None:
    ticket = file_a_request(office)
    asked = replace(ticket, status=Status.RESOLVED, asked="reopen", asked_until=office.now + timedelta(hours=8))
    tickets.save(office.c, asked)
    assert ticket_services.note_silence(office.c, office.now, office.env) == 0
    office.later(hours=9)
    inbox.set_fact(office.c, "mailbox_ok_at", office.now.isoformat(), office.now)
    assert ticket_services.note_silence(office.c, office.now, office.env) == 1
    assert ticket_services.note_silence(office.c, office.now, office.env) == 0
    notices = [one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.kind is Kind.NOTICE]
    assert [parcel.payload["screen"]["name"] for parcel in notices] == ["notice_reopen_silence"]
    assert Kind.ALERT in open_kinds(office)


def test_a_receipt_that_nobody_has_in_hand_will_say_the_rest_as_well(office: Office) -> None:
    ticket = file_a_request(office)
    office.later(seconds=1)  # the receipt gives the mail server a moment
    delivery.message_shown(office.c, claim(office, Kind.RECEIPT), ANNA.key, "review", office.now)
    for _ in range(2):
        office.later(seconds=1)
        telling.put_receipt(office.c, ticket, office.now)
    assert open_kinds(office).count(Kind.RECEIPT) == 1
    in_hand = claim(office, Kind.RECEIPT)
    office.later(seconds=1)
    telling.put_receipt(office.c, ticket, office.now)  # what is being shown may not know yet
    assert open_kinds(office).count(Kind.RECEIPT) == 2
    delivery.message_shown(office.c, in_hand, ANNA.key, "review", office.now)
    assert claim(office, Kind.RECEIPT).id != in_hand.id


def test_the_answer_to_send_says_at_once_that_the_mail_server_has_it(office: Office) -> None:
    office.link()
    ticket = file_a_request_of_the_linked(office)
    pack(office, claim(office, Kind.PACK))
    with pytest.raises(AssertionError, match="no receipt may go"):
        claim(office, Kind.RECEIPT)
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), "250 ok", office.now, office.env)
    receipt = claim(office, Kind.RECEIPT)
    assert receipt.attempt == 1  # claimed with that very transaction
    assert telling.receipt_values(office.c, now_is(office, ticket), office.env)["handover"] == "accepted"
    delivery.message_shown(office.c, receipt, ANNA.key, "review", office.now)
    assert Kind.RECEIPT not in open_kinds(office)  # one message, not two


def test_the_answer_to_send_does_not_wait_for_a_mail_server_that_is_slow(office: Office) -> None:
    office.link()
    ticket = file_a_request_of_the_linked(office)
    office.later(seconds=0.25)
    delivery.message_shown(office.c, claim(office, Kind.RECEIPT), ANNA.key, "review", office.now)
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), "250 ok", office.now, office.env)
    delivery.message_shown(
        office.c, claim(office, Kind.RECEIPT), ANNA.key, "review", office.now
    )  # and the rest follows
    assert now_is(office, ticket).receipt_id == "review"


def test_what_met_a_limit_is_tried_as_soon_as_that_is_over(office: Office) -> None:
    slow = DeliveryError("429", kind="throttled", retry_after=1)
    ticket = file_a_request(office)
    office.later(seconds=1)  # the receipt gives the mail server a moment
    for _ in range(2):  # the answer to Send, and one that nobody waits for
        for _ in range(3):  # however often
            delivery.failed(office.c, claim(office, Kind.RECEIPT), slow, office.now, office.env, 0.9)
            office.later(seconds=1.2)
        delivery.message_shown(office.c, claim(office, Kind.RECEIPT), ANNA.key, "review", office.now)
        telling.put_receipt(office.c, ticket, office.now)


def test_the_answer_to_send_does_not_stand_behind_the_receipt_of_another_request(office: Office) -> None:
    first = file_a_request(office)
    office.later(seconds=1)  # the receipt gives the mail server a moment
    outbox.again(office.c, claim(office, Kind.RECEIPT), office.now + timedelta(hours=1), "no answer")
    second = file_a_request_of_the_linked(office)
    office.later(seconds=1)
    assert claim(office, Kind.RECEIPT).payload["ticket"] == second.id != first.id


def test_a_lane_of_receipts_from_before_the_upgrade_goes_where_its_chat_goes(office: Office) -> None:
    ticket = file_a_request(office)
    office.later(seconds=1)
    receipt = claim(office, Kind.RECEIPT)
    outbox.readdress(office.c, receipt.lane, f"receipts:{ANNA.key}", "telegram", office.now)
    delivery.failed(
        office.c, claim(office, Kind.RECEIPT), DeliveryError("x", kind="moved", moved_to="-77"), office.now, office.env
    )
    assert claim(office, Kind.RECEIPT).lane == "receipts:telegram:-77"
    assert ticket.id == receipt.payload["ticket"]


def test_a_receipt_does_not_stand_behind_a_notice_that_is_tried_again_later(office: Office) -> None:
    ticket = file_a_request(office)
    office.later(seconds=1)  # the receipt gives the mail server a moment
    outbox.put(
        office.c, NewParcel(f"chat:{ANNA.key}", "telegram", "n1", Kind.NOTICE, {"ticket": ticket.id}), office.now
    )
    outbox.again(office.c, claim(office, Kind.NOTICE), office.now + timedelta(hours=1), "no answer")
    assert claim(office, Kind.RECEIPT).payload["ticket"] == ticket.id


def test_what_was_cut_off_does_not_make_a_far_end_that_is_down_wait_longer(office: Office) -> None:
    ticket = file_a_request(office)
    outbox.put(
        office.c, NewParcel(f"chat:{ANNA.key}", "telegram", "n1", Kind.NOTICE, {"ticket": ticket.id}), office.now
    )
    for _ in range(5):
        claim(office, Kind.NOTICE)
        outbox.clear_leases(office.c)  # as after a kill
    delivery.failed(office.c, claim(office, Kind.NOTICE), DeliveryError("502", kind="down"), office.now, office.env)
    office.later(seconds=6)
    assert claim(office, Kind.NOTICE).attempt == 6


def test_a_clock_that_was_put_back_makes_nothing_wait_for_a_day(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    ahead = office.now + timedelta(days=1)
    letter = claim(office, Kind.LETTER)
    outbox.again(office.c, letter, ahead + timedelta(seconds=5), "refused")
    outbox.clock_went_back(office.c, office.now, ahead)
    office.later(seconds=6)
    assert claim(office, Kind.LETTER).id == letter.id


def test_what_is_under_way_is_not_claimed_again_however_late_it_seems(office: Office) -> None:
    file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    letter = claim(office, Kind.LETTER)
    office.later(days=1)
    assert outbox.look(office.c, [])[0]["smtp"] < office.now
    assert delivery.claim(office.c, office.now, {"smtp": 2}, [letter.id]) == []
    assert [one.id for one in delivery.claim(office.c, office.now, {"smtp": 2})] == [letter.id]
