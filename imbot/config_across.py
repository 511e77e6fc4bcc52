"""What can still be said while some section of the config is wrong: of helpdesks, of files that are not there, and of what the
first mistakes hide. All is told in one round, not one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from imbot import config_mail as mail
from imbot.config_words import meant

_T = TypeVar("_T", bound=BaseModel)
_PROOF = {"kind": "sender-only"}  # needs no further key: what is wrong with the real one is told by itself
_STAND_INS: Mapping[str, Any] = {
    "token": "1:placeholder",
    "host": "mail.example",
    "username": "bot",
    "address": "intake@mail.example",
    "senders": ["itsm@mail.example"],
    "bot_address": "bot@mail.example",
    "evidence": _PROOF,
    "uris": ["ldaps://dc.example"],
    "domains": ["mail.example"],
    "path": "persons.toml",
    **dict.fromkeys(
        ("password", "client_id", "client_secret", "refresh_token", "bind_dn", "bind_password", "base"), "x"
    ),
    "relays": ["mail.example"],
    "own_hosts": ["mail.example"],
    "authserv_id": "mail.example",
    "from": "00:00",
    "to": "24:00",
}
_STEERS = ("kind", "grant")  # what else a section needs depends on these: nothing can be said beside a wrong one
_ROUNDS = 3


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
    return [*_missing_files(_table(tree, "general")), *found, *_unknown_profiles(named, folders)]


def hidden(
    tree: Mapping[str, Any], first: Sequence[ErrorDetails], attempt: Callable[..., object]
) -> list[ErrorDetails]:
    """Mistakes that stand behind the `first` ones: a section is compared within itself only once each of its keys is right. So
    the wrong ones are replaced, and `attempt` raises ValidationError for the rest."""
    patched, news, found = deepcopy(dict(tree)), list(first), list[ErrorDetails]()
    seen = {detail["loc"] for detail in first}
    for _ in range(_ROUNDS):
        for detail in news:
            _stand_in(patched, detail)
        try:
            attempt(**patched)
        except ValidationError as error:
            news = [detail for detail in error.errors() if detail["loc"] not in seen]
            seen |= {detail["loc"] for detail in news}
            found += news
        else:
            break
    return found


def _stand_in(tree: dict[str, Any], detail: ErrorDetails) -> None:
    """Something right in the place of what is wrong, its default where it has one."""
    table, rest = tree, [str(part) for part in detail["loc"]] or [""]
    while len(rest) > 1 and isinstance(table.get(rest[0]), dict):
        table = table[rest.pop(0)]
    key, value = rest[0], table.get(rest[0])
    if key == "uris":
        table["starttls"] = False  # it may not go with the addresses that stand in
    if key == "ldap" and isinstance(value, dict):
        value |= {"uris": _STAND_INS["uris"], "starttls": False}
    elif isinstance(value, dict) and key != "evidence":
        return  # two of its keys contradict one another, and which is wrong is not known
    elif key == "kind" and "host" in table:
        table[key] = "imap"
    elif key in _STEERS or table is tree:
        return
    elif key in _STAND_INS and detail["type"] != "extra_forbidden":
        table[key] = _STAND_INS[key]
    else:
        table.pop(key, None)


def _missing_files(general: Mapping[str, Any]) -> list[str]:
    found = []
    for key in ("catalogue", "locations", "templates_dir"):
        name = general.get(key)
        there = Path.is_dir if key == "templates_dir" else Path.is_file
        if isinstance(name, str) and name and not there(Path(name)):
            found.append(f"[general] {key}: there is no {'folder' if key == 'templates_dir' else 'file'} {name}")
    return found


def _unknown_profiles(desks: Mapping[str, Mapping[str, Any]], folders: Sequence[Path]) -> list[str]:
    known = {path.parent.name for folder in folders for path in folder.glob("mail/*/profile.toml")}
    asked = {section: table["profile"] for section, table in desks.items() if isinstance(table.get("profile"), str)}
    return [no_profile(section, name, known) for section, name in asked.items() if name not in known]


def no_profile(section: str, name: str, known: set[str]) -> str:
    return f"[{section}] profile: there is no {name!r}; there are {', '.join(sorted(known))}{meant(name, known)}"


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
