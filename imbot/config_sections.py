"""The sections of config.toml: which keys there are, what each may be, and what contradicts what within one section.

The comments for admins are in config.example.toml; a test keeps the two lists of keys equal.
"""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from imbot.config_files import REFUSED_TYPES
from imbot.config_types import (
    Address,
    Clock,
    Domain,
    Extension,
    Language,
    List,
    Listen,
    NotNegative,
    Positive,
    Section,
    Url,
    Weekday,
    Zone,
    check_proxy,
    url_parts,
)

TELEGRAM_LIMIT = 20 * 1024 * 1024  # bytes of a file that Telegram's own server hands to a bot


class WorkingHours(Section):
    """`days` are ISO weekdays, 1 = Monday; the hours are local, and a `to` of 24:00 (or 00:00) is the day's end."""

    days: Annotated[tuple[Weekday, ...], List] = (1, 2, 3, 4, 5)
    start: Clock = Field(default=time(9), validation_alias="from")
    end: Clock = Field(default=time(18), validation_alias="to")
    holidays: Annotated[tuple[date, ...], List] = ()

    @model_validator(mode="after")
    def _some_time(self) -> WorkingHours:
        if (self.start >= self.end > time(0)) or not self.days:
            raise ValueError(
                "there is no working time: `from` must be before `to` (24:00 is the day's end), and at least one day is needed"
            )
        return self


class Night(Section):
    """Quiet hours, local; may cross midnight; equal ends: none."""

    start: Clock = Field(default=time(22), validation_alias="from")
    end: Clock = Field(default=time(7), validation_alias="to")


class General(Section):
    name: str = "imbot"
    language: Language = "ru"
    timezone: Zone = "Europe/Moscow"
    data_dir: Path = Path("data/var")
    templates_dir: str = ""
    catalogue: str = ""
    locations: str = ""
    support_contact: str = ""
    admins: Annotated[tuple[Address, ...], List] = ()
    page_size: Annotated[int, Field(ge=1, le=8)] = 5
    one_open_ticket: bool = False
    consent: bool = False
    consent_version: str = "1"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    alarm_minutes: Positive = 10
    working_hours: WorkingHours = WorkingHours()
    night: Night = Night()

    @field_validator("data_dir", mode="before")
    @classmethod
    def _data_dir(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ValueError("is empty: name the folder where imbot keeps its state, such as /var/lib/imbot")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Telegram(Section):
    token: SecretStr
    token_file: str = ""
    api_base: Url = "https://api.telegram.org"
    file_base: str = ""
    proxy: SecretStr = SecretStr("")
    poll_timeout: Annotated[int, Field(ge=1, le=50)] = 25

    @field_validator("proxy")
    @classmethod
    def _proxy(cls, value: SecretStr) -> SecretStr:
        return SecretStr(check_proxy(value.get_secret_value()))

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr) -> SecretStr:
        number, colon, rest = value.get_secret_value().strip().partition(":")
        if not (number.isdigit() and colon and len(rest) >= 10):
            raise ValueError("is not a bot token: copy the one that @BotFather gave, digits:letters")
        return SecretStr(value.get_secret_value().strip())


class LdapAttributes(Section):
    """Which attribute of the directory holds what. `extra`: our name -> theirs, for templates."""

    mail: str = "mail"
    name: str = "displayName"
    phone: str = "telephoneNumber"
    office: str = "physicalDeliveryOfficeName"
    department: str = "department"
    extra: dict[str, str] = Field(default_factory=dict)


class Ldap(Section):
    uris: Annotated[tuple[str, ...], List] = ()
    starttls: bool = False
    ca_file: str = ""
    allow_old_ca: bool = False
    bind_dn: str = ""
    bind_password: SecretStr = SecretStr("")
    bind_password_file: str = ""
    base: str = ""
    filter: str = "(mail={address})"
    disabled_bit: bool = True
    disabled_filter: str = ""
    nested_groups: bool = False
    roles: dict[str, Literal["user", "support", "admin"]] = Field(default_factory=dict)
    timeout: Annotated[float, Field(gt=0, le=60)] = 5.0
    attributes: LdapAttributes = LdapAttributes()

    @field_validator("uris")
    @classmethod
    def _uris(cls, uris: tuple[str, ...]) -> tuple[str, ...]:
        for uri in uris:
            parts = url_parts(uri)
            if parts is None or parts.scheme not in ("ldap", "ldaps"):
                raise ValueError(f"{uri!r} is not an address such as ldaps://dc1.company.ru")
        return uris

    @field_validator("filter")
    @classmethod
    def _filter(cls, value: str) -> str:
        if "{address}" not in value:
            raise ValueError("must bear {address}, the place of the address that is looked up")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Ldap:
        if self.starttls and any(uri.startswith("ldaps:") for uri in self.uris):
            raise ValueError("starttls = true goes with ldap:// addresses; ldaps:// is encrypted from the first byte")
        if not self.starttls and any(uri.startswith("ldap:") for uri in self.uris):
            raise ValueError("ldap:// sends the password in plain text: use ldaps://, or starttls = true")
        return self


class DirectoryFile(Section):
    path: str = ""


class DirectoryDomain(Section):
    domains: Annotated[tuple[Domain, ...], List] = ()


class Directory(Section):
    kind: Literal["ldap", "file", "domain"] = "ldap"
    recheck_minutes: Positive = 15
    sweep_minutes: Positive = 60
    grace_hours: NotNegative = 24
    unverified: Literal["note", "wait"] = "note"
    ldap: Ldap = Ldap()
    file: DirectoryFile = DirectoryFile()
    domain: DirectoryDomain = DirectoryDomain()

    @model_validator(mode="after")
    def _kind_is_set_up(self) -> Directory:
        missing: list[str] = []
        if self.kind == "ldap":
            given = {
                "uris": self.ldap.uris,
                "base": self.ldap.base,
                "bind_dn": self.ldap.bind_dn,
                "bind_password": self.ldap.bind_password.get_secret_value(),
            }
            missing = [f"[directory.ldap] {key}" for key, value in given.items() if not value]
        elif self.kind == "file" and not self.file.path:
            missing = ["[directory.file] path"]
        elif self.kind == "domain" and not self.domain.domains:
            missing = ["[directory.domain] domains"]
        if missing:
            raise ValueError(f'kind = "{self.kind}" needs {", ".join(missing)}')
        return self


class Signin(Section):
    code_minutes: Annotated[int, Field(ge=1, le=60)] = 10
    codes_per_hour: Annotated[int, Field(ge=1, le=20)] = 3
    codes_per_day: Annotated[int, Field(ge=1, le=50)] = 5
    tries: Annotated[int, Field(ge=1, le=10)] = 5
    failures_per_hour: Positive = 200
    invite_days: Positive = 3
    reverify_days: NotNegative = 0
    domains: Annotated[tuple[Domain, ...], List] = ()


class Files(Section):
    max_bytes: Annotated[int, Field(ge=1000)] = TELEGRAM_LIMIT
    refused_types: Annotated[tuple[Extension, ...], List] = REFUSED_TYPES
    quota_bytes: Positive = 500_000_000
    reserve_bytes: NotNegative = 500_000_000


class Retention(Section):
    photos_days: Positive = 180
    raw_letters_days: Positive = 90
    audit_days: Positive = 365


class Reading(Section):
    """Bounds of reading one letter, whatever mailbox it came from. What breaks one is kept, in quarantine."""

    max_bytes: Annotated[int, Field(ge=100_000, le=1_000_000_000)] = 50 * 1024 * 1024
    max_parts: Positive = 200
    max_depth: Positive = 20
    max_headers: Annotated[int, Field(ge=50)] = 1000
    max_header_bytes: Annotated[int, Field(ge=1000)] = 64 * 1024
    cpu_seconds: Positive = 10
    wall_seconds: Annotated[float, Field(gt=0, le=150)] = 20.0
    memory_mb: Annotated[int, Field(ge=128)] = 512


class Server(Section):
    listen: Listen = ""
