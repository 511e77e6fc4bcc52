"""Sign-in with what is wrong, late or meant to break in, over real LDAPS and SMTP: kind answers, and what was written
before stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, update

from imbot.store.schema import codes
from tests.journeys.callers import Caller, Counter
from tests.journeys.office import ANNA_MAIL, TOM_MAIL, body_of, code_of, subject_of

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


async def fresh_code(caller: Caller, address: str, seen: int) -> str:
    return code_of(await caller.office.letter_to(address, skip=seen))


async def test_a_wrong_code_is_told_with_the_tries_left_and_a_new_one_signs_in(counter: Counter) -> None:
    anna = counter.stranger()
    seen = len(counter.office.letters_to(ANNA_MAIL))
    anna.say("Не печатает принтер на третьем этаже")
    await anna.said("Записали, храним сутки", "рабочий адрес")
    anna.say(ANNA_MAIL)
    code = await fresh_code(anna, ANNA_MAIL, seen)
    anna.say("12")
    await anna.said("Это не похоже на код", "восемь знаков")
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    for left in ("4 попытки", "3 попытки", "2 попытки", "1 попытка"):
        anna.say(wrong)
        await anna.said("Код не подошёл", left, "00-11", "сохранено")
    anna.say(wrong)
    await anna.said("Код не подошёл, и попытки закончились", "00-11")
    anna.say(code)  # the right one, but its tries are used up
    await anna.said("Действующего кода сейчас нет", "Нажмите «Ещё раз»")
    await anna.press("Ещё раз", "Действующего кода сейчас нет")
    anna.say(await fresh_code(anna, ANNA_MAIL, seen + 1))
    await anna.press("Продолжить", "Вход выполнен", "принтер на третьем этаже")
    await anna.press("Оборудование", "О чём заявка?")
    await anna.press("ринтер")
    await anna.press("Отправить", "принтер на третьем этаже")
    letter = await counter.office.letter_to("itsm@demo.local")
    assert "Описание:\nНе печатает принтер на третьем этаже\n" in body_of(letter)


async def test_an_expired_code_is_told_and_a_new_one_signs_in(counter: Counter) -> None:
    tom = counter.stranger("Том")
    seen = len(counter.office.letters_to(TOM_MAIL))
    tom.say(TOM_MAIL)
    code = await fresh_code(tom, TOM_MAIL, seen)
    await counter.app.db.run(ten_minutes_pass, f"telegram:{tom.chat}")
    tom.say(code)
    await tom.said("Этот код уже не действует", "Нажмите «Ещё раз»", "00-11")
    await tom.press("Ещё раз", "уже не действует")
    newer = await fresh_code(tom, TOM_MAIL, seen + 1)
    assert newer != code
    tom.say(newer)
    await tom.said("Вход выполнен")


def ten_minutes_pass(c: Connection, chat_key: str) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    times = {"expires_at": past, "minted_at": past - timedelta(minutes=10)}
    assert c.execute(update(codes).where(codes.c.chat_key == chat_key).values(times)).rowcount == 1


@pytest.mark.parametrize(
    "address",
    [
        "*@example.test",
        "anna*@example.test",
        "anna.ivanova@example.test)(uid=*",
        "*)(|(mail=*@example.test",
        "anna\\2aivanova@example.test",
    ],
)
async def test_an_address_with_ldap_wildcards_is_a_slip_and_finds_nobody(counter: Counter, address: str) -> None:
    eve = counter.stranger("Ева")
    codes_sent = len(code_letters(counter))
    eve.say("/start")
    await eve.said("Пришлите рабочий адрес почты")
    eve.say(address)
    await eve.said("Похоже, в адресе опечатка", "Пришлите его ещё раз", "00-11")
    nobody = f"nobody{eve.chat}@example.test"
    eve.say(nobody)  # the sign-in goes on as if nothing had been
    await eve.said(f"Если адрес {nobody} есть в компании")
    assert len(code_letters(counter)) == codes_sent


def code_letters(counter: Counter) -> list[str]:
    return [
        one for one in map(subject_of, (each.data for each in counter.office.smtp.letters)) if "Код для входа" in one
    ]
