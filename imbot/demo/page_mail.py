"""The mailbox and ITSM routes of the demo's API: letters as they came, letters that anybody sends, the ITSM's buttons."""

from __future__ import annotations

import re
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imbot.demo.bodies import BadRequest, bounded_body, json_answer, json_body, whole_number
from imbot.demo.cast import ITSM_ADDRESS
from imbot.demo.post import MAX_LETTER, Delivered
from imbot.demo.trace import header_from
from imbot.demo.views import letter_json
from imbot.demo.world import World
from imbot.domain.letters import InboundMail
from imbot.domain.people import canonical_address

_QUEUED = re.compile(r"queued as (\d+)")
_MAX_FILES = MAX_LETTER // 2  # base64 makes a third more of them
_STRANGER = "someone@outside.example"
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


async def mailbox(request: Request) -> Response:
    """The letters of a mailbox, the oldest first."""
    world, address = _world(request), _address(request)
    await world.unread.join()  # what has been delivered is read before it is shown
    letters = world.post.letters(address) or []
    return json_answer({"address": address, "letters": [_letter_json(world, letter) for letter in letters]})


async def deliver(request: Request) -> Response:
    """Raw RFC 5322 bytes go to this mailbox by SMTP, as any sender would; with `?evidence=1` as the ITSM, logged in."""
    world, address = _world(request), _address(request)
    raw = await bounded_body(request, MAX_LETTER - 1024)
    if not raw:
        raise BadRequest("the body is the letter, as raw bytes; it is empty")
    evidence = request.query_params.get("evidence", "").lower() in ("1", "true", "yes")
    sender = world.desk if evidence else world.outside
    answer = await sender.send(canonical_address(header_from(raw)) or _STRANGER, [address], raw)
    found = _QUEUED.search(answer)
    return json_answer({"ok": True, "id": int(found.group(1)) if found else None, "answer": answer})


async def attachment(request: Request) -> Response:
    """A file of a letter, as a download; pictures may be shown by an <img>."""
    world = _world(request)
    mail = world.mails.get(_letter(request).id)
    number = whole_number(request.path_params["number"], "the attachment")
    if not isinstance(mail, InboundMail) or not 0 <= number < len(mail.attachments):
        raise HTTPException(404, "no such attachment")
    part = mail.attachments[number]
    kind = part.content_type.lower()
    return _download(part.data or b"", part.name or f"file-{number + 1}", kind if kind in _PICTURES else "")


async def raw(request: Request) -> Response:
    """The letter's bytes, as a download."""
    letter = _letter(request)
    return _download(letter.raw, f"letter-{letter.id}.eml", "")


async def answer(request: Request) -> Response:
    """`{text?}`, or multipart with `text` and `files`: the ITSM answers a letter of its mailbox: register, start, comment,
    ask, done or reject."""
    world = _world(request)
    letter_id = whole_number(request.path_params["letter"], "the letter")
    words, files = await _answer_of(request)
    if len(words) > 10_000:
        raise BadRequest("text has at most 10,000 characters")
    await world.unread.join()
    call = await world.itsm.answer(letter_id, request.path_params["action"], words, files)
    world.touch()
    return json_answer({"ok": True, "number": call.number, "status": call.status})


async def _answer_of(request: Request) -> tuple[str, list[tuple[str, bytes]]]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        data = await json_body(request, {"text": (str, type(None))}, required=frozenset())
        return data.get("text") or "", []
    async with request.form(max_files=10, max_fields=5) as form:
        uploads = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
        if sum(one.size or 0 for one in uploads) > _MAX_FILES:
            raise BadRequest(f"the files have at most {_MAX_FILES} bytes together")
        return str(form.get("text") or ""), [(one.filename or "file", await one.read()) for one in uploads]


async def silence(request: Request) -> Response:
    """An hour passes without a word from the ITSM: imbot's clock, and the ITSM's, are put on by it."""
    world = _world(request)
    await json_body(request, {}, required=frozenset())
    await world.bot.an_hour_passes()
    world.touch()
    return json_answer({"ok": True, "now": world.bot.now().isoformat()})


def _world(request: Request) -> World:
    world: World = request.app.state.world
    return world


def _address(request: Request) -> str:
    address = str(request.path_params["address"]).lower()
    if _world(request).post.letters(address) is None:
        raise HTTPException(404, f"no mailbox {address}; GET /api/state names them")
    return address


def _letter(request: Request) -> Delivered:
    letter_id = whole_number(request.path_params["letter"], "the letter")
    letter = _world(request).post.letter(_address(request), letter_id)
    if letter is None:
        raise HTTPException(404, "no such letter in this mailbox")
    return letter


def _letter_json(world: World, letter: Delivered) -> dict[str, Any]:
    call = world.itsm.call_of(letter.id) if letter.mailbox == ITSM_ADDRESS else None
    return letter_json(letter.mailbox, letter.id, letter.at, len(letter.raw), world.mails.get(letter.id), call)


def _download(data: bytes, name: str, kind: str) -> Response:
    quoted = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}" for byte in name.encode("utf-8", "replace")
    )
    return Response(
        data,
        media_type=kind or "application/octet-stream",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quoted}"},
    )


ROUTES = [
    Route("/api/mailboxes/{address}", mailbox),
    Route("/api/mailboxes/{address}/deliver", deliver, methods=["POST"]),
    Route("/api/mailboxes/{address}/letters/{letter}/raw", raw),
    Route("/api/mailboxes/{address}/letters/{letter}/attachments/{number}", attachment),
    Route("/api/itsm/silence", silence, methods=["POST"]),
    Route("/api/itsm/letters/{letter}/{action}", answer, methods=["POST"]),
]
