"""What an employee does with requests that exist: adds to them, answers, rates, complains, takes them back, looks at them.
Each walk ends where it is too late for it, which is no fault of anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from tests.fire import texts
from tests.fire.persons import GaveUp, Person, photo
from tests.fire.sight import Button, ChatSight, Seen

_ADDITIONS = ("стало хуже", "теперь ещё и пахнет", "можно прийти после трёх", "инвентарный номер на наклейке стёрт")
_REASONS = ("печатает полосами", "через час всё повторилось", "ничего не изменилось")
_ADDING = ("«Отправить»",)
_ADDED = tuple(
    (what, end) for what in ("Дополнение", "Ответ") for end in ("сохранен", "сохранён", "уходит в поддержку")
)


def _added(marker: str) -> tuple[tuple[str, ...], ...]:
    """Of this request: after a death imbot may show once more what it said of another."""
    return tuple((*words, marker) for words in _ADDED)


_ENDED = "снимать нечего"  # told instead of a withdrawal
_LOOKED_AT = 30  # newest messages of somebody else
_WHOSE = ("Это дополнение к заявке", "Это ответ по заявке", "К какой заявке это отнести?")
_HERE = ("Дополнить заявку", "Ответить по заявке")


def _no(marker: str, *which: int) -> tuple[tuple[str, ...], ...]:
    """What says no to a walk: of this request, `which` of the refusals. That there is none is no answer to who has filed it."""
    return tuple((texts.REFUSALS[one], marker) for one in which)


def _was_just_told(person: Person, no: str, marker: str = "") -> bool:
    """Whether it is what their screen says: the same button once more, so soon, were the second tap of a double tap."""
    return person.screen(no, marker) is not None


@dataclass(frozen=True, slots=True)
class News:
    """A notice that somebody may react to. `kind`: question, resolved, failed."""

    kind: str
    marker: str
    seen: Seen


def news(person: Person) -> list[News]:
    """Notices with something to do that were not reacted to, newest first."""
    found = []
    for seen in person.sight.newest_first():
        if seen.message in person.answered or not seen.is_notice:
            continue
        marker = texts.first_marker(seen.text)
        kind = (
            "failed" if seen.button("Отправить ещё раз") else
            "resolved" if seen.button("Не решено") else
            "question" if "спрашивает" in seen.text and seen.button("Ответить") else ""
        )  # fmt: skip
        if marker and kind:
            found.append(News(kind, marker, seen))
    return found


async def add(person: Person, marker: str, label: str = "Дополнить") -> bool:
    """By the button, which is called an answer while support waits for one; True: it was sent."""

    def find() -> Button | None:
        return person.button(label, marker) or person.button("Ответить", marker)

    if find() is None:
        return False  # none of its messages offers that any more
    if _was_just_told(person, texts.REFUSALS[0], marker):
        return False
    before = person.sight.version
    screen = await person.press_until(
        find,
        lambda: _after(person, before, (*_ADDING, marker), *_no(marker, 0)),
        f"adding to {marker}",
    )
    return _ADDING[0] in screen.text and await _gather(person, marker)


async def amend(person: Person, marker: str, message: int) -> bool:
    """Edit a message whose words are with support already: what it says now is laid out as an addition. True: that was sent."""
    words, before = person.plan(), person.sight.version
    text = f"{words} {person.random.choice(_ADDITIONS)}"
    screen = await person.do(
        lambda: person.edit(message, text),
        lambda: _after(person, before, (*_ADDING, words), *_no(marker, 0)),
        f"editing what was sent with {marker}",
    )
    return words in screen.text and await _send(person, marker, words)


async def reply(person: Person, seen: Seen, marker: str) -> bool:
    """By a Telegram reply to a message about the request; True: it was sent."""
    words = person.plan()
    text = f"{words} {person.random.choice(_ADDITIONS)}"
    before = person.sight.version
    await person.say(text, reply_to=seen.message)  # sent at once, so it is said once
    person.asked("addition", words, of=marker, files=[])
    wanted = (*_added(marker), (*_ADDING, words), *((whose, words) for whose in _WHOSE), *_no(marker, 0))
    done = await person.until(lambda: _after(person, before, *wanted), person.patience.whole)
    if done is None:
        raise GaveUp(f"replying to {marker}")
    if _is_whose(done):  # the message came twice, and imbot died before it noted the first
        belongs = await _belongs(person, marker, words)
        if belongs is None:
            return False
        done = belongs
    if _ADDING[0] in done.text:  # more of an addition that was begun and never sent
        return await _send(person, marker, words, noted=True)
    return await _taken(person, marker, words, done)


def _is_whose(seen: Seen | None) -> bool:
    """Whether imbot asks which request some words belong to."""
    return seen is not None and any(whose in seen.text for whose in _WHOSE)


async def _belongs(person: Person, marker: str, words: str) -> Seen | None:
    """The answer to that. It names a few requests only: where theirs is not among them the person takes the words back, and
    gets None."""
    before = person.sight.version

    def find() -> Button | None:
        screen = person.screen(words)
        if screen is None or not _is_whose(screen):
            return None
        named = next((one for one in screen.buttons if marker in one.label), None)
        here = next(filter(None, map(screen.button, _HERE)), None)
        return named or (here if marker in screen.text else None)

    asked = person.screen(words)
    if asked is not None and _is_whose(asked) and find() is None:
        await person.press_until(
            lambda: person.button("Отмена", words),
            lambda: None if _is_whose(person.screen(words)) else True,
            f"taking {words} back",
        )
        person.told_no("addition", words, marker, asked)
        return None
    return await person.press_until(
        find,
        lambda: _after(person, before, *_added(marker), (*_ADDING, words), *_no(marker, 0)),
        f"saying that {words} is of {marker}",
    )


async def _gather(person: Person, marker: str) -> bool:
    words = person.plan()
    text = f"{words} {person.random.choice(_ADDITIONS)}"
    await person.do(
        lambda: person.say(text), lambda: person.screen(*_ADDING, words), f"writing what to add to {marker}"
    )
    files = [photo(words, 1)] if person.random.random() < 0.25 else []
    if files:
        await person.do(
            lambda: person.attach(files),
            lambda: person.screen(*_ADDING, words, "Фото: 1"),
            f"a photo for {marker}",
        )
    return await _send(person, marker, words, [one.note() for one in files])


async def _send(
    person: Person, marker: str, words: str, files: list[dict[str, object]] | None = None, *, noted: bool = False
) -> bool:
    before = person.sight.version

    async def press() -> None:
        nonlocal noted
        button = await person.until(lambda: _button(person.screen(*_ADDING, words), "Отправить"))
        if button is None:
            return
        await person.press(button)
        if not noted:
            person.asked("addition", words, of=marker, files=files or [])
            noted = True
        if person.random.random() < 0.1:
            await person.press(button, at_once=True)

    done = await person.do(
        press,
        lambda: _after(person, before, *_added(marker), *_no(marker, 0)),
        f"sending the addition {words}",
    )
    return await _taken(person, marker, words, done)


async def _taken(person: Person, marker: str, words: str, done: Seen, what: str = "addition") -> bool:
    if not any(no in done.text for no in texts.REFUSALS):
        return True
    person.told_no(what, words, marker, done)
    if "сохранено" in done.text:  # else these words would stand before those of their next request
        before = person.sight.version
        await person.do(
            lambda: person.say("/cancel"), lambda: _after(person, before, ("Отменено",), ("Выберите",)), "leaving it"
        )
    return False


async def answer(person: Person, told: News) -> bool:
    """A question of support: by its button, or by a reply."""
    if person.random.random() < 0.5:
        return await reply(person, told.seen, told.marker)
    return await add(person, told.marker, "Ответить")


async def rate(person: Person, told: News, stars: int | None) -> bool:
    """`stars` None: "without rating". Few stars are explained in words, mostly. True: it was taken."""
    label = "Без оценки" if stars is None else str(stars)
    before, noted = person.sight.version, False

    async def press() -> None:
        nonlocal noted
        button = told.seen.button(label)
        if button is None:
            raise GaveUp(f"the notice of {told.marker} has no button {label}")
        await person.press(button)
        if not noted:
            person.asked("rating", of=told.marker, stars=stars)
            noted = True

    def answered() -> Seen | None:
        good = ("без оценки",) if stars is None else (f"Оценка {stars}", "записана")
        return _after(person, before, (*good, told.marker), *_no(told.marker, 3))

    done = await person.do(press, answered, f"rating {told.marker}")
    if any(no in done.text for no in texts.REFUSALS):
        person.told_no("rating", "", told.marker, done)
        return False
    if stars in (1, 2) and person.screen("Что пошло не так?") is not None:
        await _complain(person, told.marker)
    return True


async def _complain(person: Person, marker: str) -> None:
    if person.random.random() < 0.25:
        before = person.sight.version
        await person.press_until(
            lambda: _button(person.screen("Что пошло не так?"), "Без пояснений"),
            lambda: _after(person, before, ("Спасибо. Оценка", marker)),
            f"no words about {marker}",
        )
        return
    await _tell(person, "complaint", marker, "Что пошло не так?", "Передаём это поддержке")


async def not_solved(person: Person, told: News) -> bool:
    """The work is asked for again, with words; True: that was taken."""
    before = person.sight.version
    screen = await person.press_until(
        lambda: told.seen.button("Не решено"),
        lambda: _after(person, before, ("Что осталось не так?", told.marker), *_no(told.marker, 2)),
        f"not solved: {told.marker}",
    )
    if any(no in screen.text for no in texts.REFUSALS):
        return False
    return await _tell(person, "not_solved", told.marker, "Что осталось не так?", "Попросили поддержку вернуть")


async def _tell(person: Person, what: str, marker: str, question: str, thanks: str) -> bool:
    """Words that are an answer by themselves. They are said once: said again, they would be something else."""
    words, before = person.plan(), person.sight.version
    if person.screen(question, marker) is None:
        return False
    await person.say(f"{words} {person.random.choice(_REASONS)}")
    person.asked(what, words, of=marker)

    def told() -> Seen | None:
        """Behind work that support took up by itself the request is shown, with these words as an addition."""
        return _after(person, before, (thanks, marker), *_no(marker, 0, 2)) or _details(person, before, marker, words)

    done = await person.until(told, person.patience.whole)
    if done is None:
        raise GaveUp(f"{what} {words} about {marker}")
    return await _taken(person, marker, words, done, what)


async def withdraw(person: Person, marker: str, sure: bool) -> bool:
    """Not needed any more. True: it was asked for."""
    if person.button("Уже не нужно", marker) is None:
        return False  # none of its messages offers that any more
    if _was_just_told(person, _ENDED, marker):
        return False
    asks, start = ("Попросить поддержку снять", marker), person.sight.version
    screen = await person.press_until(
        lambda: person.button("Уже не нужно", marker),
        lambda: _after(person, start, asks) or _details(person, start, marker) or _ended_meanwhile(person, marker),
        f"withdrawing {marker}",
    )
    if not all(words in screen.text for words in asks):
        return False
    before, noted = person.sight.version, False

    async def press() -> None:
        nonlocal noted
        button = await person.until(lambda: _button(person.screen(*asks), "Да, снять" if sure else "Нет, оставить"))
        if button is None:
            return
        await person.press(button)
        if sure and not noted:
            person.asked("withdraw", of=marker)
            noted = True

    good = (("Попросили поддержку снять", marker), ("Попросим снять", marker)) if sure else ((marker,),)
    done = await person.do(
        press,
        lambda: _after(person, before, *good) or _details(person, before, marker),  # support may have ended it
        f"taking back {marker}",
    )
    if sure and any(no in done.text for no in (*texts.REFUSALS, _ENDED, texts.OVER)):
        person.told_no("withdraw", "", marker, done)
        return False
    return sure


async def send_again(person: Person, told: News) -> bool:
    """What failed for good is sent once more."""
    before = person.sight.version
    button = told.seen.button("Отправить ещё раз")

    async def press() -> None:
        if button is not None:
            await person.press(button)
            person.asked("resend", of=told.marker)

    done = await person.do(
        press,
        lambda: _after(person, before, ("ещё раз", told.marker), ("Отправлять больше нечего", told.marker)),
        f"sending {told.marker} again",
    )
    if any(no in done.text for no in texts.REFUSALS):
        person.told_no("resend", "", told.marker, done)
        return False
    return "отправляем ещё раз то, что не ушло" in done.text


async def look(person: Person) -> None:
    """My tickets, one of them, and back."""
    before = person.sight.version
    await person.do(
        lambda: person.say("/mytickets"),
        lambda: _after(person, before, ("Мои заявки",), ("Заявок пока нет",)),
        "my tickets",
    )
    screen = person.screen("Мои заявки")
    lines = [one for one in screen.buttons if one.value.startswith("t:")] if screen else []
    if lines:
        chosen, before = person.random.choice(lines), person.sight.version
        await person.do(lambda: person.press(chosen), lambda: _after(person, before, ()), "one of my tickets")


async def pry(person: Person, others: Sequence[ChatSight]) -> bool:
    """Press what a button of somebody else's says, below a screen of their own: it must be answered as if there were no such
    request. False: there was nothing to press."""
    there = person.random.choice(others) if others else ChatSight()
    values = [
        one.value
        for seen in islice(there.newest_first(), _LOOKED_AT)
        for one in seen.buttons
        if one.value.startswith(texts.OF_A_REQUEST)
    ]
    screen = person.screen()
    if not values or screen is None or _was_just_told(person, texts.REFUSALS[1]):
        return False  # said once more it would change nothing
    value, before = person.random.choice(values), person.sight.version
    await person.do(
        lambda: person.invent(screen.message, value), lambda: _after(person, before, ()), f"prying with {value}"
    )
    return True


def _ended_meanwhile(person: Person, marker: str) -> Seen | None:
    """The receipt, where by now no message of the request offers to take it back."""
    return person.sight.receipt(marker) if person.button("Уже не нужно", marker) is None else None


def _button(seen: Seen | None, label: str) -> Button | None:
    return seen.button(label) if seen else None


def _details(person: Person, version: int, *words: str) -> Seen | None:
    """The ticket itself is shown where what was asked for is too late."""
    screen = _after(person, version, words)
    return screen if screen is not None and screen.button("К списку") else None


def _after(person: Person, version: int, *wanted: tuple[str, ...]) -> Seen | None:
    """The dialog's screen, if it changed after `version` and bears all words of one of `wanted`."""
    screen = person.screen()
    if screen is None or screen.version <= version:
        return None
    return screen if any(all(word in screen.text for word in words) for words in wanted) else None
