"""A screen in words: text, the parts of it in bold, and the labels of its buttons, within the limits of every channel.

A person's words never become markup: bold is marked in templates by private-use characters that are taken out of every
value first, and leaves here as offsets. Knows no channel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from imbot.dialog.screen import MAX_LABEL, Button, Screen

MAX_UNITS = 4096  # UTF-16 units of a message (core.telegram.org/bots/api#sendmessage)
BOLD_ON, BOLD_OFF = "\ue000", "\ue001"
# C0 and C1 controls but tab and line feed, bidirectional controls, lone surrogates, the private use area
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffc\ud800-\udfff\ue000-\uf8ff]"
)


_MARKS = re.compile(f"([{BOLD_ON}{BOLD_OFF}])")
_FIGURE = re.compile(r"\{([a-z_]+)\}")


class Words(Protocol):
    """The part of `imbot.templates.Templates` that rendering needs."""

    def chat(self, lang: str, screen_name: str, values: Mapping[str, Any]) -> str: ...

    def words(self, lang: str) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class RenderedButton:
    label: str
    value: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """`bold`: (offset, length) in UTF-16 units, in order, not overlapping, not empty."""

    text: str
    bold: tuple[tuple[int, int], ...] = ()
    rows: tuple[tuple[RenderedButton, ...], ...] = ()
    silent: bool = False


def render(screen: Screen, lang: str, templates: Words, *, now: datetime | None = None) -> Rendered:
    """Never longer than a message may be; a text that would be is cut, outside of everything bold. `now`: when it is shown,
    for "today" and "that time has passed", where that is later than when it was built."""
    values = {key: clean_values(value) for key, value in screen.values.items()}
    if now is not None:
        values["now"] = now.isoformat()
    text, bold = _marked(_tidy(templates.chat(lang, screen.name, values)))
    words = templates.words(lang)
    rows = tuple(tuple(RenderedButton(_label(b, words), b.value, b.url) for b in row) for row in screen.rows)
    return Rendered(text or "…", bold, rows, screen.silent)


def clean(text: str) -> str:
    """Without characters that hide, reorder or break what is shown; every kind of line end becomes a line feed."""
    if text.isprintable() and "\ufffc" not in text:  # the one that is unwanted and counts as printable
        return text
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n"))


def clean_values(value: Any) -> Any:
    """Every text in plain JSON cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: clean_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_values(item) for item in value]
    return value


def units(text: str) -> int:
    """The length in UTF-16 units, as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def _tidy(text: str) -> str:
    """No spaces at line ends, no more than one empty line in a row: templates may be written for reading."""
    lines = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines)


def _marked(text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Bold marks taken out and turned into offsets; the text cut to what a message holds."""
    if units(text) > MAX_UNITS:
        text = _cut_marked(text, MAX_UNITS - 1)  # one unit is kept for the ellipsis
    out: list[str] = []
    bold: list[tuple[int, int]] = []
    at, start = 0, None
    for piece in _MARKS.split(text):
        if piece == BOLD_ON:
            start = at
        elif piece == BOLD_OFF:
            if start is not None and at > start:
                bold.append((start, at - start))
            start = None
        else:
            out.append(piece)
            at += units(piece)
    return "".join(out), tuple(bold)


def _cut_marked(text: str, room: int) -> str:
    """At most `room` units and an ellipsis. The cut falls before a bold run that does not fit whole."""
    used, safe = 0, 0  # `safe`: the last index outside of everything bold
    inside = False
    for index, char in enumerate(text):
        if char in (BOLD_ON, BOLD_OFF):
            inside = char == BOLD_ON
            if not inside and used <= room:
                safe = index + 1
            continue
        used += units(char)
        if used > room + 1:
            return text[:safe].rstrip() + "…"
        if not inside and used <= room:
            safe = index + 1
    return text


def _label(button: Button, words: Mapping[str, str]) -> str:
    if button.literal:
        return _one_line(button.label)
    text = words.get(button.label, button.label)
    if "{" not in text:
        return _fixed_label(text)
    # Only plain figures: a label never reaches into its values, and never breaks a screen.
    return _one_line(_FIGURE.sub(lambda found: str(button.values.get(found[1], "")), text))


@lru_cache(maxsize=1024)
def _fixed_label(text: str) -> str:
    """Words of ours; what bears somebody's own is never kept."""
    return _one_line(text)


def _one_line(text: str) -> str:
    text = " ".join(clean(text).split())
    return (text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1].rstrip() + "…") or "…"
