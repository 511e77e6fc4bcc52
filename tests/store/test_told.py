"""What our letters told is found again, in whatever shape; nobody's words stay when they are erased."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, delete, select, update

from imbot.domain.people import Person
from imbot.store import erase, letters, tickets, told
from imbot.store.letters import LetterRow
from imbot.store.schema import letters as letters_table
from imbot.store.schema import told as told_table
from tests.store.conftest import NOW, file_ticket
from tests.store.plans import plans_of, walks

BACKEND = "inframanager"


@pytest.fixture(params=["unnoted", "noted"], autouse=True)
def in_between(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer is the same before a letter is noted and afterwards."""
    if request.param == "noted":
        save = letters.save_letter

        def save_and_note(c: Connection, row: LetterRow) -> None:
            save(c, row)
            told.note_new(c)

        monkeypatch.setattr(letters, "save_letter", save_and_note)


def put(c: Connection, message_id: str, text: str, ticket_id: str = "tick1") -> None:
    letters.save_letter(c, LetterRow(message_id, ticket_id, "ticket", {"subject": "Просьба", "text": text}, NOW))


def words(c: Connection, kind: str) -> set[str]:
    return set(c.execute(select(told_table.c.word).where(told_table.c.kind == kind)).scalars())


@pytest.mark.parametrize(
    "text",
    [
        "как в СД-001042",
        "как в №\n\t 1042",
        "как в № 10<!-- > -->42",
        "№ 1&amp;#48;42",
        "№ １０42",
        "№ 10\u034f42",
        "№ 1042777",
    ],
)
def test_letters_about_other_tickets_are_found_by_their_figures(c: Connection, anna: Person, text: str) -> None:
    file_ticket(c, anna.id)
    put(c, "<a@bot>", text)
    found = told.bearing(c, "1042", "another", 5)
    assert text in found[0][1]
    assert told.bearing(c, "1042", "tick1", 5) == []
    assert told.bearing(c, "1043", "another", 5) == []
    assert told.bearing(c, "9", "another", 5) == []


def test_addresses_are_those_of_requests_without_a_number(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    file_ticket(c, anna.id, "tick2", number="7")
    put(c, "<a@bot>", "пишите на Tom&#64;Company.ru.")
    put(c, "<b@bot>", "пишите на eve@company.ru", "tick2")
    assert told.addresses_of_waiting(c, BACKEND, 10) == [(anna.id, "tom@company.ru.")]
    assert told.addresses_of_waiting(c, "another", 10) == []


def test_what_a_letter_told_before_it_was_rewritten_stays_told(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    put(c, "<a@bot>", "как в 1042")
    assert letters.rewrite_letter(c, "<a@bot>", {"subject": "Просьба", "text": "как в &amp;#49;043"})
    assert words(c, "figure") >= {"1042", "1043"}
    (subject, text) = told.said(c, "tick1", 1000)[0][0]
    assert (subject, text[0]) == (("Просьба",), "как в &amp;#49;043")
    assert "как в 1043" in text


def test_of_very_many_letters_the_first_and_the_newest_are_said(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    for n in range(6):
        put(c, f"<{n}@bot>", f"письмо {n}")
    one = len("Просьба" + "письмо 0")
    for most, numbers in (
        (6 * one, [0, 1, 2, 3, 4, 5]),
        (6 * one - 1, [0, 1, 3, 4, 5]),
        (3 * one, [0, 1, 5]),
        (0, [0, 1]),
    ):
        said, whole = told.said(c, "tick1", most)
        assert [text[0] for _, text in said] == [f"письмо {n}" for n in numbers]
        assert whole == (len(numbers) == 6)


def test_letters_of_before_are_written_down_as_new_ones_are(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    put(c, "<a@bot>", "как в № 10<b></b>42, или tom@company.ru")
    told.note_new(c)
    noted = sorted(c.execute(select(told_table)).all())
    said = told.said(c, "tick1", 1000)
    c.execute(delete(told_table))
    c.execute(update(letters_table).values(echoes={}))
    told.write_all(c)
    assert sorted(c.execute(select(told_table)).all()) == noted
    assert told.said(c, "tick1", 1000) == said


def test_nothing_is_told_by_who_was_erased(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    put(c, "<a@bot>", "мой телефон &#56;9031112233, пишите на anna@home.example")
    told.note_new(c)
    put(c, "<b@bot>", "не туда: 4455")
    erase.erase(c, anna.id, NOW)
    assert words(c, "figure") == words(c, "address") == set()
    assert told.note_new(c) is False
    assert words(c, "figure") == set()
    assert c.execute(select(letters_table.c.echoes)).scalars().all() == [{}, {}]


def test_what_is_asked_for_at_each_receipt_is_found_by_an_index(c: Connection, anna: Person) -> None:
    with plans_of(c) as plans:
        told.bearing(c, "1042", "tick1", 5)
        told.addresses_of_waiting(c, BACKEND, 5)
        told.said(c, "tick1", 1000)
        tickets.unregistered_of_addresses(c, BACKEND, ["anna@company.ru"], 5)
    assert len(plans) >= 8
    assert walks(plans) == []
    assert any("ix_letters_unnoted" in plan for plan in plans)
    assert any("ix_told_word" in plan for plan in plans)
    assert any("ix_tickets_unnumbered" in plan for plan in plans)


def test_letters_are_noted_in_portions_and_once(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    for n in range(told.AT_ONCE + 3):
        letters.save_letter(c, LetterRow(f"<{n}@bot>", "tick1", "ticket", {"subject": "", "text": f"№ {n}"}, NOW))
    with plans_of(c) as plans:
        found = [told.note_new(c) for _ in range(3)]
    assert found[-1] is False
    assert words(c, "figure") >= {str(n) for n in range(told.AT_ONCE + 3)}
    assert walks(plans) == []
