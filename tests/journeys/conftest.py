"""A company for each test; its servers are shared by the whole session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.journeys.callers import Counter, open_counter
from tests.journeys.office import Office, open_office
from tests.servers import Certificates, Dovecot, Slapd


@pytest.fixture
async def office(tmp_path: Path, dovecot: Dovecot, slapd: Slapd, certificates: Certificates) -> AsyncIterator[Office]:
    async with open_office(tmp_path, dovecot, slapd, certificates) as office:
        yield office


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counter(
    tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot, slapd: Slapd, certificates: Certificates
) -> AsyncIterator[Counter]:
    async with open_counter(tmp_path_factory.mktemp("office"), dovecot, slapd, certificates) as counter:
        yield counter
