"""All that support has said about a ticket, whole, from its ledger: the details show it in short lines only."""

from __future__ import annotations

from sqlalchemy import Connection

from imbot.dialog.orders import ShowMore
from imbot.dialog.paging import pages_of
from imbot.domain.chats import Happened
from imbot.domain.notices import ticket_values
from imbot.domain.people import Person
from imbot.services.env import Env
from imbot.services.filing import own_ticket
from imbot.store import ledger
from imbot.store.ledger import LedgerRow


def said(c: Connection, person: Person | None, order: ShowMore, env: Env) -> Happened:
    """A page of it, the newest first, for the requester only."""
    ticket = own_ticket(c, order.ticket_id, person)
    if ticket is None:
        return Happened("not_found", {"more": True})
    parts = []
    for row in reversed(ledger.ledger(c, ticket.id)):
        words = _words(row)
        if words:
            parts.append(f"{row.at.astimezone(env.zone):%d.%m.%Y %H:%M}\n{words}")
    pages = pages_of("\n\n".join(parts))
    page = min(max(order.page, 0), max(len(pages) - 1, 0))
    values = {"text": pages[page] if pages else "", "page": page, "pages": len(pages), "mail": 0}
    return Happened("more", ticket_values(ticket) | values)


def _words(row: LedgerRow) -> str:
    """What support said or sent by this entry, "" for all others."""
    match row.what:
        case "comment":
            found = [row.values.get("text", "")]
        case "status":
            found = [row.values.get(name, "") for name in ("question", "solution", "comment")]
        case "files_came":
            found = [*row.values.get("files", []), *row.values.get("refused", [])]
        case _:
            found = []
    return "\n".join(str(words).strip() for words in found if words)
