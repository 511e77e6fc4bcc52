"""Our own Telegram: a Bot API server for the demo and the tests, and the people who talk to the bot through it.

`BotApi.app` is what the bot sees (HTTP); the methods here are what a person does (say, press, attach) and what a test
orders (faults, limits, blocks). All state is in memory, files lie in a folder; nothing is global."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from imbot.demo.botapi_checks import Params
from imbot.demo.botapi_faults import Fault, Faults, Limits, Throttle
from imbot.demo.botapi_files import document_json, photo_sizes
from imbot.demo.botapi_http import Front, RunningServer, serve
from imbot.demo.botapi_state import BotState, ChatState, Kept, StoredFile, Witness, command_entities

__all__ = ["BotApi", "Limits", "RunningServer", "Witness", "serve"]

DEMO_TOKEN = "123456789:imbot-demo-token-that-opens-nothing-00"  # noqa: S105 - a token of our own server


class BotApi:
    """One bot and its chats. All methods are to be called from the event loop that serves `app`."""

    def __init__(
        self,
        folder: Path,
        *,
        token: str = DEMO_TOKEN,
        username: str = "imbot_demo_bot",
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        witness: Witness | None = None,
    ) -> None:
        self.token = token
        self.username = username
        self.state = BotState(token, folder, username, clock, witness)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.faults = Faults()
        self._front = Front(self.state, self.faults, None, self._note_call)
        self.limit(limits)
        self.app = self._front.app()
        self.app.state.on_close = self.stop

    def _note_call(self, method: str, params: Params) -> None:
        self.calls.append((method, dict(params.values) | {name: one.name for name, one in params.files.items()}))
        del self.calls[:-5000]
        self.state.anything.touch()

    @property
    def throttle(self) -> Throttle | None:
        """What counts and refuses, where limits are enforced."""
        return self._front.throttle

    def limit(self, limits: Limits | None) -> None:
        """Enforce these limits from now on, counting anew; None: no limits."""
        self._front.throttle = Throttle(limits, time.monotonic) if limits else None

    def stop(self) -> None:
        """Let every long poll go. Part of closing the server."""
        self.state.stopping = True
        self.state.news.touch()
        self.state.changes.touch()

    # What a person does ------------------------------------------------------------------------------------------

    def add_user(self, chat_id: int, first_name: str, language_code: str = "ru", username: str = "") -> None:
        """A person opens the bot's chat. Adding again changes the names and keeps the messages."""
        user: dict[str, Any] = {"id": chat_id, "is_bot": False, "first_name": first_name}
        user |= {"language_code": language_code} if language_code else {}
        user |= {"username": username} if username else {}
        chat = {"id": chat_id, "type": "private", "first_name": first_name}
        known = self.state.chats.get(chat_id)
        if known:
            known.chat, known.user = chat, user
        else:
            self.state.chats[chat_id] = ChatState(chat, user)

    def say(self, chat_id: int, text: str, reply_to: int | None = None) -> int:
        """Words from the person. Returns the message id."""
        content: dict[str, Any] = {"text": text}
        entities = command_entities(text)
        return self._from_person(chat_id, content | ({"entities": entities} if entities else {}), reply_to)

    def edit(self, chat_id: int, message_id: int, text: str) -> None:
        """The person rewrites an earlier message (or the caption of a file)."""
        kept = self._message(chat_id, message_id)
        if kept.from_bot:
            raise ValueError("a person can edit only their own messages")
        kept.wire["text" if "text" in kept.wire else "caption"] = text
        kept.wire["edit_date"] = int(self.state.clock())
        update = self.state.push("edited_message", kept.wire)
        self._tell_sent(chat_id, "edit", update, message_id, text)

    def press(self, chat_id: int, message_id: int, value: str, *, invented: bool = False) -> str:
        """The person presses a button, perhaps one that was there a week ago. Returns the callback query's id.
        Raises ValueError for a value that this message never bore, unless it is `invented`: by a client of somebody's own
        making, of which Telegram warns ("can contain no callback buttons with this data")."""
        kept = self._message(chat_id, message_id)
        if value not in kept.offered and not invented:
            raise ValueError(f"message {message_id} never had a button with the value {value!r}")
        press_id = self.state.add_press(chat_id, message_id)
        body = {
            "id": press_id,
            "from": self.state.chats[chat_id].user,
            "message": kept.wire,
            "chat_instance": str(chat_id),
            "data": value,
        }
        update = self.state.push("callback_query", body)
        self._tell_sent(chat_id, "press", update, 0, value=value, on=message_id)
        return press_id

    def attach(
        self,
        chat_id: int,
        files: Sequence[tuple[str, str, bytes]],
        caption: str = "",
        album: bool = False,
        as_photo: bool | None = None,
    ) -> list[int]:
        """The person sends files of (name, content type, bytes), one message each. The caption goes with the first."""
        group = {"media_group_id": f"13{int(self.state.clock() * 1e6)}"} if album and len(files) > 1 else {}
        sent = []
        for number, (name, content_type, data) in enumerate(files):
            image = content_type in ("image/jpeg", "image/png") if as_photo is None else as_photo
            stored = self.state.files.put(name, content_type, data, "photo" if image else "document")
            media = {"photo": photo_sizes(self.state, stored, data)} if image else {"document": document_json(stored)}
            words = {"caption": caption} if caption and number == 0 else {}
            sent.append(self._from_person(chat_id, media | words | group, files=[stored]))
        return sent

    def voice(self, chat_id: int, data: bytes, duration: int = 3) -> int:
        stored = self.state.files.put("", "audio/ogg", data, "voice")
        return self._from_person(chat_id, {"voice": document_json(stored) | {"duration": duration}}, files=[stored])

    def video(self, chat_id: int, name: str, data: bytes, caption: str = "") -> int:
        stored = self.state.files.put(name, "video/mp4", data, "video")
        size = {"width": 640, "height": 480, "duration": 5}
        words = {"caption": caption} if caption else {}
        return self._from_person(chat_id, {"video": document_json(stored) | size} | words, files=[stored])

    def sticker(self, chat_id: int, emoji: str = "👍") -> int:
        stored = self.state.files.put("", "image/webp", b"RIFF", "sticker")
        looks = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self._from_person(chat_id, {"sticker": document_json(stored) | looks | {"emoji": emoji}})

    def contact(self, chat_id: int, phone: str, first_name: str, own: bool = False) -> int:
        card: dict[str, Any] = {"phone_number": phone, "first_name": first_name}
        return self._from_person(chat_id, {"contact": card | ({"user_id": chat_id} if own else {})})

    def location(self, chat_id: int, latitude: float, longitude: float) -> int:
        return self._from_person(chat_id, {"location": {"latitude": latitude, "longitude": longitude}})

    def group_message(self, group_id: int, title: str, user_id: int, text: str) -> int:
        """A member of a group (a negative id) says something there."""
        chat = {"id": group_id, "type": "group", "title": title}
        self.state.chats.setdefault(group_id, ChatState(chat, self.state.chats[user_id].user))
        self.state.chats[group_id].user = self.state.chats[user_id].user
        return self.say(group_id, text)

    def delete(self, chat_id: int, message_id: int) -> None:
        """The person deletes a message on both sides. The bot is not told."""
        self._message(chat_id, message_id)
        del self.state.chats[chat_id].messages[message_id]
        self.state.changes.touch()

    # What the page and the tests see -----------------------------------------------------------------------------

    def messages(self, chat_id: int) -> list[dict[str, Any]]:
        """The chat as the person sees it, the oldest message first."""
        return [self._view(kept) for kept in self.state.chats[chat_id].messages.values()]

    def commands(self, lang: str) -> list[dict[str, str]]:
        """The command menu that a client in this language shows: its language, else the default; chats before all."""
        for key in (("all_private_chats", lang), ("all_private_chats", ""), ("default", lang), ("default", "")):
            if key in self.state.commands:
                return self.state.commands[key]
        return []

    async def changed(self, since: int, timeout: float) -> int:  # noqa: ASYNC109 - a long poll
        """The counter of changes: at once if it is not `since`, else at the next change or after `timeout` seconds."""
        if self.state.changes.count == since and not self.state.stopping:
            await self.state.changes.wait(timeout)
        return self.state.changes.count

    async def until(self, holds: Callable[[], bool], timeout: float = 5.0) -> None:  # noqa: ASYNC109 - a test's wait
        """Wait for something to be true of this world; it is asked again after each change and each call.
        Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not holds():
                await self.state.anything.wait(timeout)

    def file(self, file_id: str) -> StoredFile:
        """A file by its id (`files[].id` of `messages`). Raises KeyError."""
        return self.state.files.by_id[file_id]

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Updates that the bot has not confirmed, and that are not older than a day."""
        self.state.expire()
        return list(self.state.updates)

    # Bad weather -------------------------------------------------------------------------------------------------

    def fail(
        self,
        method: str,
        times: int = 1,
        status: int = 500,
        description: str = "",
        parameters: dict[str, Any] | None = None,
        *,
        html: bool = False,
        drop: bool = False,
        after: bool = False,
        chat: int | None = None,
    ) -> None:
        """The next calls of `method` ("*": any, "file": downloads) fail. `after`: they are carried out, but the answer
        is lost. `html`: a gateway's page instead of JSON. `drop`: the connection breaks in the middle of the answer.
        `chat`: only calls about this chat fail."""
        mode = "drop" if drop else "html" if html else "error"
        about = "" if chat is None else str(chat)
        self.faults.order(Fault(method, times, status, description, parameters, mode, after, chat=about))

    def delay(self, method: str, seconds: float, times: int = 1) -> None:
        """The next calls of `method` are answered late."""
        self.faults.order(Fault(method, times, mode="delay", delay=seconds))

    def block(self, chat_id: int) -> None:
        """The person stops the bot: it gets 403 from now on, and an update that says so."""
        self._member(chat_id, blocked=True)

    def unblock(self, chat_id: int) -> None:
        self._member(chat_id, blocked=False)

    def migrate(self, chat_id: int, new_id: int) -> None:
        """A chat becomes a supergroup with another id."""
        old = self.state.chats[chat_id]
        self.state.chats[new_id] = ChatState(old.chat | {"id": new_id, "type": "supergroup"}, old.user)
        old.moved_to = new_id

    def lose_file(self, file_id: str) -> None:
        """Telegram has the file no more."""
        self.state.files.by_id[file_id].lost = True

    def age_presses(self, seconds: float) -> None:
        """Presses not yet answered become older."""
        for press in self.state.presses.values():
            press.at -= seconds

    # -------------------------------------------------------------------------------------------------------------

    def _message(self, chat_id: int, message_id: int) -> Kept:
        kept = self.state.chats[chat_id].messages.get(message_id)
        if kept is None:
            raise ValueError(f"there is no message {message_id} in the chat {chat_id}")
        return kept

    def _from_person(
        self,
        chat_id: int,
        content: dict[str, Any],
        reply_to: int | None = None,
        files: Sequence[StoredFile] = (),
    ) -> int:
        chat = self.state.chats[chat_id]
        if chat.blocked:
            self.unblock(chat_id)  # whoever writes again has restarted the bot
        if reply_to is not None:
            content["reply_to_message"] = copy.deepcopy(self._message(chat_id, reply_to).wire)
        kept = self.state.add_message(chat_id, content, from_bot=False)
        kept.files.extend(files)
        update, number = self.state.push("message", kept.wire), int(kept.wire["message_id"])
        words, names = content.get("text", content.get("caption", "")), [one.name for one in files]
        self._tell_sent(chat_id, "file" if files else "message", update, number, words, files=names)
        return number

    def _tell_sent(
        self,
        chat: int,
        kind: str,
        update: int,
        message: int,
        text: str = "",
        value: str = "",
        on: int = 0,
        files: Sequence[str] = (),
    ) -> None:
        facts = {"chat": chat, "kind": kind, "update": update, "message": message, "text": text}
        self.state.hear("sent", **facts, value=value, on=on, files=list(files))

    def _member(self, chat_id: int, *, blocked: bool) -> None:
        chat = self.state.chats[chat_id]
        chat.blocked = blocked
        me = {"user": self.state.me}
        status = {True: me | {"status": "kicked", "until_date": 0}, False: me | {"status": "member"}}
        body = {
            "chat": chat.chat,
            "from": chat.user,
            "date": int(self.state.clock()),
            "old_chat_member": status[not blocked],
            "new_chat_member": status[blocked],
        }
        self.state.push("my_chat_member", body)
        self.state.hear("blocked" if blocked else "unblocked", chat=chat_id)

    def _view(self, kept: Kept) -> dict[str, Any]:
        wire = kept.wire
        rows = wire.get("reply_markup", {}).get("inline_keyboard", [])
        return {
            "id": wire["message_id"],
            "from": "bot" if kept.from_bot else "user",
            "text": wire.get("text", wire.get("caption", wire.get("sticker", {}).get("emoji", ""))),
            "entities": wire.get("entities", wire.get("caption_entities", [])),
            "buttons": [
                [{"label": b["text"], "value": b.get("callback_data", ""), "url": b.get("url", "")} for b in row]
                for row in rows
            ],
            "files": [
                {
                    "id": one.file_id,
                    "name": one.name,
                    "size": one.size,
                    "kind": one.kind,
                    "content_type": one.content_type,
                    "url": f"/file/bot{self.token}/{one.file_path}",
                }
                for one in kept.files
            ],
            "album": wire.get("media_group_id", ""),
            "reply_to": wire.get("reply_to_message", {}).get("message_id"),
            "contact": wire.get("contact"),
            "location": wire.get("location"),
            "date": wire["date"],
            "edited": wire.get("edit_date"),
            "silent": kept.silent,
            "answers": list(kept.answers),
        }
