"""The short way to the shapes of a plain text finds what the long one finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.mime import echoes, tidying
from imbot.mime.tidying import LONGEST, is_plain, readable

PLAIN = "0123456789AbzZАяЁёй№«»— \n.,:;!?()/@%+='\"-"


def the_long_way(text: str) -> tuple[str, ...]:
    forms = echoes._forms_of_any(text)
    return tuple(one for one in dict.fromkeys([*forms, *map(echoes._unmarked, forms)]) if one)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=PLAIN, max_size=80))
def test_a_plain_text_has_the_shapes_that_the_long_way_finds(text: str) -> None:
    assert is_plain(text)
    assert readable(text) == tidying._in_lines(tidying._shown(text))
    assert echoes._forms(text) == echoes._forms_of_any(text)
    assert echoes.echoes(text) == the_long_way(text)


@pytest.mark.parametrize(
    "text", ["а б\n" * 20_000, "x" * LONGEST, "x" * (LONGEST + 1), "\n" * 4_000 + "x", "x\n" * 4_000, "", "\n \n"]
)
def test_long_ones_and_empty_ones_as_well(text: str) -> None:
    assert echoes.echoes(text) == the_long_way(text)


@pytest.mark.parametrize("char", ["<", "&", "*", "_", "[", "{", "\u00a0", "\u200b", "\u0301", "ﬁ", "²", "\t", "\r"])
def test_what_may_hide_or_turn_into_something_goes_the_long_way(char: str) -> None:
    assert not is_plain(f"Заявка {char} 12")
