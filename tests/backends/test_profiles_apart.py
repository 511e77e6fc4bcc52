"""Profiles do not steal one another's letters: every letter of `tests/mails` against all profiles at once, none with senders.

A profile that serves a whole language (`generic-...`) is asked last. It may read what the letter's own profile finds nothing in,
and a letter of another such profile: a bare "#4521" says of no language which desk it comes from.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from imbot.backends.mail import choose
from imbot.backends.profiles import Profile, load_profiles
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail

ROOT = Path(__file__).resolve().parents[2]
ALL = load_profiles([ROOT / "templates" / "mail"])
CASES = sorted((ROOT / "tests" / "mails").glob("*/*.eml"))
each_letter = pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def is_generic(profile: Profile) -> bool:
    return profile.name.startswith("generic-")


PROFILES = sorted(ALL.values(), key=lambda profile: (is_generic(profile), profile.name))


def letter(path: Path) -> InboundMail:
    return bytes_to_mail(path.read_bytes())


def says_nothing(path: Path) -> bool:
    return bool(tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8")).get("nothing"))


def by_headers_only(profile: Profile) -> Profile:
    return replace(profile, numbers=(), anchors=())


@each_letter
def test_a_letter_is_read_by_its_own_profile_or_by_none(path: Path) -> None:
    chosen, why = choose(PROFILES, letter(path))
    if chosen is not None and is_generic(chosen) and (says_nothing(path) or is_generic(ALL[path.parent.name])):
        return
    assert chosen is None or chosen.name == path.parent.name, why


@each_letter
def test_no_fingerprint_fits_a_letter_of_another_product(path: Path) -> None:
    mail = letter(path)
    fitting = [profile.name for profile in PROFILES if choose([by_headers_only(profile)], mail)[0] is not None]
    assert fitting in ([], [path.parent.name])


@each_letter
def test_a_letter_that_bears_a_fingerprint_is_known_in_whatever_order_profiles_are_asked(path: Path) -> None:
    mail, own = letter(path), ALL[path.parent.name]
    if choose([by_headers_only(own)], mail)[0] is None:
        return
    for order in (PROFILES, PROFILES[::-1], [*(one for one in PROFILES if one is not own), own]):
        assert choose(order, mail)[0] is own


@pytest.mark.parametrize("name", sorted({path.parent.name for path in CASES}))
def test_the_fingerprints_of_a_product_are_on_its_letters(name: str) -> None:
    if not ALL[name].fingerprints:
        return
    mails = [letter(path) for path in CASES if path.parent.name == name]
    assert any(choose([by_headers_only(ALL[name])], mail)[0] for mail in mails)
