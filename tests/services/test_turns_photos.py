"""Turns that bring photos: to the request that is being written, to one that was filed, to a complaint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.config import packed
from imbot.dialog.render import render
from imbot.dialog.screen import screen_from_json
from imbot.domain.chats import Pressed
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status
from imbot.services import letters
from imbot.store import files, outbox, tickets
from imbot.templates import Templates
from tests.services.conftest import ANNA, Office
from tests.services.test_turns import file_a_request


def test_a_file_too_large_for_a_complaint_is_told_with_its_limit(office: Office) -> None:
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    tickets.save(office.c, replace(ticket, status=Status.RESOLVED))
    office.take(ANNA, Pressed(f"rate:{ticket.id}:1", "notice"))
    office.attach("video.mp4", size=99_000_000)
    words = Templates([packed("templates")], office.env.zone)
    for lang in ("ru", "en"):
        assert "20" in render(screen_from_json(office.screen()), lang, words).text


@pytest.mark.parametrize(
    ("button", "letter"), [("rate:{}:1", "complaint"), ("ns:{}", "not_solved")], ids=["complaint", "not solved"]
)
@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_a_photo_before_the_words_goes_with_them_in_one_letter(
    office: Office, button: str, letter: str, status: Status
) -> None:
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    tickets.save(office.c, replace(ticket, status=status, number="IM-CL-1"))
    office.take(ANNA, Pressed(button.format(ticket.id), "notice"))
    office.attach("proof.jpg")
    office.say("Никто не пришёл")
    packs = [one.parcel for one in outbox.open_parcels(office.c, 50) if one.parcel.kind is Kind.PACK]
    assert sorted(parcel.payload["letter"] for parcel in packs) == sorted([letter, "ticket"])
    (told,) = (parcel for parcel in packs if parcel.payload["letter"] == letter)
    lane = [one.kind for one in outbox.of_lane(office.c, told.lane)]
    assert lane == [Kind.DOWNLOAD, Kind.PACK]
    (proof,) = files.of_letter(office.c, told.payload["message_id"])
    assert files.stored(office.c, proof.id, "p", 1000, "s", "image/jpeg")
    packed = letters.packing(office.c, told.payload, office.env)
    assert packed is not None
    assert [row.name for row in packed.files] == ["proof.jpg"]


def test_a_photo_without_words_goes_as_an_addition(office: Office) -> None:
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    tickets.save(office.c, replace(ticket, status=Status.RESOLVED, number="IM-CL-1"))
    office.take(ANNA, Pressed(f"rate:{ticket.id}:1", "notice"))
    office.attach("proof.jpg")
    office.press("skip")
    packs = [one.parcel for one in outbox.open_parcels(office.c, 50) if one.parcel.kind is Kind.PACK]
    assert sorted(parcel.payload["letter"] for parcel in packs) == ["addition", "ticket"]


def test_a_photo_that_the_request_has_already_goes_with_the_addition_all_the_same(office: Office) -> None:
    office.link()
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    office.say("Мигает красным")
    office.attach("screen.jpg")
    office.show(message_id="review")
    office.press("send")
    (ticket,) = tickets.open_of_person(office.c, 1, 1)
    tickets.save(office.c, replace(ticket, number="IM-CL-1"))
    office.take(ANNA, Pressed(f"add:{ticket.id}", "notice"))
    office.attach("screen.jpg")
    office.press("send")
    packs = [one.parcel for one in outbox.open_parcels(office.c, 50) if one.parcel.kind is Kind.PACK]
    (addition,) = (parcel for parcel in packs if parcel.payload["letter"] == "addition")
    (again,) = files.of_letter(office.c, addition.payload["message_id"])
    assert files.stored(office.c, again.id, "p", 1000, "s", "image/jpeg")
    packed_ = letters.packing(office.c, addition.payload, office.env)
    assert packed_ is not None
    assert [row.name for row in packed_.files] == ["screen.jpg"]


def test_a_photo_for_the_review_takes_the_buttons_of_the_older_review_away(office: Office) -> None:
    office.link()
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    office.say("Принтер мигает красным")
    office.attach("photo.jpg")
    assert (office.screen()["name"], office.screen().get("retires")) == ("review", True)
