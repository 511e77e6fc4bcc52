from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.domain.errors import ImbotError, NotFound
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Handover, Status, Ticket
from imbot.mime import bytes_to_mail
from imbot.services import explaining, quarantine, reports
from imbot.services.env import Env
from imbot.store import admin, inbox, ledger, letters, tickets
from imbot.store.letters import LetterRow
from tests.services.conftest import ANNA, NOW, Office
from tests.services.inbound import notices, now_of

VOUCHED = "Authentication-Results: mx.demo.local; dmarc=pass header.from=demo.local\r\n"


def letter(subject: str, text: str = "", sender: str = "itsm@demo.local", vouched: bool = True) -> bytes:
    head = (VOUCHED if vouched else "") + f"From: {sender}\r\nTo: bot@demo.local\r\nSubject: {subject}\r\n"
    return (
        f"{head}Date: {NOW:%a, %d %b %Y %H:%M:%S} +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


DONE = letter("Заявка № IM-CL-1042 выполнена", "Решение:\n23.11.2026 - Заменён картридж", vouched=False)


def a_ticket(office: Office, id: str = "t1", number: str = "", **changes: object) -> Ticket:
    person = office.link()
    ticket = Ticket(
        id=id,
        person_id=person.id,
        chat_key=ANNA.key,
        title="Принтер: мигает красным",
        backend=office.env.default_backend,
        token=f"imb:AAAAAAAAA{id.upper().replace('1', 'B').replace('2', 'C')[-1]}",
        message_id=f"<{id}@demo.local>",
        created_at=NOW,
        handover=Handover.ACCEPTED,
        accepted_at=NOW,
        status=Status.REGISTERED if number else Status.NEW,
        number=number,
    )
    ticket = replace(ticket, **changes)  # type: ignore[arg-type]
    tickets.add(office.c, ticket)
    if number:
        tickets.add_number(office.c, ticket.backend, number, ticket.id, NOW)
    return ticket


def came(office: Office, raw: bytes) -> tuple[int, InboundMail]:
    """Kept and received, as by the watcher."""
    mail = bytes_to_mail(raw)
    id = inbox.keep_raw(office.c, "replies", "1", mail.sha256, raw=raw, size=len(raw), sha256=mail.sha256, now=NOW)
    reports.receive(office.c, id, mail, office.now, office.env, looked(mail, office.env))
    return id, mail


def looked(mail: InboundMail, env: Env) -> reports.Looked:
    return reports.look(mail, env)


def trusting(env: Env) -> Env:
    """The same company, once its admin has said that the sender is proof enough."""
    name, backend = next(iter(env.backends.items()))
    return replace(env, backends={name: replace(backend, evidence=replace(backend.evidence, kind="sender-only"))})


def test_a_letter_read_again_after_the_settings_were_mended_is_carried_out(office: Office) -> None:
    ticket = a_ticket(office, number="IM-CL-1042")
    id, mail = came(office, DONE)
    still = quarantine.read_again(office.c, id, mail, looked(mail, office.env), office.now, office.env)
    assert still.outcome == "quarantined"
    env = trusting(office.env)
    fate = quarantine.read_again(office.c, id, mail, looked(mail, env), office.now, env)
    assert (fate.outcome, fate.ticket_id) == ("applied", ticket.id)
    assert now_of(office, ticket).status is Status.RESOLVED
    assert notices(office) == ["notice_resolved"]


def test_a_letter_carried_out_is_not_read_again(office: Office) -> None:
    ticket = a_ticket(office, number="IM-CL-1042")
    id, mail = came(office, VOUCHED.encode() + DONE)
    assert now_of(office, ticket).status is Status.RESOLVED
    with pytest.raises(NotFound, match="not in quarantine: applied"):
        quarantine.read_again(office.c, id, mail, looked(mail, office.env), office.now, office.env)
    with pytest.raises(NotFound, match="not in quarantine: applied"):
        quarantine.drop(office.c, id, "tom", office.now)
    assert notices(office) == ["notice_resolved"]


def test_a_letter_bound_by_hand_moves_its_ticket_and_the_ledger_says_by_whom(office: Office) -> None:
    ticket = a_ticket(office)
    id, mail = came(office, DONE)
    fate = quarantine.bind_by_hand(office.c, id, mail, ticket.id, "tom", office.now, office.env)
    assert (fate.outcome, fate.reason, fate.ticket_id) == ("applied", "by hand: tom", ticket.id)
    moved = now_of(office, ticket)
    assert (moved.status, moved.number) == (Status.RESOLVED, "IM-CL-1042")
    lines = {row.what: row.values for row in ledger.ledger(office.c, ticket.id)}
    assert lines["bound_by_hand"] == {"mail": id, "who": "tom"}
    assert notices(office) == ["notice_resolved"]


def test_a_letter_without_a_status_bound_by_hand_is_a_comment(office: Office) -> None:
    ticket = a_ticket(office)
    id, mail = came(office, letter("О принтере", "Зайдём после обеда", "tom@demo.local"))
    assert quarantine.bind_by_hand(office.c, id, mail, ticket.id, "tom", office.now, office.env).outcome == "comment"
    assert now_of(office, ticket).status is Status.NEW
    assert notices(office) == ["notice_comment"]


def test_by_hand_too_a_letter_with_the_number_of_another_ticket_moves_nothing(office: Office) -> None:
    a_ticket(office, "t1", number="IM-CL-1042")
    other = a_ticket(office, "t2")
    id, mail = came(office, DONE)
    with pytest.raises(ImbotError, match="IM-CL-1042 in its subject"):
        quarantine.bind_by_hand(office.c, id, mail, other.id, "tom", office.now, office.env)
    assert now_of(office, other) == other
    row = inbox.get_mail(office.c, id)
    assert row is not None
    assert row.outcome == "quarantined"


@pytest.mark.parametrize("mark", ["Метка: {token}", "In-Reply-To"])
def test_a_letter_of_anothers_thread_is_bound_by_hand_only_by_force(office: Office, mark: str) -> None:
    toms, annas = a_ticket(office, "t1"), a_ticket(office, "t2")
    row = LetterRow(toms.message_id, toms.id, "ticket", {"subject": "Просьба", "text": "Нужен доступ"}, NOW)
    letters.save_letter(office.c, row)
    text = mark.format(token=toms.token) if mark != "In-Reply-To" else "Пароль от папки сменили"
    raw = letter("О папке", text, vouched=False)
    if mark == "In-Reply-To":
        raw = f"In-Reply-To: {toms.message_id}\r\n".encode() + raw
    id, mail = came(office, raw)
    with pytest.raises(ImbotError, match="--force"):
        quarantine.bind_by_hand(office.c, id, mail, annas.id, "tom", office.now, office.env)
    assert notices(office) == []
    fate = quarantine.bind_by_hand(office.c, id, mail, annas.id, "tom", office.now, office.env, despite=True)
    assert fate.outcome == "comment"


def test_the_same_letter_that_comes_again_after_it_was_bound_by_hand_is_a_duplicate(office: Office) -> None:
    ticket = a_ticket(office)
    id, mail = came(office, DONE)
    quarantine.bind_by_hand(office.c, id, mail, ticket.id, "tom", office.now, office.env)
    copy = inbox.keep_raw(office.c, "other", "1", 1, raw=DONE, size=1, sha256=mail.sha256, now=NOW)
    assert reports.receive(office.c, copy, mail, office.now, office.env) == "duplicate"


def test_a_dropped_letter_leaves_the_quarantine_and_says_who_dropped_it(office: Office) -> None:
    id, _ = came(office, DONE)
    fate = quarantine.drop(office.c, id, "tom", office.now)
    assert fate.outcome == "dropped"
    assert fate.reason.startswith("dropped by tom; it was set aside: ")
    assert fate.sender == "itsm@demo.local"
    assert inbox.quarantined(office.c, NOW, 10) == []
    assert [row.id for row in inbox.dropped(office.c, NOW, 10)] == [id]
    assert inbox.raw_letter(office.c, id) is not None


def test_a_letter_that_was_cleaned_up_is_not_read_again(office: Office) -> None:
    id, mail = came(office, DONE)
    office.later(days=100)
    assert inbox.prune_raw(office.c, office.now) == 1
    with pytest.raises(NotFound, match="cleaned up"):
        quarantine.read_again(office.c, id, mail, looked(mail, office.env), office.now, office.env)


def test_an_explanation_says_what_would_be_told_to_whom(office: Office) -> None:
    ticket = a_ticket(office, number="IM-CL-1042")
    mail = bytes_to_mail(VOUCHED.encode() + DONE)
    course = explaining.explain(office.c, mail, looked(mail, office.env), office.now, office.env)
    assert course.outcome == "applied"
    assert course.reason.startswith("number IM-CL-1042")
    assert course.ticket is not None
    assert (course.ticket.id, course.ticket.status) == (ticket.id, Status.RESOLVED)
    assert course.requester == "Иванова Анна Сергеевна <anna@demo.local>"
    assert [what for what, _ in course.noted] == ["status", "notice"]
    assert [(one.kind, one.to, one.lang) for one in course.told] == [
        ("notice", "chat telegram:1001", "ru"),
        ("receipt", "chat telegram:1001", "ru"),
    ]
    assert course.told[0].screen is not None
    assert course.told[0].screen["values"]["solution"] == "Заменён картридж"


def test_a_letter_of_the_store_is_explained_as_if_it_had_not_come_before(office: Office) -> None:
    a_ticket(office, number="IM-CL-1042")
    id, mail = came(office, DONE)
    env = trusting(office.env)
    newest = admin.newest_parcel(office.c)
    course = explaining.explain(office.c, mail, looked(mail, env), office.now, env, id)
    assert course.outcome == "applied"
    assert {one.parcel.id for one in admin.parcels_since(office.c, newest)} != set()
