"""A company for each test; its servers are shared by the whole session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journeys.office import Office, open_office
from tests.servers import Certificates, Dovecot, Slapd


@pytest.fixture
async def office(tmp_path: Path, dovecot: Dovecot, slapd: Slapd, certificates: Certificates) -> AsyncIterator[Office]:
    async with open_office(tmp_path, dovecot, slapd, certificates) as office:
        yield office
