"""One turn of a conversation in one transaction: first time? -> session and facts -> advance -> orders -> session, screen.

Nothing here waits for anybody: what needs the world becomes a parcel, what is to be shown is owed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, assert_never

from sqlalchemy import Connection

from imbot.dialog import orders as o
from imbot.dialog.facts import Facts, TicketBrief, Turn
from imbot.dialog.menu import private_only_screen
from imbot.dialog.screen import Screen, screen_from_json, screen_to_json
from imbot.dialog.session import Session, session_from_json, session_to_json
from imbot.dialog.turn import advance
from imbot.domain.chats import Attached, Blocked, Chat, Event, Happened, Incoming, Pressed, Typed
from imbot.domain.people import Person
from imbot.domain.tickets import Ticket
from imbot.services import comments, decisions, filing, signin, telling, tickets, unsent
from imbot.services.env import Env, Fresh, leg_of
from imbot.services.said import said
from imbot.store import files, inbox, letters, people, sessions
from imbot.store import tickets as ticket_rows
from imbot.store.people import ChatRow
from imbot.store.sessions import OwedScreen, Slot
from imbot.store.where import where

_WRITES = (o.OpenTicket, o.AddToTicket, o.Withdraw, o.Complain, o.NotSolved)
_LINKS = (o.CheckCode, o.RedeemToken, o.Unlink)  # they may make the chat another person's, or nobody's
_ROUNDS = 5  # an order may be answered, and the answer may order again: more than a few is a mistake of ours
_RECENT = timedelta(days=1)  # how long work that is done may still be added to without being asked for
_HEARD = timedelta(hours=1)  # so exact is the moment at which a chat was last heard of
_ALBUM_PAUSE = timedelta(seconds=1)
_BURST, _PER_SECOND = 120.0, 1.0  # a person's events: a full album dump passes, a machine does not


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an update. `show_after`: a new screen is owed, from that moment on. `repeated`: taken before. `owed`: that
    screen as it lies in the data base, and the language to show it in, where that is sure."""

    show_after: datetime | None = None
    repeated: bool = False
    owed: tuple[OwedScreen, str] | None = None


def take(c: Connection, incoming: Incoming, now: datetime, env: Env, fresh: Fresh) -> Taken:
    """Carry one update out. A repeated update changes nothing."""
    if not inbox.first_time(c, incoming.update_key, now):
        return Taken(repeated=True)
    chat = incoming.chat
    stands = where(c, chat.key)
    row = _seen(c, incoming, stands.chat, now)
    lang = env.chat_language(row.language, row.lang)
    if not incoming.private:
        return _refuse_group(c, chat, now, env)
    if isinstance(incoming.event, Blocked):
        _set_blocked(c, row, incoming.event.blocked, now)
        return Taken()
    if row.blocked:
        _set_blocked(c, row, False, now)
    if env.reverify_after and row.linked_at and now - row.linked_at > env.reverify_after:
        people.unlink_chat(c, chat.key, now)
        stands = where(c, chat.key)
    data = stands.session or {}
    bucket, flooded = _spend(data.get("bucket"), now)
    if flooded:
        sessions.save(c, chat.key, {**data, "bucket": bucket}, now)
        return _owe(c, incoming, Screen("too_fast"), None, now, lang)
    slot, before = stands.slot, session_from_json(data or None)
    session, screen, ordered = _converse(c, incoming, before, slot, stands.person, lang, now, env, fresh)
    unsent.note(c, chat, before, session, now)
    sessions.save(c, chat.key, {**session_to_json(session), "bucket": bucket}, now)
    sure = not any(isinstance(order, o.SetLanguage) for order in ordered)
    return _owe(c, incoming, screen, slot, now, lang if sure else "") if screen is not None else Taken()


def _set_blocked(c: Connection, row: ChatRow, blocked: bool, now: datetime) -> None:
    people.set_blocked(c, row.key, blocked, now)
    if row.blocked and not blocked and row.person_id is not None:
        telling.catch_up(c, row.person_id, row.key, now)


def _seen(c: Connection, incoming: Incoming, row: ChatRow | None, now: datetime) -> ChatRow:
    """The chat, noted to be heard of. One that writes on and on is not written down each time."""
    if row is not None and row.language == incoming.language and timedelta() <= now - row.seen_at < _HEARD:
        return row
    return people.see_chat(c, incoming.chat, incoming.language, now)


def _converse(
    c: Connection,
    incoming: Incoming,
    session: Session,
    slot: Slot | None,
    person: Person | None,
    lang: str,
    now: datetime,
    env: Env,
    fresh: Fresh,
) -> tuple[Session, Screen | None, list[o.Order]]:
    """Advance until no order is answered any more; the last screen counts. Also, all that was ordered."""
    event: Event = incoming.event
    screen: Screen | None = None
    answers: list[Happened] = []
    ordered: list[o.Order] = []
    for _ in range(_ROUNDS):
        facts = _facts(c, incoming, slot, person, lang, now, env, fresh)
        turn: Turn = advance(session, event, facts)
        session, screen = turn.session, turn.screen or screen  # an answer without a screen keeps the turn's own
        ordered += turn.orders
        for order in turn.orders:
            answer = _carry_out(c, incoming, order, person, slot, now, env, fresh)
            if isinstance(order, _WRITES):
                fresh = fresh.after_a_letter()
            if answer is not None:
                answers.append(answer)
        if not answers:
            return session, screen, ordered
        event = answers.pop(0)
        if any(isinstance(order, _LINKS) for order in turn.orders):
            person = people.person_of_chat(c, incoming.chat.key)
    raise RuntimeError(f"a turn does not come to an end: {type(event).__name__}")


def _facts(
    c: Connection,
    incoming: Incoming,
    slot: Slot | None,
    person: Person | None,
    lang: str,
    now: datetime,
    env: Env,
    fresh: Fresh,
) -> Facts:
    chat, event = incoming.chat, incoming.event
    replied = _replied(c, chat.key, event, person) if isinstance(event, Typed | Attached) and event.reply_to else ""
    return _Facts.of(
        c,
        env,
        fresh,
        slot,
        now=now,
        timezone=env.zone,
        lang=lang,
        person=person,
        catalogue=env.catalogue,
        locations=env.locations,
        settings=env.dialog,
        consented=not env.consent_version or bool(person and people.consented(c, person.id) == env.consent_version),
        screen_id=slot.message_id if slot and slot.shown else "",
        replied_ticket=replied,
    )


def _replied(c: Connection, chat_key: str, event: Typed | Attached, person: Person | None) -> str:
    """The ticket of the message that is answered; where Telegram's word of that message was lost, by the number in its words."""
    known = letters.ticket_of_message(c, chat_key, event.reply_to)
    return known or (ticket_rows.named_in(c, person.id, event.replied) if person and event.replied else "")


class _Facts(Facts):
    """What few turns ask for is read when it is asked for: still within the turn's transaction, and before it orders anything."""

    _c: Connection
    _env: Env
    _fresh: Fresh
    _slot: Slot | None
    _ASKED_FOR = ("screen", "open_tickets", "recent_tickets", "last_location", "fresh_id", "fresh_token", "late_news")

    def __init__(self, **known: Any) -> None:
        super().__init__(**known)
        for name in self._ASKED_FOR:
            if name not in known:  # as they all are in a copy (`dataclasses.replace`)
                del self.__dict__[name]  # the default, which says nothing

    @classmethod
    def of(cls, c: Connection, env: Env, fresh: Fresh, slot: Slot | None, **known: Any) -> _Facts:
        facts = cls(**known)
        facts.__dict__.update(_c=c, _env=env, _fresh=fresh, _slot=slot)
        return facts

    @cached_property
    def screen(self) -> Screen | None:
        return screen_from_json(self._slot.screen) if self._slot and self._slot.screen else None

    @cached_property
    def open_tickets(self) -> tuple[TicketBrief, ...]:
        return tuple(map(_brief, ticket_rows.open_of_person(self._c, self.person.id, 10))) if self.person else ()

    @cached_property
    def recent_tickets(self) -> tuple[TicketBrief, ...]:
        since = self.now - _RECENT
        return (
            tuple(map(_brief, ticket_rows.resolved_of_person(self._c, self.person.id, since, 3))) if self.person else ()
        )

    @cached_property
    def last_location(self) -> tuple[str, str] | None:
        return ticket_rows.last_location(self._c, self.person.id) if self.person else None

    @cached_property
    def fresh_id(self) -> str:
        return self._fresh.ticket_id

    @cached_property
    def fresh_token(self) -> str:
        return self._fresh.session_token

    @cached_property
    def late_news(self) -> bool:
        return _late(self._c, self.now, self._env)


def _brief(ticket: Ticket) -> TicketBrief:
    return TicketBrief(ticket.id, ticket.title, ticket.number, str(ticket.status), ticket.created_at, ticket.asked)


def _late(c: Connection, now: datetime, env: Env) -> bool:
    """No look into a mailbox for long, or, where there never was one, as long as admins were told that it cannot be read."""
    legs = {leg_of(backend.mailbox) for backend in env.backends.values()}
    if any(leg in legs for leg, _ in telling.open_alarms(c)):
        return True
    seen = [inbox.fact(c, f"{leg}_ok_at") for leg in sorted(legs)]
    return any(abs(now - datetime.fromisoformat(one)) > env.late_after for one in seen if one)


def _carry_out(
    c: Connection,
    incoming: Incoming,
    order: o.Order,
    person: Person | None,
    slot: Slot | None,
    now: datetime,
    env: Env,
    fresh: Fresh,
) -> Happened | None:
    """One order inside the transaction; what it answers goes back into the dialog."""
    chat = incoming.chat
    match order:
        case o.LookUp():
            return signin.look_up(c, chat, order.address, now, env, incoming.update_key)
        case o.CheckCode():
            return signin.check_code(c, chat, order.text, now, env, fresh)
        case o.RedeemToken():
            return signin.redeem(c, chat, order.token, now, env, fresh)
        case o.Unlink():
            return signin.unlink(c, chat, now)
        case (
            o.Consent()
            | o.SetLanguage()
            | o.KeepFile()
            | o.DropFile()
            | o.DropDraft()
            | o.EditCaption()
            | o.FetchFiles()
        ):
            _do(c, chat, order, person, now, env)
            return None
        case o.OpenTicket():
            return filing.open_ticket(c, chat, person, order, _review_id(incoming, slot), now, env, fresh)
        case o.AddToTicket():
            return filing.add_to_ticket(c, person, order, now, env, fresh)
        case o.Withdraw() | o.ResendTicket() | o.Rate() | o.Complain() | o.NotSolved():
            return _change(c, order, person, now, env, fresh)
        case o.ListTickets():
            return tickets.listed(c, person, order.page, env)
        case o.ShowTicket():
            return tickets.shown(c, person, order.ticket_id, now, env)
        case o.ShowMore():
            return comments.more(c, chat, person, order, now) if order.mail_id else said(c, person, order, env)
        case o.Decide() | o.NextQuestion() | o.LookAround():
            return decisions.take(c, order, person, chat.key, now, env)
        case _:
            assert_never(order)


def _change(
    c: Connection,
    order: o.Withdraw | o.ResendTicket | o.Rate | o.Complain | o.NotSolved,
    person: Person | None,
    now: datetime,
    env: Env,
    fresh: Fresh,
) -> Happened:
    """An order that does something with a ticket that exists."""
    match order:
        case o.Withdraw():
            return tickets.withdraw(c, person, order.ticket_id, now, env, fresh)
        case o.ResendTicket():
            return tickets.resend(c, person, order.ticket_id, now)
        case o.Rate():
            return tickets.rate(c, person, order, now)
        case o.Complain():
            return tickets.complain(c, person, order, now, env, fresh)
        case o.NotSolved():
            return tickets.not_solved(c, person, order, now, env, fresh)
        case _:
            assert_never(order)


def _do(
    c: Connection,
    chat: Chat,
    order: o.Consent | o.SetLanguage | o.KeepFile | o.DropFile | o.DropDraft | o.EditCaption | o.FetchFiles,
    person: Person | None,
    now: datetime,
    env: Env,
) -> None:
    """An order that answers nothing."""
    match order:
        case o.Consent():
            if person is not None:
                people.consent(c, person.id, order.version, now)
        case o.SetLanguage():
            people.set_language(c, chat.key, order.lang)
        case o.KeepFile():
            filing.keep_file(c, chat, order, person is not None, now, env)
        case o.DropFile():
            files.drop(c, order.ticket_id, order.unique_id)
        case o.DropDraft():
            filing.drop_draft(c, order.ticket_id, now)
        case o.EditCaption():
            files.caption(c, order.ticket_id, order.message_id, order.caption)
        case o.FetchFiles():
            filing.fetch_files(c, order.ticket_id, now)
        case _:
            assert_never(order)


def _review_id(incoming: Incoming, slot: Slot | None) -> str:
    """The message that was pressed, if the dialog's screen stands there: it may be edited, or become the receipt."""
    pressed = incoming.event.message_id if isinstance(incoming.event, Pressed) else ""
    return pressed if slot and pressed == slot.message_id else ""


def _owe(c: Connection, incoming: Incoming, screen: Screen, slot: Slot | None, now: datetime, lang: str = "") -> Taken:
    """The chat is owed `screen`: in place of the one that was pressed, else as a new message. While an album comes in it
    waits a little, so that ten photos get one answer. `lang`: the chat's, where it is sure still to be that."""
    album = isinstance(incoming.event, Attached) and bool(incoming.event.album)
    show_after = now + _ALBUM_PAUSE if album else now
    edit = bool(_review_id(incoming, slot))
    owed = sessions.owe(c, incoming.chat.key, screen_to_json(screen), show_after, edit, now)
    return Taken(show_after, owed=(owed, lang) if lang and not album else None)


def _refuse_group(c: Connection, chat: Chat, now: datetime, env: Env) -> Taken:
    """Groups get one refusal, ever, and no more."""
    if not inbox.first_time(c, f"group:{chat.key}", now):
        return Taken()
    sessions.owe(c, chat.key, screen_to_json(private_only_screen(env.dialog.support_contact)), now, False, now)
    return Taken(now)


def _spend(bucket: Mapping[str, Any] | None, now: datetime) -> tuple[dict[str, float], bool]:
    """A token bucket kept with the session: (what is left, whether this event finds it empty)."""
    at = now.timestamp()
    left = _BURST
    if bucket:
        left = min(_BURST, float(bucket["left"]) + max(0.0, at - float(bucket["at"])) * _PER_SECOND)
    flooded = left < 1
    return {"left": left if flooded else left - 1, "at": at}, flooded
