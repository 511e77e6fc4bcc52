"""`imbot mail golden ...`: a company's own letters and what they mean, kept as examples, so that an edited profile can be tried.

They lie in `golden/` of the data folder, each a letter as it came and a `.toml` with its meaning, for the service's user only.
They bear personal data and are kept until somebody drops them, or the person they are about is erased.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbot.cli_base import (
    AsJson,
    Config,
    Group,
    ask_first,
    in_store,
    now,
    one_line,
    say,
    say_json,
    say_table,
    settings_of,
    shown,
)
from imbot.cli_mail_bench import Bench, Folder, bench, raw_of, read_file, span_of, try_all
from imbot.domain.errors import ImbotError, LetterRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.domain.letters import InboundMail

app = typer.Typer(cls=Group, no_args_is_help=True, help="Your own letters as examples to try a profile on.")
_NONE_KEPT = "no letters are kept yet: `imbot mail golden add` keeps some"
Names = Annotated[list[str] | None, typer.Argument(help="Names in the first column of the list.", metavar="NAME")]


@dataclass(frozen=True, slots=True)
class Example:
    """A letter and its meaning: `means` has profile, status, number and the fields as texts. `sent`: what we had written
    about its ticket, which does not count in it."""

    name: str
    raw: bytes
    means: Mapping[str, str]
    sent: tuple[str, ...] = ()
    ticket: str = ""
    added: datetime | None = None


@app.command("add")
def add(
    files: Annotated[list[Path] | None, typer.Argument(help="Letters as files (.eml).", metavar="FILE")] = None,
    accepted: Annotated[
        int,
        typer.Option("--from-accepted", help="The letters that were carried out last, so many.", min=0, max=100_000),
    ] = 0,
    config: Config = None,
) -> None:
    """Keep letters with the meaning they have today. They bear personal data: keep few, and drop them when they have served."""
    desk = bench(config)
    settings = _settings(desk)
    wanted: list[tuple[str, bytes, tuple[str, ...], str]] = [
        (str(file), read_file(file, desk.largest), (), "") for file in files or []
    ]
    wanted += list(_accepted(settings, accepted)) if accepted else []
    if not wanted:
        raise ImbotError("say which: files, or --from-accepted N" if not accepted else "no letter was carried out yet")
    folder, added, skipped = _folder(settings), 0, 0
    read = try_all(((name, raw) for name, raw, _, _ in wanted), desk)
    for (name, raw, sent, ticket), (_, mail) in zip(wanted, read, strict=True):
        means = _meaning(mail, desk, sent)
        if isinstance(mail, LetterRefused) or not means.get("profile"):
            skipped += 1
            why = one_line(means.get("refused", ""), 300) or "no profile in use finds anything in it"
            say(f"{one_line(name, 200)}: not kept: {why}")
            continue
        example = Example(mail.sha256[:12], raw, means, tuple(sent), ticket)
        added += _keep(folder, example)
        say(f"{one_line(name, 200)}: {example.name}: {one_line(_said(means), 200)}")
    say(f"{added} added, {len(wanted) - added - skipped} kept before, in {folder}")
    if skipped:
        raise typer.Exit(1)


@app.command("list")
def list_examples(as_json: AsJson = False, config: Config = None) -> None:
    """What is kept, and what each letter means."""
    settings = settings_of(config)
    examples = list(_examples(settings))
    if as_json:
        for one in examples:
            say_json({"name": one.name, "added": one.added, "ticket": one.ticket, "means": dict(one.means)})
        return
    table = [["NAME", "ADDED", "SUBJECT", "MEANS"]]
    read = try_all(((one.name, one.raw) for one in examples), bench(config))
    for one, (_, mail) in zip(examples, read, strict=True):
        table.append([one.name, shown(one.added, settings), _subject(mail), one_line(_said(one.means), 100)])
    say_table(table, _NONE_KEPT)


@app.command("check", short_help="Which kept letters would change their meaning today.")
def check(as_json: AsJson = False, profiles: Folder = None, config: Config = None) -> None:
    """Read every kept letter under the profiles of today, and tell which would change their meaning: exit code 1 if any."""
    desk = bench(config, profiles=profiles)
    if desk.idle:
        raise ImbotError(f"{desk.idle}: no letter would be read by another profile")
    examples = list(_examples(_settings(desk)))
    if not examples:
        say(_NONE_KEPT, err=as_json)
        return
    changed, rows = 0, [["LETTER", "SUBJECT", "WHAT", "WAS", "WOULD BE"]]
    read = try_all(((one.name, one.raw) for one in examples), desk)
    for one, (_, mail) in zip(examples, read, strict=True):
        new = _meaning(mail, desk, one.sent)
        changes = {key: (one.means.get(key, ""), new.get(key, "")) for key in sorted({*one.means, *new})}
        changes = {key: pair for key, pair in changes.items() if pair[0] != pair[1]}
        changed += bool(changes)
        if as_json:
            told = {key: {"was": a, "would_be": b} for key, (a, b) in changes.items()}
            say_json({"name": one.name, "subject": _subject(mail), "changes": told})
        called = [one.name, _subject(mail)]
        rows += [[*called, key, one_line(was) or "-", one_line(new) or "-"] for key, (was, new) in changes.items()]
    if not as_json:
        if changed:
            say_table(rows, "")
        say(f"{changed} of {len(examples)} letters would change their meaning")
    if changed:
        raise typer.Exit(1)


@app.command("drop")
def drop(
    names: Names = None,
    older: Annotated[str, typer.Option(help="Those added longer ago than this: 90d.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = None,
) -> None:
    """Delete kept letters. What is named is deleted at once; what is only that old is asked about."""
    settings = settings_of(config)
    before = now() - span_of("--older", older) if older else None
    known = list(_examples(settings))
    missing = sorted(set(names or []) - {one.name for one in known})
    if missing:
        raise ImbotError(f"no letter is kept as {', '.join(missing)}")
    gone = [one for one in known if one.name in (names or []) or (before and one.added and one.added < before)]
    if not (names or older):
        raise ImbotError("say which: names, or --older 90d")
    if not gone:
        say("nothing is that old")
        return
    if older and not yes:
        ask_first(f"Delete {len(gone)} of {len(known)} kept letters?")
    _delete(_folder(settings), gone)
    say(f"{len(gone)} deleted")


def forget(settings: Settings, person_id: int) -> int:
    """The letters about this person's tickets are deleted; returns how many."""

    def theirs(c: Connection) -> set[str]:
        from imbot.store import tickets

        return {ticket.id for ticket in tickets.of_person(c, person_id, 0, 1_000_000)[0]}

    wanted = in_store(settings, theirs)
    gone = [one for one in _examples(settings) if one.ticket in wanted]
    _delete(_folder(settings), gone)
    return len(gone)


def _settings(desk: Bench) -> Settings:
    if desk.settings is None:
        raise ImbotError("there is no config.toml here: the letters are kept in its data folder")
    return desk.settings


def _folder(settings: Settings) -> Path:
    return settings.general.data_dir / "golden"


def _accepted(settings: Settings, count: int) -> Iterator[tuple[str, bytes, tuple[str, ...], str]]:
    def ask(c: Connection) -> list[tuple[int, str, list[str]]]:
        from imbot.services import reports
        from imbot.store import inbox, tickets

        found = []
        for row in inbox.carried_out(c, count):
            ticket = tickets.get(c, row.ticket_id)
            if ticket is not None:
                found.append((row.id, ticket.id, list(reports.sent_words(c, ticket))))
        return found

    for id, ticket, sent in in_store(settings, ask):
        yield f"letter {id}", raw_of(settings, id), tuple(sent), ticket


def _meaning(mail: InboundMail | LetterRefused, desk: Bench, sent: Sequence[str]) -> dict[str, str]:
    from imbot.backends.choosing import consider
    from imbot.backends.understanding import read

    if isinstance(mail, LetterRefused):
        return {"refused": str(mail)}
    profile = consider(desk.backends, mail).profile
    report = read(profile, mail, tz=desk.zone, sent=sent) if profile else None
    if profile is None or report is None:
        return {}
    status = report.status.value if report.status else ("none" if report.silent else "comment")
    return {"profile": profile.name, "status": status, "number": report.number, **report.fields}


def _subject(mail: InboundMail | LetterRefused) -> str:
    return "-" if isinstance(mail, LetterRefused) else one_line(mail.subject) or "(no subject)"


def _said(means: Mapping[str, str]) -> str:
    fields = "".join(f", {key}: {value}" for key, value in means.items() if key not in ("profile", "status", "number"))
    return f"{means['profile']}: {means['status']}, {means['number'] or 'no number'}{fields}"


def _keep(folder: Path, one: Example) -> bool:
    """False where it is kept already: its meaning stays as it was."""
    try:
        for each in (folder.parent, folder):  # the data folder, where this is the first command
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImbotError(f"{folder}: cannot be made: {error.strerror}") from None
    path = folder / f"{one.name}.toml"
    if path.exists():
        return False
    lines = [f"added = {now().replace(microsecond=0).isoformat()}", f"ticket = {_text(one.ticket)}"]
    lines += [f"sent = [{', '.join(map(_text, one.sent))}]", "", "[means]"]
    lines += [f"{key} = {_text(value)}" for key, value in one.means.items()]
    _write(folder / f"{one.name}.eml", one.raw)
    _write(path, ("\n".join(lines) + "\n").encode())
    return True


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def _write(path: Path, data: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(data)
    except OSError as error:
        raise ImbotError(f"{path}: cannot be written: {error.strerror}") from None


def _examples(settings: Settings) -> Iterator[Example]:
    for path in sorted(_folder(settings).glob("*.toml")):
        try:
            table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
            raw = path.with_suffix(".eml").read_bytes()
        except (OSError, ValueError) as error:
            raise ImbotError(f"{path}: {error}") from None
        means = {str(key): str(value) for key, value in table.get("means", {}).items()}
        sent = tuple(str(text) for text in table.get("sent", ()))
        yield Example(path.stem, raw, means, sent, str(table.get("ticket", "")), table.get("added"))


def _delete(folder: Path, gone: Sequence[Example]) -> None:
    for one in gone:
        for kind in (".eml", ".toml"):
            (folder / f"{one.name}{kind}").unlink(missing_ok=True)
