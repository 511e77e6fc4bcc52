"""What becomes of a parcel, in one transaction each: delivered, failed, rerouted. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from imbot.domain.errors import DeliveryError
from imbot.domain.letters import Letter
from imbot.domain.notices import failure_notice
from imbot.domain.parcels import GIVE_UP_AGE, Kind, NewParcel, Parcel, gives_up, lane_in_chat, next_try, target_of_files
from imbot.domain.people import Person
from imbot.domain.tickets import Handover, Ticket
from imbot.services import composing, sending, telling, watchdog
from imbot.services import letters as ticket_letters
from imbot.services.env import Env, Fresh
from imbot.store import files, ledger, letters, outbox, people, tickets
from imbot.store.lanes import Rewrite

_BOUNCES = timedelta(days=14)  # mail systems give up within days; a later report is a mistake or a forgery
_NOT_THEIRS = "not theirs any more"
_LATE = timedelta(hours=24)  # how long a file is tried for after its request went without it
_LATE_TRIES = 6  # from then on every five minutes
_AT_ONCE = 100  # files that are given up in one transaction


def claim(c: Connection, now: datetime, wanted: Mapping[str, int], under_way: Collection[int] = ()) -> list[Parcel]:
    """Parcels that may go now, at most so many a target; letters of words alone at hand."""
    claimed = outbox.claim_for(c, now, wanted, under_way)
    return [replace(one, at_hand=_at_hand(c, one)) if one.kind is Kind.LETTER else one for one in claimed]


def _at_hand(c: Connection, parcel: Parcel) -> Letter | None:
    try:
        return ticket_letters.of_words_alone(c, parcel.payload["message_id"])
    except (LookupError, TypeError, ValueError):  # whoever carries it out looks again, and says what is wrong with it
        return None


def letter_accepted(c: Connection, parcel: Parcel, answer: str, now: datetime, env: Env) -> None:
    """The mail server took it: "handed over", and no more than that, is true from now on."""
    if not outbox.settle(c, parcel, "accepted", now):
        return
    message_id = parcel.payload["message_id"]
    letters.letter_settled(c, message_id, now, "accepted", answer)
    ticket = tickets.get(c, parcel.payload["ticket"])
    if ticket is None:
        return
    ledger.log(
        c, ticket.id, now, "accepted", {"letter": parcel.payload["letter"], "message_id": message_id, "answer": answer}
    )
    if message_id == ticket.message_id:
        was = ticket
        ticket = replace(was, handover=Handover.ACCEPTED, accepted_at=was.accepted_at or now, failure="")
        tickets.save(c, ticket, was)
        watchdog.watch(c, ticket, now, env)
    if parcel.payload["letter"] in ("ticket", "files"):
        telling.put_receipt(c, ticket, now)


def letter_bounced(c: Connection, message_id: str, words: str, now: datetime, env: Env) -> Ticket | None:
    """A bounce that bears the Message-ID of one of our letters: that delivery failed. Where the ITSM has registered the
    request, or the letter went long ago, it is only noted. Returns the ticket, None where the letter is not ours."""
    row = letters.letter(c, message_id)
    ticket = tickets.get(c, row.ticket_id) if row else None
    if row is None or ticket is None:
        return None
    ledger.log(c, ticket.id, now, "bounced", {"letter": row.kind, "reason": words})
    heard_of = bool(ticket.number) or ticket.registered_at is not None
    if not heard_of and row.outcome != "failed" and now - row.put_at <= _BOUNCES:
        letters.letter_settled(c, message_id, now, "failed", words)
        order = outbox.by_key(c, f"letter:{message_id}")
        if order is not None:  # the answer to it was lost: it did arrive, and goes again only when somebody says so
            outbox.drop(c, order.parcel.id, now)
        outbox.suspend(c, f"ticket:{ticket.id}", words, now)
        _tell_failure(c, ticket, message_id, words, f"bounce:{message_id}:{now.isoformat()}", now, env, how="returned")
    return ticket


def failed(
    c: Connection,
    parcel: Parcel,
    error: DeliveryError,
    now: datetime,
    env: Env,
    jitter: float = 0.0,
    probes: int = 0,
) -> None:
    """An errand failed: again later, or an end that fits its kind. A far end that is down costs no parcel an attempt; `probes`:
    how often it was found down in a row."""
    if error.kind == "moved" and error.moved_to:
        _moved(c, parcel, error.moved_to, now)
        return
    if error.kind in ("blocked", "gone") and parcel.kind in (Kind.NOTICE, Kind.FILE, Kind.RECEIPT, Kind.QUESTION):
        _shut_out(c, parcel, now, env)
        return
    # The courier's breaker knows for how long it is down: earlier attempts of this one, cut off, say nothing. But a file that is
    # late is waited for by nobody, and may be the only one that does not come.
    late = _is_late(parcel)
    down = error.kind == "down" and not late
    if not error.permanent and not _too_old(parcel, now, probes if down else parcel.attempt):
        tries = 1 if down else min(parcel.attempt, _LATE_TRIES) if late else parcel.attempt
        due = next_try(tries, now, retry_after=error.retry_after, jitter=jitter)
        if error.kind == "throttled" and error.retry_after is not None:
            # A limit that was met says itself when it is over: what waits longer holds up what stands behind it.
            due = now + timedelta(seconds=error.retry_after * (1 + 0.2 * jitter))
        (outbox.uncount if down else outbox.again)(c, parcel, due, str(error))
        return
    match parcel.kind:
        case Kind.LETTER:
            _letter_failed(c, parcel, error, now, env)
        case Kind.DOWNLOAD:
            _file_failed(c, parcel, error, now)
        case Kind.FILE:
            sending.file_failed(c, parcel, error, now, env)
        case Kind.PACK:
            outbox.again(c, parcel, now + timedelta(hours=1), str(error))
            outbox.suspend(c, parcel.lane, str(error), now)
            telling.alert(
                c, "parcel_failed", f"parcel:{parcel.id}", {"kind": str(parcel.kind), "error": str(error)}, now
            )
        case Kind.LOOKUP | Kind.CODE:  # never reported: it would tell who exists
            outbox.settle(c, parcel, "failed", now)
        case _:
            outbox.settle(c, parcel, f"failed: {error}", now)
            telling.alert(
                c, "parcel_failed", f"parcel:{parcel.id}", {"kind": str(parcel.kind), "error": str(error)}, now
            )


def _is_late(parcel: Parcel) -> bool:
    """Whether it fetches a file that its letter went without."""
    return parcel.kind is Kind.DOWNLOAD and bool(parcel.payload.get("late"))


def _too_old(parcel: Parcel, now: datetime, tries: int) -> bool:
    if _is_late(parcel):
        return now - parcel.created_at > _LATE and tries > _LATE_TRIES
    return gives_up(parcel.kind, parcel.created_at, now, tries)


def _letter_failed(c: Connection, parcel: Parcel, error: DeliveryError, now: datetime, env: Env) -> None:
    """Refused, or not taken for too long: the lane is suspended, text and files are kept, the person and the admins are told."""
    message_id, words = parcel.payload["message_id"], str(error)
    if not outbox.again(c, parcel, now, words):
        return
    outbox.suspend(c, parcel.lane, words, now)
    letters.letter_settled(c, message_id, now, "failed", words)
    ticket = tickets.get(c, parcel.payload["ticket"])
    if ticket is not None:
        how = "refused" if error.permanent else "unreached"
        ledger.log(c, ticket.id, now, "failed", {"letter": parcel.payload["letter"], "reason": words, "how": how})
        works = error.kind != "down"
        key = f"{parcel.id}:{parcel.attempt}"
        _tell_failure(c, ticket, message_id, words, key, now, env, how=how, mail_works=works)


def _tell_failure(
    c: Connection,
    ticket: Ticket,
    message_id: str,
    words: str,
    key: str,
    now: datetime,
    env: Env,
    *,
    how: str,
    mail_works: bool = True,
) -> None:
    """`how`: refused by the mail server; unreached, so that we gave up; returned, after the mail server had taken it.
    `mail_works`: it would take another letter."""
    row = letters.letter(c, message_id)
    kind = row.kind if row else "ticket"
    if message_id == ticket.message_id:
        ticket = replace(ticket, handover=Handover.FAILED, failure=words)
        tickets.save(c, ticket)
        telling.put_receipt(c, ticket, now)
    notice = failure_notice(ticket, words, kind)
    told = {"how": how, "admin_knows": telling.admins_hear(c, env, mail_works=mail_works)}
    notice = replace(notice, values={**notice.values, **told})
    telling.put_notice(c, notice, ticket, f"notice:failed:{key}", now, env)
    values = {"title": ticket.title, "number": ticket.number, "reason": words, "ticket": ticket.id, "how": how}
    telling.alert(c, "letter_failed", f"failed:{key}", values, now)


def file_stored(
    c: Connection,
    parcel: Parcel,
    path: str,
    size: int,
    sha256: str,
    content_type: str,
    now: datetime,
    env: Env,
    fresh: Fresh,
) -> None:
    """A file is on our disk. If its letter went out without it, it follows in one of its own."""
    file_id = parcel.payload["file"]
    if not outbox.settle(c, parcel, "stored", now) or not files.stored(c, file_id, path, size, sha256, content_type):
        return
    row = files.get(c, file_id)
    ticket = tickets.get(c, row.ticket_id) if row else None
    if row is None or ticket is None:
        return
    if letters.letter(c, row.letter_id or ticket.message_id) is not None:
        files.assign(c, [row.id], "")
        composing.order_files(c, ticket, fresh.message_id(), now, env)
    telling.put_receipt(c, ticket, now)


def file_refused(c: Connection, parcel: Parcel, reason: str, now: datetime) -> None:
    """What was fetched may not go out; if the person was told otherwise, the receipt is corrected."""
    if not outbox.settle(c, parcel, "refused", now):
        return
    files.refuse(c, parcel.payload["file"], reason)
    _correct_receipt(c, parcel, now)


def files_in_vain(c: Connection, now: datetime, limit: int = 1) -> list[Parcel]:
    """Downloads that hold up a letter for longer than it waits for them."""
    return outbox.in_vain(c, Kind.DOWNLOAD, "ticket", now - GIVE_UP_AGE[Kind.DOWNLOAD], limit)


def go_without_files(c: Connection, now: datetime) -> int:
    """Those of them that nobody has in hand end here: the next try may lie many minutes off, and while the channel is away
    there is none at all. The letters go, and the files follow. Returns how many, a hundred at the most."""
    waited = files_in_vain(c, now, _AT_ONCE)
    for parcel in waited:
        _file_failed(c, parcel, DeliveryError(parcel.last_error or "it did not come in time"), now)
    return len(waited)


def _file_failed(c: Connection, parcel: Parcel, error: DeliveryError, now: datetime) -> None:
    """Not to be had within ten minutes: the text goes alone and the file is tried for a day more, behind it."""
    outbox.settle(c, parcel, "failed", now)
    row = files.get(c, parcel.payload["file"])
    if row is None:
        return
    if error.permanent or _is_late(parcel):
        files.fail(c, row.id, "unavailable")
        _correct_receipt(c, parcel, now)
        return
    key, lane = f"file:{row.id}:late", f"late:{row.ticket_id}"
    target = target_of_files(row.chat_key.partition(":")[0])
    outbox.put(c, NewParcel(lane, target, key, Kind.DOWNLOAD, {"file": row.id, "late": True}), now)


def _correct_receipt(c: Connection, parcel: Parcel, now: datetime) -> None:
    row = files.get(c, parcel.payload["file"])
    ticket = tickets.get(c, row.ticket_id) if row else None
    if ticket is not None:
        telling.put_receipt(c, ticket, now)


def message_shown(c: Connection, parcel: Parcel, chat_key: str, message_id: str, now: datetime) -> None:
    """A notice or receipt is in the chat. The id of the receipt is kept to edit it; both are kept for replies."""
    if not outbox.settle(c, parcel, "shown", now):
        return
    ticket_id = parcel.payload.get("ticket") or ""
    if not ticket_id:
        return
    telling.note_message(c, chat_key, message_id, ticket_id, now)
    ticket = tickets.get(c, ticket_id)
    if ticket is None or parcel.kind is not Kind.RECEIPT or ticket.chat_key != chat_key:
        return  # in another chat than its own it is another message
    if ticket.receipt_id != message_id:
        tickets.save(c, replace(ticket, receipt_id=message_id), ticket)


def _shut_out(c: Connection, parcel: Parcel, now: datetime, env: Env) -> None:
    """The person blocked the bot: all their open parcels of this chat move, in order and under the same keys, to another
    chat of theirs or to letters. What only edits a message there ends with it. What waits there for whoever had the chat
    before goes to them."""
    chat_key = parcel.chat_key
    row = people.chat(c, chat_key)
    people.set_blocked(c, chat_key, True, now)
    person = people.person(c, row.person_id) if row and row.person_id else None
    if _only_edits(parcel):
        outbox.settle(c, parcel, "blocked", now)
    else:
        outbox.again(c, parcel, now, "blocked")
    lanes, notices = outbox.of_chat(c, chat_key), f"chat:{chat_key}"
    if not telling.is_admin(person, env):
        for alert in filter(telling.for_admins, outbox.of_lane(c, notices)):
            outbox.drop(c, alert.id, now)
            telling.pass_on(c, alert, now, env)
    _news_of_others(c, notices, person, now, env)
    if person is None:
        for lane in lanes:
            outbox.settle_lane(c, lane, "blocked", now)
        return
    other = telling.open_chat_key(c, person)
    for waiting in (one for lane in lanes for one in outbox.of_lane(c, lane)):
        if _only_edits(waiting) and (waiting.kind is Kind.QUESTION or not other):
            outbox.drop(c, waiting.id, now)
    if other:
        for lane in lanes:
            outbox.readdress(c, lane, lane_in_chat(lane, other), other.partition(":")[0], now)
        return

    outbox.readdress(c, notices, f"mail:{person.id}", "smtp", now, _as_letters(c, person, now, env))


def _as_letters(c: Connection, person: Person, now: datetime, env: Env) -> Rewrite:
    named: set[str] = set()  # files of the notices before them

    def as_letter(one: Parcel) -> tuple[Kind, Mapping[str, Any]]:
        if one.kind is Kind.QUESTION:
            return Kind.NOTE, watchdog.as_letter(c, one, person.address, now, env)
        payload = one.payload
        if one.kind is Kind.FILE:
            payload = sending.letter_payload(c, one, env) | {"behind_notice": one.payload["received"] in named}
        named.update(payload.get("files", ()))
        return Kind.NOTE, telling.as_letter(c, person, one.chat_key, payload, env)

    return as_letter


def _only_edits(parcel: Parcel) -> bool:
    return parcel.kind is Kind.RECEIPT or (parcel.kind is Kind.QUESTION and bool(parcel.payload.get("edit")))


def reroute(c: Connection, parcel: Parcel, now: datetime, env: Env) -> None:
    """The chat is no longer the requester's: notice or file goes to another chat of theirs, or by letter, and what waits behind
    it with it; who has left the firm is told nothing any more. An alert goes to those who are admins now."""
    ticket = tickets.get(c, parcel.payload.get("ticket") or "")
    person = people.person(c, ticket.person_id) if ticket else None
    if person is not None:
        if outbox.again(c, parcel, now, _NOT_THEIRS):
            _news_elsewhere(c, parcel.lane, person, now, env)
    elif outbox.settle(c, parcel, _NOT_THEIRS, now) and telling.for_admins(parcel):
        telling.pass_on(c, parcel, now, env)


def _news_of_others(c: Connection, lane: str, person: Person | None, now: datetime, env: Env) -> None:
    """What waits there to tell of requests of anybody but `person`, who has the chat now: nothing of it may go with theirs."""
    for owner_id in telling.told_in(c, lane) - {person.id if person else 0}:
        owner = people.person(c, owner_id)
        if owner is not None:
            _news_elsewhere(c, lane, owner, now, env)


def _news_elsewhere(c: Connection, lane: str, person: Person, now: datetime, env: Env) -> None:
    """What waits there to tell of this person's requests goes to another chat of theirs, or by letter, in order; nowhere where
    they have left the firm."""

    def is_theirs(one: Parcel) -> bool:
        return telling.tells(c, one, person)

    other = telling.open_chat_key(c, person)
    if person.gone:
        for one in filter(is_theirs, outbox.of_lane(c, lane)):
            outbox.drop(c, one.id, now)
    elif other:
        outbox.readdress(c, lane, f"chat:{other}", other.partition(":")[0], now, which=is_theirs)
    else:
        as_letter = _as_letters(c, person, now, env)
        outbox.readdress(c, lane, f"mail:{person.id}", "smtp", now, as_letter, which=is_theirs)


def _moved(c: Connection, parcel: Parcel, new_id: str, now: datetime) -> None:
    """The chat has another id now: its parcels follow."""
    channel = parcel.chat_key.partition(":")[0]
    outbox.again(c, parcel, now, f"moved to {new_id}")
    for lane in outbox.of_chat(c, parcel.chat_key):
        outbox.readdress(c, lane, lane_in_chat(lane, f"{channel}:{new_id}"), channel, now)
