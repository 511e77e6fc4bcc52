"""Who works in the company of the fire rig: persons made from a seed, their entries in the directory, their links in imbot."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from threading import Lock

from sqlalchemy import Connection

from imbot.app import make_folders
from imbot.domain.chats import Chat
from imbot.domain.people import Entry
from imbot.store import people
from imbot.store.db import once
from imbot.store.migrate import migrate

_ONE_AT_A_TIME = Lock()  # Alembic keeps what it works on in its module; worlds side by side are of one process
_SURNAMES = ("Иванов", "Петров", "Сидоров", "Кузнецов", "Смирнов", "Орлов", "Соколов", "Лебедев", "Волков", "Зайцев")
_NAMES = ("Алексей", "Борис", "Виктор", "Григорий", "Дмитрий", "Евгений", "Игорь", "Кирилл", "Максим", "Сергей")
_FATHERS = ("Алексеевич", "Борисович", "Викторович", "Дмитриевич", "Игоревич", "Максимович", "Сергеевич")
_STREETS = ("Тверская", "Ленинская Слобода", "Арбат", "Мясницкая", "Пятницкая")


@dataclass(frozen=True, slots=True)
class Person:
    """`signs_in`: not linked yet; stands in the directory and signs in by the dialog."""

    chat: int
    address: str
    name: str
    phone: str
    office: str
    department: str
    signs_in: bool = False

    @property
    def first_name(self) -> str:
        return self.name.split()[1]


def make_persons(count: int, seed: int, signing_in: int = 0) -> list[Person]:
    """Chats 1001, 1002 and so on; the last `signing_in` of them are not linked. The same for the same seed."""
    dice = Random(seed)
    return [
        Person(
            chat=chat,
            address=f"u{chat}@example.test",
            name=f"{dice.choice(_SURNAMES)} {dice.choice(_NAMES)} {dice.choice(_FATHERS)}",
            phone=f"{dice.randint(10, 99)}-{dice.randint(10, 99)}",
            office=f"{dice.choice(_STREETS)}, {dice.randint(1, 99)}",
            department=f"Отдел {dice.randint(1, 20)}",
            signs_in=chat > 1000 + count - signing_in,
        )
        for chat in range(1001, 1001 + count)
    ]


def ldif_of(persons: Iterable[Person]) -> str:
    return "\n".join(
        f"""dn: uid=u{one.chat},ou=people,dc=example,dc=test
objectClass: inetOrgPerson
objectClass: adPerson
cn: u{one.chat}
sn:: {_base64(one.name.split()[0])}
displayName:: {_base64(one.name)}
uid: u{one.chat}
mail: {one.address}
telephoneNumber: {one.phone}
physicalDeliveryOfficeName:: {_base64(one.office)}
department:: {_base64(one.department)}
userAccountControl: 512
"""
        for one in persons
    )


def link(data_dir: Path, persons: Iterable[Person]) -> None:
    """A fresh data base in which all of them who do not sign in themselves are linked, in one transaction."""
    url = make_folders(data_dir).database
    with _ONE_AT_A_TIME:
        migrate(url)
    once(url, _link_all, [one for one in persons if not one.signs_in], datetime.now(UTC))


def _link_all(c: Connection, persons: list[Person], now: datetime) -> None:
    for one in persons:
        chat = Chat("telegram", str(one.chat))
        people.see_chat(c, chat, "ru", now)
        people.link_chat(c, chat, Entry(one.address, one.name, one.phone, one.office, one.department), now)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
