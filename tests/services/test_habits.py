"""What a profile says, carried through the services: numbers that never come, letters for nobody, marks that must go back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imbot.backends.mail import compose
from imbot.backends.profiles import load_profile
from imbot.config import packed
from imbot.dialog.orders import AddToTicket
from imbot.domain.chats import Happened
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.tickets import Status, Ticket
from imbot.services import filing, letters
from imbot.services.env import Fresh
from imbot.store import ledger, outbox, people, tickets
from imbot.templates import Templates
from tests.services.conftest import MOSCOW, Office
from tests.services.inbound import a_mail, a_ticket, notices, now_of, receive

TEMPLATES = Templates([Path(packed("templates"))], MOSCOW)


def use(office: Office, name: str, **changes: object) -> None:
    """The helpdesk of the office is another product."""
    backend = office.env.backends["inframanager"]
    profile = replace(load_profile(packed("templates") / "mail" / name), senders=("itsm@demo.local",), **changes)  # type: ignore[arg-type]
    office.env = replace(office.env, backends={"inframanager": replace(backend, profile=profile)})


def add(office: Office, ticket: Ticket, text: str) -> Happened:
    person = people.person(office.c, ticket.person_id)
    return filing.add_to_ticket(
        office.c, person, AddToTicket(ticket.id, text), office.now, office.env, Fresh.mint("demo.local")
    )


def packs(office: Office) -> list[Parcel]:
    return [one.parcel for one in outbox.open_parcels(office.c, 100) if one.parcel.kind is Kind.PACK]


def written(office: Office) -> Letter:
    """The last letter that was ordered, as the courier composes it."""
    packing = letters.packing(office.c, packs(office)[-1].payload, office.env)
    assert packing is not None
    sending = packing.backend.sending("<new@demo.local>", office.now)
    return compose(packing.backend.profile, TEMPLATES, packing.kind, packing.view, sending)


@pytest.mark.parametrize(
    ("registers", "threads", "waits"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_an_addition_waits_for_the_number_only_where_one_will_come_and_is_needed(
    office: Office, registers: bool, threads: bool, waits: bool
) -> None:
    use(office, "generic-ru", registers=registers, threads_by_message_id=threads)
    ticket = a_ticket(office)
    assert add(office, ticket, "Теперь ещё и шумит").values["waits"] is waits
    office.later(seconds=1)
    went = []
    while ready := outbox.taken(office.c) or outbox.claim(office.c, office.now, 10):
        for one in ready:
            outbox.settle(office.c, one, "went", office.now)
            went.append(one.kind)
    assert (Kind.PACK in went) is not waits


def test_a_desk_that_gives_no_numbers_is_answered_by_thread_and_closes_without_one(office: Office) -> None:
    use(office, "generic-ru", registers=False)
    ticket = a_ticket(office)
    add(office, ticket, "Теперь ещё и шумит")
    letter = written(office)
    assert (letter.in_reply_to, letter.references) == (ticket.message_id, (ticket.message_id,))
    assert letter.subject.startswith("Дополнение к заявке: Принтер")
    assert receive(office, a_mail("Ваша заявка выполнена", in_reply_to=(ticket.message_id,))) == "applied"
    done = now_of(office, ticket)
    assert (done.status, done.number) == (Status.RESOLVED, "")
    assert notices(office) == ["notice_resolved"]


def test_a_letter_for_staff_is_noted_and_told_to_nobody(office: Office) -> None:
    ticket = a_ticket(office)
    assert receive(office, a_mail("Вашей группе предложена заявка № IM-CL-1042", ticket.token)) == "noted"
    assert notices(office) == []
    assert [row.what for row in ledger.ledger(office.c, ticket.id)][-1] == "noted"
    assert now_of(office, ticket).status is Status.NEW


def test_the_tag_of_request_tracker_comes_back_verbatim_and_people_see_the_number(office: Office) -> None:
    use(office, "rt")
    ticket = a_ticket(office)
    header = ("X-RT-Ticket", "Help.Company.Example #1042")
    said = "This message has been automatically generated in response to the\ncreation of a trouble ticket"
    mail = a_mail("[Help.Company.Example #1042] AutoReply: Принтер", f"{said}\n{ticket.token}")
    assert receive(office, replace(mail, headers=(*mail.headers, header))) == "applied"
    registered = now_of(office, ticket)
    assert (registered.number, registered.tag) == ("#1042", "Help.Company.Example #1042")
    add(office, registered, "Теперь ещё и шумит")
    assert "[Help.Company.Example #1042]" in written(office).subject


def test_the_newest_watermark_goes_back_as_the_last_words(office: Office) -> None:
    use(office, "servicenow")
    ticket = a_ticket(office)
    receive(office, a_mail("Incident INC0010023 has been opened", f"{ticket.token}\nRef:MSG3846157"))
    receive(office, a_mail("INC0010023 (Printer) has been updated", "Comments:\nWait a bit\n\nRef:MSG3846159"))
    receive(office, a_mail("INC0010023 (Printer) has been updated", "Comments:\nOne more\n\n> Ref:MSG3846001"))
    registered = now_of(office, ticket)
    assert (registered.number, registered.watermark) == ("INC0010023", "Ref:MSG3846159")
    add(office, registered, "It is Ref:MSG1 that I mean")
    text = written(office).text
    assert text.endswith("\n\nRef:MSG3846159")
    assert text.count("Ref:MSG") == 1


def test_a_tag_of_another_number_is_not_kept(office: Office) -> None:
    use(office, "rt")
    ticket = a_ticket(office, number="#1042", tag="help #1042")
    tickets.add_number(office.c, "inframanager", "#1042", ticket.id, office.now)
    assert receive(office, a_mail("[other #77] Re: x", ticket.token)) == "comment"
    assert now_of(office, ticket).tag == "help #1042"
