"""The whole letter on request: in pages, to its requester only, as long as it is kept."""

from __future__ import annotations

from typing import Any

from imbot.domain.chats import Pressed
from imbot.domain.parcels import Kind
from imbot.services import sending
from imbot.store import ledger, letters, people, received
from imbot.store.letters import LetterRow
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, NOW, Office
from tests.services.enclosed import LONG, parcels, receive, said
from tests.services.inbound import a_mail, a_ticket


def press_show_all(office: Office, chat: Any = ANNA) -> dict[str, Any]:
    rows = parcels(office, Kind.NOTICE)[-1].payload["screen"]["rows"]
    (button,) = (one for row in rows for one in row if one["label"] == "show_all")
    office.take(chat, Pressed(button["value"]))
    return office.screen(chat)


def test_a_long_letter_is_shown_in_pages_that_hold_every_word(company: Office) -> None:
    ticket = a_ticket(company)
    receive(company, a_mail("О вашей просьбе", f"{LONG}\n{ticket.token}"))
    screen = press_show_all(company)
    pages = [screen["values"]["text"]]
    while any(one["label"] == "page_on" for row in screen["rows"] for one in row):
        company.press("page_on")
        screen = company.screen()
        pages.append(screen["values"]["text"])
    assert screen["name"] == "more"
    assert len(pages) == screen["values"]["pages"] > 2
    assert "\n".join(pages).startswith(LONG)
    company.press("page_back")
    assert company.screen()["values"]["text"] == pages[-2]


def test_a_quoted_answer_of_support_can_be_seen_but_our_own_words_are_no_rest(company: Office) -> None:
    ticket = a_ticket(company)
    words = "Принтер на третьем этаже опять печатает полосами"
    letters.save_letter(
        company.c, LetterRow("<2@demo.local>", ticket.id, "addition", {"subject": "", "text": words}, NOW)
    )
    head = "\n\n23.11.2026 12:00, bot@demo.local пишет:\n"
    receive(company, a_mail("Re: Принтер", f"Зайдём после обеда. {ticket.token}{head}> {words}\n"))
    assert said(company)["more"] == 0
    quoted = f"> Картридж заказан, привезут в среду\n> {words}"
    receive(company, a_mail("Re: Принтер", f"Привезли. {ticket.token}{head}{quoted}\n"))
    assert said(company)["comment"].startswith("Привезли")
    assert "Картридж" not in said(company)["comment"]
    assert "Картридж заказан" in press_show_all(company)["values"]["text"]


def test_the_details_lead_to_all_that_support_said_where_their_lines_are_cut(company: Office) -> None:
    ticket = a_ticket(company)
    company.take(ANNA, Pressed(f"t:{ticket.id}"))
    assert not any(one["label"] == "show_all" for row in company.screen()["rows"] for one in row)
    words = " ".join(f"слово{number}" for number in range(60))
    ledger.log(company.c, ticket.id, NOW, "comment", {"text": words})
    ledger.log(company.c, ticket.id, NOW, "files_came", {"files": ["Инструкция " * 9 + "для печати.pdf"]})
    company.take(ANNA, Pressed(f"t:{ticket.id}"))
    company.press("show_all")
    shown = company.screen()
    assert shown["name"] == "more"
    assert words in shown["values"]["text"]
    assert "для печати.pdf" in shown["values"]["text"]
    eve = company.link(EVE, EVE_ENTRY)
    assert eve.id != ticket.person_id
    company.take(EVE, Pressed(f"more:{ticket.id}:0:0"))
    assert company.screen(EVE)["values"].get("greeting") == "not_found"


def test_nobody_else_reads_the_letter_by_its_button(company: Office) -> None:
    ticket = a_ticket(company)
    receive(company, a_mail("О вашей просьбе", f"{LONG}\n{ticket.token}"))
    eve = company.link(EVE, EVE_ENTRY)
    hers = a_ticket(company, "t2", person_id=eve.id, chat_key=EVE.key)
    assert press_show_all(company, EVE)["name"] != "more"
    company.take(EVE, Pressed(f"more:{hers.id}:1:0"))  # her own ticket, his letter
    assert company.screen(EVE)["name"] != "more"
    assert "Строка" not in str(company.screen(EVE))
    company.take(ANNA, Pressed(f"more:{ticket.id}:77:0"))
    assert company.screen()["name"] != "more"


def test_a_letter_that_was_forgotten_in_time_is_said_to_be_so(company: Office) -> None:
    ticket = a_ticket(company)
    receive(company, a_mail("О вашей просьбе", f"{LONG}\n{ticket.token}"))
    company.later(days=91)
    received.prune_texts(company.c, company.now)
    values = press_show_all(company)["values"]
    assert (values["gone"], values["text"]) == (True, "")


def test_a_letter_to_a_person_bears_the_whole_words_at_once_and_to_nobody_else(company: Office) -> None:
    ticket = a_ticket(company)
    people.set_blocked(company.c, ANNA.key, True, company.now)
    receive(company, a_mail("О вашей просьбе", f"{LONG}\n{ticket.token}"))
    (note,) = parcels(company, Kind.NOTE)
    assert sending.whole_letter(company.c, note.payload).startswith(LONG)
    assert sending.whole_letter(company.c, {**note.payload, "ticket": "another"}) == ""
    assert sending.whole_letter(company.c, {"screen": {"values": {}}, "ticket": ticket.id}) == ""
