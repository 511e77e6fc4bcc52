"""A person of the rig sees what stands in the chat, waits, and does again what had no effect."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.fire import follow_ups
from tests.fire.journal import Journal, read
from tests.fire.persons import GaveUp, Markers, Patience, Person, photo
from tests.fire.sight import ChatSight, Sight
from tests.fire.signing_in import Codes, sign_in, try_again


class Phone:
    """A telephone that only remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(self, verb: str, **args: Any) -> Any:
        self.calls.append((verb, args))
        return len(self.calls)


def person(folder: Path, phone: Phone, chat: ChatSight | None = None) -> Person:
    patience = Patience(step=0.01, whole=0.05, think=0.001, hand=0.0001)
    journal = Journal(folder / "model.jsonl")
    return Person(1001, chat or ChatSight(), phone, journal, Markers(), random.Random(1), patience)


def saw(message: int, text: str, *labels: str) -> dict[str, Any]:
    return {
        "chat": 1001,
        "message": message,
        "text": text,
        "buttons": [[{"label": one, "value": one}] for one in labels],
    }


class Bot(Phone):
    """Answers as imbot does to a reply to a message that it does not know: it died before it noted that it was shown."""

    def __init__(self, chat: ChatSight) -> None:
        super().__init__()
        self._chat, self._words = chat, ""

    async def call(self, verb: str, **args: Any) -> Any:
        if verb == "say":
            self._words = args["text"]
            asked = f"«{self._words}»\n\nЭто дополнение к заявке IM-CL-1 «Принтер: fire0000009» или новая заявка?"
            self._chat.take(saw(50, asked, "Дополнить заявку", "Новая заявка"))
        elif args["value"] == "Дополнить заявку":
            self._chat.take(saw(50, f"«{self._words}»\nКогда всё готово, нажмите «Отправить».", "Отправить"))
        elif args["value"] == "Отправить":
            self._chat.take(saw(50, "Дополнение к заявке IM-CL-1 «Принтер: fire0000009» принято и уходит в поддержку."))
        return await super().call(verb, **args)


async def test_who_is_asked_which_request_a_reply_is_about_says_so_and_sends_it(tmp_path: Path) -> None:
    chat = ChatSight()
    bot = Bot(chat)
    one = person(tmp_path, bot, chat)
    chat.take(saw(2, "По заявке IM-CL-1 «Принтер: fire0000009» поддержка спрашивает:", "Ответить"))
    assert await follow_ups.reply(one, chat.messages[2], "fire0000009")
    pressed = [args["value"] for verb, args in bot.calls if verb == "press"]
    assert pressed[:2] == ["Дополнить заявку", "Отправить"]
    noted = [event for event in read(tmp_path / "model.jsonl") if event["e"] == "asked"]
    assert [(event["what"], event["of"]) for event in noted] == [("addition", "fire0000009")]


async def test_who_is_asked_and_not_offered_their_request_takes_the_words_back(tmp_path: Path) -> None:
    class Forgetful(Phone):
        async def call(self, verb: str, **args: Any) -> Any:
            if verb == "say":
                asked = f"«{args['text']}»\n\nК какой заявке это отнести? Или это новая?"
                chat.take(saw(50, asked, "Принтер: fire0000010", "Новая заявка", "Отмена"))
            elif args["value"] == "Отмена":
                chat.take(saw(50, "Хорошо, ничего не отправлено.", "Меню"))
            return await super().call(verb, **args)

    chat = ChatSight()
    bot = Forgetful()
    one = person(tmp_path, bot, chat)
    chat.take(saw(2, "По заявке IM-CL-1 «Принтер: fire0000009» поддержка спрашивает:", "Ответить"))
    assert not await follow_ups.reply(one, chat.messages[2], "fire0000009")
    assert [args["value"] for verb, args in bot.calls if verb == "press"] == ["Отмена"]
    (no,) = [event for event in read(tmp_path / "model.jsonl") if event["e"] == "told_no"]
    assert (no["of"], no["message"], "К какой заявке" in no["text"]) == ("fire0000009", 50, True)


async def test_a_code_that_came_twice_holds_up_nobody(tmp_path: Path) -> None:
    class Slow(Phone):
        async def call(self, verb: str, **args: Any) -> Any:
            if "@" in args["text"]:
                chat.take(saw(51, "Если адрес есть в компании, код уже идёт туда."))
            elif "/" not in args["text"]:
                asyncio.get_running_loop().call_later(0.02, chat.take, saw(52, "Вход выполнен."))
            return await super().call(verb, **args)

    letter = {"subject": "Код для входа: UGUI BZMM", "text": "UGUI BZMM", "rcpt": ["a@example.test"]}
    with Journal(tmp_path / "smtp.jsonl") as post:
        post.note_all([("accepted", letter)] * 2)
    chat = ChatSight()
    one = person(tmp_path, Slow(), chat)
    one.patience = Patience(step=0.5, whole=3.0, think=0.001, hand=0.0001)
    chat.take(saw(50, "Пришлите рабочий адрес почты"))
    await sign_in(one, "a@example.test", Codes(tmp_path / "smtp.jsonl"))


def test_the_screen_is_what_changed_last_and_neither_a_notice_nor_a_receipt() -> None:
    chat = ChatSight()
    chat.take(saw(1, "О чём заявка?", "Консультация"))
    chat.take(saw(2, "Заявка IM-CL-1 «Принтер: fire0000001» принята.", "Дополнить"))
    chat.take(saw(3, "Принтер: fire0000001\nЗаявка IM-CL-1 принята.", "Дополнить"))
    assert chat.screen() is chat.messages[1]
    chat.take(saw(1, "Что случилось?", "Отмена"))
    assert chat.screen() is chat.messages[1]
    found = chat.find("fire0000001", holds=lambda one: one.button("Дополнить") is not None)
    assert found is chat.messages[3]


def test_a_screen_that_lost_its_buttons_is_not_the_newest() -> None:
    chat = ChatSight()
    chat.take(saw(1, "Пришлите код", "Ещё раз"))
    chat.take(saw(2, "Вход выполнен", "Новая заявка"))
    chat.take(saw(1, "Пришлите код"))
    assert chat.screen() is chat.messages[2]
    assert chat.messages[1].buttons == []


def test_an_exact_label_comes_before_one_that_bears_it() -> None:
    chat = ChatSight()
    chat.take(saw(1, "Оценка", "Уже 5 раз", "5"))
    button = chat.messages[1].button("5")
    assert button is not None
    assert button.label == "5"


def test_a_button_of_another_screen_that_bears_the_label_is_not_taken_for_it(tmp_path: Path) -> None:
    chat = ChatSight()
    chat.take(saw(2, "Заявка fire0000009 принята", "Дополнить"))
    chat.take(saw(3, "Это дополнение к заявке fire0000009?", "Дополнить заявку"))
    button = person(tmp_path, Phone(), chat).button("Дополнить", "fire0000009")
    assert button is not None
    assert button.message == 2


async def test_what_has_no_effect_is_done_again_until_patience_ends(tmp_path: Path) -> None:
    phone = Phone()
    one = person(tmp_path, phone)
    with pytest.raises(GaveUp):
        await one.do(lambda: one.say("/start"), lambda: one.screen("меню"), "starting")
    assert len(phone.calls) == 5
    one.sight.take(saw(1, "меню"))
    assert await one.do(lambda: one.say("/start"), lambda: one.screen("меню"), "starting") is one.sight.messages[1]
    assert len(phone.calls) == 6


async def test_the_chats_are_read_from_the_journal_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "botapi.jsonl"
    sight = Sight(path)
    looking = asyncio.create_task(sight.run())
    with Journal(path) as journal:
        journal.note("saw", **saw(1, "меню"))
        one = Person(1001, sight.chat(1001), Phone(), Journal(tmp_path / "m"), Markers(), random.Random(1), Patience())
        found = await one.until(lambda: one.screen("меню"), 10)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert found is not None


def test_every_marker_is_planned_before_it_is_used(tmp_path: Path) -> None:
    one = person(tmp_path, Phone())
    marker = one.plan()
    assert read(tmp_path / "model.jsonl")[0] | {"t": 0} == {"t": 0, "e": "planned", "chat": 1001, "marker": marker}
    assert one.plan() != marker


def test_no_photo_is_like_another() -> None:
    assert photo("fire0000001", 1).data != photo("fire0000001", 2).data
    assert photo("fire0000001", 1).data.startswith(b"\x89PNG\r\n\x1a\n")


class Door(Phone):
    """imbot and the mail server, as somebody sees them who signs out and in. `letters`: the sink's journal."""

    def __init__(self, chat: ChatSight, letters: Path) -> None:
        super().__init__()
        self._chat, self._sink, self._fresh = chat, Journal(letters), False
        self._post("ABCD2345", "firstlink")

    def _post(self, code: str, link: str) -> None:
        text = f"Код для входа: {code}\n\nhttps://t.me/bot?start={link}\n"
        self._sink.note("accepted", rcpt=["u1001@example.test"], subject=f"Код для входа: {code}", text=text)

    async def call(self, verb: str, **args: Any) -> Any:
        words, buttons = self._answer(str(args.get("text") or args.get("value")))
        self._chat.take(saw(60 + len(self.calls), words, *buttons))
        return await super().call(verb, **args)

    def _answer(self, said: str) -> tuple[str, list[str]]:
        match said:
            case "/me":
                return "Что о вас известно", ["Отвязать чат"]
            case "Отвязать чат":
                return "Отвязать этот чат от вашего рабочего адреса?", ["Да, отвязать", "Нет, оставить"]
            case "Да, отвязать":
                return "Чат отвязан. Чтобы вернуться, пришлите рабочий адрес почты.", []
            case "u1001@example.test":
                self._post("EFGH6723", "secondlink")
                return "Если адрес есть в компании, код уже идёт туда.", []
            case "EFGH6723":
                return "Анна, здравствуйте. Вход выполнен.", []
            case _:
                return "Больше не действует. Пришлите рабочий адрес, и придёт новый код.", []


async def test_who_tries_a_code_again_signs_out_tries_its_link_as_well_and_comes_in_by_a_fresh_one(
    tmp_path: Path,
) -> None:
    chat = ChatSight()
    door = Door(chat, tmp_path / "smtp.jsonl")
    one = person(tmp_path, door, chat)
    one.patience = Patience(step=1.0, whole=5.0, think=0.001, hand=0.0001)
    await try_again(one, "u1001@example.test", Codes(tmp_path / "smtp.jsonl"))
    said = [args["text"] for verb, args in door.calls if verb == "say"]
    assert said == ["/me", "ABCD2345", "/start firstlink", "u1001@example.test", "EFGH6723"]
