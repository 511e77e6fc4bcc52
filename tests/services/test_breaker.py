"""Nobody makes imbot talk without end: alerts end, floods are kept instead of shown, and nothing is lost by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.domain.letters import InboundMail, is_note_id, mint_message_id, mint_note_id
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.tickets import Status, Ticket
from imbot.services import breaker, reports
from imbot.store import inbox, ledger, outbox
from tests.services.conftest import Office, make_env
from tests.services.inbound import a_mail, a_ticket, notices, now_of, receive

ADMIN = "tom@demo.local"
KEY = make_env().key
NOTE_ID, ALERT_ID = mint_note_id("demo.local", KEY), mint_note_id("demo.local", KEY, alert=True)


def alerts(office: Office, name: str = "quarantine") -> list[dict[str, object]]:
    found = [one.parcel for one in outbox.open_parcels(office.c, 1000) if one.parcel.lane == "admins"]
    return [parcel.payload["values"] for parcel in found if parcel.payload["name"] == name]


def tell_what_is_due(office: Office) -> list[Parcel]:
    """As the courier does with parcels for the admins; returns the letters to them."""
    for parcel in outbox.claim(office.c, office.now, 100, only="self"):
        breaker.tell(office.c, parcel, office.now, office.env)
    letters = outbox.claim(office.c, office.now, 100, only="smtp")
    for parcel in letters:
        outbox.settle(office.c, parcel, "accepted", office.now)
    return [parcel for parcel in letters if parcel.payload.get("to") == ADMIN]


def forged(number: int, sender: str = "eve@example.test", **more: object) -> InboundMail:
    return a_mail(f"Заявка № IM-CL-{number} выполнена", sender=sender, believed=False, **more)  # type: ignore[arg-type]


def test_of_many_letters_from_one_sender_five_an_hour_are_told_and_the_rest_as_a_number(office: Office) -> None:
    for number in range(62):
        assert receive(office, forged(number)) == "quarantined"
    assert len(alerts(office)) == 5
    assert inbox.count_set_aside(office.c, office.now) == 62  # nothing is lost
    office.later(hours=1)
    tell_what_is_due(office)
    (more,) = alerts(office, "quarantine_more")
    assert (more["sender"], more["count"]) == ("eve@example.test", 57)
    office.later(hours=1)
    receive(office, forged(100))
    assert len(alerts(office)) == 1, "an hour later the sender is told of again"


def test_many_senders_are_summed_up_too(office: Office) -> None:
    for number in range(100):
        receive(office, forged(number, f"eve{number}@example.test"))
    assert len(alerts(office)) == 30
    office.later(hours=1)
    tell_what_is_due(office)
    (more,) = alerts(office, "quarantine_more")
    assert (more["sender"], more["count"]) == ("", 70)


def test_letters_that_cannot_be_read_are_summed_up_too(office: Office) -> None:
    for number in range(20):
        id = inbox.keep_raw(office.c, "r", "1", number, raw=b"x", size=1, sha256=str(number), now=office.now)
        assert reports.refuse(office.c, id, "more than 200 parts", office.now) == "quarantined"
    assert len(alerts(office)) == 5


def absence_note(**more: object) -> InboundMail:
    return a_mail("Автоответ: Письмо отложено", "В отпуске", believed=False, **({"automatic": True} | more))  # type: ignore[arg-type]


def undelivered(text: str = f"<{ADMIN}>: host mx said: 550 5.1.1 no such user", **more: object) -> InboundMail:
    values = {"sender": "mailer-daemon@demo.local", "automatic": True} | more
    return a_mail("Undelivered Mail Returned to Sender", text, believed=False, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        absence_note(sender=ADMIN),
        absence_note(sender="robot@elsewhere.example", in_reply_to=(NOTE_ID,)),
        absence_note(sender="robot@elsewhere.example", in_reply_to=(ALERT_ID,)),
        absence_note(sender="robot@elsewhere.example", references=("<x@y>", NOTE_ID)),
        undelivered(),
        undelivered("550 no such user", report_type="delivery-status", returned_ids=(ALERT_ID,)),
        undelivered("550 no such user", report_type="delivery-status", in_reply_to=(ALERT_ID,)),
    ],
)
def test_an_automatic_answer_to_an_alert_raises_no_alert(office: Office, answer: InboundMail) -> None:
    assert receive(office, answer) == "quarantined"
    assert alerts(office) == []


def test_an_admins_absence_note_raises_no_alert_where_the_whole_domain_may_be_the_helpdesk(office: Office) -> None:
    backend = office.env.backends["inframanager"]
    wide = replace(backend, profile=replace(backend.profile, senders=("*@demo.local",)))
    office.env = replace(office.env, backends={wide.name: wide})
    assert receive(office, absence_note(sender=ADMIN)) == "quarantined"
    assert alerts(office) == []


def test_that_a_persons_mailbox_cannot_be_reached_is_told(office: Office) -> None:
    report = undelivered("<anna@demo.local>: 550 no", returned_ids=(NOTE_ID,))
    assert receive(office, report) == "quarantined"
    assert [one["why"] for one in alerts(office)] == ["returned"]


def test_an_absence_note_to_each_alert_ends_the_alerts(office: Office) -> None:
    """The worst robot: it names neither our letter nor the admin, and answers everything at once, for three days."""
    receive(office, forged(1))
    told = 0
    for _ in range(3 * 24 * 30):
        office.later(minutes=2)
        for _ in tell_what_is_due(office):
            told += 1
            receive(office, absence_note(sender="robot@elsewhere.example"))
    assert 1 < told <= 21
    assert inbox.count_set_aside(office.c, office.now - timedelta(days=9)) == told + 1


def test_automatic_letters_of_the_helpdesk_itself_are_told_as_any_other(office: Office) -> None:
    """Status letters bear Auto-Submitted: one that is not believed or not bound must not go under."""
    for number in range(7):
        receive(office, forged(number, "itsm@demo.local", automatic=True))
    assert len(alerts(office)) == 5
    office.later(hours=1)
    tell_what_is_due(office)
    assert alerts(office, "quarantine_more")[0]["count"] == 2


def test_a_flood_of_words_is_kept_and_told_once_and_statuses_still_pass(office: Office) -> None:
    ticket = a_ticket(office, number="IM-CL-1042", status=Status.REGISTERED)
    for number in range(60):
        office.later(seconds=5)
        assert receive(office, a_mail("О заявке", f"Сообщение {number}\n{ticket.token}", date=office.now)) == "comment"
    assert notices(office).count("notice_comment") == 20
    assert notices(office).count("notice_flood") == 1
    assert len(alerts(office, "flood")) == 1
    kept = [row.values["text"] for row in ledger.ledger(office.c, ticket.id) if row.what == "comment"]
    assert [text.split("\n")[0] for text in kept] == [f"Сообщение {number}" for number in range(60)]
    done = a_mail("Заявка № IM-CL-1042 выполнена", f"Готово\n{ticket.token}", date=office.now)
    assert receive(office, done) == "applied"
    assert now_of(office, ticket).status is Status.RESOLVED
    assert notices(office)[-1] == "notice_resolved"


def flip(office: Office, ticket: Ticket, times: int) -> None:
    """Now in progress, now resolved, each time with a letter."""
    for number in range(times):
        office.later(seconds=5)
        words = "в работе" if number % 2 else "выполнена"
        subject = f"Заявка № IM-CL-1042 {words}"
        assert receive(office, a_mail(subject, f"Решение: шаг {number}\n{ticket.token}", date=office.now)) in (
            "applied",
            "noted",
        )


@pytest.mark.parametrize(("times", "last"), [(61, "notice_resolved"), (60, "notice_reopened")])
def test_a_status_that_runs_in_a_circle_is_held_and_the_last_one_told(office: Office, times: int, last: str) -> None:
    ticket = a_ticket(office, number="IM-CL-1042", status=Status.IN_PROGRESS)
    flip(office, ticket, times)
    assert now_of(office, ticket).status is (Status.RESOLVED if times % 2 else Status.IN_PROGRESS), "never held back"
    before = notices(office)
    assert len(before) == breaker.FLOOD + 1
    assert before[-1] == "notice_flips"
    assert len(alerts(office, "flips")) == 1
    tell_what_is_due(office)
    assert notices(office) == before, "not yet"
    office.later(minutes=11)
    tell_what_is_due(office)
    told = [
        one.parcel.payload["screen"] for one in outbox.open_parcels(office.c, 1000) if one.parcel.kind is Kind.NOTICE
    ]
    assert [screen["name"] for screen in told][len(before) :] == [last]
    if last == "notice_resolved":
        assert told[-1]["values"]["solution"].startswith("шаг 60")
    office.later(minutes=11)
    tell_what_is_due(office)
    assert len(notices(office)) == len(before) + 1
    flip(office, ticket, 2)
    assert len(notices(office)) > len(before) + 1, "told at once again"


def test_while_a_status_goes_on_changing_nothing_more_is_told(office: Office) -> None:
    ticket = a_ticket(office, number="IM-CL-1042", status=Status.IN_PROGRESS)
    for _ in range(6):
        flip(office, ticket, 72)
        tell_what_is_due(office)
    assert len(notices(office)) == breaker.FLOOD + 1


def test_after_a_flood_words_are_shown_again(office: Office) -> None:
    ticket, other = a_ticket(office), a_ticket(office, "t2")
    for number in range(25):
        receive(office, a_mail("О заявке", f"Сообщение {number}\n{ticket.token}"))
    receive(office, a_mail("О другой", f"Другое\n{other.token}"))
    assert notices(office).count("notice_comment") == 21, "another request is not held back"
    office.later(minutes=11)
    receive(office, a_mail("О заявке", f"Спасибо за терпение\n{ticket.token}", date=office.now))
    assert notices(office).count("notice_comment") == 22
    assert notices(office).count("notice_flood") == 1


def test_a_believed_flood_never_stops_the_settling_of_letters(office: Office) -> None:
    ticket = a_ticket(office)
    for number in range(30):
        receive(office, a_mail("О заявке", f"Сообщение {number}\n{ticket.token}"))
    again = replace(a_mail("О заявке", f"ещё\n{ticket.token}"))
    assert receive(office, again) == "comment"
    assert receive(office, again) == "duplicate"
    assert inbox.unread(office.c, 10) == []


def test_letters_to_persons_bear_an_id_by_which_answers_are_known() -> None:
    assert is_note_id(NOTE_ID, KEY)
    assert is_note_id(NOTE_ID.upper(), KEY)
    assert not is_note_id(NOTE_ID, b"another key")
    assert not is_note_id(mint_message_id("demo.local"), KEY)
    assert not is_note_id("<note.taking@example.test>", KEY)
    assert not is_note_id("<note.aaaaaaaaaaaaaaaaaaaaaaaa@x.ru>", KEY)
    assert not is_note_id(NOTE_ID.replace("note.", "alert."), KEY, alert=True)
    assert is_note_id(ALERT_ID, KEY, alert=True)
    assert not is_note_id(NOTE_ID, KEY, alert=True)


@pytest.mark.parametrize(
    "words",
    [
        {"original_message_ids": ("<note.aaaaaaaaaaaaaaaaaaaaaaaa@x.ru>",)},
        {"original_message_ids": (NOTE_ID, ALERT_ID)},  # a person has quoted what we wrote to them
        {"references": (NOTE_ID,)},  # they have answered it, and the helpdesk answers them
        {"text": f"Undelivered mail\nMessage-ID: {ALERT_ID}\n"},
    ],
)
def test_no_words_of_an_employee_hide_a_letter_of_the_helpdesk(office: Office, words: dict[str, object]) -> None:
    """What comes back in a status letter that is not believed any more is nobody's automatic answer."""
    letter = forged(1042, "itsm@demo.local", automatic=True, **words)
    assert receive(office, letter) == "quarantined"
    assert [one["why"] for one in alerts(office)] == ["unproven"]


def test_a_helpdesk_that_acknowledges_an_alert_raises_no_other(office: Office) -> None:
    """Where the admins' address is a queue of it."""
    receive(office, forged(1042, "itsm@demo.local", automatic=True, in_reply_to=(ALERT_ID,)))
    assert alerts(office) == []


def test_alerts_are_only_of_the_kind_for_admins(office: Office) -> None:
    receive(office, forged(1))
    assert {one.parcel.kind for one in outbox.open_parcels(office.c, 100)} == {Kind.ALERT}
