"""A letter that comes back, on real servers: told, and sent again by one tap."""

from __future__ import annotations

import asyncio

import pytest

from imbot.demo.cast import ITSM_ADDRESS
from tests.journeys.office import ANNA, ANNA_MAIL, Office

pytestmark = pytest.mark.servers


async def deliver(office: Office, head: str, text: str) -> None:
    raw = f"{head}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n".replace("\n", "\r\n").encode()
    await asyncio.to_thread(office.dovecot.deliver, office.bot, raw)


async def test_a_request_that_comes_back_is_told_and_sent_again_under_its_message_id(office: Office) -> None:
    async with office.running():
        await office.sign_in(ANNA, ANNA_MAIL)
        await office.press(ANNA, "Новая заявка")
        await office.press(ANNA, "Оборудование")
        await office.press(ANNA, "ринтер")
        await office.said(ANNA, "пиш")
        office.api.say(ANNA, "Принтер мигает красным")
        await office.press(ANNA, "Отправить", "Принтер мигает красным")
        letter = await office.letter_to(ITSM_ADDRESS)
        await office.said(ANNA, "не подтвердила")
        await deliver(
            office,
            "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.test\nSubject: failure notice",
            f"Hi. This is the qmail-send program.\n\n<{ITSM_ADDRESS}>:\nRemote host said: 550 5.7.1 mailbox is closed\n\n"
            f"--- Below this line is a copy of the message.\n\nMessage-ID: {letter['Message-ID']}\nSubject: x\n",
        )
        await office.said(ANNA, "до поддержки не дошло")
        await office.press(ANNA, "Отправить ещё раз")
        again = await office.letter_to(ITSM_ADDRESS, skip=1)
        assert again["Message-ID"] == letter["Message-ID"]
        await office.itsm_says("register", again)
        await office.said(ANNA, "IM-CL-1042", "принята")
