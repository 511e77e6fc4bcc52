"""Files of support on their way: arrived, refused, by letter, never to somebody else."""

from __future__ import annotations

from imbot.domain.errors import DeliveryError
from imbot.domain.parcels import Kind, NewParcel, Parcel
from imbot.domain.tickets import Ticket
from imbot.services import delivery, sending, telling
from imbot.store import letters, outbox, people, received
from tests.services.conftest import ANNA, EVE_ENTRY, Office
from tests.services.delivering import claim
from tests.services.enclosed import PDF, a_part, parcels, receive
from tests.services.inbound import a_mail, a_ticket
from tests.services.silence import words


def letter_files(office: Office, note: Parcel, most: int = 30_000_000) -> sending.ForLetter:
    assert office.env.files is not None
    return sending.files_for_letter(office.c, note.payload["files"], most, office.env.files)


def a_sent_file(office: Office) -> tuple[Ticket, Parcel]:
    ticket = a_ticket(office)
    receive(office, a_mail("Вопрос", f"Вот акт.\n{ticket.token}", attachments=(a_part("акт.pdf", PDF),)))
    (notice,) = office.due("telegram")
    delivery.message_shown(office.c, notice, ANNA.key, "m7", office.now)
    (file,) = (one for one in office.due("telegram") if one.kind is Kind.FILE)
    return ticket, file


def test_the_subject_of_a_letter_names_the_request_and_to_admins_what_it_is_about(office: Office) -> None:
    question = {"name": "unconfirmed", "values": {"title": "Принтер"}, "rows": []}
    said = "Поддержка не подтвердила заявку «Принтер».\n\nКто: Анна"
    for ticket, title in (("x1", "Принтер"), ("", "Поддержка не подтвердила заявку «Принтер»")):
        note = NewParcel("mail:1", "smtp", f"question{ticket}", Kind.NOTE, {"screen": question, "ticket": ticket})
        outbox.put(office.c, note, office.now)
        assert sending.title_of(parcels(office, Kind.NOTE)[0], said) == title
        outbox.settle_lane(office.c, "mail:1", "told", office.now)


def test_a_file_that_arrived_is_done_and_a_reply_to_it_means_its_ticket(company: Office) -> None:
    ticket, file = a_sent_file(company)
    found = sending.file_to_send(company.c, file)
    assert found is not None
    assert words(found[1]) == f"Файл поддержки по заявке «{ticket.title}»"
    sending.file_sent(company.c, file, "m8", company.now)
    assert letters.ticket_of_message(company.c, ANNA.key, "m8") == ticket.id
    assert received.of_mail(company.c, 1)[0].fate == "sent"
    assert parcels(company, Kind.FILE) == []
    assert sending.file_to_send(company.c, file) is None


def test_a_file_that_telegram_refuses_is_told_by_name_size_and_whom_to_ask(company: Office) -> None:
    _, file = a_sent_file(company)
    error = DeliveryError("Request Entity Too Large", permanent=True, kind="refused", code="413")
    delivery.failed(company.c, file, error, company.now, company.env)
    told = parcels(company, Kind.NOTICE)[-1].payload["screen"]
    assert told["name"] == "notice_file_not_sent"
    values = told["values"]
    assert (values["file"], values["size"], values["reason"], values["support_contact"]) == (
        "акт.pdf",
        len(PDF),
        "too_large",
        "00-11",
    )
    assert received.of_mail(company.c, 1)[0].fate == "refused"


def test_in_a_closed_chat_the_files_go_by_letter_and_those_of_a_notice_with_it(company: Office) -> None:
    ticket = a_ticket(company)
    receive(company, a_mail("Вопрос", f"Вот акт.\n{ticket.token}", attachments=(a_part("акт.pdf", PDF),)))
    (notice,) = company.due("telegram")
    delivery.failed(
        company.c, notice, DeliveryError("blocked", permanent=True, kind="blocked"), company.now, company.env
    )
    notes = parcels(company, Kind.NOTE)
    assert [note.payload["files"] for note in notes] == [["1-0"], ["1-0"]]
    first = company.due("smtp")[0]
    carried = letter_files(company, first)
    assert [row.name for row in carried.attached] == ["акт.pdf"]
    sending.files_went(company.c, first, "250", carried.attached, company.now)
    assert letter_files(company, notes[1]) == sending.ForLetter((), ())


def test_a_file_that_no_letter_carries_is_named_in_one(company: Office) -> None:
    """That of its notice; one that only found no room beside others there follows by itself."""
    ticket = a_ticket(company)
    parts = (a_part("акт.pdf", PDF), a_part("второй.bin", b"x" * 727), a_part("большой.bin", b"x" * 2000))
    receive(company, a_mail("Вопрос", f"Вот акт.\n{ticket.token}", attachments=parts))
    (notice,) = company.due("telegram")
    people.unlink_chat(company.c, ANNA.key, company.now)
    delivery.reroute(company.c, notice, company.now, company.env)
    said = []
    for note in parcels(company, Kind.NOTE)[-4:]:
        found = letter_files(company, note, 1000)
        if not sending.is_told(note.payload, found):
            said.append(([row.name for row in found.attached], [str(one["name"]) for one in found.left_out]))
        sending.files_went(company.c, claim(company, Kind.NOTE), "250", found.attached, company.now)
    assert said == [(["акт.pdf"], ["второй.bin", "большой.bin"]), (["второй.bin"], [])]


def test_a_file_whose_notice_was_seen_goes_by_a_letter_of_its_own(company: Office) -> None:
    _, file = a_sent_file(company)
    delivery.failed(company.c, file, DeliveryError("blocked", permanent=True, kind="blocked"), company.now, company.env)
    (note,) = parcels(company, Kind.NOTE)
    assert note.payload["screen"]["values"]["files"][0]["name"] == "акт.pdf"
    assert note.payload["to"] == "anna@demo.local"
    assert not sending.is_told(note.payload, letter_files(company, note, 10)), "too large for a letter: it says so"


def test_who_has_no_chat_gets_the_files_with_the_letter_and_large_ones_named(company: Office) -> None:
    ticket = a_ticket(company)
    people.set_blocked(company.c, ANNA.key, True, company.now)
    parts = (a_part("акт.pdf", PDF), a_part("большой.bin", b"x" * 2000))
    receive(company, a_mail("Вопрос", f"Вот акт.\n{ticket.token}", attachments=parts))
    assert parcels(company) == []
    (note,) = parcels(company, Kind.NOTE)
    carried = letter_files(company, note, 1000)
    assert [row.name for row in carried.attached] == ["акт.pdf"]
    assert carried.left_out == ({"name": "большой.bin", "size": 2000},)
    for lying in company.env.files.iterdir():  # type: ignore[union-attr]
        lying.unlink()
    assert len(letter_files(company, note).left_out) == 2  # named, though their bytes are gone


def test_a_file_never_reaches_a_chat_that_is_somebody_elses_by_now(company: Office) -> None:
    _, file = a_sent_file(company)
    company.link(ANNA, EVE_ENTRY)
    assert not telling.may_show(company.c, file, company.env)
    delivery.reroute(company.c, file, company.now, company.env)
    (note,) = parcels(company, Kind.NOTE)
    assert (note.payload["to"], note.payload["files"]) == ("anna@demo.local", ["1-0"])
