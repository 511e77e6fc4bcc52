from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.dialog.session import STATES, Session, session_from_json, session_to_json

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(STATES)), st.dictionaries(st.text(), plain, max_size=4), st.text(max_size=4))
def test_a_session_comes_back_from_json_unchanged(state: str, data: dict[str, Any], token: str) -> None:
    session = Session(state, data, token)
    assert session_from_json(session_to_json(session)) == session


def test_no_session_is_one_at_rest() -> None:
    assert session_from_json(None) == Session()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"state": "of the future", "data": {"draft": 1}, "token": "k", "version": 9},
        {"state": 4, "data": [], "token": 5},
    ],
)
def test_what_another_version_left_becomes_a_session_at_rest_that_keeps_the_data(data: dict[str, Any]) -> None:
    session = session_from_json(data)
    assert session.state == "rest"
    assert session.data == (data["data"] if data.get("data") else {})


def test_none_takes_a_key_out() -> None:
    assert Session(data={"a": 1, "b": 2}).put(a=None, c=3).data == {"b": 2, "c": 3}
