"""What a chat shows and what can be pressed. The words live in `templates/chat/<lang>/<name>.j2`; a screen is a name,
values and buttons, so that tests assert names and values. Knows no channel; keeps the limits that all channels share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_BUTTONS = 10
MAX_ROWS = 6
MAX_LABEL = 40
MAX_VALUE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Button:
    """`value` is what comes back in `Pressed` (<= 64 bytes). `label` names a word of `templates/chat/<lang>/buttons.toml`,
    or, where `literal`, is the text itself (a category, a place, a ticket's title). `url`: opens a link instead (`tel:`
    is not allowed by Telegram)."""

    label: str
    value: str
    literal: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)  # for labels with a figure in them
    url: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """`values` is plain JSON (str, int, float, bool, None, list, dict; moments as ISO 8601 with offset).
    `rows`: the buttons as they stand. `silent`: shown without sound. `retires`: the message in which the dialog stood before
    loses its buttons, they are all old ones now."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[tuple[Button, ...], ...] = ()
    silent: bool = False
    retires: bool = False

    def offers(self, value: str) -> bool:
        """Whether a button of this screen bears `value`."""
        return any(button.value == value for row in self.rows for button in row)


def screen_to_json(screen: Screen) -> dict[str, Any]:
    """Plain JSON that `screen_from_json` reads back unchanged."""
    return {
        "name": screen.name,
        "values": dict(screen.values),
        "silent": screen.silent,
        "rows": [
            [
                {"label": b.label, "value": b.value}
                | ({"literal": True} if b.literal else {})
                | ({"values": dict(b.values)} if b.values else {})
                | ({"url": b.url} if b.url else {})
                for b in row
            ]
            for row in screen.rows
        ],
        **({"retires": True} if screen.retires else {}),
    }


def screen_from_json(data: Mapping[str, Any]) -> Screen:
    """The inverse of `screen_to_json`."""
    return Screen(
        name=data["name"],
        values=data["values"],
        silent=data.get("silent", False),
        retires=data.get("retires", False),
        rows=tuple(
            tuple(
                Button(
                    b["label"],
                    b["value"],
                    literal=b.get("literal", False),
                    values=b.get("values", {}),
                    url=b.get("url", ""),
                )
                for b in row
            )
            for row in data["rows"]
        ),
    )
