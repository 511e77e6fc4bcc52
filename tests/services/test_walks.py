"""People who press whatever stands there and write whatever comes to mind, on a real data base and with real templates: no turn
fails, and what it hands over to be shown is what the chat is owed. The pure dialog is walked in `tests.dialog.test_random`."""

from __future__ import annotations

import random

import pytest

from imbot.config import packed
from imbot.dialog.render import render
from imbot.dialog.screen import screen_from_json
from imbot.domain.chats import Attached, Commanded, Event, FileRef, Pressed, Typed
from imbot.services import delivery
from imbot.store import outbox, people, sessions, tickets
from imbot.templates import Templates
from tests.services.conftest import ANNA, Office

_COMMANDS = ("start", "menu", "newticket", "tickets", "me", "help", "cancel", "unlink")
_WORDS = (
    "Принтер не печатает",
    "отмена",
    "да",
    "нет",
    "5",
    "Офис 2",
    "новая заявка",
    "мои заявки",
    "спасибо",
    "",
    "12-34",
)


@pytest.mark.parametrize("seed", range(6))
def test_a_walk_of_pressing_and_writing_fails_nowhere(office: Office, seed: int) -> None:
    chance = random.Random(seed)
    templates = Templates((packed("templates"),), office.env.zone, forgiving=False)
    office.link()
    office.command("menu")
    seen: set[str] = set()
    for step in range(250):
        office.later(seconds=chance.choice((1, 1, 1, 40, 4000)))
        taken = office.take(ANNA, _something(office, chance, step))
        slot = sessions.slot(office.c, ANNA.key)
        if taken.owed is not None:
            assert taken.owed[0] == sessions.owed_to(office.c, ANNA.key)
        if slot is not None and slot.screen:
            seen.add(str(slot.screen["name"]))
            row = people.see_chat(office.c, ANNA, "ru", office.now)
            assert render(screen_from_json(slot.screen), row.lang or "ru", templates, now=office.now).text
            sessions.shown(
                office.c, ANNA.key, slot.seq, chance.choice((f"m{step}", slot.message_id or "m")), office.now
            )
        if people.person_of_chat(office.c, ANNA.key) is None:
            office.link()
        _world(office)
    assert len(seen) >= 12, seen


def _something(office: Office, chance: random.Random, step: int) -> Event:
    slot = sessions.slot(office.c, ANNA.key)
    buttons = [one for row in slot.screen["rows"] for one in row if one["value"]] if slot and slot.screen else []
    if buttons and chance.random() < 0.75:
        return Pressed(chance.choice(buttons)["value"], slot.message_id if slot else "")
    what = chance.random()
    if what < 0.3:
        return Commanded(chance.choice(_COMMANDS))
    if what < 0.45:
        return Attached(FileRef(f"v{step}", f"u{step}", "photo.jpg", 1000, "image/jpeg", "photo"), "", f"u{step}")
    return Typed(chance.choice(_WORDS), f"u{step}")


def _world(office: Office) -> None:
    """Letters are taken by the mail server as they come, so that tickets get along."""
    for parcel in office.due("smtp"):
        if parcel.kind == "letter" and tickets.get(office.c, parcel.payload["ticket"]):
            delivery.letter_accepted(office.c, parcel, "250 ok", office.now, office.env)
        else:
            outbox.settle(office.c, parcel, "done", office.now)
