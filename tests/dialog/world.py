"""A small pure world round `advance`: it carries orders out on plain dicts, as services do on tables, and feeds outcomes
back. Used by the tests of the dialog and by the transcripts.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from imbot.dialog import orders as o
from imbot.dialog.screen import Screen
from imbot.dialog.session import Session, session_from_json, session_to_json
from imbot.dialog.turn import DialogSettings, Facts, TicketBrief, Turn, advance
from imbot.domain.chats import Event, Happened
from imbot.domain.forms import parse_catalogue, parse_locations
from imbot.domain.people import Person
from imbot.domain.signin import normal_code

DATA = Path(__file__).parents[2] / "data"
CATALOGUE = parse_catalogue(tomllib.loads((DATA / "catalogue.toml").read_text("utf-8")))
LOCATIONS = parse_locations(tomllib.loads((DATA / "locations.toml").read_text("utf-8")))
ANNA = Person(1, "ivanova@company.ru", "Иванова Анна Сергеевна", "12-34", "Ленинская Слобода, 19", "Бухгалтерия")
CODE = "ABCD2345"
START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@dataclass
class Ticket:
    id: str
    title: str
    number: str = ""
    status: str = "new"
    mine: bool = True
    created_at: datetime = START
    stars: int | None = None
    resolved_at: datetime | None = None
    order: o.OpenTicket | None = None
    said: list[tuple[str, str]] = field(default_factory=list)  # (what, words)
    files: list[str] = field(default_factory=list)
    asked: str = ""


@dataclass
class World:
    """`person` None: not linked. `directory`: what a code or a link makes of the chat."""

    person: Person | None = ANNA
    directory: Person = ANNA
    settings: DialogSettings = field(default_factory=DialogSettings)
    session: Session = field(default_factory=Session)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    kept: dict[str, list[o.KeepFile]] = field(default_factory=dict)
    orders: list[o.Order] = field(default_factory=list)  # of the last event
    screen: Screen | None = None
    consented: bool = False
    lang: str = "ru"
    now: datetime = START
    asked: int = 0
    tries: int = 5
    replied: str = ""
    last_location: tuple[str, str] | None = None
    catalogue: Any = CATALOGUE
    locations: Any = LOCATIONS
    looked_up: bool = True
    late: bool = False
    turns: int = 0
    owed: bool = False  # the last screen is not in the chat yet

    def facts(self) -> Facts:
        opened = [
            t for t in self.tickets.values() if t.mine and t.status in ("new", "registered", "in_progress", "waiting")
        ]
        day = timedelta(days=1)
        recent = [
            t
            for t in self.tickets.values()
            if t.mine and t.status == "resolved" and t.resolved_at and self.now - t.resolved_at < day
        ]
        return Facts(
            now=self.now,
            timezone=ZoneInfo("Europe/Moscow"),
            lang=self.lang,
            person=self.person,
            catalogue=self.catalogue,
            locations=self.locations,
            settings=self.settings,
            open_tickets=tuple(
                TicketBrief(t.id, t.title, t.number, t.status, t.created_at)
                for t in sorted(opened, key=lambda t: t.created_at, reverse=True)[:10]
            ),
            recent_tickets=tuple(TicketBrief(t.id, t.title, t.number, t.status, t.created_at, t.asked) for t in recent),
            last_location=self.last_location,
            consented=self.consented,
            fresh_id=f"id{self.turns:014}",
            fresh_token=f"k{self.turns:03}",
            screen=self.screen,
            screen_id="" if self.owed else "shown",
            replied_ticket=self.replied,
            late_news=self.late,
        )

    def take(self, event: Event) -> Turn:
        """One event, with everything it orders, as one transaction would."""
        self.turns += 1
        self.orders = []
        turn = self._step(event)
        pending = list(turn.orders)
        rounds = 0
        shown = turn.screen
        while pending:
            order = pending.pop(0)
            self.orders.append(order)
            outcome = self._carry_out(order)
            if outcome is not None:
                rounds += 1
                assert rounds <= 4
                turn = self._step(outcome)
                shown = turn.screen or shown
                pending += turn.orders
        self.replied = ""
        if shown is not None:
            self.screen = shown
        return replace(turn, screen=shown)

    def _step(self, event: Event) -> Turn:
        turn = advance(self.session, event, self.facts())
        self.session = session_from_json(session_to_json(turn.session))
        assert self.session == turn.session
        return turn

    def _carry_out(self, order: o.Order) -> Happened | None:
        match order:
            case o.LookUp():
                self.asked += 1
                until = (self.now + timedelta(minutes=40)).isoformat()
                return Happened("looked_up", {"allowed": self.looked_up, "until": None if self.looked_up else until})
            case o.CheckCode(text):
                return self._check(text)
            case o.RedeemToken(token):
                if token == "good":
                    self.person = self.directory
                    return Happened("token_checked", {"result": "ok", "name": self.directory.name})
                return Happened("token_checked", {"result": token, "name": ""})
            case o.Unlink():
                self.person = None
                return Happened("unlinked", {})
            case o.Consent():
                self.consented = True
            case o.SetLanguage(lang):
                self.lang = lang
            case o.KeepFile():
                self.kept.setdefault(order.ticket_id, []).append(order)
            case o.DropFile(ticket_id, unique_id):
                self.kept[ticket_id] = [k for k in self.kept[ticket_id] if k.file.unique_id != unique_id]
            case o.DropDraft(ticket_id):
                self.kept.pop(ticket_id, None)
            case o.EditCaption() | o.FetchFiles():
                pass
            case o.OpenTicket():
                return self._open(order)
            case _:
                return self._ticket_order(order)
        return None

    def _check(self, text: str) -> Happened:
        code = normal_code(text)
        if code == CODE:
            self.person = self.directory
            return Happened("code_checked", {"result": "ok", "left": 0, "name": self.directory.name, "until": None})
        self.tries -= 1
        return Happened("code_checked", {"result": "wrong", "left": self.tries, "name": "", "until": None})

    def _open(self, order: o.OpenTicket) -> Happened:
        if self.settings.one_open_ticket and self.facts().open_tickets:
            return Happened("not_opened", {"reason": "one_open", "ticket": self.facts().open_tickets[0].id})
        files = [k.file.unique_id for k in self.kept.get(order.ticket_id, []) if k.fate == "wanted"]
        self.tickets[order.ticket_id] = Ticket(
            order.ticket_id, order.title, created_at=self.now, order=order, files=files
        )
        return Happened("opened", {"ticket": order.ticket_id})

    def _wanted(self, files_id: str) -> list[str]:
        return [k.file.unique_id for k in self.kept.get(files_id, []) if k.fate == "wanted"]

    def _ticket_order(self, order: Any) -> Happened:
        if isinstance(order, o.ListTickets):
            return self._list(order.page)
        ticket = self.tickets.get(order.ticket_id)
        if ticket is None or not ticket.mine:
            return Happened("not_found", {"more": True} if isinstance(order, o.ShowMore) else {})
        values = {"ticket": ticket.id, "title": ticket.title, "number": ticket.number, "status": ticket.status}
        match order:
            case o.ShowTicket():
                return Happened("ticket", self._details(ticket))
            case o.AddToTicket() if ticket.status in ("closed", "rejected", "withdrawn"):
                return Happened("cannot_add", values)
            case o.AddToTicket(_, text, files_id):
                ticket.said.append(("added", text))
                ticket.files += self._wanted(files_id)
                return Happened("added", values | {"waits": not ticket.number})
            case o.Withdraw():
                ticket.said.append(("withdraw", ""))
                return Happened("withdrawn_asked", values)
            case o.ResendTicket():
                return Happened("resent", values)
            case o.Rate(_, stars):
                if ticket.status not in ("resolved", "closed"):
                    return Happened("not_ratable", values)
                ticket.stars = stars
                return Happened("rated", values | {"stars": stars})
            case o.Complain(_, text, files_id):
                ticket.said.append(("complaint", text))
                ticket.files += self._wanted(files_id)
                return Happened("complained", values | {"can_reopen": ticket.asked != "reopen"})
            case o.NotSolved(_, reason, files_id):
                if ticket.status not in ("resolved", "closed"):
                    return Happened("not_found", {})
                ticket.asked = "reopen"
                ticket.said.append(("not_solved", reason))
                ticket.files += self._wanted(files_id)
                until = (self.now + timedelta(hours=24)).isoformat()
                return Happened("reopen_asked", values | {"reason": reason, "until": until})
            case _:
                return Happened("more", values | {"text": "..."})

    def _list(self, page: int) -> Happened:
        size = self.settings.page_size
        mine = [t for t in self.tickets.values() if t.mine]
        pages = max((len(mine) + size - 1) // size, 1)
        page = min(page, pages - 1)
        shown = [
            {
                "id": t.id,
                "title": t.title,
                "number": t.number,
                "status": t.status,
                "created_at": t.created_at.isoformat(),
            }
            for t in mine[page * size : (page + 1) * size]
        ]
        return Happened("tickets", {"page": page, "pages": pages, "tickets": shown})

    def _details(self, ticket: Ticket) -> dict[str, Any]:
        is_open = ticket.status in ("new", "registered", "in_progress", "waiting")
        return {
            "id": ticket.id,
            "title": ticket.title,
            "number": ticket.number,
            "status": ticket.status,
            "created_at": ticket.created_at.isoformat(),
            "promised_at": None,
            "description": "",
            "location": "",
            "ledger": [{"id": 1, "at": ticket.created_at.isoformat(), "what": "filed", "values": {}}],
            "can_add": is_open or ticket.status == "resolved",
            "can_withdraw": is_open,
            "can_rate": ticket.status in ("resolved", "closed"),
            "can_reopen": ticket.status == "resolved",
            "can_resend": False,
            "stars": ticket.stars,
        }
