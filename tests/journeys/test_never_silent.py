"""Nothing stays silent, on real servers and a clock that jumps: requests that are not confirmed, far ends that do not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.message import Message

import pytest

from imbot.app import App
from imbot.demo.cast import ITSM_ADDRESS
from imbot.store.touched import OUTBOX, touch
from tests.journeys.office import ANNA, ANNA_MAIL, PNG, TOM, TOM_MAIL, Office, body_of, files_of, subject_of
from tests.journeys.test_side_ways import filed
from tests.proxy import Proxy
from tests.servers import Dovecot, Slapd, free_port, open_folder

pytestmark = pytest.mark.servers

ALWAYS = '[general.working_hours]\ndays = [1, 2, 3, 4, 5, 6, 7]\nfrom = "00:00"\nto = "24:00"\n'


class Jumping:
    """The machine's clock, put on by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def jump(self, **span: float) -> None:
        self.ahead += timedelta(**span)


async def look(app: App, clock: Jumping) -> None:
    """What happens each minute: the mailbox is read, requests and legs are looked at; alerts have waited for their kin."""
    for watcher in app.watchers:
        watcher.poke()
    await app.timers.watchdog()
    await app.timers.heartbeat()
    clock.jump(seconds=20)
    await app.db.run(touch, OUTBOX)  # a clock that jumps tells nobody


async def meanwhile(app: App, clock: Jumping, wanted: Awaitable[object]) -> None:
    """Time goes by until `wanted` has come true."""
    waiting = asyncio.ensure_future(wanted)
    while not waiting.done():
        await look(app, clock)
        await asyncio.wait({waiting}, timeout=0.2)
    await waiting


async def unconfirmed(office: Office, app: App, clock: Jumping) -> Message:
    """Tom is an admin with a chat; Anna's request is accepted, and an hour passes without a word from the ITSM."""
    await office.sign_in(TOM, TOM_MAIL)
    await office.sign_in(ANNA, ANNA_MAIL)
    await filed(office)
    letter = await office.letter_to(ITSM_ADDRESS)
    await office.said(ANNA, "номер придёт сюда")
    await look(app, clock)
    clock.jump(minutes=62)
    await meanwhile(app, clock, office.said(TOM, "Поддержка не подтвердила заявку"))
    return letter


def count(office: Office, chat: int, words: str) -> int:
    return sum(words in (one.get("text") or "") for one in office.bot_messages(chat))


async def test_a_request_that_is_not_confirmed_is_told_asked_about_sent_again_and_resolved(office: Office) -> None:
    clock = Jumping()
    async with office.running(clock, general=ALWAYS) as app:
        letter = await unconfirmed(office, app, clock)
        question = await office.said(TOM, "Поддержка не подтвердила заявку")
        for fact in ("Иванова", ANNA_MAIL, "почтовый сервер принял", "Сообщений о недоставке не было", "прочитан"):
            assert fact.lower() in question["text"].lower(), question["text"]
        notice = await office.said(ANNA, "поддержка её пока не подтвердила", "Вам ничего делать не нужно")
        assert "00-11" in notice["text"]
        await office.press(TOM, "Отправить ещё раз", "не подтвердила")
        again = await office.letter_to(ITSM_ADDRESS, skip=1)
        assert again["Message-ID"] == letter["Message-ID"]
        assert again["Date"] != letter["Date"]
        assert body_of(again) == body_of(letter)
        assert subject_of(again.as_bytes()) == subject_of(letter.as_bytes())
        edited = await office.said(TOM, "отправляем ещё раз")
        assert edited["id"] == question["id"], "the question itself says what became of it"
        assert not edited.get("buttons")
        await office.itsm_says("register", letter)
        for watcher in app.watchers:
            watcher.poke()
        await office.said(ANNA, "IM-CL-1042", "принята")
        resolved = await office.said(TOM, "Поддержка подтвердила заявку", "IM-CL-1042")
        assert resolved["id"] == question["id"]
        clock.jump(hours=5)
        await look(app, clock)
        await office.until(lambda: count(office, ANNA, "пока не подтвердила") == 1)
        assert count(office, TOM, "Поддержка не подтвердила") == 0


async def test_a_photo_that_telegram_does_not_give_holds_a_request_up_for_ten_minutes_and_follows(
    office: Office,
) -> None:
    clock = Jumping()
    async with office.running(clock, general=ALWAYS) as app:
        await office.sign_in(ANNA, ANNA_MAIL)
        office.api.fail("file", 1000, 500, "Internal Server Error")
        await office.press(ANNA, "Новая заявка")
        await office.press(ANNA, "Оборудование")
        await office.press(ANNA, "ринтер")
        await office.said(ANNA, "пиш")
        office.api.attach(ANNA, [("экран.jpg", "image/jpeg", PNG)], caption="экран ошибки")
        await office.press(ANNA, "Отправить", "экран ошибки")
        await office.said(ANNA, "Заявка сохранена")
        clock.jump(minutes=9)
        await app.timers.files()
        assert office.letters_to(ITSM_ADDRESS) == []
        clock.jump(minutes=2)
        await app.timers.files()
        letter = await office.letter_to(ITSM_ADDRESS)
        assert files_of(letter) == {}
        await office.said(ANNA, "Фото ещё загружается")
        office.api.faults.clear()
        clock.jump(minutes=1)
        await meanwhile(app, clock, office.said(ANNA, "Фото уйдёт следующим письмом, когда поддержка даст номер"))
        await office.itsm_says("register", letter)
        for watcher in app.watchers:
            watcher.poke()
        follows = await office.letter_to(ITSM_ADDRESS, skip=1)
        assert files_of(follows) == {"фото-1.jpg": PNG}
        assert letter["Message-ID"] in follows["References"]
        await office.said(ANNA, "Фото приложено")


async def test_a_restart_asks_no_second_time(office: Office) -> None:
    clock = Jumping()
    async with office.running(clock, general=ALWAYS) as app:
        await unconfirmed(office, app, clock)
        await office.said(ANNA, "пока не подтвердила")
    async with office.running(clock, general=ALWAYS) as app:
        clock.jump(hours=2)
        await look(app, clock)
        await office.press(TOM, "Оставить", "не подтвердила")
        await office.said(TOM, "оставлена как есть")
        clock.jump(hours=48)
        await look(app, clock)
    about = [count(office, TOM, words) for words in ("Поддержка не подтвердила", "оставлена как есть")]
    assert about == [0, 1]
    assert count(office, ANNA, "пока не подтвердила. Сообщаем администратору") == 2, (
        "one notice, and the receipt says so as well"
    )


async def own_dovecot(office: Office, check: Callable[[App, Jumping, Dovecot, Proxy], Awaitable[None]]) -> None:
    """imbot reads a Dovecot that is nobody else's, through a proxy that keeps its port when it comes back."""
    clock = Jumping()
    with open_folder("imbot-dovecot-") as folder:
        mine = Dovecot(folder, office.certificates).start()
        try:
            async with Proxy(mine.ports["IMAPS"]) as proxy:
                office.dovecot = mine
                mine.ports = {**mine.ports, "IMAPS": proxy.port}
                async with office.running(clock, general=ALWAYS) as app:
                    await check(app, clock, mine, proxy)
        finally:
            mine.stop()


async def test_a_mailbox_that_is_not_read_is_told_in_the_chat_and_so_is_its_return(office: Office) -> None:
    async def check(app: App, clock: Jumping, dovecot: Dovecot, proxy: Proxy) -> None:
        await office.sign_in(TOM, TOM_MAIL)
        await office.sign_in(ANNA, ANNA_MAIL)
        await filed(office)
        letter = await office.letter_to(ITSM_ADDRESS)
        await meanwhile(app, clock, office.said(ANNA, "номер придёт сюда"))
        proxy.retarget(free_port())
        proxy.cut()  # Dovecot else waits for its clients to go
        dovecot.stop()
        await office.until(lambda: app.pulse.legs["mailbox"].since)
        clock.jump(minutes=62)
        await meanwhile(app, clock, office.said(TOM, "не читается с"))
        assert not any("не читается" in subject_of(one.data) for one in office.letters_to(TOM_MAIL))
        assert count(office, ANNA, "пока не подтвердила") == 0, "what cannot be read cannot be known"
        office.api.say(ANNA, "/menu")
        await office.said(ANNA, "могут опаздывать")
        await office.press(TOM, "Подробнее", "не читается")
        await office.said(TOM, "Почтовый ящик: не работает с")
        await office.press(TOM, "Проверить сейчас", "не читается")
        await office.said(TOM, "Проверка", "Почтовый ящик: не работает с")
        dovecot.start()
        proxy.retarget(dovecot.ports["IMAPS"])
        await office.press(TOM, "Проверить сейчас", "не читается")
        await office.said(TOM, "Проверка", "Почтовый ящик: в порядке")
        await meanwhile(app, clock, office.said(TOM, "Снова в порядке", "почтовый ящик заявок"))
        office.api.say(ANNA, "/menu")
        await office.until(lambda: "опаздывать" not in (office.bot_messages(ANNA)[-1].get("text") or ""))
        await office.itsm_says("register", letter)
        await meanwhile(app, clock, office.said(ANNA, "IM-CL-1042", "принята"))

    await own_dovecot(office, check)


async def test_a_mail_server_that_takes_nothing_is_told_in_the_chat_and_so_is_its_return(office: Office) -> None:
    clock = Jumping()
    async with office.running(clock, general=ALWAYS) as app:
        await office.sign_in(TOM, TOM_MAIL)
        await office.sign_in(ANNA, ANNA_MAIL)
        office.smtp.mail_answer = "421 4.3.2 shutting down"
        await filed(office)
        await office.until(lambda: (leg := app.pulse.legs.get("smtp")) and leg.since)
        clock.jump(minutes=11)
        await meanwhile(app, clock, office.said(TOM, "Почтовый сервер не принимает письма с", "Заявки сохранены"))
        office.smtp.mail_answer = ""
        await office.press(TOM, "Проверить сейчас", "не принимает")
        await office.letter_to(ITSM_ADDRESS)
        await meanwhile(app, clock, office.said(TOM, "Снова в порядке", "почтовый сервер"))


async def test_a_directory_that_is_silent_is_told_and_so_is_its_return(office: Office, slapd: Slapd) -> None:
    clock = Jumping()
    async with office.running(clock, general=ALWAYS) as app:
        await office.sign_in(TOM, TOM_MAIL)
        slapd.pause()
        try:
            clock.jump(minutes=61)
            await app.timers.sweep()
            clock.jump(minutes=11)
            await meanwhile(app, clock, office.said(TOM, "Справочник сотрудников не отвечает с"))
        finally:
            slapd.resume()
        await app.timers.sweep()
        await meanwhile(app, clock, office.said(TOM, "Снова в порядке", "справочник сотрудников"))


async def test_a_disk_that_is_nearly_full_is_told(office: Office) -> None:
    clock = Jumping()
    async with office.running(clock, general=ALWAYS + "[files]\nreserve_bytes = 1000000000000000\n") as app:
        await office.sign_in(TOM, TOM_MAIL)
        await look(app, clock)
        clock.jump(minutes=11)
        await meanwhile(app, clock, office.said(TOM, "На диске мало места"))


async def test_an_alarm_outlives_a_restart_and_its_end_is_told(office: Office) -> None:
    clock = Jumping()
    async with office.running(clock, general=ALWAYS) as app:
        await office.sign_in(TOM, TOM_MAIL)
        await office.sign_in(ANNA, ANNA_MAIL)
        office.smtp.mail_answer = "421 4.3.2 shutting down"
        await filed(office)
        await office.until(lambda: (leg := app.pulse.legs.get("smtp")) and leg.since)
        clock.jump(minutes=11)
        await meanwhile(app, clock, office.said(TOM, "не принимает письма с"))
    office.smtp.mail_answer = ""
    async with office.running(clock, general=ALWAYS) as app:
        await meanwhile(app, clock, office.said(TOM, "Снова в порядке", "почтовый сервер"))
    assert count(office, TOM, "не принимает письма") == 1
