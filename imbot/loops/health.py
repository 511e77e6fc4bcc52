"""`/healthz` and `/metrics` on a port of their own, for whoever watches the server. Says nothing about persons."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import datetime
from typing import Any

import orjson
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from imbot.loops.pulse import Clock, Pulse
from imbot.store import views
from imbot.store.db import Db
from imbot.store.errors import StoreError

log = structlog.get_logger()


async def serve(stop: asyncio.Event, listen: str, db: Db, pulse: Pulse, clock: Clock) -> None:
    """Answer on `listen` (host:port) until `stop`; ends at once where that place is taken, which is said and is no mistake of
    ours."""
    host, _, port = listen.rpartition(":")
    app = web.Application()
    page = Health(db, pulse, clock)
    app.router.add_get("/healthz", page.healthz)
    app.router.add_get("/metrics", page.metrics)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        await stop.wait()
    except OSError as error:
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        log.error("cannot_listen", listen=listen, error=why)
    finally:
        await runner.cleanup()


class Health:
    """The two pages. A leg that is wrong makes `/healthz` answer 503 and names it."""

    def __init__(self, db: Db, pulse: Pulse, clock: Clock) -> None:
        self._db, self._pulse, self._clock = db, pulse, clock

    async def healthz(self, _: web.Request) -> web.Response:
        """200 while everything works, else 503; the body says which leg is wrong, since when and why."""
        legs = {
            name: {"ok": leg.since is None, "since": _iso(leg.since), "error": leg.error, "ok_at": _iso(leg.ok_at)}
            for name, leg in sorted(self._pulse.legs.items())
        }
        counts: dict[str, Any] = {}
        try:
            counts = await self._db.read(views.health, self._clock())
        except StoreError as error:
            legs["store"] = {"ok": False, "since": None, "error": str(error), "ok_at": None}
        ok = all(leg["ok"] for leg in legs.values())
        body = orjson.dumps({"ok": ok, "legs": legs, "store": counts}, default=str)
        return web.Response(body=body, status=200 if ok else 503, content_type="application/json")

    async def metrics(self, _: web.Request) -> web.Response:
        """Gauges in Prometheus' text format."""
        registry = CollectorRegistry()
        up = Gauge("imbot_leg_up", "1 while this leg works", ["leg"], registry=registry)
        for name, leg in self._pulse.legs.items():
            up.labels(name).set(leg.since is None)
        counted = Gauge("imbot_store", "What the data base counts", ["what"], registry=registry)
        try:
            for what, value in _numbers(await self._db.read(views.health, self._clock())):
                counted.labels(what).set(value)
        except StoreError:
            up.labels("store").set(0)
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _numbers(data: Any, name: str = "") -> list[tuple[str, float]]:
    """Every number of plain JSON, named by its path."""
    if isinstance(data, dict):
        return [pair for key, value in data.items() for pair in _numbers(value, f"{name}.{key}" if name else key)]
    return [(name, float(data))] if isinstance(data, int | float) else []


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
