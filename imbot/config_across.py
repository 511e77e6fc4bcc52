"""What can still be said of helpdesks while some section of the config is wrong: their mistakes are told in one round with
the others, not one after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imbot import config_mail as mail

_T = TypeVar("_T", bound=BaseModel)
_PROOF = {"kind": "sender-only"}  # needs no further key: what is wrong with the real one is told by itself


def across(tree: Mapping[str, Any], templates: Path) -> list[str]:
    """Contradictions among the helpdesks that are whole but for their evidence, and profiles that do not exist.
    `templates`: what imbot ships."""
    desks = {name: table for name, table in _table(tree, "backends").items() if isinstance(table, dict)}
    itsm, box = _made(mail.Itsm, _table(tree, "itsm")), _made(mail.Mailbox, _table(tree, "mailbox"))
    further = {name: made for name, table in desks.items() if (made := _made(mail.FurtherBackend, table))}
    found = mail.disagreements(itsm, box, further) if itsm and box else []
    own = _table(tree, "general").get("templates_dir")
    folders = [templates, *([Path(own)] if isinstance(own, str) and own else [])]
    named = {"itsm": _table(tree, "itsm"), **{f"backends.{name}": table for name, table in desks.items()}}
    return [*found, *_unknown_profiles(named, folders)]


def _unknown_profiles(desks: Mapping[str, Mapping[str, Any]], folders: Sequence[Path]) -> list[str]:
    known = {path.parent.name for folder in folders for path in folder.glob("mail/*/profile.toml")}
    asked = {section: table["profile"] for section, table in desks.items() if isinstance(table.get("profile"), str)}
    return [no_profile(section, name, known) for section, name in asked.items() if name not in known]


def no_profile(section: str, name: str, known: set[str]) -> str:
    return f"[{section}] profile: there is no {name!r}; there are {', '.join(sorted(known))}"


def _made(model: type[_T], table: Mapping[str, Any]) -> _T | None:
    fields = {key: value for key, value in table.items() if key in model.model_fields}
    if "evidence" in model.model_fields:
        fields["evidence"] = _PROOF
    try:
        return model(**fields)
    except ValidationError:
        return None


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tree.get(name)
    return table if isinstance(table, dict) else {}
