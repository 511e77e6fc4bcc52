"""Persons and what a directory knows of them. Who may do what is decided in `tickets.may_see` and `signin`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    USER = "user"
    SUPPORT = "support"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a directory says about one active person. `attributes`: every further mapped attribute, for templates."""

    address: str
    name: str = ""
    phone: str = ""
    office: str = ""
    department: str = ""
    role: Role = Role.USER
    attributes: dict[str, str] = field(default_factory=dict)


class Absence(StrEnum):
    """Why there is no entry. A directory that is down raises `DirectoryUnavailable` instead: that is not absence."""

    ABSENT = "absent"
    DISABLED = "disabled"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody known to imbot. `id` is ours; `gone`: the directory no longer has them."""

    id: int
    address: str
    name: str = ""
    phone: str = ""
    office: str = ""
    department: str = ""
    role: Role = Role.USER
    attributes: dict[str, str] = field(default_factory=dict)
    gone: bool = False


_ADDRESS = re.compile(r"[a-z0-9!#$%&'+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def canonical_address(text: str) -> str | None:
    """The one spelling of a mail address, or None where `text` is none (RFC 5321 sizes, ASCII local part, IDNA domain).

    Case, spaces around it, `<>`, `mailto:` and a final full stop are forgiven; wildcards, commas and homoglyphs are not.
    """
    text = unicodedata.normalize("NFKC", text).strip().rstrip(".").strip("<>").strip().lower()
    text = text.removeprefix("mailto:")
    local, at, domain = text.rpartition("@")
    if not at or not local or len(text) > 254:
        return None
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    address = f"{local}@{domain}"
    if not _ADDRESS.fullmatch(address) or ".." in local or local[0] == "." or local[-1] == ".":
        return None
    return address


def given_name(full_name: str, lang: str = "ru") -> str:
    """The name to greet by: «Иванова Анна Сергеевна» -> «Анна Сергеевна»; "Anna Ivanova" -> "Anna"; one word as it is. Other
    languages than Russian greet by the first name alone, and by none that is written in Cyrillic."""
    words = full_name.split()
    if lang != "ru":
        if _is_cyrillic(full_name):
            return ""
        if len(words) >= 3 and words[2].casefold().endswith(("vich", "vna", "ichna")):
            return words[1]
    if len(words) >= 3 and words[2].endswith(("вич", "вна", "ична", "ьич", "кызы", "оглы")):
        return f"{words[1]} {words[2]}"
    if len(words) == 2 and _is_cyrillic(full_name):
        return words[1]  # the usual order of a Russian directory: surname first
    if len(words) >= 3 and _is_cyrillic(full_name):
        return words[1]
    return words[0] if words else ""


def _is_cyrillic(text: str) -> bool:
    return any("\u0400" <= char <= "\u04ff" for char in text)
