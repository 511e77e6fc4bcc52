"""The directories without a server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imbot.directory.file import DomainDirectory, FileDirectory
from imbot.domain.errors import ConfigError, DirectoryUnavailable
from imbot.domain.people import Absence, Entry, Role

EXAMPLE = Path(__file__).parents[2] / "data" / "directory.example.toml"
ANNA = '[[person]]\naddress = "Anna@Example.test"\nname = "Анна"\n'


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


async def test_the_example_knows_anna_tom_and_that_eve_may_not() -> None:
    directory = FileDirectory(EXAMPLE)
    anna = await directory.look_up("ANNA.ivanova@example.test")
    tom = await directory.look_up("tom.larsen@example.test")
    assert isinstance(anna, Entry)
    assert isinstance(tom, Entry)
    assert (anna.name, anna.office) == ("Иванова Анна Сергеевна", "Москва, Тверская, 7, кабинет 214")
    assert tom.role is Role.ADMIN
    assert tom.attributes == {"title": "Системный администратор"}
    assert await directory.look_up("eve.petrova@example.test") is Absence.DISABLED
    assert await directory.look_up("nobody@example.test") is Absence.ABSENT
    assert directory.can_recheck
    assert "2 active persons, 1 disabled" in await directory.check()


@pytest.mark.parametrize("address", ["", "anna", "*@example.test", "anna@example.test, eve@example.test"])
async def test_what_is_no_address_finds_nobody(tmp_path: Path, address: str) -> None:
    assert await FileDirectory(write(tmp_path / "d.toml", ANNA)).look_up(address) is Absence.ABSENT


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "d.toml", ANNA)
    directory = FileDirectory(path)
    assert isinstance(await directory.look_up("anna@example.test"), Entry)
    write(path, ANNA + "disabled = true\n")
    assert await directory.look_up("anna@example.test") is Absence.DISABLED


async def test_a_file_replaced_by_rename_is_read_again_even_with_the_same_size_and_time(tmp_path: Path) -> None:
    path = write(tmp_path / "d.toml", ANNA)
    directory = FileDirectory(path)
    other = write(tmp_path / "new.toml", ANNA.replace("Anna@", "Thom@"))
    stat = path.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    assert await directory.look_up("anna@example.test") is Absence.ABSENT


@pytest.mark.parametrize("text", ["[[person", "[[person]]\naddress = 'nobody'\n", None])
async def test_a_file_that_became_wrong_is_unavailable_not_empty_and_recovers(tmp_path: Path, text: str | None) -> None:
    path = write(tmp_path / "d.toml", ANNA)
    directory = FileDirectory(path)
    if text is None:
        path.unlink()
    else:
        write(path, text)
    for _ in range(2):
        with pytest.raises(DirectoryUnavailable):
            await directory.look_up("anna@example.test")
    write(path, ANNA)
    assert isinstance(await directory.look_up("anna@example.test"), Entry)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    text = """
colour = "red"
[[person]]
address = "anna@example.test"
[[person]]
address = "ANNA@example.test"
[[person]]
address = "nobody"
role = "boss"
nme = "Anna"
phone = 5
disabled = "yes"
attributes = { floor = 3 }
[[person]]
name = "No address"
"""
    with pytest.raises(ConfigError) as raised:
        FileDirectory(write(tmp_path / "d.toml", text))
    said = "\n".join(raised.value.problems)
    for words in (
        "unknown key 'colour'",
        "person 2: anna@example.test is there already",
        "person 3: address 'nobody'",
        "person 3: role 'boss'",
        "person 3: unknown key 'nme'",
        "person 3: phone",
        "person 3: disabled",
        "person 3: attributes",
        "person 4: address ''",
    ):
        assert words in said
    assert len(raised.value.problems) == 9


@pytest.mark.parametrize("text", ["person = 5\n", "person = [5]\n", "[person]\naddress = 'a@b.test'\n", "\udcff"])
def test_a_file_of_another_shape_is_refused_kindly(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError):
        FileDirectory(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        FileDirectory(tmp_path / "none.toml")


async def test_any_mailbox_of_the_domains_is_a_person_and_nobody_else() -> None:
    directory = DomainDirectory(["Example.test", "пример.рф"])
    assert await directory.look_up("Anna@EXAMPLE.test") == Entry("anna@example.test")
    assert isinstance(await directory.look_up("anna@пример.рф"), Entry)
    for stranger in (
        "eve@other.test",
        "eve@sub.example.test",
        "eve@example.test.evil.test",
        "@example.test",
        "example.test",
    ):
        assert await directory.look_up(stranger) is Absence.ABSENT
    assert not directory.can_recheck
    assert "leavers cannot be noticed" in await directory.check()
    await directory.close()


@pytest.mark.parametrize("domains", [[], ["not a domain"], ["@example.test"], [""]])
def test_domains_that_are_none_are_refused(domains: list[str]) -> None:
    with pytest.raises(ConfigError):
        DomainDirectory(domains)
