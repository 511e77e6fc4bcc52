"""A start takes along what it uses, and no more."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from typing import Any

import pytest

from imbot.lean import documented, forget_doc, import_without, keep_memory_together

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


def test_the_allocator_is_bounded_where_it_is_glibcs() -> None:
    assert keep_memory_together() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_two_heaps_serve_every_thread() -> None:
    """Each heap beyond the first begins with a mapping of its own."""
    program = (
        "import re, threading\n"
        "from imbot.lean import keep_memory_together\n"
        "assert keep_memory_together()\n"
        "done = threading.Barrier(9)\n"
        "def work():\n"
        "    kept = [bytes(1000 + n) for n in range(2000)]\n"
        "    done.wait(); done.wait()\n"
        "threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "[each.start() for each in threads]; done.wait()\n"
        "maps = open('/proc/self/smaps').read()\n"
        "heaps = re.findall(r'^([0-9a-f]+)-[0-9a-f]+ rw-p 00000000 00:00 0 *$', maps, re.M)\n"
        "print(sum(int(start, 16) % (64 * 2**20) == 0 for start in heaps))\n"
        "done.wait()\n"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60).stdout
    assert int(found) <= 1


_WORDS = "what this is for, told at a length that is worth letting go of: " + "so much of it " * 3
_SOURCE = f"""
def plain(n):
    \"\"\"{_WORDS}\"\"\"
    return [n, "other"]

def asking():
    \"\"\"{_WORDS}\"\"\"
    return "{_WORDS}"

class Told:
    \"\"\"{_WORDS}\"\"\"
"""


def test_documentation_is_let_go_of_and_nothing_else() -> None:
    made: dict[str, Any] = {}
    exec(_SOURCE, made)  # so that the words are constants of the code, as in a module
    plain, asking, told = made["plain"], made["asking"], made["Told"]
    found = documented()
    assert all(any(one is each for each in found) for one in (plain, asking, told))
    for one in (plain, asking, told, int):
        forget_doc(one)
    assert [one.__doc__ for one in (plain, asking, told)] == [None] * 3
    assert _WORDS not in plain.__code__.co_consts
    assert (plain(3), asking()) == ([3, "other"], _WORDS)  # the second one's code asks for the same words
    assert int.__doc__
