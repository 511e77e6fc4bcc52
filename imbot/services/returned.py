"""What a report of the post does to a request: a letter of ours that came back failed; a delay is noted, and so is all else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from imbot.backends.base import Bounce
from imbot.domain.tickets import Ticket
from imbot.services import delivery
from imbot.services.env import Env
from imbot.store import ledger, letters, tickets


def carry_out(c: Connection, bounce: Bounce, now: datetime, env: Env) -> tuple[Ticket, str] | None:
    """The request whose letter the report names, and the outcome of the report; None where no letter of ours is named, and
    nothing was done."""
    for message_id in bounce.message_ids:
        if bounce.action == "failed":
            ticket = delivery.letter_bounced(c, message_id, bounce.words, now, env)
            if ticket is not None:
                return ticket, "bounce"
            continue
        row = letters.letter(c, message_id)
        ticket = tickets.get(c, row.ticket_id) if row else None
        if row is not None and ticket is not None:
            if bounce.action == "delayed":
                ledger.log(c, ticket.id, now, "delayed", {"letter": row.kind, "reason": bounce.words})
            return ticket, "noted"
    return None
