"""Sign-in and journeys A and B, whole, over real LDAPS, SMTP with STARTTLS and AUTH, IMAPS with IDLE or POP3S, and HTTP."""

from __future__ import annotations

import pytest

from imbot.demo.cast import ITSM_ADDRESS
from tests.journeys.office import ANNA, ANNA_MAIL, EVE, EVE_MAIL, PNG, Office, body_of, files_of

pytestmark = pytest.mark.servers


async def file_a_request(office: Office) -> None:
    """Six actions: new, category, subcategory, description, photo, Send."""
    await office.press(ANNA, "Новая заявка")
    await office.press(ANNA, "Оборудование")
    await office.press(ANNA, "ринтер")
    await office.said(ANNA, "пиш")
    office.api.say(ANNA, "Принтер мигает красным и не печатает. Бумага есть.")
    await office.said(ANNA, "Проверьте заявку")
    office.api.attach(ANNA, [("экран.jpg", "image/jpeg", PNG)], caption="экран ошибки")
    await office.said(ANNA, "Проверьте заявку", "экран ошибки")
    await office.press(ANNA, "Отправить", "экран ошибки")


@pytest.mark.parametrize("mailbox_kind", ["imap", "pop3"])
async def test_a_request_reaches_the_itsm_and_its_status_comes_back(office: Office, mailbox_kind: str) -> None:
    async with office.running(mailbox_kind=mailbox_kind):
        await office.sign_in(ANNA, ANNA_MAIL)
        await file_a_request(office)

        letter = await office.letter_to(ITSM_ADDRESS)
        body = body_of(letter)
        assert "Принтер мигает красным и не печатает. Бумага есть." in body
        assert body.index("мигает красным") < body.index("Иванова Анна Сергеевна")
        assert "Тверская, 7" in body
        assert "imb:" in body
        assert "imb:" in str(letter["Subject"]) or "imb:" in body
        assert list(files_of(letter).values()) == [PNG]
        assert letter["Auto-Submitted"] is None
        assert letter["Precedence"] is None
        assert letter["Reply-To"] is None
        await office.said(ANNA, "не подтвердила")

        await office.itsm_says("register", letter)
        await office.said(ANNA, "IM-CL-1042", "принята", "Поддержка обещает к")
        await office.itsm_says("start", letter)
        await office.said(ANNA, "IM-CL-1042", "в работе")
        await office.itsm_says("done", letter, "Заменён картридж")
        await office.said(ANNA, "пишет: «Заменён картридж»", "была в работе, теперь выполнена")
        await office.press(ANNA, "5", "Заменён картридж")
        await office.said(ANNA, "ценк")

        assert len(office.letters_to(ITSM_ADDRESS)) == 1
        assert office.app is not None


async def test_a_forged_status_letter_moves_nothing(office: Office) -> None:
    async with office.running() as app:
        await office.sign_in(ANNA, ANNA_MAIL)
        await file_a_request(office)
        letter = await office.letter_to(ITSM_ADDRESS)
        await office.itsm_says("done", letter, "ложь", evidence=False)
        from imbot.store import views

        async def quarantined() -> bool:
            return bool((await app.db.read(views.state))["quarantine"])

        for _ in range(1000):
            if await quarantined():
                break
            import asyncio

            await asyncio.sleep(0.02)
        assert await quarantined()
        assert not any("ложь" in (one["text"] or "") for one in office.bot_messages(ANNA))


async def test_an_unknown_and_a_disabled_address_are_told_the_same_and_get_no_code(office: Office) -> None:
    async with office.running():
        texts = {}
        for chat, address in ((ANNA, "nobody@example.test"), (EVE, EVE_MAIL)):
            office.api.say(chat, "/start")
            await office.said(chat, "адрес")
            office.api.say(chat, address)
            texts[chat] = (await office.said(chat, address))["text"].replace(address, "ADDRESS")
        assert texts[ANNA] == texts[EVE]
        await office.sign_in(ANNA, ANNA_MAIL)  # the queue has been worked off
        assert not office.letters_to("nobody@example.test")
        assert not office.letters_to(EVE_MAIL)
