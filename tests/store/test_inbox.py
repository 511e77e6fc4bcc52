from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, text

from imbot.store import inbox
from imbot.store.inbox import MailPlace, NewRaw, RawLetter
from imbot.store.schema import bad_updates
from tests.store.conftest import NOW

LATER = NOW + timedelta(hours=1)
RAW = b"Subject: x\r\n\r\nbytes \xff\x00"


def keep(
    c: Connection, uid: int | str = 1, sha: str = "s1", *, box: str = "INBOX", era: str = "7", path: str = ""
) -> int:
    raw = None if path else RAW
    return inbox.keep_raw(c, box, era, uid, raw=raw, path=path, size=len(RAW), sha256=sha, now=NOW)


def test_a_key_is_new_once(c: Connection) -> None:
    assert inbox.first_time(c, "telegram:1", NOW)
    assert not inbox.first_time(c, "telegram:1", LATER)
    assert inbox.first_time(c, "telegram:2", NOW)


def test_raw_bytes_come_back_as_they_were(c: Connection) -> None:
    id = keep(c)
    large = keep(c, 2, "s2", path="/var/mail/s2")
    assert inbox.unread(c, 10) == [
        RawLetter(id, "INBOX", RAW, "", len(RAW), "s1", 0),
        RawLetter(large, "INBOX", None, "/var/mail/s2", len(RAW), "s2", 0),
    ]
    assert len(inbox.unread(c, 1)) == 1
    assert inbox.raw_letter(c, id) == inbox.unread(c, 1)[0]
    assert inbox.raw_letter(c, 99) is None


def test_the_same_bytes_at_the_same_place_are_the_same_letter_and_others_are_another(c: Connection) -> None:
    """Whatever the server has promised: a mailbox that was put back from a backup gives its UIDs to other letters."""
    id = keep(c)
    assert keep(c) == id
    inbox.settle_mail(c, id, "applied", now=NOW)
    other = keep(c, "1", "other bytes")
    assert [letter.id for letter in inbox.unread(c, 10)] == [other]
    assert inbox.to_mark(c, "INBOX") == []  # what lies there now waits to be read
    assert keep(c) == id
    assert inbox.to_mark(c, "INBOX") == [MailPlace("INBOX", "7", "1", id)]


def test_what_lay_in_a_folder_that_is_begun_anew_is_not_marked_any_more(c: Connection) -> None:
    gone, back = keep(c, 1, "a"), keep(c, 2, "b")
    for id in (gone, back):
        inbox.settle_mail(c, id, "applied", now=NOW)
    inbox.forget_places(c, "INBOX", LATER)
    assert inbox.to_mark(c, "INBOX") == []
    assert keep(c, 2, "b") == back
    assert inbox.to_mark(c, "INBOX") == [MailPlace("INBOX", "7", "2", back)]


def test_a_new_uidvalidity_repeats_nothing_and_is_marked_anew(c: Connection) -> None:
    id = keep(c)
    inbox.settle_mail(c, id, "applied", now=NOW)
    inbox.marked(c, inbox.to_mark(c, "INBOX"), NOW)
    assert keep(c, 9, era="8") == id
    assert inbox.unread(c, 10) == []
    assert inbox.to_mark(c, "INBOX") == [MailPlace("INBOX", "8", "9", id)]


def test_two_copies_in_the_mailbox_are_one_letter_and_both_are_marked(c: Connection) -> None:
    id = keep(c, 1)
    assert keep(c, 2) == id
    other = keep(c, 3, "s3")
    elsewhere = keep(c, 1, box="Archive")
    assert len({id, other, elsewhere}) == 3
    assert inbox.to_mark(c, "INBOX") == []
    inbox.settle_mail(c, id, "applied", now=NOW)
    assert [place.uid for place in inbox.to_mark(c, "INBOX")] == ["1", "2"]
    assert [place.uid for place in inbox.to_mark(c, "INBOX", 1)] == ["1"]
    inbox.marked(c, inbox.to_mark(c, "INBOX"), NOW)
    inbox.marked(c, [], NOW)
    assert inbox.to_mark(c, "INBOX") == []


def test_attempts_are_counted(c: Connection) -> None:
    id = keep(c)
    inbox.count_attempts(c, [id, 99])
    inbox.count_attempts(c, [id])
    assert inbox.unread(c, 1)[0].attempts == 2


def test_what_is_put_aside_is_listed_and_can_be_replayed(c: Connection) -> None:
    first, second, fine = keep(c, 1, "a"), keep(c, 2, "b"), keep(c, 3, "c")
    headers = {"sender": "eve@evil.ru", "subject": "Заявка", "message_id": "<e@evil>"}
    inbox.settle_mail(c, first, "quarantined", reason="not believed", now=NOW, **headers)
    inbox.settle_mail(c, second, "quarantined", reason="no ticket", now=LATER)
    inbox.settle_mail(c, fine, "applied", ticket_id="tick1", now=NOW)
    assert [row.id for row in inbox.quarantined(c, NOW, 10)] == [second, first]
    assert [row.id for row in inbox.quarantined(c, LATER, 10)] == [second]
    row = inbox.get_mail(c, first)
    assert row is not None
    assert (row.sender, row.reason, row.outcome) == ("eve@evil.ru", "not believed", "quarantined")
    assert inbox.reopen_mail(c, first)
    assert [letter.id for letter in inbox.unread(c, 10)] == [first]
    assert not inbox.reopen_mail(c, 99)
    assert inbox.get_mail(c, 99) is None


def test_cursors_and_facts_are_kept_by_name(c: Connection) -> None:
    assert inbox.cursor(c, "imap") == inbox.fact(c, "x") == ""
    assert inbox.fact_at(c, "x") is None
    inbox.set_cursor(c, "imap", "7:41")
    inbox.set_cursor(c, "imap", "7:42")
    inbox.set_fact(c, "x", "1", NOW)
    inbox.set_fact(c, "x", "2", LATER)
    assert (inbox.cursor(c, "imap"), inbox.fact(c, "x"), inbox.fact_at(c, "x")) == ("7:42", "2", LATER)


def test_an_update_that_was_not_understood_is_kept_whole(c: Connection) -> None:
    first = inbox.keep_update(c, {"update_id": 1, "чудо": None}, "KeyError", NOW)
    second = inbox.keep_update(c, "not even JSON", "JSONDecodeError", LATER)
    rows = c.execute(select(bad_updates).order_by(bad_updates.c.id)).all()
    assert [(row.id, row.at, row.error, row.raw) for row in rows] == [
        (first, NOW, "KeyError", '{"update_id":1,"чудо":null}'),
        (second, LATER, "JSONDecodeError", "not even JSON"),
    ]


def test_old_bytes_are_pruned_and_identities_stay(c: Connection) -> None:
    old, unread, large = keep(c, 1, "a"), keep(c, 2, "b"), keep(c, 3, "c", path="/var/c")
    for id in (old, large):
        inbox.settle_mail(c, id, "applied", now=NOW)
    assert inbox.raw_to_prune(c, NOW) == []
    assert inbox.raw_to_prune(c, LATER) == [(old, ""), (large, "/var/c")]
    assert inbox.prune_raw(c, LATER, [large]) == 1
    assert inbox.prune_raw(c, LATER) == 1
    assert inbox.prune_raw(c, LATER) == 0
    assert keep(c, 9, "a", era="8") == old
    assert [letter.id for letter in inbox.unread(c, 10)] == [unread]
    assert not inbox.reopen_mail(c, old)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT id FROM mails WHERE settled_at IS NULL ORDER BY id LIMIT 5", "ix_mails_unread"),
        ("SELECT id FROM mails WHERE outcome = 'quarantined' AND settled_at >= 1", "ix_mails_quarantine"),
        ("SELECT id FROM mails WHERE (raw IS NOT NULL OR path <> '') AND kept_at < 9", "ix_mails_raw"),
        ("SELECT uid FROM mail_places WHERE mail_places.marked_at IS NULL AND mailbox='a'", "ix_mail_places_unmarked"),
    ],
)
def test_the_statements_of_the_watcher_read_no_settled_letters(c: Connection, statement: str, index: str) -> None:
    plan = " ".join(row.detail for row in c.execute(text(f"EXPLAIN QUERY PLAN {statement}")))
    assert index in plan


def raw(uid: int, sha: str, *, era: str = "7") -> NewRaw:
    return NewRaw(era, str(uid), RAW, "", len(RAW), sha)


def test_many_letters_are_kept_as_one_by_one(c: Connection) -> None:
    known = keep(c, 1, "s1")
    window = [raw(2, "s1"), raw(3, "s3"), raw(4, "s4"), raw(5, "s4"), raw(1, "s6", era="8"), raw(1, "s7", era="8")]
    ids = inbox.keep_many(c, "INBOX", window, NOW)
    assert ids[0] == known
    assert ids[2] == ids[3]
    assert len(set(ids)) == 5  # two letters with one name on the server among them
    assert ids == sorted(ids)
    assert inbox.keep_many(c, "INBOX", window, NOW) == ids
    assert [letter.id for letter in inbox.unread(c, 10)] == sorted(set(ids))
    assert inbox.keep_many(c, "INBOX", [], NOW) == []
    assert inbox.keep_many(c, "other", window[1:2], NOW) != ids[1:2]
    assert inbox.keep_many(c, "INBOX", window[1:2], NOW, account="INBOX elsewhere") == ids[1:2]


def test_a_whole_window_is_kept_as_one_by_one(c: Connection) -> None:
    """What goes with one statement for many, and what is left for one each."""
    known = keep(c, 1, "s1")
    many = [
        NewRaw("7", str(n), None if n % 9 == 0 else RAW + b"%d" % n, f"p{n}" * (n % 9 == 0), n, f"s{n}")
        for n in range(1, 62)
    ]
    ids = inbox.keep_many(c, "many", [*many, many[5]], NOW)
    singly = [id for each in many for id in inbox.keep_many(c, "singly", [each], NOW)]
    assert ids == [*sorted(ids[:-1]), ids[5]]
    rows = [inbox.raw_letter(c, id) for id in (*ids[:-1], *singly)]
    told = [(row.raw, row.path, row.size, row.sha256, row.attempts) for row in rows if row is not None]
    assert told[:61] == told[61:]
    assert told[0][0] == RAW + b"1"
    cells = "SELECT kept_at, settled_at, outcome, sender, subject, count(*) FROM mails WHERE id <> :known GROUP BY 1, 2, 3, 4, 5"
    assert [row[5] for row in c.execute(text(cells), {"known": known})] == [122]
    assert inbox.keep_many(c, "many", many, NOW) == ids[:-1]


def test_what_is_unread_comes_by_id_by_mailbox_and_by_weight(c: Connection) -> None:
    ids = inbox.keep_many(c, "INBOX", [raw(n, f"s{n}") for n in range(1, 6)], NOW)
    (other,) = inbox.keep_many(c, "other", [raw(1, "o")], NOW)
    assert [one.id for one in inbox.unread(c, 10, "INBOX", behind=ids[1])] == ids[2:]
    assert [one.id for one in inbox.unread(c, 10, "other")] == [other]
    assert [one.id for one in inbox.unread(c, 10, most_bytes=2 * len(RAW))] == ids[:2]
    assert [one.id for one in inbox.unread(c, 10, most_bytes=1)] == ids[:1]


def test_attempts_of_many_are_counted_and_given_back(c: Connection) -> None:
    ids = inbox.keep_many(c, "INBOX", [raw(n, f"s{n}") for n in range(1, 4)], NOW)
    inbox.count_attempts(c, ids)
    inbox.count_attempts(c, ids[1:], -1)
    inbox.count_attempts(c, [])
    assert [one.attempts for one in inbox.unread(c, 10)] == [1, 0, 0]


def test_letters_set_aside_are_counted_by_sender_and_time_and_no_further_back_than_asked(c: Connection) -> None:
    for number in range(6):
        id = keep(c, number, f"s{number}")
        moment = NOW + timedelta(minutes=10 * number)
        sender = "eve@example.test" if number % 2 else "mallory@example.test"
        inbox.settle_mail(c, id, "quarantined" if number < 5 else "applied", now=moment, sender=sender)
    assert inbox.newly_set_aside(c, NOW, NOW + timedelta(days=1), None) == inbox.count_set_aside(c, NOW) == 5
    assert (
        inbox.newly_set_aside(c, NOW, NOW + timedelta(days=1), "eve@example.test")
        == inbox.count_set_aside(c, NOW, "eve@example.test")
        == 2
    )
    assert inbox.newly_set_aside(c, NOW + timedelta(minutes=15), NOW + timedelta(days=1), None) == 3
    assert (
        inbox.newly_set_aside(c, NOW, NOW + timedelta(days=1), "eve@example.test", 1) == 0
    )  # the last one is another's
    assert inbox.newly_set_aside(c, NOW, NOW + timedelta(days=1), None, 3) == 3
    assert inbox.count_set_aside(c, NOW, "mallory@example.test", first=3) == 2
