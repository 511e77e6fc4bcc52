"""What people see of a letter: the writer's own words, not what their mail program quoted; the rest is a press away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends.patterns import compile_pattern
from imbot.backends.trimming import trimmed, unquoted
from imbot.domain.errors import LetterRefused
from imbot.mime import bytes_to_mail
from imbot.mime.tidying import readable

OWN = "Посмотрим после обеда.\n\nКабинет 315?"
OLD = "Заявка № 4521 закрыта."
GMAIL_RU = "пн, 3 нояб. 2026 г. в 10:12, Том Мендер <tom@company.example>:"
OUTLOOK_RU = "От: Том Мендер <tom@company.example>\nОтправлено: 3 ноября 2026 г. 10:12\nКому: Анна\nТема: Заявка № 4521"
OUTLOOK_EN = (
    "From: Tom Mender <tom@company.example>\nSent: Tuesday, November 3, 2026 10:12 AM\nTo: Anna\nSubject: Request 4521"
)

QUOTES = {
    "Outlook, Russian": f"{OUTLOOK_RU}\n\n{OLD}",
    "Outlook, Russian, with a rule": f"{'_' * 32}\n{OUTLOOK_RU}\n\n{OLD}",
    "Outlook, Russian, each head a paragraph": OUTLOOK_RU.replace("\n", "\n\n") + f"\n\n{OLD}",
    "Outlook, English": f"{OUTLOOK_EN}\n\n{OLD}",
    "Outlook, English, with a rule": f"{'_' * 32}\n{OUTLOOK_EN}\n\n{OLD}",
    "Outlook, old": f"-----Original Message-----\n{OUTLOOK_EN}\n\n{OLD}",
    "Outlook, old, Russian": f"-----Исходное сообщение-----\n{OUTLOOK_RU}\n\n{OLD}",
    "Outlook, bold heads": f"*От:* Том\n*Отправлено:* 3 ноября 2026 г.\n*Кому:* Анна\n\n{OLD}",
    "Gmail, Russian": f"{GMAIL_RU}\n\n> {OLD}",
    "Gmail, Russian, unquoted": f"{GMAIL_RU}\n\n{OLD}",
    "Gmail, Russian, broken": f"пн, 3 нояб. 2026 г. в 10:12, Том Мендер <\ntom@company.example>:\n\n> {OLD}",
    "Gmail, English": f"On Tue, Nov 3, 2026 at 10:12 AM Tom Mender <tom@company.example> wrote:\n\n> {OLD}",
    "Gmail, English, broken": f"On Tue, Nov 3, 2026 at 10:12 AM Tom Mender via Desk\n<tom@company.example>\nwrote:\n> {OLD}",
    "Gmail, Android": f'03.11.2026 10:12 пользователь "Том" <\ntom@company.example> написал:\n\n> {OLD}',
    "Gmail, forwarded": f"---------- Forwarded message ---------\nОт: Том <tom@company.example>\nDate: вт\n\n{OLD}",
    "Mail.ru": f"Вторник, 3 ноября 2026, 10:12 +03:00 от Том Мендер <tom@company.example>:\n \n{OLD}",
    "Mail.ru, quoted": f"Вторник, 3 ноября 2026, 10:12 +03:00 от Том Мендер <tom@company.example>:\n>{OLD}",
    "Mail.ru, forwarded": f"-------- Пересылаемое сообщение --------\nОт: Том <tom@company.example>\nКому: Анна\n\n{OLD}",
    "Yandex": f'03.11.2026, 10:12, "Том Мендер" <tom@company.example>:\n{OLD}',
    "Yandex, with heads": f"----------------\nКому: Анна;\nТема: Шум;\n03.11.2026, 10:12, Том <tom@company.example>:\n> {OLD}",
    "Apple Mail, Russian": f"3 нояб. 2026 г., в 10:12, Том Мендер <tom@company.example> написал(а):\n\n> {OLD}",
    "Apple Mail, quoted head": f"> 3 нояб. 2026 г., в 10:12, Том <tom@company.example> написал(а):\n> \n> {OLD}",
    "Apple Mail, English": f"On Nov 3, 2026, at 10:12, Tom Mender <tom@company.example> wrote:\n\n> {OLD}",
    "Apple Mail, forwarded": f"Начало переадресованного сообщения:\n\nОт: Том <tom@company.example>\nДата: 3 ноября\n\n{OLD}",
    "Thunderbird, Russian": f"03.11.2026 10:12, Том Мендер пишет:\n> {OLD}",
    "Thunderbird, English": f"On 11/3/2026 10:12 AM, Tom Mender wrote:\n> {OLD}",
    "Thunderbird, forwarded": f"-------- Пересылаемое сообщение --------\nТема: \tЗаявка\nДата: \t3 ноября\nОт: \tТом\n\n{OLD}",
    "The Bat!": f"Вы писали 3 ноября 2026 г., 10:12:14:\n\nТМ> {OLD}",
    "Samsung": f"-------- Исходное сообщение --------\nОт: Том <tom@company.example>\nДата: 03.11.2026 10:12\n\n{OLD}",
    "iPhone": f"Отправлено с iPhone\n\n> 3 нояб. 2026 г., в 10:12, Том <tom@company.example> написал(а):\n> {OLD}",
    "iPhone, English": f"Sent from my iPhone\n\nOn Nov 3, 2026, at 10:12 AM, Tom <tom@company.example> wrote:\n\n> {OLD}",
    "Outlook for phones": f"Скачать Outlook для Android<https://aka.ms/x>\n{'_' * 32}\n{OUTLOOK_RU}\n\n{OLD}",
    "GLPI's mark": f"=-=-=-= To answer by email, write above this line =-=-=-=\n{OLD}",
    "osTicket's mark": f"-- reply above this line --\n{OLD}",
    "Jira's mark": f"—-—-—-—\nReply above this line.\n{OLD}",
    "a Russian mark": f"--- Пожалуйста, пишите выше этой линии ---\n{OLD}",
    "bare quoting": f"> {OLD}\n> > ещё раньше",
    "Gmail, German": f"Am Di., 3. Nov. 2026 um 10:12 Uhr schrieb Tom <tom@company.example>:\n\n> {OLD}",
}  # fmt: skip

ENDS = {
    "two dashes": "-- \nТом Мендер\nИТ, 12-34",
    "two dashes without a blank": "--\nТом Мендер",
    "regards, Russian": "С уважением,\nТом Мендер\nслужба поддержки\nтел. 12-34",
    "regards in one line": "С уважением, Том Мендер",
    "best wishes": "С наилучшими пожеланиями,\nТом",
    "regards, English": "Best regards,\nTom Mender\nIT Support",
    "a phone": "Отправлено с iPhone",
    "Mail.ru on a phone": "Отправлено из мобильной Почты Mail.ru",
    "Windows": "Отправлено из Почты для Windows",
    "a Samsung": "Sent from my Samsung Galaxy smartphone.",
    "Outlook for iOS": "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "a legal notice": "Это сообщение и вложения к нему конфиденциальны и предназначены получателю.\nНе печатайте без нужды.",
    "regards and a notice": "С уважением,\nТом\n\nThis e-mail is confidential.\n" + "Long words of lawyers. " * 20,
}  # fmt: skip

WHOLE = [
    "Анна, добрый день!\n\nС уважением отношусь к вашей просьбе, но картриджа нет.",
    "Заменили.\n\nС уважением, Том\n\nP.S. Завтра нас не будет.",
    "Заменили.\n\nС уважением,\nТом\n\nКстати, вам ещё нужен старый картридж?",
    "Журнал:\n21.11.2026 09:20 Том Мендер пишет:\nЗаменён картридж.",
    "Обещанное время 21.11.2026 18:00:\nв кабинете 315",
    "Пишите на ivanov@company.example:\nтам помогут.",
    "Отправлено на склад сегодня.\nЖдём деталь.",
    "Список:\n- бумага\n-- картон\n--- плёнка",
    "_________\nПодпись",
]

MAILS = Path(__file__).resolve().parents[3] / "shared" / "mails" / "corpus"
here = pytest.mark.skipif(
    not MAILS.is_dir() and not os.environ.get("CI"), reason="the letters of ../shared are not here"
)

# Which lines that are not blank a person should see, judged by reading each letter: `0:2` is the first two.
RIGHT = {
    "talon/1300bd5c-comcast.eml": "0:1",
    "talon/2aeea0d4-gmail.eml": "0:1",
    "talon/39797493-android.eml": "0:1",
    "talon/409c1c37-hotmail.eml": "0:1",
    "talon/5588e62e-reply-quotations-share-block.eml": "0:2",
    "talon/60b28bc3-apple_mail.eml": "0:1",
    "talon/90879c8d-iphone.eml": "0:1",
    "talon/914609f6-sparrow_reply_text.eml": "0:1",
    "talon/9ef30ad9-apple_mail_2.eml": "0:1",
    "talon/c1004789-aol.eml": "0:1",
    "talon/e4847f31-sparrow.eml": "0:1",
    "gitlab/06304228-reply_without_subaddressing_and_key_inside_references.eml": "0:3",
    "gitlab/195a6f06-paragraphs.eml": "0:5",
    "gitlab/1f5f72b5-attachment.eml": "0:1",
    "gitlab/44907dd2-commands_in_reply.eml": "0:4",
    "gitlab/5c91a5ef-valid_new_issue.eml": "0:3",
    "gitlab/79b3a33f-dutch.eml": "0:1",
    "gitlab/892b175e-html_paragraphs.eml": "0:3",
    "gitlab/90b4d3e8-on_wrote.eml": "0:1",
    "gitlab/e0fd60d4-ios_default.eml": "0:4",
    "gitlab/eb5224ca-valid_reply.eml": "0:3",
    "gitlab/ec49f952-inline_reply.eml": "35:40",
    "gitlab/f196a3c6-android_gmail.eml": "0:7",
    "discourse/04d5ab90-on_date_contact_wrote.eml": "0:1",
    "discourse/125ac01e-forwarded_email_3.eml": "0:1",
    "discourse/59a4bb01-forwarded_email_to_category.eml": "0:1",
    "discourse/62ce579c-reply_and_forwarded.eml": "0:1",
    "discourse/8d8a9fca-inline_mixed_replies.eml": "4:5 6:7",
    "discourse/aa42f771-forwarded_email_2.eml": "0:1",
    "discourse/ba91f1b3-paragraphs.eml": "0:3",
    "discourse/ccff0bbe-original_message.eml": "0:1",
    "chatwoot/9236fd35-mail_with_quote.eml": "0:1",
    "freescout/29ca6b1e-message-4-null-bytes.eml": "0:3",
    "zammad/4b595844-mail048.box": "0:2",
    "zammad/547405dc-mail007.box": "0:4",
    "zammad/82b00e03-mail012.box": "0:6",
    "zammad/f6aeb1c6-mail036.box": "2:6 8:13",
    "django_helpdesk/b437f871-forwarded-message.eml": "0:1",
    "rt/f4b79590-dir.eml": "0:6",
    "flanker/8163c869-message-external-body.eml": "0:5",
    "flanker/d49978d4-mailgun-pic.eml": "0:1",
    "flanker/ee7fee7a-broken-ctype.eml": "0:1",
    "otobo/27f7dd59-PostMaster-Test21.box": "0:3",
    "otobo/3862eaa2-PostMaster-Test5.box": "0:2",
    "otobo/4eb6190b-test-email-4-html.box": "0:3",
    "otobo/049ced12-test-email-8-bulgarian-cp1251.box": "0:19",
    "otobo/910bdc1b-PostMaster-Test11.box": "0:4",
    "deltachat/033e9fe3-gmx-quote.eml": "0:2",
    "deltachat/49944a98-videochat_invitation.eml": "0:1",
    "deltachat/a052e2cd-quote_attach.eml": "1:2",
    "deltachat/825fe29b-schleuder.eml": "0:8",
    "mime4j/27905c65-multi-weirdspace.msg": "0:4",
    "mimekit/34f7c18d-epilogue.txt": "1:2",
    "php_mime_mail_parser/74694b2c-issue163.eml": "0:2",
    "php_mime_mail_parser/6313e17c-m0013.eml": "0:0",
    "roundcube/336384da-list_00.eml": "0:1",
    "roundcube/b8e20641-attached-image-with-content-id-in-multipart-alternative.eml": "0:1",
    "rspamd/8c6c2958-transactional.eml": "0:4",
    "ruby_mail/816f9671-raw_email2.eml": "0:1",
    "webklex/e088c30c-1366671050_github.com.eml": "0:1",
}

# Where we show more than one should, and why. Nothing here shows less: that would hide words.
MORE = {
    "freescout/29ca6b1e-message-4-null-bytes.eml": "a signature that nothing announces",
    "php_mime_mail_parser/6313e17c-m0013.eml": "nothing but a French signature that nothing announces",
    "zammad/547405dc-mail007.box": "a line of a mail program that no other writes",
    "zammad/82b00e03-mail012.box": "a German signature of eleven lines",
}


@pytest.mark.parametrize("name", QUOTES)
def test_what_a_mail_program_quotes_is_left_out(name: str) -> None:
    found = trimmed(f"{OWN}\n\n{QUOTES[name]}")
    assert found.shown == OWN
    assert OLD in found.rest
    assert unquoted(f"{OWN}\n\n{QUOTES[name]}") == OWN


@pytest.mark.parametrize("name", ENDS)
def test_signatures_are_left_out(name: str) -> None:
    found = trimmed(f"{OWN}\n\n{ENDS[name]}\n")
    assert (found.shown, found.rest) == (OWN, ENDS[name].replace("-- \n", "--\n").strip())


@pytest.mark.parametrize(("quote", "end"), [(quote, end) for quote in sorted(QUOTES)[::5] for end in sorted(ENDS)[::3]])
def test_a_signature_above_a_quote_goes_with_it(quote: str, end: str) -> None:
    assert trimmed(f"{OWN}\n\n{ENDS[end]}\n\n{QUOTES[quote]}").shown == OWN


@pytest.mark.parametrize("text", WHOLE)
def test_what_only_looks_like_a_mark_stays(text: str) -> None:
    assert (trimmed(text).shown, trimmed(text).rest) == (text, "")


def test_answers_between_quoted_lines_stay() -> None:
    text = f"{GMAIL_RU}\n\n> Какой кабинет?\n315\n> Когда подойти?\nЗавтра\nпосле обеда"
    assert trimmed(text).shown == "315\n\nЗавтра\nпосле обеда"


def test_a_line_right_above_a_broken_attribution_is_no_part_of_it() -> None:
    text = f"Здравствуйте\n{QUOTES['Gmail, Russian, broken']}"
    assert trimmed(text).shown == "Здравствуйте"


def test_where_nothing_would_be_left_the_whole_is_shown() -> None:
    for text in (
        f"> {OLD}",
        f"{'_' * 32}\n{OUTLOOK_RU}\n\n{OLD}",
        "--\nТом",
        "Отправлено с iPhone",
        f"{GMAIL_RU}\n{OLD}",
    ):
        assert (trimmed(text).shown, trimmed(text).rest) == (text, "")
    assert trimmed("") == trimmed("\n \n") == type(trimmed(""))("", "")


def test_a_letter_that_was_passed_on_is_shown_up_to_what_it_quotes_itself() -> None:
    forwarded = f"-------- Пересылаемое сообщение --------\n{OUTLOOK_RU}\n\nПринтер сломан."
    assert trimmed(f"{forwarded}\n\n{QUOTES['Outlook, English']}").shown == forwarded


def test_the_marks_of_a_profile_count_and_one_on_top_hides_nothing() -> None:
    marks = [compile_pattern("^=_=_=_=[^\n]{1,60}$")]
    assert trimmed(f"{OWN}\n=_=_=_= below =_=_=_=\n{OLD}", marks).shown == OWN
    assert trimmed(f"=_=_=_= above =_=_=_=\n{OWN}", marks).shown == OWN
    assert unquoted(f"{OWN}\n=_=_=_= below =_=_=_=\n{OLD}", marks) == OWN


HALVES = ["", " ", ">", "> x", "On 3 Nov", "wrote:", "От: x", "Кому: y", "--", "С уважением,", "_" * 30]
PIECES = st.sampled_from([*QUOTES.values(), *ENDS.values(), *WHOLE, OWN, OLD, *HALVES])
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=8).map("\n".join)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_trimming_only_leaves_lines_out_and_never_changes_its_mind(text: str) -> None:
    found = trimmed(text)
    lines = iter(line.strip() for line in text.split("\n"))
    assert all(line.strip() in lines for line in found.shown.split("\n") if line.strip())
    assert trimmed(found.shown).shown == found.shown
    seen = sorted(line.strip() for part in (found.shown, found.rest) for line in part.split("\n") if line.strip())
    assert seen == sorted(line.strip() for line in text.split("\n") if line.strip())


@pytest.mark.parametrize(
    "line",
    [
        "С уважением,",
        "On 3 Nov 2026",
        "От: Том",
        "Кому: Анна",
        "> x",
        "--",
        "_" * 30,
        "a@b.ru написал:",
        "x" * 400,
        "",
        "Sent from my x",
    ],
)
def test_a_text_of_nothing_but_marks_costs_no_more_than_its_length(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from imbot.backends import quote_marks, trimming

    looked = 0
    kind = quote_marks.is_quoted

    def counted(text: str) -> bool:
        nonlocal looked
        looked += 1
        return kind(text)

    monkeypatch.setattr(quote_marks, "is_quoted", counted)
    monkeypatch.setattr(trimming, "is_quoted", counted)
    trimmed("Слово\n" + f"{line}\n" * 2000)
    assert looked <= 2000 * 8 * trimming.MOST_PASSES


def lines_shown(path: Path) -> str:
    """As in `RIGHT`: which lines with something in them are shown."""
    text = readable(bytes_to_mail(path.read_bytes()).text)
    shown = [line.strip() for line in trimmed(text).shown.split("\n") if line.strip()]
    spans: list[list[int]] = []
    for number, line in enumerate(each.strip() for each in text.split("\n") if each.strip()):
        if shown and line == shown[0]:
            shown.pop(0)
            if spans and spans[-1][1] == number:
                spans[-1][1] += 1
            else:
                spans.append([number, number + 1])
    assert not shown
    return " ".join(f"{first}:{last}" for first, last in spans)


@here
@pytest.mark.corpus
def test_real_letters_are_trimmed_to_their_writers_words() -> None:
    found = {name: lines_shown(MAILS / name) for name in RIGHT}
    wrong = {name for name in RIGHT if found[name] != RIGHT[name]}
    print(f"{len(RIGHT) - len(wrong)} of {len(RIGHT)} letters show exactly their writer's words")
    assert wrong == set(MORE), {name: (found[name], RIGHT[name]) for name in wrong ^ set(MORE)}
    assert all(int(found[name].split(":")[-1]) >= int(RIGHT[name].split(":")[-1]) for name in wrong)


@here
@pytest.mark.corpus
def test_every_real_letter_can_be_trimmed_and_says_something_still() -> None:
    for path in sorted(MAILS.glob("*/*")):
        try:
            text = readable(bytes_to_mail(path.read_bytes()).text)
        except LetterRefused:
            continue
        found = trimmed(text)
        assert trimmed(found.shown).shown == found.shown, path.name
        assert bool(found.shown) == bool(text.strip()), path.name
