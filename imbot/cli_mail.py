"""`imbot mail ...`: letters read by the same path as the watcher's, explained, learned from, kept as examples; the quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imbot import cli_mail_explain, cli_mail_golden, cli_mail_learn, cli_mail_quarantine
from imbot.cli_base import AsJson, Config, Group, one_line, say, say_json, wait_for
from imbot.cli_mail_bench import Bench, Files, Named, bench, read_file
from imbot.domain.errors import ImbotError, LetterRefused

if TYPE_CHECKING:
    from imbot.domain.letters import InboundMail

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Letters of the ITSM: explained, learned from, set aside.",
)
app.command("explain", short_help="Which profile reads a letter, and what would follow.")(cli_mail_explain.explain)
app.command("learn", short_help="Propose a profile from a few sample letters.")(cli_mail_learn.learn)
app.add_typer(cli_mail_golden.app, name="golden")
app.add_typer(cli_mail_quarantine.app, name="quarantine")


@app.command("read")
def read(files: Files, as_json: AsJson = False, profile: Named = "", config: Config = None) -> None:
    """Say what imbot makes of letters. Needs no config; with one, your own profiles and senders count. Exit code 1 where one
    cannot be read."""
    if wait_for(_read_all(files, bench(config, profile), as_json=as_json)):
        raise typer.Exit(1)


async def _read_all(files: list[Path], desk: Bench, *, as_json: bool) -> bool:
    """One reader for all of them; True where one could not be read."""
    from imbot.backends.mail import mail_summary

    unread = False
    async with desk.reader() as reader:
        for file in files:
            name = str(file)
            try:
                summary = _summary(name, await reader.read(read_file(file, desk.largest)), desk)
            except LetterRefused as refusal:
                unread = True
                summary = mail_summary(name, None, None, str(refusal))
            except ImbotError as error:
                unread = True
                summary = mail_summary(name, None, None, str(error).removeprefix(f"{name}: "))
            if as_json:
                say_json(summary)
            else:
                _say_summary(summary)
    return unread


def _summary(name: str, mail: InboundMail, desk: Bench) -> Mapping[str, Any]:
    from imbot.backends.choosing import consider
    from imbot.backends.mail import mail_summary
    from imbot.backends.understanding import read as understood

    chosen = consider(desk.choices, mail).profile
    return mail_summary(name, mail, understood(chosen, mail, tz=desk.zone) if chosen else None)


def _say_summary(summary: Mapping[str, Any]) -> None:
    fate = f"{summary['outcome']}: {one_line(summary['reason'], 300)}" if summary["reason"] else summary["outcome"]
    say(f"{one_line(summary['file'], 200)}: {fate}")
    if summary["outcome"] != "parsed":
        return
    say(f"  from {one_line(str(summary['from'] or '(no sender)'))}, {summary['date'] or 'no date'}")
    say(f"  {one_line(str(summary['subject'] or '(no subject)'), 120)}")
    report = summary["report"]
    if report is None:
        say("  no profile finds anything in it")
    else:
        say(f"  {report['profile']}: {report['status'] or 'no status'}, {report['number'] or 'no number'}")
        for name, value in report["fields"].items():
            say(f"    {name}: {one_line(str(value), 100)}")
    for part in summary["attachments"]:
        say(f"  file {one_line(part['name'])}, {part['size']} bytes")
