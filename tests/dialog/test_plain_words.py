"""What words are right for whoever reads them: English that is English, buttons called what they are called."""

from __future__ import annotations

import re

import pytest

from tests.dialog.admin_screens import admin_screens
from tests.dialog.test_screens import FOLDER, LANGS, TEMPLATES, TOLD, UNASKED, check

FOR_ADMINS = {screen.name for screen in admin_screens("").values()}
PRESS = re.compile(r"(?:[Нн]ажмите|[Pp]ress) [«“]([^»”{]+)[»”]")


def test_no_employee_is_written_a_letter_in_english() -> None:
    """A letter is of paper; what the admins' manual calls one is an e-mail here."""
    for screen in (*TOLD.values(), *UNASKED.values()):
        if screen.name not in FOR_ADMINS:
            text = check(screen, "en").replace("eight letters and digits", "")
            assert not re.search(r"\bletters?\b|\bslip\b", text), text


@pytest.mark.parametrize("lang", LANGS)
def test_who_is_to_press_something_finds_a_button_of_that_name(lang: str) -> None:
    labels = set(TEMPLATES.words(lang).values())
    named = {name for path in (FOLDER / "chat" / lang).glob("*.j2") for name in PRESS.findall(path.read_text("utf-8"))}
    assert len(named) >= 4
    assert named <= labels
