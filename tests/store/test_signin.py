from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from imbot.store import signin
from imbot.store.signin import CodeRow, InviteRow
from tests.store.conftest import ANNA, EVE, NOW

LATER = NOW + timedelta(minutes=10)


def code(chat: str = ANNA.key, token: str = "t1", **changes: object) -> CodeRow:
    values: dict[str, object] = {"address": "anna@company.ru", "entry": {"name": "Анна"}, "code_hash": "h"}
    return CodeRow(chat_key=chat, token_hash=token, minted_at=NOW, **(values | changes))  # type: ignore[arg-type]


def test_only_the_last_code_of_a_chat_is_open(c: Connection) -> None:
    first = signin.save_code(c, code())
    second = signin.save_code(c, code(token="t2"))
    signin.save_code(c, code(EVE.key, "t3"))
    kept = signin.open_code(c, ANNA.key)
    assert kept == code(token="t2", id=second)
    dead = signin.code_by_token(c, "t1")
    assert dead is not None
    assert (dead.id, dead.used_at) == (first, NOW)


def test_a_codes_minutes_run_from_the_first_acceptance(c: Connection) -> None:
    id = signin.save_code(c, code())
    assert signin.accepted_code(c, id, LATER)
    assert not signin.accepted_code(c, id, LATER + timedelta(1))
    kept = signin.open_code(c, ANNA.key)
    assert kept is not None
    assert kept.expires_at == LATER


def test_tries_are_counted_and_a_code_is_used_once(c: Connection) -> None:
    id = signin.save_code(c, code())
    assert [signin.count_try(c, id) for _ in range(3)] == [1, 2, 3]
    assert signin.count_try(c, 99) == 0
    assert signin.use_code(c, id, LATER)
    assert not signin.use_code(c, id, LATER)
    assert signin.open_code(c, ANNA.key) is None
    assert signin.code_by_token(c, "none") is None


def test_asks_are_counted_by_chat_and_by_address(c: Connection) -> None:
    for minutes, chat in ((0, ANNA.key), (5, EVE.key), (9, EVE.key)):
        signin.note_code_asked(c, chat, "hash of anna", NOW + timedelta(minutes=minutes))
    before = NOW - timedelta(hours=1)
    assert len(signin.codes_asked(c, "chat", EVE.key, before, LATER)) == 2
    assert len(signin.codes_asked(c, "address", "hash of anna", before, LATER)) == 3
    assert signin.codes_asked(c, "address", "hash of anna", NOW, LATER) == [
        NOW + timedelta(minutes=5),
        NOW + timedelta(minutes=9),
    ]
    assert signin.codes_asked(c, "address", "another", before, LATER) == []
    back = NOW - timedelta(days=1)
    assert signin.codes_asked(c, "address", "hash of anna", back - timedelta(days=1), back) == []


def test_failures_are_counted_for_all_and_for_one(c: Connection) -> None:
    signin.note_failure(c, ANNA.key, NOW)
    signin.note_failure(c, EVE.key, LATER)
    assert signin.failures_since(c, NOW - timedelta(1), LATER) == 2
    assert signin.failures_since(c, NOW, LATER) == 1
    assert signin.failures_since(c, NOW - timedelta(1), NOW) == 1  # the clock was put back
    assert signin.failures_since(c, NOW - timedelta(1), LATER, ANNA.key) == 1


def test_an_invite_works_once(c: Connection) -> None:
    invite = InviteRow("t", "tom@company.ru", {"name": "Tom"}, created_at=NOW, expires_at=LATER)
    signin.save_invite(c, invite)
    assert signin.invite_by_token(c, "t") == invite
    assert signin.invite_by_token(c, "x") is None
    assert signin.use_invite(c, "t", ANNA.key, NOW)
    assert not signin.use_invite(c, "t", EVE.key, NOW)
    used = signin.invite_by_token(c, "t")
    assert used is not None
    assert used.used_by == ANNA.key


def test_old_codes_counts_and_invites_are_forgotten(c: Connection) -> None:
    signin.save_code(c, code())
    signin.note_code_asked(c, ANNA.key, "h", NOW)
    signin.note_failure(c, ANNA.key, NOW)
    signin.save_invite(c, InviteRow("t", "a@b.ru", created_at=NOW, expires_at=LATER))
    assert signin.prune(c, NOW) == 0
    assert signin.prune(c, LATER) == 3
    assert signin.prune(c, LATER + timedelta(1)) == 1
