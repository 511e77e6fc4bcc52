"""Fixtures for the real servers. Each is started when the first test asks for it, once a session, and ended with it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.company import company as company  # for the tests of all commands
from tests.company import empty as empty
from tests.company import imbot as imbot
from tests.servers import Certificates, Dovecot, Slapd, free_port, make_certificates, open_folder

# The same examples at each run, so that a change is judged by itself alone; `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def certificates() -> Iterator[Certificates]:
    with open_folder("imbot-certificates-") as folder:
        yield make_certificates(folder)


@pytest.fixture(scope="session")
def slapd(certificates: Certificates) -> Iterator[Slapd]:
    with open_folder("imbot-slapd-") as folder:
        server = Slapd(folder, certificates)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture(scope="session")
def dovecot(certificates: Certificates) -> Iterator[Dovecot]:
    with open_folder("imbot-dovecot-") as folder:
        server = Dovecot(folder, certificates)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture
def unused_port() -> int:
    """A port where nobody listens."""
    return free_port()
