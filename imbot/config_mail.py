"""The sections of config.toml about mail: the servers, how we sign in to them, and the helpdesks behind them.

The comments for admins are in config.example.toml; a test keeps the two lists of keys equal.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from imbot.config_types import (
    Address,
    Host,
    Language,
    List,
    NotNegative,
    OptionalAddress,
    Plain,
    Port,
    Positive,
    ProfileName,
    Secret,
    Section,
    Sender,
    is_loopback,
    url_parts,
)

TlsMode = Literal["tls", "starttls", "none"]


def _default_port(data: Any, ports: dict[str, int], tls: str) -> Any:
    """The usual port of the encryption chosen, where the config names none."""
    if isinstance(data, dict) and "port" not in data:
        return {**data, "port": ports.get(str(data.get("tls", tls)), ports[tls])}
    return data


class OAuth(Section):
    """Sign in by a token instead of a password. Off without `token_url`."""

    token_url: Plain = ""
    client_id: Plain = ""
    client_secret: Secret = SecretStr("")
    client_secret_file: str = ""
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    scope: Plain = ""
    refresh_token: Secret = SecretStr("")
    refresh_token_file: str = ""
    ca_file: str = ""

    @property
    def on(self) -> bool:
        return bool(self.token_url)

    @model_validator(mode="after")
    def _is_whole(self) -> OAuth:
        if not self.token_url:
            if self.client_id or self.client_secret.get_secret_value() or self.refresh_token.get_secret_value():
                raise ValueError("token_url is missing: the address where tokens are given")
            return self
        parts = url_parts(self.token_url)
        safe = parts and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")))
        if not safe:
            raise ValueError(f"token_url: {self.token_url!r} is not an address that begins with https://")
        needed = {"client_id": self.client_id}
        if self.grant == "client_credentials":
            needed["client_secret"] = self.client_secret.get_secret_value()
        else:
            needed["refresh_token"] = self.refresh_token.get_secret_value()
        missing = [key for key, value in needed.items() if not value]
        if missing:
            raise ValueError(f'grant = "{self.grant}" needs {" and ".join(missing)}')
        return self


class Smtp(Section):
    host: Host
    port: Port
    tls: TlsMode = "starttls"
    username: Plain = ""
    password: Secret = SecretStr("")
    password_file: str = ""
    ca_file: str = ""
    timeout: Annotated[float, Field(gt=0, le=150)] = 60.0
    hello_name: Plain = ""
    oauth: OAuth = OAuth()

    @model_validator(mode="before")
    @classmethod
    def _port(cls, data: Any) -> Any:
        return _default_port(data, {"tls": 465, "starttls": 587, "none": 25}, "starttls")

    @model_validator(mode="after")
    def _pair(self) -> Smtp:
        password = bool(self.password.get_secret_value())
        if self.oauth.on:
            _password_or_token(self.username, password)
        elif bool(self.username) != password:
            raise ValueError("username and password go together: give both, or neither")
        return self


class Mailbox(Section):
    kind: Literal["imap", "pop3"] = "imap"
    host: Host
    port: Port
    tls: TlsMode = "tls"
    username: Plain
    password: Secret = SecretStr("")
    password_file: str = ""
    folder: Plain = "INBOX"
    processed_folder: Plain = ""
    ca_file: str = ""
    timeout: Annotated[float, Field(gt=0, le=150)] = 30.0
    poll_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    idle: bool = True
    start: Literal["now", "all"] = "now"
    delete_after_days: NotNegative | None = None
    oauth: OAuth = OAuth()

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
        if self.oauth.on:
            _password_or_token(self.username, bool(self.password.get_secret_value()))
        elif not self.password.get_secret_value():
            raise ValueError("password is missing (or password_file, or the section oauth)")
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
        for name in (*self.authserv_id.split(","), *self.relays, *self.own_hosts):
            if _names_strangers(name.strip()):
                raise ValueError(
                    f"{name.strip()} names strangers' servers as well: whatever they write would be believed"
                )
        return self


def _names_strangers(name: str) -> bool:
    """A pattern of less than a domain, or a network that no company has."""
    if "/" in name:
        try:
            network = ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
        return network.prefixlen < (8 if network.version == 4 else 16)
    if "*" not in name and not name.startswith("."):
        return False
    rest = name.lstrip(".").split(".")[0 if name.startswith(".") else 1 :]
    return len(rest) < 2 or any("*" in label for label in rest)


class Helpdesk(Section):
    """What `[itsm]` and each `[backends.<name>]` say of one ITSM."""

    address: Address
    profile: ProfileName = "inframanager"
    senders: Annotated[tuple[Sender, ...], List] = Field(min_length=1)
    from_mode: Literal["bot", "plus", "employee"] = "bot"
    bot_name: str = "Заявки из чата"
    complaints_to: OptionalAddress = ""
    register_minutes: NotNegative = 60
    evidence: Evidence


class Itsm(Helpdesk):
    """The default one; the numbers here hold for all of them."""

    bot_address: Address
    max_letter_bytes: Annotated[int, Field(ge=100_000)] = 30_000_000
    reopen_wait_hours: Positive = 8

    @model_validator(mode="after")
    def _no_loop(self) -> Itsm:
        if problem := _loop(self, self.bot_address):
            raise ValueError(problem)
        return self


class FurtherBackend(Helpdesk):
    """One more ITSM, which the catalogue names. `bot_address`: "" = that of [itsm]; `language`: of its letters, "" = its
    profile's; `mailbox`: where its letters arrive, if elsewhere."""

    bot_address: OptionalAddress = ""
    language: Language | Literal[""] = ""
    mailbox: Mailbox | None = None


def complete(itsm: Itsm, backends: Mapping[str, FurtherBackend]) -> dict[str, FurtherBackend]:
    """The further helpdesks, each with the bot's address that it writes to."""
    return {
        name: backend.model_copy(update={"bot_address": backend.bot_address or itsm.bot_address})
        for name, backend in backends.items()
    }


def disagreements(itsm: Itsm, mailbox: Mailbox, backends: Mapping[str, FurtherBackend]) -> list[str]:
    """What several helpdesks contradict one another in. One sender speaks for one helpdesk, one folder has one reader."""
    found: list[str] = []
    for name, backend in complete(itsm, backends).items():
        where = f"[backends.{name}]"
        if name in _RESERVED or not _NAME.fullmatch(name):
            found.append(f"{where}: {name!r} cannot be its name: small Latin letters, digits and -, and not {_TAKEN}")
        if problem := _loop(backend, backend.bot_address):
            found.append(f"{where}: {problem}")
        if backend.mailbox is not None and backend.bot_address == itsm.bot_address:
            found.append(
                f"{where}: bot_address is missing: its letters are to arrive in {where[:-1]}.mailbox], not in [mailbox]"
            )
    all_of_them: list[tuple[str, Helpdesk]] = [("[itsm]", itsm)]
    boxes = [("[mailbox]", mailbox)]
    for name, backend in backends.items():
        where = f"[backends.{name}]"
        found += [
            f"{where} senders: {shared} speaks for {other} as well ({among}): one sender, one helpdesk"
            for other, desk in all_of_them
            for shared, among in _shared(backend.senders, desk.senders)
        ]
        all_of_them.append((where, backend))
        if backend.mailbox is not None:
            box = f"[backends.{name}.mailbox]"
            found += [
                f"{box} is the same folder as {other}: leave one of the two out"
                for other, known in boxes
                if _place(known) == _place(backend.mailbox)
            ]
            boxes.append((box, backend.mailbox))
    return found


_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_RESERVED = frozenset({"itsm", "desk"})
_TAKEN = "itsm or desk"


def _shared(mine: Sequence[str], theirs: Sequence[str]) -> list[tuple[str, str]]:
    """Which of `mine` some of `theirs` speaks for, or is spoken for by."""
    return [
        (one, other)
        for one in mine
        for other in theirs
        if one == other
        or (one.rpartition("@")[2] == other.rpartition("@")[2] and (one.startswith("*@") or other.startswith("*@")))
    ]


def _place(mailbox: Mailbox) -> tuple[str, int, str, str]:
    return mailbox.host.lower(), mailbox.port, mailbox.username.lower(), mailbox.folder


def _loop(desk: Helpdesk, bot_address: str) -> str:
    if desk.address == bot_address:
        return "address and bot_address are the same mailbox: imbot would write to itself"
    if bot_address in desk.senders:
        return "senders must not name bot_address: imbot would read its own letters as status letters"
    if desk.from_mode == "plus" and "+" in bot_address:
        return 'from_mode = "plus" adds +token to bot_address, which has a + already'
    return ""


def _password_or_token(username: str, password: bool) -> None:
    if password:
        raise ValueError("password and oauth are two ways to sign in: keep one of them")
    if not username:
        raise ValueError("username is missing: with oauth it is the mailbox to sign in to")
