"""Whether two letters say the same, whatever way they took. Pure.

A server that does not hear our server's 250 delivers its letter again: the Message-ID, what it says and its files are the
same, and only the traces of the way (Received, Return-Path, what filters note) are others.
"""

from __future__ import annotations

import hashlib

import orjson

from imbot.backends.understanding import Words
from imbot.domain.letters import InboundMail


def content_of(mail: InboundMail, words: Words) -> str:
    """A hash of all that a letter says, of the headers that its profile reads among it; "" where it has no Message-ID, so that
    nothing says that a second one is the same. It proves nothing by itself: anybody can repeat a letter."""
    if not mail.message_id:
        return ""
    files = [(part.name, part.content_type, part.size, part.sha256) for part in mail.attachments]
    named = (mail.message_id, mail.sender, mail.subject, mail.date.isoformat() if mail.date else "")
    whole = (named, mail.in_reply_to, mail.references, mail.text, mail.html, files, sorted(words.headers.items()))
    return hashlib.sha256(orjson.dumps(whole)).hexdigest()
