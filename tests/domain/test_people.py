from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.domain.people import canonical_address, given_name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (" Ivanova@Company.RU ", "ivanova@company.ru"),
        ("<a.b+c@x-y.org>.", "a.b+c@x-y.org"),
        ("mailto:anna@demo.local", "anna@demo.local"),
        ("ivan@почта.рф", "ivan@xn--80a1acny.xn--p1ai"),
        ("ａｎｎａ@demo.local", "anna@demo.local"),  # full-width letters are the same letters
    ],
)
def test_an_address_has_one_spelling(written: str, meant: str) -> None:
    assert canonical_address(written) == meant


@pytest.mark.parametrize(
    "junk",
    ["", "anna", "@demo.local", "anna@", "anna@local", "*@demo.local", "а@demo.local", "a b@demo.local", "a,b@demo.local",
     "a)(uid=*@demo.local", ".a@demo.local", "a.@demo.local", "a..b@demo.local", "a@" + "b" * 300 + ".ru", "a@\u0301..ru",
     "a@demo.local\nBcc: eve@x.ru"],
)  # fmt: skip
def test_what_is_no_address_is_none(junk: str) -> None:
    assert canonical_address(junk) is None


@given(st.text(max_size=80))
def test_no_text_breaks_it_and_the_answer_is_stable(text: str) -> None:
    once = canonical_address(text)
    assert once is None or canonical_address(once) == once


@pytest.mark.parametrize(
    ("full", "given"),
    [
        ("Иванова Анна Сергеевна", "Анна Сергеевна"),
        ("Иванова Анна", "Анна"),
        ("Ким Чен Ир", "Чен"),
        ("Anna Ivanova", "Anna"),
        ("Anna Maria Ivanova", "Anna"),
        ("Анна", "Анна"),
        ("", ""),
    ],
)
def test_the_name_to_greet_by(full: str, given: str) -> None:
    assert given_name(full) == given


@pytest.mark.parametrize(
    ("full", "given"),
    [
        ("Кузнецов Том Андреевич", ""),
        ("Анна", ""),
        ("Anna Ivanova", "Anna"),
        ("Anna Maria Ivanova", "Anna"),
        ("Kuznetsov Tom Andreevich", "Tom"),
        ("Tom Andreevich Kuznetsov", "Tom"),
        ("", ""),
    ],
)
def test_english_greets_by_a_first_name_that_it_can_read(full: str, given: str) -> None:
    assert given_name(full, "en") == given
