"""`imbot mail ...`: letters read by the same path as the watcher's, and the quarantine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from imbot.cli_base import AsJson, Config, one_line, say, say_json, settings_of, wait_for
from imbot.cli_queue import quarantine
from imbot.domain.errors import LetterRefused

if TYPE_CHECKING:
    from imbot.backends.profiles import Profile

app = typer.Typer(no_args_is_help=True, help="Letters: read, quarantine.")
app.add_typer(quarantine, name="quarantine")
Files = Annotated[list[Path], typer.Argument(help="Letters as files (.eml).", metavar="FILE...")]
_LARGEST = 50 * 1024 * 1024  # the reader's own limit; one byte more is enough for it to refuse


@app.command("read")
def read(
    files: Files,
    as_json: AsJson = False,
    profile: Annotated[str, typer.Option(help="Read by this profile only; default: whichever fits.")] = "",
    config: Config = None,
) -> None:
    """Say what imbot makes of letters. Needs no config; with one, your own profiles and senders count."""
    profiles, zone = _profiles(config, profile)
    missing = wait_for(_read_all(files, profiles, zone, as_json=as_json))
    if missing:
        raise typer.Exit(1)


async def _read_all(files: list[Path], profiles: list[Profile], zone: ZoneInfo, *, as_json: bool) -> int:
    missing = 0
    async for summary, unreadable in _summaries(files, profiles, zone):
        missing += unreadable
        if as_json:
            say_json(summary)
        else:
            _say_summary(summary)
    return missing


async def _summaries(
    files: list[Path], profiles: list[Profile], zone: ZoneInfo
) -> AsyncIterator[tuple[Mapping[str, Any], bool]]:
    """(what to print, whether the file could not be read at all), in the order asked for."""
    from imbot.backends import mail as letters
    from imbot.mailbox.reading import Reader

    async with Reader() as reader:
        for file in files:
            try:
                with file.open("rb") as handle:
                    raw = handle.read(_LARGEST + 1)
            except OSError as error:
                yield letters.mail_summary(str(file), None, None, f"cannot be read: {error.strerror}"), True
                continue
            try:
                mail = await reader.read(raw)
            except LetterRefused as refusal:
                yield letters.mail_summary(str(file), None, None, str(refusal)), False
                continue
            chosen, _ = letters.choose(profiles, mail)
            report = letters.read(chosen, mail, tz=zone) if chosen else None
            yield letters.mail_summary(str(file), mail, report), False


def _profiles(config: Path | None, wanted: str) -> tuple[list[Profile], ZoneInfo]:
    """All profiles there are. With a config its own profile comes first, with the senders it believes."""
    from imbot import wiring
    from imbot.backends.profiles import load_profiles
    from imbot.config import DEFAULT_PATH, packed
    from imbot.domain.errors import ConfigError

    zone, own, folders = ZoneInfo("Europe/Moscow"), None, [packed("templates") / "mail"]
    if config is not None or DEFAULT_PATH.is_file():
        settings = settings_of(config)
        zone, own = settings.general.zone, wiring.profile(settings)
        folders = [folder / "mail" for folder in wiring.template_folders(settings)]
    known = load_profiles(folders)
    if own is not None:
        known = {own.name: own, **{name: one for name, one in known.items() if name != own.name}}
    if wanted and wanted not in known:
        raise ConfigError([f"there is no profile {wanted!r}; there are {', '.join(sorted(known))}"])
    return ([known[wanted]] if wanted else list(known.values())), zone


def _say_summary(summary: Mapping[str, Any]) -> None:
    say(f"{summary['file']}: {summary['outcome']}" + (f": {summary['reason']}" if summary["reason"] else ""))
    if summary["outcome"] != "parsed":
        return
    say(f"  from {one_line(str(summary['from']))}, {summary['date'] or 'no date'}")
    say(f"  {one_line(str(summary['subject']), 120)}")
    report = summary["report"]
    if report is None:
        say("  no profile finds anything in it")
    else:
        say(f"  {report['profile']}: {report['status'] or 'no status'}, {report['number'] or 'no number'}")
        for name, value in report["fields"].items():
            say(f"    {name}: {one_line(str(value), 100)}")
    for part in summary["attachments"]:
        say(f"  file {one_line(part['name'])}, {part['size']} bytes")
