"""The loop that everything waits in: uvloop, which does in C what asyncio's own does in Python.

https://uvloop.readthedocs.io. Its transports are none of asyncio's classes, though they do all that these promise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

new = uvloop.new_event_loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, in a loop of that kind."""
    with asyncio.Runner(loop_factory=new) as runner:
        return runner.run(work)
