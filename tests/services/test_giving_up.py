"""When a parcel is given up: by its age, and what may wait for days after a few tries at least."""

from __future__ import annotations

from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Handover
from imbot.services import delivery
from tests.services.conftest import Office
from tests.services.delivering import claim, file_a_request, now_is, open_kinds, pack


def test_giving_up_is_by_age(office: Office) -> None:
    ticket = file_a_request(office)
    pack(office, claim(office, Kind.PACK))
    office.later(days=6)
    for kind in ("down", "down", "down", "down", "", "", "", "", ""):  # nor is it one that was not tried meanwhile
        assert now_is(office, ticket).handover is Handover.QUEUED
        letter = claim(office, Kind.LETTER)
        delivery.failed(office.c, letter, DeliveryError("no", kind=kind), office.now, office.env, probes=4)
        office.later(minutes=3)
    assert now_is(office, ticket).handover is Handover.FAILED


def test_a_code_that_nobody_waits_for_any_more_is_given_up_at_its_first_try(office: Office) -> None:
    office.command("start")
    office.say("anna@demo.local")
    office.later(minutes=11)
    delivery.failed(office.c, claim(office, Kind.LOOKUP), DeliveryError("no"), office.now, office.env)
    assert Kind.LOOKUP not in open_kinds(office)
