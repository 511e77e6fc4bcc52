"""What the ITSM says between a question and its answer: nothing is called unknown that is theirs, and no word is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imbot.domain.chats import Pressed
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status, Ticket
from imbot.store import outbox, sessions, tickets
from tests.services.conftest import ANNA, Office
from tests.services.delivering import file_a_request


def kept_for_anna(office: Office) -> dict[str, Any]:
    """What her session holds."""
    session = sessions.load(office.c, ANNA.key)
    assert session
    data: dict[str, Any] = session["data"]
    return data


def becomes(office: Office, ticket: Ticket, status: Status) -> None:
    done = office.now if status is Status.RESOLVED else None
    changed = replace(ticket, status=status, number="IM-CL-1", registered_at=office.now, resolved_at=done)
    tickets.save(office.c, changed)


def test_a_request_that_ends_before_yes_is_shown_and_nothing_is_asked_for(office: Office) -> None:
    ticket = file_a_request(office)
    office.take(ANNA, Pressed(f"wd:{ticket.id}", "receipt"))
    becomes(office, ticket, Status.REJECTED)
    office.press("withdraw_yes")
    values = office.screen()["values"]
    assert (office.screen()["name"], values["problem"], values["status"]) == (
        "ticket",
        "nothing_to_withdraw",
        "rejected",
    )
    assert [one for one in outbox.open_parcels(office.c, 50) if one.parcel.payload.get("letter") == "withdrawal"] == []


def test_a_request_that_is_taken_up_before_the_words_gets_them_as_an_addition(office: Office) -> None:
    ticket = file_a_request(office)
    becomes(office, ticket, Status.RESOLVED)
    office.take(ANNA, Pressed(f"ns:{ticket.id}", "notice"))
    becomes(office, ticket, Status.IN_PROGRESS)
    office.say("Опять мигает")
    assert (office.screen()["name"], office.screen()["values"]["status"]) == ("ticket", "in_progress")
    assert "Опять мигает" in str(office.screen()["values"]["ledger"])
    orders = [one.parcel.payload for one in outbox.open_parcels(office.c, 50) if one.parcel.kind is Kind.PACK]
    assert [(one["letter"], one["text"]) for one in orders][1:] == [("addition", "Опять мигает")]


def test_words_out_of_the_blue_that_went_as_an_addition_are_not_offered_again(office: Office) -> None:
    ticket = file_a_request(office)
    becomes(office, ticket, Status.RESOLVED)
    office.say("Опять мигает")
    becomes(office, ticket, Status.IN_PROGRESS)
    office.press("again_here")
    assert office.screen()["name"] == "ticket"
    assert "Опять мигает" not in str(sessions.load(office.c, ANNA.key))
    orders = [one.parcel.payload for one in outbox.open_parcels(office.c, 50) if one.parcel.kind is Kind.PACK]
    assert [one["text"] for one in orders][1:] == ["Опять мигает"]


def test_words_behind_a_request_that_was_refused_meanwhile_are_kept(office: Office) -> None:
    ticket = file_a_request(office)
    becomes(office, ticket, Status.RESOLVED)
    office.take(ANNA, Pressed(f"ns:{ticket.id}", "notice"))
    office.attach()
    becomes(office, ticket, Status.REJECTED)
    office.say("Опять мигает")
    values = office.screen()["values"]
    assert (office.screen()["name"], values["ticket"], values["kept"]) == ("cannot_add", ticket.id, True)
    data = kept_for_anna(office)
    assert "Опять мигает" in str(data["draft"])
    assert "photo.jpg" in str(data["draft"])
    assert {"reply", "sending", "extra"}.isdisjoint(data)


def test_words_of_not_solved_that_were_taken_are_kept_no_longer(office: Office) -> None:
    ticket = file_a_request(office)
    becomes(office, ticket, Status.RESOLVED)
    office.take(ANNA, Pressed(f"ns:{ticket.id}", "notice"))
    office.say("Опять мигает")
    assert office.screen()["name"] == "reopen_asked"
    assert "Опять мигает" not in str(sessions.load(office.c, ANNA.key))


def test_words_out_of_the_blue_behind_a_request_that_was_refused_meanwhile_wait_for_another_choice(
    office: Office,
) -> None:
    ticket = file_a_request(office)
    becomes(office, ticket, Status.RESOLVED)
    office.say("Опять мигает")
    becomes(office, ticket, Status.REJECTED)
    office.press("again_here")
    assert (office.screen()["name"], office.screen()["values"]["problem"]) == ("stray", "ended")
    data = kept_for_anna(office)
    assert "Опять мигает" in str(data["stray"])
    assert "sending" not in data


def test_a_photo_behind_a_closed_request_is_kept_where_its_question_is_left(office: Office) -> None:
    ticket = file_a_request(office)
    becomes(office, ticket, Status.CLOSED)
    for button in (f"rate:{ticket.id}:1", f"ns:{ticket.id}"):
        office.take(ANNA, Pressed(button, "notice"))
        office.attach()
        office.command("menu")
        values = office.screen()["values"]
        assert (office.screen()["name"], values["ticket"], values["kept"]) == ("cannot_add", ticket.id, True)
        data = kept_for_anna(office)
        assert "photo.jpg" in str(data.pop("draft"))
        assert {"extra", "left", "sending"}.isdisjoint(data)
        office.command("cancel")


def test_what_the_question_was_left_for_is_done_though_its_photo_is_not_taken(office: Office) -> None:
    ticket = file_a_request(office)
    becomes(office, ticket, Status.CLOSED)
    office.take(ANNA, Pressed(f"rate:{ticket.id}:1", "notice"))
    office.attach()
    office.take(ANNA, Pressed(f"wd:{ticket.id}", "notice"))
    assert (office.screen()["name"], office.screen()["values"]["problem"]) == ("ticket", "nothing_to_withdraw")
    assert "photo.jpg" in str(kept_for_anna(office)["draft"])
