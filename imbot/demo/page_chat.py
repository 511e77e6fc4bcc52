"""The chat routes of the demo's API: what a person does with their phone."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from imbot.demo.bodies import BadRequest, json_answer, json_body, whole_number
from imbot.demo.botapi_state import utf16_length
from imbot.demo.cast import PLAYERS
from imbot.demo.views import message_json
from imbot.demo.world import World

_CLIENT_SPLIT = 4096  # UTF-16 units: a Telegram client cuts longer words into several messages
_MAX_WORDS = 100_000
_ALBUM = 10  # files of one album in Telegram
_MAX_FILES = 100
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


async def chat(request: Request) -> Response:
    """The messages of a chat, the oldest first, and the bot's command menu."""
    world, number = _world(request), _chat_of(request)
    lang = str(world.api.state.chats[number].user.get("language_code", "ru"))
    return json_answer(
        {
            "chat": number,
            "messages": [message_json(number, message) for message in world.api.messages(number)],
            "commands": world.api.commands(lang),
        }
    )


async def say(request: Request) -> Response:
    """`{text, reply_to?}`: words. Long ones become several messages, as a Telegram client sends them."""
    world, number = _world(request), _chat_of(request)
    data = await json_body(request, {"text": (str,), "reply_to": (int, str)}, required=frozenset({"text"}))
    text = data["text"].strip()
    if not text:
        raise BadRequest("text is empty")
    if len(text) > _MAX_WORDS or not _encodable(text):
        raise BadRequest(f"text is longer than {_MAX_WORDS} characters or not valid Unicode")
    reply_to = whole_number(data["reply_to"], "reply_to") if "reply_to" in data else None
    ids = [world.api.say(number, part, reply_to) for part in _client_parts(text)]
    return json_answer({"message_id": ids[-1], "message_ids": ids})


async def press(request: Request) -> Response:
    """`{message_id, value}`: a button, perhaps of an old message."""
    world, number = _world(request), _chat_of(request)
    fields = {"message_id": (int, str), "value": (str,)}
    data = await json_body(request, fields, required=frozenset(fields))
    press_id = _refusing(world.api.press, number, whole_number(data["message_id"], "message_id"), data["value"])
    return json_answer({"ok": True, "press_id": press_id})


async def edit(request: Request) -> Response:
    """`{message_id, text}`: the person rewrites a message of their own."""
    world, number = _world(request), _chat_of(request)
    fields = {"message_id": (int, str), "text": (str,)}
    data = await json_body(request, fields, required=frozenset(fields))
    if not data["text"].strip() or utf16_length(data["text"]) > _CLIENT_SPLIT:
        raise BadRequest(f"text has 1 to {_CLIENT_SPLIT} characters")
    _refusing(world.api.edit, number, whole_number(data["message_id"], "message_id"), data["text"])
    return json_answer({"ok": True})


async def attach(request: Request) -> Response:
    """Multipart: `files` (one or more), `caption`, `album` (1: sent together), `as_file` (1: pictures not as photos)."""
    world, number = _world(request), _chat_of(request)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest("attach takes multipart/form-data with files, caption and album")
    async with request.form(max_files=_MAX_FILES, max_fields=10) as form:
        uploads = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
        if not uploads:
            raise BadRequest("there is no file in the field files")
        caption = str(form.get("caption") or "").strip()
        if utf16_length(caption) > 1024:
            raise BadRequest("a caption has at most 1024 characters")
        album = _flag(form.get("album"))
        as_photo = False if _flag(form.get("as_file")) else None
        ids: list[int] = []
        for start in range(0, len(uploads), _ALBUM):
            part = uploads[start : start + _ALBUM]
            files = [
                (one.filename or "file", one.content_type or "application/octet-stream", await one.read())
                for one in part
            ]
            ids += world.api.attach(number, files, caption if start == 0 else "", album, as_photo)
    return json_answer({"message_ids": ids, "message_id": ids[-1]})


async def file(request: Request) -> Response:
    """A file of the chat, as a download; pictures may be shown by an <img>."""
    world, number = _world(request), _chat_of(request)
    wanted = request.path_params["file"]
    known = {one["id"] for message in world.api.messages(number) for one in message["files"]}
    if wanted not in known:
        raise HTTPException(404, "no such file in this chat")
    stored = world.api.file(wanted)
    picture = stored.content_type in _PICTURES
    return FileResponse(
        stored.path,
        media_type=stored.content_type if picture else "application/octet-stream",
        filename=stored.name or f"{stored.kind}-{stored.size}",
        headers={"Cache-Control": "private, max-age=3600"},
    )


async def language(request: Request) -> Response:
    """`{language}`: the language of every phone, as its user would set it."""
    world = _world(request)
    data = await json_body(request, {"language": (str,)}, required=frozenset({"language"}))
    if data["language"] not in ("ru", "en"):
        raise BadRequest("language is ru or en")
    for player in PLAYERS:
        world.api.add_user(player.chat, player.first_name, data["language"])
    return json_answer({"ok": True})


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


def _chat_of(request: Request) -> int:
    text = request.path_params["chat"]
    for player in PLAYERS:
        if str(player.chat) == text:
            return player.chat
    raise HTTPException(404, f"no chat {text}; GET /api/state names them")


def _refusing(act: Any, *args: Any) -> Any:
    """Do it, or say why the phone would not."""
    try:
        return act(*args)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _client_parts(text: str) -> list[str]:
    parts: list[str] = []
    while text:
        cut = len(text)
        while utf16_length(text[:cut]) > _CLIENT_SPLIT:
            cut = min(cut - 1, _CLIENT_SPLIT)
        parts.append(text[:cut])
        text = text[cut:].lstrip()
    return parts


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _flag(value: object) -> bool:
    return str(value or "").lower() in ("1", "true", "yes", "on")


ROUTES = [
    Route("/api/language", language, methods=["POST"]),
    Route("/api/chats/{chat}", chat),
    Route("/api/chats/{chat}/say", say, methods=["POST"]),
    Route("/api/chats/{chat}/press", press, methods=["POST"]),
    Route("/api/chats/{chat}/edit", edit, methods=["POST"]),
    Route("/api/chats/{chat}/attach", attach, methods=["POST"]),
    Route("/api/chats/{chat}/files/{file}", file),
]
