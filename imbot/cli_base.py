"""What all commands share: the --config option, the way to the data base, and how people are named and told things.

Nothing heavy is imported at the top: `imbot --help` must be quick.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer
from typer.core import TyperGroup

from imbot.cli_serving import ODD, printable
from imbot.cli_serving import secrets_of as secrets_of
from imbot.domain.errors import ImbotError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.domain.people import Person

P = ParamSpec("P")
T = TypeVar("T")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The settings; default ./config.toml.", envvar="IMBOT_CONFIG", show_envvar=True
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")]


class Group(TyperGroup):
    """A group of commands. Where an option lacks its value the library has forgotten by whom it was read: it is told, so that the
    usage is shown with the mistake as with any other. Its mistakes are of a private class, known by their `ctx`."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            name = ctx.invoked_subcommand or ""
            if name in self.commands and getattr(error, "ctx", error) is None:
                command = self.commands[name]
                error.ctx = command.context_class(command, info_name=name, parent=ctx)  # type: ignore[attr-defined]
            raise


def settings_of(config: Path | None) -> Settings:
    """The settings, with warnings of libraries kept off the terminal. Raises ConfigError."""
    from imbot import log
    from imbot.config import load

    settings = load(config)
    log.set_up("error", "console", secrets=secrets_of(settings))
    return settings


def database(settings: Settings) -> str:
    """The data base's address. Raises ImbotError where there is none yet, or where it needs `imbot migrate`."""
    from imbot.store.migrate import HEAD, current

    path = settings.general.data_dir / "imbot.db"
    url = f"sqlite:///{path}"
    revision = current(url)
    if revision is None:
        raise ImbotError(f"there is no data base at {path} yet: `imbot run` or `imbot migrate` makes it")
    if revision != HEAD:
        raise ImbotError(f"{path} has the schema {revision}, this imbot needs {HEAD}: `imbot migrate` brings it there")
    return url


def in_store(settings: Settings, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """One transaction, committed when this returns. The service may be running."""
    from imbot.store.db import once

    return once(database(settings), fn, *args, **kwargs)


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what talks to the outside world."""
    from imbot import event_loop

    return event_loop.run(coroutine)


def yes(question: str, *, default: bool = False) -> bool:
    """Asked until it is answered; Enter says `default`. Raises typer.Abort where nobody answers."""
    while True:
        asked = f"{question} [{'Y/n' if default else 'y/N'}]"
        answer = str(typer.prompt(asked, default="", show_default=False)).strip().lower()
        if answer in _ANSWERS:
            return _ANSWERS[answer]
        if not answer:
            return default
        say(f"  {one_line(answer)!r} is neither: answer y (yes) or n (no), Enter says {'y' if default else 'n'}")


def ask_first(question: str) -> None:
    """Go on only where somebody says yes. Raises ImbotError else: nothing was done."""
    try:
        agreed = yes(question)
    except typer.Abort:
        say()  # the cursor stands behind the question
        raise ImbotError("nobody answered, so nothing was done; where nobody can, --yes does it unasked") from None
    if not agreed:
        raise ImbotError("nothing was done")


def one_person(c: Connection, who: str) -> Person:
    """Exactly one person by address or chat id. Raises ImbotError for nobody and for several."""
    from imbot.store import people

    found = people.find_persons(c, who)
    if not found:
        raise ImbotError(f"nobody is known by {who!r}: give a mail address or a chat id as in `imbot user list`")
    if len(found) > 1:
        raise ImbotError(f"{who!r} fits {', '.join(person.address for person in found)}: give the address")
    return found[0]


def no_ticket(what: str) -> ImbotError:
    return ImbotError(
        f"there is no ticket {one_line(what)!r}: `imbot report` lists their numbers, `imbot user show WHO` a person's newest"
    )


def number_of(noun: str, command: str) -> Callable[[str], int]:
    """A parser for IDs as `command` lists them. What is larger than a data base can count is nothing's number."""

    def parse(given: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", given):
            raise ImbotError(f"{one_line(given, 60)!r} is no number: the first column of `imbot {command}` has them")
        if len(given) > len(str(_LARGEST)) + 1 or abs(int(given)) > _LARGEST:
            raise ImbotError(f"there is no {noun} {one_line(given, 40)}: see `imbot {command}`")
        return int(given)

    return parse


def say(text: str = "", *, err: bool = False) -> None:
    """Lines for a terminal, as `printable` has them."""
    typer.echo(printable(text), err=err)


def say_wrapped(text: str) -> None:
    """A line for people: on a terminal it goes on below where it would not fit, further in than it began."""
    width = _columns()
    if not width or len(text) <= width:
        say(text)
        return
    inset = " " * (len(text) - len(text.lstrip()))
    lines = textwrap.wrap(
        text.strip(), max(width, 40), initial_indent=inset, subsequent_indent=f"{inset}    ", break_on_hyphens=False
    )
    for line in lines:
        say(line)


def _columns() -> int:
    """How wide the terminal is; 0 where there is none, as in a pipe, whose lines are never cut in two."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal():
        return int(asked)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def say_json(value: Any) -> None:
    """One line of JSON. What a terminal would obey, or what turns the direction of a line, is escaped in it."""
    typer.echo(ODD.sub(_escaped, json.dumps(value, ensure_ascii=False, default=_plain)))


def say_table(rows: Sequence[Sequence[str]], empty: str) -> None:
    """Columns as wide as their widest cell, the first row as a heading. Where they do not fit a terminal, the wide ones share
    what room there is, and their cells go on below. `empty`: said in place of a heading with nothing below it."""
    if len(rows) == 1:
        say(empty)
        return
    natural = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths = _fitting(natural, _columns())
    for row in rows:
        cells = [
            [cell] if len(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)
            for cell, width in zip(row, widths, strict=True)
        ]
        for line in zip_longest(*cells, fillvalue=""):
            say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _fitting(natural: Sequence[int], most: int) -> list[int]:
    room = most - 2 * (len(natural) - 1)
    if not most or sum(natural) <= room:
        return list(natural)
    widths, left = [0] * len(natural), len(natural)
    for column in sorted(range(len(natural)), key=lambda one: natural[one]):
        widths[column] = min(natural[column], max(room // left, _NARROWEST))
        room, left = room - widths[column], left - 1
    return widths


def shown(moment: datetime | None, settings: Settings) -> str:
    """A moment on the company's clock, "-" for none."""
    return moment.astimezone(settings.general.zone).strftime("%Y-%m-%d %H:%M") if moment else "-"


def one_line(text: str, limit: int = 60) -> str:
    """Text from outside on one line of a terminal: no control characters, cut."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    flat = " ".join(flat.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


_LARGEST = 2**63 - 1  # SQLite's
_NARROWEST = 8  # characters of a column
_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}


def _escaped(odd: re.Match[str]) -> str:
    if odd[0].isprintable():
        return odd[0]
    return "\\u007f" if odd[0] == "\x7f" else json.dumps(odd[0])[1:-1]


def now() -> datetime:
    return datetime.now(UTC)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
