"""Codes, invites, and the counts that their limits need. Hashes only; what is allowed is decided in `domain.signin`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from imbot.domain.calendar import AHEAD
from imbot.store.schema import code_asks, code_failures, codes, invites


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code on its way or open. `entry`: what the directory said, as JSON. `expires_at`: None until the mail server has
    accepted the letter. `id`: 0 until it is saved."""

    chat_key: str
    address: str
    entry: dict[str, Any]
    code_hash: str
    token_hash: str
    minted_at: datetime
    expires_at: datetime | None = None
    tries: int = 0
    used_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class InviteRow:
    """A one-time link that an admin made. `used_by`: the chat that redeemed it."""

    token_hash: str
    address: str
    entry: dict[str, Any] = field(default_factory=dict)
    created_at: datetime = field(kw_only=True)
    expires_at: datetime = field(kw_only=True)
    used_at: datetime | None = None
    used_by: str = ""


_SUBJECTS = {"chat": code_asks.c.chat_key, "address": code_asks.c.address_hash}


def codes_asked(c: Connection, kind: str, subject: str, since: datetime, now: datetime) -> list[datetime]:
    """When codes were asked for by a chat (`kind` "chat") or for an address's hash ("address"), oldest first. What lies ahead was
    noted by a clock that was put back since, and would hold somebody up for as long."""
    found = select(code_asks.c.at).where(_SUBJECTS[kind] == subject, code_asks.c.at > since)
    return list(c.execute(found.where(code_asks.c.at <= now + AHEAD).order_by(code_asks.c.at)).scalars())


def chats_that_asked(c: Connection, since: datetime, most: int, limit: int) -> list[str]:
    """Chats that asked for `most` codes or more since then, the one that asked last first."""
    asked = select(code_asks.c.chat_key).where(code_asks.c.at > since).group_by(code_asks.c.chat_key)
    found = asked.having(func.count() >= most).order_by(func.max(code_asks.c.at).desc()).limit(limit)
    return list(c.execute(found).scalars())


def note_code_asked(c: Connection, chat_key: str, address_hash: str, now: datetime) -> None:
    c.execute(insert(code_asks), {"chat_key": chat_key, "address_hash": address_hash, "at": now})


def note_failure(c: Connection, chat_key: str, now: datetime) -> None:
    c.execute(insert(code_failures), {"chat_key": chat_key, "at": now})


def failures_since(c: Connection, since: datetime, now: datetime, chat_key: str | None = None) -> int:
    """Wrong codes of everybody, or of one chat; not those that lie ahead."""
    found = select(func.count()).select_from(code_failures).where(code_failures.c.at > since)
    found = found.where(code_failures.c.at <= now + AHEAD)
    if chat_key is not None:
        found = found.where(code_failures.c.chat_key == chat_key)
    return c.execute(found).scalar_one()


def save_code(c: Connection, code: CodeRow) -> int:
    """Keeps a fresh code and returns its id. The chat's earlier ones are dead from now on: only the last letter counts."""
    unused = update(codes).where(codes.c.chat_key == code.chat_key, codes.c.used_at.is_(None))
    c.execute(unused.values(used_at=code.minted_at))
    values = asdict(code)
    del values["id"]
    return int(c.execute(insert(codes).returning(codes.c.id), values).scalar_one())


def accepted_code(c: Connection, id: int, expires_at: datetime) -> bool:
    """The mail server took the letter: from now the code lives until `expires_at`. A second time changes nothing."""
    found = update(codes).where(codes.c.id == id, codes.c.expires_at.is_(None))
    return c.execute(found.values(expires_at=expires_at)).rowcount > 0


def open_code(c: Connection, chat_key: str) -> CodeRow | None:
    """The chat's newest unused code, accepted by the mail server or not, expired or not."""
    found = select(codes).where(codes.c.chat_key == chat_key, codes.c.used_at.is_(None))
    return _code(c.execute(found.order_by(codes.c.id.desc()).limit(1)).first())


def code_by_token(c: Connection, token_hash: str) -> CodeRow | None:
    """The code whose letter bore this link, used or not."""
    return _code(c.execute(select(codes).where(codes.c.token_hash == token_hash)).first())


def count_try(c: Connection, id: int) -> int:
    """Counts a try before it is compared, and returns how many there were with it (0: no such code)."""
    found = update(codes).where(codes.c.id == id).values(tries=codes.c.tries + 1)
    return c.execute(found.returning(codes.c.tries)).scalar() or 0


def replaced(c: Connection, code: CodeRow) -> bool:
    """Whether it ended because the chat got a fresh one (`save_code` ends it at that very moment), not by being used."""
    fresh = select(codes.c.id).where(codes.c.chat_key == code.chat_key, codes.c.id > code.id)
    return c.execute(fresh.where(codes.c.minted_at == code.used_at).limit(1)).first() is not None


def use_code(c: Connection, id: int, now: datetime) -> bool:
    """True for the one who uses it first."""
    found = update(codes).where(codes.c.id == id, codes.c.used_at.is_(None))
    return c.execute(found.values(used_at=now)).rowcount > 0


def save_invite(c: Connection, invite: InviteRow) -> None:
    c.execute(insert(invites), asdict(invite))


def invite_by_token(c: Connection, token_hash: str) -> InviteRow | None:
    row = c.execute(select(invites).where(invites.c.token_hash == token_hash)).first()
    return None if row is None else InviteRow(**row._mapping)


def use_invite(c: Connection, token_hash: str, chat_key: str, now: datetime) -> bool:
    """True for the one who uses it first."""
    found = update(invites).where(invites.c.token_hash == token_hash, invites.c.used_at.is_(None))
    return c.execute(found.values(used_at=now, used_by=chat_key)).rowcount > 0


def prune(c: Connection, before: datetime) -> int:
    """Forgets codes minted, asked for or failed before then, and invites that ended before then."""
    old = [
        delete(codes).where(codes.c.minted_at < before),
        delete(code_asks).where(code_asks.c.at < before),
        delete(code_failures).where(code_failures.c.at < before),
        delete(invites).where(or_(invites.c.expires_at < before, invites.c.used_at < before)),
    ]
    return sum(c.execute(statement).rowcount for statement in old)


def _code(row: Row[Any] | None) -> CodeRow | None:
    return None if row is None else CodeRow(**row._mapping)
