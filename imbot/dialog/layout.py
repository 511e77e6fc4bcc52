"""Rows of buttons within the limits that all channels share: ten buttons in six rows; longer lists are paged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from imbot.dialog.screen import MAX_BUTTONS, MAX_ROWS, Button, Screen
from imbot.dialog.session import Session

Row = tuple[Button, ...]
MENU = Button("menu", "menu")
OLD = "old_button"  # the problem of a screen that is shown again because it does not offer what was pressed


def button(session: Session, name: str, label: str = "", /, **figures: Any) -> Button:
    """A button of this dialog; its label is the word `label`, or `name` itself."""
    return Button(label or name, session.value(name), values=figures)


def literal(session: Session, name: str, text: str) -> Button:
    """A button of this dialog that bears somebody's own words."""
    return Button(text, session.value(name), literal=True)


def paged(
    session: Session, items: Sequence[Button], page: int, tail: Sequence[Row], *, columns: int = 1
) -> tuple[Row, ...]:
    """The items in rows, then `tail`. If they don't fit, one page of them with a row to turn pages (`page:<n>`)."""
    tail = tuple(row for row in tail if row)
    rows, buttons = MAX_ROWS - len(tail), MAX_BUTTONS - sum(map(len, tail))
    if len(items) <= min(rows * columns, buttons):
        return (*_rows(items, columns), *tail)
    size = min(rows - 1, (buttons - 2) // columns) * columns
    last = (len(items) - 1) // size
    page = min(max(page, 0), last)
    turn = []
    if page > 0:
        turn.append(button(session, f"page:{page - 1}", "page_back"))
    if page < last:
        turn.append(button(session, f"page:{page + 1}", "page_on", page=page + 1, pages=last + 1))
    return (*_rows(items[page * size : (page + 1) * size], columns), tuple(turn), *tail)


def row(*buttons: Button | None) -> Row:
    """The buttons that are there."""
    return tuple(each for each in buttons if each is not None)


def old(screen: Screen) -> Screen:
    """The screen shown again, saying why, unless it has something else to say."""
    return screen if screen.values.get("problem") else replace(screen, values={**screen.values, "problem": OLD})


def _rows(items: Sequence[Button], columns: int) -> list[Row]:
    return [tuple(items[start : start + columns]) for start in range(0, len(items), columns)]
