"""What admins are told is shown to admins alone: judged when it is shown, not when it is put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from imbot.dialog.screen import screen_from_json
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.people import Role
from imbot.services import delivery, telling
from imbot.store import outbox, people
from tests.services.conftest import EVE_ENTRY, Office
from tests.services.delivering import claim
from tests.services.silence import TOM, TOM_ENTRY, ZOE

BLOCKED = DeliveryError("blocked", permanent=True, kind="blocked")


def told(office: Office) -> list[tuple[str, Kind]]:
    """(lane, kind) of everything for admins that is open."""
    stored = [one.parcel for one in outbox.open_parcels(office.c, 100)]
    return [(one.lane, one.kind) for one in stored if telling.for_admins(one)]


def an_alert(office: Office) -> Parcel:
    values = {"title": "Отозвать доступы", "number": "", "reason": "550", "ticket": "t1", "how": "refused"}
    telling.alert(office.c, "letter_failed", "failed:1", values, office.now)
    office.later(minutes=1)
    telling.tell_admins(office.c, office.now, office.env)
    office.later(hours=1)
    return claim(office, Kind.NOTICE)


def unlinks(office: Office) -> None:
    people.unlink_chat(office.c, TOM.key, office.now)


def leaves(office: Office) -> None:
    people.mark_gone(office.c, tom(office), office.now)


def gives_the_chat_away(office: Office) -> None:
    unlinks(office)
    office.link(TOM, EVE_ENTRY)


def is_admin_no_more(office: Office) -> None:
    people.set_role(office.c, tom(office), Role.USER)


def tom(office: Office) -> int:
    person = people.person_by_address(office.c, TOM_ENTRY.address)
    assert person is not None
    return person.id


CHANGES = [unlinks, leaves, gives_the_chat_away, is_admin_no_more]


@pytest.fixture
def at_work(office: Office) -> Office:
    """Tom is an admin by his role, and nobody by the settings."""
    office.env = replace(office.env, admins=())
    office.link(TOM, TOM_ENTRY)
    return office


def test_an_admin_is_shown_it(at_work: Office) -> None:
    assert telling.may_show(at_work.c, an_alert(at_work), at_work.env)


@pytest.mark.parametrize("change", CHANGES)
def test_a_chat_that_is_no_admins_any_more_is_not_shown_it(at_work: Office, change: Callable[[Office], None]) -> None:
    alert = an_alert(at_work)
    change(at_work)
    assert not telling.may_show(at_work.c, alert, at_work.env)
    delivery.reroute(at_work.c, alert, at_work.now, at_work.env)
    still = [(f"mail:{tom(at_work)}", Kind.NOTE)] if change in (unlinks, gives_the_chat_away) else []
    assert told(at_work) == still  # he is an admin still: by letter


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ["not shown", "blocked"])
def test_who_is_an_admin_now_is_told_instead_and_once(
    at_work: Office, change: Callable[[Office], None], way: str
) -> None:
    alert = an_alert(at_work)
    change(at_work)
    at_work.link(ZOE, replace(TOM_ENTRY, address="zoe@demo.local"))
    for _ in range(2):
        if way == "blocked":
            delivery.failed(at_work.c, alert, BLOCKED, at_work.now, at_work.env)
        else:
            delivery.reroute(at_work.c, alert, at_work.now, at_work.env)
    assert told(at_work).count((f"chat:{ZOE.key}", Kind.NOTICE)) == 1
    assert f"chat:{TOM.key}" not in [lane for lane, _ in told(at_work)]
    (words,) = [one.parcel for one in outbox.open_parcels(at_work.c, 100) if one.parcel.lane == f"chat:{ZOE.key}"]
    assert screen_from_json(words.payload["screen"]) == screen_from_json(alert.payload["screen"])


def test_an_admin_who_shut_the_bot_out_is_told_by_letter_and_one_who_left_meanwhile_is_not(at_work: Office) -> None:
    alert = an_alert(at_work)
    delivery.failed(at_work.c, alert, BLOCKED, at_work.now, at_work.env)
    note = claim(at_work, Kind.NOTE)
    assert telling.may_show(at_work.c, note, at_work.env)
    is_admin_no_more(at_work)
    assert not telling.may_show(at_work.c, note, at_work.env)
    delivery.reroute(at_work.c, note, at_work.now, at_work.env)
    assert told(at_work) == []


def test_what_an_admin_asked_for_goes_to_nobody_else(at_work: Office) -> None:
    asked = Parcel(0, "admins", "self", "k", Kind.CHECK, {"chat": TOM.key, "check": False}, at_work.now, at_work.now)
    telling.put_legs(at_work.c, asked, [], at_work.now, at_work.env)
    assert told(at_work) == []  # nothing was asked: the parcel is none of the outbox
    at_work.link(ZOE, replace(TOM_ENTRY, address="zoe@demo.local"))
    alert = replace(an_alert(at_work), key="legs:1")
    before = told(at_work)
    telling.pass_on(at_work.c, alert, at_work.now, at_work.env)
    assert told(at_work) == before
