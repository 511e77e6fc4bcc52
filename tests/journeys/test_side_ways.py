"""What leaves the straight way, on the same real servers: refusals, outages, a blocked bot, additions, complaints."""

from __future__ import annotations

import asyncio
from email.message import Message

import pytest

from imbot.demo.cast import ITSM_ADDRESS
from imbot.domain.letters import is_note_id
from tests.journeys.office import ANNA, ANNA_MAIL, PNG, TOM_MAIL, Office, body_of, files_of, subject_of

pytestmark = pytest.mark.servers


async def filed(office: Office, words: str = "Принтер мигает красным") -> None:
    await office.press(ANNA, "Новая заявка")
    await office.press(ANNA, "Оборудование")
    await office.press(ANNA, "ринтер")
    await office.said(ANNA, "пиш")
    office.api.say(ANNA, words)
    await office.press(ANNA, "Отправить", words)


async def registered(office: Office) -> Message:
    await office.sign_in(ANNA, ANNA_MAIL)
    await filed(office)
    letter = await office.letter_to(ITSM_ADDRESS)
    await office.itsm_says("register", letter)
    await office.said(ANNA, "IM-CL-1042", "принята")
    return letter


async def resolved(office: Office) -> Message:
    letter = await registered(office)
    await office.itsm_says("done", letter, "Заменён картридж")
    await office.said(ANNA, "Заменён картридж")
    return letter


async def test_a_refusal_for_good_is_told_and_one_tap_sends_the_same_letter_again(office: Office) -> None:
    async with office.running():
        await office.sign_in(ANNA, ANNA_MAIL)
        office.smtp.rcpt_answer = "550 5.1.1 no such mailbox"
        await filed(office)
        await office.said(ANNA, "Не смогли передать")
        assert not office.letters_to(ITSM_ADDRESS)
        office.smtp.rcpt_answer = ""
        told = await office.letter_to(TOM_MAIL)  # an admin hears of it, by letter for want of a chat
        assert "550" in body_of(told)
        key = (office.folder / "var" / "secret.key").read_bytes()
        assert is_note_id(str(told["Message-ID"]), key, alert=True)  # so that an absence note to it raises no other
        await office.press(ANNA, "Отправить ещё раз")
        letter = await office.letter_to(ITSM_ADDRESS)
        assert "Принтер мигает красным" in body_of(letter)
        await office.said(ANNA, "не подтвердила")


async def test_a_mail_server_that_is_down_for_a_while_loses_nothing(office: Office) -> None:
    async with office.running():
        await office.sign_in(ANNA, ANNA_MAIL)
        office.smtp.mail_answer = "421 4.3.2 shutting down"
        await filed(office)
        await office.said(ANNA, "отправляется")
        office.smtp.mail_answer = ""
        await office.letter_to(ITSM_ADDRESS)
        await office.said(ANNA, "не подтвердила")
        assert len(office.letters_to(ITSM_ADDRESS)) == 1


async def test_an_addition_waits_for_the_number_and_then_goes_into_the_thread(office: Office) -> None:
    async with office.running():
        await office.sign_in(ANNA, ANNA_MAIL)
        await filed(office)
        first = await office.letter_to(ITSM_ADDRESS)
        await office.press(ANNA, "Дополнить", "не подтвердила")
        await office.said(ANNA, "Дополн")
        office.api.say(ANNA, "Ещё и скрипит")
        await office.said(ANNA, "Ещё и скрипит")
        office.api.attach(ANNA, [("звук.pdf", "application/pdf", b"%PDF-1.4 hello")])
        await office.said(ANNA, "Ещё и скрипит", "звук.pdf")
        await office.press(ANNA, "Отправить", "Ещё и скрипит")
        await office.said(ANNA, "номер")
        assert len(office.letters_to(ITSM_ADDRESS)) == 1
        thread = await office.itsm_says("register", first)
        addition = await office.letter_to(ITSM_ADDRESS, skip=1)
        assert "№ IM-CL-1042" in subject_of(office.letters_to(ITSM_ADDRESS)[1].data)
        assert addition["In-Reply-To"] == thread
        assert str(first["Message-ID"]) in str(addition["References"])
        assert "Ещё и скрипит" in body_of(addition)
        assert files_of(addition) == {"звук.pdf": b"%PDF-1.4 hello"}


async def test_a_person_who_blocked_the_bot_gets_the_news_by_letter(office: Office) -> None:
    async with office.running():
        letter = await registered(office)
        office.api.block(ANNA)
        before = len(office.letters_to(ANNA_MAIL))
        await office.itsm_says("done", letter, "Заменён картридж")
        note = await office.letter_to(ANNA_MAIL, skip=before)
        assert "Заменён картридж" in body_of(note)
        assert "Здравствуйте, Анна" in body_of(note)
        assert "оценку можно поставить в чате" in body_of(note), "a letter has no stars to press"
        assert "IM-CL-1042" in subject_of(office.letters_to(ANNA_MAIL)[-1].data)


async def test_a_low_rating_asks_what_went_wrong_and_the_complaint_goes_into_the_thread(office: Office) -> None:
    async with office.running():
        await resolved(office)
        await office.press(ANNA, "1", "Заменён картридж")
        await office.said(ANNA, "не так")
        office.api.say(ANNA, "Никто не пришёл")
        complaint = await office.letter_to(ITSM_ADDRESS, skip=1)
        assert "Никто не пришёл" in body_of(complaint)
        assert "IM-CL-1042" in subject_of(office.letters_to(ITSM_ADDRESS)[1].data)


async def test_not_solved_is_asked_and_only_the_itsm_reopens(office: Office) -> None:
    async with office.running() as app:
        letter = await resolved(office)
        await office.press(ANNA, "Не решено", "Заменён картридж")
        await office.said(ANNA, "осталось не так")
        office.api.say(ANNA, "печатает полосами")
        await office.said(ANNA, "Попросили", "печатает полосами")
        ask = await office.letter_to(ITSM_ADDRESS, skip=1)
        assert "печатает полосами" in body_of(ask)
        from imbot.store import views

        assert (await app.db.read(views.state))["tickets"][0]["status"] == "resolved"
        await office.itsm_says("start", letter)
        await office.said(ANNA, "снова")
        assert (await app.db.read(views.state))["tickets"][0]["status"] == "in_progress"


async def test_no_longer_needed_asks_and_waits_for_the_itsm(office: Office) -> None:
    async with office.running() as app:
        await registered(office)
        await office.press(ANNA, "Уже не нужно", "IM-CL-1042")
        await office.press(ANNA, "Да, снять")
        await office.letter_to(ITSM_ADDRESS, skip=1)
        from imbot.store import views

        assert (await app.db.read(views.state))["tickets"][0]["status"] == "registered"


async def test_an_album_is_one_answer_and_files_over_the_limit_go_out_in_further_letters(office: Office) -> None:
    big = [b"\x89PNG\r\n\x1a\n" + bytes([n]) * 60_000 for n in (1, 2, 3)]
    async with office.running(itsm="max_letter_bytes = 100000"):
        await office.sign_in(ANNA, ANNA_MAIL)
        office.api.attach(
            ANNA, [(f"{n}.png", "image/png", big[n]) for n in range(3)], caption="Экран в полосах", album=True
        )
        await office.press(ANNA, "Оборудование", "Экран в полосах")
        await office.press(ANNA, "ринтер")
        await office.press(ANNA, "Отправить", "Экран в полосах")
        first = await office.letter_to(ITSM_ADDRESS)
        assert len(files_of(first)) == 1
        await office.itsm_says("register", first)
        second = await office.letter_to(ITSM_ADDRESS, skip=1)
        third = await office.letter_to(ITSM_ADDRESS, skip=2)
        assert len(files_of(second)) == len(files_of(third)) == 1
        assert len({*files_of(first), *files_of(second), *files_of(third)}) == 3


async def test_words_and_photos_from_before_the_sign_in_are_offered_afterwards(office: Office) -> None:
    async with office.running():
        office.api.say(ANNA, "Не печатает принтер на третьем этаже")
        await office.said(ANNA, "адрес")
        office.api.attach(ANNA, [("экран.jpg", "image/jpeg", PNG)])
        await office.until(lambda: len(office.bot_messages(ANNA)) >= 2)
        office.api.say(ANNA, ANNA_MAIL)
        code = await office.letter_to(ANNA_MAIL)
        from tests.journeys.office import code_of

        office.api.say(ANNA, code_of(code))
        await office.said(ANNA, "третьем этаже")
        await office.press(ANNA, "Продолжить", "третьем этаже")
        await office.press(ANNA, "Оборудование")
        await office.press(ANNA, "ринтер")
        await office.press(ANNA, "Отправить", "третьем этаже")
        letter = await office.letter_to(ITSM_ADDRESS)
        assert list(files_of(letter).values()) == [PNG]


async def test_a_stop_drains_within_ten_seconds_and_nothing_is_lost_by_it(office: Office) -> None:
    async with office.running():
        await office.sign_in(ANNA, ANNA_MAIL)
        office.smtp.mail_answer = "421 4.3.2 shutting down"
        await filed(office)
        await office.said(ANNA, "отправляется")
        loop = asyncio.get_running_loop()
        begun = loop.time()
    assert loop.time() - begun < 10
    office.smtp.mail_answer = ""
    async with office.running():
        await office.letter_to(ITSM_ADDRESS)
        await office.said(ANNA, "не подтвердила")
