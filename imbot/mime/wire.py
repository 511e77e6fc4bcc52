"""`InboundMail` <-> plain JSON, for the reading child and the store. The data of files travels beside it, as blobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from imbot.domain.letters import InboundMail, MailPart

_TUPLES = ("to", "cc", "delivered_to", "in_reply_to", "references", "original_message_ids", "returned_ids", "problems")


def mail_to_json(mail: InboundMail) -> dict[str, Any]:
    """Plain JSON without the files' data: `[part.data for part in mail.attachments]` are its blobs."""
    table: dict[str, Any] = {item.name: getattr(mail, item.name) for item in fields(mail)}
    table["date"] = mail.date.isoformat() if mail.date else None
    table["headers"] = [list(pair) for pair in mail.headers]
    table["attachments"] = [
        {item.name: getattr(part, item.name) for item in fields(part) if item.name != "data"}
        for part in mail.attachments
    ]
    return table | {name: list(table[name]) for name in _TUPLES}


def mail_from_json(table: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> InboundMail:
    """The inverse. Without blobs the files are descriptions only."""
    values = dict(table)
    parts = [MailPart(**part) for part in values["attachments"]]
    if blobs:
        parts = [replace(part, data=blob) for part, blob in zip(parts, blobs, strict=True)]
    values["attachments"] = tuple(parts)
    values["date"] = datetime.fromisoformat(values["date"]) if values["date"] else None
    values["headers"] = tuple((name, value) for name, value in values["headers"])
    return InboundMail(**(values | {name: tuple(values[name]) for name in _TUPLES}))
