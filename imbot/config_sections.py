"""The sections of config.toml: which keys there are, what each may be, and what contradicts what within one section.

The comments for admins are in config.example.toml; a test keeps the two lists of keys equal.
"""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from imbot.config_types import (
    Address,
    Clock,
    Domain,
    Extension,
    Language,
    List,
    Listen,
    NotNegative,
    OptionalAddress,
    Port,
    Positive,
    Section,
    Sender,
    Url,
    Weekday,
    Zone,
    check_proxy,
)

TlsMode = Literal["tls", "starttls", "none"]
TELEGRAM_LIMIT = 20 * 1024 * 1024  # bytes of a file that Telegram's own server hands to a bot
REFUSED_TYPES = (
    *("exe", "com", "bat", "cmd", "ps1", "vbs", "vbe", "js", "jse", "wsf", "wsh", "hta", "scr", "pif", "msi", "msp"),
    *("cpl", "dll", "jar", "lnk", "reg", "sh", "apk", "app", "deb", "rpm", "iso", "img"),
)


class WorkingHours(Section):
    """`days` are ISO weekdays, 1 = Monday; the hours are local."""

    days: Annotated[tuple[Weekday, ...], List] = (1, 2, 3, 4, 5)
    start: Clock = Field(default=time(9), validation_alias="from")
    end: Clock = Field(default=time(18), validation_alias="to")
    holidays: Annotated[tuple[date, ...], List] = ()

    @model_validator(mode="after")
    def _some_time(self) -> WorkingHours:
        if self.start >= self.end or not self.days:
            raise ValueError("there is no working time: `from` must be before `to`, and at least one day is needed")
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

    @property
    def proxy_shown(self) -> str:
        """The proxy without its password, for people."""
        parts = urlsplit(self.proxy.get_secret_value())
        return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.hostname else ""


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
            if urlsplit(uri).scheme not in ("ldap", "ldaps") or not urlsplit(uri).hostname:
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


def _default_port(data: Any, ports: dict[str, int], tls: str) -> Any:
    """The usual port of the encryption chosen, where the config names none."""
    if isinstance(data, dict) and "port" not in data:
        return {**data, "port": ports.get(str(data.get("tls", tls)), ports[tls])}
    return data


class Smtp(Section):
    host: str
    port: Port
    tls: TlsMode = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    ca_file: str = ""
    timeout: Annotated[float, Field(gt=0, le=150)] = 60.0
    hello_name: str = ""

    @model_validator(mode="before")
    @classmethod
    def _port(cls, data: Any) -> Any:
        return _default_port(data, {"tls": 465, "starttls": 587, "none": 25}, "starttls")

    @model_validator(mode="after")
    def _pair(self) -> Smtp:
        _needs_both(self.username, self.password)
        return self


class Mailbox(Section):
    kind: Literal["imap", "pop3"] = "imap"
    host: str
    port: Port
    tls: TlsMode = "tls"
    username: str
    password: SecretStr = SecretStr("")
    password_file: str = ""
    folder: str = "INBOX"
    processed_folder: str = ""
    ca_file: str = ""
    timeout: Annotated[float, Field(gt=0, le=150)] = 30.0
    poll_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    idle: bool = True
    start: Literal["now", "all"] = "now"
    delete_after_days: NotNegative | None = None

    @model_validator(mode="before")
    @classmethod
    def _port(cls, data: Any) -> Any:
        pop3 = isinstance(data, dict) and data.get("kind") == "pop3"
        ports = {"tls": 995, "starttls": 110, "none": 110} if pop3 else {"tls": 993, "starttls": 143, "none": 143}
        return _default_port(data, ports, "tls")

    @model_validator(mode="after")
    def _fits_the_protocol(self) -> Mailbox:
        if self.kind == "pop3" and (self.processed_folder or self.folder != "INBOX"):
            raise ValueError('POP3 knows no folders: take `folder` and `processed_folder` away, or use kind = "imap"')
        if self.kind == "imap" and self.delete_after_days is not None:
            raise ValueError("delete_after_days is for POP3; with IMAP letters are marked or moved to processed_folder")
        if not self.password.get_secret_value():
            raise ValueError("password is missing (or password_file)")
        return self


class Evidence(Section):
    """What must hold, besides the sender's address, before a status letter is believed."""

    kind: Literal["auth-results", "trusted-relay", "exchange-internal", "sender-only"] = "auth-results"
    authserv_id: str = ""
    relays: Annotated[tuple[str, ...], List] = ()
    own_hosts: Annotated[tuple[str, ...], List] = ()

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Evidence:
        if self.kind == "auth-results" and not self.authserv_id:
            raise ValueError(
                'kind = "auth-results" needs authserv_id: the name your own mail server writes first in '
                "Authentication-Results"
            )
        if self.kind == "trusted-relay" and not (self.relays and self.own_hosts):
            raise ValueError(
                'kind = "trusted-relay" needs relays (the hosts or addresses the ITSM sends from) and own_hosts (the '
                "mail servers whose `Received` lines are yours)"
            )
        return self


class Itsm(Section):
    address: Address
    profile: str = "inframanager"
    senders: Annotated[tuple[Sender, ...], List] = Field(min_length=1)
    from_mode: Literal["bot", "plus", "employee"] = "bot"
    bot_address: Address
    bot_name: str = "Заявки из чата"
    max_letter_bytes: Annotated[int, Field(ge=100_000)] = 30_000_000
    complaints_to: OptionalAddress = ""
    reopen_wait_hours: Positive = 8
    evidence: Evidence

    @model_validator(mode="after")
    def _no_loop(self) -> Itsm:
        if self.address == self.bot_address:
            raise ValueError("address and bot_address are the same mailbox: imbot would write to itself")
        if self.bot_address in self.senders:
            raise ValueError("senders must not name bot_address: imbot would read its own letters as status letters")
        if self.from_mode == "plus" and "+" in self.bot_address:
            raise ValueError('from_mode = "plus" adds +token to bot_address, which has a + already')
        return self


class Signin(Section):
    code_minutes: Annotated[int, Field(ge=1, le=60)] = 10
    codes_per_hour: Annotated[int, Field(ge=1, le=20)] = 3
    codes_per_day: Annotated[int, Field(ge=1, le=50)] = 5
    tries: Annotated[int, Field(ge=1, le=10)] = 5
    failures_per_hour: Positive = 200
    invite_days: Positive = 3
    reverify_days: NotNegative = 0


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


def _needs_both(username: str, password: SecretStr) -> None:
    if bool(username) != bool(password.get_secret_value()):
        raise ValueError("username and password go together: give both, or neither")
