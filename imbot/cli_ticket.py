"""`imbot ticket unconfirmed | resend | leave | let-go`: deciding about requests that the ITSM has not confirmed, as the buttons
in an admin's chat do, for companies whose admins have none.
"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbot.cli_base import (
    AsJson,
    Config,
    in_store,
    no_ticket,
    now,
    one_line,
    say,
    say_json,
    say_table,
    settings_of,
    shown,
)
from imbot.cli_queue import ticket as ticket
from imbot.domain.errors import ImbotError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.domain.tickets import Ticket

Which = Annotated[str, typer.Argument(help="Its id, its token or the ITSM's number.", metavar="TICKET")]
Again = Annotated[bool, typer.Option("--again", help="Even if the mail server took the letter minutes ago.")]
_DECIDED = {"": "open", "again": "sent again", "leave": "left", "go": "additions let go"}


@ticket.command("unconfirmed", short_help="Requests that the ITSM has not confirmed in time.")
def unconfirmed(config: Config = None, as_json: AsJson = False) -> None:
    """Requests that the mail server took and the ITSM has not confirmed in its time, and what was decided."""
    settings = settings_of(config)
    rows = in_store(settings, _questions)
    if as_json:
        for row in rows:
            say_json(row)
        return
    table = [["TICKET", "SENT", "REQUESTER", "ADDITIONS", "DECISION", "TITLE"]]
    for row in rows:
        decision = _DECIDED[row["decision"]] + (f" ({row['by']})" if row["by"] else "")
        cells = [
            row["id"],
            shown(row["sent_at"], settings),
            row["requester"],
            f"{row['waiting']} waiting" if row["waiting"] else "-",
            decision,
            row["title"],
        ]
        table.append([one_line(cell) for cell in cells])
    say_table(table, "every request was confirmed in its time, or still has time")


@ticket.command("resend", short_help="Send an unconfirmed request again.")
def resend(what: Which, config: Config = None, again: Again = False) -> None:
    """Send an unconfirmed request again: the same letter under the same Message-ID, with a new date."""
    say(f"{_decide(config, what, 'again', again)[0]}: goes out again now, if `imbot run` is running")


@ticket.command("leave", short_help="Leave an unconfirmed request as it is.")
def leave(what: Which, config: Config = None) -> None:
    """Leave an unconfirmed request as it is: nobody is asked about it again, its additions go on waiting for the number."""
    say(f"{_decide(config, what, 'leave')[0]}: left as it is")


@ticket.command("let-go", short_help="Send what waits for the number without it.")
def let_go(what: Which, config: Config = None) -> None:
    """Send what waits for the number of an unconfirmed request without it; the ITSM may open further requests for that."""
    name, waited = _decide(config, what, "go")
    if waited:
        say(f"{name}: {waited} {'letter goes' if waited == 1 else 'letters go'} out without its number")
    else:
        say(f"{name}: nothing had been waiting for its number; what is added from now on will not wait either")


def _decide(config: Any, what: str, decision: str, again: bool = False) -> tuple[str, int]:
    settings = settings_of(config)
    return in_store(settings, _decided, what, decision, f"cli:{getpass.getuser()}", again, settings)


def _decided(c: Connection, what: str, decision: str, by: str, again: bool, settings: Settings) -> tuple[str, int]:
    """Its name, as it was typed, and how many letters waited for its number."""
    from imbot.services import decisions
    from imbot.store import admin, outbox, tickets

    found = [one for id in admin.tickets_matching(c, what) if (one := tickets.get(c, id)) is not None]
    if not found:
        raise no_ticket(what)
    if len(found) > 1:
        raise ImbotError(f"{what!r} fits {len(found)} tickets: give the id, as in `imbot ticket unconfirmed`")
    one, waited = found[0], outbox.count_waiting(c, f"number:{found[0].id}")
    name = one_line(what)
    taken = decisions.last_sent(c, one, now()) if decision == "again" and not again else None
    if taken is not None and not one.number:
        at = shown(taken, settings)
        raise ImbotError(
            f"{name}: the mail server took its letter at {at}: give the ITSM time to answer, or say --again"
        )
    if not decisions.decide_anyway(c, one, decision, by, now()):
        raise ImbotError(_why_not(one, name, decision))
    return name, waited


def _why_not(one: Ticket, name: str, decision: str) -> str:
    nothing = f"there is nothing to {'send again' if decision == 'again' else 'decide about it'}"
    if one.number:
        number = "" if one.number.lower() == name.lower() else f", as {one.number}"
        return f"{name} is registered already{number}; {nothing}"
    if one.is_open and one.handover == "queued":
        return f"{name}: its letter is going out just now; once the mail server has taken it, this can be decided"
    return f"{name}: {nothing}: its status is {one.status}, its letter {one.handover}"


def _questions(c: Connection) -> list[dict[str, Any]]:
    from imbot.services import watchdog
    from imbot.store import letters, outbox, people, tickets, watches

    rows = []
    for id, asked in watches.questions(c):
        one = tickets.get(c, id)
        if one is None:
            continue
        person, letter = people.person(c, one.person_id), letters.letter(c, one.message_id)
        rows.append(
            {
                "id": id,
                "title": one.title,
                "requester": person.address if person else "",
                "sent_at": (letter.settled_at if letter else None) or one.accepted_at,
                "answer": letter.answer if letter else "",
                "waiting": outbox.count_waiting(c, f"number:{id}"),
                "decision": asked.decision or ("go" if asked.let_go else ""),
                "by": watchdog.name_of(c, asked.by),
                "at": asked.at,
            }
        )
    return rows
