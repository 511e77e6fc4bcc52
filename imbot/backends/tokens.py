"""Our own marks in a letter that came in: `imb:` and ten characters, echoed in subject or text or as a plus-address."""

from __future__ import annotations

import re

from imbot.domain.letters import InboundMail

_TOKEN = re.compile(
    r"(?i)imb:[ \t]{0,3}(?:\r?\n[> \t]{0,20})?((?:[a-z2-7](?:[ \t]{0,3}\r?\n[> \t]{0,20})?){9}[a-z2-7])(?![a-z0-9])"
)
_PLUS = re.compile(r"(?i)^[^+@\s]{1,64}\+(?:imb[-.:]?)?([a-z2-7]{10})@")


def find_tokens(mail: InboundMail) -> tuple[str, ...]:
    """Every token (`imb:` and ten characters) that the letter bears, each once: in the subject, in the text, in the HTML,
    wrapped by a line break or not, and as a plus-address in To, Cc, Delivered-To and their kin."""
    places = [mail.subject, mail.text[:500_000], _without_tags(mail.html[:500_000])]
    found = [re.sub(r"[^a-z2-7]", "", match.lower()) for place in places for match in _TOKEN.findall(place)]
    addresses = (*mail.to, *mail.cc, *mail.delivered_to)
    found += [match.group(1).lower() for address in addresses if (match := _PLUS.match(address))]
    return tuple(dict.fromkeys(f"imb:{token.upper()}" for token in found))


def _without_tags(html: str) -> str:
    """Inline tags vanish, so that `7KQ2<wbr>MXPA4T` is whole again."""
    if "imb" not in html.lower():
        return ""
    pieces = html.split("<")
    return pieces[0] + "".join(piece.partition(">")[2] for piece in pieces[1:])
