"""How much is done while a letter holds the one writer: counted in lines of Python run, so that no machine is too slow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from imbot.domain.chats import Chat
from imbot.domain.letters import InboundMail
from imbot.domain.people import Entry
from imbot.services import reports
from imbot.store import inbox, letters, told
from imbot.store.letters import LetterRow
from imbot.store.schema import letters as letters_table
from tests.mime.work import work
from tests.services.conftest import NOW, Office
from tests.services.inbound import DONE, REGISTERED, a_mail, a_ticket

MOST = 330_000  # a few hundredths of a second
LETTERS = {
    "one long line": "слово принтер мигает красным " * 2200,
    "lines of one letter": "а\n" * 32_000,
    "signatures": "С уважением,\nИван\n" * 3000,
    "rows of a table": "а | б\n" * 10_000,
    "labels": "Комментарий: а\n" * 4000,
    "heads of letters": "From: x\n" * 8000,
    "numbers": "IM-CL-1 " * 8000,
    "statuses": "заявка выполнена " * 3700,
    "entities": "&amp;" * 12_800,
}


def cost(office: Office, mail: InboundMail) -> tuple[int, str]:
    """Lines run inside the transaction, and what became of the letter."""
    looked = reports.look(mail, office.env)
    place = ("replies", "1", mail.sha256)
    mail_id = inbox.keep_raw(office.c, *place, raw=b"x", size=1, sha256=mail.sha256, now=office.now)
    outcomes: list[str] = []

    def receive() -> None:
        outcomes.append(reports.receive(office.c, mail_id, mail, office.now, office.env, looked))

    return work(receive, most=20 * MOST), outcomes[0]


@pytest.mark.parametrize("shape", LETTERS)
def test_a_large_letter_costs_little_whatever_it_consists_of(office: Office, shape: str) -> None:
    ticket = a_ticket(office)
    mail = a_mail("Вопрос по заявке", f"{LETTERS[shape]}\n{ticket.token}", in_reply_to=(ticket.message_id,))
    lines, outcome = cost(office, mail)
    assert outcome == "comment"
    assert lines < MOST


@pytest.mark.parametrize("word", ["слово ", "слово &amp; ", "слово &amp;amp; ", "сло<b>во</b> ", "№ 1042 ", "а\n"])
def test_three_hundred_letters_of_ours_cost_no_more_than_a_few(office: Office, word: str) -> None:
    ticket = a_ticket(office)
    text = (word * 2000)[:4000]
    for n in range(300):
        row = LetterRow(
            f"<more{n}@demo.local>", ticket.id, "addition", {"subject": "Дополнение", "text": f"{text}{n}"}, NOW
        )
        letters.save_letter(office.c, row)
    told.note_all(office.c)  # as the service does behind each commit
    mail = a_mail(DONE, "Решение:\nготово", in_reply_to=(ticket.message_id,))
    lines, outcome = cost(office, mail)
    assert outcome == "applied"
    assert lines < MOST


def test_what_letters_tell_is_computed_for_the_first_that_asks(office: Office) -> None:
    """And for no other: a burst of requests, and answers to all of them, is computed once."""
    ticket = a_ticket(office)
    for n in range(2 * told.AT_ONCE):
        row = LetterRow(f"<more{n}@demo.local>", ticket.id, "addition", {"subject": "", "text": f"№ {n}"}, NOW)
        letters.save_letter(office.c, row)
    assert cost(office, a_mail(DONE, "Решение:\nготово", in_reply_to=(ticket.message_id,)))[1] == "applied"
    waiting = select(letters_table.c.message_id).where(text("echoes = '\"unnoted\"'"))
    assert office.c.execute(waiting).all() == []


def test_a_registration_that_names_everybody_costs_little_where_hundreds_wait(office: Office) -> None:
    addresses = []
    for n in range(50):
        chat = Chat("telegram", str(5000 + n))
        person = office.link(chat, Entry(f"p{n}@demo.local", f"П {n}"))
        addresses.append(person.address)
        for m in range(9):
            token = "imb:" + "".join("ABCDEFGHIJ"[int(digit)] for digit in f"{n:05}{m:05}")
            ticket = a_ticket(office, f"q{n}x{m}", person_id=person.id, chat_key=chat.key, token=token)
            words = {"subject": "x", "text": "слово &amp; " * 350 + addresses[-1]}
            assert letters.rewrite_letter(office.c, ticket.message_id, words)
    for named in (addresses, addresses[:10], addresses[:1]):
        mail = replace(a_mail(REGISTERED, " ".join(named)))
        lines, outcome = cost(office, mail)
        assert outcome == "quarantined"
        assert lines < MOST
