"""Files that people write, in the editors that they have."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.backends.profiles import load_profile
from imbot.config import packed
from imbot.directory.file import FileDirectory
from imbot.domain.errors import ConfigError
from imbot.domain.written_files import text_of
from imbot.templates import Templates
from imbot.wiring import read_toml


@pytest.mark.parametrize("raw", [b"a\nb", b"\xef\xbb\xbfa\r\nb", b"a\rb"])
def test_a_mark_in_front_and_the_ends_of_lines_are_the_editors(raw: bytes) -> None:
    assert text_of(raw, "x.toml") == "a\nb"


def test_what_is_not_utf8_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError) as refused:
        text_of("a\n\nб".encode("cp1251"), Path("x.toml"))
    assert refused.value.problems == ("x.toml is not UTF-8 (byte 0xE1 at line 3): save it as UTF-8",)


async def test_every_toml_file_of_a_company_may_begin_with_a_mark(tmp_path: Path) -> None:
    def marked(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8-sig")
        return path

    persons = FileDirectory(marked("persons.toml", '[[person]]\naddress = "anna@company.ru"\n'))
    assert "1 active person" in await persons.check()
    assert read_toml(marked("locations.toml", "a = 1\n")) == {"a": 1}
    profile = packed("templates") / "mail" / "glpi" / "profile.toml"
    assert load_profile(marked("glpi/profile.toml", profile.read_text("utf-8")).parent).name == "glpi"
    marked("chat/ru/buttons.toml", 'new = "Новая"\n')
    assert Templates([tmp_path], ZoneInfo("Europe/Moscow")).words("ru") == {"new": "Новая"}
