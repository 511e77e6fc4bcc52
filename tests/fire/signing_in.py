"""How an employee signs in: the address, the code from the letter that really came, and once more where that failed. And how
somebody tries the letter of a code a second time, and somebody else's, which must let nobody in."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.fire import texts
from tests.fire.journal import Tail
from tests.fire.persons import GaveUp, Person

_AWAY = (1.0, 8.0)  # seconds


class Codes:
    """The codes in the sink's journal, and the links beside them, by the address that they were sent to."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)
        self._by_address: dict[str, list[tuple[str, str]]] = {}

    def of(self, address: str) -> list[str]:
        """Oldest first."""
        return [code for code, _ in self._letters(address)]

    def of_others(self, address: str) -> list[tuple[str, str]]:
        """(address, the newest code) of everybody else who was sent one."""
        self._letters(address)
        return [(each, rows[-1][0]) for each, rows in self._by_address.items() if each != address.lower()]

    def link(self, address: str, code: str) -> str:
        """What the link in the letter of this code says to the bot, "" where it bore none."""
        return next((link for each, link in self._letters(address) if each == code), "")

    def _letters(self, address: str) -> list[tuple[str, str]]:
        for event in self._tail.new():
            keys = texts.keys_in(event["subject"], event["text"]) if event["e"] == "accepted" else None
            for rcpt in event["rcpt"] if keys else ():
                self._by_address.setdefault(rcpt.lower(), []).append(keys or ("", ""))
        return self._by_address.get(address.lower(), [])

    def fresh(self, address: str, tried: Collection[str]) -> list[str]:
        """Those not tried yet; a letter that was sent twice bears the same code again."""
        return [one for one in self.of(address) if one not in tried]


async def sign_in(person: Person, address: str, codes: Codes, old: Sequence[str] = ()) -> None:
    """Until the bot says that the person is in; by a code that is not `old`. Raises GaveUp."""
    deadline = asyncio.get_running_loop().time() + person.patience.whole
    tried = set(old)
    while asyncio.get_running_loop().time() < deadline:
        screen = person.screen()
        text = screen.text if screen else ""
        if texts.says_in(text) or (screen is not None and screen.button("Новая заявка")):
            return
        version = screen.version if screen else 0
        fresh = codes.fresh(address, tried)
        if "код уже идёт" in text and not fresh:
            await person.until(lambda: codes.fresh(address, tried) or None, 1.0)
            continue
        if "код уже идёт" in text or (fresh and ("Код не подошёл" in text or "Код на " in text)):
            tried.update(fresh)
            await person.say(fresh[-1])
        elif "рабочий адрес" in text:
            await person.say(address)
        elif "Ещё раз" in text and screen is not None and (again := screen.button("Ещё раз")):
            await person.press(again)
        else:
            await person.say("/start")
        await person.until(lambda: True if getattr(person.screen(), "version", 0) > version else None)  # noqa: B023
    raise GaveUp(f"signing in as {address}")


async def try_again(person: Person, address: str, codes: Codes) -> None:
    """Sign out, try the code and the link of the letters that let them in once more, and those of somebody else, and sign in
    by a fresh one. What the bot made of the others is for the checker to see. Raises GaveUp."""
    old = list(dict.fromkeys(codes.of(address)))
    await _sign_out(person)
    for whose, code in [*((address, one) for one in old[-1:]), *codes.of_others(address)[-1:]]:
        for words in (code, f"/start {codes.link(whose, code)}"):
            before = person.sight.version
            await person.say(words)  # said once: more would be another try
            await person.until(lambda: _told(person, before), person.patience.whole)  # noqa: B023 - asked before the next
    await sign_in(person, address, codes, old)


async def go_and_return(person: Person, address: str, codes: Codes) -> None:
    """Sign out with requests under way, so that news of them come by letter, and in again a while later. Raises GaveUp."""
    old = codes.of(address)
    await _sign_out(person)
    await asyncio.sleep(person.random.uniform(*_AWAY))
    await sign_in(person, address, codes, old)


async def shut_and_open(person: Person) -> None:
    """Shut the bot out with requests under way, and let it in again a while later. Raises GaveUp."""
    await person.phone.call("block", chat=person.chat)
    await asyncio.sleep(person.random.uniform(*_AWAY))
    await person.phone.call("unblock", chat=person.chat)
    before = person.sight.version
    await person.do(lambda: person.say("/start"), lambda: _told(person, before), "letting imbot in again")


async def _sign_out(person: Person) -> None:
    await person.do(
        lambda: person.say("/me"),
        lambda: person.screen("Что о вас известно") or person.screen("Отвязать этот чат"),
        "looking where to sign out",
    )
    await person.press_until(
        lambda: person.button("Отвязать чат"), lambda: person.screen("Отвязать этот чат"), "signing out"
    )
    # Behind a death the second yes finds nobody signed in, and what it is answered stands in the place of the first answer.
    await person.press_until(
        lambda: person.button("Да, отвязать"), lambda: True if is_out(person) else None, "signing out"
    )


def is_out(person: Person) -> bool:
    """Whether the last thing that the bot said is that somebody has to sign in."""
    screen = person.screen()
    return screen is not None and any(words in screen.text for words in ("ришлите рабочий адрес", "Чат отвязан"))


def _told(person: Person, version: int) -> bool | None:
    """Whether the bot has said anything behind `version`."""
    screen = person.screen()
    return True if screen is not None and screen.version > version else None
