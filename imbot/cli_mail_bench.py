"""What the commands of `imbot mail` share: letters read by the watcher's own reader, profiles of the settings or of imbot alone,
and the letters of the data base.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from imbot.cli_base import in_store, settings_of, wait_for
from imbot.domain.errors import ConfigError, ImbotError, LetterRefused

if TYPE_CHECKING:
    from imbot.backends.profile import Profile
    from imbot.config import Settings
    from imbot.domain.letters import InboundMail
    from imbot.mailbox.reading import Reader

Files = Annotated[list[Path], typer.Argument(help="Letters as files (.eml).", metavar="FILE...")]
Named = Annotated[str, typer.Option("--profile", help="Read by this profile only; default: whichever fits.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--profiles",
        help="A folder with other profiles, <name>/profile.toml or mail/<name>/profile.toml: they go first.",
    ),
]
_MARKS = ("From", "To", "Date", "Subject", "Message-ID", "Received", "Return-Path")


@dataclass(frozen=True, slots=True)
class Bench:
    """`backends`: profiles in use, by the backend's name, with the senders that they are believed from. `shelf`: every
    profile there is. Without settings there are no backends. `idle`: said where profiles were given and none is in use."""

    settings: Settings | None
    zone: ZoneInfo
    backends: dict[str, Profile]
    shelf: dict[str, Profile]
    idle: str = ""

    @property
    def choices(self) -> dict[str, Profile]:
        """What a letter may be read by: what is in use, then the rest of the shelf."""
        used = {profile.name for profile in self.backends.values()}
        return self.backends | {name: one for name, one in self.shelf.items() if name not in used}

    def reader(self) -> Reader:
        from imbot import wiring
        from imbot.mailbox.reading import Reader

        return wiring.reader(self.settings) if self.settings is not None else Reader()

    @property
    def largest(self) -> int:
        return self.settings.reading.max_bytes if self.settings is not None else 50 * 1024 * 1024


def bench(config: Path | None, wanted: str = "", profiles: Path | None = None) -> Bench:
    """All that can be known of profiles: with settings, or without any. `wanted`: only this one. Raises ConfigError."""
    from dataclasses import replace

    from imbot import wiring
    from imbot.backends.profiles import load_profiles
    from imbot.config import packed
    from imbot.config_words import meant

    settings = settings_of(config) if config is not None or _has_config() else None
    folders = [folder / "mail" for folder in wiring.template_folders(settings)] if settings else []
    given = _given(profiles) if profiles else None
    shelf = load_profiles([*([given] if given else []), *(folders or [packed("templates") / "mail"])])
    used: dict[str, Profile] = {}
    idle = ""
    if settings is not None:
        desks = {section.removeprefix("backends."): desk for section, desk in settings.helpdesks().items()}
        used = {name: wiring.backend(settings, name).profile for name in desks}
        if given:
            used = {name: replace(shelf[desks[name].profile], senders=one.senders) for name, one in used.items()}
            idle = _idle(given, {desk.profile for desk in desks.values()})
    if wanted:
        if wanted not in {*shelf, *used}:
            known = {*shelf, *used}
            near = meant(wanted, known)
            raise ConfigError([f"there is no profile {wanted!r}; there are {', '.join(sorted(known))}{near}"])
        used = {name: one for name, one in used.items() if wanted in (name, one.name)}
        shelf = {} if used else {wanted: shelf[wanted]}
    return Bench(settings, settings.general.zone if settings else ZoneInfo("Europe/Moscow"), used, shelf, idle)


def _given(folder: Path) -> Path:
    """Where the profiles of --profiles lie: there, or in its `mail/`, as in a templates_dir. Raises ConfigError: without any,
    every letter would mean what it did, and that would be no answer."""
    for root in (folder, folder / "mail"):
        if next(root.glob("*/profile.toml"), None) is not None:
            return root
    parent = f"; it is itself a profile: give {folder.absolute().parent}" if (folder / "profile.toml").is_file() else ""
    raise ConfigError([f"--profiles: there is no <name>/profile.toml in {folder} or {folder / 'mail'}{parent}"])


def _idle(given: Path, used: set[str]) -> str:
    """What to say where none of the profiles given is one that the settings use; both are known by their folders' names."""
    there = {path.parent.name for path in given.glob("*/profile.toml")}
    if there & used:
        return ""
    return f"--profiles: {given} has {', '.join(sorted(there))}, but the settings use {', '.join(sorted(used))}"


def _has_config() -> bool:
    from imbot.config import DEFAULT_PATH

    return bool(os.environ.get("IMBOT_CONFIG")) or DEFAULT_PATH.is_file()


def read_file(path: Path, largest: int) -> bytes:
    """The letter's bytes, one more than allowed at most. Raises ImbotError."""
    try:
        with path.open("rb") as handle:
            return handle.read(largest + 1)
    except OSError as error:
        raise ImbotError(f"{path}: cannot be read: {error.strerror}") from None


def read_all(letters: Iterable[tuple[str, bytes]], desk: Bench) -> list[tuple[str, InboundMail]]:
    """Letters by name, read in the child. Raises ImbotError for the first that cannot be."""
    found = wait_for(_read(list(letters), desk))
    for name, mail in found:
        if isinstance(mail, LetterRefused):
            raise ImbotError(f"{name}: {mail}")
    return [(name, mail) for name, mail in found if not isinstance(mail, LetterRefused)]


def why_no_letter(mail: InboundMail) -> str:
    """ "" for a letter. Any text can be read as one, and some of its lines look like headers: one at least must be a letter's."""
    if any(mail.header(name) for name in _MARKS):
        return ""
    return f"it is no letter: it bears none of {', '.join(_MARKS)}; save the letter as a file with its headers (.eml)"


def try_all(letters: Iterable[tuple[str, bytes]], desk: Bench) -> list[tuple[str, InboundMail | LetterRefused]]:
    """The same; what cannot be read is told for each."""
    return wait_for(_read(list(letters), desk))


async def _read(letters: list[tuple[str, bytes]], desk: Bench) -> list[tuple[str, InboundMail | LetterRefused]]:
    found: list[tuple[str, InboundMail | LetterRefused]] = []
    async with desk.reader() as reader:
        for name, raw in letters:
            try:
                found.append((name, await reader.read(raw)))
            except LetterRefused as refusal:
                found.append((name, refusal))
    return found


def no_letter(id: int) -> ImbotError:
    return ImbotError(f"there is no letter {id}: see `imbot mail quarantine list`")


def raw_of(settings: Settings, id: int) -> bytes:
    """The bytes of a letter of the data base, as they came. Raises ImbotError."""
    from imbot.store import inbox
    from imbot.store.withheld import is_withheld

    letter = in_store(settings, inbox.raw_letter, id)
    if letter is None:
        raise no_letter(id)
    if letter.raw is not None:
        return letter.raw
    if is_withheld(letter.sha256):
        raise ImbotError(
            f"letter {id} was never handed out by the mail server: `imbot mail quarantine replay {id}` has it asked for again"
        )
    if not letter.path:
        raise ImbotError(f"letter {id} has been cleaned up: only its identity is kept")
    path = settings.general.data_dir / "letters" / letter.path
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImbotError(f"{path}: cannot be read: {error.strerror}") from None


def who_decides() -> str:
    """The user of the operating system, for the ledger."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def span_of(option: str, text: str) -> timedelta:
    """`30d`, `12h`. Raises ImbotError that names the option."""
    found = re.fullmatch(r"([0-9]{1,5})([dh])", text.strip())
    if found is None:
        raise ImbotError(f"{option}: {text!r} is no time: write 30d or 12h")
    return timedelta(**{"days" if found[2] == "d" else "hours": int(found[1])})
