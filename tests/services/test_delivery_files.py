"""Files of a request on their way to its letter: with it, late, not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import update

from imbot.domain.chats import Attached, FileRef, Pressed
from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Handover
from imbot.mime.content import refusal
from imbot.services import delivery, telling
from imbot.store import files, ledger, outbox
from imbot.store.schema import parcels
from tests.services.conftest import ANNA, Office
from tests.services.delivering import GONE, SLOW, claim, file_a_request, now_is, open_kinds, pack, store


def test_the_letter_waits_for_the_files_and_carries_them(office: Office) -> None:
    ticket = file_a_request(office, "a.jpg")
    download = claim(office, Kind.DOWNLOAD)
    assert download.target == "files:telegram"
    store(office, download)
    packing = pack(office, claim(office, Kind.PACK))
    assert [row.name for row in packing.files] == ["a.jpg"]
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), "250 ok", office.now, office.env)
    after = now_is(office, ticket)
    assert after.handover is Handover.ACCEPTED
    assert after.accepted_at == office.now
    assert "accepted" in [row.what for row in ledger.ledger(office.c, ticket.id)]


def test_a_file_that_does_not_come_in_ten_minutes_follows_in_a_letter_of_its_own(office: Office) -> None:
    ticket = file_a_request(office, "a.jpg")
    office.later(minutes=11)
    delivery.failed(office.c, claim(office, Kind.DOWNLOAD), SLOW, office.now, office.env)
    assert pack(office, claim(office, Kind.PACK)).files == ()
    late = claim(office, Kind.DOWNLOAD)
    assert late.payload["late"]
    store(office, late)
    waiting = [one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.kind is Kind.PACK]
    assert [parcel.waits_for for parcel in waiting] == [f"number:{ticket.id}"]
    outbox.release(office.c, f"number:{ticket.id}")
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), "250", office.now, office.env)
    assert [row.name for row in pack(office, claim(office, Kind.PACK)).files] == ["a.jpg"]


def test_no_two_files_of_a_request_are_called_alike(office: Office) -> None:
    def photo(number: int, name: str = "") -> None:
        office.take(
            ANNA, Attached(FileRef(f"v{number}", f"u{number}", name, 9, "image/jpeg", "photo"), "", f"m{number}")
        )

    ticket = file_a_request(office, "scan.pdf")
    office.take(ANNA, Pressed(f"add:{ticket.id}", "receipt"))
    for number, name in enumerate(("", "", "scan.pdf", "Scan.pdf")):
        photo(number, name)
    office.press("send")
    office.take(ANNA, Pressed(f"add:{ticket.id}", "receipt"))
    photo(5)
    office.press("send")
    names = sorted(row.name for row in files.of_ticket(office.c, ticket.id))
    assert names == ["Scan-3.pdf", "scan-2.pdf", "scan.pdf", "фото-1.jpg", "фото-2.jpg", "фото-3.jpg"]


def test_a_request_whose_photo_comes_late_passes_what_waits_for_its_number(office: Office) -> None:
    """The letter is put behind a withdrawal or an addition that was asked for meanwhile; each would wait for the other."""
    ticket = file_a_request(office, "a.jpg")
    office.take(ANNA, Pressed(f"add:{ticket.id}", "receipt"))
    office.say("И ещё гудит")
    office.press("send")
    office.take(ANNA, Pressed(f"wd:{ticket.id}", "receipt"))
    office.press("withdraw_yes")
    waiting = [one.parcel.payload["letter"] for one in outbox.open_parcels(office.c, 100) if one.parcel.waits_for]
    assert waiting == ["addition", "withdrawal"]
    store(office, claim(office, Kind.DOWNLOAD), 10)
    pack(office, claim(office, Kind.PACK))
    letter = claim(office, Kind.LETTER)
    assert letter.payload["letter"] == "ticket"
    delivery.letter_accepted(office.c, letter, "250 ok", office.now, office.env)
    assert now_is(office, ticket).accepted_at == office.now


def test_a_file_that_is_gone_for_good_is_named_in_the_corrected_receipt(office: Office) -> None:
    ticket = file_a_request(office, "a.jpg")
    office.later(seconds=1)  # the receipt gives the mail server a moment
    download = claim(office, Kind.DOWNLOAD)
    delivery.message_shown(office.c, claim(office, Kind.RECEIPT), ANNA.key, "review", office.now)
    office.later(seconds=1)
    delivery.failed(office.c, download, GONE, office.now, office.env)
    assert open_kinds(office).count(Kind.RECEIPT) == 1
    told = telling.receipt_values(office.c, ticket, office.env)["files"]
    assert [(one["fate"], one["reason"]) for one in told] == [("failed", "unavailable")]


def test_files_over_the_limit_wait_for_the_number_and_one_too_large_is_refused(office: Office) -> None:
    office.env = replace(office.env, max_letter_bytes=3000)
    ticket = file_a_request(office, "a.jpg", "b.jpg", "c.jpg")
    for size in (2000, 9000, 2000):
        store(office, claim(office, Kind.DOWNLOAD), size)
    packing = pack(office, claim(office, Kind.PACK))
    assert ([row.name for row in packing.files], packing.left) == (["a.jpg"], 1)
    assert [row.name for row in packing.too_large] == ["b.jpg"]
    fates = {row.name: (row.fate, row.reason) for row in files.of_ticket(office.c, ticket.id)}
    assert fates["b.jpg"] == ("refused", "too_large_letter")
    assert Kind.PACK in open_kinds(office)


def test_a_program_is_refused_whatever_its_name_says(tmp_path: Path) -> None:
    refused = frozenset({"exe", "js"})
    path = tmp_path / "file"
    path.write_bytes(b"MZ\x90\x00rest")
    assert refusal(path, "photo.jpg", refused) == "type"
    path.write_bytes(b"#!/bin/sh\n")
    assert refusal(path, "notes.txt", refused) == "type"
    path.write_bytes(b"plain words")
    assert refusal(path, "notes.txt", refused) == ""
    assert refusal(path, "run.JS", refused) == "type"
    assert refusal(path, "exe", refused) == ""


def test_a_letter_waits_ten_minutes_for_its_files_however_far_off_the_next_try_is(office: Office) -> None:
    ticket = file_a_request(office, "a.jpg", "b.jpg")
    for seconds in (0, 6, 16, 31, 61, 121, 301):
        office.later(seconds=seconds)
        delivery.failed(office.c, claim(office, Kind.DOWNLOAD), SLOW, office.now, office.env)
    assert delivery.files_in_vain(office.c, office.now) == []
    assert delivery.go_without_files(office.c, office.now) == 0
    office.later(minutes=1, seconds=10)
    assert [parcel.kind for parcel in delivery.files_in_vain(office.c, office.now)] == [Kind.DOWNLOAD]
    assert delivery.go_without_files(office.c, office.now) == 2
    assert delivery.files_in_vain(office.c, office.now) == []
    packing = pack(office, claim(office, Kind.PACK))
    assert (packing.files, packing.ticket.id) == ((), ticket.id)
    told = telling.receipt_values(office.c, ticket, office.env)["files"]
    assert [one["fate"] for one in told] == ["wanted", "wanted"]
    for _ in range(2):
        late = claim(office, Kind.DOWNLOAD)
        assert late.payload["late"]
        store(office, late)
    told = telling.receipt_values(office.c, ticket, office.env)["files"]
    assert [one["fate"] for one in told] == ["follows", "follows"]


def test_where_telegram_is_away_a_letter_goes_without_its_files_as_well(office: Office) -> None:
    """Nothing is tried meanwhile, so nothing fails: there is no attempt that would notice how late it is."""
    ticket = file_a_request(office, "a.jpg")
    down = DeliveryError("no connection", kind="down")
    delivery.failed(office.c, claim(office, Kind.DOWNLOAD), down, office.now, office.env)
    office.later(minutes=10, seconds=1)
    assert delivery.go_without_files(office.c, office.now) == 1
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), "250 ok", office.now, office.env)
    assert now_is(office, ticket).handover is Handover.ACCEPTED


def test_a_file_that_is_coming_down_is_waited_for(office: Office) -> None:
    file_a_request(office, "a.jpg")
    office.later(minutes=11)
    under_way = claim(office, Kind.DOWNLOAD)
    assert delivery.go_without_files(office.c, office.now) == 0
    store(office, under_way)
    assert [row.name for row in pack(office, claim(office, Kind.PACK)).files] == ["a.jpg"]


def test_a_late_file_holds_nobody_up_and_is_not_given_up_again(office: Office) -> None:
    file_a_request(office, "a.jpg")
    office.later(minutes=11)
    assert delivery.go_without_files(office.c, office.now) == 1
    office.later(minutes=11)
    assert delivery.go_without_files(office.c, office.now) == 0
    assert claim(office, Kind.DOWNLOAD).payload["late"]


def test_a_late_file_that_never_comes_is_asked_for_ever_less_often(office: Office) -> None:
    """Its server fails for it alone, and works for others: nothing else would put it off."""
    file_a_request(office, "a.jpg")
    office.later(minutes=11)
    delivery.go_without_files(office.c, office.now)
    waits = []
    for _ in range(9):
        late = claim(office, Kind.DOWNLOAD)
        tried_at = office.now
        delivery.failed(office.c, late, DeliveryError("HTTP 500", kind="down"), tried_at, office.env)
        (again,) = (one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.id == late.id)
        waits.append((again.due_at - tried_at).total_seconds())
        office.now = again.due_at
    assert waits == [5, 15, 30, 60, 120, 300, 300, 300, 300]


def test_a_file_that_was_asked_for_before_the_upgrade_follows_by_the_new_way(office: Office) -> None:
    file_a_request(office, "a.jpg")
    downloads = update(parcels).where(parcels.c.kind == Kind.DOWNLOAD)
    office.c.execute(downloads.values(target="telegram"))  # as it was put then
    office.later(minutes=11)
    assert delivery.go_without_files(office.c, office.now) == 1
    late = claim(office, Kind.DOWNLOAD)
    assert (late.target, late.payload["late"]) == ("files:telegram", True)
