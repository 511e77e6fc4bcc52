"""What every service may know of the settings, and what it may use of chance: two arguments instead of globals."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from imbot.backends.base import FromMode, Sending
from imbot.backends.evidence import EvidenceSettings
from imbot.backends.profiles import Profile
from imbot.dialog.turn import DialogSettings
from imbot.domain.calendar import WorkingHours
from imbot.domain.forms import Catalogue, Locations
from imbot.domain.letters import Attachment
from imbot.domain.signin import Limits
from imbot.templates import Templates

DEFAULT_BACKEND = "itsm"  # the one of [itsm]; others are [backends.<name>]
WATCHER = "replies"  # what watches [mailbox]; that of [backends.<name>.mailbox] is called WATCHER:<name>


def leg_of(watcher: str) -> str:
    """What a watcher's mailbox is called in the pulse, in alarms and in the data base: `mailbox`, `mailbox:<name>`."""
    return "mailbox" + watcher.removeprefix(WATCHER)


@dataclass(frozen=True, slots=True)
class Backend:
    """One ITSM reached by mail: its profile, how we write to it, whom we believe. `name` is that of its section in the
    settings, kept with every ticket. `mailbox`: the watcher that its letters come in by, "" = any."""

    profile: Profile
    evidence: EvidenceSettings
    to: str  # the intake mailbox
    sender: str  # the bot's own, watched mailbox
    sender_name: str = ""
    mode: FromMode = FromMode.BOT
    complaints_to: str = ""
    name: str = DEFAULT_BACKEND
    mailbox: str = ""
    register_wait: timedelta = timedelta(minutes=60)  # working time until silence after a letter is told; zero: never

    @property
    def waits_for_number(self) -> bool:
        """Whether a follow-up letter without the number would open a second call there."""
        return self.profile.waits_for_number

    def sending(self, message_id: str, date: datetime, attachments: tuple[Attachment, ...] = ()) -> Sending:
        """How one letter goes out to this backend."""
        return Sending(
            message_id=message_id,
            date=date,
            sender=self.sender,
            to=self.to,
            sender_name=self.sender_name,
            mode=self.mode,
            complaints_to=self.complaints_to,
            attachments=attachments,
        )


@dataclass(frozen=True, slots=True)
class Env:
    """Settings in the words of the services. `key` is the secret that codes and links are hashed with."""

    key: bytes
    zone: ZoneInfo
    language: str
    languages: tuple[str, ...]
    catalogue: Catalogue
    locations: Locations
    dialog: DialogSettings
    backends: Mapping[str, Backend]
    default_backend: str
    working: WorkingHours
    limits: Limits = field(default_factory=Limits)
    admins: tuple[str, ...] = ()
    can_recheck: bool = True
    recheck_age: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(hours=24)
    unverified_waits: bool = False
    reopen_wait: timedelta = timedelta(hours=8)  # working time
    max_letter_bytes: int = 30_000_000
    quota_bytes: int = 500_000_000
    files: Path | None = None  # where files of letters lie; None: they are told of, and not kept
    reserve_bytes: int = 0  # of the disk, to leave free
    night: tuple[time, time] = (time(22), time(7))
    late_after: timedelta = timedelta(minutes=15)
    consent_version: str = ""
    reverify_after: timedelta | None = None  # a link this old asks for a new sign-in
    config_option: str = ""  # of the commands that letters name, with a blank in front
    templates: Templates | None = None  # for letters that are composed with their turn; None: none is

    def backend(self, name: str) -> Backend:
        """The backend called `name`, or the default one where it is no longer in the settings."""
        return self.backends.get(name) or self.backends[self.default_backend]

    def chat_language(self, wanted: str, chosen: str = "") -> str:
        """The language to speak to a chat that asks for `wanted` ("en-GB", ""): the one that its person has `chosen`, if any."""
        if chosen:
            return chosen
        tag = wanted.split("-")[0].lower()
        if tag in self.languages:
            return tag
        return "en" if tag and tag not in _READ_RUSSIAN and "en" in self.languages else self.language


_READ_RUSSIAN = frozenset({"ru", "uk", "be", "kk", "ky", "uz", "tg", "hy", "az", "ka", "tt", "ba"})


@dataclass(frozen=True, slots=True)
class Fresh:
    """The random things that one transaction may need: it may be run twice and must then do the same. All come from one draw of
    256 bits (keyed BLAKE2, RFC 7693) when they are asked for; most turns ask for none. `letters`: how many have got their
    Message-ID already."""

    seed: bytes
    mail_domain: str
    letters: int = 0

    @classmethod
    def mint(cls, mail_domain: str) -> Fresh:
        return cls(secrets.token_bytes(32), mail_domain)

    def after_a_letter(self) -> Fresh:
        """Each letter of a turn bears its own Message-ID."""
        return replace(self, letters=self.letters + 1)

    @property
    def ticket_id(self) -> str:
        return self._word("ticket", 10).rstrip("=")

    @property
    def session_token(self) -> str:
        return self._word("session", 3)[:4]

    @property
    def ticket_token(self) -> str:
        return "imb:" + self._word("token", 7)[:10].upper()

    def message_id(self, further: int = 0) -> str:
        """120 random bits (`domain.letters.mint_message_id`); `further`: of the letters after the next one."""
        return f"<{self._word(f'letter {self.letters + further}', 15)}@{self.mail_domain}>"

    @property
    def code(self) -> str:
        """See `domain.signin.mint_code`."""
        return self._word("code", 5).upper()

    @property
    def link(self) -> str:
        """See `domain.signin.mint_token`."""
        return self._word("link", 20)

    def _word(self, what: str, count: int) -> str:
        """`count` bytes in small base32."""
        drawn = hashlib.blake2b(what.encode(), key=self.seed, digest_size=count).digest()
        return base64.b32encode(drawn).decode().lower()
