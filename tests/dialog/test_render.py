from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from imbot.dialog.render import BOLD_OFF, BOLD_ON, MAX_UNITS, clean, render, units
from imbot.dialog.screen import Button, Screen, screen_from_json, screen_to_json


class Echo:
    """Templates that repeat the value `text`."""

    def chat(self, lang: str, screen_name: str, values: Mapping[str, Any]) -> str:
        return str(values["text"]) if screen_name == "echo" else f"{BOLD_ON}{values['text']}{BOLD_OFF} after"

    def words(self, lang: str) -> Mapping[str, str]:
        return {"send": "Отправить", "files": "Файлы: {count}", "broken": "{0} {a.b}"}


class Raw(Echo):
    """A template of our own, which may hold marks."""

    def __init__(self, text: str) -> None:
        self.text = text

    def chat(self, lang: str, screen_name: str, values: Mapping[str, Any]) -> str:
        return self.text


def test_bold_leaves_as_offsets_in_utf_16_units() -> None:
    rendered = render(Screen("bold", {"text": "👍 да"}), "ru", Echo())
    assert rendered.text == "👍 да after"
    assert rendered.bold == ((0, 5),)


def test_a_persons_words_cannot_mark_anything() -> None:
    rendered = render(Screen("echo", {"text": f"a {BOLD_ON}b{BOLD_OFF} *c* <b>d</b>"}), "ru", Echo())
    assert rendered.text == "a b *c* <b>d</b>"
    assert rendered.bold == ()


def test_nested_values_are_cleaned_too() -> None:
    values = {"text": [{"name": "a\u202ename.exe"}, ("x\x00",)], "n": 1}
    assert "\u202e" not in render(Screen("echo", values), "ru", Echo()).text


def test_labels_are_cut_cleaned_and_never_empty() -> None:
    row = (
        Button("send", "k:send"),
        Button("files", "k:f", values={"count": 3}),
        Button("files", "k:g"),
        Button("Очень длинное имя категории, которое не помещается", "k:c", literal=True),
        Button("\u202e", "k:e", literal=True),
        Button("unknown_word", "k:u"),
        Button("broken", "k:b"),
        Button("{count}", "k:l", literal=True),
    )
    labels = [button.label for button in render(Screen("echo", {"text": "x"}, (row,)), "ru", Echo()).rows[0]]
    assert labels[:3] == ["Отправить", "Файлы: 3", "Файлы:"]
    assert len(labels[3]) <= 40
    assert labels[3].endswith("…")
    assert labels[4:] == ["…", "unknown_word", "{0} {a.b}", "{count}"]


@given(
    st.text(alphabet=st.sampled_from(["a", "я", "👍", " ", "\n", BOLD_ON, BOLD_OFF]), max_size=60), st.integers(1, 400)
)
def test_a_message_keeps_the_limit_and_its_bold_runs_lie_within(text: str, times: int) -> None:
    rendered = render(Screen("raw"), "ru", Raw(text * times))
    assert units(rendered.text) <= MAX_UNITS
    assert BOLD_ON not in rendered.text
    end = 0
    for offset, length in rendered.bold:
        assert offset >= end
        assert length > 0
        end = offset + length
    assert end <= units(rendered.text)


def test_the_cut_falls_before_a_bold_run_that_does_not_fit() -> None:
    rendered = render(Screen("raw"), "ru", Raw("a" * 4000 + BOLD_ON + "b" * 200 + BOLD_OFF))
    assert rendered.text == "a" * 4000 + "…"
    assert rendered.bold == ()


def test_a_text_of_exactly_the_limit_is_whole() -> None:
    assert render(Screen("raw"), "ru", Raw("a" * MAX_UNITS)).text == "a" * MAX_UNITS
    assert render(Screen("raw"), "ru", Raw("a" * (MAX_UNITS + 1))).text.endswith("a…")


def test_an_empty_text_is_shown_as_something() -> None:
    assert render(Screen("raw"), "ru", Raw(" \n ")).text == "…"


def test_templates_may_be_written_with_empty_lines() -> None:
    assert render(Screen("raw"), "ru", Raw("\n a  \n\n\n\nb \n")).text == "a\n\nb"


def test_line_ends_become_line_feeds() -> None:
    assert clean("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


def test_a_moment_of_showing_replaces_that_of_building() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert render(Screen("echo", {"text": "x", "now": "then"}), "ru", Now(), now=now).text == now.isoformat()


class Now(Echo):
    def chat(self, lang: str, screen_name: str, values: Mapping[str, Any]) -> str:
        return str(values["now"])


def test_a_screen_comes_back_from_json_unchanged() -> None:
    buttons = (Button("a", "k:a", literal=True, values={"n": 1}, url="https://a.b"), Button("b", "k:b"))
    screen = Screen("x", {"a": [1, None, {"b": "c"}]}, (buttons,), silent=True)
    assert screen_from_json(screen_to_json(screen)) == screen
    assert screen.offers("k:a")
    assert not screen.offers("k:c")
