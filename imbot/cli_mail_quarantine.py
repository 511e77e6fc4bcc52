"""`imbot mail quarantine ...`: letters that were set aside, and what an admin decides about them.

Every decision is one transaction of the data base that the running service works on; it sends what follows within seconds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imbot.cli_base import (
    AsJson,
    Config,
    Group,
    ask_first,
    in_store,
    no_ticket,
    now,
    number_of,
    one_line,
    say,
    say_json,
    say_table,
    settings_of,
    shown,
)
from imbot.cli_mail_bench import Bench, bench, no_letter, raw_of, read_all, span_of, try_all, who_decides
from imbot.cli_mail_explain import page_of, say_page
from imbot.domain.errors import ImbotError, LetterRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.domain.letters import InboundMail
    from imbot.services.enclosures import Enclosure
    from imbot.services.env import Env
    from imbot.store.inbox import MailRow

_LONG_AGO = timedelta(days=36_500)
app = typer.Typer(cls=Group, no_args_is_help=True, help="Letters set aside: not believed, or of no known request.")
_LETTER = number_of("letter", "mail quarantine list")
Id = Annotated[int, typer.Argument(help="The number in the first column of the list.", metavar="ID", parser=_LETTER)]
Ids = Annotated[
    list[int] | None,
    typer.Argument(help="Numbers in the first column of the list.", metavar="ID", parser=_LETTER),
]
All = Annotated[bool, typer.Option("--all", help="Every letter in quarantine, or all of those chosen below.")]
Since = Annotated[str, typer.Option(help="Only what came since this day, YYYY-MM-DD.")]
Sender = Annotated[str, typer.Option(help="Only from this sender; * stands for any letters.")]
Reason = Annotated[str, typer.Option(help="Only with these words in the reason.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_MOST, _AT_ONCE = 10_000, 20


@app.command("list")
def list_quarantine(
    days: Annotated[int, typer.Option(help="How far back.", min=1, max=_LONG_AGO.days)] = 30,
    dropped: Annotated[bool, typer.Option("--dropped", help="What was dropped, by whom, instead.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Letters set aside, newest first, and why."""
    from imbot.store import inbox

    settings = settings_of(config)
    asked = inbox.dropped if dropped else inbox.quarantined
    rows = in_store(settings, asked, now() - timedelta(days=days), 200)
    if as_json:
        for row in rows:
            say_json(
                {"id": row.id, "at": row.kept_at, "from": row.sender, "subject": row.subject, "reason": row.reason}
            )
        return
    table = [["ID", "CAME", "FROM", "SUBJECT", "REASON"]]
    table += [[str(row.id), shown(row.kept_at, settings), row.sender, row.subject, row.reason] for row in rows]
    empty = f"nothing was {'dropped' if dropped else 'set aside'} within {days} {'day' if days == 1 else 'days'}"
    say_table([[*(one_line(cell) for cell in line[:-1]), one_line(line[-1], 300)] for line in table], empty)


@app.command("show", short_help="Why a letter was set aside, and what would become of it.")
def show(
    id: Id,
    raw: Annotated[bool, typer.Option("--raw", help="The letter as it came, byte by byte.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say in words why a letter was set aside and what would become of it now. Changes nothing."""
    settings = settings_of(config)
    if raw:
        _write_out(raw_of(settings, id), f"imbot mail quarantine show {id} --raw > letter.eml")
        return
    row = _row(settings, id)
    ((_, mail),) = try_all([(f"letter {id}", raw_of(settings, id))], desk := bench(config))
    words = f"{_fate(row)}, {shown(row.settled_at or row.kept_at, settings)}"
    fate = {"outcome": row.outcome, "reason": row.reason, "words": words}
    if isinstance(mail, LetterRefused):
        say_page({"letter": {"name": f"letter {id}"}, "fate": fate, "refused": str(mail)}, as_json=as_json)
        return
    say_page({"id": id, "fate": fate, **page_of(f"letter {id}", mail, desk, id, row.mailbox)}, as_json=as_json)


@app.command("save", short_help="Write the letter as it came into a file.")
def save(
    id: Id,
    file: Annotated[Path, typer.Argument(help="The file to write; - for standard output.", metavar="FILE")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: Config = None,
) -> None:
    """Write the letter as it came, byte by byte, into a file that only you may read."""
    data = raw_of(settings_of(config), id)
    if str(file) == "-":
        _write_out(data, f"imbot mail quarantine save {id} letter.eml")
        return
    if file.exists() and not force:
        raise ImbotError(f"{file} is there already: --force replaces it")
    try:
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
    except OSError as error:
        raise ImbotError(f"{file}: cannot be written: {error.strerror}") from None
    say(f"{file}: {len(data)} bytes")


@app.command("bind", short_help="Say that a letter is genuine and about this ticket.")
def bind(
    id: Id,
    ticket: Annotated[str, typer.Argument(help="Its id, its token or the ITSM's number.", metavar="TICKET")],
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Though its number, thread or token is not the ticket's, or it repeats another letter."
        ),
    ] = False,
    config: Config = None,
) -> None:
    """Say that a letter is genuine and about this ticket: it is carried out, and the ledger says that you did it."""
    from imbot import wiring
    from imbot.services import enclosures, quarantine

    settings = settings_of(config)
    ticket_id = in_store(settings, _ticket_of, ticket)
    in_store(settings, quarantine.bindable, ticket_id)
    ((_, mail),) = read_all([(f"letter {id}", raw_of(settings, id))], bench(config))
    env = wiring.env(settings, wiring.known_key(settings))
    came = enclosures.keep(mail, env)
    row, became = in_store(settings, _bound, id, mail, ticket_id, env, came, force)
    say(f"{id}: {_fate(row)}, ticket {row.ticket_id}")
    say(f"  {became}")
    if row.outcome == "quarantined":
        raise typer.Exit(1)


@app.command("replay", short_help="Read letters again, after a profile was mended.")
def replay(
    ids: Ids = None,
    every: All = False,
    since: Since = "",
    sender: Sender = "",
    reason: Reason = "",
    config: Config = None,
) -> None:
    """Read letters again, after a profile or the settings were mended; says what has become of each. Exit code 1 where one
    that was named by its ID stays in quarantine."""
    from imbot.store.withheld import ask_at_once, is_withheld

    desk = bench(config)
    settings = settings_of(config)
    rows = _chosen(settings, ids or [], every, since, sender, reason)
    outcomes: dict[str, int] = {}
    withheld = [row for row in rows if is_withheld(row.sha256)]
    for row in withheld:
        asked = in_store(settings, ask_at_once, row.sha256, now())
        say(f"{row.id}: " + ("the mail server is asked for it at the next look" if asked else _fate(row)))
    rows = [row for row in rows if row not in withheld]
    for start in range(0, len(rows), _AT_ONCE):
        for row, fate in _read_again(settings, desk, rows[start : start + _AT_ONCE]):
            outcomes[fate.outcome] = outcomes.get(fate.outcome, 0) + 1
            say(f"{row.id}: {_fate(fate)}" + (f", ticket {fate.ticket_id}" if fate.ticket_id else ""))
    if len(rows) != 1 and not withheld:
        say(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "nothing to read again")
    if ids and "quarantined" in outcomes:
        raise typer.Exit(1)


@app.command("drop")
def drop(
    ids: Ids = None,
    every: All = False,
    older: Annotated[str, typer.Option(help="Only what came longer ago than this: 30d, 12h.")] = "",
    sender: Sender = "",
    reason: Reason = "",
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Give letters up. Their bytes stay until the nightly clean-up takes raw letters of that age; who dropped them is noted."""
    from imbot.services import quarantine

    settings = settings_of(config)
    rows = _chosen(settings, ids or [], every or bool(older), "", sender, reason)
    rows = [row for row in rows if not older or row.kept_at < now() - span_of("--older", older)]
    if not rows and ids:
        raise ImbotError(f"there is nothing to drop: none of these came longer ago than {older}")
    if not rows:
        say("nothing to drop")
        return
    if not yes:
        for row in rows[:20]:
            say(f"{row.id}: {one_line(row.sender)}: {one_line(row.subject)}")
        say(f"and {len(rows) - 20} more") if len(rows) > 20 else None
        ask_first(f"Drop {len(rows)} {'letter' if len(rows) == 1 else 'letters'}?")
    who = who_decides()
    for row in rows:
        in_store(settings, quarantine.drop, row.id, who, now())
    say(f"{len(rows)} dropped; `imbot mail quarantine list --dropped` shows them")


def _write_out(data: bytes, instead: str) -> None:
    """Raw bytes on standard output, but to no terminal: a stranger wrote them, and a terminal obeys what is in them."""
    if sys.stdout.isatty():
        raise ImbotError(f"these bytes could steer your terminal: write them to a file, {instead}")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _bound(
    c: Connection, id: int, mail: InboundMail, ticket_id: str, env: Env, came: Sequence[Enclosure], despite: bool
) -> tuple[MailRow, str]:
    """The letter's fate, and in words what it has done to the ticket and who is told."""
    from imbot.domain.parcels import Kind
    from imbot.services import quarantine
    from imbot.store import admin, tickets

    before, newest = tickets.get(c, ticket_id), admin.newest_parcel(c)
    row = quarantine.bind_by_hand(c, id, mail, ticket_id, who_decides(), now(), env, came, despite=despite)
    after = tickets.get(c, ticket_id)
    if before is None or after is None or row.outcome == "quarantined":
        return row, "nothing is done"
    kinds = {stored.parcel.kind for stored in admin.parcels_since(c, newest)}
    did = [f"the number is {after.number}"] if after.number != before.number else []
    did.append(
        f"the status is {after.status}, it was {before.status}"
        if after.status is not before.status
        else f"the status stays {after.status}"
    )
    if kinds & {Kind.NOTICE, Kind.NOTE}:
        did.append("the employee is told")
    else:
        did.append("the employee sees it in the receipt only" if Kind.RECEIPT in kinds else "nobody is told")
    return row, ", ".join(did)


def _read_again(settings: Settings, desk: Bench, rows: Sequence[MailRow]) -> Iterator[tuple[MailRow, MailRow]]:
    """(what it was, what it is) of each, in order: one reader for all of them."""
    from imbot import wiring
    from imbot.services import quarantine, reports

    env = wiring.env(settings, wiring.known_key(settings))
    read = try_all(((str(row.id), raw_of(settings, row.id)) for row in rows), desk)
    for row, (_, mail) in zip(rows, read, strict=True):
        if isinstance(mail, LetterRefused):
            yield row, in_store(settings, quarantine.refuse_again, row.id, str(mail), now())
        else:
            looked = reports.prepare(mail, env, row.mailbox)
            yield row, in_store(settings, quarantine.read_again, row.id, mail, looked, now(), env)


def _chosen(settings: Settings, ids: Sequence[int], every: bool, since: str, sender: str, reason: str) -> list[MailRow]:
    """The letters meant, oldest first. Raises ImbotError where nothing says which, or one is not in quarantine."""
    from imbot.store import inbox

    if not (ids or every or since or sender or reason):
        raise ImbotError("say which: IDs, --all, or some of --since, --sender, --reason")
    if ids:
        return [_aside(settings, id) for id in dict.fromkeys(ids)]
    first = _day(since, settings) if since else now() - _LONG_AGO
    rows = in_store(settings, inbox.quarantined, now() - _LONG_AGO, _MOST)
    kept = [
        row
        for row in rows
        if row.kept_at >= first
        and fnmatchcase(row.sender.lower(), sender.lower() or "*")
        and reason.casefold() in row.reason.casefold()
    ]
    return sorted(kept, key=lambda row: row.id)


def _aside(settings: Settings, id: int) -> MailRow:
    from imbot.services.quarantine import SET_ASIDE

    row = _row(settings, id)
    if row.outcome not in SET_ASIDE:
        raise ImbotError(f"letter {id} is not in quarantine: {_fate(row)}")
    return row


def _row(settings: Settings, id: int) -> MailRow:
    from imbot.store import inbox

    row = in_store(settings, inbox.get_mail, id)
    if row is None:
        raise no_letter(id)
    return row


def _fate(row: MailRow) -> str:
    if not row.outcome:
        return "it waits to be read"
    return f"{row.outcome}: {one_line(row.reason, 400)}" if row.reason else row.outcome


def _ticket_of(c: Connection, what: str) -> str:
    from imbot.store import admin

    found = admin.tickets_matching(c, what)
    if not found:
        raise no_ticket(what)
    if len(found) > 1:
        raise ImbotError(f"{what!r} fits several tickets: {', '.join(found)}; give the id")
    return found[0]


def _day(text: str, settings: Settings) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=settings.general.zone)
    except ValueError:
        raise ImbotError(f"--since: {text!r} is no day: write YYYY-MM-DD") from None
