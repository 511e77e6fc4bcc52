"""Letters that a mail server lists and does not hand out: how often they were asked for, and which letter notes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from imbot.store.facts import fact, facts_of, forget_fact, set_fact

_PREFIX = "withheld:"


@dataclass(frozen=True, slots=True)
class Withheld:
    """`key`: its name on the server. `lost`: asking for it ended the connection. `mail`: the letter in quarantine that
    notes it, 0 while it is still tried. `at`: when it was asked for last, in Unix seconds; 0: to be asked for at once."""

    key: str
    tries: int = 0
    size: int = 0
    lost: bool = False
    mail: int = 0
    at: float = 0.0


def name_of(account: str, key: str) -> str:
    """By which it is known here, and what stands for the hash of the bytes that nobody has seen."""
    return f"{_PREFIX}{account} {key}"


def is_withheld(name: str) -> bool:
    return name.startswith(_PREFIX)


def withheld(c: Connection, account: str) -> list[Withheld]:
    found = [(key, value) for key, value in facts_of(c, name_of(account, "")) if " " not in key]
    return [_read(key, value) for key, value in found]


def one_of(c: Connection, account: str, key: str) -> Withheld:
    return _read(key, fact(c, name_of(account, key)) or "{}")


def note(c: Connection, account: str, one: Withheld, now: datetime) -> None:
    set_fact(c, name_of(account, one.key), orjson.dumps(asdict(one)).decode(), now)


def forget(c: Connection, account: str, key: str) -> None:
    forget_fact(c, name_of(account, key))


def ask_at_once(c: Connection, name: str, now: datetime) -> bool:
    """At the next look into its mailbox. False: it is asked for no more."""
    value = fact(c, name)
    if value:
        set_fact(c, name, orjson.dumps({**orjson.loads(value), "at": 0.0}).decode(), now)
    return bool(value)


def _read(key: str, value: str) -> Withheld:
    table: Mapping[str, Any] = orjson.loads(value)
    return Withheld(**{**table, "key": key})
