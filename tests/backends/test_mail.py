"""Understanding letters: tokens, numbers, profiles, quotes, bounces; whose words count."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends.mail import (
    choose,
    comment_text,
    find_tokens,
    mail_summary,
    numbers,
    read,
)
from imbot.backends.own_words import our_words, without_ours
from imbot.backends.profiles import load_profiles, parse_profile
from imbot.backends.trimming import unquoted
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status
from imbot.mime import bytes_to_mail
from imbot.mime.tidying import readable

TZ = ZoneInfo("Europe/Moscow")
PROFILES = load_profiles([Path(__file__).resolve().parents[2] / "templates" / "mail"])
IM, GENERIC = PROFILES["inframanager"], PROFILES["generic-ru"]


def mail(text: str = "", subject: str = "", **more: object) -> InboundMail:
    return replace(InboundMail(sha256="0", size=0, sender="itsm@company.example", text=text, subject=subject), **more)  # type: ignore[arg-type]


# Tokens and numbers


@pytest.mark.parametrize(
    "found",
    [
        mail(subject="Re: x [imb:7KQ2MXPA4T]"),
        mail("Метку imb:7kq2mxpa4t, пожалуйста, не удаляйте."),
        mail("IMB:7KQ2MXPA4T"),
        mail("> imb:7KQ2M\n> XPA4T end"),
        mail("imb:\n7KQ2MXPA4T"),
        mail("imb:7KQ2MX\r\nPA4T."),
        mail(html="<p>imb:<b>7KQ2</b><wbr>MXPA4T</p>"),
        mail(to=("bot+7kq2mxpa4t@company.example",)),
        mail(cc=("x@y.example", "bot+imb-7kq2mxpa4t@company.example")),
        mail(delivered_to=("bot+7kq2mxpa4t@company.example",)),
    ],
)
def test_a_token_is_found_wherever_it_stands_and_however_it_is_wrapped(found: InboundMail) -> None:
    assert find_tokens(found) == ("imb:7KQ2MXPA4T",)


@pytest.mark.parametrize(
    "text", ["7KQ2MXPA4T", "imb:7KQ2MXPA4", "imb:7KQ2MXPA4T7", "imb:7KQ2MXPA41", "imb: 7KQ2 MXPA 4T", "limb 7KQ2MXPA4T"]
)
def test_what_is_no_token_is_not_taken_for_one(text: str) -> None:
    assert find_tokens(mail(text)) == ()


def test_several_tokens_are_all_found_once() -> None:
    found = find_tokens(mail("imb:AAAAAAAAAA imb:BBBBBBBBBB", subject="imb:bbbbbbbbbb"))
    assert found == ("imb:BBBBBBBBBB", "imb:AAAAAAAAAA")


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=10, max_size=10), st.integers(1, 9), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_token_survives_a_line_break_anywhere(token: str, place: int, quoted: bool) -> None:
    broken = f"{token[:place]}\n{'> ' if quoted else ''}{token[place:]}"
    assert find_tokens(mail(f"x imb:{broken}, y")) == (f"imb:{token.upper()}",)


def test_numbers_come_from_subject_and_new_text_only() -> None:
    found = mail(
        "Связана с IM-CL-7.\n\nOn Mon, 1 Jan 2026 Tom <t@x.example> wrote:\n> IM-CL-8", "№ im-cl-1042 выполнена"
    )
    assert numbers(IM, found) == ("IM-CL-1042", "IM-CL-7")
    assert numbers(IM, mail(subject="XIM-CL-5 SIM-CL-6")) == ()
    assert len(numbers(IM, mail(" ".join(f"IM-CL-{n}" for n in range(100))))) == 20


# Whose words count


def test_the_subject_counts_before_the_body() -> None:
    report = read(GENERIC, mail("Ваша заявка зарегистрирована.", "Заявка № 12 закрыта"), tz=TZ)
    assert report is not None
    assert report.status is Status.CLOSED


def test_quoted_words_are_no_status() -> None:
    text = "Принято к сведению\n\n-----Исходное сообщение-----\nЗаявка № 12 закрыта"
    report = read(GENERIC, mail(text, "Re: вопрос № 12"), tz=TZ)
    assert report is not None
    assert report.status is not Status.CLOSED


@pytest.mark.parametrize(
    "echo",
    [
        "Заявка № IM-CL-1 выполнена",
        "> Заявка № IM-CL-1 выполнена",
        "Описание: Заявка № IM-CL-1\nвыполнена, говорят",
        "заявка  №  IM-CL-1  ВЫПОЛНЕНА",
    ],
)
def test_what_we_sent_never_acts_as_a_status_or_a_value(echo: str) -> None:
    profile = parse_profile(
        "[number]\npatterns = ['IM-CL-([0-9]+)']\n[[status]]\nstatus = 'resolved'\nwhere = 'any'\nany = ['выполнена']\n"
        "[[field]]\nname = 'solution'\npattern = 'Решение:'\n"
    )
    sent = ["Заявка № IM-CL-1 выполнена, говорят, а не работает\nРешение: дать премию"]
    report = read(profile, mail(f"Новости.\n{echo}\nРешение: дать премию", "IM-CL-1042"), tz=TZ, sent=sent)
    assert report is not None
    assert (report.status, dict(report.fields)) == (None, {})
    genuine = read(profile, mail(f"Работа выполнена.\n{echo}", "IM-CL-1042"), tz=TZ, sent=sent)
    assert genuine is not None
    assert genuine.status is Status.RESOLVED


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_taking_out_our_words_keeps_every_offset(text: str, sent: str) -> None:
    text = readable(text)
    masked = without_ours(text, our_words([sent]))
    assert len(masked) == len(text)
    assert all(new in (old, " ") for new, old in zip(masked, text, strict=True))


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_letter_can_be_read_by_any_profile(text: str) -> None:
    for profile in PROFILES.values():
        read(profile, mail(text, text[:80]), tz=TZ, sent=[text[:50]])
        comment_text(profile, mail(text), [text[50:]])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("21.11.2026 18:00:00", "2026-11-21T18:00:00+03:00"),
        ("21.11.2026 18:00 МСК", "2026-11-21T18:00:00+03:00"),
        ("21.11.2026.", "2026-11-21T00:00:00+03:00"),
        ("завтра", None),
        ("99.99.2026 18:00", None),
    ],
)
def test_a_promised_time_is_a_moment_or_is_left_out(written: str, expected: str | None) -> None:
    report = read(IM, mail(f"Обещанное время решения: {written}", "№ IM-CL-1 получена и рассмотрена"), tz=TZ)
    assert report is not None
    assert report.fields.get("promised") == expected
    if expected:
        assert datetime.fromisoformat(expected).tzinfo is not None


# Quotes


@pytest.mark.parametrize(
    "quote",
    [
        "-----Исходное сообщение-----\nОт: Бот",
        "-----Original Message-----\nFrom: Bot",
        "От: Бот поддержки\nОтправлено: 21 ноября 2026 г. 9:14\nКому: ИТ",
        "From: Bot <b@x.example>\nSent: Monday",
        "21.11.2026 09:14, Бот поддержки пишет:",
        "сб, 21 нояб. 2026 г. в 09:14, Бот <bot@company.example>:",
        "Суббота, 21 ноября 2026, 9:14 +03:00 от Бот <bot@company.example>:",
        '21.11.2026, 09:14, "Бот" <bot@company.example>:',
        "On Sat, Nov 21, 2026 at 9:14 AM Bot <bot@company.example> wrote:",
        "> 21 нояб. 2026 г., в 09:14, Бот <bot@company.example> написал(а):",
        "________________________________\nFrom: x",
        "=-=-=-= To answer by email, write above this line =-=-=-=",
        "-- reply above this line --",
        "> quoted\n> words",
    ],
)
def test_quoted_letters_are_cut_off(quote: str) -> None:
    assert unquoted(f"Посмотрим после обеда.\n\n{quote}\n> Заявка закрыта") == "Посмотрим после обеда."


def test_inline_answers_stay_and_a_mark_on_top_hides_nothing() -> None:
    assert unquoted("> Какой кабинет?\n315\n> Когда?\nЗавтра") == "315\n\nЗавтра"
    assert unquoted("=-=-=-= To answer by email, write above this line =-=-=-=\nЗаявка принята") == "Заявка принята"
    assert unquoted("Срок: 21.11.2026 18:00\nОт: отдела\nКому: вам") == "Срок: 21.11.2026 18:00"


def test_a_comment_is_what_support_wrote() -> None:
    text = "Добрый день.\nПодойдём в 15:00.\nМетку imb:7KQ2MXPA4T, пожалуйста, не удаляйте.\n-- \nТомас\nИТ"
    found = comment_text(IM, mail(text), ["Ответ.\nМетку imb:7KQ2MXPA4T, пожалуйста, не удаляйте."])
    assert found == "Добрый день.\nПодойдём в 15:00."
    assert comment_text(IM, mail("> только цитата")) == "> только цитата"


def test_left_over_tags_and_entities_vanish_and_other_angles_stay() -> None:
    assert readable("<FONT face=Arial>Заявка</FONT>&nbsp;№&nbsp;5<br>a < b > c <x@y.example></div>") == (
        "Заявка № 5\na < b > c <x@y.example>"
    )


# Profiles


def test_without_a_known_sender_the_fingerprint_chooses_then_the_words() -> None:
    marked = parse_profile('name = "marked"\n[[fingerprint]]\nheader = "X-Redmine-Host"\n')
    found, why = choose([IM, marked], mail(subject="№ IM-CL-5", headers=(("X-Redmine-Host", "x"),)))
    assert found is marked
    assert "X-Redmine-Host" in " ".join(why)
    assert choose([GENERIC, IM], mail(subject="привет"))[0] is None
    assert choose([marked, IM], mail(subject="Заявка № IM-CL-5 выполнена"))[0] is IM


def test_of_two_profiles_with_one_sender_the_one_that_understands_is_taken() -> None:
    senders = ("itsm@company.example",)
    one, two = replace(GENERIC, senders=senders), replace(IM, senders=senders)
    assert choose([two, one], mail(subject="Обращение № 77 закрыто"))[0] is one
    assert choose([two, one], mail(subject="просто письмо"))[0] is two


# The summary


def test_the_summary_has_exactly_its_keys() -> None:
    keys = [
        "file",
        "outcome",
        "reason",
        "message_id",
        "subject",
        "from",
        "date",
        "text",
        "attachments",
        "automatic",
        "report",
    ]
    letter = bytes_to_mail(
        b"From: Tom <Tom@ITSM.Example>\r\nSubject: IM-CL-1 \xf0\x9f\x98\x80\r\nDate: Sat, 21 Nov 2026 09:00:00 +0300\r\n\r\nx"
    )
    summary = mail_summary("a.eml", letter, read(IM, letter, tz=TZ))
    assert list(summary) == keys
    assert (summary["from"], summary["date"]) == ("Tom@ITSM.Example", "2026-11-21T09:00:00+03:00")
    assert summary["report"] == {"profile": "inframanager", "status": None, "number": "IM-CL-1", "fields": {}}
    refused = mail_summary("b.eml", None, None, "larger than 50 bytes")
    assert list(refused) == keys
    assert (refused["outcome"], refused["reason"]) == ("refused", "larger than 50 bytes")
