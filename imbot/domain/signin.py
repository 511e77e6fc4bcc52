"""Sign-in: codes, links and the limits on asking for them. Decides; counts nothing, sends nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

CODE_LENGTH = 8
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")  # RFC 4648
_LOOK_ALIKES = str.maketrans("АВЕЁКМНОРСТУХІЅЈ018", "ABEEKMHOPCTYXISJOIB")
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """`per_hour`, `per_day`: codes asked for by a chat, and for an address. `tries`: per code. `failures`: wrong codes of
    everybody in an hour. `slow`: the pace that is left to a chat that was linked before."""

    per_hour: int = 3
    per_day: int = 5
    tries: int = 5
    failures: int = 200
    code_life: timedelta = timedelta(minutes=10)
    invite_life: timedelta = timedelta(days=3)
    slow: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Verdict:
    allowed: bool
    until: datetime | None = None  # when it will be allowed, if it is not


def mint_code() -> str:
    """Eight characters of base32 from the system's generator: 40 bits."""
    return base64.b32encode(secrets.token_bytes(5)).decode()


def mint_token() -> str:
    """A token for a deep link: 160 bits, 32 characters that Telegram allows in `?start=`."""
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()


def normal_code(text: str) -> str | None:
    """The code that `text` means, or None where it cannot be one. Any case, spaces, dashes and look-alikes are forgiven."""
    kept = "".join(char for char in text if not char.isspace() and char not in "-–—.«»\"'`").upper()
    code = kept.translate(_LOOK_ALIKES)
    return code if len(code) == CODE_LENGTH and set(code) <= _ALPHABET else None


def keyed_hash(key: bytes, purpose: str, text: str) -> str:
    """HMAC-SHA256 in hex. Without `key`, which is not in the data base, a stolen data base tells no code."""
    return hmac.new(key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


def same(left: str, right: str) -> bool:
    """Whether two hashes are equal, in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def may_ask(
    by_chat: Sequence[datetime],
    for_address: Sequence[datetime],
    failures: int,
    linked_before: bool,
    now: datetime,
    limits: Limits,
) -> Verdict:
    """Whether this chat may have a code sent to this address now.

    `by_chat`, `for_address`: when codes were asked for in the last day, known and unknown addresses alike, any order.
    The chat's own limit always holds. The address's limit and the global one stop strangers but only slow a chat that
    was linked before: else anybody could lock an employee out by asking in their name.
    """
    own = free_at(by_chat, now, limits)
    if own is not None:
        return Verdict(False, own)
    others = free_at(for_address, now, limits)
    if others is None and failures >= limits.failures:
        others = now + limits.slow
    if others is None:
        return Verdict(True)
    if not linked_before:
        return Verdict(False, others)
    last = max(by_chat, default=None)
    if last is None or now - last >= limits.slow:
        return Verdict(True)
    return Verdict(False, min(others, last + limits.slow))


def may_try(failures: int, failures_of_chat: int, linked_before: bool, limits: Limits) -> bool:
    """Whether a code may be tried at all: the global budget of wrong codes is there, or this chat has a past and has not
    spent its own share."""
    return failures < limits.failures or (linked_before and failures_of_chat < limits.tries)


def free_at(asked: Sequence[datetime], now: datetime, limits: Limits) -> datetime | None:
    """None: free now. Else the moment at which the hour and the day have room again."""
    free: datetime | None = None
    for window, most in ((_HOUR, limits.per_hour), (_DAY, limits.per_day)):
        recent = sorted(moment for moment in asked if now - moment < window)
        if len(recent) >= most:
            moment = recent[len(recent) - most] + window
            free = moment if free is None else max(free, moment)
    return free
