"""What the page's API says of chats, letters and the state of things: plain JSON from our objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from imbot.demo.cast import BOT_ADDRESS, BOT_USERNAME, ITSM_ADDRESS, MAILBOXES, PLAYERS, TIMEZONE
from imbot.demo.itsm import Call
from imbot.domain.letters import InboundMail


def message_json(chat: int, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of the chat. `buttons` is flat; `row` says where each stands. File addresses point at this API."""
    buttons = [
        {"label": button["label"], "value": button["value"], "url": button["url"], "row": number}
        for number, row in enumerate(message["buttons"])
        for button in row
    ]
    files = [
        {
            "id": file["id"],
            "name": file["name"],
            "size": file["size"],
            "kind": file["kind"],
            "content_type": file["content_type"],
            "url": f"/api/chats/{chat}/files/{file['id']}",
        }
        for file in message["files"]
    ]
    return {**message, "buttons": buttons, "files": files}


def letter_json(
    mailbox: str, letter_id: int, at: datetime, size: int, mail: InboundMail | str | None, call: Call | None
) -> dict[str, Any]:
    """A letter of a mailbox. `headers`: name -> value (repeated ones joined by a line break, top first). A letter that
    could not be read bears its reason in `problem`. `call`: what the ITSM filed it under, else null."""
    base = f"/api/mailboxes/{mailbox}/letters/{letter_id}"
    shown = {
        "id": letter_id,
        "mailbox": mailbox,
        "at": at.isoformat(),
        "size": size,
        "raw_url": f"{base}/raw",
        "call": call and {"number": call.number, "status": call.status, "first": call.letters[0] == letter_id},
        "problem": mail if isinstance(mail, str) else "",
    }
    if not isinstance(mail, InboundMail):
        empty: dict[str, Any] = {
            "message_id": "",
            "subject": "",
            "from": "",
            "from_name": "",
            "to": [],
            "date": None,
            "text": "",
        }
        return {**shown, **empty, "headers": {}, "attachments": []}
    return {
        **shown,
        "message_id": mail.message_id,
        "subject": mail.subject,
        "from": mail.sender,
        "from_name": mail.sender_name,
        "to": list(mail.to),
        "date": mail.date.isoformat() if mail.date else None,
        "headers": headers_json(mail.headers),
        "text": mail.text,
        "attachments": [
            {
                "name": part.name,
                "content_type": part.content_type,
                "size": part.size,
                "sha256": part.sha256,
                "url": f"{base}/attachments/{number}",
            }
            for number, part in enumerate(mail.attachments)
        ],
    }


def headers_json(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Header fields by the name as first written; a name's further values follow on lines of their own."""
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in headers:
        shown = names.setdefault(name.lower(), name)
        values[shown] = f"{values[shown]}\n{value}" if shown in values else value
    return values


def state_json(known: Mapping[str, Any], version: int) -> dict[str, Any]:
    """The whole of GET /api/state. `known`: what imbot's own data base says."""
    persons = [
        {
            "chat": player.chat,
            "name": player.name,
            "first_name": player.first_name,
            "address": player.address,
            "employee": player.employee,
            "admin": player.role == "admin",
        }
        for player in PLAYERS
    ]
    return {
        "persons": persons,
        "itsm": ITSM_ADDRESS,
        "bot": BOT_ADDRESS,
        "bot_username": BOT_USERNAME,
        "timezone": TIMEZONE,
        "mailboxes": list(MAILBOXES),
        "version": version,
        **known,
    }
