"""Which pictures of a letter are part of its dress (logos, icons, counting pixels) and which say something. Pure.

A screenshot must never be lost, so only what is small and stands inside the text can be dress, and even a logo can be had
the first time. Whether a picture has come before, the store knows:

              first time    again
    picture   passed on     held for "show all"
    icon      passed on     left out
    logo      held          left out
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from imbot.domain.letters import MailPart
from imbot.mime.pictures import picture_size

SMALL = 50_000  # bytes: what is larger is no ornament
NARROW = 100  # pixels: a picture less wide or high than that has no room for a message
PIXEL = 3
_LONGEST = 2_000_000  # characters of the HTML that are looked at

_PIECE, _LONGEST_MARK = 65_536, 200

_CID = re.compile(r"cid:([^\s\"'<>)]{1,300})", re.I)
# Where what is new in a letter ends: quoted letters, signatures and the words before them.
_MARKS = re.compile(
    r"<blockquote|gmail_(?:quote|signature|extra|attr)|moz-(?:cite|signature|forward)|divRplyFwdMsg|yahoo_quoted|OutlookMessageHeader"
    r"|id=[\"']?(?:Signature|appendonsend|mail-editor-reference)|class=[\"'][^\"'>]{0,80}signature"
    r"|-----\s?(?:Original Message|Исходное сообщение)|[>\s](?:От|From):(?:\s|&nbsp;|</)"
    r"|>\s{0,20}--(?:\s|&nbsp;)?\s{0,20}<"
    r"|(?:С уважением|Best regards|Kind regards|With best regards|Sincerely|Отправлено с )",
    re.I,
)


class Place(StrEnum):
    FILE = "file"  # a file like any other
    PICTURE = "picture"  # small and inside the text, with room for a message
    ICON = "icon"  # small, inside the text, too narrow for much of a message
    LOGO = "logo"  # an icon in a signature or a quoted letter
    PIXEL = "pixel"  # a counting pixel


@dataclass(frozen=True, slots=True)
class Dress:
    """What the HTML of a letter says of all its pictures. `first`: where each Content-ID that it names stands first; `end`:
    where what is new in the letter ends, None where nothing says so."""

    first: Mapping[str, int]
    end: int | None


def dress_of(html: str) -> Dress:
    """One look at the HTML, however many pictures there are."""
    html = html[:_LONGEST]
    first: dict[str, int] = {}
    for found in _CID.finditer(html):
        first.setdefault(found[1], found.start())
    return Dress(first, _end_of_new(html) if first else None)


def _end_of_new(html: str) -> int | None:
    """By pieces: one search of megabytes would keep every other thread waiting."""
    for start in range(0, len(html), _PIECE):
        if mark := _MARKS.search(html, start, start + _PIECE + _LONGEST_MARK):
            return mark.start()
    return None


def place_of(part: MailPart, dress: Dress) -> Place:
    """What `part` is in a letter that is dressed so."""
    if part.data is None or part.size >= SMALL:
        return Place.FILE
    names = {part.content_id, quote(part.content_id), quote(part.content_id, safe="@")} - {""}
    places = [dress.first[name] for name in names if name in dress.first]
    if not places and not part.inline:
        return Place.FILE
    size = picture_size(part.data)
    if size is None:
        return Place.FILE
    if min(size) <= PIXEL:
        return Place.PIXEL
    if min(size) > NARROW:
        return Place.PICTURE
    below = bool(places) and dress.end is not None and min(places) > dress.end
    return Place.LOGO if below else Place.ICON
