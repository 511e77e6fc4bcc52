"""A mailbox of each test's own."""

from __future__ import annotations

import pytest


@pytest.fixture
def mailbox(request: pytest.FixtureRequest) -> str:
    """A mailbox of this test's own."""
    return f"{abs(hash(request.node.nodeid)):x}@example.test"
