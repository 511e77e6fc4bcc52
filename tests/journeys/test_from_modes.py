"""Whose name a letter to the ITSM bears, and how its answer finds the way back, on real servers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from email.utils import parseaddr

import pytest

from imbot.demo.cast import ITSM_ADDRESS
from imbot.demo.itsm_letters import Answer, write_answer
from tests.journeys.office import ANNA, ANNA_MAIL, MOSCOW, MX, Office, body_of

pytestmark = pytest.mark.servers


async def filed(office: Office) -> None:
    await office.sign_in(ANNA, ANNA_MAIL)
    office.api.say(ANNA, "Принтер мигает красным")
    await office.press(ANNA, "Оборудование")
    await office.press(ANNA, "ринтер")
    await office.said(ANNA, "Проверьте заявку")


async def test_with_plus_the_answer_is_bound_by_the_address_it_was_sent_to(office: Office) -> None:
    async with office.running(itsm='from_mode = "plus"'):
        await filed(office)
        await office.press(ANNA, "Отправить")
        letter = await office.letter_to(ITSM_ADDRESS)
        local, _, domain = office.bot.partition("@")
        reply_to = parseaddr(str(letter["Reply-To"]))[1]
        assert reply_to.startswith(f"{local}+")
        assert reply_to.endswith(f"@{domain}")
        assert parseaddr(str(letter["From"]))[1] == office.bot
        assert office.letters_to(ITSM_ADDRESS)[0].sender == office.bot
        answer = Answer("register", "IM-CL-7", reply_to, "<x1@itsm.demo.local>", datetime.now(MOSCOW))
        raw = f"Authentication-Results: {MX}; dmarc=pass header.from=demo.local\r\n".encode() + write_answer(
            replace(answer, echo="ничего из нашего письма")
        )
        await asyncio.to_thread(office.dovecot.deliver, office.bot, raw)
        await office.said(ANNA, "IM-CL-7", "принята")


async def test_with_employee_the_letter_bears_the_verified_address_and_no_other(office: Office) -> None:
    async with office.running(itsm='from_mode = "employee"'):
        await filed(office)
        await office.press(ANNA, "Изменить", "Проверьте заявку")
        await office.press(ANNA, "Почта")
        await office.said(ANNA, "почт")
        office.api.say(ANNA, "director@example.test")
        await office.press(ANNA, "Отправить", "director@example.test")
        letter = await office.letter_to(ITSM_ADDRESS)
        assert parseaddr(str(letter["From"]))[1] == ANNA_MAIL
        assert office.letters_to(ITSM_ADDRESS)[0].sender == office.bot  # bounces come back to us
        body = body_of(letter)
        assert ANNA_MAIL in body
        assert "director@example.test" in body
