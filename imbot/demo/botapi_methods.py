"""The methods of the Bot API that imbot (and any bot library's start) calls, over `BotState`. Each takes the parameters
of one call and gives the `result`, or raises `ApiError` in Telegram's words. https://core.telegram.org/bots/api"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

from imbot.demo.botapi_checks import ApiError, Params, bad_request, check_keyboard, check_text
from imbot.demo.botapi_files import get_file, send_file, send_media_group
from imbot.demo.botapi_posting import find_chat, post, wire_of
from imbot.demo.botapi_state import BotState, Kept, button_values

STALE_PRESS = 15 * 60


def get_me(state: BotState, _params: Params) -> Any:
    return state.me


def send_message(state: BotState, params: Params) -> Any:
    text, entities = check_text(params.text("text"), params.text("parse_mode"), params.json("entities"))
    content: dict[str, Any] = {"text": text}
    if entities:
        content["entities"] = entities
    return wire_of(post(state, params, content))


def _editable(state: BotState, params: Params) -> Kept:
    _chat_id, chat = find_chat(state, params)
    kept = chat.messages.get(params.whole("message_id"))
    if kept is None:
        raise bad_request("message to edit not found")
    if not kept.from_bot:
        raise bad_request("message can't be edited")
    return kept


def _change(state: BotState, kept: Kept, changed: dict[str, Any], keyboard: dict[str, Any] | None) -> Any:
    """Lay `changed` over the message; its keyboard becomes `keyboard`. Telegram refuses a change that changes nothing."""
    if keyboard:
        changed["reply_markup"] = keyboard
    names = {*changed, "reply_markup"} | ({"entities"} if "text" in changed else set())
    if all(kept.wire.get(name) == changed.get(name) for name in names):
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same as a"
            " current content and reply markup of the message"
        )
    for name in names:
        kept.wire.pop(name, None)
    kept.wire |= changed
    if "text" in changed:  # other buttons alone are no edit in people's eyes: Telegram's apps do not call it one
        kept.wire["edit_date"] = int(state.clock())
    kept.offered |= button_values(kept.wire)
    state.changes.touch()
    return wire_of(kept)


def edit_message_text(state: BotState, params: Params) -> Any:
    kept = _editable(state, params)
    if "text" not in kept.wire:
        raise bad_request("there is no text in the message to edit")
    text, entities = check_text(params.text("text"), params.text("parse_mode"), params.json("entities"))
    changed: dict[str, Any] = {"text": text} | ({"entities": entities} if entities else {})
    return _change(state, kept, changed, check_keyboard(params.json("reply_markup")))


def edit_message_reply_markup(state: BotState, params: Params) -> Any:
    kept = _editable(state, params)
    return _change(state, kept, {}, check_keyboard(params.json("reply_markup")))


def delete_message(state: BotState, params: Params) -> Any:
    chat_id, chat = find_chat(state, params)
    if chat.messages.pop(params.whole("message_id"), None) is None:
        raise bad_request("message to delete not found")
    state.hear("deleted", chat=chat_id, message=params.whole("message_id"))
    state.changes.touch()
    return True


def answer_callback_query(state: BotState, params: Params) -> Any:
    press = state.presses.get(params.text("callback_query_id"))
    if press is None or state.clock() - press.at > STALE_PRESS:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(params.text("text")) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    kept = state.chats[press.chat_id].messages.get(press.message_id)
    if kept is not None:
        kept.answers.append(
            {
                "id": params.text("callback_query_id"),
                "text": params.text("text"),
                "alert": params.flag("show_alert"),
            }
        )
    state.hear("answered", chat=press.chat_id, message=press.message_id, text=params.text("text"))
    state.changes.touch()
    return True


def _command_key(params: Params) -> tuple[str, str]:
    scope = params.json("scope") or {}
    return str(scope.get("type", "default")), params.text("language_code")


def set_my_commands(state: BotState, params: Params) -> Any:
    commands = params.json("commands")
    if not isinstance(commands, list) or len(commands) > 100:
        raise bad_request("can't parse commands: expected an Array of at most 100 BotCommand")
    kept = []
    for one in commands:
        name, words = str(one.get("command", "")).removeprefix("/"), str(one.get("description", ""))
        if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(words) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        kept.append({"command": name, "description": words})
    state.commands[_command_key(params)] = kept
    state.changes.touch()
    return True


def get_my_commands(state: BotState, params: Params) -> Any:
    return state.commands.get(_command_key(params), [])


def delete_my_commands(state: BotState, params: Params) -> Any:
    state.commands.pop(_command_key(params), None)
    return True


def _set_words(name: str, limit: int) -> Callable[[BotState, Params], Any]:
    def set_words(state: BotState, params: Params) -> Any:
        if len(params.text(name)) > limit:
            raise bad_request(f"{name} is too long")
        state.descriptions[name, params.text("language_code")] = params.text(name)
        return True

    return set_words


def set_webhook(state: BotState, params: Params) -> Any:
    url = params.text("url")
    if url and not url.startswith("https://"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    state.webhook = url
    return True


def delete_webhook(state: BotState, params: Params) -> Any:
    state.webhook = ""
    if params.flag("drop_pending_updates"):
        state.updates.clear()
    return True


def _pending(state: BotState) -> int:
    state.expire()
    return len(state.updates)


def get_webhook_info(state: BotState, _params: Params) -> Any:
    return {
        "url": state.webhook,
        "has_custom_certificate": False,
        "pending_update_count": _pending(state),
    }


def send_chat_action(state: BotState, params: Params) -> Any:
    find_chat(state, params)
    if not params.text("action"):
        raise bad_request("wrong parameter action in request")
    return True


def yes(_state: BotState, _params: Params) -> Any:
    return True


async def get_updates(state: BotState, params: Params) -> Any:
    """The long poll. Updates below `offset` are confirmed by it; a newer poller ends this one with 409."""
    if state.webhook:
        raise ApiError(
            409,
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
        )
    wanted = params.json("allowed_updates")
    if wanted is not None:
        state.allowed = frozenset(wanted) or None
    state.poller += 1
    mine = state.poller
    state.news.touch()  # an older poller wakes up and sees that it is not alone
    limit = max(1, min(100, params.whole("limit", 100)))
    state.expire()
    state.confirm(params.whole("offset"))
    ends = asyncio.get_running_loop().time() + max(0, min(50, params.whole("timeout")))
    while not state.updates and not state.stopping:
        left = ends - asyncio.get_running_loop().time()
        if left <= 0:
            break
        await state.news.wait(left)
        if state.poller != mine:
            raise ApiError(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
    return state.updates[:limit]


METHODS: Mapping[str, Callable[[BotState, Params], Any]] = {
    "getme": get_me,
    "sendmessage": send_message,
    "editmessagetext": edit_message_text,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "sendphoto": send_file("photo"),
    "senddocument": send_file("document"),
    "sendmediagroup": send_media_group,
    "getfile": get_file,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "setmydescription": _set_words("description", 512),
    "setmyshortdescription": _set_words("short_description", 120),
    "setmyname": _set_words("name", 64),
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "sendchataction": send_chat_action,
    "setchatmenubutton": yes,
    "logout": yes,
    "close": yes,
}
