"""What keeps imbot's memory small: two libraries without what they take along for uses that we have not (13 MiB, and a twelfth of
a start), an allocator that gives back what it has, and no documentation where nobody reads it.

structlog loads rich for tracebacks in colour and greenlet for its kind of threads, httpx (of python-telegram-bot) rich and click
for a command line, and python-telegram-bot cryptography for Telegram Passport. All three go on without where these are not
installed; for the moment of their import they are told so. Whoever needs one of these later imports it as ever.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import sys
from collections.abc import Iterable
from contextlib import suppress
from opcode import opmap
from types import FunctionType

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc; see mallopt(3)
_LARGE = 128 * 1024  # bytes; glibc's own first values, which it raises by itself unless they are set
_LIBRARIES = ("structlog", "telegram")
_LEFT_OUT = ("rich", "pygments", "click", "cryptography", "greenlet")
_WORTH_IT = 80  # characters of a docstring
_FIRST_CONSTANT = [bytes([opmap[name], 0]) for name in ("LOAD_CONST", "RETURN_CONST") if name in opmap]


def import_without(libraries: Iterable[str], left_out: Iterable[str]) -> None:
    """Imports `libraries` while an import of `left_out` fails. One that is loaded already stays as it is. Not for threads:
    another one's import would fail meanwhile."""
    hidden = [name for name in left_out if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # an import of it raises ImportError
    try:
        for name in libraries:
            importlib.import_module(name)
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def keep_memory_together() -> bool:
    """Has glibc serve all threads from two heaps and give back what is free at their ends. Left to itself it makes a heap for
    each thread and keeps ever larger pieces: 5 MiB more in ten minutes of steady work. Before threads are started. False:
    another C library, which has no such habit, or no such switch."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_M_ARENA_MAX, 2), (_M_TRIM_THRESHOLD, _LARGE), (_M_MMAP_THRESHOLD, _LARGE))
    return all(mallopt(name, value) for name, value in wanted)


def documented() -> list[FunctionType | type]:
    """All functions and classes with a docstring worth letting go of, in a heap that is not frozen yet."""
    found: list[FunctionType | type] = []
    for one in gc.get_objects():
        if type(one) is FunctionType:
            doc = one.__doc__
        elif issubclass(type(one), type):
            doc = one.__dict__.get("__doc__")
        else:
            continue
        if isinstance(doc, str) and len(doc) >= _WORTH_IT:
            found.append(one)
    return found


def forget_doc(one: FunctionType | type) -> None:
    """What `python -OO` leaves out, but without compiling anything anew; for a process that shows nobody help. A function keeps
    the words where its code may ask for them as well: they are the first of its constants."""
    if isinstance(one, type):
        with suppress(TypeError, AttributeError):  # one of the interpreter's own
            one.__doc__ = None
        return
    code, doc = one.__code__, one.__doc__
    one.__doc__ = None
    if code.co_consts[:1] == (doc,) and not any(asks in code.co_code for asks in _FIRST_CONSTANT):
        one.__code__ = code.replace(co_consts=(None, *code.co_consts[1:]))


import_without(_LIBRARIES, _LEFT_OUT)
