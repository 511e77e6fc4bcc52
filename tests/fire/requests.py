"""How an employee files a request: looks at what is asked, answers it, looks again, until the receipt stands there. The way
leads through whatever screens come, twice or late, and through what the person does on the way."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from tests.fire import texts
from tests.fire.persons import File, GaveUp, Person, document, photo, program
from tests.fire.sight import Button, Seen

KINDS = (
    ("Оборудование", "Проблема с ПК"),
    ("Оборудование", "ринтер"),
    ("Оборудование", "периферийным"),
    ("Оборудование", "Другое"),
    ("Программное обеспечение", "Проблема в работе"),
    ("Программное обеспечение", "Установка ПО"),
    ("Консультация", ""),
    ("Другое", ""),
)
_TROUBLES = (
    "мигает красным и не печатает, бумага есть",
    "не включается с самого утра",
    "пишет про лицензию и закрывается",
    "просит пароль, которого никто не знает",
    "работает очень медленно после обновления",
)
_MORE = ("и ещё сильно шумит", "началось вчера после обеда", "соседи жалуются на то же самое")
_PHOTOS = re.compile(r"^Фото: (\d+)", re.MULTILINE)
_BEGUN = "Уже записано"
_WAIT, _PATIENT = "Сейчас не получается ничего сохранить", 45.0  # seconds


@dataclass(slots=True)
class Plan:
    """What somebody means to file, and what they do on the way. `lines`: the texts that the letter must bear in the end,
    `gone`: those it must not. `files` are sent before Send, `shown` of them have been seen taken."""

    marker: str
    category: str
    sub: str
    lines: list[str]
    more: str = ""  # typed in mid-dialog, behind the first line
    blue: bool = False  # begins with words out of the blue, not with /newticket
    files: list[File] = field(default_factory=list)
    album: bool = False
    caption: str = ""
    typo: str = ""  # typed first, then edited into lines[0]
    change: str = ""  # "Описание" | "Телефон" | "Раздел": changed at the review
    leave: float = 0.0  # seconds away in mid-dialog
    double: bool = False  # taps twice on Send
    poke: bool = False  # presses a button of an older dialog on the way
    cancel: bool = False  # cancels at the review instead of sending
    late: bool = False  # edits its words once it is sent
    gone: list[str] = field(default_factory=list)
    begun: bool = False
    typed: dict[str, list[int]] = field(default_factory=dict)
    attached: bool = False
    sent: bool = False

    @property
    def described(self) -> int:
        """The message in which the trouble was described, the last one where there are several."""
        return next(sent[-1] for text, sent in reversed(self.typed.items()) if text.startswith(self.marker))

    @property
    def traits(self) -> list[str]:
        """What is special about it, for the counts."""
        flags = {
            "photo": len(self.files) == 1 and self.files[0].content_type == "image/png",
            "album": self.album,
            "document": any(one.content_type == "text/plain" for one in self.files),
            "a program": any(one.name.endswith(".exe") for one in self.files),
            "caption": bool(self.caption),
            "out of the blue": self.blue,
            "words in mid-dialog": bool(self.more),
            "edited": bool(self.typo),
            f"changed {self.change}": bool(self.change),
            "left and came back": bool(self.leave),
            "double tap": self.double,
            "old button": self.poke,
            "edited when sent": self.late,
        }
        return [name for name, is_set in flags.items() if is_set]


def draw(person: Person) -> Plan:
    """A new plan; its marker is the first word of the request, and so of its title."""
    rng, marker = person.random, person.plan()
    category, sub = rng.choice(KINDS)
    line = f"{marker} {rng.choice(_TROUBLES)}"
    plan = Plan(marker, category, sub, [line])
    plan.blue = rng.random() < 0.2
    plan.files, plan.album = _draw_files(rng, marker)
    if plan.files and rng.random() < 0.5:
        plan.caption = rng.choice(("экран ошибки", "вид сверху"))
    if rng.random() < 0.15:
        plan.typo, plan.gone = f"{marker} {rng.choice(_TROUBLES)} ашипка", ["ашипка"]
    if rng.random() < 0.2:
        plan.more = f"{marker} {rng.choice(_MORE)}"  # it may come to be the first line, which makes the title
    if rng.random() < 0.2:
        plan.change = rng.choice(("Описание", "Телефон", "Раздел"))
    if rng.random() < 0.1:
        plan.leave = rng.uniform(1, 4)
    plan.double = rng.random() < 0.15
    plan.poke = rng.random() < 0.1
    plan.late = rng.random() < 0.07
    return plan


def _draw_files(rng: random.Random, marker: str) -> tuple[list[File], bool]:
    what = rng.random()
    if what < 0.5:
        return [], False
    if what < 0.7:
        return [photo(marker, 1)], False
    if what < 0.85:
        return [photo(marker, number) for number in range(1, rng.randint(2, 4) + 1)], True
    return [program(marker) if rng.random() < 0.2 else document(marker, 1)], False


async def file(person: Person, plan: Plan) -> bool:
    """Go on until the receipt of this request stands in the chat, or the draft is cancelled; True: it was filed. Raises
    GaveUp."""
    deadline = asyncio.get_running_loop().time() + person.patience.whole
    while asyncio.get_running_loop().time() < deadline:
        screen = person.screen()
        if plan.sent and receipt_of(person, plan.marker) is not None:
            person.filed.append(plan.marker)
            return True
        if plan.cancel and plan.typed and screen is not None and "Отменено" in screen.text:
            return False
        _remember(person, screen)
        await _answer(person, plan, screen)
        await person.until(lambda: _has_moved(person, plan, screen))  # noqa: B023 - asked before the next round
    raise GaveUp(f"filing {plan.marker}")


def _has_moved(person: Person, plan: Plan, before: Seen | None) -> bool | None:
    """Whether the dialog shows something else than `before`, or the receipt has come."""
    if plan.sent and receipt_of(person, plan.marker) is not None:
        return True
    now = person.screen()
    same = now is before or (now and before and (now.message, now.version) == (before.message, before.version))
    return None if same else True


def receipt_of(person: Person, marker: str) -> Seen | None:
    return person.sight.receipt(marker)


def _remember(person: Person, screen: Seen | None) -> None:
    """Buttons of dialogs, to be pressed when they are old."""
    for label in ("Отправить", "Изменить", "Назад", "Пропустить"):
        button = screen.button(label) if screen else None
        if button is not None and (not person.old or person.old[-1] != button):
            person.old.append(button)
    del person.old[:-30]


async def _answer(person: Person, plan: Plan, screen: Seen | None) -> None:
    """One step, by what the screen asks. Who is told to wait does, for a while."""
    text = screen.text if screen else ""
    if _WAIT in text and await person.until(lambda: _has_moved(person, plan, screen), _PATIENT):
        return None
    ways: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
        ("Проверьте заявку", lambda: _review(person, plan, screen)),
        ("Есть неотправленный черновик", lambda: _offered(person, plan, screen)),
        ("Отменено", lambda: _cancelled(person, plan, screen)),
        ("О чём заявка?", lambda: _category(person, plan, screen)),
        ("Что именно?", lambda: _press(person, screen, plan.sub or "Другое")),
        ("Где это?", lambda: _press(person, screen, "Точнее не знаю", "Не знаю")),
        ("Какая программа нужна", lambda: _type(person, plan, f"программа {plan.marker}")),
        ("Новое описание", lambda: _new_description(person, plan)),
        ("Что случилось?", lambda: _first_words(person, plan)),
        ("Телефон для этой заявки", lambda: _new_phone(person, plan)),
        ("Что изменить?", lambda: _change(person, plan, screen)),
    )
    for words, way in ways:
        if words in text and (plan.begun or words == "Есть неотправленный черновик"):
            return await way()
    stray = screen.button("Новая заявка") if screen else None
    if plan.typed and stray is not None and plan.marker in text:  # "is this an addition, or a new request?"
        plan.begun = True
        return await person.press(stray)
    await _begin(person, plan, screen)
    return None


async def _begin(person: Person, plan: Plan, screen: Seen | None) -> None:
    plan.begun = True
    menu = screen.button("Новая заявка") if screen else None
    if plan.blue and not plan.typed:
        await _first_words(person, plan)
    elif menu is not None and not texts.markers(screen.text if screen else "") and person.random.random() < 0.5:
        await person.press(menu)
    else:
        await person.say("/newticket")


async def _press(person: Person, screen: Seen | None, *labels: str) -> None:
    """The first of these buttons that the screen bears; else its way back."""
    for label in (*labels, "Назад"):
        button = screen.button(label) if screen else None
        if button is not None:
            return await person.press(button)
    return None


async def _type(person: Person, plan: Plan, text: str) -> None:
    plan.typed.setdefault(text, []).append(await person.say(text))


async def _first_words(person: Person, plan: Plan) -> None:
    """The description, perhaps with a mistake in it that is mended before Send."""
    await _type(person, plan, plan.typo or plan.lines[0])


async def _offered(person: Person, plan: Plan, screen: Seen | None) -> None:
    """An open draft: ours is continued, another is not."""
    if plan.begun and plan.typed:
        return await _press(person, screen, "Продолжить черновик")
    plan.begun = True
    return await _press(person, screen, "Начать заново")


async def _cancelled(person: Person, plan: Plan, screen: Seen | None) -> None:
    if plan.typed and screen is not None and screen.button("Вернуть черновик"):
        return await _press(person, screen, "Вернуть черновик")
    await person.say("/newticket")
    return None


async def _category(person: Person, plan: Plan, screen: Seen | None) -> None:
    """What stands there from before is put away first: it is no part of this request."""
    if screen is not None and _BEGUN in screen.text and not plan.typed:
        await person.say("/cancel")
    elif plan.leave:
        away, plan.leave = plan.leave, 0.0
        if not plan.typed:
            await _first_words(person, plan)
            await person.until(lambda: person.screen(_BEGUN))
        await _leave(person, away)
    elif plan.poke:
        plan.poke = False
        await _poke(person)
    elif plan.more and plan.typed and plan.more not in plan.typed:
        await _type(person, plan, plan.more)
    else:
        await _press(person, screen, plan.category)


async def _leave(person: Person, away: float) -> None:
    """Something else comes between; later the draft is looked for."""
    await person.say("/me")
    await person.until(lambda: person.screen("Что о вас известно"))
    await asyncio.sleep(away)
    await person.say("/start")


async def _poke(person: Person) -> None:
    """A button of a dialog that is over. Not of this one: that would be no mistake."""
    newest = person.screen()
    here = {one.message for one in newest.buttons} if newest else set()
    token = newest.buttons[0].value.partition(":")[0] if newest and newest.buttons else ""
    old = [one for one in person.old if one.message not in here and one.value.partition(":")[0] != token]
    if old:
        await person.press(person.random.choice(old))


async def _change(person: Person, plan: Plan, screen: Seen | None) -> None:
    """One answer is given anew; the new description and the telephone follow where they are asked for."""
    what = plan.change
    if what == "Раздел":
        plan.change = ""
        plan.category, plan.sub = person.random.choice(KINDS)
    await _press(person, screen, what or "К заявке", "К заявке")


async def _new_phone(person: Person, plan: Plan) -> None:
    plan.change = ""
    if "77-55" not in plan.lines:
        plan.lines.append("77-55")
    await person.say("77-55")


async def _new_description(person: Person, plan: Plan) -> None:
    """It replaces everything that was typed before."""
    new = f"{plan.marker} уточняю: {person.random.choice(_TROUBLES)}"
    plan.gone = []
    plan.lines, plan.more, plan.typo, plan.change = [new], "", "", ""
    plan.typed = {}
    await _type(person, plan, new)
    await person.until(lambda: person.screen("Проверьте заявку", new))


async def _review(person: Person, plan: Plan, screen: Seen | None) -> None:
    """Everything is looked at before Send: what is missing is sent first."""
    text = screen.text if screen else ""
    if not plan.typed:  # what stands there is not this request
        await person.say("/newticket")
    elif plan.typo:
        await _mend(person, plan, text)
    elif any(line not in text for line in plan.lines):
        await _type(person, plan, next(line for line in plan.lines if line not in text))
    elif plan.more and plan.more not in text:
        await _type(person, plan, plan.more)
    elif plan.files and not _all_files(plan, text):
        await _attach(person, plan)
    elif plan.change:
        await _press(person, screen, "Изменить")
    elif plan.cancel:
        await _press(person, screen, "Отмена")
    else:
        await _send(person, plan, screen)


async def _mend(person: Person, plan: Plan, text: str) -> None:
    """The words with the mistake are edited wherever they were typed."""
    if plan.typo not in text:
        if plan.lines[0] in text:
            plan.typo = ""
        else:
            await _first_words(person, plan)
        return
    for message in plan.typed[plan.typo]:
        await person.edit(message, plan.lines[0])
    await person.until(lambda: person.screen("Проверьте заявку", plan.lines[0]))


def _all_files(plan: Plan, text: str) -> bool:
    photos = [one for one in plan.files if one.content_type == "image/png"]
    found = _PHOTOS.search(text)
    others = [one for one in plan.files if one not in photos]
    return (int(found[1]) if found else 0) >= len(photos) and all(one.name in text for one in others)


async def _attach(person: Person, plan: Plan) -> None:
    """An album comes as one message a photo; whoever is not sure that all arrived sends it again, which changes nothing."""
    if plan.attached or not plan.album:
        for one in plan.files:
            await person.attach([one], plan.caption)
    else:
        await person.attach(plan.files, plan.caption, album=True)
    plan.attached = True
    await person.until(lambda: True if _all_files(plan, getattr(person.screen("Проверьте"), "text", "")) else None)


async def _send(person: Person, plan: Plan, screen: Seen | None) -> None:
    button: Button | None = screen.button("Отправить") if screen else None
    if button is None:
        return
    await person.press(button)
    if not plan.sent:
        plan.sent = True
        lines = [*plan.lines, *([plan.more] if plan.more else [])]
        files = [one.note() for one in plan.files]
        person.asked("request", plan.marker, lines=lines, gone=plan.gone, files=files, caption=plan.caption)
    if plan.double:
        await person.press(button, at_once=True)


def cancelled(plan: Plan) -> Plan:
    """The same, to be cancelled at the review."""
    return replace(plan, cancel=True, double=False)
