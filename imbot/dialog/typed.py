"""Buttons that are typed in place of a tap where a request, or an addition, is looked through before it goes."""

from __future__ import annotations

import re

from imbot.dialog.words import plain_words

_SEND = re.compile(
    r"(?:(?:да|все верно|все правильно) )?(?:отправить|отправляй(?:те)?|отправь(?:те)?|отправляем|посылай(?:те)?)"
    r"(?: (?:заявку|ее|все|пожалуйста))*|(?:да )?все (?:верно|правильно)|(?:да )?(?:верно|правильно)|подтверждаю"
    r"|(?:(?:yes|please) )*(?:send|submit)(?: (?:it|the request|my request|please))*|(?:yes )?(?:all |that s |its )?correct"
)
_CHANGE = re.compile(
    r"(?P<verb>(?:изменить|исправить|поправить|измените|исправьте|change|edit)(?: |$))?"
    r"(?:the |my )?(?P<thing>\w+(?: \w+)?)?"
)
_THINGS = {
    "ch:category": frozenset({"раздел", "категорию", "категория", "topic", "category"}),
    "ch:location": frozenset({"где", "место", "адрес", "where", "place"}),
    "ch:description": frozenset({"описание", "текст", "description", "text"}),
    "ch:phone": frozenset({"телефон", "phone"}),
    "ch:mail": frozenset({"почту", "почта", "mail", "email", "e mail"}),
}


def says_send(text: str) -> bool:
    """Whether the whole text says that what is shown shall go."""
    return _SEND.fullmatch(plain_words(text)) is not None


def says_change(text: str) -> bool:
    """Whether the whole text says that something shall be changed, or one thing that can be."""
    found = _CHANGE.fullmatch(plain_words(text))
    return found is not None and bool(found["verb"]) and (not found["thing"] or bool(_thing(found["thing"])))


def thing_in(text: str) -> str:
    """The button of the list of changes that the whole text names ("описание", "изменить описание"), or ""."""
    found = _CHANGE.fullmatch(plain_words(text))
    return _thing(found["thing"] or "") if found else ""


def _thing(word: str) -> str:
    return next((button for button, words in _THINGS.items() if word in words), "")
