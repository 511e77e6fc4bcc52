"""Many patterns in one look: it may see too much, never too little."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends.patterns import any_of, compile_pattern
from imbot.backends.profiles import load_profiles
from imbot.config import packed

NUMBERS = (compile_pattern(r"№ ?(?P<n>\d{3,})"), compile_pattern(r"\<(?P<tag>IM-)(?P<n>\d+)\>"), compile_pattern("^x$"))
PROFILES = load_profiles([packed("templates") / "mail"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet="№ IM-12ax", max_size=12), max_size=4))
def test_what_one_of_them_finds_in_one_of_the_texts_is_found_at_once(texts: list[str]) -> None:
    together = any_of(NUMBERS)
    assert together is not None
    if any(pattern.matches(text) for pattern in NUMBERS for text in texts):
        assert together.matches("\n".join(texts))


@pytest.mark.parametrize("source", [r"\Aabc", r"abc\z"])
def test_one_that_asks_for_an_end_of_the_whole_text_cannot_be_joined(source: str) -> None:
    assert any_of((*NUMBERS, compile_pattern(source))) is None


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_the_numbers_of_every_shipped_profile_are_looked_for_at_once(name: str) -> None:
    numbers = tuple(each.pattern for each in PROFILES[name].numbers)
    assert not numbers or any_of(numbers) is not None
