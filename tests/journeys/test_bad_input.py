"""What people send that no form expects: each gets a kind and clear answer, and nothing that was accepted is lost. One
office serves the whole file; each test has a person of its own.
"""

from __future__ import annotations

import pytest

from tests.journeys.callers import Counter
from tests.journeys.office import PNG, body_of, files_of

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

OGG = b"OggS" + bytes(200)


async def test_an_empty_text_is_no_description_and_the_question_stands(counter: Counter) -> None:
    anna = await counter.anna()
    await anna.asked_to_describe()
    asked = len(anna.bot_messages())
    anna.say(" \u200e\u2060 \u00a0")  # blanks and marks that nobody sees
    await anna.until(lambda: len(anna.bot_messages()) > asked, "the question is asked again")
    assert "Что случилось?" in anna.bot_messages()[-1]["text"]
    anna.say("Принтер мигает")
    await anna.said("Проверьте заявку", "Принтер мигает")


async def test_a_huge_text_is_kept_up_to_the_limit_and_the_rest_may_come_as_a_file(counter: Counter) -> None:
    anna = await counter.anna()
    await anna.asked_to_describe()
    parts = ["ж" * 4096, "х" * 4096, "ц" * 4096]
    for part in parts:
        anna.say(part)
    told = await anna.said("больше 10000 знаков", "часть текста не вошла (2292 знака)", "Пришлите её файлом")
    assert "Проверьте заявку" in told
    assert len(told) <= 4096
    anna.attach(("дальше.txt", "text/plain", parts[2].encode()))
    await anna.press("Отправить", "дальше.txt")
    letter = await anna.letter()
    assert f"{parts[0]}{parts[1]}{'ц' * (4096 - 2292)} […]\n" in body_of(letter)  # cut by Telegram: one piece
    assert files_of(letter) == {"дальше.txt": parts[2].encode()}
    assert "дальше.txt: приложено" in await anna.receipt()


async def test_of_a_hundred_photos_those_that_fit_go_and_the_others_are_told(counter: Counter) -> None:
    anna = await counter.anna()
    await anna.asked_to_describe()
    anna.say("Сто фото")
    for album in range(10):
        photos = [(f"{album}-{n}.png", "image/png", PNG + bytes([album, n])) for n in range(10)]
        anna.attach(*photos, album=True)
    left_out = "Не вошло ещё 70: с одной заявкой принимаем до 30 файлов."
    review = await anna.said(left_out, "Проверьте заявку", "Сто фото", "Фото: 30")
    assert review.count("Не вошло") == 1
    assert len(anna.bot_messages()) < 12  # an album is answered once, not photo by photo
    await anna.press("Отправить", "Фото: 30")
    letter = await anna.letter()
    taken = files_of(letter)
    assert sorted(taken.values()) == [PNG + bytes([album, n]) for album in range(3) for n in range(10)]
    assert "Не вложено: ещё файлов: 70, с одной заявкой принимаем до 30." in body_of(letter)
    assert left_out in await anna.receipt("Приложено 30 фото")


async def test_a_file_of_21_mb_is_refused_by_its_size_and_its_words_are_kept(counter: Counter) -> None:
    anna = await counter.anna()
    await anna.asked_to_describe()
    anna.attach(("видео.mp4", "video/mp4", bytes(21 * 1024 * 1024)), caption="вот так мигает")
    await anna.said("Файл не вошёл: можно до 20 МБ. Остальное на месте", "вот так мигает", "видео.mp4 (21 МБ")
    anna.attach(("журнал.log", "text/plain", b"17:01 error"))
    await anna.press("Отправить", "журнал.log")
    letter = await anna.letter()
    body = body_of(letter)
    assert "Описание:\nвот так мигает\n" in body
    assert "Файлы: журнал.log. Не вложено: видео.mp4, 21 МБ при пределе 20 МБ." in body
    assert files_of(letter) == {"журнал.log": b"17:01 error"}
    assert "видео.mp4: не вошло, 21 МБ, можно до 20 МБ" in await anna.receipt("журнал.log: приложено")


async def test_emoji_and_bidi_names_reach_the_letter_and_reorder_nothing(counter: Counter) -> None:
    anna = await counter.anna("Ива\u202eнова <b>Анна</b> 👩‍🔧", "\u202e👩‍🔧 _Анна_")
    anna.say("/start")
    assert "\u202e" not in await anna.said("здравствуйте", "Анна")
    await anna.asked_to_describe()
    anna.say("Экран 😵‍💫 \u202eмигает\u202c и <b>гудит</b>")
    await anna.said("Проверьте заявку", "Экран 😵‍💫 мигает и <b>гудит</b>")
    exe = ("счёт\u202efdp.exe.txt", "text/plain", b"one")  # shown by many programs as счётtxt.exe.pdf
    anna.attach(exe, ("😀/../журнал\n.txt", "text/plain", b"two"))
    await anna.press("Отправить", "журнал")
    letter = await anna.letter()
    body = body_of(letter)
    assert "Кто: Иванова <b>Анна</b> 👩‍🔧, Бухгалтерия" in body
    assert "Описание:\nЭкран 😵‍💫 мигает и <b>гудит</b>\n" in body
    assert files_of(letter) == {"счётfdp.exe.txt": b"one", "журнал .txt": b"two"}
    assert "Файлы: счётfdp.exe.txt, журнал .txt." in body
    assert "\u202e" not in body
    assert "журнал .txt: приложено" in await anna.receipt("счётfdp.exe.txt")


async def test_a_forwarded_contact_becomes_words_of_the_request(counter: Counter) -> None:
    anna = await counter.anna()
    anna.office.api.contact(anna.chat, "+79001234567", "Пётр Сидоров")
    await anna.said("О чём заявка?", "Пётр Сидоров, +79001234567")
    await anna.press("Оборудование")
    await anna.press("ринтер")
    await anna.press("Отправить", "Пётр Сидоров")
    assert "Описание:\nПётр Сидоров, +79001234567\n" in body_of(await anna.letter())


async def test_a_voice_message_is_a_file_of_the_request(counter: Counter) -> None:
    anna = await counter.anna()
    anna.office.api.voice(anna.chat, OGG)
    await anna.press("Оборудование", "О чём заявка?")
    await anna.press("ринтер")
    await anna.said("Что случилось?", "Получили: 1 файл.", "Опишите словами")
    anna.say("Послушайте, как он гудит")
    await anna.press("Отправить", "Голосовое сообщение")
    letter = await anna.letter()
    assert files_of(letter) == {"голос-1.ogg": OGG}
    assert "Голосовое сообщение: приложено" in await anna.receipt()


async def test_a_sticker_shows_the_menu_or_the_question_that_waits(counter: Counter) -> None:
    anna = await counter.anna()
    shown = len(anna.bot_messages())
    anna.office.api.sticker(anna.chat)
    await anna.until(lambda: len(anna.bot_messages()) > shown, "the menu is shown")
    assert "Новая заявка" in anna.office.labels(anna.chat)
    await anna.asked_to_describe()
    shown = len(anna.bot_messages())
    anna.office.api.sticker(anna.chat, "😡")
    await anna.until(lambda: len(anna.bot_messages()) > shown, "the question is asked again")
    assert "Что случилось?" in anna.bot_messages()[-1]["text"]
    anna.say("Не печатает")
    await anna.press("Отправить", "Не печатает")
    assert "Описание:\nНе печатает\n" in body_of(await anna.letter())


async def test_a_group_chat_is_told_once_to_write_in_private(counter: Counter) -> None:
    anna = await counter.anna()
    api, group = anna.office.api, -1000 - anna.chat
    own = len(anna.bot_messages())
    for words in ("Принтер не печатает", "/newticket", "/start"):
        api.group_message(group, "Бухгалтерия", anna.chat, words)
    told = await anna.office.said(group, "Заявки личные", "Напишите в личный чат с ботом")
    anna.say("/help")  # everything before it has been taken by then
    await anna.until(lambda: len(anna.bot_messages()) > own, "help is shown")
    assert [one["id"] for one in anna.office.bot_messages(group)] == [told["id"]]
    assert len(anna.bot_messages()) == own + 1
    assert "Принтер не печатает" not in anna.bot_messages()[-1]["text"]


async def test_an_edit_changes_the_draft_and_after_send_becomes_an_addition(counter: Counter) -> None:
    anna = await counter.anna()
    await anna.asked_to_describe()
    written = anna.say("Принтер мигаит зелёным")
    await anna.said("Проверьте заявку", "мигаит зелёным")
    anna.office.api.edit(anna.chat, written, "Принтер мигает красным")
    await anna.press("Отправить", "Проверьте заявку", "мигает красным")
    letter = await anna.letter()
    assert "Описание:\nПринтер мигает красным\n" in body_of(letter)
    anna.office.api.edit(anna.chat, written, "Принтер мигает синим")
    await anna.press("Отправить", "Заявка уже ушла", "правку поддержка не увидит", "мигает синим")
    await anna.said("номер")  # it waits for the number, or the ITSM would open a second call
    number = f"IM-CL-{anna.chat}"
    await anna.office.itsm_says("register", letter, number=number)
    await anna.said(number, "принята")
    assert "Принтер мигает синим" in body_of(await anna.letter(skip=1))


async def test_commands_in_mid_dialog_are_answered_and_the_draft_stays(counter: Counter) -> None:
    anna = await counter.anna()
    await anna.asked_to_describe()
    anna.say("Мигает красным")
    await anna.said("Проверьте заявку", "Мигает красным")
    anna.attach(("экран.png", "image/png", PNG))
    await anna.said("Фото: 1")
    anna.say("/mytickets")
    await anna.said("Заявок пока нет")
    anna.say("/nosuchthing")
    await anna.said("Такой команды нет")
    anna.say("помощь")
    await anna.until(lambda: "Меню" in anna.office.labels(anna.chat), "help is shown")
    anna.say("/newticket")
    await anna.press("Продолжить", "Есть неотправленный черновик", "игает красным", "В нём 1 фото")
    anna.say("/cancel")
    await anna.press("Вернуть")
    await anna.press("Отправить", "Мигает красным", "Фото: 1")
    letter = await anna.letter()
    assert "Описание:\nМигает красным\n" in body_of(letter)
    assert list(files_of(letter).values()) == [PNG]


async def test_double_taps_file_one_request_and_skip_no_question(counter: Counter) -> None:
    anna = await counter.anna()
    api = anna.office.api
    anna.say("/newticket")
    tapped = await anna.press("Оборудование")
    api.press(anna.chat, *tapped)
    await anna.press("ринтер")
    await anna.said("Что случилось?")
    anna.say("Дважды нажимаю")
    tapped = await anna.press("Отправить", "Дважды нажимаю")
    api.press(anna.chat, *tapped)
    api.press(anna.chat, *tapped)
    await anna.receipt()
    api.press(anna.chat, *tapped)
    anna.say("/mytickets")
    await anna.said("дважды нажимаю")
    assert len(anna.own_letters()) == 1
    assert len([one for one in anna.bot_messages() if "Заявка отправлена" in one["text"]]) == 1


async def test_a_press_on_a_week_old_button_shows_where_one_stands_and_does_nothing(counter: Counter) -> None:
    anna = await counter.anna()
    api = anna.office.api
    await anna.asked_to_describe()
    anna.say("Старая беда")
    review = await anna.office.button(anna.chat, "Отправить", "Старая беда")
    anna.say("/cancel")
    await anna.until(lambda: any("Вернуть" in label for label in anna.office.labels(anna.chat)), "it was cancelled")
    await anna.asked_to_describe()
    anna.say("Новая беда")
    await anna.said("Проверьте заявку", "Новая беда")
    shown = len(anna.bot_messages())
    api.press(anna.chat, *review)
    api.age_presses(7 * 24 * 3600)  # Telegram no longer takes an answer to it
    await anna.until(lambda: len(anna.bot_messages()) > shown, "the current screen is shown")
    assert "Новая беда" in anna.bot_messages()[-1]["text"]
    assert not anna.own_letters()
    await anna.press("Отправить", "Новая беда")
    assert "Описание:\nНовая беда\n" in body_of(await anna.letter())
    assert len(anna.own_letters()) == 1
