from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from imbot.domain.chats import Chat
from imbot.domain.parcels import Kind, NewParcel, lane_of_receipts
from imbot.domain.people import Entry, Person
from imbot.domain.tickets import Status
from imbot.store import (
    files,
    inbox,
    ledger,
    letters,
    outbox,
    people,
    ratings,
    received,
    schema,
    sessions,
    signin,
    tickets,
    views,
    watches,
)
from imbot.store.db import Db
from imbot.store.letters import LetterRow
from imbot.store.schema import bad_updates
from imbot.store.signin import CodeRow, InviteRow
from imbot.store.watches import Question
from tests.store.conftest import ANNA, EVE, NOW, file_ticket, link_anna
from tests.store.test_files import a_file
from tests.store.test_received import a_received

LATER = NOW + timedelta(hours=1)
SECRETS = ("Анна", "anna@company.ru", "telegram:1001", "Тайна", "900 000")


def a_whole_life(c: Connection) -> Person:
    """Anna in every table, each text of hers with a secret in it."""
    anna = link_anna(c)
    contacts = {"phone": "+7 900 000-00-01"}
    words: dict[str, Any] = {"title": "Тайна", "description": "Тайна", "solution": "Тайна", "contacts": contacts}
    words |= {"number": "1042", "status": Status.RESOLVED, "category": "Оборудование", "fields": (("a", "Тайна"),)}
    file_ticket(c, anna.id, "tick1", **words)
    tickets.add_number(c, "inframanager", "1042", "tick1", NOW)
    ledger.log(c, "tick1", NOW, "comment", {"text": "Тайна"})
    letters.save_letter(c, LetterRow("<a@bot>", "tick1", "ticket", {"text": "Тайна"}, NOW))
    letters.note_message(c, ANNA.key, "5", "tick1", NOW)
    ratings.rate(c, "tick1", 2, NOW)
    ratings.rating_words(c, "tick1", "Тайна")
    files.add(c, a_file("f1", "tick1", path="/var/f1", fate="stored", name="Тайна.jpg"))
    files.add(c, a_file("f2", "draft", caption="Тайна"))
    mail = inbox.keep_raw(c, "INBOX", "7", 1, raw="Тайна".encode(), size=1, sha256="x", now=NOW)
    inbox.settle_mail(c, mail, "applied", ticket_id="tick1", now=NOW, subject="Тайна")
    own = inbox.keep_raw(c, "INBOX", "7", 2, raw=None, path="/var/m2", size=1, sha256="y", now=NOW)
    inbox.settle_mail(c, own, "quarantined", now=NOW, sender=anna.address, subject="Тайна")
    received.add(c, a_received("r1", mail, path="r1", name="Тайна.pdf"))
    received.keep_text(c, mail, "tick1", "Тайна", NOW)
    lanes = ("ticket:tick1", f"chat:{ANNA.key}", f"signin:{ANNA.key}", f"mail:{anna.id}", f"mail:{anna.address}")
    receipts = (lane_of_receipts(ANNA.key, "tick1"), lane_of_receipts(ANNA.key, "draft"))
    for lane in (*lanes, *receipts):
        outbox.put(c, NewParcel(lane, "smtp", f"key of {lane}", Kind.NOTE, {"text": "Тайна"}), NOW)
    outbox.settle(c, outbox.claim(c, NOW, 1)[0], "sent", NOW)
    outbox.put(c, NewParcel("ticket:addition", "self", "pack:2", Kind.PACK, {"ticket": "tick1", "text": "Тайна"}), NOW)
    asked = {"address": anna.address}
    outbox.put(c, NewParcel(f"signin:{EVE.key}", "x", f"lookup:9:{anna.address}", Kind.LOOKUP, asked), NOW)
    outbox.put(c, NewParcel("admins", "x", "alert:1", Kind.ALERT, {"ticket": "tick1", "title": "Тайна"}), NOW)
    for parcel in outbox.claim(c, NOW, 9, only="x"):
        outbox.settle(c, parcel, "done", NOW)
    inbox.keep_update(c, {"message": {"chat": {"id": 1001}, "text": "Тайна"}}, "error", NOW)
    inbox.keep_update(c, {"message": {"chat": {"id": 10019}, "text": "another"}}, "error", NOW)
    outbox.suspend(c, f"chat:{ANNA.key}", "Тайна", NOW)
    sessions.save(c, ANNA.key, {"draft": "Тайна"}, NOW)
    sessions.owe(c, ANNA.key, {"name": "Тайна"}, NOW, False, NOW)
    signin.note_code_asked(c, ANNA.key, "hash", NOW)
    signin.note_failure(c, ANNA.key, NOW)
    signin.save_code(c, CodeRow(ANNA.key, anna.address, {"name": "Анна"}, "h", "t", NOW))
    signin.save_invite(c, InviteRow("i", anna.address, {"name": "Анна"}, created_at=NOW, expires_at=LATER))
    signin.save_invite(c, InviteRow("j", "other@company.ru", created_at=NOW, expires_at=LATER, used_by=ANNA.key))
    people.consent(c, anna.id, "1", NOW)
    return anna


def erase_anna(c: Connection) -> dict[str, int]:
    anna = people.person_by_address(c, "anna@company.ru")
    assert anna is not None
    assert people.paths_of(c, anna.id) == ["/var/f1", "/var/m2", "r1"]
    return people.erase(c, anna.id, LATER)


async def test_an_erased_person_is_in_no_byte_of_the_data_base(db: Db, path: Path) -> None:
    await db.run(a_whole_life)
    counted = await db.run(erase_anna)
    assert counted == {
        "chats": 1,
        "sessions": 1,
        "codes": 1,
        "parcels": 10,
        "updates": 1,
        "files": 2,
        "received": 1,
        "letters": 1,
        "mails": 2,
        "messages": 1,
        "ledger": 1,
        "ratings": 1,
        "tickets": 1,
        "person": 1,
    }
    await db.checkpoint()
    dump = "\n".join(sqlite3.connect(f"file:{path}?mode=ro", uri=True).iterdump())
    assert [secret for secret in SECRETS if secret in dump] == []
    whole = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert [secret for secret in SECRETS if secret.encode() in whole] == []


def test_numbers_times_and_stars_stay_for_the_statistics(c: Connection) -> None:
    a_whole_life(c)
    erase_anna(c)
    ticket = tickets.get(c, "tick1")
    assert ticket is not None
    assert (ticket.number, ticket.status, ticket.category, ticket.created_at) == (
        "1042",
        "resolved",
        "Оборудование",
        NOW,
    )
    (row,) = views.report_rows(c, NOW, LATER)
    assert (row.person, row.address, row.stars, row.words, row.title) == ("", "", 2, "", "")
    assert [entry.what for entry in ledger.ledger(c, "tick1")] == ["comment"]
    assert outbox.claim(c, LATER, 10) == []
    assert outbox.open_parcels(c, 10) == []
    assert list(c.execute(select(bad_updates.c.raw)).scalars()) == [
        '{"message":{"chat":{"id":10019},"text":"another"}}'
    ]


def test_erasing_twice_or_nobody_says_so(c: Connection) -> None:
    anna = a_whole_life(c)
    people.erase(c, anna.id, LATER)
    assert people.erase(c, anna.id, LATER)["person"] == 0
    assert set(people.erase(c, 99, LATER).values()) == {0}
    assert people.list_persons(c, 0, 10) == []
    assert people.find_persons(c, "anna@company.ru") == []
    erased = people.person(c, anna.id)
    assert erased == Person(anna.id, "", gone=True)


def test_whoever_comes_next_with_the_address_is_somebody_else(c: Connection) -> None:
    anna = a_whole_life(c)
    people.erase(c, anna.id, LATER)
    heir = people.link_chat(c, EVE, Entry("anna@company.ru", "Another Anna"), LATER)
    assert heir.id != anna.id
    assert tickets.of_person(c, heir.id, 0, 10) == ([], 0)


def test_nothing_of_others_is_touched(c: Connection) -> None:
    a_whole_life(c)
    tom = people.link_chat(c, Chat("telegram", "7"), Entry("tom@company.ru", "Tom"), NOW)
    file_ticket(c, tom.id, "toms", chat_key="telegram:7", description="Toms")
    files.add(c, a_file("f7", "toms", chat_key="telegram:7"))
    outbox.put(c, NewParcel("ticket:toms", "smtp", "toms", Kind.LETTER, {"x": 1}), NOW)
    before = tickets.get(c, "toms")
    erase_anna(c)
    assert people.person_of_chat(c, "telegram:7") == tom
    assert tickets.get(c, "toms") == before
    assert len(files.of_ticket(c, "toms")) == 1
    assert [parcel.key for parcel in outbox.claim(c, LATER, 10)] == ["toms"]


def test_a_chat_that_speaks_for_somebody_else_by_now_is_left_alone(c: Connection, anna: Person) -> None:
    file_ticket(c, anna.id)
    tom = people.link_chat(c, ANNA, Entry("tom@company.ru", "Tom"), LATER)
    people.erase(c, anna.id, LATER)
    assert people.person_of_chat(c, ANNA.key) == tom


def test_a_stranger_who_typed_the_address_keeps_nothing_of_it_and_may_go_on(c: Connection, path: Path) -> None:
    anna = a_whole_life(c)
    asked, code = {"address": anna.address}, {"to": anna.address, "code": "ABCD"}
    outbox.put(c, NewParcel(f"signin:{EVE.key}", "directory", f"lookup:10:{anna.address}", Kind.LOOKUP, asked), NOW)
    outbox.put(c, NewParcel(f"signin:{EVE.key}", "directory", "lookup:11:eve@company.ru", Kind.LOOKUP, {"x": 1}), NOW)
    outbox.put(c, NewParcel(f"code:{EVE.key}", "smtp", "code:7", Kind.CODE, code), NOW)
    sessions.save(c, EVE.key, {"state": "wait_code", "data": {"address": anna.address}}, NOW)
    sessions.owe(c, EVE.key, {"name": "wait_code", "values": {"address": anna.address}}, NOW, False, NOW)
    people.erase(c, anna.id, LATER)
    (left,) = outbox.claim(c, LATER, 10)
    assert left.key == "lookup:11:eve@company.ru", "what stood behind it in the lane goes on"
    assert sessions.load(c, EVE.key) is None
    assert sessions.slot(c, EVE.key) is None
    rows = [str(tuple(row)) for table in schema.metadata.sorted_tables for row in c.execute(table.select())]
    assert [row for row in rows if anna.address in row] == []


def test_whoever_only_names_the_address_loses_nothing(c: Connection) -> None:
    anna = a_whole_life(c)
    tom = people.link_chat(c, Chat("telegram", "7"), Entry("tom@company.ru", "Tom"), NOW)
    file_ticket(c, tom.id, "toms", chat_key="telegram:7")
    text = {"ticket": "toms", "text": f"ask {anna.address}"}
    outbox.put(c, NewParcel("ticket:toms", "self", "pack:toms", Kind.PACK, text), NOW)
    sessions.save(c, "telegram:7", {"data": {"draft": anna.address}}, NOW)
    people.erase(c, anna.id, LATER)
    assert [parcel.payload for parcel in outbox.claim(c, LATER, 10)] == [text]
    assert sessions.load(c, "telegram:7") is not None


def test_questions_to_admins_keep_nothing_of_whoever_is_erased(c: Connection) -> None:
    anna = a_whole_life(c)
    tom = people.link_chat(c, Chat("telegram", "7"), Entry("tom@company.ru", "Tom"), NOW)
    file_ticket(c, tom.id, "toms", chat_key="telegram:7")
    watches.watch(c, "tick1", NOW, NOW)
    watches.save_question(c, "tick1", Question(1), NOW)
    asked = Question(1, chats={ANNA.key: "5", "telegram:7": "6"}, letters=(anna.address, "tom@company.ru"))
    watches.save_question(c, "toms", asked, NOW)
    people.erase(c, anna.id, LATER)
    assert watches.due(c, LATER, 9) == []
    assert watches.questions(c) == [("toms", Question(1, chats={"telegram:7": "6"}, letters=("tom@company.ru",)))]


def test_news_that_wait_in_a_chat_of_somebody_else_by_now_are_their_requesters(c: Connection) -> None:
    """Until the courier finds whose chat it is."""
    anna = link_anna(c)
    people.link_chat(c, ANNA, Entry("eve@company.ru", "Eve"), LATER)
    eve = people.person_by_address(c, "eve@company.ru")
    assert eve is not None
    for person, ticket in ((anna, "tick1"), (eve, "tick2")):
        file_ticket(c, person.id, ticket)
        payload = {"screen": {"name": "x"}, "ticket": ticket}
        outbox.put(c, NewParcel(f"chat:{ANNA.key}", "telegram", f"of {ticket}", Kind.NOTICE, payload), NOW)
    point = c.begin_nested()
    people.erase(c, anna.id, LATER)
    (left,) = outbox.of_lane(c, f"chat:{ANNA.key}")
    assert left.key == "of tick2"
    assert [one.key for one in outbox.claim(c, LATER, 5)] == ["of tick2"], "it is the first of its lane now"
    point.rollback()
    people.erase(c, eve.id, LATER)
    assert [one.key for one in outbox.claim(c, LATER, 5)] == ["of tick1"]
