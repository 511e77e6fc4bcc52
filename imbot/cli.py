"""The command line. Every command says what went wrong in one line on standard error and ends with a code that is not 0.

Commands of a group lie in `cli_*.py`; what they need is imported when they run, so that `imbot --help` is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from imbot import __version__, cli_mail, cli_queue, cli_ticket, cli_user
from imbot.cli_base import AsJson, Config, Group, say, say_json, say_wrapped, settings_of, wait_for
from imbot.cli_serving import serve, told_in_one_line
from imbot.domain.errors import ImbotError

_HELP = """A chat bot in front of the helpdesk you already have.

Begin with `imbot init`, which writes a config; `imbot doctor` checks it, and `imbot run` serves. `imbot demo` needs none of them.
"""
app = typer.Typer(
    name="imbot",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Group,
    help=_HELP,
)
app.add_typer(cli_user.app, name="user")
app.add_typer(cli_user.location, name="location")
app.add_typer(cli_queue.outbox, name="outbox")
app.add_typer(cli_ticket.ticket, name="ticket")
app.add_typer(cli_mail.app, name="mail")
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


def main() -> None:
    """The whole command line."""
    with told_in_one_line():
        app()


def door(*words: str) -> None:
    """One command as a program of its own: its usage bears the program's name alone."""
    with told_in_one_line():
        command: Any = typer.main.get_command(app)
        for word in words:
            command = command.commands[word]
        command()


def _version(wanted: bool) -> None:
    if wanted:
        say(f"imbot {__version__}")
        raise typer.Exit


@app.callback()
def entry(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command(short_help="Run the bot: chats, letters, notices, until it is stopped.")
def run(config: Config = None) -> None:
    """Serve: chats, letters, notices. Ends on SIGTERM or Ctrl-C, within 10 seconds."""
    serve(config)


@app.command(short_help="Play with everything in one process: no token, no root.")
def demo(
    port: Annotated[int, typer.Option(help="Of the page on 127.0.0.1.", envvar="PORT", min=0, max=65535)] = 8080,
    folder: Annotated[
        Path | None,
        typer.Option(help="A new folder to keep the state in, for other commands; default: a temporary one."),
    ] = None,
) -> None:
    """Play with everything in one process: no token, no server, no root."""
    from imbot import demo as world

    try:
        world.run(port, folder)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("imbot"):
            raise
        raise ImbotError(f"the demo needs {error.name}: install imbot[demo]") from error


@app.command(short_help="Bring the data base to this version, as `run` does.")
def migrate(config: Config = None) -> None:
    """Bring the data base to this version's schema, after a copy of the file. `imbot run` does it as well."""
    from imbot.app import hand_over, make_folders
    from imbot.store.lock import InstanceLock
    from imbot.store.migrate import migrate as bring

    folders = make_folders(settings_of(config).general.data_dir)
    with InstanceLock(folders.root):
        applied = bring(folders.database)
    hand_over(folders.root)
    say(f"applied: {', '.join(applied)}" if applied else "the schema is current")


@app.command(short_help="Check configuration, directory, mail and Telegram.")
def doctor(
    config: Config = None,
    as_json: AsJson = False,
    round_trip: Annotated[
        bool, typer.Option("--round-trip", help="File a marked request with the ITSM and wait for its letter.")
    ] = False,
    minutes: Annotated[float, typer.Option(help="How long the round trip waits.", min=0.05, max=120)] = 10,
    backend: Annotated[str, typer.Option(help="Whose round trip: itsm, or the name of [backends.<name>].")] = "itsm",
) -> None:
    """Check configuration, data base, directory, mail, Telegram and clock: a line for each, a hint for what fails, exit code 1 if
    any does."""
    from imbot.cli_doctor import examine
    from imbot.cli_round_trip import travel

    legs = wait_for(travel(config, minutes * 60, backend) if round_trip else examine(config))
    for leg in legs:
        if as_json:
            say_json({"leg": leg.name, "state": leg.state, "says": leg.says, "hint": leg.hint})
        else:
            say_wrapped(leg.line())
    if any(leg.state == "wrong" for leg in legs):
        raise typer.Exit(1)


@app.command(short_help="Remove old files, raw letters, codes and drafts, as every night.")
def cleanup(dry_run: DryRun = False, config: Config = None) -> None:
    """Remove what has outlived its time: old photos, raw letters, expired codes and sessions. Runs nightly as well."""
    from imbot.cli_upkeep import clean, said, would_clean

    settings = settings_of(config)
    counts = would_clean(settings) if dry_run else wait_for(clean(settings))
    lines = said(counts)
    if not lines:
        say("nothing has outlived its time")
        return
    say("\n".join(["nothing was removed; this would be:" if dry_run else "removed:", *lines]))


@app.command(short_help="Tickets with their times and ratings, as CSV.")
def report(
    csv: Annotated[str, typer.Option("--csv", help="The file to write; - for standard output.")] = "-",
    since: Annotated[str, typer.Option(help="First day, YYYY-MM-DD; default: 30 days ago.")] = "",
    until: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; default: today.")] = "",
    bom: Annotated[bool, typer.Option("--bom", help="Begin with a byte order mark, which Excel wants.")] = False,
    config: Config = None,
) -> None:
    """Tickets with category, place, times and ratings with their words, as CSV."""
    from imbot.cli_report import write_report

    count = write_report(settings_of(config), csv, since, until, bom)
    if csv != "-":
        say(f"{csv}: {count} {'ticket' if count == 1 else 'tickets'}")


@app.command(short_help="Begin here: answer some questions, get a config.")
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("config.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Try each answer at once.")] = True,
) -> None:
    """Ask some fifteen questions, try the servers, write a short config that only you may read."""
    from imbot.cli_init import interview

    interview(path, force=force, check=check)


if __name__ == "__main__":
    main()
