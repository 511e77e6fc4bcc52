"""The one place where people are told: receipts, notices, alerts. Everything here is a parcel; nothing is shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from imbot.dialog.admin import alert_screen, legs_screen
from imbot.dialog.screen import Screen, screen_from_json, screen_to_json
from imbot.dialog.tickets import notice_screen
from imbot.domain.calendar import is_night
from imbot.domain.notices import Enclosed, Notice, ticket_values
from imbot.domain.parcels import Kind, NewParcel, Parcel, lane_of_receipts
from imbot.domain.people import Person, Role, given_name
from imbot.domain.tickets import Handover, Ticket, awaits_confirmation, may_rate, may_reopen, may_withdraw
from imbot.services.env import Env
from imbot.store import facts, files, ledger, letters, outbox, people, ratings, tickets, watches
from imbot.store.files import FileRow
from imbot.store.people import ChatRow

__all__ = ["alert", "note_message", "put_notice", "put_receipt", "receipt_values", "ticket_values"]

_ALARM = "alarm:"
_BATCH = "admins:"  # begins the keys of alerts
_NAMES_ADMINS = frozenset({"failed", "reopen_silence", "unconfirmed"})  # they say whether an admin knows
_GROUPED = timedelta(seconds=15)  # how long alerts wait for their kin; admins hear within five minutes
_A_MOMENT = timedelta(seconds=0.25)  # within it a mail server that works has the letter; nobody feels it
_NOTHING = Enclosed()
_RECEIPTS = 20  # that are brought up to date when a chat is read again
note_message = letters.note_message


def put_receipt(c: Connection, ticket: Ticket, now: datetime, *, awaited: bool = False) -> None:
    """Have the ticket's one receipt shown or edited. What it says is read when it is shown, so it is always the truth.
    `awaited`: somebody has pressed Send and looks at it, so it goes before what comes by itself; it waits a moment for the mail
    server, which mostly has the letter by then, so that one message says so and not two."""
    if not awaited and not still_theirs(c, ticket, ticket.chat_key):
        return
    lane = lane_of_receipts(ticket.chat_key, ticket.id)
    of_ticket, channel = f"receipt:{ticket.id}:", ticket.chat_key.partition(":")[0]
    if not awaited and outbox.hasten(c, lane, of_ticket, now):
        return  # nobody has it in hand yet: it will say this as well
    payload = {"ticket": ticket.id} | ({"awaited": True} if awaited else {})
    key = f"{of_ticket}{now.isoformat()}"
    due_at = now + _A_MOMENT if awaited else None
    outbox.put(c, NewParcel(lane, channel, key, Kind.RECEIPT, payload, due_at=due_at, urgent=awaited), now)


def catch_up(c: Connection, person_id: int, chat_key: str, now: datetime) -> None:
    """Their person reads this chat again: the receipts in it tell what has happened meanwhile, which went by letter. Those of
    open requests first, then of the newest others."""
    for ticket in tickets.filed_in(c, person_id, chat_key, _RECEIPTS):
        put_receipt(c, ticket, now)


def receipt_values(c: Connection, ticket: Ticket, env: Env) -> dict[str, Any]:
    """What the receipt may say of the ticket as it is now: plain JSON. Files of later additions are not its business."""
    rows = [row for row in files.of_ticket(c, ticket.id) if row.id.startswith(f"{ticket.id}-")]
    unconfirmed = awaits_confirmation(ticket) and watches.question(c, ticket.id) is not None
    return ticket_values(ticket) | {
        "can_withdraw": may_withdraw(ticket),
        "support_contact": env.dialog.support_contact,
        "max_bytes": env.dialog.max_file_bytes,
        "max_files": env.dialog.max_files,
        "handover": str(ticket.handover),
        "created_at": ticket.created_at.isoformat(),
        "accepted_at": _iso(ticket.accepted_at),
        "registered_at": _iso(ticket.registered_at),
        "promised_at": _iso(ticket.promised_at),
        "failure": ticket.failure,
        "how": how_failed(c, ticket),
        "asked": asked_of(c, ticket, env),
        "unconfirmed": unconfirmed,
        "admin_knows": (unconfirmed or ticket.handover is Handover.FAILED) and admins_hear(c, env),
        "files": [
            {
                "name": row.name,
                "kind": row.kind,
                "fate": _fate(c, ticket, row),
                "reason": row.reason,
                "size": row.size,
            }
            for row in rows
        ],
    }


def asked_of(c: Connection, ticket: Ticket, env: Env) -> str:
    """What support was asked for; "withdraw_later" where that waits for the number, and no admin has let it go without."""
    if ticket.asked == "withdraw" and not ticket.number and env.backend(ticket.backend).waits_for_number:
        asked = watches.question(c, ticket.id)
        return "withdraw" if asked is not None and asked.let_go else "withdraw_later"
    return ticket.asked


def how_failed(c: Connection, ticket: Ticket) -> str:
    """Why the request's own letter is not with the ITSM, after the ledger: refused, unreached, returned; "" where it is."""
    if ticket.handover is not Handover.FAILED:
        return ""
    ends = [row for row in ledger.ledger(c, ticket.id) if row.what in ("bounced", "failed")]
    last = next((row for row in reversed(ends) if row.values.get("letter") == "ticket"), None)
    if last is None:
        return "refused"
    return "returned" if last.what == "bounced" else str(last.values.get("how", "refused"))


def _fate(c: Connection, ticket: Ticket, row: FileRow) -> str:
    """What became of a file, as the receipt may say it: `attached` only once the mail server has taken its letter;
    `follows` where the request went without it and a further letter waits for the number."""
    if row.fate != "stored":
        return row.fate
    letter = letters.letter(c, row.letter_id) if row.letter_id else None
    if letter is not None:
        return "attached" if letter.outcome == "accepted" else "stored"
    return "follows" if letters.letter(c, ticket.message_id) is not None else "stored"


def receipt(c: Connection, ticket_id: str, env: Env, chat_key: str = "") -> tuple[dict[str, Any], str, str] | None:
    """The receipt's values, the chat it stands in and its message ("" before it was shown); None: no such ticket, or the chat
    that it is for (`chat_key`, where it is another one) is not the requester's any more."""
    ticket = tickets.get(c, ticket_id)
    if ticket is None or not still_theirs(c, ticket, chat_key or ticket.chat_key):
        return None
    return receipt_values(c, ticket, env), ticket.chat_key, ticket.receipt_id


def still_theirs(c: Connection, ticket: Ticket, chat_key: str) -> bool:
    """Whether this chat is the requester's own now: not unlinked, erased or somebody else's."""
    chat = people.chat(c, chat_key)
    return chat is not None and chat.person_id == ticket.person_id


def for_admins(parcel: Parcel) -> bool:
    """Whether it bears words for admins, and not for the requester of a ticket."""
    return "screen" in parcel.payload and not parcel.payload.get("ticket")


def may_show(c: Connection, parcel: Parcel, env: Env) -> bool:
    """Whether a notice may still be shown in its chat, or, of admins, written to its address. Who has just left the firm is told
    in the chat that their request ends, as long as nobody else has taken it."""
    chat_key = parcel.chat_key
    if for_admins(parcel):
        to = parcel.payload.get("to")
        person = people.person_by_address(c, to) if to else people.person_of_chat(c, chat_key)
        return to in env.admins or is_admin(person, env)
    ticket = tickets.get(c, parcel.payload.get("ticket") or "")
    if ticket is not None and still_theirs(c, ticket, chat_key):
        return True
    chat = people.chat(c, chat_key)
    farewell = parcel.payload.get("screen", {}).get("name") == "notice_withdrawn"
    return farewell and chat is not None and chat.person_id is None


def put_notice(
    c: Connection,
    notice: Notice,
    ticket: Ticket,
    key: str,
    now: datetime,
    env: Env,
    enclosed: Enclosed = _NOTHING,
) -> None:
    """Tell the requester: in the chat where the ticket was filed, else in another chat of theirs, else by letter. Files go
    the same way behind it, each a parcel of its own; a letter carries them."""
    person = people.person(c, ticket.person_id)
    if person is None or person.gone:  # who has left is told nothing any more
        return
    notice = replace(notice, values={**notice.values, **enclosed.values})
    if notice.name in _NAMES_ADMINS:
        notice = replace(notice, values={"admin_knows": admins_hear(c, env), **notice.values})
    screen = notice_screen(notice, env.dialog.support_contact)
    if is_night(now, env.zone, *env.night):
        screen = replace(screen, silent=True)
    payload: dict[str, Any] = {"screen": screen_to_json(screen), "ticket": ticket.id}
    if enclosed.files:
        payload["files"] = [file["id"] for file in enclosed.files]
    chat = open_chat(c, person, ticket.chat_key)
    chat_key, lang = (chat.key, env.chat_language(chat.language, chat.lang)) if chat else ("", "")
    if chat_key != ticket.chat_key and _waits_for_it(c, ticket.chat_key, person):
        chat_key, lang = ticket.chat_key, ""
    if chat_key:
        parcel = NewParcel(f"chat:{chat_key}", chat_key.partition(":")[0], key, Kind.NOTICE, payload)
    else:
        parcel = NewParcel(
            f"mail:{person.id}", "smtp", key, Kind.NOTE, as_letter(c, person, ticket.chat_key, payload, env)
        )
    if outbox.put(c, parcel, now, take=True, at_hand=lang or None):
        ledger.log(c, ticket.id, now, "notice", {"name": notice.name})
        if chat_key:
            put_files(c, chat_key, ticket.id, payload.get("files", ()), now)


def tells(c: Connection, parcel: Parcel, person: Person) -> bool:
    """Whether it brings news of a request of theirs."""
    return _whose(c, parcel) == person.id


def told_in(c: Connection, lane: str) -> set[int]:
    """Of whose requests there are news in this lane: ids of persons."""
    return {id for one in outbox.of_lane(c, lane) if (id := _whose(c, one)) is not None}


def _whose(c: Connection, parcel: Parcel) -> int | None:
    ticket = tickets.get(c, parcel.payload.get("ticket") or "") if parcel.kind in (Kind.NOTICE, Kind.FILE) else None
    return ticket.person_id if ticket is not None else None


def _waits_for_it(c: Connection, chat_key: str, person: Person) -> bool:
    """Whether earlier news of theirs have not left yet for this chat, which they read no more. Whoever finds that moves them
    all in order, and by then nothing may have gone another way before them."""
    return any(tells(c, one, person) for one in outbox.of_lane(c, f"chat:{chat_key}"))


def put_files(c: Connection, chat_key: str, ticket_id: str, ids: Sequence[str], now: datetime) -> None:
    """Files that support sent, in order, each once."""
    for id in ids:
        payload = {"received": id, "ticket": ticket_id}
        channel = chat_key.partition(":")[0]
        outbox.put(c, NewParcel(f"chat:{chat_key}", channel, f"received:{id}", Kind.FILE, payload), now)


def open_chat(c: Connection, person: Person, preferred: str = "") -> ChatRow | None:
    """A chat that the person still reads: `preferred` if it is one, else the newest; None where there is none."""
    open_chats = [row for row in people.chats_of(c, person.id) if not row.blocked]
    return next((row for row in open_chats if row.key == preferred), next(iter(open_chats), None))


def open_chat_key(c: Connection, person: Person) -> str:
    """Of the chat that the person has linked last and still reads; "" where there is none."""
    chat = open_chat(c, person)
    return chat.key if chat else ""


def as_letter(c: Connection, person: Person, chat_key: str, payload: Mapping[str, Any], env: Env) -> dict[str, Any]:
    """What brings the same words to the person's mailbox, in the language of the chat that they were for. `unlinked`: why it
    comes by mail; a chat of theirs that is left has shut us out."""
    chat = people.chat(c, chat_key)
    theirs = chat is not None and chat.person_id in (None, person.id)
    lang = env.chat_language(chat.language, chat.lang) if chat is not None and theirs else env.language
    values = {"name": given_name(person.name, lang), "unlinked": not people.chats_of(c, person.id)}
    return {**payload, "to": person.address, "template": "notice", "lang": lang, "values": values}


def alert(c: Connection, name: str, key: str, values: Mapping[str, Any], now: datetime) -> None:
    """Something an admin should know; grouped with what else comes within seconds. The same `key` is told once."""
    payload = {"name": name, "values": dict(values), "at": now.isoformat()}
    outbox.put(c, NewParcel("admins", "self", f"alert:{key}", Kind.ALERT, payload, due_at=now + _GROUPED), now)


def leg_changed(c: Connection, leg: str, since: datetime, error: str, up: bool, now: datetime) -> None:
    """Something that imbot leans on has not worked since `since`, or works again."""
    name = "leg_up" if up else "leg_down"
    minutes = max(0, int((now - since).total_seconds()) // 60)
    values = {"leg": leg, "since": since.isoformat(), "until": now.isoformat(), "minutes": minutes, "error": error}
    alert(c, name, f"{name}:{leg}:{since.isoformat()}", values, now)
    if up:
        facts.forget_fact(c, f"{_ALARM}{leg}")
    else:
        facts.set_fact(c, f"{_ALARM}{leg}", since.isoformat(), now)


def open_alarms(c: Connection) -> list[tuple[str, datetime]]:
    """(leg, since) of what admins were told does not work, and have not been told works again: a restart forgets nothing."""
    return [(leg, datetime.fromisoformat(since)) for leg, since in facts.facts_of(c, _ALARM)]


@dataclass(frozen=True, slots=True)
class Way:
    """How an admin is reached: in `chat_key`, or where that is "" by a letter to `address`. `who` is unique among them."""

    who: str
    address: str
    chat_key: str = ""

    def letter(self, key: str, screen: Screen) -> NewParcel:
        payload = {"screen": screen_to_json(screen), "ticket": "", "to": self.address, "template": "alert"}
        return NewParcel(f"mail:{self.who}", "smtp", key, Kind.NOTE, payload)


def admin_ways(c: Connection, env: Env) -> list[Way]:
    """One way to each admin: the role, or named in the settings (perhaps never signed in)."""
    admins = people.admins(c, env.admins)
    known = [Way(str(person.id), person.address, open_chat_key(c, person)) for person in admins]
    strangers = sorted(set(env.admins) - {person.address for person in admins})
    return known + [Way(address, address) for address in strangers]


def admins_hear(c: Connection, env: Env, *, mail_works: bool = True) -> bool:
    """Whether an alert put now really reaches somebody: an admin has a chat, or letters do go out."""
    ways = admin_ways(c, env)
    return any(way.chat_key for way in ways) or (bool(ways) and mail_works and not outbox.stuck(c, "smtp"))


def is_admin(person: Person | None, env: Env) -> bool:
    """Asked anew at each press."""
    return person is not None and not person.gone and (person.role is Role.ADMIN or person.address in env.admins)


def tell_admins(c: Connection, now: datetime, env: Env) -> int:
    """Everything in the lane of alerts becomes one message to each admin; returns how many admins there are to tell. That
    the chats do not answer is told by letter."""
    waiting = outbox.of_lane(c, "admins")
    if not waiting:
        return 0
    ways = admin_ways(c, env)
    told = [{"name": parcel.payload["name"], **parcel.payload} for parcel in waiting]
    screen = alert_screen(told, env.config_option)
    batch = f"{_BATCH}{waiting[0].id}-{waiting[-1].id}"
    silent = {
        leg for parcel in waiting if parcel.payload["name"] == "leg_down" and (leg := parcel.payload["values"]["leg"])
    }
    for way in ways:
        _to_admin(c, way, f"{batch}:{way.who}", screen, now, silent)
    outbox.settle_lane(c, "admins", "told", now)
    return len(ways)


def pass_on(c: Connection, parcel: Parcel, now: datetime, env: Env) -> None:
    """An alert that its admin, who is none any more or has another chat, did not get: to all who are admins now and were not
    told of it. What an admin has asked for themselves ends."""
    if not parcel.key.startswith(_BATCH):
        return
    batch = ":".join(parcel.key.split(":")[:2])
    screen = screen_from_json(parcel.payload["screen"])
    for way in admin_ways(c, env):
        key = f"{batch}:{way.who}"
        again = f"{parcel.key}:".startswith(f"{key}:")
        _to_admin(c, way, f"{parcel.key}:moved" if again else key, screen, now)


def _to_admin(c: Connection, way: Way, key: str, screen: Screen, now: datetime, silent: Collection[str] = ()) -> None:
    channel = way.chat_key.partition(":")[0]
    if way.chat_key and channel not in silent:
        payload = {"screen": screen_to_json(screen), "ticket": ""}
        outbox.put(c, NewParcel(f"chat:{way.chat_key}", channel, key, Kind.NOTICE, payload), now)
    else:
        outbox.put(c, way.letter(key, screen), now)


def put_legs(c: Connection, parcel: Parcel, legs: Sequence[Mapping[str, Any]], now: datetime, env: Env) -> None:
    """An admin asked how everything is: the answer goes to the chat that asked."""
    if outbox.settle(c, parcel, "told", now):
        chat_key = parcel.payload["chat"]
        screen = legs_screen(legs, now.isoformat(), env.config_option, checked=parcel.payload["check"])
        payload = {"screen": screen_to_json(screen), "ticket": ""}
        notice = NewParcel(f"chat:{chat_key}", chat_key.partition(":")[0], f"legs:{parcel.id}", Kind.NOTICE, payload)
        outbox.put(c, notice, now)


def details(c: Connection, ticket: Ticket, now: datetime, env: Env) -> dict[str, Any]:
    """What the details screen may say: the ticket and its ledger."""
    rating = ratings.rating(c, ticket.id)
    return receipt_values(c, ticket, env) | {
        "id": ticket.id,
        "description": ticket.description,
        "category": ticket.category,
        "subcategory": ticket.subcategory,
        "location": ticket.location,
        "solution": ticket.solution,
        "numbers": tickets.numbers_of(c, ticket.id),
        "ledger": [
            {"id": row.id, "at": row.at.isoformat(), "what": row.what, "values": row.values}
            for row in ledger.ledger(c, ticket.id)
        ],
        "can_rate": may_rate(ticket, rating.rated_at if rating else None, now),
        "can_reopen": may_reopen(ticket),
        "can_resend": ticket.handover is Handover.FAILED,
        "stars": rating.stars if rating else None,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
