"""What an employee of the fire does where support was quicker: whatever the chat answers then ends the walk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fire import follow_ups
from tests.fire.follow_ups import News
from tests.fire.journal import read
from tests.fire.persons import Patience
from tests.fire.sight import ChatSight
from tests.fire.test_persons import Phone, person, saw

TITLE = "Принтер: fire0000009 мигает"
DONE = f"Заявка IM-CL-1 «{TITLE}» выполнена."


class Quick(Phone):
    """imbot, with a support that answers between a question and its yes."""

    def __init__(self, chat: ChatSight) -> None:
        super().__init__()
        self._chat = chat

    async def call(self, verb: str, **args: Any) -> Any:
        answer, buttons = self._answer(str(args.get("text") or args.get("value")))
        self._chat.take(saw(60 + len(self.calls), answer, *buttons))
        return await super().call(verb, **args)

    def _answer(self, said: str) -> tuple[str, list[str]]:
        match said:
            case "Уже не нужно":
                return f"Попросить поддержку снять заявку «{TITLE}»?", ["Да, снять", "Нет, оставить"]
            case "Да, снять":
                return f"Эта заявка уже завершена, снимать нечего.\n{TITLE}\nIM-CL-1, выполнена.", ["К списку"]
            case "Не решено":
                return f"Что осталось не так?\n{TITLE}", ["Отмена"]
            case words:
                return f"{TITLE}\nIM-CL-1, в работе.\n\n10:01: вы дополнили: «{words}»", ["К списку"]


async def test_who_takes_back_what_has_just_ended_is_told_so(tmp_path: Path) -> None:
    chat = ChatSight()
    one = person(tmp_path, Quick(chat), chat)
    one.patience = Patience(step=1.0, whole=5.0, think=0.001, hand=0.0001)
    chat.take(saw(2, f"Заявка IM-CL-1 «{TITLE}» принята.", "Уже не нужно"))
    assert not await follow_ups.withdraw(one, "fire0000009", sure=True)
    noted = [event["what"] for event in read(tmp_path / "model.jsonl") if event["e"] in ("asked", "told_no")]
    assert noted == ["withdraw", "withdraw"]


async def test_who_pries_presses_below_a_screen_of_theirs_what_anothers_button_says(tmp_path: Path) -> None:
    chat, other = ChatSight(), ChatSight()
    one = person(tmp_path, Quick(chat), chat)
    one.patience = Patience(step=1.0, whole=5.0, think=0.001, hand=0.0001)
    assert not await follow_ups.pry(one, [other])
    chat.take(saw(2, "Выберите", "Меню"))
    assert not await follow_ups.pry(one, [other])
    other.take(saw(3, DONE, "ns:theirs", "menu"))
    assert await follow_ups.pry(one, [other])
    assert one.phone.calls == [("press", {"chat": 1001, "message": 2, "value": "ns:theirs", "invented": True})]  # type: ignore[attr-defined]
    assert [event["value"] for event in read(tmp_path / "model.jsonl") if event["e"] == "pried"] == ["ns:theirs"]


async def test_who_says_not_solved_of_what_was_taken_up_again_sees_the_words_in_the_request(tmp_path: Path) -> None:
    chat = ChatSight()
    one = person(tmp_path, Quick(chat), chat)
    one.patience = Patience(step=1.0, whole=5.0, think=0.001, hand=0.0001)
    chat.take(saw(2, DONE, "Не решено"))
    assert await follow_ups.not_solved(one, News("resolved", "fire0000009", chat.messages[2]))
    noted = [event["what"] for event in read(tmp_path / "model.jsonl") if event["e"] in ("asked", "told_no")]
    assert noted == ["not_solved"]


async def test_who_has_just_read_that_it_is_closed_presses_no_more(tmp_path: Path) -> None:
    chat = ChatSight()
    bot = Quick(chat)
    one = person(tmp_path, bot, chat)
    chat.take(saw(2, f"{TITLE}\nЗаявка сохранена и уже отправляется в поддержку.", "Дополнить"))
    chat.take(saw(3, f"Заявка IM-CL-1 «{TITLE}» уже закрыта, дополнить её нельзя.", "Меню"))
    assert not await follow_ups.add(one, "fire0000009")
    assert bot.calls == []


class Repeating(Phone):
    """imbot behind a death: it shows once more what it said of another request, and then what is asked for."""

    def __init__(self, chat: ChatSight, *answers: str) -> None:
        super().__init__()
        self._chat, self._answers = chat, list(answers)

    async def call(self, verb: str, **args: Any) -> Any:
        self._chat.take(saw(60 + len(self.calls), self._answers.pop(0)))
        return await super().call(verb, **args)


@pytest.mark.parametrize("before", ["Спасибо. Оценка 5 за IM-CL-2 «fire0000001» записана.", "Такой заявки не нашлось."])
async def test_who_rates_is_not_answered_by_what_was_said_of_another(tmp_path: Path, before: str) -> None:
    chat = ChatSight()
    one = person(tmp_path, Repeating(chat, before, f"Спасибо. Оценка 5 за IM-CL-1 «{TITLE}» записана."), chat)
    one.patience = Patience(step=0.2, whole=5.0, think=0.001, hand=0.0001)
    seen = saw(2, DONE, "5", "Не решено")
    chat.take(seen)
    (told,) = follow_ups.news(one)
    assert await follow_ups.rate(one, told, 5)
    assert one.again == 1
