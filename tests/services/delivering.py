"""Steps of what the courier does with the parcels of a request, by hand."""

from __future__ import annotations

from imbot.domain.errors import DeliveryError
from imbot.domain.letters import Letter
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.tickets import Ticket
from imbot.services import composing, delivery
from imbot.services import letters as ticket_letters
from imbot.services.env import Fresh
from imbot.store import outbox, tickets
from tests.services.conftest import Office

GONE = DeliveryError("it is not there any more", permanent=True, kind="gone")
SLOW = DeliveryError("no answer", kind="refused")


def file_a_request(office: Office, *photos: str) -> Ticket:
    office.link()
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    office.say("Мигает красным")
    for photo in photos:
        office.attach(photo)
    office.show(message_id="review")
    office.press("send")
    return tickets.open_of_person(office.c, 1, 1)[0]


def claim(office: Office, kind: Kind) -> Parcel:
    """The next parcel of this kind that may go, or that was taken as it was put."""
    for parcel in outbox.taken(office.c):
        if parcel.kind is kind:
            return parcel
    for target in ("smtp", "telegram", "directory", "recheck", "self", "files:telegram"):
        for parcel in outbox.claim(office.c, office.now, 50, only=target):
            if parcel.kind is kind:
                return parcel
            outbox.uncount(office.c, parcel, office.now, "")
    raise AssertionError(f"no {kind} may go: {[one.parcel.kind for one in outbox.open_parcels(office.c, 50)]}")


def open_kinds(office: Office) -> list[Kind]:
    return [one.parcel.kind for one in outbox.open_parcels(office.c, 100)]


def pack(office: Office, parcel: Parcel) -> ticket_letters.Packing:
    """As the courier does, with a letter that needs no template."""
    packing = ticket_letters.packing(office.c, parcel.payload, office.env)
    assert packing is not None
    letter = Letter(parcel.payload["message_id"], "bot@demo.local", "help@demo.local", "s", "t", office.now)
    composing.packed(office.c, parcel, packing, letter, office.now, office.env, Fresh.mint("demo.local"))
    return packing


def store(office: Office, parcel: Parcel, size: int = 1000) -> None:
    fresh = Fresh.mint("demo.local")
    delivery.file_stored(office.c, parcel, f"p{parcel.id}", size, "00", "image/jpeg", office.now, office.env, fresh)


def now_is(office: Office, ticket: Ticket) -> Ticket:
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    return after
