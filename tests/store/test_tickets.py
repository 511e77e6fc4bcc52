from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from imbot.domain.chats import Chat
from imbot.domain.people import Entry, Person
from imbot.domain.tickets import Handover, Status
from imbot.store import ledger, people, tickets
from tests.store.conftest import NOW, a_ticket, file_ticket

LATER = NOW + timedelta(hours=1)


def test_a_ticket_comes_back_as_it_was(c: Connection, anna: Person) -> None:
    ticket = a_ticket(
        anna.id,
        category="Оборудование",
        subcategory="Принтер",
        location="Москва, офис 2",
        description="Не печатает\nсовсем 🖨",
        contacts={"phone": "+7", "mail": "anna@company.ru"},
        fields=(("Модель", "HP"), ("Этаж", "2")),
        previous="tick0",
    )
    tickets.add(c, ticket, "msk-2")
    assert tickets.get(c, "tick1") == ticket
    assert tickets.get(c, "none") is None


def test_saving_writes_everything_that_may_change(c: Connection, anna: Person) -> None:
    ticket = file_ticket(c, anna.id)
    changed = replace(
        ticket,
        chat_key="vk:5",
        status=Status.RESOLVED,
        handover=Handover.ACCEPTED,
        number="1042",
        accepted_at=NOW,
        registered_at=NOW,
        promised_at=LATER,
        resolved_at=LATER,
        closed_at=LATER,
        reported_at=LATER,
        solution="Заменили картридж",
        asked="reopen",
        asked_until=LATER,
        failure="550",
        thread="<their@id>",
        receipt_id="77",
        message_id="<other@bot>",
    )
    tickets.save(c, changed)
    assert tickets.get(c, "tick1") == changed
    with pytest.raises(LookupError):
        tickets.save(c, replace(ticket, id="none"))


def test_saving_what_has_changed_leaves_all_else_as_somebody_else_has_written_it(c: Connection, anna: Person) -> None:
    ticket = file_ticket(c, anna.id)
    tickets.save(c, replace(ticket, receipt_id="77"))
    tickets.save(c, replace(ticket, solution="Готово", resolved_at=LATER), ticket)
    assert tickets.get(c, "tick1") == replace(ticket, receipt_id="77", solution="Готово", resolved_at=LATER)
    tickets.save(c, ticket, ticket)  # nothing has
    with pytest.raises(LookupError):
        tickets.save(c, replace(ticket, id="none", failure="550"), replace(ticket, id="none"))


def test_a_persons_tickets_come_open_first_then_newest_in_pages(c: Connection, anna: Person) -> None:
    for n in range(7):
        status = Status.CLOSED if n in (5, 6) else Status.NEW
        file_ticket(c, anna.id, f"t{n}", created_at=NOW + timedelta(minutes=n), status=status)
    first, total = tickets.of_person(c, anna.id, 0, 4)
    second, _ = tickets.of_person(c, anna.id, 1, 4)
    assert total == 7
    assert [ticket.id for ticket in first + second] == ["t4", "t3", "t2", "t1", "t0", "t6", "t5"]
    assert [ticket.id for ticket in tickets.open_of_person(c, anna.id, 2)] == ["t4", "t3"]
    assert tickets.of_person(c, 99, 0, 4) == ([], 0)


def test_a_token_is_found_in_any_case(c: Connection, anna: Person) -> None:
    ticket = file_ticket(c, anna.id, token="imb:ABCDEFGH23")
    assert tickets.by_token(c, "IMB:abcdefgh23") == ticket
    assert tickets.by_token(c, "imb:ABCDEFGH24") is None


def test_a_number_belongs_to_one_ticket_and_a_ticket_may_have_several(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id, "a")
    file_ticket(c, anna.id, "b")
    assert tickets.add_number(c, "inframanager", "1042", "a", NOW)
    assert tickets.add_number(c, "inframanager", "1042", "a", LATER)
    assert not tickets.add_number(c, "inframanager", "1042", "b", LATER)
    assert tickets.add_number(c, "other", "1042", "b", LATER)
    assert tickets.add_number(c, "inframanager", "7", "a", LATER)
    assert tickets.numbers_of(c, "a") == ["1042", "7"]
    found = tickets.by_number(c, "inframanager", "1042")
    assert found is not None
    assert found.id == "a"
    assert tickets.by_number(c, "inframanager", "9") is None


def test_unregistered_tickets_are_the_accepted_open_ones_without_a_number(c: Connection, anna: Person) -> None:
    accepted = Handover.ACCEPTED
    file_ticket(c, anna.id, "yes", handover=accepted)
    file_ticket(c, anna.id, "queued")
    file_ticket(c, anna.id, "numbered", handover=accepted, number="1")
    file_ticket(c, anna.id, "ended", handover=accepted, status=Status.WITHDRAWN)
    file_ticket(c, anna.id, "elsewhere", handover=accepted, backend="generic-ru")
    tom = people.link_chat(c, Chat("telegram", "7"), Entry("tom@company.ru"), NOW)
    file_ticket(c, tom.id, "toms", handover=accepted)
    found = tickets.unregistered_of_addresses(c, "inframanager", ["Anna@company.ru", "eve@company.ru"], 10)
    assert [(address, ticket.id) for address, ticket in found] == [("anna@company.ru", "yes")]
    named = ["anna@company.ru", "tom@company.ru"]
    found = tickets.unregistered_of_addresses(c, "inframanager", named, 10)
    assert {(address, ticket.id) for address, ticket in found} == {
        ("anna@company.ru", "yes"),
        ("tom@company.ru", "toms"),
    }
    assert len(tickets.unregistered_of_addresses(c, "inframanager", named, 1)) == 1


def test_what_was_asked_is_overdue_at_its_moment(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id, "a", asked="reopen", asked_until=LATER)
    file_ticket(c, anna.id, "b")
    assert tickets.asked_overdue(c, NOW) == []
    assert [ticket.id for ticket in tickets.asked_overdue(c, LATER)] == ["a"]


def test_failed_tickets_and_the_counts_by_status(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id, "a", handover=Handover.FAILED)
    file_ticket(c, anna.id, "b", status=Status.CLOSED)
    assert [ticket.id for ticket in tickets.failed(c, 5)] == ["a"]
    assert tickets.count_of_status(c) == {"closed": 1, "new": 1}


def test_the_last_place_is_offered_again_and_can_be_forgotten(c: Connection, anna: Person) -> None:
    assert tickets.last_location(c, anna.id) is None
    tickets.add(c, a_ticket(anna.id, "a", location="Москва"), "msk")
    tickets.add(c, a_ticket(anna.id, "b", location="Склад у реки", created_at=LATER))
    file_ticket(c, anna.id, "c", created_at=LATER + timedelta(1))
    assert tickets.last_location(c, anna.id) == ("", "Склад у реки")
    assert tickets.forget_location(c, anna.id, LATER + timedelta(hours=1))
    assert tickets.last_location(c, anna.id) is None
    assert not tickets.forget_location(c, anna.id, LATER + timedelta(hours=1))
    kept = [tickets.get(c, id) for id in ("a", "b")]
    assert [ticket.location for ticket in kept if ticket] == ["Москва", "Склад у реки"]
    tickets.add(c, a_ticket(anna.id, "d", location="Офис 2", created_at=LATER + timedelta(hours=2)))
    assert tickets.last_location(c, anna.id) == ("", "Офис 2")


def test_the_ledger_only_grows_in_order(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    file_ticket(c, anna.id, "tick2")
    first = ledger.log(c, "tick1", NOW, "filed")
    other = ledger.log(c, "tick2", NOW, "filed")
    last = ledger.log(c, "tick1", NOW, "accepted", {"answer": "250 ok", "at": LATER})
    rows = ledger.ledger(c, "tick1")
    assert [(row.id, row.what) for row in rows] == [(first, "filed"), (last, "accepted")]
    assert (rows[1].at, rows[1].values) == (NOW, {"answer": "250 ok", "at": LATER.isoformat()})
    assert ledger.entry(c, other) == ("tick2", ledger.LedgerRow(other, NOW, "filed", {}))
    assert ledger.entry(c, 99) is None


def test_open_tickets_of_helpdesks_that_are_gone_are_counted(c: Connection, anna: Person) -> None:
    for id, backend, status in (
        ("a", "glpi", Status.NEW),
        ("b", "glpi", Status.IN_PROGRESS),
        ("c", "glpi", Status.CLOSED),
        ("d", "itsm", Status.NEW),
        ("e", "desk", Status.NEW),
        ("f", "znuny", Status.NEW),
    ):
        file_ticket(c, anna.id, id, backend=backend, status=status)
    tickets.add_number(c, "znuny", "ZN-1", "f", NOW)
    assert tickets.of_lost_backends(c, []) == {"glpi": 2, "itsm": 1, "znuny": 1}
    known = ["itsm", "znuny"]
    assert tickets.of_lost_backends(c, known) == {"glpi": 2}
    assert tickets.of_lost_backends(c, [*known, "glpi"]) == {}
