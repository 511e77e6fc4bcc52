"""A start takes along what it uses, and no more."""

from __future__ import annotations

import json
import subprocess
import sys

from imbot.lean import import_without

_SEEN = "import json, sys, imbot.app, imbot.log; print(json.dumps(sorted(sys.modules)))"


def test_the_service_loads_neither_colours_nor_a_command_line_nor_passport() -> None:
    found = subprocess.run([sys.executable, "-c", _SEEN], check=True, capture_output=True, timeout=60).stdout
    loaded = set(json.loads(found))
    assert {"structlog", "telegram", "httpx"} <= loaded
    assert not {"rich", "pygments", "click", "cryptography"} & loaded


def test_what_was_left_out_is_there_for_whoever_asks_later() -> None:
    later = "import imbot.app, rich, click, cryptography; from telegram.error import TelegramError"
    subprocess.run([sys.executable, "-c", later], check=True, timeout=60)


def test_what_is_loaded_already_is_not_hidden() -> None:
    import_without(["telegram"], ["json", "sys"])
    assert sys.modules["json"] is json
