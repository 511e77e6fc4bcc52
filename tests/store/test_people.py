from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from imbot.domain.chats import Chat
from imbot.domain.people import Entry, Person, Role
from imbot.store import people
from tests.store.conftest import ANNA, EVE, NOW

LATER = NOW + timedelta(hours=1)
TOM = Entry("tom@company.ru", "Tom", role=Role.SUPPORT, attributes={"room": "7"})


def test_a_linked_chat_speaks_for_its_person(c: Connection, anna: Person) -> None:
    assert people.person_of_chat(c, ANNA.key) == anna
    assert people.person_of_chat(c, EVE.key) is None
    assert (anna.name, anna.office, anna.role, anna.gone) == ("Иванова Анна Сергеевна", "Офис 2", Role.USER, False)


def test_a_second_chat_of_the_same_address_is_the_same_person(c: Connection, anna: Person) -> None:
    again = people.link_chat(c, Chat("vk", "5"), Entry(anna.address, "Петрова Анна"), LATER)
    assert again.id == anna.id
    assert again.name == "Петрова Анна"
    assert [row.key for row in people.chats_of(c, anna.id)] == ["vk:5", ANNA.key]


def test_a_chat_is_remembered_to_have_been_linked_before(c: Connection, anna: Person) -> None:
    row = people.see_chat(c, EVE, "en-GB", NOW)
    assert (row.linked_before, row.person_id, row.language, row.lang) == (False, None, "en-GB", "")
    assert people.unlink_chat(c, ANNA.key, LATER)
    assert not people.unlink_chat(c, ANNA.key, LATER)
    before = people.chat(c, ANNA.key)
    assert before is not None
    assert (before.linked_before, before.person_id, before.linked_at) == (True, None, None)
    assert people.person_of_chat(c, ANNA.key) is None


def test_a_chat_that_is_seen_keeps_its_link_and_its_language(c: Connection, anna: Person) -> None:
    people.set_language(c, ANNA.key, "en")
    row = people.see_chat(c, ANNA, "ru", LATER)
    assert (row.person_id, row.lang, row.language, row.seen_at) == (anna.id, "en", "ru", LATER)
    assert people.chat(c, "telegram:0") is None


def test_linking_lifts_a_block(c: Connection, anna: Person) -> None:
    people.set_blocked(c, ANNA.key, True, NOW)
    assert people.chats_of(c, anna.id)[0].blocked
    people.link_chat(c, ANNA, Entry(anna.address), LATER)
    assert not people.chats_of(c, anna.id)[0].blocked


def test_who_has_left_is_nobody_in_every_chat_until_the_directory_knows_them_again(c: Connection, anna: Person) -> None:
    people.link_chat(c, Chat("vk", "5"), Entry(anna.address, anna.name), NOW)
    assert people.mark_gone(c, anna.id, LATER) == [ANNA.key, "vk:5"]
    assert people.person_of_chat(c, ANNA.key) is None
    gone = people.person(c, anna.id)
    assert gone is not None
    assert gone.gone
    people.mark_checked(c, anna.id, Entry(anna.address, "Анна", phone="1"), LATER)
    back = people.person_by_address(c, anna.address)
    assert back is not None
    assert (back.gone, back.name, back.phone) == (False, "Анна", "1")


def test_a_check_without_news_notes_the_moment_only(c: Connection, anna: Person) -> None:
    people.mark_checked(c, anna.id, None, LATER)
    assert people.checked_at(c, anna.id) == LATER
    assert people.person(c, anna.id) == anna
    assert people.checked_at(c, 99) is None
    assert people.checked_at(c, anna.id, LATER) == LATER
    assert people.checked_at(c, anna.id, NOW) is None  # the clock was put back since


def test_persons_are_found_by_address_chat_key_or_chat_id(c: Connection, anna: Person) -> None:
    for wanted in (" Anna@Company.ru ", ANNA.key, ANNA.id):
        assert people.find_persons(c, wanted) == [anna]
    assert people.find_persons(c, "anna") == []
    assert people.person(c, 99) is None


def test_a_role_from_an_admin_stands_above_the_directorys(c: Connection) -> None:
    tom = people.link_chat(c, Chat("telegram", "7"), TOM, NOW)
    assert (tom.role, tom.attributes) == (Role.SUPPORT, {"room": "7"})
    people.set_role(c, tom.id, Role.ADMIN)
    people.mark_checked(c, tom.id, TOM, LATER)
    assert [person.role for person in people.admins(c, [])] == [Role.ADMIN]
    people.set_role(c, tom.id, None)
    assert people.admins(c, []) == []


def test_admins_are_those_with_the_role_and_those_named(c: Connection, anna: Person) -> None:
    tom = people.link_chat(c, Chat("telegram", "7"), TOM, NOW)
    people.set_role(c, tom.id, Role.ADMIN)
    assert [person.id for person in people.admins(c, ["ANNA@company.ru"])] == [anna.id, tom.id]
    people.mark_gone(c, tom.id, NOW)
    assert [person.id for person in people.admins(c, ["nobody@company.ru"])] == []


def test_consent_is_to_a_version(c: Connection, anna: Person) -> None:
    assert people.consented(c, anna.id) == ""
    people.consent(c, anna.id, "2", NOW)
    assert people.consented(c, anna.id) == "2"
    assert people.consented(c, 99) == ""


def test_a_sweep_sees_linked_persons_not_asked_about_lately(c: Connection, anna: Person) -> None:
    tom = people.link_chat(c, Chat("telegram", "7"), TOM, LATER)
    assert people.count_linked(c) == 2
    assert [person.id for person in people.persons_to_sweep(c, LATER, LATER, 10)] == [anna.id]
    assert [person.id for person in people.persons_to_sweep(c, LATER + timedelta(1), LATER + timedelta(1), 1)] == [
        anna.id
    ]
    people.mark_checked(c, anna.id, None, LATER)
    assert people.persons_to_sweep(c, LATER, LATER, 10) == []
    people.unlink_chat(c, "telegram:7", LATER)
    assert [person.id for person in people.persons_to_sweep(c, LATER + timedelta(1), LATER + timedelta(1), 9)] == [
        anna.id
    ]
    assert people.count_linked(c) == 1
    assert [person.id for person in people.list_persons(c, 0, 1)] == [anna.id]
    assert [person.id for person in people.list_persons(c, anna.id, 9)] == [tom.id]
