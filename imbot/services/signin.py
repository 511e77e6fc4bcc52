"""Sign-in inside transactions: limits, codes, links, invitations. The directory is asked by the courier, never here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from imbot.domain.calendar import AHEAD
from imbot.domain.chats import Chat, Happened
from imbot.domain.parcels import GIVE_UP_AGE, Kind, NewParcel
from imbot.domain.people import Entry, Person, Role, given_name
from imbot.domain.signin import keyed_hash, may_ask, may_try, mint_token, normal_code, same
from imbot.services import telling, watchdog
from imbot.services.env import Env, Fresh
from imbot.store import outbox, people, signin
from imbot.store.signin import CodeRow, InviteRow

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def look_up(c: Connection, chat: Chat, address: str, now: datetime, env: Env, update_key: str) -> Happened:
    """Ask for a code for `address`: within the limits a parcel asks the directory; the chat is told the same either way."""
    subject = address_hash(env, address)
    verdict = may_ask(
        signin.codes_asked(c, "chat", chat.key, now - _DAY, now),
        signin.codes_asked(c, "address", subject, now - _DAY, now),
        signin.failures_since(c, now - _HOUR, now),
        _linked_before(c, chat),
        now,
        env.limits,
    )
    if not verdict.allowed:
        return Happened("looked_up", {"allowed": False, "until": _iso(verdict.until), "address": address})
    signin.note_code_asked(c, chat.key, subject, now)
    outbox.put(
        c,
        NewParcel(
            lane=f"signin:{chat.key}",
            target="directory",
            key=f"lookup:{update_key}:{address}",
            kind=Kind.LOOKUP,
            payload={"address": address, "channel": chat.channel, "chat": chat.id},
            urgent=True,
        ),
        now,
    )
    return Happened("looked_up", {"allowed": True, "until": None, "address": address})


def found(c: Connection, chat: Chat, entry: Entry, lang: str, now: datetime, env: Env, fresh: Fresh) -> None:
    """The directory knows exactly one active person: mint the code and put its letter. Earlier codes of the chat die."""
    row = CodeRow(
        chat_key=chat.key,
        address=entry.address,
        entry=entry_to_json(entry),
        code_hash=keyed_hash(env.key, "code", f"{chat.key}\0{fresh.code}"),
        token_hash=keyed_hash(env.key, "link", fresh.link),
        minted_at=now,
    )
    code_id = signin.save_code(c, row)
    outbox.put(
        c,
        NewParcel(
            lane=f"code:{chat.key}",  # of its own: a slow mail server must not hold up the next look-up, it would tell
            target="smtp",
            key=f"code:{code_id}",
            kind=Kind.CODE,
            payload={
                "code_id": code_id,
                "to": entry.address,
                "name": given_name(entry.name, lang),
                "code": fresh.code,
                "link": fresh.link,
                "lang": lang,
                "message_id": fresh.message_id(),
            },
            urgent=True,
        ),
        now,
    )


def decoy(c: Connection, chat: Chat, now: datetime, env: Env) -> None:
    """Nobody has this address: a code that nothing opens, so that tries are counted and answered as for somebody known."""
    row = CodeRow(
        chat_key=chat.key,
        address="",
        entry={},
        code_hash=mint_token(),
        token_hash=mint_token(),
        minted_at=now,
        expires_at=now + env.limits.code_life,
    )
    signin.save_code(c, row)


def code_accepted(c: Connection, code_id: int, now: datetime, env: Env) -> None:
    """The mail server took the letter: the code's ten minutes begin."""
    signin.accepted_code(c, code_id, now + env.limits.code_life)


def check_code(c: Connection, chat: Chat, text: str, now: datetime, env: Env, fresh: Fresh) -> Happened:
    """Try a code typed in this chat; a right one links the chat. Every wrong one counts, for the code and for all."""
    code = normal_code(text)
    failures = signin.failures_since(c, now - _HOUR, now)
    own = signin.failures_since(c, now - _HOUR, now, chat.key)
    if not may_try(failures, own, _linked_before(c, chat), env.limits):
        return _checked("limited", until=_iso(now + env.limits.slow))
    row = signin.open_code(c, chat.key)
    if row is None:
        return _checked("none")
    over = _over(row, now, env)
    if not over and code is not None and same(row.code_hash, keyed_hash(env.key, "code", f"{chat.key}\0{code}")):
        signin.use_code(c, row.id, now)
        return _checked("ok", name=given_name(_link(c, chat, entry_from_json(row.entry), now, env, fresh).name))
    signin.note_failure(c, chat.key, now)
    left = env.limits.tries - signin.count_try(c, row.id)
    if left <= 0:
        signin.use_code(c, row.id, now)
    expired = now >= row.minted_at + env.limits.code_life or row.minted_at > now + AHEAD
    if expired:  # not `over`: whether the mail server took a letter would tell
        return _checked("expired")
    return _checked("wrong", left=max(left, 0))


def redeem(c: Connection, chat: Chat, token: str, now: datetime, env: Env, fresh: Fresh) -> Happened:
    """A deep link: the one of a code letter (this chat only) or of an invitation (any chat, once)."""
    digest = keyed_hash(env.key, "link", token)
    invite = signin.invite_by_token(c, digest)
    if invite is not None:
        if invite.expires_at <= now or not signin.use_invite(c, digest, chat.key, now):
            return _token("expired")
        return _token("ok", given_name(_link(c, chat, entry_from_json(invite.entry), now, env, fresh).name))
    row = signin.code_by_token(c, digest)
    if row is None:
        return _token("unknown")  # 160 bits need no budget, and junk must not spend that of the codes
    if row.chat_key != chat.key:
        return _token("other_chat")
    if row.used_at is not None or _over(row, now, env):
        return _token("expired")
    signin.use_code(c, row.id, now)
    return _token("ok", given_name(_link(c, chat, entry_from_json(row.entry), now, env, fresh).name))


def invite(c: Connection, entry: Entry, now: datetime, env: Env) -> str:
    """A one-time token that links the chat which opens it to `entry`. Only its keyed hash is kept."""
    token = mint_token()
    digest = keyed_hash(env.key, "link", token)
    data, ends = entry_to_json(entry), now + env.limits.invite_life
    row = InviteRow(token_hash=digest, address=entry.address, entry=data, created_at=now, expires_at=ends)
    signin.save_invite(c, row)
    return token


def unlink(c: Connection, chat: Chat, now: datetime) -> Happened:
    """The person takes this chat away; tickets stay theirs and are found again after the next sign-in."""
    people.unlink_chat(c, chat.key, now)
    return Happened("unlinked", {})


def address_hash(env: Env, address: str) -> str:
    """How an address is counted: unknown ones leave no plain trace."""
    return keyed_hash(env.key, "address", address)


def chat_language(c: Connection, chat_key: str, env: Env) -> str:
    """The language of a chat: what the person chose, else what their messenger says."""
    row = people.chat(c, chat_key)
    return env.chat_language(row.language, row.lang) if row else env.language


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """A directory's entry as plain JSON."""
    return asdict(entry)


def entry_from_json(data: Mapping[str, Any]) -> Entry:
    """The inverse of `entry_to_json`."""
    return Entry(**{**data, "role": Role(data.get("role", "user"))})


def _over(row: CodeRow, now: datetime, env: Env) -> bool:
    """Whether a code's time has passed. A letter that nobody saw accepted may have come all the same: its code lives no
    longer than its parcel, and the usual life after that. Nor does any that a clock which ran ahead gave more."""
    longest = row.minted_at + GIVE_UP_AGE[Kind.CODE] + env.limits.code_life
    return min(row.expires_at or longest, longest) <= now or row.minted_at > now + AHEAD


def _linked_before(c: Connection, chat: Chat) -> bool:
    row = people.chat(c, chat.key)
    return row is not None and row.linked_before


def _link(c: Connection, chat: Chat, entry: Entry, now: datetime, env: Env, fresh: Fresh) -> Person:
    person = people.link_chat(c, chat, entry, now)
    # What the directory said may be days old (an invitation): it is asked again at once, and who has left is unlinked.
    recheck = {"person": person.id, "ticket": ""}
    outbox.put(
        c,
        NewParcel(f"person:{person.id}", "recheck", f"recheck:{chat.key}:{now.isoformat()}", Kind.RECHECK, recheck),
        now,
    )
    lang = chat_language(c, chat.key, env)
    payload: Mapping[str, Any] = {
        "to": person.address,
        "template": "linked",
        "lang": lang,
        "message_id": fresh.message_id(1),
        "values": {"name": given_name(person.name, lang), "channel": chat.channel.capitalize(), "at": now.isoformat()},
    }
    key = f"linked:{chat.key}:{now.isoformat()}"
    outbox.put(c, NewParcel(f"mail:{person.id}", "smtp", key, Kind.NOTE, payload), now)
    watchdog.signed_in(c, person, chat.key, now, env)
    telling.catch_up(c, person.id, chat.key, now)
    return person


def _checked(result: str, *, left: int = 0, name: str = "", until: str | None = None) -> Happened:
    return Happened("code_checked", {"result": result, "left": left, "name": name, "until": until})


def _token(result: str, name: str = "") -> Happened:
    return Happened("token_checked", {"result": result, "name": name})


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
