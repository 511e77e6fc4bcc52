"""What is told of a letter that binds nothing, and of why one did."""

from __future__ import annotations

import pytest

from imbot.domain.letters import InboundMail
from imbot.domain.parcels import Kind
from imbot.services import reports
from imbot.services.binding import bind
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import outbox
from tests.services.conftest import Office
from tests.services.inbound import (
    DONE,
    REGISTERED,
    a_mail,
    a_ticket,
    now_of,
    receive,
)
from tests.services.test_binding import reason_of


@pytest.mark.parametrize(
    ("mail", "reason"),
    [
        (a_mail(DONE), "number IM-CL-1042 is none that inframanager gave to a request of ours"),
        (a_mail("Вопрос", in_reply_to=("<guess@demo.local>",)), "the letter that it answers is none of ours"),
        (a_mail("Вопрос", "imb:ZZZZZZZZZZ"), "imb:ZZZZZZZZZZ is no token of ours"),
        (a_mail("Вопрос"), "it bears no number, no token of ours, and answers no letter of ours"),
        (a_mail(DONE, "imb:TBAAAAAAAA", sender="eve@example.test"), "eve@example.test"),
        (a_mail(DONE, "imb:TBAAAAAAAA", believed=False), "no Authentication-Results of mx.demo.local"),
        (
            a_mail(DONE, "imb:TBAAAAAAAA", in_reply_to=("<t2@demo.local>",)),
            "it points to several requests at once: its thread and its token name different ones",
        ),
        (a_mail(REGISTERED, "Заявитель: anna@demo.local"), "it names 2 requests that wait for a number"),
        (a_mail(REGISTERED, "Заявитель: tom@demo.local"), "it names nobody whose request waits for a number"),
    ],
)
def test_what_binds_nothing_says_why(office: Office, mail: InboundMail, reason: str) -> None:
    one, two = a_ticket(office, "t1"), a_ticket(office, "t2", token="imb:BBBBBBBBBB")
    assert one.token == "imb:TBAAAAAAAA"
    assert reason in reason_of(office, mail)
    assert (now_of(office, one), now_of(office, two)) == (one, two)
    assert not [one for one in outbox.open_parcels(office.c, 100) if one.parcel.kind is not Kind.ALERT]


def test_the_number_of_another_request_is_named(office: Office) -> None:
    one, two = a_ticket(office, "t1"), a_ticket(office, "t2", token="imb:BBBBBBBBBB")
    receive(office, a_mail(REGISTERED, one.token))
    assert "it bears IM-CL-1042, the number of another ticket" in reason_of(office, a_mail(DONE, two.token))


def tried(office: Office, mail: InboundMail) -> dict[str, str]:
    backend = office.env.backends["inframanager"]
    looked = reports.look(mail, office.env)
    assert looked.words is not None
    found = bind(office.c, mail, backend, looked.words, looked.tokens, looked.addresses)
    return {one.kind: one.found for one in found.tried}


def test_each_evidence_that_was_looked_at_is_told_in_order(office: Office) -> None:
    ticket = a_ticket(office)
    assert tried(office, a_mail(REGISTERED, ticket.token)) == {
        "Message-ID": "it answers no letter",
        "token": "it bears the token of «Принтер: мигает красным»",
    }
    text = "Заявитель: anna@demo.local"
    assert list(tried(office, a_mail(REGISTERED, text)).items()) == [
        ("Message-ID", "it answers no letter"),
        ("token", "it bears no token"),
        ("number", "inframanager gave IM-CL-1042 to none of our requests"),
        ("inference", "it names a person whose only waiting request is «Принтер: мигает красным»"),
    ]
    receive(office, a_mail(REGISTERED, ticket.token))
    assert tried(office, a_mail(DONE))["number"] == "inframanager gave it to IM-CL-1042"
    assert "only a registration letter" in tried(office, a_mail("Заявка № IM-CL-7 выполнена"))["inference"]
