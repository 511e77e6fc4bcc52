"""Telegram: updates in, screens and files out, at Telegram's pace. Every fault leaves as a `DeliveryError` with its kind;
nothing of the library and no token crosses this module. What the JSON means is in `telegram_wire`, how it travels in
`telegram_http`. Raw calls are made, not the library's typed ones: half the price, the same exceptions."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import structlog
from telegram.error import TelegramError

from imbot.channels.pacer import Meter, Pacer
from imbot.channels.telegram_errors import (
    is_about_entities,
    is_about_webhook,
    is_edit_impossible,
    is_unchanged,
    translate,
)
from imbot.channels.telegram_http import AiohttpRequest, Call, FilePart, place_of
from imbot.channels.telegram_wire import CHANNEL, WANTED_UPDATES, write_screen
from imbot.dialog.render import Rendered
from imbot.domain.errors import DeliveryError
from imbot.durable import sync
from imbot.failpoints import hit

DOWNLOAD_SECONDS = 90.0
_LATE_POLL = 4.0  # seconds beyond its time until a poll is given up: silence is to be noticed within half a minute
_SNIFF = 8192

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """`file_base`: where files come from; `api_base` + "/file" where empty. `proxy`: see `telegram_http`.
    `poll_timeout`: seconds that one long poll lasts. `read_seconds`: patience for any other answer. `chat_burst`: how
    many screens one chat may get at once before it is paced to one a second."""

    token: str
    api_base: str = "https://api.telegram.org"
    file_base: str = ""
    proxy: str = ""
    poll_timeout: int = 25
    read_seconds: float = 20.0
    chat_burst: int = 10

    def __repr__(self) -> str:
        return f"TelegramSettings(api_base={self.api_base!r}, proxy={place_of(self.proxy) if self.proxy else ''!r})"


@dataclass(frozen=True, slots=True)
class BotInfo:
    id: int
    username: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """`content_type` by the content where it is known, else as the far end says, else "". `sha256` is hex."""

    size: int
    sha256: str
    content_type: str


class Telegram:
    """One bot. `start` before use, `close` after."""

    name = CHANNEL

    def __init__(self, settings: TelegramSettings, pacer: Pacer | None = None) -> None:
        self.settings = settings
        self.pacer = pacer or Pacer(Meter(burst=settings.chat_burst, started=time.monotonic()))
        base = settings.api_base.rstrip("/")
        self._calls_base = f"{base}/bot{settings.token}"
        self._files_base = f"{(settings.file_base or base + '/file').rstrip('/')}/bot{settings.token}"
        self._calls = AiohttpRequest(proxy=settings.proxy, read_seconds=settings.read_seconds, in_all=True)
        # A pool of its own, so that the long poll takes no connection from the answers.
        self._polls = AiohttpRequest(
            proxy=settings.proxy,
            read_seconds=settings.poll_timeout + min(settings.read_seconds, _LATE_POLL),
            connections=2,
        )

    async def start(self) -> BotInfo:
        """Open the connections, learn who we are, and end a webhook that somebody left (it forbids polling; what waits
        is kept)."""
        await self.open()
        me = await self._call("getMe", {})
        await self._end_webhook()
        return BotInfo(int(me["id"]), str(me.get("username", "")))

    async def _end_webhook(self) -> None:
        await self._call("deleteWebhook", {"drop_pending_updates": False})

    async def check(self) -> str:
        """Who we are and by which way, for `doctor`. Raises DeliveryError."""
        await self.open()
        me = await self._call("getMe", {})
        way = f" through the proxy {place_of(self.settings.proxy)}" if self.settings.proxy else ""
        return f"@{me.get('username', '?')} at {place_of(self.settings.api_base)}{way}"

    async def close(self) -> None:
        self.pacer.close()
        await self._polls.shutdown()
        await self._calls.shutdown()

    async def poll(self, offset: int | None, *, wait: bool = True) -> list[dict[str, Any]]:
        """The raw updates from `offset` on; none is confirmed but those before it. `wait`: for one, where there is none yet.
        A second poller is a DeliveryError of the kind `conflict`. A webhook that somebody set forbids polling: it is
        ended, and this poll is empty."""
        values: dict[str, Any] = {
            "timeout": self.settings.poll_timeout if wait else 0,
            "limit": 100,
            "allowed_updates": list(WANTED_UPDATES),
        }
        if offset is not None:
            values["offset"] = offset
        try:
            updates = await self._call("getUpdates", values, request=self._polls)
        except DeliveryError as refused:
            if not is_about_webhook(refused):
                raise
            log.warning("telegram_webhook_ended", reason=str(refused))
            await self._end_webhook()
            return []
        if not isinstance(updates, list):
            raise DeliveryError("Telegram's updates are not a list")
        return [one for one in updates if isinstance(one, dict)]

    async def show(
        self, chat_id: str, rendered: Rendered, *, edit: str = "", reply_to: str = "", dialog: bool = True
    ) -> str:
        """Show a screen and return its message's id: in the place of message `edit` where Telegram allows it, else as
        a new one. A screen that already stands there is a success. Bold marks that Telegram refuses are left out:
        the words matter more. Waits for the pace; `dialog` goes before the rest."""
        try:
            return await self._show(chat_id, rendered, edit, reply_to, dialog)
        except DeliveryError as refused:
            if not (refused.kind == "markup" and rendered.bold and is_about_entities(refused)):
                raise
            log.error("telegram_refused_markup", reason=str(refused))
        plain = Rendered(rendered.text, (), rendered.rows, rendered.silent)
        return await self._show(chat_id, plain, edit, reply_to, dialog)

    async def _show(self, chat_id: str, rendered: Rendered, edit: str, reply_to: str, dialog: bool) -> str:
        if edit:
            try:
                values = write_screen(chat_id, rendered, edit=edit)
                await self._paced(chat_id, "editMessageText", values, dialog=dialog)
            except DeliveryError as refused:
                if is_unchanged(refused):
                    return edit
                if not is_edit_impossible(refused):
                    raise
            else:
                return edit
        values = write_screen(chat_id, rendered, reply_to=reply_to)
        return _message_id(await self._paced(chat_id, "sendMessage", values, dialog=dialog))

    async def retire(self, chat_id: str, message_id: str) -> None:
        """Take the buttons of an older message away. One that has none, or is gone, is no error. Nobody waits for it: it goes
        behind the dialog."""
        values = {"chat_id": int(chat_id), "message_id": int(message_id)}
        try:
            await self._paced(chat_id, "editMessageReplyMarkup", values, dialog=False)
        except DeliveryError as refused:
            if not (is_unchanged(refused) or is_edit_impossible(refused)):
                raise

    async def acknowledge(self, handle: str, text: str = "") -> None:
        """Answer a press, so that the button stops turning. One that Telegram no longer waits for is no error."""
        values = {"callback_query_id": handle} | ({"text": text[:200]} if text else {})
        try:
            await self._call("answerCallbackQuery", values)
        except DeliveryError as refused:
            if refused.kind not in ("gone", "refused"):
                raise
            log.debug("press_too_old", reason=str(refused))

    async def set_commands(self, commands: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """The menu of commands by language. The first language given is also what everybody else sees."""
        texts = dict(commands)
        if texts and "" not in texts:
            texts[""] = next(iter(texts.values()))
        for lang, entries in texts.items():
            menu = [{"command": name, "description": description} for name, description in entries]
            values: dict[str, Any] = {"commands": menu, "scope": {"type": "all_private_chats"}}
            await self._call("setMyCommands", values | ({"language_code": lang} if lang else {}))

    async def send_file(
        self, chat_id: str, path: Path, name: str, caption: str = "", *, silent: bool = False, dialog: bool = False
    ) -> str:
        """Send a file from disk under this name; the id of its message. `caption` is plain text, <= 1024 units. `silent`:
        without sound."""
        try:
            content = path.open("rb")
        except OSError as problem:
            raise DeliveryError(
                f"the file cannot be read: {problem.strerror}", permanent=True, kind="refused"
            ) from None
        with content:
            values: dict[str, Any] = {"chat_id": int(chat_id)} | ({"caption": caption} if caption else {})
            values |= {"disable_notification": True} if silent else {}
            files = {"document": FilePart(content, name)}
            return _message_id(await self._paced(chat_id, "sendDocument", values, files, dialog=dialog))

    async def download(self, vendor_id: str, sink: Path, limit: int) -> Downloaded:
        """Fetch a file to `sink`, which appears only whole and durable. Raises DeliveryError: `refused` (permanent, "too
        big") over `limit` bytes or over Telegram's own 20 MB, `gone` where Telegram has it no more."""
        told = await self._call("getFile", {"file_id": vendor_id})
        path = told.get("file_path") if isinstance(told, dict) else None
        if not isinstance(path, str) or not path:
            raise DeliveryError("Telegram names no place for the file", kind="gone", code="no path")
        if isinstance(told.get("file_size"), int) and told["file_size"] > limit:
            raise _too_big(limit)
        part = sink.with_name(sink.name + ".part")
        try:
            downloaded = await self._fetch(f"{self._files_base}/{quote(path)}", part, limit)
            await asyncio.to_thread(_keep, part, sink)
        except OSError as problem:
            raise DeliveryError(
                f"the file cannot be written: {problem.strerror}", kind="refused", code="disk"
            ) from None
        finally:
            part.unlink(missing_ok=True)
        return downloaded

    async def _fetch(self, url: str, part: Path, limit: int) -> Downloaded:
        digest, size, head, told = hashlib.sha256(), 0, b"", ""
        try:
            with part.open("wb") as out:
                async with aclosing(self._calls.stream(url, DOWNLOAD_SECONDS)) as pieces:
                    async for response, piece in pieces:
                        if response.status != 200:
                            raise _no_download(response.status)
                        size += len(piece)
                        if size > limit:
                            raise _too_big(limit)
                        told = response.content_type
                        head += piece[: _SNIFF - len(head)] if len(head) < _SNIFF else b""
                        digest.update(piece)
                        out.write(piece)
                        hit("file_half_down")
                await asyncio.to_thread(_settle, out)
        except TelegramError as problem:
            raise translate(problem, "download") from None
        return Downloaded(size, digest.hexdigest(), _type_of(head, told))

    async def open(self) -> None:
        """Ready to call; talks to nobody. Idempotent."""
        await self._calls.initialize()
        await self._polls.initialize()

    async def _paced(
        self,
        chat_id: str,
        method: str,
        values: dict[str, Any],
        files: Mapping[str, FilePart] | None = None,
        *,
        dialog: bool,
    ) -> Any:
        way = await self.pacer.turn(chat_id, dialog=dialog)
        try:
            answer = await self._call(method, values, files)
        except DeliveryError as refused:
            if refused.kind == "down":
                self.pacer.down(chat_id, way, refused)
                raise
            if refused.kind == "throttled" and refused.retry_after is not None:
                self.pacer.hold(chat_id, refused.retry_after)  # before anybody else is let go
            self.pacer.arrived(chat_id, way, well=False)
            raise
        except BaseException:
            self.pacer.arrived(chat_id, way, well=False)
            raise
        self.pacer.arrived(chat_id, way)
        return answer

    async def _call(
        self,
        method: str,
        values: Mapping[str, Any],
        files: Mapping[str, FilePart] | None = None,
        *,
        request: AiohttpRequest | None = None,
    ) -> Any:
        call = Call(values, files or {})
        try:
            return await (request or self._calls).post(f"{self._calls_base}/{method}", call.as_request_data())
        except TelegramError as problem:
            raise translate(problem, method) from None
        except (KeyError, TypeError):
            raise DeliveryError(f"Telegram's answer to {method} bears no result", code="no result") from None


def _message_id(answer: Any) -> str:
    number = answer.get("message_id") if isinstance(answer, dict) else None
    if not isinstance(number, int):
        raise DeliveryError("Telegram's answer bears no message id", code="no result")
    return str(number)


def _too_big(limit: int) -> DeliveryError:
    return DeliveryError(f"the file is too big: over {limit} bytes", permanent=True, kind="refused", code="too big")


def _no_download(status: int) -> DeliveryError:
    if status == 404:
        return DeliveryError("Telegram has the file no more", kind="gone", code="404")
    return DeliveryError(f"the download was refused with HTTP {status}", code=str(status))


def _settle(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _keep(part: Path, sink: Path) -> None:
    part.replace(sink)
    sync(sink.parent)


def _type_of(head: bytes, told: str) -> str:
    import filetype  # type: ignore[import-untyped]  # only whoever downloads pays for it

    found = filetype.guess_mime(head) if head else None
    return str(found) if found else ("" if told == "application/octet-stream" else told)
