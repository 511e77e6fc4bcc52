from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from imbot.domain import signin
from imbot.domain.signin import Limits, may_ask, may_try, normal_code

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LIMITS = Limits()


def ago(*minutes: int) -> list[datetime]:
    return [NOW - timedelta(minutes=m) for m in minutes]


def test_a_code_has_forty_bits_and_reads_back() -> None:
    codes = {signin.mint_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(normal_code(code) == code for code in codes)


def test_a_link_token_has_more_than_128_bits_and_fits_a_deep_link() -> None:
    token = signin.mint_token()
    assert len(token) == 32
    assert token.isalnum()
    assert token.isascii()


def test_case_spaces_dashes_and_look_alikes_are_forgiven() -> None:
    assert normal_code(" 7kq2-mxpa ") == "7KQ2MXPA"
    assert normal_code("7КQ2МХРА") == "7KQ2MXPA"  # Cyrillic К, М, Х, Р, А
    assert normal_code("«0188 ABCD»") == "OIBBABCD"


def test_what_cannot_be_a_code_is_none() -> None:
    assert normal_code("") is None
    assert normal_code("принтер") is None
    assert normal_code("7KQ2MXPA4") is None
    assert normal_code("7KQ2MXP9") is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_a_code(text: str) -> None:
    code = normal_code(text)
    assert code is None or len(code) == 8


def test_hashes_differ_by_purpose_and_key() -> None:
    one = signin.keyed_hash(b"k", "code", "chat\0X")
    assert signin.same(one, signin.keyed_hash(b"k", "code", "chat\0X"))
    assert not signin.same(one, signin.keyed_hash(b"k", "link", "chat\0X"))
    assert not signin.same(one, signin.keyed_hash(b"other", "code", "chat\0X"))


def test_three_codes_an_hour_and_five_a_day_for_a_chat() -> None:
    assert may_ask(ago(1, 2), [], 0, False, NOW, LIMITS).allowed
    hourly = may_ask(ago(1, 2, 50), [], 0, False, NOW, LIMITS)
    assert not hourly.allowed
    assert hourly.until == NOW + timedelta(minutes=10)
    daily = may_ask(ago(70, 80, 90, 100, 1430), [], 0, True, NOW, LIMITS)
    assert not daily.allowed
    assert daily.until == NOW + timedelta(minutes=10)


def test_an_address_that_others_asked_for_is_closed_to_strangers_but_only_slow_for_its_own_chat() -> None:
    asked = ago(1, 2, 3)
    assert not may_ask([], asked, 0, False, NOW, LIMITS).allowed
    assert may_ask([], asked, 0, True, NOW, LIMITS).allowed
    assert may_ask(ago(20), asked, 0, True, NOW, LIMITS).allowed
    slowed = may_ask(ago(5), asked, 0, True, NOW, LIMITS)
    assert not slowed.allowed
    assert slowed.until == NOW + timedelta(minutes=10)


def test_the_global_budget_of_failures_stops_strangers_only() -> None:
    assert not may_ask([], [], 200, False, NOW, LIMITS).allowed
    assert may_ask([], [], 200, True, NOW, LIMITS).allowed
    assert may_try(199, 9, False, LIMITS)
    assert not may_try(200, 0, False, LIMITS)
    assert may_try(200, 4, True, LIMITS)
    assert not may_try(200, 5, True, LIMITS)


def test_both_windows_full_means_the_later_of_the_two() -> None:
    verdict = may_ask(ago(1, 2, 3, 1430, 1435), [], 0, False, NOW, LIMITS)
    assert verdict.until == NOW + timedelta(minutes=57)
