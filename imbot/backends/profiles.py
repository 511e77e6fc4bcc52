"""Profiles: one ITSM's mail habits as data, read from `templates/mail/<profile>/profile.toml`.

A profile says by what a letter is known (senders, fingerprints), how a number looks and where it stands, which words mean
which status, which values can be lifted, where quoted text begins, and how our letters are bound. No letter is read here:
that is `imbot.backends.mail`. Every mistake of a file is named at once, with its key and the reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from imbot.backends.patterns import BadPattern, Pattern, compile_pattern
from imbot.domain.errors import ConfigError
from imbot.domain.tickets import Status

_T = TypeVar("_T")
PLACES = ("subject", "body", "any")
FIELD_NAMES = ("promised", "solution", "question", "comment", "assignee", "author", "rating_link")
TOKEN_PLACES = ("subject", "body", "both")


@dataclass(frozen=True, slots=True)
class Anchor:
    """Words that mean a status. `status` None: the letter is known, but moves nothing (a comment, a staff letter)."""

    status: Status | None
    where: str  # subject | body | any (subject first)
    any: tuple[Pattern, ...]
    unless: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Lift:
    """A value to lift. It begins behind `pattern` (or is its first group) and runs to the first match of `until`, by
    default to the end of its line. `drop`: patterns that are cut out of it. `kind`: text | datetime (`formats`: strptime).
    `statuses`: only with these (empty: with any)."""

    name: str
    pattern: Pattern
    kind: str = "text"
    formats: tuple[str, ...] = ()
    until: tuple[Pattern, ...] = ()
    drop: tuple[Pattern, ...] = ()
    statuses: tuple[Status, ...] = ()
    where: str = "body"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A header that only this system writes: its name, and a pattern for its value (None: any value)."""

    header: str
    pattern: Pattern | None


@dataclass(frozen=True, slots=True)
class Profile:
    """One ITSM's habits. `senders` come from the settings (`a@b.ru`, or `*@b.ru`), the rest from the profile's file."""

    name: str
    title: str = ""
    language: str = "ru"
    senders: tuple[str, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    numbers: tuple[Pattern, ...] = ()
    numbers_in: tuple[str, ...] = ("subject", "body")
    number_shown: str = "{n}"
    number_subject: str = "{number}"  # how our follow-up letters bear it, verbatim
    anchors: tuple[Anchor, ...] = ()
    lifts: tuple[Lift, ...] = ()
    separators: tuple[Pattern, ...] = ()
    registers: bool = True
    threads_by_message_id: bool = False
    token_place: str = "both"  # noqa: S105 - a place in a letter, no secret
    confirmed: bool = True  # False: no source confirms the wording

    def show_number(self, found: str) -> str:
        """The number as people and letters write it: `1042` -> `IM-CL-1042`."""
        return self.number_shown.replace("{n}", found.upper())

    @property
    def waits_for_number(self) -> bool:
        """Whether follow-up letters wait until the ITSM has given a number: without it they would open second calls."""
        return self.registers and not self.threads_by_message_id


class _Reader:
    """One file's mistakes, gathered while its keys are taken out; what is left over at the end is a typo."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.source = source
        self.problems: list[str] = []

    def problem(self, key: str, reason: str, quoted: str = "") -> None:
        line = self._line_of(quoted)
        place = f"{self.file}:{line}" if line else self.file
        self.problems.append(f"{place}: {key}: {reason}")

    def _line_of(self, quoted: str) -> int:
        if not quoted:
            return 0
        for number, line in enumerate(self.source.splitlines(), 1):
            if quoted in line or quoted.replace("\\", "\\\\") in line:
                return number
        return 0

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


_TOP = (
    "name", "title", "language", "registers", "threads_by_message_id", "token_place", "confirmed", "number",
    "fingerprint", "status", "field", "separators",
)  # fmt: skip


def load_profile(folder: Path) -> Profile:
    """The profile that `folder` describes. Raises `ConfigError` that names every mistake with file, key and reason."""
    path = folder / "profile.toml"
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    return parse_profile(source, str(path), folder.name)


def load_profiles(folders: list[Path]) -> dict[str, Profile]:
    """Every profile below `folders` (each holds one folder per profile); of two with one name the first wins."""
    profiles: dict[str, Profile] = {}
    problems: list[str] = []
    for root in folders:
        for path in sorted(root.glob("*/profile.toml")):
            if path.parent.name in profiles:
                continue
            try:
                profiles[path.parent.name] = load_profile(path.parent)
            except ConfigError as error:
                problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return profiles


def parse_profile(source: str, file: str = "profile.toml", name: str = "") -> Profile:
    """The same from text. `name` is that of the folder, where the file does not say another."""
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}: not TOML: {error}"]) from error
    reader = _Reader(file, source)
    reader.known(table, "", _TOP)
    profile = _profile(reader, table, name)
    if reader.problems:
        raise ConfigError(reader.problems)
    return profile


def _profile(reader: _Reader, table: dict[str, Any], name: str) -> Profile:
    number = table.get("number", {})
    if not isinstance(number, dict):
        reader.problem("number", "must be a table: write [number]")
        number = {}
    reader.known(number, "number.", ("patterns", "where", "shown", "subject"))
    numbers = reader.patterns(number, "number.", "patterns")
    for pattern in numbers:
        if pattern.groups < 1:
            reader.problem(
                "number.patterns", f"{pattern.source!r} has no group; put the number in (...)", pattern.source
            )
    where = reader.texts(number, "number.", "where", ("subject", "body"))
    for place in where:
        if place not in ("subject", "body"):
            reader.problem("number.where", f"is {place!r}; must be subject or body", place)
    return Profile(
        name=reader.text(table, "", "name", name) or name,
        title=reader.text(table, "", "title"),
        language=reader.choice(table, "", "language", ("ru", "en"), "ru"),
        fingerprints=_each(reader, table, "fingerprint", _fingerprint),
        numbers=numbers,
        numbers_in=where,
        number_shown=_with(reader, number, "shown", "{n}"),
        number_subject=_with(reader, number, "subject", "{number}"),
        anchors=_each(reader, table, "status", _anchor),
        lifts=_each(reader, table, "field", _lift),
        separators=reader.patterns(table, "", "separators"),
        registers=reader.flag(table, "", "registers", True),
        threads_by_message_id=reader.flag(table, "", "threads_by_message_id", False),
        token_place=reader.choice(table, "", "token_place", TOKEN_PLACES, "both"),
        confirmed=reader.flag(table, "", "confirmed", True),
    )


def _with(reader: _Reader, table: Mapping[str, Any], name: str, holder: str) -> str:
    value = reader.text(table, "number.", name, holder)
    if holder not in value:
        reader.problem(f"number.{name}", f"must contain {holder}", value)
    return value


def _each(
    reader: _Reader, table: Mapping[str, Any], name: str, make: Callable[[_Reader, str, dict[str, Any]], _T | None]
) -> tuple[_T, ...]:
    made = (make(reader, key, item) for key, item in reader.tables(table, name))
    return tuple(item for item in made if item is not None)


def _fingerprint(reader: _Reader, key: str, item: dict[str, Any]) -> Fingerprint | None:
    reader.known(item, key, ("header", "pattern"))
    header = reader.text(item, key, "header")
    if not header:
        reader.problem(f"{key}header", "is missing")
        return None
    source = reader.text(item, key, "pattern")
    return Fingerprint(header, reader.pattern(f"{key}pattern", source) if source else None)


def _status(reader: _Reader, key: str, name: str) -> Status | None:
    try:
        return Status(name)
    except ValueError:
        reader.problem(f"{key}", f"unknown status {name!r}; known are {', '.join(Status)}, comment", name)
        return None


def _anchor(reader: _Reader, key: str, item: dict[str, Any]) -> Anchor | None:
    reader.known(item, key, ("status", "where", "any", "unless"))
    name = reader.text(item, key, "status")
    status = None if name == "comment" else _status(reader, f"{key}status", name)
    patterns = reader.patterns(item, key, "any")
    if not item.get("any"):
        reader.problem(f"{key}any", "is missing: say by which patterns the status is known")
    where = reader.choice(item, key, "where", PLACES, "subject")
    return Anchor(status, where, patterns, reader.patterns(item, key, "unless"))


def _lift(reader: _Reader, key: str, item: dict[str, Any]) -> Lift | None:
    reader.known(item, key, ("name", "pattern", "kind", "formats", "until", "drop", "statuses", "where"))
    pattern = reader.pattern(f"{key}pattern", reader.text(item, key, "pattern"))
    kind = reader.choice(item, key, "kind", ("text", "datetime"), "text")
    formats = reader.texts(item, key, "formats")
    if kind == "datetime" and not formats:
        reader.problem(f"{key}formats", "is missing: say how the moment is written, e.g. '%d.%m.%Y %H:%M:%S'")
    name = reader.choice(item, key, "name", FIELD_NAMES, "comment")
    statuses = tuple(_status(reader, f"{key}statuses", text) for text in reader.texts(item, key, "statuses"))
    until, drop = reader.patterns(item, key, "until"), reader.patterns(item, key, "drop")
    where = reader.choice(item, key, "where", ("subject", "body"), "body")
    if pattern is None:
        return None
    known = tuple(status for status in statuses if status is not None)
    return Lift(name, pattern, kind, formats, until, drop, known, where)
