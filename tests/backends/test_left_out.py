from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.backends.left_out import leaves_out

OURS = ["Принтер: мигает [imb:7KQ2MXPA4T]", "Описание:\nПринтер мигает красным и не печатает\n\nКто: Иванова Анна"]
SHOWN = "Картридж заменили."


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "> Принтер мигает красным и не печатает",
        "23.11.2026 12:00, imbot пишет:\n> Описание:\n> Принтер мигает красным и не печатает\n> Кто: Иванова Анна",
        "-----Original Message-----\nFrom: bot@demo.local\nSent: Monday\nTo: itsm@demo.local\n\nПринтер мигает красным",
        "> >\n> --\n> bot@demo.local",
    ],
)
def test_our_own_words_and_the_heads_of_letters_are_nothing_new(rest: str) -> None:
    assert not leaves_out(f"{SHOWN}\n{rest}", SHOWN, OURS)


@pytest.mark.parametrize(
    "rest",
    [
        "> Картридж заказали, привезут в среду",
        "--\nКузнецов Том\nслужба поддержки, тел. 12-34",
        "> Принтер мигает красным и не печатает\nИ ещё проверьте бумагу",
    ],
)
def test_what_somebody_else_wrote_is(rest: str) -> None:
    assert leaves_out(f"{SHOWN}\n{rest}", SHOWN, OURS)


def test_a_line_that_stands_twice_and_is_shown_once_is_left_out_once() -> None:
    assert leaves_out("Проверьте ещё раз.\nПроверьте ещё раз.", "Проверьте ещё раз.", [])


@given(st.text(max_size=500), st.text(max_size=100))
def test_the_whole_leaves_nothing_out_and_nothing_raises(text: str, other: str) -> None:
    assert not leaves_out(text, text, [other])
    leaves_out(text, other, [other])
