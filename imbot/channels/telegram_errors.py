"""Telegram's refusals, told apart by their words (the API gives no finer codes). Pure.

The words are those of the Bot API server, https://github.com/tdlib/telegram-bot-api; the library capitalises them."""

from __future__ import annotations

from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, TelegramError

from imbot.channels.telegram_http import Slowed
from imbot.domain.errors import DeliveryError

# The words that begin a refusal, the kind it is, and whether trying again is pointless.
_BAD_REQUESTS: tuple[tuple[tuple[str, ...], str, bool], ...] = (
    (("chat not found", "user not found", "peer_id_invalid", "chat_id is empty"), "gone", True),
    (("query is too old", "query_id_invalid"), "gone", True),
    (("message to edit not found", "message can't be edited", "message_id_invalid"), "gone", True),
    (("message to be replied not found", "message to delete not found"), "gone", True),
    (("wrong file_id", "file is temporarily unavailable"), "gone", False),
    (("invalid file_id", "wrong remote file id", "wrong file identifier"), "gone", True),
    (("file is too big",), "refused", True),
    (("not enough rights", "have no rights", "need administrator rights", "chat_write_forbidden"), "blocked", True),
    (
        (
            "can't parse",
            "entity beginning",
            "entity_",
            "message text is empty",
            "text must be non-empty",
            "message is too long",
            "message_too_long",
            "message caption is too long",
            "media_caption_too_long",
            "button_",
            "reply_markup",
            "reply markup",
            "inline keyboard",
            "object expected as reply markup",
            "strings must be encoded",
        ),
        "markup",
        True,
    ),
)
_ENTITY_WORDS = ("can't parse entities", "can't parse messageentity", "entity beginning", "entity_")
_LOST_MESSAGE = (
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "there is no text in the message to edit",
)


def translate(problem: TelegramError, method: str) -> DeliveryError:
    """The same fault in our words. A far end whose answer is not Telegram's is `down`: what it says of one message
    cannot be believed."""
    words = problem.message
    match problem:
        case Slowed():
            return DeliveryError(f"{method}: {words}", kind="throttled", retry_after=problem.seconds, code="429")
        case ChatMigrated():
            moved = str(problem.new_chat_id)
            return DeliveryError(
                "the chat has another id now", permanent=True, kind="moved", moved_to=moved, code="400"
            )
        case Forbidden():
            return DeliveryError(f"{method}: {words}", permanent=True, kind="blocked", code="403")
        case InvalidToken():
            return DeliveryError(f"{method}: Telegram does not know this bot token ({words})", kind="down", code="401")
        case Conflict():
            return DeliveryError(f"{method}: {words}", kind="conflict", code="409")
        case BadRequest():
            return _bad_request(words, method)
        case _:
            return DeliveryError(f"{method}: {words}", kind="down", code=type(problem).__name__)


def _bad_request(words: str, method: str) -> DeliveryError:
    lowered = words.lower()
    for beginnings, kind, permanent in _BAD_REQUESTS:
        if any(one in lowered for one in beginnings):
            return DeliveryError(f"{method}: {words}", permanent=permanent, kind=kind, code="400")
    return DeliveryError(f"{method}: {words}", permanent=True, kind="refused", code="400")


def _says(refused: DeliveryError, words: tuple[str, ...]) -> bool:
    lowered = str(refused).lower()
    return refused.code == "400" and any(one in lowered for one in words)


def is_unchanged(refused: DeliveryError) -> bool:
    """The message already reads so."""
    return _says(refused, ("message is not modified",))


def is_edit_impossible(refused: DeliveryError) -> bool:
    """There is no such message to change: deleted, too old, or not of the kind."""
    return _says(refused, _LOST_MESSAGE)


def is_about_entities(refused: DeliveryError) -> bool:
    """The marks in the text were refused, not the keyboard or the text itself."""
    return _says(refused, _ENTITY_WORDS)


def is_about_webhook(refused: DeliveryError) -> bool:
    """Polling is forbidden by a webhook, not by a second poller."""
    return refused.kind == "conflict" and "webhook is active" in str(refused)
