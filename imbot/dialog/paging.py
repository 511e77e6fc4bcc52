"""A long text in pieces that a message holds each, cut where a line or a word ends."""

from __future__ import annotations

from imbot.dialog.render import units as units

PAGE = 3500  # UTF-16 units of text on a page: with its heading well below what a message holds


def pages_of(text: str, most: int = PAGE) -> list[str]:
    """In order, none empty, each at most `most` UTF-16 units; together they are the text but for blanks at the cuts."""
    pages = []
    rest = text.strip()
    while rest:
        cut = _cut(rest, most)
        pages.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip("\n ")
    return pages


def _cut(text: str, most: int) -> int:
    """How many characters go on this page."""
    index = used = 0
    while index < len(text) and used + units(text[index]) <= most:
        used += units(text[index])
        index += 1
    if index == len(text):
        return index
    for end in ("\n", " "):
        place = text.rfind(end, index // 2, index + 1)
        if place > 0:
            return place
    return max(index, 1)
