"""A request that the mail server took and the ITSM does not confirm, and the parts of the courier that tell of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imbot.dialog.render import render
from imbot.dialog.screen import Screen
from imbot.domain.chats import Chat, Pressed
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.people import Entry, Role
from imbot.domain.tickets import Status, StatusReport, Ticket, apply
from imbot.services import delivery, watchdog
from imbot.services import tickets as ticket_services
from imbot.store import inbox, ledger, outbox, sessions
from imbot.templates import Templates
from tests.services.conftest import MOSCOW, Office
from tests.services.delivering import claim, file_a_request, now_is, pack

TOM, ZOE = Chat("telegram", "1002"), Chat("telegram", "1003")
TOM_ENTRY = Entry("tom@demo.local", "Кузнецов Том", role=Role.ADMIN)
ZOE_ENTRY = Entry("zoe@demo.local", "Зимина Зоя", role=Role.ADMIN)
TEMPLATES = Templates([Path(__file__).parents[2] / "templates"], MOSCOW)
ACCEPTED = "250 2.0.0 Ok: queued as 4XyZ"


def accepted(office: Office, *photos: str) -> Ticket:
    """Anna's request, taken by the mail server; Tom is an admin with a chat."""
    office.link()
    office.link(TOM, TOM_ENTRY)
    ticket = file_a_request(office, *photos)
    pack(office, claim(office, Kind.PACK))
    delivery.letter_accepted(office.c, claim(office, Kind.LETTER), ACCEPTED, office.now, office.env)
    return now_is(office, ticket)


def read_mailbox(office: Office) -> None:
    inbox.set_fact(office.c, "mailbox_ok_at", office.now.isoformat(), office.now)


def look(office: Office, **span: float) -> int:
    """Time passes, the mailbox is read, the watchdog looks."""
    office.later(**span)
    read_mailbox(office)
    return watchdog.look(office.c, office.now, office.env)


def parcels(office: Office, kind: Kind, lane: str = "") -> list[Parcel]:
    found = [one.parcel for one in outbox.open_parcels(office.c, 500) if one.parcel.kind is kind]
    return [parcel for parcel in found if parcel.lane.startswith(lane)]


def notices(office: Office, name: str) -> list[dict[str, Any]]:
    screens = [parcel.payload["screen"] for parcel in parcels(office, Kind.NOTICE)]
    return [screen for screen in screens if screen["name"] == name]


def claimed(office: Office, wanted: int) -> Parcel:
    for parcel in outbox.claim(office.c, office.now, 50, only="telegram"):
        if parcel.id == wanted:
            mine = parcel
        else:
            outbox.uncount(office.c, parcel, office.now, "")
    return mine


def deliver(office: Office, chat: Chat, message_id: str) -> Screen | None:
    """The courier brings whatever waits for this chat; the last question that it showed."""
    last = None
    while lane := outbox.of_lane(office.c, f"chat:{chat.key}"):
        parcel = claimed(office, lane[0].id)
        if parcel.kind is Kind.QUESTION:
            found = watchdog.showing(office.c, parcel, office.env)
            if found is None:
                outbox.settle(office.c, parcel, "nobody to ask", office.now)
                continue
            last, edit = found
            watchdog.shown(office.c, parcel, edit or message_id, last.values["state"], office.now)
        else:
            outbox.settle(office.c, parcel, "shown", office.now)
    return last


def press(office: Office, value: str, chat: Chat = TOM, message_id: str = "q1") -> str:
    """Press a button; the name of the screen that the chat is owed for it, "" for none."""
    before = sessions.slot(office.c, chat.key)
    office.take(chat, Pressed(value, message_id))
    after = sessions.slot(office.c, chat.key)
    return str(office.screen(chat)["name"]) if after and (not before or after.seq != before.seq) else ""


def register(office: Office, ticket: Ticket, number: str = "IM-CL-1042") -> None:
    report = StatusReport("inframanager", Status.REGISTERED, number, at=office.now)
    change = apply(now_is(office, ticket), report, office.now)
    assert change is not None
    ticket_services.record_change(office.c, change, "mail:1", office.now, office.env)


def words(screen: Screen, lang: str = "ru") -> str:
    return render(screen, lang, TEMPLATES).text


def history(office: Office, ticket: Ticket) -> list[str]:
    return [row.what for row in ledger.ledger(office.c, ticket.id)]
