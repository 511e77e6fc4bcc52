"""The demo's page and its JSON API: what a person at the page, or a script, may do to the world and see of it.

It translates HTTP into calls on the world and knows no rule of its own. Every refusal is JSON with `error` in plain words.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from imbot.demo import page_chat, page_mail
from imbot.demo.bodies import BadRequest, json_answer
from imbot.demo.guard import Guard, TooLarge
from imbot.demo.itsm import UnknownLetter
from imbot.demo.views import state_json
from imbot.demo.world import World
from imbot.domain.errors import DeliveryError, ImbotError

STATIC = Path(__file__).parent / "static"
_STATIC_NAME = re.compile(r"[a-z0-9_-]+\.(?:css|js|svg)")


def page_app(world: World) -> Starlette:
    """The ASGI application. `app.state.on_close` lets the long polls go."""
    app = Starlette(
        routes=[
            Route("/", index),
            Route("/static/{name}", static),
            Route("/api/state", state),
            Route("/api/changes", changes),
            *page_chat.ROUTES,
            *page_mail.ROUTES,
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            HTTPException: _http_error,
            BadRequest: _bad_request,
            TooLarge: _too_large,
            UnknownLetter: _not_found,
            DeliveryError: _not_delivered,
            ImbotError: _broken,
            Exception: _http_error,
        },
    )
    app.state.world = world
    return app


async def index(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")


async def static(request: Request) -> Response:
    name = request.path_params["name"]
    path = STATIC / name
    if not _STATIC_NAME.fullmatch(name) or not path.is_file():
        raise HTTPException(404, "no such file")
    kind = {".js": "text/javascript", ".css": "text/css"}.get(path.suffix, mimetypes.guess_type(name)[0])
    return FileResponse(path, media_type=f"{kind}; charset=utf-8" if path.suffix != ".svg" else kind)


async def state(request: Request) -> Response:
    """Persons, addresses, and what imbot's data base says."""
    world: World = request.app.state.world
    version = world.version
    return json_answer(state_json(await world.bot.state(), version))


async def changes(request: Request) -> Response:
    """A long poll: `{"version": n}`, at once where `since` is not the present version."""
    world: World = request.app.state.world
    try:
        since = int(request.query_params.get("since", "-1"))
        timeout = min(30.0, max(0.0, float(request.query_params.get("timeout", "25"))))
    except ValueError as error:
        raise BadRequest("since and timeout are numbers") from error
    return json_answer({"version": await world.api.changed(since, timeout)})


async def _http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = error.detail if isinstance(error, HTTPException) else "something broke"
    return JSONResponse({"error": words}, status_code=status)


async def _bad_request(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


async def _too_large(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "the body is too large"}, status_code=413)


async def _not_found(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=404)


async def _not_delivered(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the mail server refused: {error}"}, status_code=422)


async def _broken(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=503)
