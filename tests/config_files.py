"""The smallest settings that are enough, files that bear them, and what is wrong with such a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imbot.config import load
from imbot.domain.errors import ConfigError

SMALL = """
[telegram]
token = "123456789:AAEhBOweik6ad9r_QXMENQ"
[directory]
kind = "domain"
[directory.domain]
domains = ["company.ru"]
[smtp]
host = "mail.company.ru"
[mailbox]
host = "mail.company.ru"
username = "bot@company.ru"
password = "secret"
[itsm]
address = "support@company.ru"
senders = ["support@company.ru", "*@itsm.company.ru"]
bot_address = "bot@company.ru"
[itsm.evidence]
authserv_id = "mail.company.ru"
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_config(text: str = SMALL, **files: str) -> Path:
        for name, body in files.items():
            (tmp_path / name).write_text(body, encoding="utf-8")
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_config


def problems(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return list(caught.value.problems)
