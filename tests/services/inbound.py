"""A request of Anna's and letters about it, as the helpdesk of the office or somebody else writes them."""

from __future__ import annotations

import random
from dataclasses import replace

from imbot.domain.letters import InboundMail
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Handover, Ticket
from imbot.services import reports
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import inbox, letters, outbox, tickets
from imbot.store.letters import LetterRow
from tests.services.conftest import ANNA, NOW, Office

BELIEVED = ("Authentication-Results", "mx.demo.local; dmarc=pass header.from=demo.local")


REGISTERED = "Заявка № IM-CL-1042 получена и рассмотрена"


DONE = "Заявка № IM-CL-1042 выполнена"


def a_ticket(office: Office, id: str = "t1", **changes: object) -> Ticket:
    person = office.link()
    ticket = Ticket(
        id=id,
        person_id=person.id,
        chat_key=ANNA.key,
        title="Принтер: мигает красным",
        backend="inframanager",
        token=f"imb:{id.upper():A<10}".replace("1", "B").replace("0", "C"),
        message_id=f"<{id}@demo.local>",
        created_at=NOW,
        handover=Handover.ACCEPTED,
        accepted_at=NOW,
    )
    ticket = replace(ticket, **changes)  # type: ignore[arg-type]
    tickets.add(office.c, ticket)
    letter = {"subject": f"Принтер: мигает красным [{ticket.token}]", "text": "Описание:\nПринтер мигает красным"}
    letters.save_letter(office.c, LetterRow(ticket.message_id, ticket.id, "ticket", letter, NOW))
    return ticket


def a_mail(
    subject: str, text: str = "", *, sender: str = "itsm@demo.local", believed: bool = True, **more: object
) -> InboundMail:
    digest = f"{random.getrandbits(128):032x}"
    headers = (*((BELIEVED,) if believed else ()), ("From", sender))
    to = ("bot@demo.local",)
    mail = InboundMail(digest, 100, f"<{digest}@itsm>", subject, sender, to=to, text=text, date=NOW, headers=headers)
    return replace(mail, **more)  # type: ignore[arg-type]


def receive(office: Office, mail: InboundMail) -> str:
    mail_id = inbox.keep_raw(
        office.c, "replies", "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=office.now
    )
    return reports.receive(office.c, mail_id, mail, office.now, office.env)


def kinds(office: Office) -> list[Kind]:
    return [one.parcel.kind for one in outbox.open_parcels(office.c, 1000)]


def notices(office: Office) -> list[str]:
    found = [one.parcel for one in outbox.open_parcels(office.c, 1000) if one.parcel.kind is Kind.NOTICE]
    return [parcel.payload["screen"]["name"] for parcel in found]


BOUNCE = {
    "sender": "mailer-daemon@demo.local",
    "report_type": "delivery-status",
    "text": "550 no such user",
    "believed": False,
}


def a_bounce(ticket: Ticket) -> InboundMail:
    return a_mail("Undelivered Mail Returned to Sender", original_message_ids=(ticket.message_id,), **BOUNCE)  # type: ignore[arg-type]


def now_of(office: Office, ticket: Ticket) -> Ticket:
    found = tickets.get(office.c, ticket.id)
    assert found is not None
    return found


def says(office: Office, ticket: Ticket, text: str, letter_id: str = "<2@demo.local>") -> None:
    """A letter of ours for the ticket bears these words."""
    letters.save_letter(office.c, LetterRow(letter_id, ticket.id, "addition", {"subject": "", "text": text}, NOW))
