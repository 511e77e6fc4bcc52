from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from imbot.domain.errors import ConfigError
from imbot.domain.forms import Location, Locations, parse_catalogue, parse_locations, text_of

DATA = Path(__file__).parents[2] / "data"
CATALOGUE = """
[[category]]
key = "software"
label = { ru = "Программы", en = "Software" }
backend = "second"
[[category.sub]]
key = "install"
label = "Установка"
short = "Поставить"
ask_description = false
[[category.sub.field]]
key = "kind"
label = "Какая"
kind = "choice"
required = true
help = { ru = "Выберите" }
[[category.sub.field.choice]]
key = "a"
label = "Архиватор"
"""


def test_the_default_catalogue_and_places_are_right() -> None:
    catalogue = parse_catalogue(tomllib.loads((DATA / "catalogue.toml").read_text("utf-8")))
    assert [category.key for category in catalogue.categories] == ["hardware", "software", "advice"]
    assert all(set(sub.label) == {"ru", "en"} for category in catalogue.categories for sub in category.subs)
    places = parse_locations(tomllib.loads((DATA / "locations.toml").read_text("utf-8")))
    assert places.path("ls19/f3") is not None


def test_a_catalogue_says_everything_that_a_form_needs() -> None:
    catalogue = parse_catalogue(tomllib.loads(CATALOGUE))
    sub = catalogue.subcategory("software", "install")
    assert sub is not None
    assert not sub.ask_description
    assert sub.short == {"ru": "Поставить"}
    field = sub.fields[0]
    assert (field.kind, field.required, field.choices[0].key) == ("choice", True, "a")
    category = catalogue.category("software")
    assert category is not None
    assert (category.backend, text_of(category.label, "en"), text_of(sub.label, "en")) == (
        "second",
        "Software",
        "Установка",
    )
    assert text_of({}, "ru") == ""
    assert catalogue.category("nothing") is None
    assert catalogue.subcategory("nothing", "install") is None
    assert catalogue.subcategory("software", "nothing") is None


def test_the_version_follows_the_content() -> None:
    data = tomllib.loads(CATALOGUE)
    before = parse_catalogue(data).version
    assert parse_catalogue(data).version == before
    data["category"][0]["label"]["ru"] = "Программное"
    assert parse_catalogue(data).version != before


def problems(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_catalogue(data)
    return list(caught.value.problems)


def test_every_mistake_is_named_with_its_place() -> None:
    found = problems(
        {
            "categories": [],
            "category": [
                {"key": "Bad Key", "label": {"ru": ""}},
                {"key": "b", "label": 5, "backend": 7, "sub": {"key": "x"}},
                {"key": "b", "label": {"русский": "x", "ru": "y" * 61}},
                {
                    "key": "c",
                    "label": "C",
                    "sub": [
                        {"key": "s", "label": {}, "ask_description": "no", "field": [{"label": "F", "kind": "number"}]},
                        {
                            "key": "t",
                            "label": {"ru": 4},
                            "field": [
                                {"key": "f", "label": "F", "kind": "choice"},
                                {"key": "g", "label": "G", "choice": [{"key": "x", "label": "X"}], "helpp": 1},
                            ],
                        },
                    ],
                },
            ],
        }
    )
    expected = [
        "catalogue: unknown key 'categories'",
        "catalogue > category Bad Key: key must be",
        "catalogue > category Bad Key: label in ru is empty",
        "catalogue > category b: label must be words",
        "catalogue > category b: backend must be text, not 7",
        "catalogue > category b: sub must be a list of tables, written [[sub]]",
        "catalogue > category b: the key stands twice",
        "catalogue > category b: label has the language 'русский'",
        "catalogue > category b: label in ru is longer than 60",
        "catalogue > category c > sub s: label must be words",
        "catalogue > category c > sub s: ask_description must be true or false",
        "catalogue > category c > sub s > field 1: key must be",
        "catalogue > category c > sub s > field 1: kind 'number' is none of text, choice, phone, date",
        "catalogue > category c > sub t: label in ru is empty",
        "catalogue > category c > sub t > field f: a choice needs at least one",
        "catalogue > category c > sub t > field g: unknown key 'helpp'",
        "catalogue > category c > sub t > field g: only kind = 'choice' has choices",
    ]
    missing = [each for each in expected if not any(problem.startswith(each) for problem in found)]
    assert not missing
    assert len(found) == len(expected)


def test_an_empty_catalogue_is_a_mistake_and_no_places_are_none() -> None:
    assert problems({}) == ["catalogue: no [[category]]"]
    assert parse_locations({}).places == ()
    wrong = {"location": [{"key": "a", "label": "A", "location": [{"key": "b b", "label": "B"}]}]}
    with pytest.raises(ConfigError, match="locations > location a > location b b: key must be"):
        parse_locations(wrong)


def test_a_place_is_a_path() -> None:
    inner = Location("f1", {"ru": "1-й этаж"})
    places = Locations((Location("msk", {"ru": "Москва"}, (inner,)),))
    assert places.path("") == ()
    path = places.path("msk/f1")
    assert path is not None
    assert path[-1] is inner
    assert places.path("msk/f2") is None
    assert places.path("f1") is None
    assert [key for key, _ in places.walk()] == ["msk", "msk/f1"]
