"""Two directories without a server: a TOML file of persons, and "any mailbox of these domains".

The file is read again whenever it changed on disk. A file that became wrong while we run is a directory that is down, with
its mistakes named: nobody is taken for a leaver because of a typing error.
"""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from imbot.domain.errors import ConfigError, DirectoryUnavailable
from imbot.domain.people import Absence, Entry, Role, canonical_address
from imbot.domain.written_files import text_of

_TEXTS = ("name", "phone", "office", "department")
_KEYS = {"address", *_TEXTS, "role", "disabled", "attributes"}

_Persons = Mapping[str, "Entry | Absence"]


class FileDirectory:
    """Persons of a TOML file (see `data/directory.example.toml`). The constructor raises ConfigError for a wrong file."""

    can_recheck = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp, self._persons = _read(path)

    async def look_up(self, address: str) -> Entry | Absence:
        """The one active entry with this address. Raises DirectoryUnavailable if the file cannot be read (any more)."""
        persons = await self._current()
        return persons.get(canonical_address(address) or "", Absence.ABSENT)

    async def check(self) -> str:
        persons = await self._current()
        active = sum(isinstance(found, Entry) for found in persons.values())
        return (
            f"{self._path}: {active} active {'person' if active == 1 else 'persons'}, {len(persons) - active} disabled"
        )

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _current(self) -> _Persons:
        try:
            if _stamp(await asyncio.to_thread(os.stat, self._path)) != self._stamp:
                self._stamp, self._persons = await asyncio.to_thread(_read, self._path)
        except OSError as error:
            raise DirectoryUnavailable(f"{self._path}: cannot be read: {error.strerror or error}") from error
        except ConfigError as error:
            raise DirectoryUnavailable(str(error)) from error
        return self._persons


class DomainDirectory:
    """Whoever reads mail in one of these domains is a person. It knows no names and cannot tell that somebody has left."""

    can_recheck = False

    def __init__(self, domains: Iterable[str]) -> None:
        asked = tuple(domains)
        canonical = {domain: (canonical_address(f"a@{domain}") or "").removeprefix("a@") for domain in asked}
        problems = [f"directory.domains: {domain!r} is no domain" for domain, found in canonical.items() if not found]
        if not asked:
            problems.append("directory.domains: name at least one domain")
        if problems:
            raise ConfigError(problems)
        self._domains = frozenset(canonical.values())

    async def look_up(self, address: str) -> Entry | Absence:
        found = canonical_address(address)
        if found is None or found.rpartition("@")[2] not in self._domains:
            return Absence.ABSENT
        return Entry(found)

    async def check(self) -> str:
        return f"any mailbox of {', '.join(sorted(self._domains))}; leavers cannot be noticed: the mailbox is the only proof"

    async def close(self) -> None:
        """Nothing is kept open."""


def _stamp(stat: os.stat_result) -> tuple[int, int, int]:
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _read(path: Path) -> tuple[tuple[int, int, int], _Persons]:
    """The file's stamp, taken before reading (a change in between is read again), and its persons. Raises ConfigError."""
    try:
        stamp = _stamp(path.stat())
        table = tomllib.loads(text_of(path.read_bytes(), path))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: is no TOML: {error}"]) from error
    problems = [f"{path}: unknown key {key!r}; persons are written as [[person]]" for key in table if key != "person"]
    persons: dict[str, Entry | Absence] = {}
    rows = table.get("person", [])
    if not isinstance(rows, list):
        raise ConfigError([*problems, f"{path}: persons are written as [[person]], with two brackets"])
    for place, row in enumerate(rows, start=1):
        address, found = _person(row, f"{path}: person {place}", problems)
        if address in persons:
            problems.append(f"{path}: person {place}: {address} is there already")
        if address:
            persons[address] = found
    if problems:
        raise ConfigError(problems)
    return stamp, persons


def _person(row: Any, where: str, problems: list[str]) -> tuple[str, Entry | Absence]:
    """Address ("" if unreadable) and what stands for it. Every mistake goes to `problems`."""
    if not isinstance(row, dict):
        problems.append(f"{where}: is no table")
        return "", Absence.ABSENT
    problems.extend(f"{where}: unknown key {key!r}" for key in row if key not in _KEYS)
    written = row.get("address", "")
    address = canonical_address(written) if isinstance(written, str) else None
    if address is None:
        problems.append(f"{where}: address {written!r} is no mail address")
    texts = {key: row.get(key, "") for key in _TEXTS}
    problems.extend(
        f"{where}: {key} must be a text in quotes" for key, text in texts.items() if not isinstance(text, str)
    )
    role, disabled, attributes = row.get("role", "user"), row.get("disabled", False), row.get("attributes", {})
    if role not in [known.value for known in Role]:
        problems.append(f"{where}: role {role!r} is none of {', '.join(known.value for known in Role)}")
        role = Role.USER
    if not isinstance(disabled, bool):
        problems.append(f"{where}: disabled is true or false, without quotes")
    if not isinstance(attributes, dict) or not all(isinstance(text, str) for text in attributes.values()):
        problems.append(f"{where}: attributes must be texts in quotes")
        attributes = {}
    if disabled:
        return address or "", Absence.DISABLED
    entry = Entry(
        address or "", **{key: str(text) for key, text in texts.items()}, role=Role(role), attributes=attributes
    )
    return address or "", entry
