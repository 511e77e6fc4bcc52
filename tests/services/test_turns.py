from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from imbot.config import packed
from imbot.dialog.render import render
from imbot.dialog.screen import screen_from_json
from imbot.dialog.tickets import receipt_screen
from imbot.domain.chats import Attached, Commanded, FileRef, Pressed, Typed
from imbot.domain.parcels import Kind, NewParcel
from imbot.domain.people import Absence
from imbot.domain.tickets import Status, StatusReport, apply
from imbot.services import checks, telling
from imbot.services import tickets as ticket_services
from imbot.store import outbox, people, sessions, tickets
from imbot.store import signin as signin_rows
from imbot.templates import Templates
from tests.services.conftest import ANNA, ANNA_ENTRY, EVE, EVE_ENTRY, MOSCOW, Office


def parcels(office: Office) -> list[Kind]:
    return [one.parcel.kind for one in outbox.open_parcels(office.c, 100)]


def file_a_request(office: Office) -> str:
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    assert office.say("Принтер мигает красным") == "review"
    office.attach()
    office.show(message_id="review-message")
    office.press("send")
    return tickets.open_of_person(office.c, 1, 1)[0].id


def test_a_repeated_update_changes_nothing(office: Office) -> None:
    office.command("start")
    taken = office.take(ANNA, Commanded("start"))
    assert not taken.repeated
    office.updates -= 1
    assert office.take(ANNA, Typed("anna@demo.local")).repeated
    assert parcels(office) == []


def test_an_address_becomes_a_parcel_and_nobody_waits_for_the_directory(office: Office) -> None:
    office.command("start")
    assert office.say("anna@demo.local") == "wait_code"
    assert parcels(office) == [Kind.LOOKUP]


def test_addresses_from_outside_of_the_company_cost_no_code_and_are_nowhere_asked_for(office: Office) -> None:
    dialog = replace(office.env.dialog, domains_hint="demo.local", domains=("demo.local",))
    office.env = replace(office.env, dialog=dialog)
    for address in ("anna@demo.loca", "x@gmail.com", "anna@compny.example", "anna@demo.lcoal"):
        assert office.say(address) == "ask_address"
        assert office.screen()["values"]["foreign"] == address
    assert parcels(office) == []
    assert office.say("anna@demo.local") == "wait_code"
    assert parcels(office) == [Kind.LOOKUP]


def test_a_turn_hands_over_the_screen_it_owes_unless_it_has_changed_the_language(office: Office) -> None:
    office.link()
    office.command("newticket")
    office.press("Оборудование")
    cancelled = office.take(ANNA, Typed("отмена"))  # orders that what was given is dropped
    assert cancelled.owed is not None
    owed, lang = cancelled.owed
    assert (owed, lang) == (sessions.owed_to(office.c, ANNA.key), "ru")
    office.command("me")
    token = office.screen()["rows"][0][0]["value"].partition(":")[0]
    changed = office.take(ANNA, Pressed(f"{token}:lang:en", ""))
    assert changed.show_after is not None
    assert changed.owed is None
    assert people.see_chat(office.c, ANNA, "ru", office.now).lang == "en"


def test_the_answer_to_send_goes_before_everything_that_comes_by_itself(office: Office) -> None:
    for number in range(20):
        notice = NewParcel(f"chat:telegram:{number}", "telegram", f"n{number}", Kind.NOTICE, {"screen": {}})
        outbox.put(office.c, notice, office.now)
    office.link()
    office.later(minutes=1)
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    office.later(seconds=1)
    (first,) = outbox.claim(office.c, office.now, 1, only="telegram")
    assert (first.kind, first.payload) == (Kind.RECEIPT, {"ticket": ticket.id, "awaited": True})
    outbox.settle(office.c, first, "shown", office.now)
    telling.put_receipt(office.c, ticket, office.now)  # nobody waits for this one
    (second,) = outbox.claim(office.c, office.now, 1, only="telegram")
    assert second.key == "n0"


def test_six_actions_make_a_ticket_whose_receipt_replaces_the_review(office: Office) -> None:
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    assert ticket.title.endswith("Принтер мигает красным")
    assert ticket.receipt_id == "review-message"
    assert ticket.location == "Офис 2"
    assert parcels(office) == [Kind.DOWNLOAD, Kind.PACK, Kind.RECEIPT]
    slot = sessions.slot(office.c, ANNA.key)
    assert slot is not None
    assert slot.message_id == ""


def test_two_taps_on_send_are_one_ticket(office: Office) -> None:
    office.link()
    office.command("newticket")
    office.press("Оборудование")
    office.press("Принтер")
    office.say("Принтер мигает красным")
    office.show(message_id="m")
    send = next(one["value"] for row in office.screen()["rows"] for one in row if one["label"] == "send")
    office.take(ANNA, Pressed(send, "m"))
    office.take(ANNA, Pressed(send, "m"))
    assert len(tickets.of_person(office.c, 1, 0, 10)[0]) == 1


def test_another_persons_ticket_is_not_there_whatever_is_pressed(office: Office) -> None:
    office.link()
    ticket_id = file_a_request(office)
    office.link(EVE, EVE_ENTRY)
    office.command("start", chat=EVE)
    before = tickets.get(office.c, ticket_id)
    for value in ("t", "add", "wd", "rs", "ns", "rate"):
        stars = ":1" if value == "rate" else ""
        office.take(EVE, Pressed(f"{value}:{ticket_id}{stars}", "old"))
        screen = office.screen(EVE)
        assert "Принтер" not in str(screen), f"{value} tells Eve about Anna's ticket"
    assert tickets.get(office.c, ticket_id) == before


def test_a_group_is_refused_once(office: Office) -> None:
    assert office.take(EVE, Typed("hi"), private=False).show_after is not None
    assert office.screen(EVE)["name"] == "private_only"
    assert office.take(EVE, Typed("hi"), private=False).show_after is None


def test_a_flood_is_slowed_and_told_so(office: Office) -> None:
    office.link()
    names = [office.say(f"строка {number}") for number in range(130)]
    assert "too_fast" in names[120:]
    office.later(minutes=5)
    assert office.command("help") == "help"


def test_what_was_written_before_sign_in_waits_for_its_download_until_we_know_who_asks(office: Office) -> None:
    office.take(ANNA, Attached(FileRef("v", "u", "a.jpg", 10, "image/jpeg", "photo"), "не печатает", "1"))
    assert parcels(office) == []
    person = office.link()
    assert people.person_of_chat(office.c, ANNA.key) == person


def test_an_old_link_asks_for_a_new_sign_in_where_the_settings_say_so(office: Office) -> None:
    office.env = replace(office.env, reverify_after=timedelta(days=30))
    office.link()
    assert office.command("me") == "me"
    office.later(days=31)
    assert office.command("me") == "ask_address"


def test_wrong_codes_are_answered_alike_for_known_and_unknown_addresses(office: Office) -> None:
    answers = {}
    for chat, entry in ((ANNA, ANNA_ENTRY), (EVE, Absence.ABSENT)):
        office.command("start", chat=chat)
        office.say("anna@demo.local" if chat == ANNA else "nobody@demo.local", chat)
        (parcel,) = outbox.claim(office.c, office.now, 1, only="directory")
        checks.looked_up(office.c, parcel, chat, entry, office.now, office.env, office.fresh)
        said = []
        for _ in range(6):
            office.say("AAAA BBBB", chat)
            values = office.screen(chat)["values"]
            said.append((values["problem"], values["left"]))
        answers[chat] = said
    assert answers[ANNA] == answers[EVE]
    assert answers[EVE][0] == ("wrong", 4)


def test_junk_links_do_not_spend_the_budget_of_codes(office: Office) -> None:
    for number in range(60):
        office.command("start", f"junktoken{number:024}")
    assert signin_rows.failures_since(office.c, office.now - timedelta(hours=1), office.now) == 0


def test_a_code_whose_letter_was_never_seen_accepted_does_not_live_for_ever(office: Office) -> None:
    office.command("start")
    office.say("anna@demo.local")
    (parcel,) = outbox.claim(office.c, office.now, 1, only="directory")
    checks.looked_up(office.c, parcel, ANNA, ANNA_ENTRY, office.now, office.env, office.fresh)
    code = office.fresh.code
    office.later(hours=2)
    office.say(code)
    assert office.screen()["values"]["problem"] == "expired"
    assert people.person_of_chat(office.c, ANNA.key) is None


def test_a_chat_that_is_somebody_elses_now_is_told_nothing_of_the_tickets_filed_there(office: Office) -> None:
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    screen = {"name": "notice_resolved", "values": {}, "rows": []}
    notice = NewParcel(f"chat:{ANNA.key}", "telegram", "n1", Kind.NOTICE, {"screen": screen, "ticket": ticket.id})
    outbox.put(office.c, notice, office.now)
    before = len(parcels(office))
    office.link(ANNA, EVE_ENTRY)  # Anna's phone is Eve's now
    telling.put_receipt(office.c, ticket, office.now + timedelta(seconds=1))
    assert len(parcels(office)) == before
    assert telling.receipt(office.c, ticket.id, office.env) is None
    stored = outbox.by_key(office.c, "n1")
    assert stored is not None
    assert not telling.may_show(office.c, stored.parcel, office.env)


def test_a_withdrawal_before_the_number_says_that_it_will_be_asked_for(office: Office) -> None:
    office.link()
    ticket_id = file_a_request(office)
    office.take(ANNA, Pressed(f"wd:{ticket_id}", "receipt"))
    office.press("withdraw_yes")
    assert (office.screen()["name"], office.screen()["values"]["waits"]) == ("withdrawn_asked", True)
    ticket = tickets.get(office.c, ticket_id)
    assert ticket is not None
    assert telling.receipt_values(office.c, ticket, office.env)["asked"] == "withdraw_later"
    change = apply(ticket, StatusReport("inframanager", Status.REGISTERED, "IM-CL-1"), office.now)
    assert change is not None
    ticket_services.record_change(office.c, change, "x", office.now, office.env)
    ticket = tickets.get(office.c, ticket_id)
    assert ticket is not None
    shown = telling.receipt_values(office.c, ticket, office.env)
    assert (shown["asked"], shown["can_withdraw"]) == ("withdraw", False)
    (notice,) = [one.parcel for one in outbox.open_parcels(office.c, 50) if one.parcel.kind is Kind.NOTICE]
    screen = screen_from_json(notice.payload["screen"])
    words = render(screen, "ru", Templates((packed("templates"),), MOSCOW), now=office.now)
    assert "принята" in words.text
    assert "Просим поддержку снять заявку" in words.text  # and does not offer it once more
    assert "withdraw" not in [button.label for each in screen.rows for button in each]


def test_a_withdrawal_that_never_went_out_is_forgotten_when_the_request_ends(office: Office) -> None:
    office.link()
    ticket_id = file_a_request(office)
    office.take(ANNA, Pressed(f"wd:{ticket_id}", "receipt"))
    office.press("withdraw_yes")
    waiting = [one for one in outbox.open_parcels(office.c, 50) if one.parcel.payload.get("letter") == "withdrawal"]
    assert len(waiting) == 1
    ticket = tickets.get(office.c, ticket_id)
    assert ticket is not None
    change = apply(ticket, StatusReport("inframanager", Status.REJECTED, "IM-CL-1"), office.now)
    assert change is not None
    ticket_services.record_change(office.c, change, "x", office.now, office.env)
    left = [one for one in outbox.open_parcels(office.c, 50) if one.parcel.payload.get("letter") == "withdrawal"]
    assert left == []


def test_who_has_answered_is_not_told_that_an_answer_is_awaited(office: Office) -> None:
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    tickets.save(office.c, replace(ticket, status=Status.WAITING, number="IM-CL-1", registered_at=office.now))
    words = Templates([packed("templates")], office.env.zone)

    def receipt() -> str:
        found = telling.receipt(office.c, ticket.id, office.env)
        assert found is not None
        return render(receipt_screen(found[0]), "ru", words).text

    assert "IM-CL-1 ждёт вашего ответа." in receipt()
    office.take(ANNA, Pressed(f"add:{ticket.id}", "notice"))
    office.say("Кабинет 315")
    office.press("send")
    assert "IM-CL-1 ждёт поддержку (вы ответили)." in receipt()
    assert Kind.RECEIPT in parcels(office)
    office.command("mytickets")
    assert "Ждёт поддержку (вы ответили), подана" in render(screen_from_json(office.screen()), "ru", words).text
    answered = tickets.get(office.c, ticket.id)
    assert answered is not None
    again = apply(answered, StatusReport("itsm", Status.WAITING, fields={"question": "А этаж?"}), office.now)
    assert again is not None
    assert again.ticket.asked == ""


def test_the_list_says_what_was_asked_of_support(office: Office) -> None:
    office.link()
    ticket = tickets.get(office.c, file_a_request(office))
    assert ticket is not None
    words = Templates([packed("templates")], office.env.zone)
    for asked, told in (("reopen", "; вы попросили вернуть"), ("withdraw", "; вы попросили снять"), ("", "подана")):
        tickets.save(office.c, replace(ticket, status=Status.RESOLVED, number="IM-CL-1", asked=asked))
        office.command("mytickets")
        shown = render(screen_from_json(office.screen()), "ru", words).text.split("\n")
        (line,) = (one for one in shown if one.startswith("Выполнена, подана"))
        assert told in line
        assert ("вы попросили" in line) is bool(asked)


def test_words_after_the_work_may_go_to_the_ticket_that_was_just_done(office: Office) -> None:
    office.link()
    done = tickets.get(office.c, file_a_request(office))
    assert done is not None
    tickets.save(office.c, replace(done, status=Status.RESOLVED, resolved_at=office.now, number="IM-CL-1"))
    file_a_request(office)
    office.later(minutes=1)
    assert office.say("Ничего не сделали") == "stray"
    assert done.id in {one["id"] for one in office.screen()["values"]["tickets"]}
    office.later(days=2)
    assert done.id not in {one.id for one in tickets.resolved_of_person(office.c, 1, office.now - timedelta(days=1), 3)}


def test_work_that_was_asked_for_again_is_not_rated_meanwhile(office: Office) -> None:
    office.link()
    done = tickets.get(office.c, file_a_request(office))
    assert done is not None
    tickets.save(office.c, replace(done, status=Status.RESOLVED, resolved_at=office.now, number="IM-CL-1"))
    office.take(ANNA, Pressed(f"ns:{done.id}", "notice"))
    office.say("Печатает полосами")
    assert office.screen()["name"] == "reopen_asked"
    office.take(ANNA, Pressed(f"rate:{done.id}:5", "notice"))
    shown = render(screen_from_json(office.screen()), "ru", Templates([packed("templates")], office.env.zone)).text
    assert "сейчас поставить нельзя: вы попросили вернуть её в работу" in shown
    asked = tickets.get(office.c, done.id)
    assert asked is not None
    tickets.save(office.c, replace(asked, asked_until=None))  # support has not answered in time
    office.take(ANNA, Pressed(f"rate:{done.id}:5", "reminder"))
    assert office.screen()["name"] == "rated"
