"""Patterns that admins write, run by RE2: linear time whatever the pattern and the letter, so nobody can hang the watcher.
A pattern that takes long for each character is refused when it is loaded.

RE2 has no look-around and knows `\\b`, `\\w` and `\\d` for ASCII only: profiles use `unless` and explicit letters, and `\\<`
and `\\>` for the beginning and the end of a word in any language (each takes the character beside the word).
Matching ignores case and takes "ё" for "е", in patterns as in letters.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import re2  # type: ignore[import-untyped]

_ESCAPED = re.compile(r"\\(.)", re.S)
_EDGES = {"<": "(?:^|[^0-9A-Za-zА-Яа-я])", ">": "(?:$|[^0-9A-Za-zА-Яа-я])"}
_GROUP_NAME = re.compile(r"\(\?P?<\w+>")
_CLASS_BEGINS = re.compile(r"\[\^?\]?")
_OF_ONE_LINE = re.compile(r"\(\?[a-zA-Z]*-[a-zA-Z]*m")
MAX_PATTERN = 2000
MAX_FINDS = 1000


class BadPattern(ValueError):
    """The pattern cannot be used. The reason is its text."""


@dataclass(frozen=True, slots=True)
class Found:
    """A match. `groups` are the captured texts (None where a group took no part), `start` and `end` offsets in characters."""

    start: int
    end: int
    text: str
    groups: tuple[str | None, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)  # each is one of a kind: `any_of` hashes dozens of them for a subject
class Pattern:
    """A compiled pattern. `^` and `$` match at lines."""

    source: str
    compiled: Any
    groups: int

    def finds(self, text: str, start: int = 0) -> Iterator[Found]:
        """Every match from `start` on, left to right. The offsets hold in `text` as it was given."""
        folded = _folded(text)
        for match in self.compiled.finditer(folded, start):
            spans = tuple(match.span(index) for index in range(1, self.groups + 1))
            groups = tuple(text[a:b] if a >= 0 else None for a, b in spans)
            yield Found(match.start(), match.end(), text[match.start() : match.end()], groups, spans)

    def first(self, text: str, start: int = 0) -> Found | None:
        return next(self.finds(text, start), None)

    def last(self, text: str) -> Found | None:
        """The last of the first thousand matches."""
        found = deque(islice(self.finds(text), MAX_FINDS), maxlen=1)
        return found[0] if found else None

    def matches(self, text: str) -> bool:
        return self.compiled.search(_folded(text)) is not None

    def group_of(self, name: str) -> int:
        """The index of the group `(?P<name>...)`, 0 where there is none."""
        return int(self.compiled.groupindex.get(name, 0))


def _folded(text: str) -> str:
    """Of the same length, so that offsets hold."""
    return text.replace("ё", "е").replace("Ё", "Е")


def compile_pattern(source: str) -> Pattern:
    """Raises `BadPattern` with the reason in words."""
    if not source.strip():
        raise BadPattern("the pattern is empty")
    if len(source) > MAX_PATTERN:
        raise BadPattern(f"the pattern is longer than {MAX_PATTERN} characters")
    try:
        compiled = re2.compile("(?m)" + _written(source), _options(4 << 20))
    except re2.error as error:
        raise BadPattern(_reason(error)) from None
    if compiled.search("") is not None:
        raise BadPattern("the pattern matches an empty text, so it would match everything")
    if compiled.programsize > _SURELY_QUICK and (cost := _cost(compiled)) > MOST_COST:
        raise BadPattern(
            f"the pattern takes {cost:.0f} microseconds for a character of some texts, more than {MOST_COST}: a part of it "
            "that may be repeated hundreds of times (such as .{1,1000}) makes it so; write * or a small number"
        )
    return Pattern(source, compiled, compiled.groups)


def _written(source: str) -> str:
    """As RE2 reads it."""
    return _folded(_ESCAPED.sub(lambda match: _EDGES.get(match.group(1), match.group()), source))


def _options(memory: int) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = memory
    return options


@lru_cache(maxsize=64)
def any_of(patterns: tuple[Pattern, ...]) -> Pattern | None:
    """One pattern that matches in some lines where any of these matches in one of them: one look in place of a hundred. Its
    groups have no names. None where they cannot be joined (one asks for an end of the whole text, or they are too large
    together)."""
    parts = [_for_joining(_written(each.source)) for each in patterns]
    if not parts or None in parts:
        return None
    source = "|".join(f"(?:{part})" for part in parts)
    try:
        return Pattern(source, re2.compile(f"(?m){source}", _options(32 << 20)), 0)
    except re2.error:
        return None


def _for_joining(source: str) -> str | None:
    """With groups that have no names, for two patterns may name theirs alike. None where it means another thing beside others:
    it asks for an end of the whole text, by itself or by a flag that has `^` and `$` do so, or quotes what follows."""
    parts, at, in_class = [], 0, False
    while at < len(source):
        end = at + 1
        if source[at] == "\\":
            end = at + 2
            if source[at:end] in ("\\A", "\\z", "\\Q", "\\E"):
                return None
        elif in_class:
            named = source.find(":]", at + 2) if source.startswith("[:", at) else -1
            end = named + 2 if named >= 0 else end
            in_class = source[at] != "]"
        elif begins := _CLASS_BEGINS.match(source, at):
            end, in_class = begins.end(), True
        elif _OF_ONE_LINE.match(source, at):
            return None
        elif name := _GROUP_NAME.match(source, at):
            parts.append("(")
            at = name.end()
            continue
        parts.append(source[at:end])
        at = end
    return "".join(parts)


_SURELY_QUICK = 2000  # steps of a program, above which RE2 may run out of the memory for its fast way, and crawl
MOST_COST = (
    8  # microseconds for a character; the slowest of the shipped patterns takes a hundredth of that, a bad one forty
)
_PROBES = ("ы" * 4096, "a" * 4096, "Заявка № IM-CL-1042: done \n" * 152)


def _cost(compiled: Any) -> float:
    """Microseconds of this thread's time for a character of the worst probe; the better of two runs counts, since a machine
    may be busy."""
    return max(min(_spent(compiled, probe) for _ in range(2)) / len(probe) for probe in _PROBES)


def _spent(compiled: Any, text: str) -> float:
    before = time.thread_time()
    for _ in islice(compiled.finditer(text), MAX_FINDS):
        pass
    return (time.thread_time() - before) * 1e6


def _reason(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    words = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
    words = words.replace("(?m)", "", 1)
    hint = " (RE2 has no look-around: use `unless`)" if any(each in words for each in ("(?=", "(?!", "(?<")) else ""
    return f"{words or 'not a pattern'}{hint}"
