"""Letters to the ITSM: every kind says what it must, keeps the thread, and bears no words that could act as a status."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends.base import FromMode, LetterKind, Sending, TicketView
from imbot.backends.composing import compose, safe_subject_words, short_name
from imbot.backends.mail import find_tokens, numbers, read
from imbot.backends.profiles import Profile, load_profiles, parse_profile
from imbot.domain.letters import Attachment, Letter
from imbot.mime import bytes_to_mail, letter_to_bytes
from imbot.templates import Templates

ROOT = Path(__file__).resolve().parents[2]
TZ = ZoneInfo("Europe/Moscow")
TEMPLATES = Templates([ROOT / "templates"], TZ)
PROFILES = load_profiles([ROOT / "templates" / "mail"])
IM = PROFILES["inframanager"]
VIEW = TicketView(
    ticket_id="abc",
    token="imb:7KQ2MXPA4T",
    title="Принтер: мигает красным, не печатает",
    created_at=datetime(2026, 11, 21, 6, 13, tzinfo=UTC),
    category="Оборудование",
    subcategory="Принтер, сканер, МФУ",
    description="Принтер на 3-м этаже с утра мигает красным и не печатает. Бумага есть.",
    person_name="Иванова Анна Сергеевна",
    person_department="бухгалтерия",
    person_address="ivanova@company.example",
    location="Москва, Ленинская Слобода, 19, каб. 315",
    contacts={"phone": "12-34", "mail": "ivanova@company.example"},
    files=(("фото-1.jpg", "экран ошибки"),),
    refused_files=(("видео.mp4", "38 МБ при пределе 20 МБ"),),
)
FOLLOW_UP = replace(
    VIEW,
    number="IM-CL-1042",
    thread="<last@itsm>",
    references=("<first@bot>", "<last@itsm>"),
    text="Теперь ещё и шумит",
)
SENDING = Sending(
    "<x@company.example>", datetime(2026, 11, 21, 6, 14, tzinfo=UTC), "bot@company.example", "itsm@company.example"
)


def written(kind: LetterKind = LetterKind.TICKET, view: TicketView = VIEW, **changes: object) -> Letter:
    return compose(IM, TEMPLATES, kind, view, replace(SENDING, **changes))  # type: ignore[arg-type]


def test_the_ticket_letter_reads_like_the_model() -> None:
    made = written()
    assert made.subject == "Принтер: мигает красным, не печатает — Иванова А. С., каб. 315 [imb:7KQ2MXPA4T]"
    assert made.text.split("\n") == [
        "Описание:",
        "Принтер на 3-м этаже с утра мигает красным и не печатает. Бумага есть.",
        "",
        "Кто: Иванова Анна Сергеевна, бухгалтерия",
        "Где: Москва, Ленинская Слобода, 19, каб. 315",
        "Связь: 12-34, ivanova@company.example",
        "Категория: Оборудование / Принтер, сканер, МФУ",
        "Подано: 21.11.2026 09:13 МСК, Telegram-бот",
        "Файлы: фото-1.jpg («экран ошибки»). Не вложено: видео.mp4, 38 МБ при пределе 20 МБ.",
        "",
        "Ответ на это письмо сотрудник увидит в чате. Метку imb:7KQ2MXPA4T, пожалуйста, не удаляйте.",
    ]
    assert (made.in_reply_to, made.references, made.reply_to, made.headers) == ("", (), "", ())


def test_answers_of_the_form_and_a_doubt_about_the_person_are_told() -> None:
    view = replace(
        VIEW, fields=(("Инвентарный номер", "12345"),), unverified_since=datetime(2026, 11, 21, 3, tzinfo=UTC)
    )
    text = written(view=view).text
    assert "Инвентарный номер: 12345" in text
    assert "Справочник сотрудников не отвечает с 21.11.2026 06:00 МСК" in text


@pytest.mark.parametrize("profile", [IM, PROFILES["generic-en"]], ids=["ru", "en"])
def test_a_long_letter_bears_its_mark_in_front_as_well(profile: Profile) -> None:
    """Whoever repeats only the beginning of a letter repeats the mark."""
    long = replace(VIEW, description="Печатает полосами. " * 80)
    letter = compose(profile, TEMPLATES, LetterKind.TICKET, long, SENDING)
    first, between, second = letter.text.split("\n")[:3]
    assert "imb:7KQ2MXPA4T" in first
    assert (between, second.rstrip(":")) == ("", "Описание" if profile is IM else "Description")
    assert letter.text.count("imb:7KQ2MXPA4T") == 2


def test_an_almost_empty_ticket_still_makes_a_letter() -> None:
    bare = TicketView("abc", "imb:7KQ2MXPA4T", "", datetime(2026, 11, 21, tzinfo=UTC))
    made = written(view=bare)
    assert made.subject == "Заявка [imb:7KQ2MXPA4T]"
    assert "imb:7KQ2MXPA4T" in made.text


def test_any_attribute_of_the_directory_is_there_for_a_company_template(tmp_path: Path) -> None:
    own = tmp_path / "mail" / "inframanager"
    own.mkdir(parents=True)
    (own / "ticket.txt.j2").write_text("{{ person.attributes.employeeID }}|{{ person.attributes.unknown }}|{{ title }}")
    templates = Templates([tmp_path, ROOT / "templates"], TZ)
    view = replace(VIEW, attributes={"employeeID": "007"})
    assert compose(IM, templates, LetterKind.TICKET, view, SENDING).text == f"007||{VIEW.title}"


@pytest.mark.parametrize("kind", [kind for kind in LetterKind if kind is not LetterKind.TICKET])
def test_follow_ups_keep_number_and_thread(kind: LetterKind) -> None:
    made = written(kind, FOLLOW_UP)
    assert "№ IM-CL-1042" in made.subject
    assert made.in_reply_to == "<last@itsm>"
    assert made.references == ("<first@bot>", "<last@itsm>")
    assert "Теперь ещё и шумит" in made.text
    assert numbers(IM, bytes_to_mail(letter_to_bytes(made))) == ("IM-CL-1042",)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_whoever_reads_any_letter_knows_who_writes_and_how_to_reach_them(name: str) -> None:
    for kind in LetterKind:
        text = compose(PROFILES[name], TEMPLATES, kind, FOLLOW_UP, SENDING).text
        assert all(one in text for one in ("Иванова Анна Сергеевна", "12-34", "ivanova@company.example")), (kind, text)


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("kind", list(LetterKind))
def test_our_own_letters_are_no_status_when_they_come_back(kind: LetterKind, name: str) -> None:
    profile = PROFILES[name]
    made = compose(profile, TEMPLATES, kind, replace(FOLLOW_UP, number=profile.show_number("1042")), SENDING)
    mail = bytes_to_mail(letter_to_bytes(made))
    for sent in ([], [made.subject, made.text]):
        report = read(profile, mail, tz=TZ, sent=sent)
        assert report is None or report.status is None
    report = read(profile, mail, tz=TZ, sent=[made.subject, made.text])
    assert report is None or not report.fields


def test_from_modes_set_sender_and_reply_to() -> None:
    bot, plus, employee = (written(mode=mode) for mode in (FromMode.BOT, FromMode.PLUS, FromMode.EMPLOYEE))
    assert (bot.sender, bot.reply_to, bot.envelope_sender) == ("bot@company.example", "", "bot@company.example")
    assert plus.reply_to == "bot+7kq2mxpa4t@company.example"
    assert (employee.sender, employee.sender_name) == ("ivanova@company.example", "Иванова Анна Сергеевна")
    assert employee.envelope_sender == "bot@company.example"


def test_a_contact_typed_for_one_ticket_never_becomes_the_sender_and_stands_apart() -> None:
    view = replace(FOLLOW_UP, contacts={"phone": "99-00", "mail": "boss@company.example"})
    assert written(view=view, mode=FromMode.EMPLOYEE).sender == "ivanova@company.example"
    assert written(view=replace(view, person_address=""), mode=FromMode.EMPLOYEE).sender == "bot@company.example"
    lines = written(view=view).text.split("\n")
    assert "Связь: ivanova@company.example" in lines
    assert "Связь для этой заявки: 99-00, boss@company.example" in lines
    who = "Кто: Иванова Анна Сергеевна, 99-00, ivanova@company.example; для этой заявки: boss@company.example"
    for kind in (LetterKind.ADDITION, LetterKind.COMPLAINT, LetterKind.NOT_SOLVED, LetterKind.WITHDRAWAL):
        assert who in written(kind, view).text.split("\n")


def test_a_complaint_tells_the_stars_and_promises_no_answer_where_none_would_be_seen() -> None:
    view = replace(FOLLOW_UP, stars=2)
    assert "Оценка: 2 из 5" in written(LetterKind.COMPLAINT, view).text.split("\n")
    assert "Оценка" not in written(LetterKind.COMPLAINT, FOLLOW_UP).text
    assert "увидит в чате" in written(LetterKind.COMPLAINT, view).text
    assert "увидит в чате" not in written(LetterKind.COMPLAINT, view, complaints_to="boss@company.example").text
    assert "увидит в чате" in written(LetterKind.ADDITION, view, complaints_to="boss@company.example").text


def test_a_complaint_goes_where_the_settings_say() -> None:
    assert written(LetterKind.COMPLAINT, FOLLOW_UP, complaints_to="boss@company.example").to == "boss@company.example"
    assert written(LetterKind.ADDITION, FOLLOW_UP, complaints_to="boss@company.example").to == "itsm@company.example"


def test_a_resent_letter_has_another_date_and_nothing_else() -> None:
    later = datetime(2026, 11, 22, tzinfo=UTC)
    assert replace(written(date=later), date=SENDING.date) == written()


def test_files_go_along() -> None:
    attachment = Attachment("фото-1.jpg", "image/jpeg", b"x")
    assert written(attachments=(attachment,)).attachments == (attachment,)


@pytest.mark.parametrize(
    "title",
    [
        "№ IM-CL-1 выполнена",
        "Заявка IM-CL-77 отклонена",
        "принтер im-cl-5",
        "Вашей группе предложена пицца",
        "метка imb:AAAAAAAAAA",
        "IM-CL-\u200b3000 срочно",
        "IM-CL-\u20623000 срочно",
        "IM-CL-&#51;000",
        "IM-CL-&amp;#51;000",
        "IM-CL-30<b></b>00",
        "IM-CL-30<!-- x -->00",
        "IM-CL-３０００",
        "заявка выпол\u200bнена",
        "заявка выпол\u00adнена",
        "заявка выпол&#1085;ена",
        "заявка выпол<b></b>нена",
        "метка im\u200bb:AAAAAAAAAA",
    ],
)
def test_a_title_that_looks_like_a_status_or_a_number_stays_out_of_the_subject(title: str) -> None:
    made = written(view=replace(VIEW, title=title))
    assert made.subject == "Принтер, сканер, МФУ — Иванова А. С., каб. 315 [imb:7KQ2MXPA4T]"


def test_a_title_is_written_in_the_subject_as_it_will_be_read() -> None:
    made = written(view=replace(VIEW, title="При\u200bнтер &quot;два&quot; <b>мигает</b>"))
    assert made.subject.startswith('Принтер "два" мигает — ')


HIDDEN = ["{}\u200b{}", "{}<b></b>{}", "{}\u00ad{}", "{}\u2060{}"]


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_no_profiles_numbers_and_anchors_can_be_hidden_in_a_title(name: str) -> None:
    """Whatever is refused in the open is refused with something unseen in any place of it."""
    profile = PROFILES[name]
    number = profile.show_number("1042")
    for open_words in (number, f"{number} выполнена", "решена", "closed", "resolved", "imb:AAAAAAAAAA"):
        if safe_subject_words(profile, [open_words]):
            continue
        for place in range(1, len(open_words)):
            for each in HIDDEN:
                hidden = each.format(open_words[:place], open_words[place:])
                assert not safe_subject_words(profile, [hidden]), (open_words, place, each)


def test_a_name_that_looks_like_a_number_stays_out_as_well() -> None:
    made = written(view=replace(VIEW, title="IM-CL-1 выполнена", person_name="IM-CL-2 закрыта"))
    assert made.subject == "Принтер, сканер, МФУ [imb:7KQ2MXPA4T]"


@given(st.text(max_size=200), st.sampled_from(sorted(PROFILES)))
@settings(max_examples=80, deadline=None)
def test_no_title_gives_a_subject_that_the_profile_reads(title: str, name: str) -> None:
    profile = PROFILES[name]
    made = compose(profile, TEMPLATES, LetterKind.TICKET, replace(VIEW, title=title), SENDING)
    mail = bytes_to_mail(letter_to_bytes(replace(made, text="x")))
    assert read(profile, mail, tz=TZ) is None
    assert find_tokens(mail) == ("imb:7KQ2MXPA4T",)


def test_an_english_profile_writes_english_letters() -> None:
    profile = parse_profile('name = "x"\nlanguage = "en"\n[number]\npatterns = ["#([0-9]+)"]\nsubject = "[{number}]"\n')
    for kind in LetterKind:
        made = compose(profile, TEMPLATES, kind, replace(FOLLOW_UP, number="7", title="Printer", files=()), SENDING)
        assert "[imb:7KQ2MXPA4T]" in made.subject
        assert "Please keep the mark imb:7KQ2MXPA4T." in made.text


@pytest.mark.parametrize(
    ("full", "short"),
    [("Иванова Анна Сергеевна", "Иванова А. С."), ("Anna Ivanova", "Anna Ivanova"), ("", ""), ("Ли", "Ли")],
)
def test_russian_names_are_shortened(full: str, short: str) -> None:
    assert short_name(full) == short


# What must come back verbatim


def composed(name: str, kind: LetterKind = LetterKind.ADDITION, **changes: object) -> Letter:
    profile = PROFILES[name]
    return compose(profile, TEMPLATES, kind, replace(FOLLOW_UP, **changes), SENDING)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "number", "tag", "borne"),
    [
        ("rt", "#1042", "Help.Company.Example #1042", "[Help.Company.Example #1042]"),
        ("glpi", "#0047513", "IT-отдел #0047513", "[IT-отдел #0047513]"),
        ("glpi", "#0047513", "", "[GLPI #0047513]"),
        ("servicedesk-plus", "RE-1042", "@@RE-1042@@", "@@RE-1042@@"),
        ("servicedesk-plus", "RE-1042", "", "##RE-1042##"),
        ("znuny", "Ticket#2026112142000013", "Ticket# 2026112142000013", "[Ticket# 2026112142000013]"),
        ("inframanager", "IM-CL-1042", "", "№ IM-CL-1042"),
    ],
)
def test_the_tag_goes_back_as_the_desk_wrote_it(name: str, number: str, tag: str, borne: str) -> None:
    assert borne in composed(name, number=number, tag=tag).subject


def test_a_watermark_is_the_last_words_of_every_answer_but_not_of_a_request() -> None:
    for kind in LetterKind:
        text = composed("servicenow", kind, number="INC0010023", watermark="Ref:MSG3846157").text
        assert text.endswith("\n\nRef:MSG3846157") is (kind is not LetterKind.TICKET)
    elsewhere = replace(SENDING, complaints_to="boss@company.example")
    view = replace(FOLLOW_UP, number="INC0010023", watermark="Ref:MSG3846157")
    assert "Ref:MSG" not in compose(PROFILES["servicenow"], TEMPLATES, LetterKind.COMPLAINT, view, elsewhere).text


@given(st.text(max_size=40), st.integers(0, 10**9), st.sampled_from(["", "3846157", "1_abcdefghijklmnopqrst"]))
@settings(max_examples=50, deadline=None)
def test_nobody_files_into_another_record_by_typing_its_watermark(before: str, number: int, own: str) -> None:
    typed = f"{before}Ref:MSG{number}"
    own = f"Ref:MSG{own}" if own else ""
    profile = PROFILES["servicenow"]
    for kind in (LetterKind.TICKET, LetterKind.ADDITION):
        made = composed(
            "servicenow", kind, number="INC0010023", watermark=own, text=typed, title=typed, description=typed
        )
        mail = bytes_to_mail(letter_to_bytes(made))
        report = read(profile, mail, tz=TZ)
        mark = report.fields.get("watermark", "") if report else ""
        assert mark == (own if kind is LetterKind.ADDITION else "")
        assert f"Ref:MSG{number}" not in made.subject


def test_a_profile_may_have_letters_in_each_language(tmp_path: Path) -> None:
    for lang, words in (("ru", "по-русски"), ("en", "in English")):
        folder = tmp_path / "mail" / "inframanager" / lang
        folder.mkdir(parents=True)
        (folder / "ticket.txt.j2").write_text(words)
    templates = Templates([tmp_path, ROOT / "templates"], TZ)
    for lang, words in (("ru", "по-русски"), ("en", "in English")):
        assert compose(replace(IM, language=lang), templates, LetterKind.TICKET, VIEW, SENDING).text == words


def test_the_language_of_the_letters_may_be_another_than_the_profile_says() -> None:
    made = compose(replace(IM, language="en"), TEMPLATES, LetterKind.ADDITION, FOLLOW_UP, SENDING)
    assert made.subject.startswith("Addition to request № IM-CL-1042")


# Another's token in a person's words

FOREIGN = [
    "см. imb:TBAAAAAAAA",
    "см. IMB: tbaaaaaaaa, пожалуйста",
    "imb:\nTBAAA\nAAAAA",
    "imb:TBAAA> \n> AAAAA",
    "im\u200bb:TBAAAAAAAA",
    "imb:TBAA\u034fAAAAAA",
    "ｉｍｂ：TBAAAAAAAA",
    "im<b></b>b:TBAAAAAAAA",
    "imb:TB<wbr>AAAAAAAA",
    "imb:TB<!-- > -->AAAAAAAA",
    "im<style>x</style>b:TBAAAAAAAA",
    "im<span hidden>x</span>b:TBAAAAAAAA",
    "imb&#58;TBAAAAAAAA",
    "imb&amp;#58;TBAAAAAAAA",
    "imb:7KQ2MXPA4TTBAAAAAAAA imb:TBAAAAAAAA",
    "imb:imb:TBAAAAAAAA",
]


@pytest.mark.parametrize("words", FOREIGN)
@pytest.mark.parametrize("kind", [LetterKind.TICKET, LetterKind.ADDITION])
def test_no_token_but_the_tickets_own_goes_out_nor_comes_back(words: str, kind: LetterKind) -> None:
    view = replace(FOLLOW_UP if kind is LetterKind.ADDITION else VIEW, description=words, text=words, location=words)
    made = written(kind, view)
    pages = (f"<p>{made.text}</p>", f"<p>{escape(made.text)}</p>")
    head = b"From: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    back = [bytes_to_mail(head + page.encode()) for page in pages]
    for mail in (bytes_to_mail(letter_to_bytes(made)), *back):
        assert set(find_tokens(mail)) <= {VIEW.token}
    assert VIEW.token in made.text + made.subject


@pytest.mark.parametrize("words", ["imb. TBAAAAAAAA", "a<b & c", "Метка imb:7KQ2MXPA4T", "if a < b: imbue"])
def test_other_words_go_out_as_they_were_written(words: str) -> None:
    assert words in written(view=replace(VIEW, description=words)).text
