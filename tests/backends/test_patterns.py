"""Many patterns in one look: it may see too much, never too little."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends.patterns import BadPattern, any_of, compile_pattern
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


@pytest.mark.parametrize("source", [r"\Aabc", r"abc\z", "(?-m)^abc", "(?i-sm:^abc)", r"\Qabc", r"a\Qb\Ec"])
def test_one_that_means_another_thing_beside_others_cannot_be_joined(source: str) -> None:
    assert any_of((*NUMBERS, compile_pattern(source))) is None


PIECES = [
    "[", "]", "[^", "(?P<n>", "(?<n>", "(", ")", "\\", "\\[", "\\]", "\\(", "[:alpha:]", "[(?<n>#]", "^", "$", "a", "1",
    "|", "?", "+", "(?-m)", "(?-i:", "(?s)", "(?i-m:", "\\Q", "\\E", "\\A", "\\z", "\\<", "\\>", "\\d", ":]", "#", ">",
]  # fmt: skip
TEXTS = st.text(alphabet="a1A#>[]()?\\:n< ", max_size=8)


@settings(max_examples=2000, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join), min_size=1, max_size=3), st.data()
)
def test_any_patterns_that_are_joined_find_what_each_of_them_finds(sources: list[str], data: st.DataObject) -> None:
    patterns = []
    for source in sources:
        with suppress(BadPattern):
            patterns.append(compile_pattern(source))
    together = any_of(tuple(patterns))
    if together is not None:
        texts = data.draw(st.lists(TEXTS, min_size=1, max_size=4))
        if any(pattern.matches(text) for pattern in patterns for text in texts):
            assert together.matches("\n".join(texts)), ([each.source for each in patterns], texts)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_the_numbers_of_every_shipped_profile_are_looked_for_at_once(name: str) -> None:
    numbers = tuple(each.pattern for each in PROFILES[name].numbers)
    assert not numbers or any_of(numbers) is not None
