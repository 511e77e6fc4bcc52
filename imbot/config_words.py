"""A mistake in the config in the words of the config: its section, its key, what is wrong, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_NO_DAY = ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact")
_QUOTED = re.compile("'([^']+)'")
Sources = Mapping[tuple[str, ...], str]  # of a value that is not from the config: from where, in words


def model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def all_in_words(details: Sequence[ErrorDetails], root: type[BaseModel], sources: Sources) -> list[str]:
    """Each mistake once, with where its value is from if not from the config itself. Of a list whose entries are wrong it is not
    said as well that it is empty without them."""
    inside = {detail["loc"][:-1] for detail in details}
    told = [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in inside]
    return list(dict.fromkeys(in_words(detail, root) + _origin(detail, sources) for detail in told))


def _origin(detail: ErrorDetails, sources: Sources) -> str:
    place = tuple(str(part) for part in detail["loc"])
    known = next((sources[place[:end]] for end in range(len(place), 0, -1) if place[:end] in sources), "")
    return f" ({known})" if known else ""


def in_words(detail: ErrorDetails, root: type[BaseModel]) -> str:
    """One mistake in the words of the config: `[smtp] port: ...`."""
    place = [str(part) for part in detail["loc"]]
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown_key(place, root)
    if kind == "missing":
        return f"[{place[0]}]: the section is missing" if len(place) == 1 else f"{_spelled(place, root)}: is missing"
    expected = str(context.get("expected", ""))
    words = {
        "int_parsing": "is not a whole number",
        "int_type": "is not a whole number",
        "int_from_float": "is not a whole number",
        "int_parsing_size": "is too large",
        "finite_number": "is not a whole number",
        "float_parsing": "is not a number",
        "float_type": "is not a number",
        "bool_parsing": "is neither true nor false",
        "bool_type": "is neither true nor false",
        "string_type": "is not text: write it in quotes",
        "string_unicode": "is not text in UTF-8",
        "tuple_type": "is not a list",
        "dict_type": "is not a table",
        "model_type": "is not a section",
        "too_short": "must not be empty",
        "path_type": "is not a path: write it in quotes",
        "greater_than_equal": f"must be at least {context.get('ge', '')}",
        "less_than_equal": f"must be at most {context.get('le', '')}",
        "greater_than": f"must be more than {context.get('gt', '')}",
        "literal_error": f"must be one of {expected}{meant(str(detail['input']), set(_QUOTED.findall(expected)))}",
        "value_error": str(context.get("error", "")),
        **dict.fromkeys(_NO_DAY, f"{as_written(detail['input'])} is not a day such as 2026-01-09"),
    }.get(kind, detail["msg"].removeprefix("Value error, "))
    return f"{_spelled(place, root)}: {words}" if place else words


def _spelled(place: list[str], root: type[BaseModel]) -> str:
    """`smtp, port` -> `[smtp] port`; `itsm, senders, 1` -> `[itsm] senders, entry 2`; `itsm` -> `[itsm]`."""
    model: type[BaseModel] | None = root
    tables: list[str] = []
    rest = list(place)
    while rest and model is not None:
        field = _field(model, rest[0])
        inner = model_of(field.annotation) if field else None
        if inner is None:
            break
        tables += [rest.pop(0) for _ in range(min(len(rest), 2 if is_table_of(field) else 1))]
        model = inner
    words = [f"entry {int(part) + 1}" if part.isdigit() else part for part in rest]
    return " ".join(part for part in (f"[{'.'.join(tables)}]" if tables else "", ", ".join(words)) if part)


def is_table_of(field: Any) -> bool:
    """Whether the names in this table are the admin's: `[backends.<name>]`."""
    return get_origin(field.annotation) is dict


def key_of(name: str, field: Any) -> str:
    """How the config spells a field: `from` is no name in Python."""
    return field.validation_alias or name


def _field(model: type[BaseModel], name: str) -> Any:
    return next((field for key, field in model.model_fields.items() if name in (key, key_of(key, field))), None)


def _unknown_key(place: list[str], root: type[BaseModel]) -> str:
    model: type[BaseModel] = root
    names = iter(place[:-1])
    for name in names:
        field = _field(model, name)
        model = (model_of(field.annotation) if field else None) or model
        if field and is_table_of(field):
            next(names, None)
    known = {key_of(name, field) for name, field in model.model_fields.items()}
    if len(place) == 1:
        return f"[{place[0]}]: there is no such section{meant(place[0], known)}"
    return f"[{'.'.join(place[:-1])}] {place[-1]}: there is no such key{meant(place[-1], known)}"


def as_written(value: Any) -> str:
    """As it stands in the config: a text in quotes, a day or an hour without Python's name for it."""
    return repr(value) if isinstance(value, str) else str(value)


def meant(word: str, known: set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
