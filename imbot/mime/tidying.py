"""A letter's text as patterns and people want it: no left-over tags, no entities, no invisible characters. Nothing is judged."""

from __future__ import annotations

import re
import unicodedata
from html import unescape

from imbot.mime.marks import few_marks

LONGEST = 64_000  # what is new stands on top; read inside a transaction, so it must not take long
MOST_LINES = 3_000

_TAGS = re.compile(
    r"</?(?:font|div|p|br|span|b|i|u|strong|em|table|tbody|tr|td|th|html|body|head|meta|hr|ul|ol|li|a|center|img|o:p)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.I,
)
_BREAKING = re.compile(r"<(?:/p|/div|br|/tr|/li|hr)\b", re.I)
_END_OF_LINE = re.compile(r"[ \t]*\r?\n")
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")

_PLAIN = re.compile(r"[0-9A-Za-zА-Яа-яЁё№«»— \n.,:;!?()/@%+='\"-]*")


def is_plain(text: str) -> bool:
    """Whether nothing in it is hidden, wide, a mark or a part of a tag: beyond its blanks there is nothing to take away."""
    return len(text) <= LONGEST and _PLAIN.fullmatch(text) is not None


def readable(text: str) -> str:
    """The text as patterns want it: no left-over tags (InfraManager's plain parts are full of them), entities resolved,
    no-break blanks as blanks, at most 64,000 characters in 3,000 lines."""
    if not is_plain(text):
        return _in_lines(_shown(text))
    return _in_lines(text) if "\n" in text else text.rstrip()


def _shown(text: str) -> str:
    text = unicodedata.normalize("NFC", few_marks(text[:LONGEST]))
    if "<" in text:
        text = _TAGS.sub(_break, text)
    if "&" in text:
        text = unescape(text)
    return _INVISIBLE.sub("", text.replace("\u00a0", " ").replace("\u202f", " "))


def _in_lines(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n", MOST_LINES)[:MOST_LINES]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")


def _break(tag: re.Match[str]) -> str:
    """What stands in a tag's place. One that ends a line where the text's own line ends is no second end."""
    return "\n" if _BREAKING.match(tag[0]) and not _END_OF_LINE.match(tag.string, tag.end()) else ""
