"""Letters of ITSMs and what they mean: `tests/mails/<profile>/<name>.eml` and `.toml`. A new case is two files and no code;
what a `.toml` may say is told in `tests.mails_table`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from imbot.backends.mail import choose
from imbot.domain.tickets import Status
from imbot.mime import bytes_to_mail
from tests.mails_table import Case, cases, main, meaning, wanted

CASES = cases()
PROFILES = {case.profile.name: case.profile for case in CASES}
FOUR = {Status.REGISTERED, Status.IN_PROGRESS, Status.WAITING, Status.RESOLVED}
# They speak both languages, or a company writes their letters itself. The others come in the language of their profile.
BOTH = {
    "freshdesk", "glpi", "itop", "jira-sm", "redmine", "rt", "servicedesk-plus", "simpleone", "zammad", "znuny",
}  # fmt: skip
each_letter = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_letter
def test_a_letter_means_what_is_written_beside_it(case: Case) -> None:
    assert meaning(case) == wanted(case)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_profile_has_its_four_letters_in_every_language_that_it_speaks(name: str) -> None:
    for language in ("ru", "en") if name in BOTH else (PROFILES[name].language,):
        found = [case for case in CASES if case.profile.name == name and case.language == language]
        assert {case.expected.get("status") for case in found} >= FOUR, language


def test_a_status_without_a_number_is_among_the_letters() -> None:
    assert [case for case in CASES if case.expected.get("status") and not case.expected.get("number")]


@each_letter
def test_the_sender_chooses_the_profile_whatever_the_words(case: Case) -> None:
    profiles = [
        replace(one, senders=("itsm@company.example",) if name == case.profile.name else ("other@company.example",))
        for name, one in PROFILES.items()
    ]
    chosen, why = choose(profiles, bytes_to_mail(case.path.read_bytes()))
    assert chosen is not None
    assert chosen.name == case.profile.name
    assert len(why) == len(profiles)
    assert sum("taken" in line for line in why) == 1


def test_the_table_has_a_line_for_each_letter_and_names_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CASES) + 2
    assert all(line.endswith("ok") for line in lines[1:-1])
    wrong = replace(CASES[0], expected=CASES[0].expected | {"number": "no such number"})
    monkeypatch.setattr("tests.mails_table.cases", lambda: [wrong])
    assert main() == 1
    assert "WRONG" in capsys.readouterr().out
