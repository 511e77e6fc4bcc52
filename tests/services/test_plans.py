"""A whole request, from Send to the rating, walks through no table: what has ended must cost nothing later."""

from __future__ import annotations

from dataclasses import replace

from imbot.config import packed
from imbot.domain.chats import Pressed
from imbot.services import delivery, keeping, letters, telling, tickets, watchdog
from imbot.store import inbox, outbox, sessions, watches
from imbot.store import tickets as ticket_rows
from imbot.store.schema_kit import metadata
from imbot.templates import Templates
from tests.services.conftest import ANNA, MOSCOW, Office
from tests.services.inbound import a_mail, a_ticket, receive
from tests.services.test_keeping import a_window
from tests.store.plans import plans_of, walks

# Small by nature: persons and their chats are as many as the company has people, and ratings are asked by their ticket.
_SMALL = {"people", "chats", "lanes", "cursors"}


def growing(plans: list[str]) -> set[str]:
    tables = metadata.tables.keys() - _SMALL
    return {step for step in walks(plans) if step.split()[1] in tables}


def test_a_request_and_all_that_follows_it_walk_through_no_table_that_grows(office: Office) -> None:
    office.env = replace(office.env, templates=Templates((packed("templates"),), MOSCOW))
    office.link()
    with plans_of(office.c) as plans:
        office.command("newticket")
        office.press("Оборудование")
        office.press("Принтер")
        office.say("Мигает красным")
        office.attach("a.jpg")
        office.show(message_id="review")
        office.press("send")
        for target in ("telegram", "self", "smtp"):
            outbox.claim(office.c, office.now, 10, only=target, under_way=[0])
        (ticket,) = ticket_rows.open_of_person(office.c, 1, 1)
        for parcel in outbox.taken(office.c):
            outbox.settle(office.c, parcel, "done", office.now)
        delivery.claim(office.c, office.now, {"telegram": 1, "smtp": 1}, [])
        letters.packing(
            office.c, {"ticket": ticket.id, "letter": "ticket", "message_id": ticket.message_id}, office.env
        )
        telling.receipt(office.c, ticket.id, office.env)
        watchdog.watch(office.c, ticket, office.now, office.env)
        watchdog.look(office.c, office.now, office.env)
        delivery.go_without_files(office.c, office.now)
    assert growing(plans) == set()
    assert len(plans) > 60


def test_letters_that_come_in_walk_through_no_table_that_grows(office: Office) -> None:
    ticket = a_ticket(office)
    with plans_of(office.c) as plans:
        keeping.source(office.c, "replies", "here")
        for reads in (("replies", ()), ("", ("hr",)), ("", ())):
            keeping.keep(
                office.c, "replies", a_window(len(reads[1]) + len(reads[0])), "1:1", "", office.now, reads=reads
            )
        unread = inbox.unread(office.c, 10, "replies")
        inbox.count_attempts(office.c, [letter.id for letter in unread])
        receive(office, a_mail("Заявка IM-CL-1 зарегистрирована", f"принята\n{ticket.token}"))
        receive(office, a_mail("Заявка IM-CL-1 выполнена", f"Выполнена.\n{ticket.token}"))
        receive(office, a_mail("Что это?", "Никому не известное письмо."))
        inbox.to_mark(office.c, "replies")
        office.take(ANNA, Pressed(f"rate:{ticket.id}:5", "notice"))
        office.command("mytickets")
        outbox.look(office.c, [])
        sessions.owed(office.c, office.now, 10)
        watches.due(office.c, office.now, 10)
        tickets.note_silence(office.c, office.now, office.env)
    assert growing(plans) == set()
    steps = " ".join(plans)
    assert "ix_mails_unread" in steps
    assert "ix_parcels_leases" in steps
    assert "USING INDEX sqlite_autoindex_mails_1 (mailbox=?)" not in steps  # every settled letter of the mailbox
