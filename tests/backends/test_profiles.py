"""Profiles: what is packed loads; every mistake of a file is named at once, with key, reason and line; patterns are safe."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends import patterns
from imbot.backends.evidence import KINDS
from imbot.backends.patterns import BadPattern, compile_pattern
from imbot.backends.profiles import load_profile, load_profiles, parse_profile
from imbot.domain.errors import ConfigError
from imbot.domain.tickets import Status

ROOT = Path(__file__).resolve().parents[2] / "templates" / "mail"

WRONG = r"""
name = "mine"
langage = "ru"
registers = "yes"
token_place = "everywhere"

[number]
patterns = ['IM-[0-9]+', '(unclosed', { pattern = '(?P<tag>SD-1)', where = "nowhere" }]
where = ["footer"]
shown = "IM"
subject = ["[{tag}]", "IM"]

[[fingerprint]]
pattern = "x"

[[fingerprint]]
where = "body"

[evidence]
kind = "trust me"

[[status]]
status = "finished"
any = ['done(?!x)']
near = "page"

[[status]]
status = "closed"
where = "header:"
any = ['x']

[[status]]
status = "resolved"
wher = "subject"

[[field]]
name = "promissed"
pattern = 'Срок:'
kind = "datetime"
"""


MOMENT = "[[field]]\nname = 'promised'\npattern = 'x'\nkind = 'datetime'\n"

FAR_DOWN = """# a word in a line or a sentence; IM
name = "mine"
[number]
patterns = ['(IM-[0-9]+)']
subject = [
    "[{number}]",
    "IM",
]
[[status]]
status = "closed"
near = "line"
any = ['word']
[[status]]
status = "resolved"
any = ['done']
near = "word"
"""


def problems(source: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_profile(source, "profile.toml")
    return list(caught.value.problems)


def test_the_packed_profiles_load() -> None:
    profiles = load_profiles([ROOT])
    assert {"inframanager", "generic-ru"} <= set(profiles)
    assert profiles["inframanager"].show_number("1042") == "IM-CL-1042"
    assert profiles["glpi"].show_number("47513") == "#0047513"
    assert {profile.evidence.kind for profile in profiles.values()} <= set(KINDS)
    assert all(profile.evidence.why for profile in profiles.values())
    assert [name for name, profile in profiles.items() if not profile.waits_for_number] == ["osticket"]


def test_every_mistake_is_named_at_once_with_its_key_and_line() -> None:
    found = "\n".join(problems(WRONG))
    for words in (
        "profile.toml:3: langage: unknown key",
        "registers: must be true or false",
        "token_place: is 'everywhere'; must be one of subject, body, both",
        "profile.toml:8: number.patterns: 'IM-[0-9]+' has no group",
        "profile.toml:8: number.patterns: missing ): (unclosed in",
        "number.patterns: '(?P<tag>SD-1)' has no group",
        "number.patterns: where: is 'nowhere'; must be one of subject, body, header:<name of a header>",
        "number.where: is 'footer'",
        "number.shown: must contain {n}",
        "number.subject: must contain {number} or {tag}",
        "fingerprint 2: pattern: is missing",
        "evidence.kind: is 'trust me'",
        "status 1: near: is 'page'; must be one of text, line, sentence",
        "status 2: where: is 'header:'",
        "fingerprint 1: header: is missing",
        "status 1: status: unknown status 'finished'",
        "RE2 has no look-around: use `unless`",
        "status 3: wher: unknown key",
        "status 3: any: is missing",
        "field 1: name: is 'promissed'",
        "field 1: formats: is missing",
    ):
        assert words in found, words


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("name = ", "not TOML"),
        ("number = 3", "number: must be a table"),
        ("evidence = 3", "evidence: must be a table"),
        ("[number]\npatterns = 3", "number.patterns: must be a list of texts, or of tables"),
        ("[[field]]\nname = 'comment'\npattern = 'x'\nstatuses = ['comment']", "unknown status 'comment'; known are"),
        ("status = 3", "status: must be a list of tables"),
        ("separators = 3", "separators: must be a text or a list of texts"),
        ("title = 3", "title: must be a text"),
        ("[[status]]\nstatus = 'resolved'\nany = ['x*']", "matches an empty text"),
        ("[[status]]\nstatus = 'resolved'\nany = [' ']", "the pattern is empty"),
        ("[[status]]\nstatus = 'resolved'\nany = ['" + "x" * 3000 + "']", "longer than 2000"),
        ("[[field]]\nname = 'comment'\npattern = '('", "field 1: pattern"),
        (
            MOMENT + "formats = ['%d.%m.%Y', '%d.%Q']",
            "profile.toml:5: field 1: formats: '%d.%Q' has %Q, which means nothing",
        ),
        (MOMENT + "formats = ['%d.%m.%Y %']", "profile.toml:5: field 1: formats: '%d.%m.%Y %' has %, which"),
        (MOMENT + "formats = ['%H:%M']", "field 1: formats: '%H:%M' does not say day, month and year"),
        (MOMENT + "formats = ['%Y %Y-%m-%d']", "field 1: formats: '%Y %Y-%m-%d' cannot be read"),
        ("title = 'x'\nname = '../../x'", "profile.toml:2: name: '../../x' cannot be the name of a profile: a-z, 0-9"),
        ("name = '.x'", "no dot in front"),
        ("name = 'a\\b'", "cannot be the name"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_a_reason(source: str, words: str) -> None:
    assert words in "\n".join(problems(source))


def test_the_line_of_a_mistake_is_that_of_its_own_key() -> None:
    assert problems(FAR_DOWN) == [
        "profile.toml:7: number.subject: must contain {number} or {tag}",
        "profile.toml:16: status 2: near: is 'word'; must be one of text, line, sentence",
    ]


def test_a_missing_file_is_a_named_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"profile\.toml: cannot be read"):
        load_profile(tmp_path)


def test_a_company_folder_goes_before_the_packed_one(tmp_path: Path) -> None:
    own = tmp_path / "inframanager"
    own.mkdir()
    (own / "profile.toml").write_text('title = "ours"\n', encoding="utf-8")
    profiles = load_profiles([tmp_path, ROOT])
    assert (profiles["inframanager"].title, profiles["inframanager"].name) == ("ours", "inframanager")
    (own / "profile.toml").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown key"):
        load_profiles([tmp_path, ROOT])


def test_comment_and_none_move_nothing_and_none_is_told_to_nobody() -> None:
    source = "".join(f"[[status]]\nstatus = '{name}'\nany = ['x']\n" for name in ("comment", "none", "resolved"))
    found = [(anchor.status, anchor.silent) for anchor in parse_profile(source).anchors]
    assert found == [(None, False), (None, True), (Status.RESOLVED, False)]


# Patterns


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("решен", "Заявка РЕШЁНА", True),
        ("решён", "Заявка решена", True),
        (r"\<решен[аоы]?\>", "Заявка решена.", True),
        (r"\<решен[аоы]?\>", "Решение вопроса", False),
        (r"\<решен[аоы]?\>", "разрешена", False),
        (r"^вторая$", "первая\nвторая\nтретья", True),
        (r"a\\<b", "a\\<b", True),
    ],
)
def test_patterns_know_russian_words(source: str, text: str, expected: bool) -> None:
    assert compile_pattern(source).matches(text) is expected


def test_offsets_hold_in_the_text_as_it_was_given() -> None:
    found = compile_pattern("реш(ен)а").first("Ещё: решёна")
    assert found is not None
    assert (found.text, found.groups, found.spans) == ("решёна", ("ён",), ((8, 10),))


@pytest.mark.parametrize("source", ["(?=x)", "(?<!x)y", r"(a)\1", "(", "a{9999}", "["])
def test_what_re2_cannot_do_is_refused(source: str) -> None:
    with pytest.raises(BadPattern):
        compile_pattern(source)


def test_a_pattern_that_takes_long_for_each_character_is_refused_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long is said here by the test: the better of two tries counts, and small patterns are not tried."""
    took = iter([20.0, 2.0, 3.0, 3.0, 4.0, 4.0, *[50.0] * 6])
    tried: list[int] = []

    def spent(_: object, text: str) -> float:
        tried.append(len(text))
        return next(took) * len(text)

    monkeypatch.setattr(patterns, "_spent", spent)
    assert compile_pattern(".{1,10}x").matches("abx")
    assert tried == []
    assert compile_pattern("(?s).{1,1000}x").matches("abx")
    assert len(tried) == 6
    assert min(tried) > 4000
    (problem,) = problems("title = 'x'\n[[status]]\nstatus = 'resolved'\nany = ['(?s).{1,1000}x']")
    assert "profile.toml:4: status 1: any: the pattern takes 50 microseconds" in problem


def test_no_pattern_runs_away() -> None:
    begun = time.process_time()
    assert not compile_pattern("(a+)+$b").matches("a" * 100_000)
    assert not compile_pattern("(x+x+)+y").matches("x" * 100_000)
    assert time.process_time() - begun < 1


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_pattern_or_is_refused(source: str) -> None:
    with suppress(BadPattern):
        list(compile_pattern(source).finds("Заявка № IM-CL-1042 выполнена"))
