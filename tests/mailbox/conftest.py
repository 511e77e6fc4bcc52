"""A mailbox of each test's own, and a giver of tokens."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from tests.token_server import TokenServer


@pytest.fixture
def mailbox(request: pytest.FixtureRequest) -> str:
    """A mailbox of this test's own."""
    return f"{abs(hash(request.node.nodeid)):x}@example.test"


@pytest.fixture(scope="module")
def shared_giver() -> Iterator[TokenServer]:
    server = TokenServer().start()
    yield server
    server.stop()


@pytest.fixture
def giver(shared_giver: TokenServer) -> TokenServer:
    """The giver of this module, as new."""
    for one in dataclasses.fields(TokenServer):
        if one.name != "port":
            default = one.default_factory() if callable(one.default_factory) else one.default
            setattr(shared_giver, one.name, default)
    return shared_giver
