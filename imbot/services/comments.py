"""What a believed and bound letter says is done and told: its status, the words of support, its files. One place decides
what goes into the chat, what stays with "show all", and what is only noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from imbot.backends import mail as habits
from imbot.backends import standing
from imbot.backends.left_out import leaves_out
from imbot.backends.own_words import Ours
from imbot.dialog.orders import ShowMore
from imbot.dialog.paging import pages_of, units
from imbot.domain.calendar import AHEAD
from imbot.domain.chats import Chat, Happened
from imbot.domain.letters import InboundMail
from imbot.domain.notices import Enclosed, comment_notice, ticket_values
from imbot.domain.people import Person
from imbot.domain.tickets import ANSWERED, DONE, Change, Status, StatusReport, Ticket, apply, dated_right, is_older
from imbot.mime.tidying import readable
from imbot.services import breaker, enclosures, telling
from imbot.services.enclosures import Enclosure
from imbot.services.env import Backend, Env
from imbot.services.filing import own_ticket
from imbot.services.tickets import record_change
from imbot.store import ledger, received, tickets

# Characters that a notice shows of support's words; templates cut at the same, with the files' names below them.
WORDS, WORDS_WITH_FILES = 2500, 1500
# What a notice of each status says of support's words: the first of these fields that was lifted. The letter's own words
# stand in for the first where none was.
_SAID: Mapping[Status, tuple[str, ...]] = {
    Status.WAITING: ("question", "comment", "solution"),
    Status.RESOLVED: ("solution", "comment", "question"),
    Status.CLOSED: ("solution", "comment", "question"),
    Status.REJECTED: ("comment", "solution", "question"),
    Status.WITHDRAWN: ("comment", "solution", "question"),
}
_FIELDS = ("comment", "solution", "question")
_OVERTAKEN = timedelta(hours=1)  # so much a letter may come behind a newer one, and its words be news still


@dataclass(frozen=True, slots=True)
class Heard:
    """A believed letter and what it was bound by. `sent`: what our own letters about the ticket said; `came`: its
    files, already on the disk."""

    mail_id: int
    mail: InboundMail
    backend: Backend
    evidence: str
    sent: Ours
    came: Sequence[Enclosure] = ()


def carry_out(c: Connection, ticket: Ticket, report: StatusReport | None, heard: Heard, now: datetime, env: Env) -> str:
    """Returns the letter's outcome: applied, comment, noted."""
    if report is not None and report.status is not None:
        return _apply(c, ticket, replace(report, at=report.at or heard.mail.date), heard, now, env)
    return _pass_on(c, ticket, report, heard, now, env)


def _apply(c: Connection, ticket: Ticket, report: StatusReport, heard: Heard, now: datetime, env: Env) -> str:
    lifted = report.fields.get("comment", "")
    report, said = _with_words(ticket, report, heard)
    change = apply(ticket, report, now, _asked_at(c, ticket, now))
    late = is_older(ticket, report, now)
    silent = change is None or change.what == "promised" or _goes_on(change)
    if silent:
        said = report.fields.get("comment", "") if change or lifted else said
        if (late or not (change or lifted)) and _is_known(c, ticket, said):
            said = ""
        said = "" if late and _is_long_past(ticket, report) else said
    enclosed = _enclosed(c, ticket, heard, said, _more(report, said, heard), now, env)
    if silent and (said or enclosed):  # else nobody tells it
        after = change.ticket if change else ticket
        _support_writes(c, after, said, report.fields.get("assignee", ""), heard, enclosed, now, env)
        enclosed = Enclosed(heard.mail_id)
    elif silent and not late:
        _keep_words(c, ticket, heard, now)
    if change is None:
        tickets.save(c, dated_right(ticket, report, now))
        ledger.log(c, ticket.id, now, "noted", {"status": str(report.status), "number": report.number, **report.fields})
        return "noted"
    _record(c, change, heard, enclosed, now, env)
    return "applied"


def _asked_at(c: Connection, ticket: Ticket, now: datetime) -> datetime | None:
    """When they last asked to have the work taken up again, where that is open: behind what they had been told, where our clock
    ran ahead then."""
    asked = (
        [row.at for row in ledger.ledger(c, ticket.id) if row.what == "reopen_asked"]
        if ticket.asked == "reopen"
        else []
    )
    last = max(asked, default=None)
    return ticket.reported_at if last is not None and last > now + AHEAD else last


def _with_words(ticket: Ticket, report: StatusReport, heard: Heard) -> tuple[StatusReport, str]:
    """The report with the words that its notice will say, and those words. Where the profile lifts none, the letter's own
    stand in; not where work merely goes on or the request is confirmed: such letters say the same every time."""
    profile, mail, status = heard.backend.profile, heard.mail, report.status
    trim = {
        name: standing.without_tail(profile, mail, value) for name, value in report.fields.items() if name in _FIELDS
    }
    fields = {**report.fields, **trim}
    names = _SAID.get(status, ()) if status else ()
    if status is Status.IN_PROGRESS and ticket.status in DONE:  # taken up again: that has a reason
        names = _FIELDS
    said = next((fields[name] for name in names if fields.get(name)), "")
    if names and not said and not (status is Status.CLOSED and ticket.status is Status.RESOLVED):
        said = standing.news(profile, mail, heard.sent, asks=status is Status.WAITING)
    if said:
        fields[names[0]] = said
    return replace(report, fields=fields), said


def _is_long_past(ticket: Ticket, report: StatusReport) -> bool:
    """Whether an older report is more than one that a mail server has let another one overtake: its words are history."""
    return report.at is not None and ticket.reported_at is not None and ticket.reported_at - report.at > _OVERTAKEN


def _goes_on(change: Change) -> bool:
    """Work goes on, or what was done already is closed: the receipt alone tells it."""
    begins = change.new is Status.IN_PROGRESS and change.what != "reopened"
    return begins or (change.new is Status.CLOSED and change.old is Status.RESOLVED)


def _is_known(c: Connection, ticket: Ticket, words: str) -> bool:
    return words == ticket.solution or any(words in row.values.values() for row in ledger.ledger(c, ticket.id))


def _more(report: StatusReport, said: str, heard: Heard) -> bool:
    """Whether the letter holds words that the notice does not say; where it says none and the status mostly comes in a
    desk's standing words, only news count."""
    profile, mail, sent = heard.backend.profile, heard.mail, heard.sent
    if said or report.status in _SAID:
        return standing.says_more(profile, mail, said, sent)
    return standing.worth_a_button(standing.news(profile, mail, sent))


def _keep_words(c: Connection, ticket: Ticket, heard: Heard, now: datetime) -> None:
    """Words of a letter that nobody is told of stay with the ticket, where "details" shows them."""
    words = standing.news(heard.backend.profile, heard.mail, heard.sent)
    if standing.worth_a_button(words) and not _is_known(c, ticket, words):
        ledger.log(c, ticket.id, now, "comment", {"text": words, "author": ""})


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
    profile, mail, sent = heard.backend.profile, heard.mail, heard.sent
    lifted = fields.get("comment", "")
    text = standing.without_tail(profile, mail, lifted) if lifted else habits.comment_text(profile, mail, sent)
    enclosed = _enclosed(c, ticket, heard, text, standing.says_more(profile, mail, text, sent), now, env)
    if enclosed and not leaves_out(text, "", heard.sent, least=1):
        text = ""  # a file above a quoted letter of ours: nothing was said with it
    if not text.strip() and not enclosed:
        ledger.log(c, ticket.id, now, "noted", {"subject": heard.mail.subject[:200]})
        return "noted"
    _support_writes(c, ticket, text.strip(), fields.get("author", ""), heard, enclosed, now, env)
    if ticket.asked == ANSWERED and "?" in text:  # they ask on; "thanks, noted" leaves it their turn
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
    values = {"files": [file["name"] for file in enclosed.files]}
    if enclosed.refused:
        values["refused"] = [file["name"] for file in enclosed.refused]
    ledger.log(c, ticket.id, now, "files_came", values)


def _enclosed(
    c: Connection, ticket: Ticket, heard: Heard, said: str, says_more: bool, now: datetime, env: Env
) -> Enclosed:
    """The files of the letter, and whether it holds more than the notice will say (`says_more`, or `said` is too long for
    it). The whole text is kept then."""
    enclosed = enclosures.take(c, ticket, heard.mail_id, heard.came, now, env)
    room = WORDS_WITH_FILES if enclosed else WORDS
    if not (enclosed.more or says_more or units(said) > room):
        return enclosed
    received.keep_text(c, heard.mail_id, ticket.id, readable(heard.mail.text) or "\n", now)  # "" means forgotten
    return replace(enclosed, more=True)


def more(c: Connection, chat: Chat, person: Person | None, order: ShowMore, now: datetime) -> Happened:
    """A page of the whole letter, for its ticket's requester only; the first one also sends the pictures that were held
    back."""
    ticket, mail_id, page = own_ticket(c, order.ticket_id, person), order.mail_id, order.page
    found = received.text_of(c, mail_id)
    if ticket is None or found is None or found[0] != ticket.id:
        return Happened("not_found", {"more": True})
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
