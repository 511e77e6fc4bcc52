"""Telegram's JSON <-> the words of the dialog. Pure: `read_update` takes an update apart and never raises, whatever the
JSON; `write_screen` says a rendered screen as the parameters of a call, never with a parse_mode, so that no person's
words can become markup. https://core.telegram.org/bots/api#update"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imbot.dialog.render import Rendered, RenderedButton
from imbot.domain.chats import (
    Attached,
    Blocked,
    Chat,
    Commanded,
    Edited,
    Event,
    FileRef,
    Incoming,
    Pressed,
    Shared,
    Typed,
)

CHANNEL = "telegram"
WANTED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@[A-Za-z0-9_]+)?(?:\s+(.*))?", re.DOTALL)
# The kinds of file, in the order in which to look: an animation bears a `document` as well.
_FILES = (
    ("animation", "video/mp4"),
    ("video", "video/mp4"),
    ("audio", "audio/mpeg"),
    ("voice", "audio/ogg"),
    ("video_note", "video/mp4"),
    ("document", ""),
)
_OTHERS = ("story", "game", "invoice", "giveaway", "giveaway_winners", "paid_media", "checklist")

Json = Mapping[str, Any]


def _part(holder: Json, name: str) -> Json:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _text(holder: Json, name: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _number(holder: Json, name: str) -> int | None:
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _id(holder: Json, name: str) -> str:
    number = _number(holder, name)
    return "" if number is None else str(number)


def read_update(raw: Any) -> Incoming | None:
    """What happened, or None for what imbot has no use for (service messages, channels, kinds not yet invented)."""
    if not isinstance(raw, dict) or not (update_id := _id(raw, "update_id")):
        return None
    key = f"{CHANNEL}:{update_id}"
    for name, read in (
        ("message", _read_message),
        ("edited_message", _read_edited),
        ("my_chat_member", _read_member),
    ):
        if isinstance(body := raw.get(name), dict):
            event = read(body)
            return _incoming(key, event, _part(body, "chat"), _part(body, "from"), sent_at=_number(body, "date"))
    if isinstance(query := raw.get("callback_query"), dict):
        message = _part(query, "message")
        value, handle = _text(query, "data"), _text(query, "id")
        event = Pressed(value, _id(message, "message_id")) if value else None
        return _incoming(key, event, _part(message, "chat"), _part(query, "from"), handle=handle)
    return None


def _incoming(
    key: str, event: Event | None, chat: Json, sender: Json, *, handle: str = "", sent_at: int | None = None
) -> Incoming | None:
    chat_id, kind = _id(chat, "id"), _text(chat, "type")
    if event is None or not chat_id or kind == "channel":
        return None
    names = [_text(sender, "first_name"), _text(sender, "last_name")]
    return Incoming(
        update_key=key,
        chat=Chat(CHANNEL, chat_id),
        event=event,
        handle=handle,
        private=kind == "private",
        language=_text(sender, "language_code"),
        display_name=" ".join(name for name in names if name) or _text(sender, "username"),
        sent_at=sent_at,
    )


def _read_message(message: Json) -> Event | None:
    message_id = _id(message, "message_id")
    answered = _part(message, "reply_to_message")
    reply_to = _id(answered, "message_id")
    replied = (_text(answered, "text") or _text(answered, "caption")) if _part(answered, "from").get("is_bot") else ""
    if text := _text(message, "text"):
        command = _COMMAND.fullmatch(text)
        if command:
            return Commanded(command[1].lower(), (command[2] or "").strip())
        return Typed(text, message_id, reply_to, replied)
    file = _read_file(message)
    if file is not None:
        album = _text(message, "media_group_id")
        return Attached(file, _text(message, "caption"), message_id, album, reply_to, replied)
    return _read_shared(message, message_id)


def _read_edited(message: Json) -> Event | None:
    text = _text(message, "text") or _text(message, "caption")
    message_id = _id(message, "message_id")
    has_words = bool(text) or _read_file(message) is not None  # a caption may have been taken away
    return Edited(text, message_id) if message_id and has_words else None


def _read_member(change: Json) -> Event | None:
    status = _text(_part(change, "new_chat_member"), "status")
    return Blocked(status in ("kicked", "left")) if status else None


def _read_file(message: Json) -> FileRef | None:
    photos = message.get("photo")
    if isinstance(photos, list):
        sizes = [one for one in photos if isinstance(one, dict)]
        largest = max(sizes, key=lambda one: (_number(one, "width") or 0) * (_number(one, "height") or 0), default={})
        return _file_ref(largest, "photo", "image/jpeg")
    for kind, content_type in _FILES:
        if kind in message:
            return _file_ref(_part(message, kind), kind, content_type)
    return None


def _file_ref(file: Json, kind: str, content_type: str) -> FileRef | None:
    vendor_id = _text(file, "file_id")
    if not vendor_id:
        return None
    return FileRef(
        vendor_id=vendor_id,
        unique_id=_text(file, "file_unique_id") or vendor_id,
        name=_text(file, "file_name"),
        size=_number(file, "file_size"),
        content_type=_text(file, "mime_type") or content_type,
        kind=kind,
    )


def _read_shared(message: Json, message_id: str) -> Event | None:
    if "contact" in message:
        card = _part(message, "contact")
        names = [_text(card, "first_name"), _text(card, "last_name"), _text(card, "phone_number")]
        mine = _number(card, "user_id")
        own = mine is not None and mine == _number(_part(message, "from"), "id")
        return Shared(
            "contact", ", ".join(name for name in (" ".join(names[:2]).strip(), names[2]) if name), own, message_id
        )
    if "location" in message:
        return Shared("location", _place(message), message_id=message_id)
    for kind, words in (("sticker", "emoji"), ("poll", "question"), ("dice", "emoji")):
        if kind in message:
            return Shared(kind, _text(_part(message, kind), words), message_id=message_id)
    if any(kind in message for kind in _OTHERS):
        return Shared("other", message_id=message_id)
    return None


def _place(message: Json) -> str:
    venue, point = _part(message, "venue"), _part(message, "location")
    figures = [point.get("latitude"), point.get("longitude")]
    numbers = [f"{figure:.5f}" for figure in figures if isinstance(figure, int | float)]
    words = [_text(venue, "title"), _text(venue, "address"), " ".join(numbers) if len(numbers) == 2 else ""]
    return ", ".join(word for word in words if word)


def write_screen(chat_id: str, rendered: Rendered, *, edit: str = "", reply_to: str = "") -> dict[str, Any]:
    """The parameters of sendMessage, or of editMessageText where `edit` is the message to change."""
    values: dict[str, Any] = {
        "chat_id": int(chat_id),
        "text": rendered.text,
        "link_preview_options": {"is_disabled": True},
    }
    if rendered.bold:
        values["entities"] = [{"type": "bold", "offset": offset, "length": length} for offset, length in rendered.bold]
    if rendered.rows:
        values["reply_markup"] = {"inline_keyboard": [[_write_button(one) for one in row] for row in rendered.rows]}
    if edit:
        return values | {"message_id": int(edit)}
    if rendered.silent:
        values["disable_notification"] = True
    if reply_to:
        values["reply_parameters"] = {"message_id": int(reply_to), "allow_sending_without_reply": True}
    return values


def _write_button(button: RenderedButton) -> dict[str, str]:
    target = {"url": button.url} if button.url else {"callback_data": button.value}
    return {"text": button.label, **target}
