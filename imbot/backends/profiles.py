"""Profiles read from `templates/mail/<profile>/profile.toml`. Every mistake of a file is named at once, with its line, its key
and the reason. What a profile is: `imbot.backends.profile`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from imbot.backends.profile import (
    HEADER,
    Anchor,
    EvidenceHint,
    Fingerprint,
    Lift,
    NumberPattern,
    Profile,
    has_hole,
)
from imbot.backends.tables import TableReader
from imbot.domain.errors import ConfigError
from imbot.domain.folder_names import WHAT_IT_MAY_BE, is_folder_name
from imbot.domain.tickets import Status
from imbot.domain.written_files import text_of

__all__ = [
    "Anchor", "EvidenceHint", "Fingerprint", "Lift", "NumberPattern", "Profile", "load_profile", "load_profiles", "parse_profile",
]  # fmt: skip

_T = TypeVar("_T")
NUMBER_PLACES = ("subject", "body")
ANCHOR_PLACES = ("subject", "body", "any", "together")
LIFT_PLACES = ("subject", "body", "whole")
FINGERPRINT_PLACES = ("subject", "body")
FIELD_NAMES = ("promised", "solution", "question", "comment", "assignee", "author", "rating_link", "watermark")
TOKEN_PLACES = ("subject", "body", "both")
_MOVES_NOTHING = ("comment", "none")  # told as words of support; told to nobody
NEAR = ("text", "line", "sentence")
EVIDENCE = ("", "auth-results", "trusted-relay", "exchange-internal", "sender-only")  # kinds of `EvidenceSettings`
_DIRECTIVES = frozenset("aAwdbBmyYHIMpSfzZjUWcxXGuV%")  # those that `strptime` reads
_A_MOMENT = datetime(2026, 11, 23, 18, 4, 5, tzinfo=UTC)
_TOP = (
    "name", "title", "language", "registers", "threads_by_message_id", "token_place", "confirmed", "number",
    "fingerprint", "status", "field", "separators", "evidence",
)  # fmt: skip


def load_profile(folder: Path) -> Profile:
    """The profile that `folder` describes. Raises `ConfigError` that names every mistake with file, key and reason."""
    path = folder / "profile.toml"
    try:
        source = text_of(path.read_bytes(), path)
    except OSError as error:
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
    reader = TableReader(file, source)
    reader.known(table, "", _TOP)
    profile = _profile(reader, table, name)
    if reader.problems:
        raise ConfigError(reader.problems)
    return profile


def _profile(reader: TableReader, table: dict[str, Any], name: str) -> Profile:
    number = reader.table(table, "number", ("patterns", "where", "shown", "subject"))
    return Profile(
        name=_name(reader, table, name),
        title=reader.text(table, "", "title"),
        language=reader.choice(table, "", "language", ("ru", "en"), "ru"),
        fingerprints=_each(reader, table, "fingerprint", _fingerprint),
        numbers=_numbers(reader, number),
        number_shown=_shown(reader, number),
        number_subject=_in_subject(reader, number),
        anchors=_each(reader, table, "status", _anchor),
        lifts=_each(reader, table, "field", _lift),
        separators=reader.patterns(table, "", "separators"),
        registers=reader.flag(table, "", "registers", True),
        threads_by_message_id=reader.flag(table, "", "threads_by_message_id", False),
        token_place=reader.choice(table, "", "token_place", TOKEN_PLACES, "both"),
        evidence=_evidence(reader, reader.table(table, "evidence", ("kind", "why"))),
        confirmed=reader.flag(table, "", "confirmed", True),
    )


def _name(reader: TableReader, table: Mapping[str, Any], usual: str) -> str:
    """It names a folder as well."""
    name = reader.text(table, "", "name") or usual
    if "name" in table and not is_folder_name(name):
        reader.problem("name", f"{name!r} cannot be the name of a profile: {WHAT_IT_MAY_BE}", name)
    return name


def _numbers(reader: TableReader, number: Mapping[str, Any]) -> tuple[NumberPattern, ...]:
    """Each entry is a pattern, or a table with a pattern and places of its own."""
    usual = reader.places(number, "number.", "where", NUMBER_PLACES) or NUMBER_PLACES
    entries = number.get("patterns", [])
    entries = [entries] if isinstance(entries, str) else entries
    if not isinstance(entries, list) or not all(isinstance(entry, str | dict) for entry in entries):
        reader.problem("number.patterns", "must be a list of texts, or of tables with pattern and where")
        return ()
    made: list[NumberPattern] = []
    for entry in entries:
        item = {"pattern": entry} if isinstance(entry, str) else entry
        reader.known(item, "number.patterns: ", ("pattern", "where"))
        pattern = reader.pattern("number.patterns", reader.text(item, "number.patterns: ", "pattern"))
        places = reader.places(item, "number.patterns: ", "where", NUMBER_PLACES) or usual
        if pattern is not None and not set(range(1, pattern.groups + 1)) - {pattern.group_of("tag")}:
            reader.problem(
                "number.patterns", f"{pattern.source!r} has no group; put the number in (...)", pattern.source
            )
        elif pattern is not None:
            made.append(NumberPattern(pattern, places))
    return tuple(made)


def _shown(reader: TableReader, number: Mapping[str, Any]) -> str:
    value = reader.text(number, "number.", "shown", "{n}")
    if not has_hole(value):
        reader.problem("number.shown", "must contain {n}, or {n:07} where zeros are part of the number", value)
    return value


def _in_subject(reader: TableReader, number: Mapping[str, Any]) -> tuple[str, ...]:
    values = reader.texts(number, "number.", "subject", ("{number}",))
    for value in values:
        if "{number}" not in value and "{tag}" not in value:
            reader.problem("number.subject", "must contain {number} or {tag}", value)
    return values


def _evidence(reader: TableReader, item: Mapping[str, Any]) -> EvidenceHint:
    kind = reader.choice(item, "evidence.", "kind", EVIDENCE, "")
    return EvidenceHint(kind, reader.text(item, "evidence.", "why"))


def _each(
    reader: TableReader,
    table: Mapping[str, Any],
    name: str,
    make: Callable[[TableReader, str, dict[str, Any]], _T | None],
) -> tuple[_T, ...]:
    made = (make(reader, key, item) for key, item in reader.tables(table, name))
    return tuple(item for item in made if item is not None)


def _fingerprint(reader: TableReader, key: str, item: dict[str, Any]) -> Fingerprint | None:
    reader.known(item, key, ("header", "where", "pattern"))
    header = reader.text(item, key, "header")
    place = f"{HEADER}{header}" if header else reader.place(item, key, "where", FINGERPRINT_PLACES, "")
    if not header and "where" not in item:
        reader.problem(f"{key}header", "is missing: name a header, or say where (subject, body)")
        return None
    source = reader.text(item, key, "pattern")
    if not source and not place.startswith(HEADER):
        reader.problem(f"{key}pattern", "is missing: any text would do")
        return None
    return Fingerprint(place, reader.pattern(f"{key}pattern", source) if source else None)


def _status(reader: TableReader, key: str, name: str, more: str) -> Status | None:
    try:
        return Status(name)
    except ValueError:
        reader.problem(f"{key}", f"unknown status {name!r}; known are {', '.join(Status)}, {more}", name)
        return None


def _anchor(reader: TableReader, key: str, item: dict[str, Any]) -> Anchor | None:
    reader.known(item, key, ("status", "where", "any", "unless", "near", "beside"))
    name = reader.text(item, key, "status")
    status = None if name in _MOVES_NOTHING else _status(reader, f"{key}status", name, ", ".join(_MOVES_NOTHING))
    patterns = reader.patterns(item, key, "any")
    if not item.get("any"):
        reader.problem(f"{key}any", "is missing: say by which patterns the status is known")
    where = reader.place(item, key, "where", ANCHOR_PLACES, "subject")
    near = reader.choice(item, key, "near", NEAR, "text")
    unless, beside = reader.patterns(item, key, "unless"), reader.patterns(item, key, "beside")
    return Anchor(status, where, patterns, unless, near, silent=name == "none", beside=beside)


def _lift(reader: TableReader, key: str, item: dict[str, Any]) -> Lift | None:
    reader.known(item, key, ("name", "pattern", "kind", "formats", "until", "drop", "statuses", "where", "last"))
    pattern = reader.pattern(f"{key}pattern", reader.text(item, key, "pattern"))
    kind = reader.choice(item, key, "kind", ("text", "datetime"), "text")
    formats = reader.texts(item, key, "formats")
    if kind == "datetime" and not formats:
        reader.problem(f"{key}formats", "is missing: say how the moment is written, e.g. '%d.%m.%Y %H:%M:%S'")
    for form in formats:
        if reason := _bad_format(form):
            reader.problem(f"{key}formats", f"{form!r} {reason}", form)
    name = reader.choice(item, key, "name", FIELD_NAMES, "comment")
    names = reader.texts(item, key, "statuses")
    statuses = [(None if each == "none" else _status(reader, f"{key}statuses", each, "none")) for each in names]
    if pattern is None:
        return None
    return Lift(
        name,
        pattern,
        kind,
        formats,
        until=reader.patterns(item, key, "until"),
        drop=reader.patterns(item, key, "drop"),
        statuses=tuple(statuses),
        where=reader.place(item, key, "where", LIFT_PLACES, "body"),
        last=reader.flag(item, key, "last", name == "watermark"),
    )


def _bad_format(form: str) -> str:
    """Why no moment can be read by it, "" where one can."""
    unknown = next((each for each in re.findall(r"(?s)%(.?)", form) if each not in _DIRECTIVES), None)
    if unknown is not None:
        return f"has %{unknown}, which means nothing: write e.g. '%d.%m.%Y %H:%M:%S'"
    try:
        read = datetime.strptime(_A_MOMENT.strftime(form), form)
    except (ValueError, re.error) as error:  # a directive twice is no regular expression
        return f"cannot be read: {error}"
    return "" if read.date() == _A_MOMENT.date() else "does not say day, month and year, e.g. '%d.%m.%Y'"
