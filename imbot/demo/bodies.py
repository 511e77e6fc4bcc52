"""Request bodies, bounded and checked field by field: what is unknown or of another kind is refused in plain words; and answers
as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

_MAX_JSON = 1024 * 1024


class BadRequest(ValueError):
    """The request is not as documented. Its text tells what to change."""


async def json_body(
    request: Request, fields: Mapping[str, tuple[type, ...]], *, required: frozenset[str]
) -> dict[str, Any]:
    """The JSON object of the body: only `fields`, each of one of its types, all `required` ones there."""
    raw = await bounded_body(request, _MAX_JSON)
    try:
        data = orjson.loads(raw) if raw.strip() else {}
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadRequest("the body is a JSON object")
    for name, value in data.items():
        if name not in fields:
            raise BadRequest(f"unknown field {name!r}; known are: {', '.join(fields) or 'none'}")
        if not isinstance(value, fields[name]) or (isinstance(value, bool) and bool not in fields[name]):
            raise BadRequest(f"the field {name!r} is of the wrong kind")
    missing = required - data.keys()
    if missing:
        raise BadRequest(f"missing: {', '.join(sorted(missing))}")
    return data


async def bounded_body(request: Request, limit: int) -> bytes:
    """The raw body, at most `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BadRequest(f"the body is larger than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def whole_number(value: object, name: str) -> int:
    """A message or chat id, given as a number or in digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) < 20 and value.lstrip("-").isascii() and value.lstrip("-").isdigit():
        return int(value)
    raise BadRequest(f"{name} is a number")


def json_answer(data: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS), status_code=status, media_type="application/json"
    )
