"""Several helpdesks in one data base: equal numbers, tokens that went elsewhere, mailboxes that are not theirs or sleep."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status
from imbot.services import reports
from imbot.services.env import WATCHER, leg_of
from imbot.store import inbox, tickets
from tests.services.conftest import ANNA, NOW, Office
from tests.services.inbound import DONE, REGISTERED, a_mail, a_ticket

OTHER = "second@demo.local"


@pytest.fixture
def two(office: Office) -> Office:
    """A second helpdesk of the same make, with its own mailbox."""
    first = office.env.backends["inframanager"]
    second = replace(
        first, name="second", mailbox=f"{WATCHER}:second", profile=replace(first.profile, senders=(OTHER,))
    )
    backends = {first.name: replace(first, mailbox=WATCHER), "second": second}
    office.env = replace(office.env, backends=backends)
    return office


def receive(office: Office, mail: InboundMail, mailbox: str = WATCHER) -> str:
    id = inbox.keep_raw(office.c, mailbox, "1", mail.sha256, raw=b"x", size=1, sha256=mail.sha256, now=office.now)
    return reports.receive(office.c, id, mail, office.now, office.env, reports.look(mail, office.env, mailbox))


def test_the_same_number_of_two_helpdesks_of_one_make_is_two_tickets(two: Office) -> None:
    mine, theirs = a_ticket(two, "t1"), a_ticket(two, "t2", backend="second")
    assert receive(two, a_mail(REGISTERED, mine.token)) == "applied"
    assert receive(two, a_mail(REGISTERED, theirs.token, sender=OTHER), f"{WATCHER}:second") == "applied"
    assert receive(two, a_mail(DONE, sender=OTHER), f"{WATCHER}:second") == "applied"
    after = {id: tickets.get(two.c, id) for id in ("t1", "t2")}
    assert {id: (one.status, one.number) for id, one in after.items() if one} == {
        "t1": (Status.REGISTERED, "IM-CL-1042"),
        "t2": (Status.RESOLVED, "IM-CL-1042"),
    }


def test_a_token_or_answer_of_the_other_helpdesks_ticket_moves_nothing(two: Office) -> None:
    mine = a_ticket(two)
    assert receive(two, a_mail(DONE, mine.token, sender=OTHER), f"{WATCHER}:second") == "quarantined"
    answer = a_mail(DONE, sender=OTHER, in_reply_to=(mine.message_id,))
    assert receive(two, answer, f"{WATCHER}:second") == "quarantined"
    assert tickets.get(two.c, mine.id) == mine


def test_a_letter_in_the_mailbox_of_another_helpdesk_is_not_believed(two: Office) -> None:
    theirs = a_ticket(two, backend="second")
    assert receive(two, a_mail(REGISTERED, theirs.token, sender=OTHER), WATCHER) == "quarantined"
    assert receive(two, a_mail(REGISTERED, theirs.token, sender=OTHER), f"{WATCHER}:gone") == "quarantined"
    assert receive(two, a_mail(REGISTERED, theirs.token, sender=OTHER), f"{WATCHER}:second") == "applied"


def test_news_are_late_where_either_mailbox_is_not_read(two: Office) -> None:
    two.link()
    for leg in ("mailbox", "mailbox:second"):
        inbox.set_fact(two.c, f"{leg}_ok_at", NOW.isoformat(), NOW)
    two.command("mytickets")
    assert not two.screen(ANNA)["values"].get("late")
    inbox.set_fact(two.c, "mailbox:second_ok_at", (NOW - timedelta(hours=3)).isoformat(), NOW)
    two.command("mytickets")
    assert two.screen(ANNA)["values"].get("late")


def test_a_mailbox_is_called_alike_in_alarms_and_in_the_data_base() -> None:
    assert (leg_of(WATCHER), leg_of(f"{WATCHER}:glpi"), leg_of("")) == ("mailbox", "mailbox:glpi", "mailbox")


def test_letters_of_a_mailbox_that_is_no_longer_watched_are_not_forgotten(two: Office) -> None:
    """The first watcher carries out whatever no other one does."""
    for number, box in enumerate((WATCHER, f"{WATCHER}:second", f"{WATCHER}:gone")):
        inbox.keep_raw(two.c, box, "1", str(number), raw=b"x", size=1, sha256=str(number), now=NOW)
    assert [one.mailbox for one in inbox.unread(two.c, 10, "", besides=(f"{WATCHER}:second",))] == [
        WATCHER,
        f"{WATCHER}:gone",
    ]
    assert [one.mailbox for one in inbox.unread(two.c, 10, f"{WATCHER}:second")] == [f"{WATCHER}:second"]


def test_a_number_that_another_helpdesk_gave_it_lets_no_number_of_another_ticket_in(two: Office) -> None:
    mine, theirs = a_ticket(two, "t1"), a_ticket(two, "t2")
    tickets.add_number(two.c, "second", "IM-CL-1042", mine.id, two.now)
    tickets.add_number(two.c, "inframanager", "IM-CL-1042", theirs.id, two.now)
    assert receive(two, a_mail(REGISTERED, mine.token)) == "quarantined"
    assert tickets.get(two.c, mine.id) == mine
