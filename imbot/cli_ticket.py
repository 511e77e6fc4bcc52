"""`imbot ticket unconfirmed | resend | leave | let-go`: deciding about requests that the ITSM has not confirmed, as the buttons
in an admin's chat do, for companies whose admins have none.
"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbot.cli_base import AsJson, Config, in_store, now, one_line, say, say_json, say_table, settings_of, shown
from imbot.cli_queue import ticket as ticket
from imbot.domain.errors import ImbotError

if TYPE_CHECKING:
    from sqlalchemy import Connection

Which = Annotated[str, typer.Argument(help="Its id, its token or the ITSM's number.", metavar="TICKET")]
_DECIDED = {"": "open", "again": "sent again", "leave": "left", "go": "additions let go"}


@ticket.command("unconfirmed")
def unconfirmed(config: Config = None, as_json: AsJson = False) -> None:
    """Requests that the mail server took and the ITSM has not confirmed in its time, and what was decided."""
    settings = settings_of(config)
    rows = in_store(settings, _questions)
    if as_json:
        for row in rows:
            say_json(row)
        return
    table = [["TICKET", "SENT", "REQUESTER", "WAITING", "DECISION", "TITLE"]]
    for row in rows:
        decision = _DECIDED[row["decision"]] + (f" ({row['by']})" if row["by"] else "")
        cells = [
            row["id"],
            shown(row["sent_at"], settings),
            row["requester"],
            str(row["waiting"]),
            decision,
            row["title"],
        ]
        table.append([one_line(cell) for cell in cells])
    say_table(table)


@ticket.command("resend")
def resend(what: Which, config: Config = None) -> None:
    """Send an unconfirmed request again: the same letter under the same Message-ID, with a new date."""
    say(f"{_decide(config, what, 'again')}: goes out again now, if `imbot run` is running")


@ticket.command("leave")
def leave(what: Which, config: Config = None) -> None:
    """Leave an unconfirmed request as it is: nobody is asked about it again, its additions go on waiting for the number."""
    say(f"{_decide(config, what, 'leave')}: left as it is")


@ticket.command("let-go")
def let_go(what: Which, config: Config = None) -> None:
    """Send what waits for the number of an unconfirmed request without it; the ITSM may open further requests for that."""
    say(f"{_decide(config, what, 'go')}: nothing waits for its number any more")


def _decide(config: Any, what: str, decision: str) -> str:
    return in_store(settings_of(config), _decided, what, decision, f"cli:{getpass.getuser()}")


def _decided(c: Connection, what: str, decision: str, by: str) -> str:
    from imbot.services import decisions
    from imbot.store import admin, tickets

    found = [one for id in admin.tickets_matching(c, what) if (one := tickets.get(c, id)) is not None]
    if not found:
        raise ImbotError(f"there is no ticket {what!r}")
    if len(found) > 1:
        raise ImbotError(f"{what!r} fits {len(found)} tickets: give the id, as in `imbot ticket unconfirmed`")
    one = found[0]
    if not decisions.decide_anyway(c, one, decision, by, now()):
        state = (
            f"its number is {one.number}" if one.number else f"its status is {one.status}, its letter {one.handover}"
        )
        raise ImbotError(f"{one.id}: there is nothing to decide about it: {state}")
    return one.id


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
