"""Two helpdesks behind one bot, each with its mailbox and its profile: what was asked of one never comes back by the other."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import datetime
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from imbot.demo.cast import ITSM_ADDRESS
from imbot.domain.tickets import Status
from imbot.store import views
from tests.journeys.office import ANNA, ANNA_MAIL, MOSCOW, Office, body_of

pytestmark = pytest.mark.servers

GLPI, GLPI_MX = "glpi@glpi.local", "mx.glpi.local"
CATALOGUE = """
[[category]]
key = "hardware"
label = "Оборудование"
[[category.sub]]
key = "printer"
label = "Принтер"
[[category]]
key = "house"
label = "Здание"
backend = "glpi"
[[category.sub]]
key = "lamp"
label = "Лампа"
"""
SECOND = """
[backends.glpi]
address = "{glpi}"
profile = "glpi"
senders = ["{glpi}"]
bot_address = {bot}
[backends.glpi.evidence]
authserv_id = "{mx}"
own_hosts = [{hosts}]
[backends.glpi.mailbox]
kind = "imap"
host = "127.0.0.1"
port = {port}
username = {bot}
password = "secret"
ca_file = {ca}
start = "all"
poll_seconds = 5
"""


def two_helpdesks(office: Office, folder: Path) -> dict[str, Any]:
    """What makes of the office's config one with two helpdesks."""
    catalogue = folder / "own-catalogue.toml"
    catalogue.write_text(CATALOGUE, "utf-8")
    hosts = office.write_config().read_text("utf-8").rpartition("own_hosts = [")[2].partition("]")[0]
    second = SECOND.format(
        glpi=GLPI,
        bot=json.dumps(second_bot(office)),
        mx=GLPI_MX,
        hosts=hosts,
        port=office.dovecot.ports["IMAPS"],
        ca=json.dumps(str(office.certificates.ca)),
    )
    return {"general": f"catalogue = {json.dumps(str(catalogue))}", "extra": second}


def second_bot(office: Office) -> str:
    return f"glpi-{office.bot}"


async def filed(office: Office, category: str, kind: str, words: str, address: str) -> Message:
    office.api.say(ANNA, "/newticket")
    await office.press(ANNA, category)
    await office.press(ANNA, kind)
    await office.said(ANNA, "пиш")
    office.api.say(ANNA, words)
    await office.press(ANNA, "Отправить", words)
    return await office.letter_to(address)


async def glpi_says(office: Office, event: str, subject: str, text: str, *, to: str = "", number: int = 1042) -> None:
    """A letter as GLPI writes it: the number in the subject, the event in the Message-ID."""
    message = EmailMessage(policy=SMTP.clone(cte_type="8bit"))
    message["Authentication-Results"] = f"{GLPI_MX}; dmarc=pass header.from=glpi.local"
    message["From"], message["To"] = f"Service Desk <{GLPI}>", to or second_bot(office)
    message["Subject"] = f"[GLPI #{number:07}] {subject}"
    message["Date"] = format_datetime(datetime.now(MOSCOW))
    message["Message-ID"] = f"<GLPI_{secrets.token_hex(8)}-Ticket-{number}/{event}@glpi.local>"
    message.set_content(text)
    await asyncio.to_thread(office.dovecot.deliver, to or second_bot(office), bytes(message))


def token_of(letter: Message) -> str:
    return "imb:" + body_of(letter).rpartition("imb:")[2][:10]


async def test_each_request_goes_to_its_helpdesk_and_equal_numbers_do_not_cross(office: Office, tmp_path: Path) -> None:
    async with office.running(**two_helpdesks(office, tmp_path)) as app:
        assert [watcher.name for watcher in app.watchers] == ["replies", "replies:glpi"]
        await office.sign_in(ANNA, ANNA_MAIL)
        printer = await filed(office, "Оборудование", "Принтер", "Принтер мигает красным", ITSM_ADDRESS)
        lamp = await filed(office, "Здание", "Лампа", "Лампа над столом мигает", GLPI)
        assert second_bot(office) in str(lamp["From"])
        assert office.bot in str(printer["From"])

        await glpi_says(office, "new", "Новая заявка Лампа", f" Статус : Новый\n Описание : {token_of(lamp)}\n")
        await office.itsm_says("register", printer)
        await office.said(ANNA, "#0001042", "принята")
        await office.said(ANNA, "IM-CL-1042", "принята")

        await glpi_says(office, "solved", "Заявка решена Лампа", " Решение : Лампа заменена\n Статус : Решена\n")
        await office.itsm_says("done", printer, "Заменён картридж")
        await office.said(ANNA, "#0001042", "теперь выполнена", "Лампа заменена")
        await office.said(ANNA, "IM-CL-1042", "теперь выполнена", "Заменён картридж")

        done = (await app.db.read(views.state))["tickets"]
        assert {(one["number"], one["status"]) for one in done} == {
            ("#0001042", Status.RESOLVED),
            ("IM-CL-1042", Status.RESOLVED),
        }


async def test_a_letter_of_one_helpdesk_moves_nothing_of_the_other_nor_from_the_other_mailbox(
    office: Office, tmp_path: Path
) -> None:
    async with office.running(**two_helpdesks(office, tmp_path)) as app:
        await office.sign_in(ANNA, ANNA_MAIL)
        printer = await filed(office, "Оборудование", "Принтер", "Принтер мигает красным", ITSM_ADDRESS)
        await filed(office, "Здание", "Лампа", "Лампа над столом мигает", GLPI)
        await glpi_says(office, "solved", "Заявка решена", f" Решение : ложь\n Описание : {token_of(printer)}\n")
        # Nobody at this mailbox strips what the other mail server is believed by.
        await glpi_says(office, "new", "Новая заявка", " Статус : Новый\n", to=office.bot)

        async def reasons() -> list[str]:
            return [str(one["reason"]) for one in (await app.db.read(views.state))["quarantine"]]

        async with asyncio.timeout(30):
            while len(await reasons()) < 2:  # noqa: ASYNC110  the watchers have no event for us
                await asyncio.sleep(0.05)
        assert any(one.endswith("was sent to itsm, not to glpi") for one in await reasons())
        assert "letters of glpi come to another mailbox than this one (replies)" in await reasons()
        assert {one["status"] for one in (await app.db.read(views.state))["tickets"]} == {Status.NEW}
