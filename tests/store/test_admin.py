from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from sqlalchemy import Connection

from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Person
from imbot.domain.tickets import Status
from imbot.store import admin, inbox, ledger, outbox, signin, tickets
from imbot.store.signin import CodeRow
from tests.store.conftest import ANNA, EVE, NOW, file_ticket
from tests.store.plans import plans_of, walks

LATER = NOW + timedelta(hours=1)


def lookup(c: Connection, number: int, address: str) -> None:
    key = f"lookup:telegram:{number}:{address}"
    outbox.put(c, NewParcel(f"signin:{EVE.key}", "directory", key, Kind.LOOKUP, {"address": address}), NOW)


def test_codes_and_questions_for_an_address_come_newest_first(c: Connection) -> None:
    for token in ("t1", "t2"):
        signin.save_code(c, CodeRow(ANNA.key, "anna@company.ru", {}, "h", token, NOW))
    lookup(c, 1, "anna@company.ru")
    lookup(c, 2, "joanna@company.ru")
    lookup(c, 3, "anna@company.ru")
    assert [code.token_hash for code in admin.codes_for_address(c, "anna@company.ru")] == ["t2", "t1"]
    keys = [stored.parcel.key for stored in admin.lookups_of_address(c, "anna@company.ru")]
    assert keys == ["lookup:telegram:3:anna@company.ru", "lookup:telegram:1:anna@company.ru"]


def test_a_ticket_is_found_by_id_token_or_number_in_any_case(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id, "abc", token="imb:ABCDEFGH23", number="IM-CL-1042")
    for what in ("ABC", " imb:abcdefgh23 ", "IMB:ABCDEFGH23", "abcdefgh23", "im-cl-1042"):
        assert admin.tickets_matching(c, what) == ["abc"], what
    assert admin.tickets_matching(c, "1042") == []


def test_a_number_in_another_alphabet_is_found_in_any_case(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id, "cyr", number="ОБР-2026/004600")
    file_ticket(c, anna.id, "like", number="АБР-2026/004600")
    tickets.add_number(c, "itsm", "Заявка_7%", "like", NOW)
    for what in ("ОБР-2026/004600", " обр-2026/004600", "Обр-2026/004600"):
        assert admin.tickets_matching(c, what) == ["cyr"], what
    assert admin.tickets_matching(c, "ЗАЯВКА_7%") == ["like"]
    file_ticket(c, anna.id, "without")
    assert admin.tickets_matching(c, "%") == admin.tickets_matching(c, "") == []


def test_what_was_settled_last_is_shown_first(c: Connection) -> None:
    for n in (1, 2, 3):
        outbox.put(c, NewParcel(f"lane{n}", "smtp", f"k{n}", Kind.NOTE), NOW)
    for n, parcel in enumerate(outbox.claim(c, NOW, 2)):
        outbox.settle(c, parcel, "sent", NOW + timedelta(seconds=n))
    assert [stored.parcel.key for stored in admin.settled_parcels(c, 5)] == ["k2", "k1"]


def test_old_history_goes_only_where_the_ticket_has_ended(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id, "open")
    file_ticket(c, anna.id, "ended", status=Status.CLOSED)
    for id in ("open", "ended"):
        ledger.log(c, id, NOW, "filed")
    assert admin.prune_ledger(c, NOW) == 0
    assert admin.prune_ledger(c, LATER) == 1
    assert len(ledger.ledger(c, "open")) == 1


def test_upkeep_walks_neither_tickets_nor_their_history(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id, backend="itsm")
    with plans_of(c) as plans:
        tickets.of_lost_backends(c, ["itsm"])
        admin.prune_ledger(c, NOW)
    assert plans
    assert walks(plans) == []


def test_old_updates_are_forgotten(c: Connection) -> None:
    inbox.keep_update(c, "odd", "error", NOW)
    assert admin.prune_updates(c, NOW) == 0
    assert admin.prune_updates(c, LATER) == 1


def test_a_whole_file_has_nothing_to_complain_of(c: Connection) -> None:
    assert admin.integrity(c) == ""
    other = SimpleNamespace(dialect=SimpleNamespace(name="postgresql"))  # has no such question
    assert admin.integrity(other) == ""  # type: ignore[arg-type]
