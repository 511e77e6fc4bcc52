"""What a ticket's letter may say of the person, of their rating and of the files that it does not bear."""

from __future__ import annotations

from dataclasses import replace

from imbot.backends.base import LetterKind
from imbot.services import letters
from imbot.store import files, ratings
from imbot.store.files import FileRow
from tests.services.conftest import ANNA, NOW, Office
from tests.services.inbound import a_ticket


def pack(office: Office, kind: str = "ticket") -> letters.Packing:
    found = letters.packing(office.c, {"ticket": "t1", "letter": kind, "message_id": "<t1@demo.local>"}, office.env)
    assert found is not None
    return found


def test_the_verified_address_stands_in_the_letter_whatever_was_typed_for_this_ticket(office: Office) -> None:
    a_ticket(office, contacts={"phone": "1", "mail": "boss@demo.local"})
    view = pack(office).view
    assert (view.person_address, view.contacts["mail"]) == ("anna@demo.local", "boss@demo.local")


def test_a_complaint_knows_the_stars(office: Office) -> None:
    a_ticket(office)
    assert pack(office, "complaint").view.stars is None
    ratings.rate(office.c, "t1", 2, NOW)
    assert pack(office, "complaint").view.stars == 2


def test_a_file_too_large_for_any_letter_is_named_in_the_first_one(office: Office) -> None:
    a_ticket(office)
    for name, size in (("фото.jpg", 1000), ("видео.mp4", 30_000_000)):
        row = FileRow(
            name, "t1", ANNA.key, name, name, name, size, "", "document", "", name, "", "stored", NOW, path="x"
        )
        files.add(office.c, row)
    packed = pack(office)
    assert packed.kind is LetterKind.TICKET
    assert [row.name for row in packed.files] == ["фото.jpg"]
    assert [row.name for row in packed.too_large] == ["видео.mp4"]
    ((name, why),) = packed.view.refused_files
    assert name == "видео.mp4"
    assert "при пределе" in why


def test_a_file_just_too_large_is_not_said_to_be_as_large_as_the_limit(office: Office) -> None:
    a_ticket(office)
    row = FileRow("f", "t1", ANNA.key, "f", "f", "big.bin", 21_000_000, "", "document", "", "f", "", "refused", NOW)
    files.add(office.c, replace(row, reason="too_large"))
    assert pack(office).view.refused_files == (("big.bin", "чуть больше 20 МБ при пределе 20 МБ"),)


def test_a_request_that_goes_on_from_another_names_it(office: Office) -> None:
    a_ticket(office, "t1", number="IM-CL-7")
    a_ticket(office, "t2", previous="t1")
    payload = {"ticket": "t2", "letter": "ticket", "message_id": "<t2@demo.local>", "text": ""}
    packed = letters.packing(office.c, payload, office.env)
    assert packed is not None
    assert packed.view.previous == "IM-CL-7"
