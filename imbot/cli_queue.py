"""`imbot outbox ...`, `imbot ticket ...`: looking into what waits, and deciding about it."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbot.cli_base import (
    AsJson,
    Config,
    Group,
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
from imbot.domain.errors import ImbotError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.store.lanes import StoredParcel

outbox = typer.Typer(cls=Group, no_args_is_help=True, help="Messages and letters that wait to be sent.")
ticket = typer.Typer(cls=Group, no_args_is_help=True, help="Requests: their history; those the ITSM has not confirmed.")
Id = Annotated[
    int,
    typer.Argument(
        help="The number in the first column of the list.", metavar="ID", parser=number_of("parcel", "outbox list")
    ),
]
_MOST = 200
# With its offset: else nobody knows whose clock.
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)$")


@outbox.command("list")
def list_outbox(
    settled: Annotated[bool, typer.Option("--settled", help="What was settled last instead.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What waits to be sent (parcels), oldest first, and what holds it."""
    settings = settings_of(config)

    def look(c: Connection) -> tuple[list[Any], bool]:
        from imbot.store import admin, epoch, lanes

        return (admin.settled_parcels(c, _MOST) if settled else lanes.open_parcels(c, _MOST)), epoch.held(c)

    parcels, held = in_store(settings, look)
    if as_json:
        for stored in parcels:
            say_json(_row(stored))
        return
    if held:
        say("HELD: the data base is older than what was sent. `imbot outbox confirm` says: go on from here.")
    table = [["ID", "KIND", "LANE", "DUE", "TRIES", "STATE"]]
    for stored in parcels:
        one = stored.parcel
        cells = [str(one.id), str(one.kind), one.lane, shown(one.due_at, settings), str(one.attempt), _state(stored)]
        table.append([one_line(cell, 80) for cell in cells])
    say_table(table, "nothing was settled yet" if settled else "nothing waits to be sent")


_ARRIVED = ("accepted", "shown", "stored", "packed", "found", "told", "still there")


@outbox.command("retry")
def retry(
    id: Id,
    config: Config = None,
    again: Annotated[bool, typer.Option("--again", help="Even what has arrived: it goes out a second time.")] = False,
) -> None:
    """Send a parcel again, now; one that was given up is opened again."""
    from imbot.store import lanes

    settings = settings_of(config)
    stored = in_store(settings, lanes.get, id)
    if stored is None:
        raise ImbotError(f"there is no parcel {id}: see `imbot outbox list`, with --settled what is done")
    if stored.settled_at is not None and not stored.parcel.payload:
        raise ImbotError(f"{_done(stored)}; its content is gone, so there is nothing to send again")
    if stored.outcome.startswith(_ARRIVED) and not again:
        raise ImbotError(f"{_done(stored)}: --again does it a second time")
    if not in_store(settings, lanes.retry, id, now()):
        raise ImbotError(f"{id} was done and wiped just now: there is nothing to send again")
    say(f"{id}: goes out now, if `imbot run` is running")


@outbox.command("drop")
def drop(id: Id, config: Config = None) -> None:
    """Never send a parcel. What it would have told is lost."""
    from imbot.store import lanes

    settings = settings_of(config)
    if not in_store(settings, lanes.drop, id, now()):
        stored = in_store(settings, lanes.get, id)
        if stored is not None:
            raise ImbotError(f"{_done(stored)}: it waits no more")
        raise ImbotError(f"there is no parcel {id} that waits: see `imbot outbox list`")
    say(f"{id}: dropped")


@outbox.command("confirm")
def confirm(config: Config = None) -> None:
    """After a backup was put back: go on sending what is open in it."""
    from imbot.store import epoch

    settings = settings_of(config)
    fresh = secrets.token_hex(8)

    def go_on(c: Connection) -> int | None:
        return epoch.confirm_epoch(c, fresh, now()) if epoch.held(c) else None

    count = in_store(settings, go_on)
    if count is None:
        raise ImbotError("nothing is held")
    epoch.write_mark(settings.general.data_dir / "imbot.epoch", fresh)
    say(f"going on with {count} open parcels")


@ticket.command("show")
def show_ticket(
    what: Annotated[str, typer.Argument(help="Its id, its token or the ITSM's number.", metavar="TICKET")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """A ticket with its history, its letters and its files."""
    settings = settings_of(config)
    for one in in_store(settings, _tickets, what):
        if as_json:
            say_json(one)
        else:
            _say_ticket(one, settings)


def _done(stored: StoredParcel) -> str:
    """What it was and how it ended, once it has."""
    return f"parcel {stored.parcel.id}, of kind {stored.parcel.kind}, is done ({one_line(stored.outcome, 200)})"


def _state(stored: Any) -> str:
    if stored.settled_at is not None:
        return f"{stored.outcome} {stored.parcel.last_error}".strip()
    if stored.suspended:
        return f"suspended: {stored.parcel.last_error}".rstrip(": ")
    if stored.parcel.waits_for:
        return f"waits for {stored.parcel.waits_for.partition(':')[0]}"
    return stored.parcel.last_error or "due"


def _row(stored: Any) -> dict[str, Any]:
    one = stored.parcel
    return {
        "id": one.id,
        "kind": str(one.kind),
        "lane": one.lane,
        "target": one.target,
        "created_at": one.created_at,
        "due_at": one.due_at,
        "attempts": one.attempt,
        "settled_at": stored.settled_at,
        "outcome": stored.outcome,
        "suspended": stored.suspended,
        "waits_for": one.waits_for,
        "last_error": one.last_error,
    }


def _tickets(c: Connection, what: str) -> list[dict[str, Any]]:
    from imbot.store import admin, files, ledger, letters, people, ratings, tickets

    found = []
    for id in admin.tickets_matching(c, what):
        one = tickets.get(c, id)
        if one is None:
            continue
        person, rating = people.person(c, one.person_id), ratings.rating(c, id)
        found.append(
            {
                "id": id,
                "token": one.token,
                "numbers": tickets.numbers_of(c, id),
                "title": one.title,
                "status": str(one.status),
                "handover": str(one.handover),
                "created_at": one.created_at,
                "requester": person.address if person else "",
                "stars": rating.stars if rating else None,
                "ledger": [
                    {"at": row.at, "what": row.what, "values": _named(c, row.values)} for row in ledger.ledger(c, id)
                ],
                "letters": [
                    {"at": row.put_at, "kind": row.kind, "message_id": row.message_id, "outcome": row.outcome}
                    for row in letters.letters_of(c, id)
                ],
                "files": [
                    {"name": row.name, "size": row.size, "fate": row.fate, "reason": row.reason}
                    for row in files.of_ticket(c, id)
                ],
            }
        )
    if not found:
        raise no_ticket(what)
    return found


def _named(c: Connection, values: dict[str, Any]) -> dict[str, Any]:
    """Who decided something stands in the ledger without a name."""
    from imbot.services import watchdog

    by = watchdog.name_of(c, str(values.get("by", "")))
    return {**values, "by": by} if by else values


def _cell(value: Any, settings: Settings) -> str:
    """A value of the ledger, which keeps moments as text: on the company's clock, as every other."""
    if isinstance(value, str) and _MOMENT.match(value):
        with suppress(ValueError):
            return shown(datetime.fromisoformat(value), settings)
    return str(value)


def _say_ticket(one: dict[str, Any], settings: Settings) -> None:
    say(f"{one['id']}  {one['token']}  {' '.join(one['numbers']) or 'no number yet'}")
    say(f"{one_line(one['title'], 100)}")
    say(f"status {one['status']}, letter {one['handover']}, filed {shown(one['created_at'], settings)}")
    say(f"requester {one['requester'] or 'forgotten'}" + (f", rated {one['stars']}" if one["stars"] else ""))
    for row in one["ledger"]:
        values = ", ".join(
            f"{key}={_cell(value, settings)}" for key, value in row["values"].items() if value not in (None, "", [], {})
        )
        say(f"  {shown(row['at'], settings)}  {row['what']}  {one_line(values, 100)}".rstrip())
    for row in one["letters"]:
        say(f"  letter {row['kind']}  {shown(row['at'], settings)}  {row['message_id']}  {row['outcome'] or 'waits'}")
    for row in one["files"]:
        say(f"  file {one_line(row['name'])}  {row['size'] or 0} bytes  {row['fate']} {row['reason']}".rstrip())
