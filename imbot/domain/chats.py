"""What happens in a chat, in words that every channel shares: events, files that somebody sent, read updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file as the channel describes it. `vendor_id` fetches it; `unique_id` stays the same for the same file.
    `kind`: photo, document, video, audio, voice, video_note, animation. `size` in bytes, None where unknown."""

    vendor_id: str
    unique_id: str
    name: str = ""
    size: int | None = None
    content_type: str = ""
    kind: str = "document"


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button. `message_id`: the message that bore it."""

    value: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """Words. `reply_to`: the id of the message answered (Telegram reply), or ""; `replied`: its words, if they are the bot's."""

    text: str
    message_id: str = ""
    reply_to: str = ""
    replied: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    """One file, perhaps one of an album (`album` is the same for all of it). `caption` is "" where there is none."""

    file: FileRef
    caption: str = ""
    message_id: str = ""
    album: str = ""
    reply_to: str = ""
    replied: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """An earlier message now reads `text` (for a file: its caption)."""

    text: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Commanded:
    """`/name argument`, the name in lower case without the slash and without `@bot`. `/start TOKEN` is a deep link."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """A contact card, a place, a sticker, a poll ...: something that is neither words nor a file. `kind` names it:
    contact, location, sticker, poll, dice, other. `text`: what it says in words (a phone number and name), or "".
    `own`: a contact card of the sender's own."""

    kind: str
    text: str = ""
    own: bool = False
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The person shut the bot out (`blocked`) or let it in again."""

    blocked: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """The outcome of an order, fed back into the same turn (see `dialog.turn`). Never comes from a channel."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)


Event = Pressed | Typed | Attached | Edited | Commanded | Shared | Blocked | Happened


@dataclass(frozen=True, slots=True)
class Chat:
    """One conversation place. `id` is the vendor's id as text; `key` is unique over all channels."""

    channel: str
    id: str

    @property
    def key(self) -> str:
        return f"{self.channel}:{self.id}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """An update that was read. `update_key` is unique per update for ever (`telegram:<update id>`). `handle`: opaque, for
    the channel's own answer to a press. `private`: False for groups and channels, which get one refusal and no more.
    `language`: the vendor's language tag ("ru", "en-GB") or "". `display_name`: as the vendor tells it; never trusted."""

    update_key: str
    chat: Chat
    event: Event
    handle: str = ""
    private: bool = True
    language: str = ""
    display_name: str = ""
    sent_at: int | None = None  # Unix seconds by the vendor's clock
