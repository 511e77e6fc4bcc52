"""The same letter again: by another way, in another mailbox, from a stranger. What was carried out is carried out once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.domain.errors import ImbotError
from imbot.domain.letters import InboundMail
from imbot.services import explaining, quarantine, reports
from imbot.services.env import WATCHER
from imbot.store import inbox
from tests.services.conftest import NOW, Office
from tests.services.inbound import BELIEVED, DONE, a_mail, a_ticket, notices

OTHER = f"{WATCHER}:second"


def receive(office: Office, mail: InboundMail, mailbox: str = WATCHER) -> tuple[int, str]:
    id = inbox.keep_raw(office.c, mailbox, "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=NOW)
    return id, reports.receive(office.c, id, mail, NOW, office.env, reports.look(mail, office.env, mailbox))


def outcome(office: Office, mail: InboundMail, mailbox: str = WATCHER) -> str:
    return receive(office, mail, mailbox)[1]


def again(mail: InboundMail, **changes: object) -> InboundMail:
    """Delivered once more: other bytes, another trace, the same letter but for `changes`."""
    trace = (("Received", "from itsm by mx with ESMTP id 2"), ("Return-Path", "<itsm@demo.local>"), ("X-Spam", "no"))
    digest = f"{int(mail.sha256, 16) ^ 1:032x}"
    return replace(mail, sha256=digest, headers=(BELIEVED, *trace, ("From", mail.sender)), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "text", "first"),
    [
        ("О вашей просьбе", "Завтра в 10 придёт мастер.\n{token}", "comment"),
        ("Заявка № IM-CL-1042 требует уточнения", "Вопрос: какой кабинет?\n{token}", "applied"),
        (DONE, "{token}", "applied"),
    ],
)
def test_a_letter_that_was_delivered_twice_is_told_once(office: Office, subject: str, text: str, first: str) -> None:
    ticket = a_ticket(office)
    mail = a_mail(subject, text.format(token=ticket.token))
    assert outcome(office, mail) == first
    told = notices(office)
    assert outcome(office, again(mail)) == "duplicate"
    assert notices(office) == told
    row = inbox.get_mail(office.c, inbox.carried_out_as(office.c, mail.sha256))
    assert row is not None
    assert row.ticket_id == ticket.id


@pytest.mark.parametrize("changes", [{"text": "другое"}, {"subject": "О другом"}, {"message_id": "<other@itsm>"}])
def test_what_says_something_else_is_another_letter(office: Office, changes: dict[str, str]) -> None:
    ticket = a_ticket(office)
    mail = a_mail("О вашей просьбе", f"Завтра в 10 придёт мастер.\n{ticket.token}")
    assert outcome(office, mail) == "comment"
    text = f"{changes.get('text', mail.text)}\n{ticket.token}"
    assert outcome(office, again(mail, **{**changes, "text": text})) == "comment"


def test_letters_without_a_message_id_are_never_taken_for_one_another(office: Office) -> None:
    mail = a_mail("О вашей просьбе", f"Зайдём\n{a_ticket(office).token}", message_id="")
    assert [outcome(office, mail), outcome(office, again(mail))] == ["comment", "comment"]


def test_a_forged_letter_never_makes_the_genuine_one_a_repetition(office: Office) -> None:
    mail = a_mail("О вашей просьбе", f"Завтра в 10 придёт мастер.\n{a_ticket(office).token}")
    forged = replace(again(mail), headers=(("From", mail.sender),))
    assert outcome(office, forged) == "quarantined"
    assert outcome(office, mail) == "comment"


def test_a_genuine_letter_that_nothing_bound_yet_is_carried_out_when_it_comes_again(office: Office) -> None:
    mail = a_mail(DONE, "imb:TBAAAAAAAA")  # of a ticket that is there a moment later
    assert outcome(office, mail) == "quarantined"
    a_ticket(office)
    assert outcome(office, again(mail)) == "applied"


@pytest.fixture
def two(office: Office) -> Office:
    first = office.env.backends["inframanager"]
    office.env = replace(office.env, backends={first.name: replace(first, mailbox=WATCHER)})
    return office


def test_a_letter_that_came_into_the_wrong_mailbox_is_carried_out_once_it_is_moved(two: Office) -> None:
    mail = a_mail(DONE, a_ticket(two).token)
    astray, fate = receive(two, mail, OTHER)
    assert fate == "quarantined"
    assert outcome(two, mail) == "applied"
    looked = reports.look(mail, two.env, WATCHER)
    assert quarantine.read_again(two.c, astray, mail, looked, NOW, two.env).outcome == "duplicate"
    assert notices(two) == ["notice_resolved"]


def test_what_was_carried_out_is_not_bound_by_hand_once_more(two: Office) -> None:
    ticket = a_ticket(two)
    mail = a_mail(DONE, ticket.token)
    astray, _ = receive(two, mail, OTHER)
    repeated, _ = receive(two, again(mail), OTHER)
    right, _ = receive(two, mail)
    for force in (False, True):
        with pytest.raises(ImbotError, match=f"is the same as letter {right}"):
            quarantine.bind_by_hand(two.c, astray, mail, ticket.id, "tom", NOW, two.env, despite=force)
    with pytest.raises(ImbotError, match=r"repeats one that was carried out.*--force"):
        quarantine.bind_by_hand(two.c, repeated, again(mail), ticket.id, "tom", NOW, two.env)
    fate = quarantine.bind_by_hand(two.c, repeated, again(mail), ticket.id, "tom", NOW, two.env, despite=True)
    assert fate.outcome in ("applied", "noted")


def test_a_letter_that_was_carried_out_is_explained_as_if_it_had_not_come(office: Office) -> None:
    mail = a_mail("О вашей просьбе", f"Зайдём\n{a_ticket(office).token}")
    id, _ = receive(office, mail)
    course = explaining.explain(office.c, mail, reports.look(mail, office.env), NOW, office.env, id)
    assert course.outcome == "comment"


def test_a_repetition_is_explained_as_one(office: Office) -> None:
    mail = a_mail("О вашей просьбе", f"Зайдём\n{a_ticket(office).token}")
    repeated = again(mail)
    unbelieved = replace(repeated, headers=(("From", mail.sender),))
    id, _ = receive(office, unbelieved)
    receive(office, mail)
    course = explaining.explain(office.c, repeated, reports.look(repeated, office.env), NOW, office.env, id)
    assert course.outcome == "duplicate"
