"""What a believed and bound letter says is done and told: its status, the words of support, its files. One place decides
what goes into the chat, what stays with "show all", and what is only noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends.left_out import leaves_out
from imbot.backends.tidying import readable
from imbot.dialog.orders import ShowMore
from imbot.dialog.paging import pages_of, units
from imbot.domain.chats import Chat, Happened
from imbot.domain.letters import InboundMail
from imbot.domain.notices import Enclosed, comment_notice, ticket_values
from imbot.domain.people import Person
from imbot.domain.tickets import ANSWERED, Change, Status, StatusReport, Ticket, apply
from imbot.services import breaker, enclosures, telling
from imbot.services.enclosures import Enclosure
from imbot.services.env import Backend, Env
from imbot.services.filing import own_ticket
from imbot.services.tickets import record_change
from imbot.store import ledger, received, tickets

# Characters that a notice shows of support's words; templates cut at the same, with the files' names below them.
WORDS, WORDS_WITH_FILES = 2500, 1500
_SAID = ("comment", "solution", "question")


@dataclass(frozen=True, slots=True)
class Heard:
    """A believed letter and what it was bound by. `sent`: subjects and texts of our own letters about the ticket; `came`: its
    files, already on the disk."""

    mail_id: int
    mail: InboundMail
    backend: Backend
    evidence: str
    sent: Sequence[str]
    came: Sequence[Enclosure] = ()


def carry_out(c: Connection, ticket: Ticket, report: StatusReport | None, heard: Heard, now: datetime, env: Env) -> str:
    """Returns the letter's outcome: applied, comment, noted."""
    if report is not None and report.status is not None:
        return _apply(c, ticket, replace(report, at=report.at or heard.mail.date), heard, now, env)
    return _pass_on(c, ticket, report, heard, now, env)


def _apply(c: Connection, ticket: Ticket, report: StatusReport, heard: Heard, now: datetime, env: Env) -> str:
    change = apply(ticket, report, now)
    words, author = report.fields.get("comment", ""), report.fields.get("assignee", "")
    late = ticket.reported_at is not None and min(report.at or now, now) < ticket.reported_at
    enclosed = _enclosed(c, ticket, heard, [report.fields.get(name, "") for name in _SAID], now, env)
    silent = change is None or change.what == "promised" or change.new is Status.IN_PROGRESS
    if silent and ((words and not late) or enclosed):  # else nobody tells it
        after = change.ticket if change else ticket
        _support_writes(c, after, "" if late else words, author, heard, enclosed, now, env)
        enclosed = Enclosed(heard.mail_id)
    if change is None:
        ledger.log(c, ticket.id, now, "noted", {"status": str(report.status), "number": report.number, **report.fields})
        return "noted"
    _record(c, change, heard, enclosed, now, env)
    return "applied"


def _record(c: Connection, change: Change, heard: Heard, enclosed: Enclosed, now: datetime, env: Env) -> None:
    told = record_change(c, change, f"mail:{heard.mail_id}", now, env, enclosed)
    if enclosed and told:
        _note_files(c, change.ticket, enclosed, now)
    elif enclosed:  # a status that is told by the receipt alone
        _support_writes(c, change.ticket, "", "", heard, enclosed, now, env)
    if "inference" in heard.evidence:
        ledger.log(c, change.ticket.id, now, "inferred", {"number": change.report.number})


def _pass_on(c: Connection, ticket: Ticket, report: StatusReport | None, heard: Heard, now: datetime, env: Env) -> str:
    """Believed and bound, but no known status: "support writes"."""
    fields = report.fields if report else {}
    text = fields.get("comment") or habits.comment_text(heard.backend.profile, heard.mail, heard.sent)
    enclosed = _enclosed(c, ticket, heard, [text], now, env, whole="" if fields.get("comment") else text)
    if enclosed and not leaves_out(text, "", heard.sent, least=1):
        text = ""  # a file above a quoted letter of ours: nothing was said with it
    if not text.strip() and not enclosed:
        ledger.log(c, ticket.id, now, "noted", {"subject": heard.mail.subject[:200]})
        return "noted"
    _support_writes(c, ticket, text.strip(), fields.get("author", ""), heard, enclosed, now, env)
    if ticket.asked == ANSWERED:
        tickets.save(c, replace(ticket, asked=""))
        telling.put_receipt(c, ticket, now)
    return "comment"


def _support_writes(
    c: Connection, ticket: Ticket, text: str, author: str, heard: Heard, enclosed: Enclosed, now: datetime, env: Env
) -> None:
    if text:
        ledger.log(c, ticket.id, now, "comment", {"text": text, "author": author})
    if enclosed:
        _note_files(c, ticket, enclosed, now)
    if breaker.holds_back(c, ticket, now, env):
        return
    notice = comment_notice(ticket, text, author)
    telling.put_notice(c, notice, ticket, f"notice:mail:{heard.mail_id}:comment", now, env, enclosed)


def _note_files(c: Connection, ticket: Ticket, enclosed: Enclosed, now: datetime) -> None:
    names = [file["name"] for file in (*enclosed.files, *enclosed.refused)]
    ledger.log(c, ticket.id, now, "files_came", {"files": names})


def _enclosed(
    c: Connection, ticket: Ticket, heard: Heard, said: Sequence[str], now: datetime, env: Env, whole: str = ""
) -> Enclosed:
    """The files of the letter, and whether it holds more than the notice will say: `said` too long for it or, where the
    words are the letter itself (`whole`), something left out of them. The whole text is kept then."""
    enclosed = enclosures.take(c, ticket, heard.mail_id, heard.came, now, env)
    room = WORDS_WITH_FILES if enclosed else WORDS
    more = enclosed.more or any(units(words) > room for words in said)
    if not (more or whole):
        return enclosed
    text = readable(heard.mail.text)
    if not (more or leaves_out(text, whole, heard.sent)):
        return enclosed
    received.keep_text(c, heard.mail_id, ticket.id, text or "\n", now)  # never empty: that means forgotten
    return replace(enclosed, more=True)


def more(c: Connection, chat: Chat, person: Person | None, order: ShowMore, now: datetime) -> Happened:
    """A page of the whole letter, for its ticket's requester only; the first one also sends the pictures that were held
    back."""
    ticket, mail_id, page = own_ticket(c, order.ticket_id, person), order.mail_id, order.page
    found = received.text_of(c, mail_id)
    if ticket is None or found is None or found[0] != ticket.id:
        return Happened("not_found", {})
    pages = pages_of(found[1])
    page = min(max(page, 0), max(len(pages) - 1, 0))
    pictures = [row.id for row in received.wanted(c, mail_id)] if page == 0 else []
    telling.put_files(c, chat.key, ticket.id, pictures, now)
    values = {
        "text": pages[page] if pages else "",
        "page": page,
        "pages": len(pages),
        "mail": mail_id,
        "at": found[2].isoformat(),
        "gone": not found[1],
        "pictures": len(pictures),
    }
    return Happened("more", ticket_values(ticket) | values)
