"""What support writes, whole: a letter with files in a real mailbox, the chat, and the answer that goes back into the thread."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from email.message import EmailMessage, Message

import pytest

from imbot.demo.cast import ITSM_ADDRESS
from tests.journeys.office import ANNA, ANNA_MAIL, MOSCOW, MX, PNG, Office, body_of, files_of
from tests.journeys.test_kill import minded, settled
from tests.journeys.test_main_job import file_a_request

pytestmark = pytest.mark.servers

PDF = b"%PDF-1.4\nthe act\n"
PAGE = b"<script>alert(1)</script>"
LONG = "\n".join(f"Шаг {number}: подождите минуту и нажмите «Далее»." for number in range(200))


async def support_writes(
    office: Office,
    request: Message,
    words: str,
    *files: tuple[str, bytes],
    subject: str = "Re: Принтер № IM-CL-1042",
) -> str:
    """A technician answers by hand, in their own mail program; returns the Message-ID."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = f"Кузнецов Том <{ITSM_ADDRESS}>", office.bot, subject
    letter["Message-ID"] = f"<{secrets.token_hex(8)}@itsm.demo.local>"
    letter["Date"] = datetime.now(MOSCOW)
    letter["In-Reply-To"] = str(request["Message-ID"])
    letter.set_content(words)
    for name, data in files:
        letter.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    raw = f"Authentication-Results: {MX}; dmarc=pass header.from=demo.local\r\n".encode() + letter.as_bytes()
    await asyncio.to_thread(office.dovecot.deliver, office.bot, raw)
    return str(letter["Message-ID"])


def files_in_chat(office: Office) -> list[tuple[str, bytes]]:
    """Names and bytes of the files that the bot has sent to Anna, in order."""
    found = []
    for message in office.bot_messages(ANNA):
        for one in message["files"]:
            found.append((one["name"], office.api.file(one["id"]).path.read_bytes()))
    return found


async def a_registered_request(office: Office) -> Message:
    await office.sign_in(ANNA, ANNA_MAIL)
    await file_a_request(office)
    letter = await office.letter_to(ITSM_ADDRESS)
    await office.itsm_says("register", letter)
    await office.said(ANNA, "IM-CL-1042", "принята")
    return letter


async def test_files_reach_the_chat_and_a_reply_to_one_goes_into_the_thread(office: Office) -> None:
    async with office.running():
        letter = await a_registered_request(office)
        files = (("акт.pdf", PDF), ("отчёт.html", PAGE), ("setup.exe", b"MZ"))
        theirs = await support_writes(office, letter, "Подпишите акт.", *files)
        notice = await office.said(ANNA, "поддержка пишет", "Подпишите акт.", "setup.exe", "программы")
        await office.until(lambda: len(files_in_chat(office)) == 2, "both files are in the chat")
        assert files_in_chat(office) == [("акт.pdf", PDF), ("отчёт.html.txt", PAGE)]
        sent = [one for one in office.bot_messages(ANNA) if one["files"]]
        assert all(one["id"] > notice["id"] for one in sent)

        office.api.say(ANNA, "Подписала, спасибо большое", reply_to=sent[0]["id"])
        await office.said(ANNA, "Дополнение", "уходит в поддержку")  # at once, without a press
        answer = await office.letter_to(ITSM_ADDRESS, skip=1)
        assert answer["In-Reply-To"] == theirs
        assert str(letter["Message-ID"]) in str(answer["References"])
        assert "Подписала" in body_of(answer)
        await office.letter_to(ITSM_ADDRESS, "№ IM-CL-1042", skip=0)

        await office.press(ANNA, "Ответить", "Подпишите акт.")
        await office.said(ANNA, "Дополнение", "Пришлите текст, фото или файлы")
        office.api.attach(ANNA, [("подпись.jpg", "image/jpeg", PNG)])
        await office.press(ANNA, "Отправить", "Фото: 1")
        with_photo = await office.letter_to(ITSM_ADDRESS, skip=2)
        assert with_photo["In-Reply-To"] == theirs
        assert list(files_of(with_photo).values()) == [PNG]


async def test_a_long_letter_is_read_to_its_end_after_a_restart(office: Office) -> None:
    async with office.running():
        letter = await a_registered_request(office)
        await support_writes(office, letter, f"Сделайте так.\n{LONG}")
        await office.said(ANNA, "Сделайте так.", "…")
    async with office.running():
        await office.press(ANNA, "Показать полностью", "Сделайте так.")
        first = await office.said(ANNA, "часть 1 из", "Шаг 1:")
        pages = int(first["text"].partition("часть 1 из ")[2].split("\n")[0])
        for number in range(1, pages):
            await office.press(ANNA, "Дальше", f"часть {number} из")
            page = await office.said(ANNA, f"часть {number + 1} из")
        assert pages > 1
        assert "Шаг 199:" in page["text"]


async def test_what_telegram_will_not_take_is_told_and_who_blocked_the_bot_gets_a_letter(office: Office) -> None:
    async with office.running():
        letter = await a_registered_request(office)
        office.api.fail("sendDocument", 1, 413, "Request Entity Too Large")
        await support_writes(office, letter, "Подпишите акт.", ("акт.pdf", PDF))
        await office.said(ANNA, "акт.pdf", "передать его сюда не получилось", "Попросите поддержку", "00-11")
        assert files_in_chat(office) == []

        office.api.block(ANNA)
        await support_writes(office, letter, "Подпишите второй.", ("второй.pdf", PDF))
        note = await office.letter_to(ANNA_MAIL, "IM-CL-1042")
        assert "Подпишите второй." in body_of(note)
        assert files_of(note) == {"второй.pdf": PDF}


@pytest.mark.parametrize(("failpoint", "times"), [("file_sent:1", 2), ("report_applied:2", 1)])
async def test_a_kill_on_the_way_loses_no_file_and_doubles_one_in_the_honest_window_only(
    office: Office, failpoint: str, times: int
) -> None:
    async with minded(office) as nanny:
        await nanny.start(failpoint)
        await file_a_request_again(office)
        letter = await office.letter_to(ITSM_ADDRESS)
        await office.itsm_says("register", letter)
        await office.said(ANNA, "IM-CL-1042", "принята")
        await support_writes(office, letter, "Подпишите акт.", ("первый.pdf", PDF), ("второй.pdf", PDF + b"2"))
        await office.until(lambda: nanny.kills == 1, f"{failpoint} is reached")
        await office.until(lambda: ("второй.pdf", PDF + b"2") in files_in_chat(office), "both files are there")
        await settled(office)
    found = files_in_chat(office)
    assert found == [("первый.pdf", PDF)] * found.count(("первый.pdf", PDF)) + [("второй.pdf", PDF + b"2")]
    assert 1 <= found.count(("первый.pdf", PDF)) <= times


async def file_a_request_again(office: Office) -> None:
    office.api.say(ANNA, "/menu")
    await file_a_request(office)
