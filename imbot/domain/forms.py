"""The catalogue of requests and the list of places, as data: what can be asked for, and what has to be known for it.
Read from plain dicts (of TOML); every mistake is named with its place. "Other / I don't know" is the dialog's, not ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from imbot.domain.errors import ConfigError

FIELD_KINDS = ("text", "choice", "phone", "date")
MAX_LABEL = 60
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}")  # travels in a button's value, in the session and in the data base
_LANGUAGE = re.compile(r"[a-z]{2,3}")
Label = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice:
    key: str
    label: Label


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form. `kind`: text, choice, phone, date. `choices` only for a choice."""

    key: str
    label: Label
    kind: str = "text"
    required: bool = False
    help: Label = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Subcategory:
    """`backend`: the one that such requests go to, "" = the category's or the default one. `short`: what a ticket's title
    begins with, where the label is long."""

    key: str
    label: Label
    fields: tuple[Field, ...] = ()
    ask_description: bool = True
    backend: str = ""
    short: Label = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Category:
    key: str
    label: Label
    subs: tuple[Subcategory, ...] = ()
    backend: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`version`: a hash of the content."""

    version: str = ""
    categories: tuple[Category, ...] = ()

    def category(self, key: str) -> Category | None:
        for category in self.categories:
            if category.key == key:
                return category
        return None

    def subcategory(self, category: str, key: str) -> Subcategory | None:
        found = self.category(category)
        for sub in found.subs if found else ():
            if sub.key == key:
                return sub
        return None


@dataclass(frozen=True, slots=True)
class Location:
    key: str
    label: Label
    children: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class Locations:
    """A place is named by its path of keys: `msk/slob19/f3`."""

    places: tuple[Location, ...] = ()

    def path(self, key: str) -> tuple[Location, ...] | None:
        """The places from the top down to `key`, () for "", None where there is no such place."""
        found: list[Location] = []
        level = self.places
        for part in key.split("/") if key else ():
            place = next((place for place in level if place.key == part), None)
            if place is None:
                return None
            found.append(place)
            level = place.children
        return tuple(found)

    def walk(self) -> Iterator[tuple[str, tuple[Location, ...]]]:
        """Every place as (key, path), parents before their children."""
        yield from _walk("", (), self.places)


def text_of(label: Label, lang: str) -> str:
    """The label in this language, else in any that it has."""
    return label.get(lang) or next(iter(label.values()), "")


def parse_catalogue(data: Mapping[str, Any]) -> Catalogue:
    """Raises `ConfigError` that names every mistake with its place."""
    reader = _Reader()
    reader.only(data, "catalogue", {"category"})
    categories = reader.several(data, "category", "catalogue", reader.category)
    if not categories and not reader.problems:
        reader.problems.append("catalogue: no [[category]]")
    reader.done()
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()
    return Catalogue(digest[:16], categories)


def parse_locations(data: Mapping[str, Any]) -> Locations:
    """Raises `ConfigError` that names every mistake with its place. An empty list is fine: people type where they are."""
    reader = _Reader()
    reader.only(data, "locations", {"location"})
    places = reader.several(data, "location", "locations", reader.location)
    reader.done()
    return Locations(places)


def _walk(
    prefix: str, path: tuple[Location, ...], level: Sequence[Location]
) -> Iterator[tuple[str, tuple[Location, ...]]]:
    for place in level:
        key = f"{prefix}/{place.key}" if prefix else place.key
        yield key, (*path, place)
        yield from _walk(key, (*path, place), place.children)


class _Reader:
    """Collects mistakes instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def done(self) -> None:
        if self.problems:
            raise ConfigError(self.problems)

    def only(self, data: Mapping[str, Any], place: str, known: set[str]) -> None:
        self.problems += [f"{place}: unknown key {key!r}" for key in data if key not in known]

    def category(self, data: Mapping[str, Any], place: str) -> Category:
        self.only(data, place, {"key", "label", "backend", "sub"})
        return Category(
            key=self.key(data, place),
            label=self.label(data, "label", place),
            backend=self.text(data, "backend", place),
            subs=self.several(data, "sub", place, self.subcategory),
        )

    def subcategory(self, data: Mapping[str, Any], place: str) -> Subcategory:
        self.only(data, place, {"key", "label", "short", "backend", "ask_description", "field"})
        return Subcategory(
            key=self.key(data, place),
            label=self.label(data, "label", place),
            backend=self.text(data, "backend", place),
            ask_description=self.flag(data, "ask_description", place, default=True),
            fields=self.several(data, "field", place, self.field),
            short=self.label(data, "short", place) if "short" in data else {},
        )

    def field(self, data: Mapping[str, Any], place: str) -> Field:
        self.only(data, place, {"key", "label", "kind", "required", "help", "choice"})
        kind = data.get("kind", "text")
        if kind not in FIELD_KINDS:
            self.problems.append(f"{place}: kind {kind!r} is none of {', '.join(FIELD_KINDS)}")
        choices = self.several(data, "choice", place, self.choice)
        if kind == "choice" and not choices:
            self.problems.append(f"{place}: a choice needs at least one [[choice]]")
        if kind != "choice" and choices:
            self.problems.append(f"{place}: only kind = 'choice' has choices")
        return Field(
            key=self.key(data, place),
            label=self.label(data, "label", place),
            kind=kind if kind in FIELD_KINDS else "text",
            required=self.flag(data, "required", place, default=False),
            help=self.label(data, "help", place) if "help" in data else {},
            choices=choices,
        )

    def choice(self, data: Mapping[str, Any], place: str) -> Choice:
        self.only(data, place, {"key", "label"})
        return Choice(self.key(data, place), self.label(data, "label", place))

    def location(self, data: Mapping[str, Any], place: str) -> Location:
        self.only(data, place, {"key", "label", "location"})
        return Location(
            key=self.key(data, place),
            label=self.label(data, "label", place),
            children=self.several(data, "location", place, self.location),
        )

    def several(
        self, data: Mapping[str, Any], name: str, place: str, read: Callable[[Mapping[str, Any], str], T]
    ) -> tuple[T, ...]:
        """The tables under `name`, each with a key of its own."""
        items = data.get(name, [])
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            self.problems.append(f"{place}: {name} must be a list of tables, written [[{name}]]")
            return ()
        read_items, keys = [], set()
        for number, item in enumerate(items, 1):
            key = item.get("key")
            where = f"{place} > {name} {key if isinstance(key, str) and key else number}"
            if isinstance(key, str) and key in keys:
                self.problems.append(f"{where}: the key stands twice")
            keys.add(key if isinstance(key, str) else "")
            read_items.append(read(item, where))
        return tuple(read_items)

    def key(self, data: Mapping[str, Any], place: str) -> str:
        key = data.get("key")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            self.problems.append(f"{place}: key must be 1 to 16 of a-z, 0-9, _ and -, not {key!r}")
            return ""
        return key

    def label(self, data: Mapping[str, Any], name: str, place: str) -> Label:
        """Words in one language or several: `label = "Printer"` or `label = { ru = "...", en = "..." }`."""
        label = data.get(name)
        if isinstance(label, str):
            label = {"ru": label}
        longest = 500 if name == "help" else MAX_LABEL
        if not isinstance(label, Mapping) or not label:
            self.problems.append(f"{place}: {name} must be words, or words by language")
            return {}
        for lang, text in label.items():
            if not _LANGUAGE.fullmatch(lang):
                self.problems.append(f"{place}: {name} has the language {lang!r}; write ru, en ...")
            if not isinstance(text, str) or not text.strip():
                self.problems.append(f"{place}: {name} in {lang} is empty")
            elif len(text) > longest:
                self.problems.append(f"{place}: {name} in {lang} is longer than {longest} characters")
        return {lang: text.strip() for lang, text in label.items() if isinstance(text, str)}

    def text(self, data: Mapping[str, Any], name: str, place: str) -> str:
        value = data.get(name, "")
        if not isinstance(value, str):
            self.problems.append(f"{place}: {name} must be text, not {value!r}")
            return ""
        return value

    def flag(self, data: Mapping[str, Any], name: str, place: str, *, default: bool) -> bool:
        value = data.get(name, default)
        if not isinstance(value, bool):
            self.problems.append(f"{place}: {name} must be true or false, not {value!r}")
            return default
        return value
