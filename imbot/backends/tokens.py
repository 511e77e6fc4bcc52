"""Our own marks in a letter that came in: `imb:` and ten characters, echoed in subject or text or as a plus-address."""

from __future__ import annotations

import re

from imbot.domain.letters import InboundMail
from imbot.mime.echoes import echoes, forms

_TOKEN = re.compile(
    r"(?i)imb:[ \t]{0,3}(?:\r?\n[> \t]{0,20})?((?:[a-z2-7](?:[ \t]{0,3}\r?\n[> \t]{0,20})?){9}[a-z2-7])(?![a-z0-9])"
)
_MARK = re.compile(r"(?i)imb(:)")
_PLUS = re.compile(r"(?i)^[^+@\s]{1,64}\+(?:imb[-.:]?)?([a-z2-7]{10})@")


def find_tokens(mail: InboundMail) -> tuple[str, ...]:
    """Every token (`imb:` and ten characters) that the letter bears, each once: in the subject, in the text, in the HTML,
    wrapped by a line break or not, and as a plus-address in To, Cc, Delivered-To and their kin."""
    places = [mail.subject, mail.text[:500_000], _without_tags(mail.html[:500_000])]
    found = [re.sub(r"[^a-z2-7]", "", match.lower()) for place in places for match in _TOKEN.findall(place)]
    addresses = (*mail.to, *mail.cc, *mail.delivered_to)
    found += [match.group(1).lower() for address in addresses if (match := _PLUS.match(address))]
    return tuple(dict.fromkeys(f"imb:{token.upper()}" for token in found))


def without_foreign(text: str, own: str) -> str:
    """`text` for a letter of ours in which nothing, in whatever shape it comes back, is a token but `own`: who types the
    token of another's request must not be told of theirs, nor take it over."""
    text = _unmarked(text, own)
    if not any(_unmarked(shape, own) != shape for shape in echoes(text)):
        return text
    for shape in forms(text)[1:]:  # hidden by entities, tags, invisible or wide characters: written openly
        if (open_ := _unmarked(shape, own)) != shape:
            return without_foreign(open_, own)
    return _unmarked(text.replace("<", "‹").replace("&", "& "), own)  # only a page would show it: it shall be none


def _unmarked(text: str, own: str) -> str:
    for found in reversed(list(_MARK.finditer(text))):
        rest = text[found.start() : found.start() + len(own) + 1]
        if not own or rest[: len(own)].casefold() != own.casefold() or rest[len(own) :].isalnum():
            text = text[: found.start(1)] + " " + text[found.end() :]
    return text


def _without_tags(html: str) -> str:
    """Inline tags vanish, so that `7KQ2<wbr>MXPA4T` is whole again."""
    if "imb" not in html.lower():
        return ""
    pieces = html.split("<")
    return pieces[0] + "".join(piece.partition(">")[2] for piece in pieces[1:])
