"""How an employee signs in: the address, the code from the letter that really came, and once more where that failed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.fire.journal import Tail
from tests.fire.persons import GaveUp, Person

_CODE = re.compile(r"\b([A-Z2-7]{4})[ -]?([A-Z2-7]{4})\b")


class Codes:
    """The codes in the sink's journal, by the address that they were sent to."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)
        self._by_address: dict[str, list[str]] = {}

    def of(self, address: str) -> list[str]:
        """Oldest first."""
        for event in self._tail.new():
            found = _CODE.search(event["text"]) if event["e"] == "accepted" and "Код" in event["subject"] else None
            for rcpt in event["rcpt"] if found else ():
                self._by_address.setdefault(rcpt.lower(), []).append(found[1] + found[2] if found else "")
        return self._by_address.get(address.lower(), [])


async def sign_in(person: Person, address: str, codes: Codes) -> None:
    """Until the bot says that the person is in. Raises GaveUp."""
    deadline = asyncio.get_running_loop().time() + person.patience.whole
    tried: set[str] = set()
    while asyncio.get_running_loop().time() < deadline:
        screen = person.screen()
        text = screen.text if screen else ""
        if "Вход выполнен" in text or (screen is not None and screen.button("Новая заявка")):
            return
        version = screen.version if screen else 0
        fresh = [one for one in codes.of(address) if one not in tried]
        if "код уже идёт" in text and not fresh:
            await person.until(lambda: codes.of(address)[len(tried) :] or None, 1.0)
            continue
        if "код уже идёт" in text or ("Код не подошёл" in text and fresh):
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
