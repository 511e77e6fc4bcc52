"""A person who is deleted, and the letters that were never bound to a ticket of theirs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from imbot.domain.chats import Chat
from imbot.domain.people import Entry
from imbot.domain.tickets import Ticket
from imbot.store import inbox, letters, outbox, people, tickets
from imbot.store.db import once
from imbot.store.engine import connect, disconnect, raw_connection
from imbot.store.letters import LetterRow
from tests.cli_desk import NOW, Desk, letter

SECRET = "anna@company.ru"


def rows(desk: Desk) -> dict[int, tuple[str, str]]:
    with closing(sqlite3.connect(desk.folder / "var" / "imbot.db")) as c:
        found = c.execute("SELECT id, outcome, coalesce(raw, '') || sender || subject || reason || path FROM mails")
        return {id: (outcome, whole.decode("utf-8", "replace") if isinstance(whole, bytes) else whole)
                for id, outcome, whole in found}  # fmt: skip


def unvouched(subject: str, text: str, **more: str) -> bytes:
    return letter(subject, text, vouched=False, **more)


def test_letters_that_were_set_aside_go_with_the_person_they_are_about(desk: Desk) -> None:
    token = desk.ticket().token
    by_token = desk.came(unvouched("Заявка", f"Иванова Анна, {SECRET}, {token}"))
    by_number = desk.came(unvouched("Заявка № IM-CL-1042 выполнена", f"Анна {SECRET}"))
    message_id = desk.ticket().message_id
    once(desk.url, letters.save_letter, LetterRow(message_id, "t1", "ticket", {}, NOW))
    answer = unvouched("Re", SECRET, sender="eve@spam.ru").replace(
        b"From:", f"In-Reply-To: {message_id}\r\nFrom:".encode(), 1
    )
    by_thread = desk.came(answer)
    stranger = desk.came(unvouched("Скидки", f"Пишите на {SECRET.upper()}", sender="eve@spam.ru"))
    nobody = desk.came(unvouched("Скидки", "всем", sender="eve@spam.ru"))
    forged = desk.came(unvouched("Заявка № IM-CL-1042 выполнена", "номер знает кто угодно", sender="eve@spam.ru"))
    said = desk("user", "delete", SECRET, "--yes")
    assert said.code == 0, said.err
    left = rows(desk)
    assert [left[id] for id in (by_token, by_number, by_thread)] == [("erased", "")] * 3
    assert [left[id][0] for id in (stranger, nobody, forged)] == ["quarantined"] * 3
    assert "    3  letters of no request that were about theirs\n" in said.text
    assert f"bear the address: letters {stranger}\n" in said.text
    assert "imbot mail quarantine drop ID" in said.text
    alerts = [one.parcel for one in once(desk.url, outbox.open_parcels, 100) if one.parcel.lane == "admins"]
    assert not [one for one in alerts if one.payload.get("values", {}).get("mail") in (by_token, by_number, by_thread)]


def test_a_letter_that_names_a_request_of_somebody_else_as_well_is_not_taken_from_them(desk: Desk) -> None:
    tom = once(desk.url, a_ticket_of_toms, desk.ticket()).token
    both = desk.came(unvouched("Заявки", f"{desk.ticket().token} {tom}"))
    answer = desk("user", "delete", SECRET, "--yes")
    assert f"bear the address: letters {both}\n" in answer.text
    assert rows(desk)[both][0] == "quarantined"


def a_ticket_of_toms(c: Connection, like: Ticket) -> Ticket:
    chat = Chat("telegram", "2002")
    people.see_chat(c, chat, "ru", NOW)
    person = people.link_chat(c, chat, Entry("tom@company.ru", "Том"), NOW)
    theirs = {"id": "tom1", "person_id": person.id, "chat_key": chat.key, "message_id": "<tom1@bot>"}
    ticket = replace(like, **theirs, token="imb:TTTTTTTTTT", number="")  # type: ignore[arg-type]
    tickets.add(c, ticket)
    return ticket


def test_nothing_of_the_address_is_left_in_the_files_of_the_data_base(desk: Desk) -> None:
    database = desk.folder / "var" / "imbot.db"
    held = connect(
        database, reading=True
    )  # as a service beside it does, so that the log is not cut by the last one to close
    desk.came(unvouched("Заявка", f"{SECRET} {desk.ticket().token}"))
    answer = desk("user", "delete", SECRET, "--yes")
    assert "write-ahead log" not in answer.text
    assert {file.name for file in database.parent.glob("imbot.db*")} >= {"imbot.db", "imbot.db-wal"}
    assert b"".join(file.read_bytes() for file in database.parent.glob("imbot.db*")).count(SECRET.encode()) == 0
    disconnect(held)


def test_what_it_cannot_reach_it_names(desk: Desk, tmp_path: Path) -> None:
    (desk.folder / "var" / "imbot.db.before-0006").write_bytes(b"")
    held = connect(desk.folder / "var" / "imbot.db", reading=True)
    raw_connection(held).execute("BEGIN")
    raw_connection(held).execute("SELECT count(*) FROM people").fetchone()
    answer = desk("user", "delete", SECRET, "--yes")
    assert answer.code == 0
    assert "imbot.db-wal) is in use and may bear the address until the nightly clean-up" in answer.text
    assert "imbot.db.before-0006, a copy of the data base from before an upgrade" in answer.text
    disconnect(held)


@pytest.mark.parametrize("ticket", ["IM-CL-1042", "t1"])
def test_a_letter_is_not_bound_to_a_request_whose_requester_is_gone_and_no_file_of_it_is_kept(
    desk: Desk, ticket: str
) -> None:
    raw = (
        b"From: support@company.ru\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: text/csv\r\n"
        b"Content-Disposition: attachment; filename=a.csv\r\n\r\na;b\r\n--b--\r\n"
    )
    id = desk.came(raw)
    assert desk("user", "delete", SECRET, "--yes").code == 0
    refused = desk("mail", "quarantine", "bind", str(id), ticket)
    assert (refused.code, "the requester of IM-CL-1042 was erased" in refused.err) == (1, True)
    assert list((desk.folder / "var" / "files").iterdir()) == []
    row = once(desk.url, inbox.get_mail, id)
    assert row is not None
    assert row.outcome == "quarantined"
