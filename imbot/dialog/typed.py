"""Buttons that are typed in place of a tap where a request, or an addition, is looked through before it goes."""

from __future__ import annotations

import re

from imbot.dialog.words import plain_words

_SEND = re.compile(
    r"(?:да )?(?:отправить|отправляй(?:те)?|отправь(?:те)?|отправляем)(?: (?:заявку|ее|все|пожалуйста))*"
    r"|(?:(?:yes|please) )*(?:send|submit)(?: (?:it|the request|my request|please))*"
)
_FINE = re.compile(r"(?:да )?(?:все )?(?:верно|правильно)|подтверждаю|(?:yes )?(?:(?:all|that s|its|it s) )?correct")
_PLAIN_SIGNS = frozenset(".,!…")  # a question mark or a picture may turn the words round
_CHANGE = re.compile(
    r"(?P<verb>(?:изменить|исправить|поправить|измените|исправьте|change|edit)(?: |$))?"
    r"(?:the |my )?(?P<thing>\w+(?: \w+)?)?"
)
_OF_REQUEST = frozenset({"", "заявку", "описание", "раздел", "где", "request", "description", "topic"})
_THINGS = {
    "ch:category": frozenset({"раздел", "категорию", "категория", "topic", "category"}),
    "ch:location": frozenset({"где", "место", "адрес", "where", "place"}),
    "ch:description": frozenset({"описание", "текст", "description", "text"}),
    "ch:phone": frozenset({"телефон", "phone"}),
    "ch:mail": frozenset({"почту", "почта", "mail", "email", "e mail"}),
}


def says_send(text: str) -> bool:
    """Whether the whole text says that what is shown shall go, and nothing makes a question or a refusal of it."""
    return names_send(text) and all(char.isalpha() or char.isspace() or char in _PLAIN_SIGNS for char in text)


def names_send(text: str) -> bool:
    """Whether its words are those of `says_send`, whatever stands beside them."""
    return _SEND.fullmatch(plain_words(text)) is not None


def says_fine(text: str) -> bool:
    """Whether the whole text says that something is right; of what, it does not say."""
    return _FINE.fullmatch(plain_words(text)) is not None


def says_change(text: str) -> bool:
    """Whether the whole text says that something of the request shall be changed. "Изменить почту" may be what is asked for."""
    found = _CHANGE.fullmatch(plain_words(text))
    return found is not None and bool(found["verb"]) and (found["thing"] or "") in _OF_REQUEST


def thing_in(text: str) -> str:
    """The button of the list of changes that the whole text names ("описание", "изменить описание"), or ""."""
    found = _CHANGE.fullmatch(plain_words(text))
    return _thing(found["thing"] or "") if found else ""


def _thing(word: str) -> str:
    return next((button for button, words in _THINGS.items() if word in words), "")
