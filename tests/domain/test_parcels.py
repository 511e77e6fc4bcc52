from __future__ import annotations

from datetime import UTC, datetime, timedelta

from imbot.domain.parcels import GIVE_UP_AGE, LEASE, SEND_LIMIT, Kind, gives_up, next_try

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_waits_grow_and_end_at_half_an_hour() -> None:
    waits = [(next_try(n, NOW) - NOW).total_seconds() for n in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] == 5
    assert waits[-1] == 1800


def test_what_the_far_end_asks_for_is_never_undercut() -> None:
    assert next_try(1, NOW, retry_after=3600) == NOW + timedelta(hours=1)
    assert next_try(9, NOW, retry_after=1) == NOW + timedelta(seconds=1800)


def test_jitter_only_lengthens() -> None:
    assert next_try(3, NOW) < next_try(3, NOW, jitter=0.5) <= NOW + timedelta(seconds=36)


def test_no_try_counts_as_the_first() -> None:
    assert next_try(0, NOW) == next_try(1, NOW)


def test_giving_up_is_by_age_and_every_kind_has_one() -> None:
    assert set(GIVE_UP_AGE) == set(Kind)
    assert not gives_up(Kind.LETTER, NOW - timedelta(days=4), NOW, tries=100)
    assert gives_up(Kind.LETTER, NOW - timedelta(days=6), NOW, tries=100)


def test_what_may_wait_for_days_is_tried_a_few_times_whatever_the_clock_says() -> None:
    assert not gives_up(Kind.RECEIPT, NOW - timedelta(days=2), NOW, tries=4)
    assert gives_up(Kind.RECEIPT, NOW - timedelta(days=2), NOW, tries=5)
    assert gives_up(Kind.DOWNLOAD, NOW - timedelta(days=2), NOW, tries=1)


def test_a_lease_outlives_the_longest_send() -> None:
    assert LEASE > SEND_LIMIT
