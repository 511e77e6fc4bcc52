"""What was noted while the machine's clock ran a day ahead lets nobody in and holds nobody up, once the clock is put right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imbot.domain.parcels import Kind, NewParcel
from imbot.services import checks, delivery, signin
from imbot.services.env import Fresh
from imbot.store import outbox, people
from tests.services import delivering
from tests.services.conftest import ANNA, ANNA_ENTRY, EVE, EVE_ENTRY, Office
from tests.services.enclosed import receive, said
from tests.services.inbound import REGISTERED, a_mail, a_ticket
from tests.services.silence import accepted, look
from tests.services.test_turns import file_a_request, parcels

HALF_AN_HOUR = timedelta(minutes=30)


def test_who_was_asked_about_ahead_of_time_is_asked_about_again(office: Office) -> None:
    anna = office.link()
    office.later(days=1)
    people.mark_checked(office.c, anna.id, ANNA_ENTRY, office.now)
    office.later(days=-1, hours=1)
    swept = people.persons_to_sweep(office.c, office.now - HALF_AN_HOUR, office.now, 10)
    assert [person.id for person in swept] == [anna.id]
    file_a_request(office)
    assert Kind.RECHECK in parcels(office)


def test_what_support_writes_while_our_clock_is_behind_reaches_the_person(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token, date=office.now))
    begun = a_mail(
        "Заявка № IM-CL-1042 принята в работу", "Комментарий: Придём в три", date=office.now + timedelta(minutes=1)
    )
    office.later(days=-1)
    assert receive(office, begun) == "applied"
    assert said(office)["comment"] == "Придём в три"


def test_files_of_a_request_that_was_filed_ahead_of_time_are_waited_for_no_longer_than_others(office: Office) -> None:
    office.link()
    office.later(days=1)
    delivering.file_a_request(office, "a.jpg")
    ahead = office.now
    office.later(days=-1)
    outbox.clock_went_back(office.c, office.now, ahead)
    office.later(minutes=11)
    assert delivery.go_without_files(office.c, office.now) == 1


def test_grace_is_not_given_for_a_moment_that_lies_ahead(office: Office) -> None:
    anna = office.link()
    office.later(days=1)
    people.mark_checked(office.c, anna.id, ANNA_ENTRY, office.now)
    office.later(days=-1)
    asked = NewParcel(f"person:{anna.id}", "recheck", "r", Kind.RECHECK, {"person": anna.id, "ticket": ""})
    outbox.put(office.c, asked, office.now)
    (parcel,) = outbox.claim(office.c, office.now, 1, only="recheck")
    checks.rechecked(office.c, parcel, None, office.now, office.env)
    stored = outbox.get(office.c, parcel.id)
    assert stored is not None
    assert stored.outcome == "unverified"


@pytest.mark.parametrize("ahead", ["minted", "accepted"])
def test_a_code_lives_no_longer(office: Office, ahead: str) -> None:
    if ahead == "minted":
        office.later(days=1)
    fresh = Fresh.mint("demo.local")
    signin.found(office.c, EVE, EVE_ENTRY, "ru", office.now, office.env, fresh)
    if ahead == "accepted":
        office.later(days=1)
    (parcel,) = [one for one in outbox.of_lane(office.c, f"code:{EVE.key}") if one.kind is Kind.CODE]
    signin.code_accepted(office.c, parcel.payload["code_id"], office.now, office.env)
    office.later(days=-1, hours=2)
    tried = signin.check_code(office.c, EVE, fresh.code, office.now, office.env, Fresh.mint("demo.local"))
    assert tried.values["result"] == "expired"


def test_three_codes_that_were_asked_for_lock_nobody_out(office: Office) -> None:
    office.later(days=1)
    for number in range(4):
        asked = signin.look_up(office.c, ANNA, "anna@demo.local", office.now, office.env, f"a{number}")
        office.later(seconds=5)
    assert not asked.values["allowed"]
    office.later(days=-1)
    asked = signin.look_up(office.c, ANNA, "anna@demo.local", office.now, office.env, "b")
    assert asked.values["allowed"]


def test_a_request_is_watched_no_longer(office: Office) -> None:
    office.later(days=1)
    accepted(office)
    office.later(days=-1)
    assert look(office) == 0
    assert look(office, minutes=59) == 0
    assert look(office, minutes=2) == 1


def test_a_clock_that_stands_behind_for_a_moment_calls_no_request_unconfirmed(office: Office) -> None:
    accepted(office)
    assert look(office, minutes=5) == 0
    assert look(office, minutes=-50) == 0
    assert look(office, minutes=55) == 0
    assert look(office, minutes=45) == 0
    assert look(office, minutes=6) == 1
