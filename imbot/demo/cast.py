"""Who plays in the demo and where their letters go: three persons, the bot, the helpdesk. Data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN = "demo.local"
AUTHSERV_ID = "demo.imbot.local"  # the name under which our mail server vouches for a sender (RFC 8601)
MX_HOST = "mx.demo.imbot.local"
TIMEZONE = "Europe/Moscow"
BOT_USERNAME = "imbot_demo_bot"
BOT_ADDRESS = f"bot@{DOMAIN}"
ITSM_ADDRESS = f"itsm@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Player:
    """A person with a phone and a mailbox. `employee`: stands in the directory. `office` is as the directory has it."""

    chat: int
    name: str
    first_name: str
    address: str
    employee: bool
    phone: str = ""
    office: str = ""
    department: str = ""
    role: str = "user"


# Tom's office stands in no list of places: imbot keeps it as text. Eve may send and see nothing.
PLAYERS = (
    Player(
        chat=1001,
        name="Иванова Анна Сергеевна",
        first_name="Анна",
        address=f"anna@{DOMAIN}",
        employee=True,
        phone="12-34",
        office="Ленинская Слобода, 19",
        department="Бухгалтерия",
    ),
    Player(
        chat=1002,
        name="Кузнецов Том Андреевич",
        first_name="Том",
        address=f"tom@{DOMAIN}",
        employee=True,
        phone="56-78",
        office="Склад на Ткацкой, комната у ворот",
        department="Служба поддержки",
        role="admin",
    ),
    Player(chat=1003, name="Ева", first_name="Ева", address=f"eve@{DOMAIN}", employee=False),
)

MAILBOXES = (BOT_ADDRESS, ITSM_ADDRESS, *(player.address for player in PLAYERS))


def directory_toml() -> str:
    """The directory file of the demo: the employees, and nobody else."""
    lines: list[str] = []
    for player in PLAYERS:
        if not player.employee:
            continue
        lines += [
            "[[person]]",
            f'address = "{player.address}"',
            f'name = "{player.name}"',
            f'phone = "{player.phone}"',
            f'office = "{player.office}"',
            f'department = "{player.department}"',
            f'role = "{player.role}"',
            "",
        ]
    return "\n".join(lines)
