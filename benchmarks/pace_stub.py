"""A Bot API in a process of its own that enforces Telegram's limits, as little of it as notices and replies need:
`python -m benchmarks.pace_stub` prints its port. 30 messages a second in all and one a second in a chat, each after a
burst (`botapi_faults.Throttle`, counted on arrival); more is 429 with `retry_after`. GET /report tells what came and when.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from aiohttp import web

from imbot.demo.botapi_checks import ApiError
from imbot.demo.botapi_faults import Limits, Throttle

TOKEN = "1:bench"
OVERALL = 30


class Stub:
    """`sent`: (moment, chat, text) of every message and edit that was taken; `refused`: of every 429."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str, str]] = []
        self.refused: list[tuple[float, str]] = []
        self._throttle = Throttle(Limits(overall=OVERALL), time.monotonic)
        self._updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said = 0

    async def call(self, request: web.Request) -> web.Response:
        method, values = request.match_info["method"], await _values(request)
        if method == "getUpdates":
            return _answer(await self._poll(float(values.get("timeout", 0))))
        if method not in ("sendMessage", "editMessageText"):
            return _answer(True)
        now, chat = time.monotonic(), str(values["chat_id"])
        try:
            self._throttle.check(chat)
        except ApiError as refused:
            self.refused.append((now, chat))
            return web.Response(body=orjson.dumps(refused.body()), status=429, content_type="application/json")
        self.sent.append((now, chat, str(values.get("text", ""))))
        return _answer({"message_id": len(self.sent), "date": 0, "chat": {"id": int(chat), "type": "private"}})

    async def _poll(self, seconds: float) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(seconds):
                return [await self._updates.get()]
        except TimeoutError:
            return []

    async def say(self, request: web.Request) -> web.Response:
        """A person writes; the moment is the answer."""
        chat, self._said = int(request.query["chat"]), self._said + 1
        who = {"id": chat, "is_bot": False, "first_name": "P", "language_code": "ru"}
        place = {"id": chat, "type": "private"}
        message = {"message_id": 10**6 + self._said, "from": who, "chat": place, "date": int(time.time())}
        self._updates.put_nowait({"update_id": self._said, "message": message | {"text": request.query["text"]}})
        return web.Response(text=str(time.monotonic()))

    async def report(self, _request: web.Request) -> web.Response:
        told = {"sent": self.sent, "refused": self.refused}
        return web.Response(body=orjson.dumps(told), content_type="application/json")


async def _values(request: web.Request) -> dict[str, Any]:
    body = await request.read()
    if request.content_type == "application/json":
        found: dict[str, Any] = orjson.loads(body) if body else {}
        return found
    return dict(urllib.parse.parse_qsl(body.decode()))


def _answer(result: object) -> web.Response:
    return web.Response(body=orjson.dumps({"ok": True, "result": result}), content_type="application/json")


async def _serve() -> None:
    stub = Stub()
    app = web.Application()
    app.router.add_post(f"/bot{TOKEN}/{{method}}", stub.call)
    app.router.add_get("/say", stub.say)
    app.router.add_get("/report", stub.report)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # whoever started us has gone
    await runner.cleanup()


@contextmanager
def stub() -> Iterator[str]:
    """A fresh one; its address."""
    asked = [sys.executable, "-m", "benchmarks.pace_stub"]
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(10)


def report(address: str) -> dict[str, list[list[Any]]]:
    with urllib.request.urlopen(f"{address}/report", timeout=30) as answer:
        found: dict[str, list[list[Any]]] = json.load(answer)
        return found


if __name__ == "__main__":
    asyncio.run(_serve())
