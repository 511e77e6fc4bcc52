"""Letters of ITSMs and what they mean: `tests/mails/<profile>/<name>.eml` and `.toml`. A new case is two files and no code.

A `.toml` says `status`, `number`, `fields` (all of them), `tokens`, `comment_text`; `sent`: texts of ours that the letter
may repeat; `silent = true`: it is known, and nobody is told; `nothing = true`: the profile finds nothing in it; `confirmed = false`: no source confirms the wording.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.backends.mail import choose, comment_text, find_tokens, numbers, read
from imbot.backends.profiles import load_profiles
from imbot.mime import bytes_to_mail

ROOT = Path(__file__).resolve().parents[2]
PROFILES = load_profiles([ROOT / "templates" / "mail"])
CASES = sorted((ROOT / "tests" / "mails").glob("*/*.eml"))
TZ = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_letter_means_what_is_written_beside_it(path: Path) -> None:
    mail = bytes_to_mail(path.read_bytes())
    expected = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
    profile = PROFILES[path.parent.name]
    sent = expected.get("sent", [])
    report = read(profile, mail, tz=TZ, sent=sent)
    if expected.get("nothing"):
        assert report is None
        return
    assert report is not None
    assert (report.status, report.number) == (expected.get("status"), expected.get("number", ""))
    assert dict(report.fields) == expected.get("fields", {})
    assert report.at == mail.date
    assert report.profile == profile.name
    assert report.silent is expected.get("silent", False)
    assert find_tokens(mail) == tuple(expected.get("tokens", ()))
    assert numbers(profile, mail)[:1] == ((report.number,) if report.number else ())
    if "comment_text" in expected:
        assert comment_text(profile, mail, sent) == expected["comment_text"]


@pytest.mark.parametrize("name", sorted({path.parent.name for path in CASES}))
def test_every_profile_has_its_four_letters(name: str) -> None:
    cases = [path for path in CASES if path.parent.name == name]
    statuses = {tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8")).get("status") for path in cases}
    assert {"registered", "in_progress", "waiting", "resolved"} <= statuses


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_sender_chooses_the_profile_whatever_the_words(path: Path) -> None:
    profiles = [
        replace(profile, senders=("itsm@company.example",) if name == path.parent.name else ("other@company.example",))
        for name, profile in PROFILES.items()
    ]
    chosen, why = choose(profiles, bytes_to_mail(path.read_bytes()))
    assert chosen is not None
    assert chosen.name == path.parent.name
    assert len(why) == len(profiles)
    assert sum("taken" in line for line in why) == 1
