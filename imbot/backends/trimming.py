"""What is new in a letter: quoted text, signatures and our own echoed words told apart from what somebody just wrote.

Nothing is thrown away: the whole text stays in the mail; this is for interpretation and display only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from imbot.backends.patterns import Pattern, compile_pattern

LONGEST = 64_000  # what is new stands on top; read inside a transaction, so it must not take long
MIN_RUN_WORDS = 3
MAX_SENT_WORDS = 20_000

_SEPARATORS = tuple(
    compile_pattern(source)
    for source in (
        r"^[ \t>]*-{2,}[ \t]*(Исходное сообщение|Original Message|Пересылаемое сообщение|Пересланное сообщение"
        r"|Forwarded message|Original Appointment|Конец пересылаемого сообщения)[ \t]*-*",
        r"^[ \t>]*(От|From):[ \t].{1,200}\n[ \t>]*(Отправлено|Sent|Дата|Date|Кому|To):[ \t]",
        r"^[ \t]*_{20,}[ \t]*$",
        r"^[ \t>]*(On|Le|Am)[ \t].{6,200}(wrote|schrieb|a écrit)[ \t]?:[ \t]*$",
        r"^[ \t>]*[^\n]{0,40}[0-9]{1,2}[./ ][0-9а-я]{1,9}[./ ][0-9]{2,4}[^\n]{0,160}"
        r"(пишет|писал|писала|написал|написала|написал\(а\)|писал\(а\)|wrote)[ \t]?:[ \t]*$",
        r"^[ \t>]*[^\n]{3,120}[<«][^\s<>]{1,100}@[^\s<>]{1,100}[>»],?[ \t]*"
        r"([0-9][^\n]{1,60})?(пишет|писал|писала|написал|написала|wrote)?[ \t]?:[ \t]*$",
        r"^[ \t>]*(=-=-=-=|--)[ \t]*[^\n]{0,60}(above this line|выше этой (строки|линии))[^\n]{0,30}$",
        r"^[ \t>]*[^\n]{0,40}(reply above this line|пишите выше этой (строки|линии)|ответ выше этой (строки|линии))[^\n]{0,40}$",
        r"^[ \t>]*(Отправлено с|Отправлено из|Sent from my|Sent from Mail)[ \t][^\n]{1,60}$",
    )
)
_SIGNATURE = compile_pattern(r"^--[ \t]?$")
_TAGS = re.compile(
    r"</?(?:font|div|p|br|span|b|i|u|strong|em|table|tbody|tr|td|th|html|body|head|meta|hr|ul|ol|li|a|center|img|o:p)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.I,
)
_BREAKING = re.compile(r"<(?:/p|/div|br|/tr|/li|hr)\b", re.I)
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def readable(text: str) -> str:
    """The text as patterns want it: no left-over tags (InfraManager's plain parts are full of them), entities resolved,
    no-break blanks as blanks, at most 64,000 characters."""
    text = unicodedata.normalize("NFC", text[:LONGEST])
    if "<" in text:
        text = _TAGS.sub(lambda match: "\n" if _BREAKING.match(match.group()) else "", text)
    if "&" in text:
        text = unescape(text)
    text = _INVISIBLE.sub("", text.replace("\u00a0", " ").replace("\u202f", " "))
    lines = (line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def unquoted(text: str, separators: Sequence[Pattern] = (), *, signature: bool = False) -> str:
    """What stands above the first quoted letter, without lines that quote by `>`. A mark that stands on top ("reply above
    this line" in a letter that comes from the desk) hides nothing. With `signature`, what follows `-- ` goes too.
    Inline answers stay. Linear, whatever the marks."""
    for pattern in (*separators, *_SEPARATORS):
        text = _above(text, pattern)
    if signature:
        found_signature = _SIGNATURE.first(text)
        if found_signature is not None and _has_words(text[: found_signature.start]):
            text = text[: found_signature.start]
    kept = [line for line in text.split("\n") if not line.lstrip().startswith(">")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _above(text: str, pattern: Pattern) -> str:
    """What stands above the first mark that has words above it; marks before it are blanked out. Each stretch between two
    marks is looked at once: a letter of nothing but marks must not cost its square."""
    pieces: list[str] = []
    position = 0
    for found in pattern.finds(text):
        pieces.append(text[position : found.start])
        if _has_words(pieces[-1]):
            return "".join(pieces)
        pieces.append(" " * (found.end - found.start))
        position = found.end
    return "".join(pieces) + text[position:] if pieces else text


def _has_words(text: str) -> bool:
    return any(_WORD.search(line) for line in text.split("\n") if not line.lstrip().startswith(">"))


@dataclass(frozen=True, slots=True)
class Ours:
    """What our own letters said: runs of three words, and whole lines."""

    runs: frozenset[tuple[str, ...]] = frozenset()
    lines: frozenset[str] = frozenset()


def without_ours(text: str, ours: Ours) -> str:
    """`text` with every stretch that we sent blanked out, offsets kept: runs of three words and more that stand in one of
    our letters in this order, and whole lines of them however short. An employee's own words must never act as a status.
    Words with a figure in them (the ticket's number, which our letters repeat) stay: alone they mean nothing."""
    if not text or not (ours.runs or ours.lines):
        return text
    found = list(_WORD.finditer(text))
    words = [match.group().casefold() for match in found]
    known: set[int] = set()
    for index, run in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if run in ours.runs:
            known.update(range(index, index + MIN_RUN_WORDS))
    out = list(text)
    for index in known:
        if not any(char.isdigit() for char in words[index]):
            start, end = found[index].span()
            out[start:end] = " " * (end - start)
    position = 0
    for line in text.split("\n"):
        if _folded(line) in ours.lines:
            out[position : position + len(line)] = " " * len(line)
        position += len(line) + 1
    return "".join(out)


def our_words(sent: Sequence[str]) -> Ours:
    """Of the subjects and texts of our letters, to be looked up in an answer."""
    runs: set[tuple[str, ...]] = set()
    lines: set[str] = set()
    for text in sent:
        cleaned = readable(text)
        words = [word.casefold() for word in _WORD.findall(cleaned)[:MAX_SENT_WORDS]]
        runs.update(tuple(words[index : index + MIN_RUN_WORDS]) for index in range(len(words) - MIN_RUN_WORDS + 1))
        lines.update(folded for line in cleaned.split("\n")[:5000] if (folded := _folded(line)))
    return Ours(frozenset(runs), frozenset(lines))


def _folded(line: str) -> str:
    return " ".join(word.casefold() for word in _WORD.findall(line))
