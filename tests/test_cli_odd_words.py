"""What a stranger wrote reaches a terminal as words, never as something that steers it."""

from __future__ import annotations

import pytest

from tests.cli_desk import DONE, FORGED, Answer, Desk

ODD = "\x9b31m\x9d0;PWNED\x9c\u202e\x7f"
NAME = "a\x9b31m\nFake: all is well\u202e.eml"


def plain(answer: Answer) -> str:
    """What was said, which is nothing but lines of printable words."""
    said = answer.text + answer.err
    assert said.strip()
    assert all(line.isprintable() for line in said.split("\n")), said
    assert "\nFake:" not in said
    return said


def test_the_reason_of_a_letter_set_aside_is_plain(desk: Desk) -> None:
    desk.configure(evidence="exchange-internal")
    id = str(desk.came(f"X-MS-Exchange-Organization-AuthAs: {ODD}{'x' * 900}\r\n".encode() + FORGED))
    for command in (
        ("show", id),
        ("show", id, "--json"),
        ("list",),
        ("list", "--json"),
        ("replay", id),
        ("drop", id, "-y"),
    ):
        plain(desk("mail", "quarantine", *command))


@pytest.mark.parametrize(
    "command", [("read",), ("read", "--json"), ("explain",), ("explain", "--json"), ("golden", "add")]
)
@pytest.mark.parametrize("raw", [DONE, b"X: y\n" * 2000, None], ids=["good", "refused", "missing"])
def test_the_name_of_a_file_is_plain(desk: Desk, command: tuple[str, ...], raw: bytes | None) -> None:
    file = desk.file(NAME, raw) if raw is not None else str(desk.folder / NAME)
    plain(desk("mail", *command, file))


def test_what_is_escaped_for_scripts_is_whole(desk: Desk) -> None:
    raw = DONE.replace("Решение".encode(), f"Решение{ODD}🙂".encode())
    answer = desk("mail", "read", "--json", desk.file(NAME, raw))
    assert "🙂" in plain(answer)
    assert answer.rows[0]["file"].endswith(NAME)
    assert ODD in answer.rows[0]["text"]
