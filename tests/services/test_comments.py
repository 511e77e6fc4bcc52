"""What support writes: its words and files, from the letter to the parcels of the chat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from imbot.domain.chats import Pressed
from imbot.domain.letters import InboundMail, MailPart
from imbot.domain.parcels import Kind
from imbot.domain.tickets import Status, Ticket
from imbot.services import sending
from imbot.services.upkeep import lying_for_days, strays
from imbot.store import ledger, received, tickets
from tests.services.conftest import ANNA, EVE, EVE_ENTRY, NOW, Office
from tests.services.enclosed import PDF, a_part, a_png, names_sent, parcels, receive, said
from tests.services.inbound import a_mail, a_ticket

HTML = '<p>Сделано.</p><img src="cid:one"><p>С уважением,</p><img src="cid:logo">'


def test_a_comment_reaches_the_chat_with_its_files_behind_it_in_order(company: Office) -> None:
    ticket = a_ticket(company)
    parts = (a_part("акт.pdf", PDF), a_part("../снимок.png", a_png(800, 600, b"x" * 60_000)))
    assert receive(company, a_mail("О вашей просьбе", f"Вот акт.\n{ticket.token}", attachments=parts)) == "comment"
    assert [parcel.kind for parcel in parcels(company)] == [Kind.NOTICE, Kind.FILE, Kind.FILE]
    assert {parcel.lane for parcel in parcels(company)} == {f"chat:{ANNA.key}"}
    assert names_sent(company) == ["акт.pdf", "снимок.png"]
    assert [file["name"] for file in said(company)["files"]] == ["акт.pdf", "снимок.png"]
    row = received.get(company.c, parcels(company, Kind.FILE)[0].payload["received"])
    assert row is not None
    assert company.env.files is not None
    assert (company.env.files / row.path).read_bytes() == PDF
    assert (row.content_type, row.fate, row.ticket_id) == ("application/pdf", "kept", ticket.id)
    assert "files_came" in [line.what for line in ledger.ledger(company.c, ticket.id)]


def test_the_same_letter_twice_sends_its_files_once(company: Office) -> None:
    ticket = a_ticket(company)
    mail = a_mail("Вопрос", f"Вот акт.\n{ticket.token}", attachments=(a_part("акт.pdf", PDF),))
    assert [receive(company, mail), receive(company, mail)] == ["comment", "duplicate"]
    assert names_sent(company) == ["акт.pdf"]


def test_a_file_above_our_own_quoted_letter_is_told_without_our_words(company: Office) -> None:
    ticket = a_ticket(company)
    quoted = "\n23.11.2026 12:00, bot@demo.local пишет:\n> Описание:\n> Принтер мигает красным\n"
    act = (a_part("акт.pdf", PDF),)
    receive(company, a_mail("Re: Принтер", quoted, in_reply_to=(ticket.message_id,), attachments=act))
    assert (said(company)["comment"], said(company)["more"]) == ("", 0)
    receive(company, a_mail("Re: Принтер", f"Вот.\n{quoted}", in_reply_to=(ticket.message_id,), attachments=act))
    assert said(company)["comment"] == "Вот."


def test_files_alone_are_told_without_words_and_a_status_carries_them(company: Office) -> None:
    ticket = a_ticket(company)
    act = (a_part("акт.pdf", PDF),)
    assert receive(company, a_mail("Re: Принтер", ticket.token, attachments=act)) == "comment"
    assert said(company)["comment"] in ("", ticket.token)
    registered = a_mail("Заявка № IM-CL-1042 получена и рассмотрена", ticket.token)
    assert receive(company, registered) == "applied"
    for subject, notice in (
        ("Заявка № IM-CL-1042 принята в работу", "notice_comment"),
        ("По заявке № IM-CL-1042 требуется уточнение", "notice_question"),
        ("Заявка № IM-CL-1042 выполнена", "notice_resolved"),
    ):
        company.later(minutes=5)
        mail = a_mail(subject, "Вопрос: Это ваш акт?", attachments=act, date=company.now)
        assert receive(company, mail) == "applied", subject
        assert parcels(company)[-2].payload["screen"]["name"] == notice
        assert parcels(company)[-1].kind is Kind.FILE
    assert names_sent(company) == ["акт.pdf"] * 4


def test_a_program_is_refused_with_its_name_size_and_reason_whatever_it_is_called(company: Office) -> None:
    ticket = a_ticket(company)
    parts = (a_part("setup.exe", PDF), a_part("фото.jpg", b"MZ\x90\x00"), a_part("пусто.txt", b""))
    receive(company, a_mail("Вопрос", f"Поставьте это.\n{ticket.token}", attachments=parts))
    assert names_sent(company) == []
    assert said(company)["refused_files"] == [
        {"name": "setup.exe", "size": len(PDF), "reason": "type"},
        {"name": "фото.jpg", "size": 4, "reason": "type"},
        {"name": "пусто.txt", "size": 0, "reason": "empty"},
    ]
    assert list(company.env.files.iterdir()) == []  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["отчёт.html", "схема.SVG", "страница.mht", "скрипт.mjs"])
def test_what_a_browser_would_run_is_passed_on_as_plain_text(company: Office, name: str) -> None:
    ticket = a_ticket(company)
    part = a_part(name, b"<script>alert(1)</script>", "text/html")
    receive(company, a_mail("Вопрос", f"Смотрите.\n{ticket.token}", attachments=(part,)))
    assert names_sent(company) == [f"{name}.txt"]
    row = received.of_mail(company.c, 1)[0]
    assert sending.attachment(row, Path("/files")).content_type == "application/octet-stream"


def test_too_many_or_too_much_in_a_day_is_refused_and_told(company: Office) -> None:
    ticket = a_ticket(company)
    company.env = replace(company.env, quota_bytes=100, dialog=replace(company.env.dialog, max_files=2))
    parts = tuple(a_part(f"{size}.txt", b"x" * size) for size in (90, 60, 5, 4))
    receive(company, a_mail("Вопрос", f"Смотрите.\n{ticket.token}", attachments=parts))
    assert names_sent(company) == ["90.txt", "5.txt"]
    assert [(one["name"], one["reason"]) for one in said(company)["refused_files"]] == [
        ("60.txt", "quota"),
        ("4.txt", "too_many"),
    ]


def test_a_full_disk_refuses_the_file_and_not_the_letter(company: Office) -> None:
    ticket = a_ticket(company)
    company.env = replace(company.env, reserve_bytes=1 << 60)
    mail = a_mail("Вопрос", f"Смотрите.\n{ticket.token}", attachments=(a_part("акт.pdf", PDF),))
    assert receive(company, mail) == "comment"
    assert said(company)["refused_files"][0]["reason"] == "disk"


def test_a_letter_that_is_not_bound_leaves_its_files_to_the_clean_up(company: Office) -> None:
    a_ticket(company)
    assert receive(company, a_mail("Вопрос", "Чей это акт?", attachments=(a_part("акт.pdf", PDF),))) == "quarantined"
    assert company.env.files is not None
    (lying,) = company.env.files.iterdir()
    assert received.of_mail(company.c, 1) == []
    assert strays(company.c, [lying.name]) == [lying.name]
    assert lying_for_days(company.env.files, company.now.replace(year=2000)) == []
    assert lying_for_days(company.env.files, company.now.replace(year=2100)) == [lying.name]


def test_a_letter_that_is_not_believed_writes_nothing_to_the_disk(company: Office) -> None:
    ticket = a_ticket(company)
    mail = a_mail("Вопрос", ticket.token, believed=False, attachments=(a_part("акт.pdf", PDF),))
    assert receive(company, mail) == "quarantined"
    assert list(company.env.files.iterdir()) == []  # type: ignore[union-attr]


def test_a_signature_of_the_letters_bytes_is_no_file(company: Office) -> None:
    ticket = a_ticket(company)
    part = a_part("smime.p7s", b"0\x82", "application/pkcs7-signature")
    receive(company, a_mail("Вопрос", f"Зайдём.\n{ticket.token}", attachments=(part,)))
    assert said(company)["files"] == said(company)["refused_files"] == []


# --- logos


def letter_with(office: Office, ticket: Ticket, *parts: MailPart, html: str = HTML) -> InboundMail:
    return a_mail("Вопрос", f"Сделано {office.updates}.\n{ticket.token}", attachments=parts, html=html)


def test_a_logo_in_the_signature_is_held_the_first_time_and_left_out_from_then_on(company: Office) -> None:
    ticket = a_ticket(company)
    logo = a_part("image001.png", a_png(180, 60), "image/png", inline=True, content_id="logo")
    for held in (True, False, False):
        receive(company, letter_with(company, ticket, logo))
        assert names_sent(company) == []
        assert bool(said(company)["more"]) is held
        assert said(company)["refused_files"] == []


def test_a_counting_pixel_is_nothing_at_all(company: Office) -> None:
    ticket = a_ticket(company)
    pixel = a_part("p.gif", b"GIF89a\x01\x00\x01\x00", "image/gif", inline=True, content_id="one")
    receive(company, letter_with(company, ticket, pixel))
    assert names_sent(company) == []
    assert said(company)["more"] == 0
    assert received.of_mail(company.c, 1) == []


def test_a_small_picture_above_the_signature_comes_once(company: Office) -> None:
    ticket = a_ticket(company)
    icon = a_part("image001.png", a_png(64, 64), "image/png", inline=True, content_id="one")
    for expected in (["image001.png"], ["image001.png"]):
        receive(company, letter_with(company, ticket, icon))
        assert names_sent(company) == expected


def test_a_small_screenshot_that_comes_again_is_held_for_show_all(company: Office) -> None:
    """It may be an instruction that support sends to everybody: the second person gets it on request."""
    ticket = a_ticket(company)
    shot = a_part("image002.png", a_png(500, 300), "image/png", inline=True, content_id="logo")
    receive(company, letter_with(company, ticket, shot))
    assert names_sent(company) == ["image002.png"]  # the first time wherever it stands
    eve = company.link(EVE, EVE_ENTRY)
    hers = a_ticket(company, "t2", person_id=eve.id, chat_key=EVE.key)
    receive(company, letter_with(company, hers, shot))
    assert names_sent(company) == ["image002.png"]
    button = parcels(company, Kind.NOTICE)[-1].payload["screen"]["rows"][0][0]
    assert button["label"] == "show_all"
    company.take(EVE, Pressed(button["value"]))
    assert company.screen(EVE)["values"]["pictures"] == 1
    assert [parcel.lane for parcel in parcels(company, Kind.FILE)] == [f"chat:{ANNA.key}", f"chat:{EVE.key}"]
    company.take(EVE, Pressed(button["value"]))
    assert len(parcels(company, Kind.FILE)) == 2


@pytest.mark.parametrize(
    "part",
    [
        a_part("снимок.png", a_png(64, 64), "image/png"),
        a_part("снимок.png", a_png(64, 64, b"x" * 60_000), "image/png", inline=True, content_id="logo"),
        a_part("снимок.png", b"no picture", "image/png", inline=True, content_id="logo"),
    ],
    ids=["attached", "large", "unreadable"],
)
def test_what_is_attached_or_large_is_never_taken_for_a_logo(company: Office, part: MailPart) -> None:
    ticket = a_ticket(company)
    for count in (1, 2, 3):
        receive(company, letter_with(company, ticket, part))
        assert len(names_sent(company)) == count


def test_a_file_of_an_older_report_is_passed_on_though_its_status_is_not(company: Office) -> None:
    ticket = a_ticket(company)
    receive(company, a_mail("Заявка № IM-CL-1042 выполнена", ticket.token))
    late = a_mail(
        "Заявка № IM-CL-1042 принята в работу",
        ticket.token,
        attachments=(a_part("акт.pdf", PDF),),
        date=NOW.replace(hour=7),
    )
    assert receive(company, late) == "noted"
    after = tickets.get(company.c, ticket.id)
    assert after is not None
    assert after.status is Status.RESOLVED
    assert names_sent(company) == ["акт.pdf"]


@pytest.mark.parametrize(("minutes", "told"), [(1, ["Когда к вам можно подойти?"]), (90, [])])
def test_words_of_a_letter_that_a_newer_one_has_overtaken_are_told(
    company: Office, minutes: int, told: list[str]
) -> None:
    """Its status is history; a question that nobody has seen is not, unless it has lain somewhere for hours."""
    ticket = a_ticket(company)
    receive(company, a_mail("Заявка № IM-CL-1042 выполнена", ticket.token))
    question = "Комментарий: Когда к вам можно подойти?"
    asked = a_mail(
        "По заявке № IM-CL-1042 требуется уточнение",
        f"{question}\n{ticket.token}",
        date=NOW - timedelta(minutes=minutes),
    )
    assert receive(company, asked) == "noted"
    after = tickets.get(company.c, ticket.id)
    assert after is not None
    assert after.status is Status.RESOLVED
    notices = [parcel.payload["screen"]["values"] for parcel in parcels(company, Kind.NOTICE)]
    assert [one["comment"] for one in notices if one.get("comment")] == told
    again = replace(asked, message_id="<again@itsm>")
    receive(company, again)
    assert len(parcels(company, Kind.NOTICE)) == len(notices)
