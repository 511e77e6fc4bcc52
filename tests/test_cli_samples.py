from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot import cli_samples
from imbot.config import packed
from imbot.templates import Templates

ZONE = ZoneInfo("Europe/Moscow")
OURS = Templates([packed("templates")], ZONE)


@pytest.mark.parametrize("name", sorted(set(cli_samples.all_names(OURS))))
def test_every_template_of_ours_can_be_rendered_with_the_samples(name: str) -> None:
    assert cli_samples.render(OURS, name).strip()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("chat/ru/menu.j2", "Привет, {{ nmae }}", "'nmae' is undefined"),
        ("mail/common/ru/code.txt.j2", "{{ code.letters.first }}", "has no attribute"),
        ("mail/inframanager/ticket.txt.j2", "{{ descripton }}", "'descripton' is undefined"),
        ("chat/ru/_words.j2", "{% macro b(text) %}{{ text }}{% endmacro %}", "chat/ru/"),
    ],
)
def test_an_own_template_that_asks_for_what_it_will_not_get_is_named(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    found = cli_samples.problems(Templates([tmp_path, packed("templates")], ZONE), tmp_path)
    assert found
    assert reason in found[0]


def test_an_own_template_that_is_right_has_no_problem_and_may_use_any_attribute(tmp_path: Path) -> None:
    path = tmp_path / "mail/inframanager/ticket.txt.j2"
    path.parent.mkdir(parents=True)
    path.write_text("{{ description }} {{ person.attributes.costCenter }} {{ token }}", "utf-8")
    assert cli_samples.problems(Templates([tmp_path, packed("templates")], ZONE), tmp_path) == []
