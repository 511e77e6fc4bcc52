"""Fixtures for the real servers. Each is started when the first test asks for it, once a session, and ended with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Certificates, Dovecot, Slapd, free_port, make_certificates, open_folder


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
