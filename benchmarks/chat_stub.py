"""A lean Bot API for the chat journeys, a process of its own: it plays people who wait for each answer before they go on,
and checks every answer. `python -m benchmarks.chat_stub JSON`.

    script -> update -> (getUpdates) -> answer that bears the step's words -> next update of this chat -> ... -> end

Lines of JSON on stdout: port, polled (the first getUpdates), warm (the first round is done), half, done; of words on stdin: begin
(where `held`), go (after warm), on (after half), report (answered by a line of counts), stop.
Moments are seconds of CLOCK_MONOTONIC, the same in all processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

FIRST_CHAT = 1_000_001
_PART = re.compile(rb'name="([^"]+)"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_ME = {"id": 1, "is_bot": True, "first_name": "bench", "username": "bench_bot", "can_join_groups": False}


@dataclass(slots=True)
class Person:
    """`at`: steps begun; the answer to step `at` - 1 is waited for. `message`, `buttons`: what the bot said last."""

    chat: dict[str, Any]
    user: dict[str, Any]
    at: int = 0
    message: int = 0
    buttons: dict[str, str] = field(default_factory=dict)


class World:
    """`steps`: of one round, each {"say": words} or {"press": label}, with "hear": what its answer bears; "own": the words
    differ from chat to chat. `echo`: an answer bears what was sent instead. `rounds`: after a first one to get warm.
    `repeats_ok`: the bot is killed halfway, where nobody says more before the word "on"; an answer may come twice then.
    `held`: nobody speaks before the word "begin"."""

    def __init__(
        self,
        *,
        chats: int,
        rounds: int,
        steps: Sequence[Mapping[str, str]],
        echo: bool,
        repeats_ok: bool = False,
        held: bool = False,
    ) -> None:
        self.held = held
        self.steps, self.echo, self.repeats_ok = steps, echo, repeats_ok
        self.last = (rounds + 1) * len(steps)
        self.people: dict[int, Person] = {}
        for number in range(FIRST_CHAT, FIRST_CHAT + chats):
            user = {"id": number, "is_bot": False, "first_name": "Анна", "language_code": "ru"}
            self.people[number] = Person({"id": number, "type": "private", "first_name": "Анна"}, user)
        self.pending: list[tuple[int, bytes]] = []
        self.calls: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.answers = self.repeats = self.pressed = 0
        self.running = self.warm = self.halted = False
        self.waiting: list[Person] = []
        self.news = asyncio.Event()
        self._number = 0
        self._message = 1000

    # --- people

    def begin(self) -> None:
        if not self.running:
            self.running = True
            tell(polled=time.monotonic())
            if not self.held:
                self.meet()

    def meet(self) -> None:
        for person in self.people.values():
            self.act(person)

    def on(self) -> None:
        self.halted, waiting, self.waiting = False, self.waiting, []
        for person in waiting:
            self.act(person)

    def go(self) -> None:
        self.calls.clear()
        self.warm, self.answers, self.pressed = True, 0, 0
        tell(began=time.monotonic())
        for person in self.people.values():
            self.act(person)

    def act(self, person: Person) -> None:
        """The person's next step, if there is one and its time has come."""
        if self.halted:
            self.waiting.append(person)
            return
        if person.at >= self.last or (not self.warm and person.at >= len(self.steps)):
            return
        step = self.steps[person.at % len(self.steps)]
        self._message += 1
        if "say" in step:
            text = self.said(step, person)
            body: dict[str, Any] = {"message_id": self._message, "date": 1_764_400_000, "text": text}
            kind, content = "message", body | {"chat": person.chat, "from": person.user}
        else:
            kind, content = "callback_query", self.press(person, step["press"])
            self.pressed += 1
        person.at += 1
        self._number += 1
        self.pending.append((self._number, orjson.dumps({"update_id": self._number, kind: content})))
        self.news.set()

    def said(self, step: Mapping[str, str], person: Person) -> str:
        return f"{step['say']} {person.chat['id']}" if step.get("own") else step["say"]

    def press(self, person: Person, label: str) -> dict[str, Any]:
        found = [value for name, value in person.buttons.items() if label in name]
        if not found and not self.echo:
            self.wrong.append(f"{label!r} is not among the buttons {list(person.buttons)}")
        message = {
            "message_id": person.message or 1,
            "date": 1_764_400_000,
            "chat": person.chat,
            "from": _ME,
            "text": "…",
        }
        query = {"id": str(self._message), "from": person.user, "message": message, "chat_instance": "1"}
        return query | {"data": found[0] if found else label}

    def hear(self, chat_id: int, text: str, message: int, markup: Any) -> None:
        """The bot's answer: to the step that waits, or a mistake."""
        person = self.people[chat_id]
        person.message, person.buttons = message, buttons_of(markup)
        if person.at and self.fits(person.at - 1, text):
            self.answers += 1
            self.end_of_round()
            self.act(person)
        elif self.repeats_ok and person.at > 1 and self.fits(person.at - 2, text):
            self.repeats += 1
        else:
            step = self.steps[(person.at - 1) % len(self.steps)]
            self.wrong.append(f"chat {chat_id}, step {person.at}: {text!r} is no answer to {step}")

    def fits(self, at: int, text: str) -> bool:
        step = self.steps[at % len(self.steps)]
        if self.echo:
            return step.get("say", step.get("press", "")) in text
        return step["hear"] in text

    def end_of_round(self) -> None:
        """Says once that the round to get warm, half of the rest, and all of it is through."""
        if not self.warm and self.answers == len(self.people) * len(self.steps):
            tell(warm=time.monotonic())
        elif self.warm:
            whole = len(self.people) * (self.last - len(self.steps))
            if self.answers == whole // 2:
                self.halted = self.repeats_ok
                tell(half=time.monotonic())
            if self.answers == whole:
                tell(done=time.monotonic(), answers=self.answers)

    # --- the API

    async def updates(self, params: Mapping[str, Any]) -> bytes:
        self.begin()
        offset, limit = int(params.get("offset") or 0), int(params.get("limit") or 100)
        while self.pending and self.pending[0][0] < offset:  # in order, so the confirmed ones are in front
            kept = next((place for place, one in enumerate(self.pending) if one[0] >= offset), len(self.pending))
            del self.pending[:kept]
        if not self.pending:
            self.news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), float(params.get("timeout") or 0))
        return b"[" + b",".join(one for _, one in self.pending[: min(100, limit)]) + b"]"

    async def call(self, method: str, params: Mapping[str, Any]) -> bytes:
        self.calls[method] += 1
        match method:
            case "getupdates":
                return await self.updates(params)
            case "getme":
                return orjson.dumps(_ME)
            case "sendmessage" | "editmessagetext":
                chat_id, text = int(params["chat_id"]), str(params["text"])
                if method == "sendmessage":
                    self._message += 1
                message = self._message if method == "sendmessage" else int(params["message_id"])
                chat = self.people[chat_id].chat
                self.hear(chat_id, text, message, params.get("reply_markup"))
                sent = {"message_id": message, "date": 1_764_400_000, "chat": chat, "from": _ME, "text": text}
                return orjson.dumps(sent)
            case _:
                return b"true"

    def report(self) -> None:
        tell(
            calls=dict(self.calls),
            wrong=self.wrong[:3],
            wrongs=len(self.wrong),
            answers=self.answers,
            repeats=self.repeats,
            pressed=self.pressed,
            unconfirmed=len(self.pending),
        )


def buttons_of(markup: Any) -> dict[str, str]:
    if isinstance(markup, str):
        markup = orjson.loads(markup)
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    return {one["text"]: one["callback_data"] for row in rows for one in row if "callback_data" in one}


class Wire(asyncio.Protocol):
    """HTTP/1.1 as far as bots speak it: kept connections, one request at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        if b"chunked" in head.lower():
            if not self._buffer.endswith(b"0\r\n\r\n"):
                return
            body, self._buffer = _dechunked(self._buffer[end + 4 :]), b""
        else:
            found = _LENGTH.search(head)
            size = int(found[1]) if found else 0
            if len(self._buffer) < end + 4 + size:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + size], self._buffer[end + 4 + size :]
        self._waiting = asyncio.ensure_future(self._answer(head, body))

    async def _answer(self, head: bytes, body: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        path, _, query = target.partition("?")
        params: dict[str, Any] = dict(parse_qsl(query)) | _params(head, body)
        result = await self._world.call(path.rpartition("/")[2].lower(), params)
        answer = b'{"ok":true,"result":' + result + b"}"
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_HEAD % len(answer) + answer)


def _params(head: bytes, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    if b"application/json" in head:
        found: dict[str, Any] = orjson.loads(body)
        return found
    if b"multipart/form-data" in head:
        return {name.decode(): value.decode() for name, value in _PART.findall(body)}
    return dict(parse_qsl(body.decode()))


def _dechunked(body: bytes) -> bytes:
    whole, at = b"", 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if not size:
            return whole
        whole += body[end + 2 : end + 2 + size]
        at = end + 4 + size


def tell(**said: Any) -> None:
    sys.stdout.write(orjson.dumps(said).decode() + "\n")
    sys.stdout.flush()


async def serve(asked: Mapping[str, Any]) -> None:
    world = World(**asked)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        word = sys.stdin.readline().strip()
        {"begin": world.meet, "go": world.go, "on": world.on, "report": world.report, "": stop.set, "stop": stop.set}[
            word
        ]()

    loop.add_reader(sys.stdin, told)
    server = await loop.create_server(lambda: Wire(world), "127.0.0.1", 0, backlog=1024)
    tell(port=server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(orjson.loads(sys.argv[1])))
