"""Tables of a TOML file that an admin wrote: keys are taken out one by one, and every mistake is kept with its line, its key
and the reason, so that all are told at once. What the keys mean is not known here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from imbot.backends.patterns import BadPattern, Pattern, compile_pattern

_TABLE = re.compile(r"[ \t]*(\[\[?)[ \t]*([A-Za-z0-9_-]+)[ \t]*\]")
_KEY = re.compile(r"[ \t]*[\"']?([A-Za-z0-9_-]+)[\"']?[ \t]*=")
_A_HEADER = re.compile(r"header:[A-Za-z0-9-]{1,76}")


class TableReader:
    """One file's mistakes, gathered while its keys are taken out; what is left over at the end is a typo."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.source = source
        self.problems: list[str] = []

    def problem(self, key: str, reason: str, quoted: str = "") -> None:
        line = self._line_of(key, quoted)
        place = f"{self.file}:{line}" if line else self.file
        self.problems.append(f"{place}: {key}: {reason}")

    def _line_of(self, key: str, quoted: str) -> int:
        """Where `quoted` stands behind its own key, else where the key does, else the first line that has it; 0: nowhere."""
        table, name = _place_of(key)
        of_key = [number for number, (where, what, _) in enumerate(self._lines, 1) if (where, what) == (table, name)]
        shown = (quoted, quoted.replace("\\", "\\\\"))
        for number in (of_key or range(1, len(self._lines) + 1)) if quoted else ():
            if any(words in self._lines[number - 1][2] for words in shown):
                return number
        return of_key[0] if of_key else 0

    @cached_property
    def _lines(self) -> list[tuple[str, str, str]]:
        """(table with its index, key, text) of each line; a line that goes on has the key that it began with."""
        found: list[tuple[str, str, str]] = []
        counts: Counter[str] = Counter()
        table = name = ""
        for line in self.source.splitlines():
            if head := _TABLE.match(line):
                counts[head[2]] += 1
                table, name = f"{head[2]} {counts[head[2]]}" if head[1] == "[[" else head[2], ""
            elif key := _KEY.match(line):
                name = key[1]
            found.append((table, name, line))
        return found

    def known(self, table: Mapping[str, Any], key: str, names: tuple[str, ...]) -> None:
        for name in table:
            if name not in names:
                self.problem(f"{key}{name}", f"unknown key; known are {', '.join(names)}", name)

    def text(self, table: Mapping[str, Any], key: str, name: str, default: str = "") -> str:
        value = table.get(name, default)
        if not isinstance(value, str):
            self.problem(f"{key}{name}", "must be a text")
            return default
        return value

    def flag(self, table: Mapping[str, Any], key: str, name: str, default: bool) -> bool:
        value = table.get(name, default)
        if not isinstance(value, bool):
            self.problem(f"{key}{name}", "must be true or false")
            return default
        return value

    def texts(self, table: Mapping[str, Any], key: str, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = table.get(name, list(default))
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problem(f"{key}{name}", "must be a text or a list of texts")
            return default
        return tuple(value)

    def place(self, table: Mapping[str, Any], key: str, name: str, places: tuple[str, ...], default: str) -> str:
        """One of `places`, or `header:<name of a header>`."""
        value = self.text(table, key, name, default)
        return value if self.is_place(f"{key}{name}", value, places) else default

    def places(self, table: Mapping[str, Any], key: str, name: str, places: tuple[str, ...]) -> tuple[str, ...]:
        values = self.texts(table, key, name)
        return tuple(value for value in values if self.is_place(f"{key}{name}", value, places))

    def is_place(self, key: str, value: str, places: tuple[str, ...]) -> bool:
        if value in places or _A_HEADER.fullmatch(value):
            return True
        self.problem(key, f"is {value!r}; must be one of {', '.join(places)}, header:<name of a header>", value)
        return False

    def choice(self, table: Mapping[str, Any], key: str, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(table, key, name, default)
        if value not in choices:
            self.problem(f"{key}{name}", f"is {value!r}; must be one of {', '.join(choices)}", value)
            return default
        return value

    def pattern(self, key: str, source: str) -> Pattern | None:
        try:
            return compile_pattern(source)
        except BadPattern as error:
            self.problem(key, f"{error} in {source!r}", source)
            return None

    def patterns(self, table: Mapping[str, Any], key: str, name: str) -> tuple[Pattern, ...]:
        found = (self.pattern(f"{key}{name}", source) for source in self.texts(table, key, name))
        return tuple(pattern for pattern in found if pattern is not None)

    def tables(self, table: Mapping[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
        value = table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.problem(name, f"must be a list of tables: write [[{name}]]")
            return []
        return [(f"{name} {index}: ", item) for index, item in enumerate(value, 1)]

    def table(self, table: Mapping[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, Any]:
        """The table `[name]`, empty where there is none."""
        value = table.get(name, {})
        if not isinstance(value, dict):
            self.problem(name, f"must be a table: write [{name}]")
            return {}
        self.known(value, f"{name}.", keys)
        return value


def _place_of(key: str) -> tuple[str, str]:
    """(table, key in it): `status 2: near`, `number.subject`, `number.patterns: where` (within the value), `name`."""
    table, colon, name = key.partition(": ")
    if colon and "." not in table:
        return table, name
    table, dot, name = table.partition(".")
    return (table, name) if dot else ("", table)
