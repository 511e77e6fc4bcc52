"""Fixtures for the real servers. Each is started when the first test asks for it, once a session, and ended with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from imbot import event_loop
from tests.cli_desk import desk as desk
from tests.company import company as company  # for the tests of all commands
from tests.company import empty as empty
from tests.company import imbot as imbot
from tests.config_files import write as write
from tests.servers import Certificates, Dovecot, Slapd, free_port, make_certificates, open_folder

# What commands print is not wrapped unless a test asks for a width: pytest-xdist tells its workers one.
os.environ.pop("COLUMNS", None)

# imbot is compiled once, as an installation is, and not at each of its many starts.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same examples at each run, so that a change is judged by itself alone; `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# What these files prepare for all of their tests is dear: one worker runs each of them. Any other test goes where there is room.
TOGETHER = (
    "tests/test_corpus.py",
    "tests/test_cli_doctor.py",
    "tests/test_packaging.py",
    "tests/journeys/test_bad_input.py",
    "tests/journeys/test_bad_sign_in.py",
)


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Tests one by one, but those of a file in `TOGETHER` on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run in the loop that imbot runs in."""
    return {"uvloop": event_loop.new}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


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
