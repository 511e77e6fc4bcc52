"""What a notice leaves out of a letter: whether that says anything that the person does not know already. Pure.

Our own words on their way back, the heads of quoted letters and rules between them say nothing; a technician's earlier
answer and a signature with a telephone number do.
"""

from __future__ import annotations

import re
from collections import Counter

from imbot.backends.own_words import Sent, our_words, without_ours

WORDS = 2  # of somebody else, in one line: fewer are the remains of a greeting
_QUOTE = re.compile(r"^[>\s|]+")
_HEAD = re.compile(
    r"(?i)^[*\s]*(?:от|кому|копия|тема|дата|отправлено|from|to|cc|bcc|subject|date|sent|reply-to)[*\s]*:"
    r"|(?:пишет|писал|писала|написал|написала|написал\(а\)|wrote|schrieb)\s*:?\s*$"
    r"|(?:original message|исходное сообщение|пересылаемое сообщение|forwarded message)"
    r"|(?:above this line|выше этой (?:строки|линии))"
)
_ADDRESS = re.compile(r"\S+@\S+")
_WORD = re.compile(r"[^\W\d_]{2,}|\d{2,}")


def leaves_out(whole: str, shown: str, sent: Sent, least: int = WORDS) -> bool:
    """Whether `whole` holds words of others that `shown` does not, `least` of them in a line. `sent`: subjects and texts of
    our own letters."""
    there = Counter(_plain(line) for line in shown.split("\n"))
    rest = []
    for line in whole.split("\n"):
        plain = _plain(line)
        if there[plain] > 0:
            there[plain] -= 1
        elif plain and not _HEAD.search(plain):
            rest.append(_ADDRESS.sub(" ", _QUOTE.sub("", line)))
    if not rest:
        return False
    left = without_ours("\n".join(rest), our_words(sent)) if sent else "\n".join(rest)
    return any(len(_WORD.findall(line)) >= least for line in left.split("\n"))


def _plain(line: str) -> str:
    return " ".join(_QUOTE.sub("", line).split())
