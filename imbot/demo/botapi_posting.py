"""The bot's side of a chat: which chat it may write to, and a message put there."""

from __future__ import annotations

import copy
import re
from typing import Any

from imbot.demo.botapi_checks import ApiError, Params, bad_request, check_keyboard
from imbot.demo.botapi_state import BotState, ChatState, Kept


def find_chat(state: BotState, params: Params) -> tuple[int, ChatState]:
    """The chat that the bot may write to."""
    text = params.text("chat_id")
    if not text:
        raise bad_request("chat_id is empty")
    chat = state.chats.get(int(text)) if re.fullmatch(r"-?\d{1,18}", text) else None
    if chat is None:
        raise bad_request("chat not found")
    if chat.moved_to is not None:
        raise ApiError(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            {"migrate_to_chat_id": chat.moved_to},
        )
    if chat.blocked:
        raise ApiError(403, "Forbidden: bot was blocked by the user")
    return int(text), chat


def _reply_fields(chat: ChatState, params: Params) -> dict[str, Any]:
    wanted = params.json("reply_parameters") or {}
    number = wanted.get("message_id") if isinstance(wanted, dict) else None
    number = number or params.whole("reply_to_message_id")
    if not number:
        return {}
    original = chat.messages.get(int(number))
    if original is None:
        if params.flag("allow_sending_without_reply") or wanted.get("allow_sending_without_reply"):
            return {}
        raise bad_request("message to be replied not found")
    return {"reply_to_message": _without_reply(original.wire)}


def _without_reply(wire: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wire.items() if key != "reply_to_message"}


def post(state: BotState, params: Params, content: dict[str, Any]) -> Kept:
    chat_id, chat = find_chat(state, params)
    content |= _reply_fields(chat, params)
    keyboard = check_keyboard(params.json("reply_markup"))
    if keyboard:
        content["reply_markup"] = keyboard
    return state.add_message(chat_id, content, from_bot=True, silent=params.flag("disable_notification"))


def wire_of(kept: Kept) -> dict[str, Any]:
    return copy.deepcopy(kept.wire)
