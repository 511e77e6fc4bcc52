"""Files of the Bot API: photos, documents and albums that the bot sends, and getFile for those that people sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imbot.demo.botapi_checks import (
    MAX_CAPTION,
    MAX_DOWNLOAD,
    MAX_PHOTO,
    MAX_UPLOAD,
    ApiError,
    Params,
    bad_request,
    check_text,
)
from imbot.demo.botapi_posting import find_chat, post, wire_of
from imbot.demo.botapi_state import BotState, StoredFile, image_size


def photo_sizes(state: BotState, stored: StoredFile, data: bytes) -> list[dict[str, Any]]:
    """PhotoSize JSON, the smallest first, as Telegram lists them; the last is the whole picture."""
    width, height = image_size(data)
    scale = 90 / max(width, height, 90)
    small = state.files.put(stored.name, "image/jpeg", data[: min(len(data), 2000)], "thumbnail")
    return [
        _size(small, max(1, int(width * scale)), max(1, int(height * scale))),
        _size(stored, width, height),
    ]


def _size(stored: StoredFile, width: int, height: int) -> dict[str, Any]:
    return {
        "file_id": stored.file_id,
        "file_unique_id": stored.unique_id,
        "width": width,
        "height": height,
        "file_size": stored.size,
    }


def document_json(stored: StoredFile) -> dict[str, Any]:
    return {
        "file_id": stored.file_id,
        "file_unique_id": stored.unique_id,
        "file_size": stored.size,
        **({"file_name": stored.name} if stored.name else {}),
        **({"mime_type": stored.content_type} if stored.content_type else {}),
    }


def _take_file(state: BotState, params: Params, source: str, part: str, kind: str) -> tuple[dict[str, Any], StoredFile]:
    """A file that the bot sends: uploaded (as this part or by attach://), or known by its id."""
    name = source.removeprefix("attach://") if source.startswith("attach://") else part
    upload = params.files.get(name)
    if upload is None:
        known = state.files.by_id.get(source)
        if known is None:
            raise bad_request(
                "wrong file identifier/HTTP URL specified" if source else f"there is no {kind} in the request"
            )
        return {kind: document_json(known)}, known
    if not upload.data:
        raise bad_request("file must be non-empty")
    if len(upload.data) > (MAX_PHOTO if kind == "photo" else MAX_UPLOAD):
        raise ApiError(413, "Request Entity Too Large")
    stored = state.files.put(upload.name, upload.content_type, upload.data, kind)
    if kind == "photo":
        return {kind: photo_sizes(state, stored, upload.data)}, stored
    return {kind: document_json(stored)}, stored


def _captioned(holder: Params) -> dict[str, Any]:
    caption, entities = check_text(
        holder.text("caption"),
        holder.text("parse_mode"),
        holder.json("caption_entities"),
        limit=MAX_CAPTION,
        required=False,
    )
    content: dict[str, Any] = {"caption": caption} if caption else {}
    return content | ({"caption_entities": entities} if entities else {})


def send_file(kind: str) -> Callable[[BotState, Params], Any]:
    def send(state: BotState, params: Params) -> Any:
        find_chat(state, params)
        content = _captioned(params)
        media, stored = _take_file(state, params, params.text(kind), kind, kind)
        kept = post(state, params, content | media)
        kept.files.append(stored)
        return wire_of(kept)

    return send


def send_media_group(state: BotState, params: Params) -> Any:
    find_chat(state, params)
    media = params.json("media")
    if not isinstance(media, list) or not 2 <= len(media) <= 10:
        raise bad_request("media group must include 2-10 items")
    group = f"1{int(state.clock() * 1000)}"
    parts = []
    for item in media:
        one = Params(item, params.files)
        kind = one.text("type")
        if kind not in ("photo", "document"):
            raise bad_request("can't parse InputMedia: unknown type")
        content, stored = _take_file(state, params, one.text("media"), one.text("media"), kind)
        parts.append((_captioned(one) | content | {"media_group_id": group}, stored))
    sent = []
    for content, stored in parts:
        kept = post(state, params, content)
        kept.files.append(stored)
        sent.append(wire_of(kept))
    return sent


def get_file(state: BotState, params: Params) -> Any:
    stored = state.files.by_id.get(params.text("file_id"))
    if stored is None:
        raise bad_request("invalid file_id")
    if stored.lost:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    if stored.size > MAX_DOWNLOAD:
        raise bad_request("file is too big")
    return {
        "file_id": stored.file_id,
        "file_unique_id": stored.unique_id,
        "file_size": stored.size,
        "file_path": stored.file_path,
    }
