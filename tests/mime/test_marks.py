"""Runs of combining marks: none is longer than thirty in anything that is read from a letter."""

from __future__ import annotations

import unicodedata
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.mime import bytes_to_mail
from imbot.mime.marks import MOST, few_marks
from imbot.mime.names import clean_file_name
from imbot.mime.tidying import readable

BOMB = "a" + "\u0301\u0323" * 4000


def longest_run(text: str) -> int:
    """Of marks, in the form that normalising has to bring into order. Costs nothing where runs are short."""
    longest = run = 0
    for char in text:
        for part in unicodedata.normalize("NFKD", char):
            run = run + 1 if unicodedata.combining(part) else 0
            longest = max(longest, run)
    return longest


# One that falls apart into several is one of them still: three at most.
@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0344", "\u0f73", "\uff9e", "\U0001d165\u0301"])
def test_a_run_of_marks_is_cut_whatever_they_are(marks: str) -> None:
    assert longest_run(few_marks("a" + marks * 900 + "b")) <= 3 * MOST
    assert few_marks("a" + marks * 900 + "b").endswith("b")


@given(st.text(alphabet="aй\u0301\u0323 \u0e38ё", max_size=200))
def test_text_of_people_stays_as_it_is(text: str) -> None:
    if longest_run(text) <= MOST:
        assert few_marks(text) == text
    assert few_marks(few_marks(text)) == few_marks(text)


def word(charset: str, marks: str) -> str:
    return f"=?{charset}?B?{b64encode(marks.encode()).decode()}?="


def test_nothing_in_a_letter_has_a_long_run() -> None:
    pieces = " ".join(word(charset, "\u0301\u0323" * 9) for _ in range(20) for charset in ("utf-8", "utf8"))
    html = "<p>a" + "&#769;&#803;" * 900 + "</p>"
    raw = (
        f"From: {BOMB[:9000]} <a@b.example>\nSubject: {pieces}\nX-Odd: {BOMB}\n"
        "Content-Type: multipart/mixed; boundary=b\n\n"
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{BOMB}\n"
        f"--b\nContent-Type: text/html; charset=utf-8\n\n{html}{BOMB}\n"
        f"--b\nContent-Type: image/png; name*=utf-8''a{'%CC%81%CC%A3' * 900}.png\n\nx\n--b--\n"
    )
    mail = bytes_to_mail(raw.encode())
    assert "\u0301" in mail.subject
    (part,) = mail.attachments
    read = (mail.subject, mail.sender_name, mail.text, mail.html, part.name, *dict(mail.headers).values())
    assert max(map(longest_run, read)) <= MOST


def test_what_patterns_and_disks_are_given_was_shortened_before_it_was_normalised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    normalize, seen = unicodedata.normalize, list[str]()

    def watched(form: str, text: str) -> str:
        seen.append(text)
        return normalize(form, text)  # type: ignore[arg-type]

    few_marks(BOMB)  # what is made once is there
    monkeypatch.setattr(unicodedata, "normalize", watched)
    readable(BOMB)
    clean_file_name(BOMB)
    monkeypatch.undo()
    assert len(seen) == 2
    assert max(map(longest_run, seen)) <= MOST
