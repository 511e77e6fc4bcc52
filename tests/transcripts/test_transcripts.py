"""Conversations as text files: every `*.txt` in this folder is played through `advance`. A new case is a new file.

# words              a comment
set KEY VALUE        before the talk: unlinked, consent, one_open, lang, page_size, max_files, nophone, nooffice, last
ticket ID STATUS [NUMBER] TITLE      a ticket that exists (`!ID`: somebody else's)
> words              typed (`\\u200b`: that character); message ids count 1, 2, 3 ... over all that is sent
> /command [arg]     a command
> [name]             a button of this dialog; `[t:ID]`, `[menu]` ... a durable one; `[old:name]` one of an older dialog
> photo|file|voice ID [SIZE] [caption ...]       `file a.pdf`; a size such as 38MB; `album=7` puts it into an album
> edit N words       the message number N reads otherwise now
> sticker            or: contact words
> reply ID: words    a reply to the notice of that ticket
@ +25h               time passes
status ID STATUS     the far end moved the ticket
< screen key=value   what is shown and some of its values (`held.0.reason=type`); `< -` nothing new is shown
[] name, name        the buttons of that screen in their order, without tokens
! Order key=value    ordered by the last event; `! none` nothing was
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from imbot.dialog.screen import MAX_BUTTONS, MAX_ROWS, MAX_VALUE_BYTES, Screen
from imbot.domain.chats import Attached, Commanded, Edited, Event, FileRef, Pressed, Shared, Typed
from tests.dialog.world import Ticket, World

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.txt"))
_DURABLE = re.compile(r"(t|add|wd|rs|rate|ns|later|new|my):.*|menu")


class Play:
    def __init__(self) -> None:
        self.world = World()
        self.messages = 0
        self.turn: Any = None
        self.old_token = "zzzz"

    def line(self, line: str) -> None:
        mark, _, rest = line.partition(" ")
        rest = rest.strip()
        match mark:
            case "set":
                self.set(rest)
            case "ticket":
                self.ticket(rest)
            case "status":
                name, status = rest.split()
                self.world.tickets[name].status = status
                self.world.tickets[name].resolved_at = self.world.now if status == "resolved" else None
            case "@":
                self.world.now += timedelta(hours=float(rest.strip("+h")))
            case ">":
                self.old_token = self.world.session.token or self.old_token
                self.turn = self.world.take(self.event(rest))
                check_limits(self.turn.screen)
            case "<":
                self.expect_screen(rest)
            case "[]":
                assert [short(b.value) for row in self.turn.screen.rows for b in row] == [
                    n.strip() for n in rest.split(",")
                ]
            case "!":
                self.expect_order(rest)
            case _:
                raise AssertionError(f"not a line of a transcript: {line}")

    def set(self, rest: str) -> None:
        key, _, value = rest.partition(" ")
        world = self.world
        match key:
            case "unlinked":
                world.person = None
            case "limited":
                world.looked_up = False
            case "consent":
                world.settings = replace(world.settings, consent=True)
            case "one_open":
                world.settings = replace(world.settings, one_open_ticket=True)
            case "page_size" | "max_files" | "max_text":
                figure: dict[str, Any] = {key: int(value)}
                world.settings = replace(world.settings, **figure)
            case "refused":
                world.settings = replace(world.settings, refused_types=frozenset(value.split()))
            case "contact":
                world.settings = replace(world.settings, support_contact=value)
            case "nooffice":
                world.person = replace(world.person or world.directory, office="")
                world.directory = replace(world.directory, office="")
            case "office":
                world.person = replace(world.person or world.directory, office=value)
            case "last":
                place, _, text = value.partition(" ")
                world.last_location = (place, text)
            case _:
                world.lang = value

    def ticket(self, rest: str) -> None:
        ticket, status, *words = shlex.split(rest)
        mine, ticket = not ticket.startswith("!"), ticket.lstrip("!")
        number = words.pop(0) if words and words[0].startswith("IM") else ""
        self.world.tickets[ticket] = Ticket(
            ticket, " ".join(words), number, status, mine, self.world.now - timedelta(hours=len(self.world.tickets))
        )

    def event(self, text: str) -> Event:
        if text.startswith("["):
            return Pressed(self.value(text.strip("[]")))
        if text.startswith("/"):
            command, _, argument = text[1:].partition(" ")
            return Commanded(command, argument)
        head, _, rest = text.partition(" ")
        if head == "edit":
            number, _, words = rest.partition(" ")
            return Edited(words, f"m{number}")
        self.messages += 1
        message = f"m{self.messages}"
        if head in ("photo", "file", "voice"):
            return self.attached(head, rest, message)
        if head in ("sticker", "contact", "poll"):
            return Shared(head, rest, message_id=message)
        if head == "reply":
            self.world.replied, _, text = rest.partition(": ")
        return Typed(re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text), message)

    def attached(self, kind: str, rest: str, message: str) -> Attached:
        unique, *words = rest.split(" ")
        size, album = 1000, ""
        if words and re.fullmatch(r"\d+MB", words[0]):
            size = int(words.pop(0)[:-2]) * 1024 * 1024
        if words and words[0].startswith("album="):
            album = words.pop(0)[6:]
        known = {"photo": ("photo", ""), "file": ("document", unique), "voice": ("voice", "")}[kind]
        file = FileRef(f"v-{unique}", unique, known[1], size, kind=known[0])
        return Attached(file, " ".join(words), message, album)

    def value(self, name: str) -> str:
        if name == "same":  # the very button that was pressed before
            return str(self.world.session.data.get("done", ""))
        if name.startswith("old:"):
            return f"{self.old_token}x:{name[4:]}"
        return name if _DURABLE.fullmatch(name) else self.world.session.value(name)

    def expect_screen(self, rest: str) -> None:
        wanted, *values = shlex.split(rest)
        screen = self.turn.screen
        if wanted == "-":
            assert screen is None
            return
        assert screen is not None, "nothing new was shown"
        assert screen.name == wanted
        for pair in values:
            key, _, value = pair.partition("=")
            assert str(dig(screen.values, key)) == value.replace("\\n", "\n"), f"{key} of {screen.name}"

    def expect_order(self, rest: str) -> None:
        wanted, *values = shlex.split(rest)
        if wanted == "none":
            assert self.world.orders == []
            return
        found = [order for order in self.world.orders if type(order).__name__ == wanted]
        assert found, f"no {wanted} among {self.world.orders}"
        for pair in values:
            key, _, value = pair.partition("=")
            assert value.replace("\\n", "\n") in [str(dig(order, key)) for order in found], (key, found)


def dig(thing: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(thing, list | tuple):
            thing = thing[int(key)]
        else:
            thing = thing[key] if isinstance(thing, dict) else getattr(thing, key)
    return thing


def short(value: str) -> str:
    return value if _DURABLE.fullmatch(value) else value.partition(":")[2]


def check_limits(screen: Screen | None) -> None:
    if screen is None:
        return
    buttons = [button for row in screen.rows for button in row]
    assert len(buttons) <= MAX_BUTTONS
    assert len(screen.rows) <= MAX_ROWS
    assert all(screen.rows)
    assert all(0 < len(button.value.encode()) <= MAX_VALUE_BYTES for button in buttons)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_conversation_goes_as_written(path: Path) -> None:
    play = Play()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                play.line(line.strip())
            except Exception as error:
                raise AssertionError(f"{path.name}:{number}: {line}\n{error}") from error
