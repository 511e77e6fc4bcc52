"""What answers a round trip of `imbot doctor` is no stranger's letter."""

from __future__ import annotations

from dataclasses import replace

from imbot.domain.parcels import Kind
from imbot.services import trips
from imbot.store import inbox
from tests.services.conftest import Office
from tests.services.inbound import DONE, REGISTERED, a_mail, a_ticket, kinds, now_of, receive

TOKEN = "imb:AEYSMLP4U2"
ID = "<trip@demo.local>"


def test_a_late_answer_and_what_follows_under_its_number_trouble_nobody(office: Office) -> None:
    a_ticket(office)
    trips.begin(office.c, TOKEN, ID, office.now)
    assert receive(office, a_mail(REGISTERED, f"Проверка связи imbot [{TOKEN}]")) == "noted"
    assert receive(office, a_mail(DONE, "по заявке IM-CL-1042")) == "noted"  # bears nothing of ours any more
    assert Kind.ALERT not in kinds(office)
    assert (
        receive(office, a_mail("Заявки IM-CL-1042 и IM-CL-2042 выполнены")) == "quarantined"
    )  # somebody else's as well
    first = inbox.get_mail(office.c, 1)
    assert first is not None
    assert first.reason == f"it is about {TOKEN}, a round trip of `imbot doctor`"


def test_an_answer_in_the_thread_is_one(office: Office) -> None:
    trips.begin(office.c, TOKEN, ID, office.now)
    assert receive(office, a_mail("IM-CL-7", "тело", in_reply_to=(ID,))) == "noted"


def test_a_forged_answer_and_one_to_no_round_trip_are_set_aside(office: Office) -> None:
    trips.begin(office.c, TOKEN, ID, office.now)
    assert receive(office, a_mail(REGISTERED, TOKEN, believed=False)) == "quarantined"
    assert receive(office, a_mail(REGISTERED, "imb:QQQQQQQQQQ")) == "quarantined"
    assert Kind.ALERT in kinds(office)


def test_a_round_trip_takes_no_letter_from_a_request(office: Office) -> None:
    ticket = a_ticket(office)
    trips.begin(office.c, TOKEN, ID, office.now)
    mail = a_mail(REGISTERED, f"{TOKEN}\n{ticket.token}")
    assert receive(office, replace(mail, in_reply_to=(ticket.message_id,))) == "applied"
    assert now_of(office, ticket).number == "IM-CL-1042"
