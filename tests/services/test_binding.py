"""Which ticket a letter is about: the strongest evidence binds, and nothing that somebody could make up."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from imbot.backends.base import FromMode, LetterKind, TicketView
from imbot.backends.composing import compose
from imbot.config import packed
from imbot.domain.letters import InboundMail
from imbot.domain.parcels import Kind, Parcel
from imbot.domain.tickets import Status, Ticket
from imbot.services import binding, reports
from imbot.store import files as _files  # noqa: F401  the store's tables are one
from imbot.store import inbox, ledger, letters, outbox, tickets
from imbot.store.letters import LetterRow
from imbot.templates import Templates
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, NOW, Office
from tests.services.inbound import (
    DONE,
    REGISTERED,
    a_mail,
    a_ticket,
    now_of,
    receive,
    says,
)


def test_a_number_that_the_itsm_never_gave_us_binds_nothing(office: Office) -> None:
    a_ticket(office)
    assert receive(office, a_mail(DONE, "Решение:\n23.11.2026 - готово")) == "quarantined"


def test_a_number_once_given_binds_later_letters(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))
    assert receive(office, a_mail(DONE, "Решение:\n23.11.2026 - Заменён картридж")) == "applied"
    after = tickets.get(office.c, ticket.id)
    assert after is not None
    assert after.status is Status.RESOLVED
    assert "Заменён картридж" in after.solution


def test_our_message_id_binds_and_two_tickets_at_once_bind_nothing(office: Office) -> None:
    one, two = a_ticket(office, "t1"), a_ticket(office, "t2")
    assert receive(office, a_mail(REGISTERED, in_reply_to=(one.message_id,))) == "applied"
    assert receive(office, a_mail(DONE, two.token, in_reply_to=(one.message_id,))) == "quarantined"


def test_the_number_of_another_ticket_is_quarantined(office: Office) -> None:
    one, two = a_ticket(office, "t1"), a_ticket(office, "t2")
    receive(office, a_mail(REGISTERED, one.token))
    assert receive(office, a_mail(DONE, two.token)) == "quarantined"
    assert tickets.get(office.c, two.id) == two


def test_inference_needs_a_registration_and_exactly_one_waiting_request(office: Office) -> None:
    ticket = a_ticket(office)
    text = "Заявитель: Иванова (anna@demo.local)"
    assert receive(office, a_mail("Заявка № IM-CL-7 выполнена", text)) == "quarantined"
    assert receive(office, a_mail("Заявка № IM-CL-8 получена и рассмотрена", text)) == "applied"
    assert "inferred" in [row.what for row in ledger.ledger(office.c, ticket.id)]
    a_ticket(office, "t2")
    a_ticket(office, "t3")
    assert receive(office, a_mail("Заявка № IM-CL-9 получена и рассмотрена", text)) == "quarantined"


def test_what_the_desk_wrote_to_somebody_else_binds_nothing_by_inference(office: Office) -> None:
    """A registration that a colleague got and sent on as it was: it names Anna because they had mentioned her."""
    ticket = a_ticket(office)
    text = "Заявитель: Иванова (anna@demo.local)"
    for more, why in (
        ({"to": ("tom@demo.local",)}, "it was not written to bot@demo.local"),
        ({"to": (), "cc": ("desk@demo.local",)}, "it was not written to bot@demo.local"),
        ({"in_reply_to": ("<toms@demo.local>",)}, "a conversation that is none of ours"),
        ({"references": ("<toms@demo.local>",)}, "a conversation that is none of ours"),
    ):
        assert why in reason_of(office, a_mail(REGISTERED, text, **more))
    assert now_of(office, ticket) == ticket
    assert receive(office, a_mail(REGISTERED, text, to=("tom@demo.local",), cc=("bot+x@demo.local",))) == "applied"


def test_a_field_that_its_sender_does_not_vouch_for_names_no_recipient(office: Office) -> None:
    a_ticket(office)
    mail = a_mail(REGISTERED, "Заявитель: anna@demo.local")
    looked = reports.look(mail, office.env)
    assert looked.backend is not None
    assert looked.words is not None
    asked = (office.c, mail, looked.backend, looked.words, looked.tokens, looked.addresses)
    assert binding.bind(*asked, frozenset({"from", "subject", "to"})).ticket is not None
    assert binding.bind(*asked, frozenset({"from", "subject"})).ticket is None


def test_where_letters_come_by_the_employees_mailbox_it_must_be_hers(office: Office) -> None:
    backend = office.env.backends["inframanager"]
    office.env = replace(office.env, backends={"inframanager": replace(backend, mode=FromMode.EMPLOYEE)})
    a_ticket(office)
    text = "Заявитель: Иванова (anna@demo.local)"
    assert "not written to" in reason_of(office, a_mail(REGISTERED, text, to=("tom@demo.local",)))
    assert receive(office, a_mail(REGISTERED, text, to=("anna@demo.local",))) == "applied"


def test_a_registration_that_names_a_colleague_as_well_is_nobodys_by_inference(office: Office) -> None:
    a_ticket(office)
    office.link(EVE, EVE_ENTRY)
    text = f"Заявитель: {EVE_ENTRY.address}, пишет про anna@demo.local"
    assert "nobody whose request waits" in reason_of(office, a_mail(REGISTERED, text))


@pytest.mark.parametrize(
    "subject",
    [
        "Re: [IM-CL-10501] [IM-CL-10420] [IM-CL-90002]",
        "IM-CL-10420 и IM-CL-10501",
        "Вопрос по IM-CL-10501: IM-CL-10420",
    ],
)
def test_a_subject_with_a_number_beside_a_known_one_binds_nothing_and_gives_nobody_a_number(
    office: Office, subject: str
) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail("Заявка № IM-CL-10420 получена и рассмотрена", ticket.token))
    assert "beside IM-CL-10420" in reason_of(office, a_mail(subject))
    assert tickets.numbers_of(office.c, ticket.id) == ["IM-CL-10420"]
    assert tickets.by_number(office.c, "inframanager", "IM-CL-10501") is None


def test_a_number_that_she_wrote_herself_may_stand_in_the_subject_beside_hers(office: Office) -> None:
    ticket = a_ticket(office)
    letters.rewrite_letter(office.c, ticket.message_id, {"subject": "Снова IM-CL-7", "text": "Описание: IM-CL-7"})
    receive(office, a_mail("Заявка № IM-CL-10420 получена и рассмотрена", ticket.token))
    assert receive(office, a_mail("Заявка № IM-CL-10420 выполнена (Снова IM-CL-7)")) == "applied"
    assert tickets.numbers_of(office.c, ticket.id) == ["IM-CL-10420"]


def test_who_is_bound_by_a_number_in_the_text_learns_no_other_one(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail("Заявка № IM-CL-10420 получена и рассмотрена", ticket.token))
    before = tickets.numbers_of(office.c, ticket.id)
    receive(office, a_mail("Ваша заявка выполнена", "Заявка № IM-CL-10420 выполнена\n\nсм. также IM-CL-10501"))
    assert tickets.numbers_of(office.c, ticket.id) == before


def of_eve(office: Office, title: str = "Просьба", text: str = "") -> Ticket:
    """A request of Eve's that waits for a number, with the letter that we wrote for it."""
    eve = office.link(EVE, EVE_ENTRY)
    ticket = a_ticket(office, "t9", person_id=eve.id, chat_key=EVE.key, title=title, token="imb:EEEEEEEEEE")
    backend = office.env.backends["inframanager"]
    view = TicketView(ticket.id, ticket.token, title, NOW, description=text)
    sending = backend.sending(ticket.message_id, NOW)
    ours = compose(backend.profile, Templates([packed("templates")], office.env.zone), LetterKind.TICKET, view, sending)
    assert letters.rewrite_letter(office.c, ticket.message_id, {"subject": ours.subject, "text": ours.text})
    return ticket


def test_a_registration_that_names_very_many_is_nobodys_by_inference(office: Office) -> None:
    a_ticket(office)
    others = [f"p{n}@demo.local" for n in range(binding.MOST_ADDRESSES)]
    assert "nobody whose request waits" in reason_of(office, a_mail(REGISTERED, " ".join([*others, "anna@demo.local"])))
    assert receive(office, a_mail(REGISTERED, " ".join([*others[1:], "anna@demo.local"]))) == "applied"


@pytest.mark.parametrize("written", ["anna@demo.local", "ANNA@demo&#46;local", "anna@\u200bdemo.local"])
def test_an_address_that_somebody_else_wrote_to_us_is_nobodys_by_inference(office: Office, written: str) -> None:
    """The far end repeats Eve's words, and no token: Anna's request gets neither Eve's number nor her status."""
    annas = a_ticket(office)
    eves = of_eve(office, text=f"Нужен доступ к ящику {written}")
    mail = a_mail(REGISTERED, "Описание: Нужен доступ к ящику anna@demo.local")
    assert "nobody whose request waits" in reason_of(office, mail)
    assert (now_of(office, annas), now_of(office, eves)) == (annas, eves)


def test_where_too_many_requests_wait_to_look_through_an_address_names_nobody(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding, "_MOST_TOLD", 2)
    text = "Заявитель: Иванова (anna@demo.local)"
    a_ticket(office)
    of_eve(office, text="Пишите на eve@demo.local и eve@home.example")
    assert "nobody whose request waits" in reason_of(office, a_mail(REGISTERED, text))
    monkeypatch.setattr(binding, "_MOST_TOLD", 3)
    assert receive(office, a_mail("Заявка № IM-CL-8 получена и рассмотрена", text)) == "applied"


HIDDEN = [
    "IM-CL-30**00**",
    "IM-CL-30{color:red}00{color}",
    "IM-CL-30[](x)00",
    "IM-CL-30\\\\00",
    "IM-CL-30\N{GRINNING FACE}00",
    "IM-CL-\u200b3000",
    "IM-CL-&#51;000",
    "IM-CL-30<b></b>00",
    "IM-CL-30<x>00",
    "IM-CL-&amp;#51;000",
    "IM-CL-３000",
]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_number_that_an_employee_hides_in_their_words_never_becomes_theirs(office: Office, hidden: str) -> None:
    """The desk repeats what it got before its own number: the number hidden there stays free for whom it is given to."""
    eves = of_eve(office, f"Просьба {hidden}", f"Прошу, как в {hidden}")
    row = letters.letter(office.c, eves.message_id)
    assert row is not None
    subject, text = row.letter["subject"], row.letter["text"]
    echo = a_mail(f"«{subject.split(' [')[0]}»: заявка № IM-CL-2999 получена и рассмотрена", f"{eves.token}\n{text}")
    assert receive(office, echo) == "applied"
    again = a_mail("О вашей просьбе", f"Вы писали: IM-CL-3000 и {hidden}\n{eves.token}")
    assert receive(office, again) == "comment"
    assert tickets.numbers_of(office.c, eves.id) == ["IM-CL-2999"]
    annas = a_ticket(office)
    assert receive(office, a_mail("Заявка № IM-CL-3000 получена и рассмотрена", annas.token)) == "applied"
    assert receive(office, a_mail("Заявка № IM-CL-3000 выполнена", "Решение:\n23.11.2026 - пароль")) == "applied"
    assert (now_of(office, annas).status, now_of(office, eves).status) == (Status.RESOLVED, Status.REGISTERED)


@pytest.mark.parametrize("place", ["subject", "text"])
def test_what_we_once_wrote_is_no_number_beside_the_far_ends_own(office: Office, place: str) -> None:
    eves = of_eve(office)
    words = {"subject": f"Просьба [{eves.token}]", "text": "Прошу"} | {place: "IM-CL-\u200b3000 срочно"}
    assert letters.rewrite_letter(office.c, eves.message_id, words)
    mail = a_mail("«IM-CL-\u200b3000 срочно»: заявка № IM-CL-2999 получена и рассмотрена", eves.token)
    assert receive(office, mail) == "applied"
    assert tickets.numbers_of(office.c, eves.id) == ["IM-CL-2999"]


def test_a_number_in_an_employees_own_words_keeps_no_registration_out(office: Office) -> None:
    eve = office.link(EVE, EVE_ENTRY)
    old = a_ticket(office, "t0", person_id=eve.id, chat_key=EVE.key)
    office.link(ANNA)
    receive(office, a_mail(REGISTERED, old.token))
    ticket = a_ticket(office)
    words = "Печатает полосами, было уже в IM-CL-1042"
    says(office, ticket, words)
    mail = a_mail("Заявка № IM-CL-1050 получена и рассмотрена", f"Описание: {words}\n{ticket.token}")
    assert receive(office, mail) == "applied"
    assert tickets.numbers_of(office.c, ticket.id) == ["IM-CL-1050"]
    assert receive(office, a_mail("Заявка № IM-CL-1050 выполнена", f"Описание: {words}")) == "applied"
    assert (now_of(office, ticket).status, now_of(office, old).status) == (Status.RESOLVED, Status.REGISTERED)


def test_an_echoed_number_is_not_taken_from_the_ticket_that_is_given_it_later(office: Office) -> None:
    ticket = a_ticket(office)
    says(office, ticket, "Похоже на IM-CL-1044")
    reply = a_mail("Re: Принтер", f"Да, это как IM-CL-1044, зайдём.\n{ticket.token}")
    assert receive(office, reply) == "comment"
    other = a_mail("Re: Принтер", f"Связано с IM-CL-1045, посмотрим.\n{ticket.token}")
    assert receive(office, other) == "comment"
    assert tickets.numbers_of(office.c, ticket.id) == []
    eve = office.link(EVE, EVE_ENTRY)
    hers = a_ticket(office, "t2", person_id=eve.id, chat_key=EVE.key)
    for number in ("1044", "1045"):
        mail = a_mail(f"Заявка № IM-CL-{number} получена и рассмотрена", hers.token)
        assert receive(office, mail) in ("applied", "noted")
    assert tickets.numbers_of(office.c, hers.id) == ["IM-CL-1044", "IM-CL-1045"]


def test_an_echoed_number_binds_no_letter_whose_subject_bears_another(office: Office) -> None:
    ticket = a_ticket(office)
    receive(office, a_mail(REGISTERED, ticket.token))
    assert receive(office, a_mail("Заявка № IM-CL-1099 выполнена", "Описание: было в IM-CL-1042")) == "quarantined"
    assert now_of(office, ticket).status is Status.REGISTERED


def notices_of(office: Office, since: int) -> list[Parcel]:
    """Notices to persons that were put after the parcel `since`."""
    found = [one.parcel for one in outbox.open_parcels(office.c, 100_000)]
    return [one for one in found if one.id > since and one.kind is Kind.NOTICE]


def test_nobody_elses_person_is_told_in_a_thousand_crossed_letters(office: Office) -> None:
    """1,000 random letters of crossed evidence against an oracle of its own: a notice goes to the owner of the one request
    that all of it names, or to nobody."""
    rng = random.Random(7)
    anna, eve = office.link(), office.link(EVE, EVE_ENTRY)
    owners = {"t1": ANNA, "t2": EVE, "t3": EVE}
    t1 = a_ticket(office, "t1", token="imb:AAAAAAAAAA")
    t2 = a_ticket(office, "t2", token="imb:BBBBBBBBBB", person_id=eve.id, chat_key=EVE.key)
    t3 = a_ticket(office, "t3", token="imb:CCCCCCCCCC", person_id=eve.id, chat_key=EVE.key)
    receive(office, a_mail("Заявка № IM-CL-1 получена и рассмотрена", t1.token))
    receive(office, a_mail("Заявка № IM-CL-2 получена и рассмотрена", t2.token))
    given = {"t1": "IM-CL-1", "t2": "IM-CL-2"}
    told = {ANNA.key: 0, EVE.key: 0}
    wrong, newest = [], max(one.parcel.id for one in outbox.open_parcels(office.c, 1000))
    for count in range(1000):
        by_number = rng.choice([None, "t1", "t2", *(["t3"] if "t3" in given else [])])
        by_token, by_thread = rng.choice([None, None, t1, t2, t3]), rng.choice([None, None, t1, t2, t3])
        number = given[by_number] if by_number else f"IM-CL-{1000 + count}"
        words = rng.choice(["принята в работу", "выполнена", "сообщение", "получена и рассмотрена"])
        named_person = rng.choice(["", "Заявитель: eve@demo.local", "Заявитель: anna@demo.local"])
        junk = rng.choice(["", "imb:ZZZZZZZZZZ"])
        believed, sender = rng.random() < 0.8, rng.choice(["itsm@demo.local"] * 4 + ["eve@demo.local"])
        mail = a_mail(
            f"Заявка № {number}: {words}" if words == "сообщение" else f"Заявка № {number} {words}",
            "\n".join(["Привет", named_person, by_token.token if by_token else "", junk]),
            in_reply_to=(by_thread.message_id,) if by_thread else rng.choice([(), ("<guess@demo.local>",)]),
            believed=believed,
            sender=sender,
        )
        waits = {"eve@demo.local"} if "t3" not in given else set()
        named = {one.id for one in (by_token, by_thread) if one} | ({by_number} if by_number else set())
        if not named and words == "получена и рассмотрена" and any(address in named_person for address in waits):
            named = {"t3"}  # by inference: the only one of hers that waits
        owner = owners[next(iter(named))].key if believed and sender == "itsm@demo.local" and len(named) == 1 else ""
        outcome = receive(office, mail)
        if named == {"t3"} and owner and "t3" not in given:
            given |= {"t3": now_of(office, t3).number} if now_of(office, t3).number else {}
        for parcel in notices_of(office, newest):
            newest = max(newest, parcel.id)
            told[parcel.lane.removeprefix("chat:")] += 1
            wrong += [(count, outcome, parcel.lane, named)] if parcel.lane != f"chat:{owner}" else []
        if not owner:
            assert outcome == "quarantined", (count, outcome, named)
    assert wrong == []
    assert min(told.values()) > 20, "the letters that are in order do reach their persons"
    assert anna.id != eve.id


# Why a letter is set aside, in words that a person understands


def reason_of(office: Office, mail: InboundMail) -> str:
    assert receive(office, mail) == "quarantined"
    return inbox.quarantined(office.c, NOW - timedelta(days=1), 1)[0].reason


def test_a_plus_address_binds_like_the_token_in_it(office: Office) -> None:
    ticket = a_ticket(office)
    address = f"bot+{ticket.token.removeprefix('imb:').lower()}@demo.local"
    assert receive(office, a_mail(REGISTERED, to=(address,))) == "applied"
    assert receive(office, a_mail("Заявка № IM-CL-3 выполнена", to=("bot+zzzzzzzzzz@demo.local",))) == "quarantined"


# An employee's own words on their way back

PHRASES = [
    "№ IM-CL-1 выполнена",
    "Заявка № IM-CL-1042 выполнена",
    "заявка выполнена, закройте",
    "отклонена",
    "Заявка № IM-CL-9 получена и рассмотрена",
    "Решение: перезагрузил сам, готово",
    "закрыта",
    "статус: решено",
    "выпол\u200bнена",
    "выпол&#1085;ена",
    "выпол&amp;#1085;ена",
    "за<b></b>крыта",
]


@pytest.mark.parametrize("phrase", PHRASES)
@pytest.mark.parametrize("registered", [False, True])
def test_an_employees_own_words_move_nothing_on_their_way_back(office: Office, phrase: str, registered: bool) -> None:
    """Whatever a person wrote into the request, no echo of it acts: not in a subject that is answered, not quoted with or
    without a mark, not in a registration letter that repeats the description."""
    backend = office.env.backends["inframanager"]
    ticket = a_ticket(office, title=phrase)
    view = TicketView(ticket.id, ticket.token, phrase, NOW, description=f"{phrase}\n{phrase}, верните")
    sending = backend.sending(ticket.message_id, NOW)
    ours = compose(backend.profile, Templates([packed("templates")], office.env.zone), LetterKind.TICKET, view, sending)
    stored = {"subject": ours.subject, "text": ours.text}
    assert letters.rewrite_letter(office.c, ticket.message_id, stored)
    if registered:
        body = f"Описание:\n{ours.text}"
        assert receive(office, a_mail(REGISTERED, body)) in ("applied", "comment")  # where it says the very same words
    before = now_of(office, ticket).status
    quoted = "\n".join(f"> {line}" for line in ours.text.splitlines())
    number = "№ IM-CL-1042 " if registered else ""
    for subject, text in (
        (f"Re: {number}{ours.subject}", "Посмотрим"),
        (f"Re: {number}{ours.subject}", f"Посмотрим\n\n{quoted}"),
        (f"Re: {number}{ours.subject}", f"Посмотрим\n\n{ours.text}"),
        (f"Вопрос {number}", f"Уточните\n{ours.text}"),
    ):
        mail = a_mail(subject, f"{text}\n{ticket.token}", in_reply_to=(ticket.message_id,))
        assert receive(office, mail) in ("comment", "noted"), subject
        assert now_of(office, ticket).status is before
    assert tickets.numbers_of(office.c, ticket.id) == (["IM-CL-1042"] if registered else [])


def test_a_number_that_we_ourselves_wrote_about_another_request_binds_nothing_from_the_text(office: Office) -> None:
    toms = a_ticket(office, "t1")
    receive(office, a_mail(REGISTERED, toms.token))
    annas = a_ticket(office, "t2")
    words = {"subject": "Заявка", "text": "Описание:\nто же, что в IM-CL-1042 у Тома"}
    letters.save_letter(office.c, LetterRow("<t2-more@demo.local>", annas.id, "addition", words, NOW))
    mail = a_mail("Ваша заявка выполнена", "Номер: IM-CL-9050\nОписание: то же, что в IM-CL-1042 у Тома")
    assert receive(office, mail) == "quarantined"
    echo = a_mail("Ваша заявка выполнена", "Описание: то же, что в IM-CL-1042 у Тома")
    assert receive(office, echo) == "quarantined"
    after = tickets.get(office.c, toms.id)
    assert after is not None
    assert after.status is Status.REGISTERED
