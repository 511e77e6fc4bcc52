"""The ITSM: reads the sink's journal as it grows, opens a call for each new request letter, and answers by letters into the
watched mailbox, in an order, at a pace and with the mistakes that chance draws from a seed. What it said is in itsm.jsonl.

    letter -> call -> (bounced) -> registered | begun first -> comments, questions -> done | rejected -> reopened -> done
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.fire import texts
from tests.fire.itsm_mail import PROMISE, Note, Office, bounce, vouched, write
from tests.fire.journal import Journal, Tail

Deliver = Callable[[bytes], Awaitable[None]]

_MOSCOW = ZoneInfo("Europe/Moscow")
_LOOK = 0.05
_MOST_CHANGES = 12  # of one call: imbot holds a status that changes twenty times in ten minutes
_LARGE = 240_000  # bytes of a large file; its letter has more than 256 KB
_STUBBORN = 60  # tries of one delivery, a second apart


@dataclass(frozen=True, slots=True)
class Chances:
    """How often things go otherwise than straight. `pace`: mean seconds between two letters of a call; `late`: of a late
    registration; `large`: how often a file makes its letter too large for imbot's table of letters."""

    pace: float = 1.5
    late: float = 12.0
    registers_late: float = 0.1
    registers_twice: float = 0.15
    begins_first: float = 0.1
    asks: float = 0.25
    comments: float = 0.3
    rejects: float = 0.08
    bounces: float = 0.06
    bounces_registered: float = 0.04
    forges: float = 0.15
    closes: float = 0.1
    stays_silent: float = 0.3  # to "not solved" and additions
    large: float = 0.0


@dataclass(slots=True)
class Call:
    """One call of the ITSM. `letters`: Message-IDs of the request and what followed it, oldest first; `came`: letters that
    were not looked at yet. `changes`: status letters so far; `at`: the moment that the last one bears."""

    marker: str
    number: str
    token: str
    letters: list[str]
    text: str
    raw: Path
    rng: random.Random
    came: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    status: str = "new"
    changes: int = 0
    busy: bool = True
    at: datetime = datetime(2000, 1, 1, tzinfo=_MOSCOW)


class Helpdesk:
    """`run(stop)` goes on until `stop` is set and everything begun is brought to an end: from then on nothing is waited for.
    `deliver` puts a raw letter into the watched mailbox and raises where that failed."""

    def __init__(
        self,
        deliver: Deliver,
        journals: Mapping[str, Path],
        office: Office,
        seed: int,
        chances: Chances | None = None,
        first_number: int = 1042,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.calls: dict[str, Call] = {}
        self._deliver, self._office, self._seed = deliver, office, seed
        self._chances = chances or Chances()
        self._tail, self._journal = Tail(journals["smtp"]), Journal(journals["itsm"])
        self._numbers, self._words = count(first_number), count(1)
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self._stop = stop
        async with asyncio.TaskGroup() as group:
            while not (stop.is_set() and not self._read(group) and all(not c.busy for c in self.calls.values())):
                self._read(group)
                await asyncio.sleep(_LOOK)
            for call in self.calls.values():
                call.came.put_nowait({})  # nothing more will come
        self._journal.close()

    def _read(self, group: asyncio.TaskGroup) -> int:
        """New letters go to their calls; returns how many there were."""
        taken = 0
        for event in self._tail.new():
            if event["e"] != "accepted" or self._office.itsm not in [one.lower() for one in event["rcpt"]]:
                continue
            taken += 1
            token = texts.token_of(event["subject"], event["text"])
            call = self.calls.get(token)
            if call is None and texts.letter_kind(event["subject"], event["text"]) == "request":
                call = self.calls[token] = self._open(token, event)
                group.create_task(self._live(call))
            elif call is not None:
                call.busy = True
                call.came.put_nowait(event)
            else:
                self.counts["letters of no call"] += 1
        return taken

    def _open(self, token: str, event: dict[str, Any]) -> Call:
        marker = texts.first_marker(event["text"]) or token
        rng = random.Random(f"{self._seed}:{marker}")
        number = f"IM-CL-{next(self._numbers)}"
        return Call(marker, number, token, [event["message_id"]], event["text"], Path(event["path"]), rng)

    # --- the life of a call

    async def _live(self, call: Call) -> None:
        chances, rng = self._chances, call.rng
        if rng.random() < chances.bounces and not await self._bounced(call):
            return
        await self._forge(call)
        await self._register(call)
        if rng.random() < chances.bounces_registered:
            await self._bounce(call)
        await self._work(call)
        while True:
            call.busy = not call.came.empty()
            letter = await call.came.get()
            if not letter:
                return
            call.busy = True
            await self._hear(call, letter)

    async def _bounced(self, call: Call) -> bool:
        """The post reports that the request did not arrive. The person may send it again; or it had arrived after all. False:
        nobody will ever hear of it."""
        await self._pause(call)
        await self._bounce(call)
        if call.rng.random() < 0.3:
            await self._pause(call)
            return True
        call.busy = False
        while True:
            letter = await call.came.get()
            if not letter:
                return False
            if letter["message_id"] == call.letters[0]:
                call.busy = True
                return True
            call.busy = not call.came.empty()

    async def _register(self, call: Call) -> None:
        """Late, twice or behind the beginning of the work."""
        chances, rng = self._chances, call.rng
        late = rng.random() < chances.registers_late
        await self._pause(call, chances.late if late else chances.pace)
        note = self._note(call, "register")
        if rng.random() < 0.7:  # a new thread, bound by what it repeats of our words
            note = replace(note, thread=(), echo=call.text)
        if rng.random() < chances.begins_first:
            note = replace(note, at=note.at - timedelta(seconds=2))
            await self._say(call, self._note(call, "start"))
            await self._pause(call)
            await self._say(call, note)
            return
        raw = await self._say(call, note, late=late)
        call.status = "registered"
        if rng.random() < chances.registers_twice:
            await self._say(call, note, raw=raw, repeat=True)
            await self._pause(call)
            await self._say(call, replace(self._note(call, "register"), promise=PROMISE + timedelta(hours=1)))

    async def _work(self, call: Call) -> None:
        chances, rng = self._chances, call.rng
        if rng.random() < chances.comments:
            await self._pause(call)
            await self._comment(call)
        if rng.random() < 0.7:
            await self._pause(call)
            await self._say(call, self._note(call, "start", self._mark() if rng.random() < 0.1 else ""))
        if rng.random() < chances.asks:
            await self._pause(call)
            await self._say(call, self._note(call, "ask", f"{self._mark()} когда к вам можно подойти?"))
            if await self._answered(call):
                await self._say(call, self._note(call, "start"))
        await self._forge(call)
        await self._pause(call)
        if rng.random() < chances.rejects:
            await self._say(call, self._note(call, "reject", f"{self._mark()} это не к службе поддержки"))
        else:
            await self._say(call, self._note(call, "done", f"{self._mark()} причина устранена, работа проверена"))
            if rng.random() < chances.closes:
                await self._pause(call)
                await self._say(call, self._note(call, "close"))

    async def _answered(self, call: Call) -> bool:
        """Wait some seconds for an answer. What came is left to be looked at later."""
        for _ in range(100):
            if not call.came.empty():
                return True
            if self._stop.is_set():
                return False
            await asyncio.sleep(self._chances.pace / 20)
        return False

    async def _hear(self, call: Call, letter: dict[str, Any]) -> None:
        """A letter about a call that exists."""
        kind, rng = texts.letter_kind(letter["subject"], letter["text"]), call.rng
        self.counts[f"heard: {kind}"] += 1
        if letter["message_id"] not in call.letters:
            call.letters.append(letter["message_id"])
        ended = call.status in ("rejected", "withdrawn", "closed")
        if kind == "withdraw" and not ended:
            await self._pause(call)
            await self._say(call, self._note(call, "withdrawn", f"{self._mark()} снята по просьбе"))
        elif kind == "not_solved" and rng.random() >= self._chances.stays_silent and call.changes < _MOST_CHANGES:
            await self._pause(call)
            await self._say(call, self._note(call, "reopen", f"{self._mark()} проверим ещё раз"))
            await self._pause(call)
            await self._say(call, self._note(call, "done", f"{self._mark()} теперь заменено целиком"))
        elif kind in ("addition", "complaint") and rng.random() >= self._chances.stays_silent:
            await self._pause(call)
            await self._say(call, self._note(call, "comment", f"{self._mark()} приняли к сведению"))

    # --- what it says

    async def _comment(self, call: Call) -> None:
        mark = self._mark()
        note = self._note(call, "comment", f"{mark} смотрите вложение")
        if call.rng.random() < 0.6:
            more = call.rng.randbytes(_LARGE) if call.rng.random() < self._chances.large else b""
            data = f"{mark}: порядок действий\n".encode() * 5 + more
            note = replace(note, files=((f"{mark}-{sha256(data).hexdigest()[:12]}.txt", data),))
        await self._say(call, note)

    def _mark(self) -> str:
        return f"desk{next(self._words):07d}"

    def _note(self, call: Call, action: str, words: str = "") -> Note:
        now = datetime.now(_MOSCOW)
        if action != "comment":  # which of two of one second came first, nobody could tell
            now = call.at = max(now, call.at + timedelta(seconds=1))
        message_id = f"<{secrets.token_hex(10)}@{self._office.itsm.rpartition('@')[2]}>"
        return Note(
            action, call.number, message_id, now, words, tuple(call.letters[-6:]), evidence=vouched(self._office)
        )

    async def _say(
        self,
        call: Call,
        note: Note,
        *,
        raw: bytes = b"",
        forged: bool = False,
        repeat: bool = False,
        late: bool = False,
    ) -> bytes:
        """Into the mailbox, however often that must be tried; the letter's bytes."""
        raw = raw or write(note, self._office, call.rng)
        fields = {
            "action": note.action, "number": note.number, "message_id": note.message_id, "about": call.letters[0],
            "of": call.marker, "words": texts.DESK.search(note.words)[0] if note.words else "",  # type: ignore[index]
            "text": note.words, "at": int(note.at.timestamp()), "promise": int(note.promise.total_seconds()),
            "files": [name for name, _ in note.files],
            "forged": forged, "repeat": repeat, "late": late, "bounce": False,
        }  # fmt: skip
        await self._put(raw, fields)
        self.counts["forged" if forged else "repeated" if repeat else note.action] += 1
        if not forged and not repeat:
            call.status = {
                "start": "in_progress", "reopen": "in_progress", "ask": "waiting", "done": "resolved",
                "reject": "rejected", "withdrawn": "withdrawn", "close": "closed",
            }.get(note.action, call.status)  # fmt: skip
            call.changes += note.action not in ("comment", "register")
        return raw

    async def _bounce(self, call: Call) -> None:
        message_id = f"<{secrets.token_hex(10)}@mx.example.test>"
        raw = bounce(call.raw.read_bytes(), message_id, self._office, datetime.now(_MOSCOW))
        fields = {
            "action": "bounce", "number": "", "message_id": message_id, "about": call.letters[0], "of": call.marker,
            "words": "", "at": 0, "files": [], "forged": False, "repeat": False, "late": False, "bounce": True,
        }  # fmt: skip
        await self._put(raw, fields)
        self.counts["bounce"] += 1

    async def _put(self, raw: bytes, fields: Mapping[str, Any]) -> None:
        """`saying` before the first try, `said` once it was taken. A delivery that failed may have been taken all the same:
        the letter comes twice then, and is one."""
        self._journal.note("saying", **fields)
        for turn in range(_STUBBORN):
            try:
                await self._deliver(raw)
            except (OSError, RuntimeError) as error:
                self.counts["deliveries tried again"] += 1
                if turn == _STUBBORN - 1:
                    raise RuntimeError(f"the mailbox takes nothing: {error}") from error
                await asyncio.sleep(1)
            else:
                self._journal.note("said", **fields)
                return

    async def _forge(self, call: Call) -> None:
        """A letter that must never be told: without evidence, with a stranger's number, or that claims another's request."""
        rng = call.rng
        if rng.random() >= self._chances.forges:
            return
        note = self._note(call, rng.choice(("done", "comment", "reject")), f"{self._mark()} ложь")
        others = [one for one in self.calls.values() if one.token != call.token and one.marker != call.marker]
        match rng.choice(
            ("no evidence", "another server", "failed", "stranger's number", "two requests", "its number")
        ):
            case "no evidence":
                note = replace(note, evidence="")
            case "another server":
                domain = self._office.itsm.rpartition("@")[2]
                note = replace(note, evidence=f"mx.evil.test; dmarc=pass header.from={domain}")
            case "failed":
                note = replace(note, evidence=note.evidence.replace("dmarc=pass", "dmarc=fail"))
            case "stranger's number":
                note = replace(note, number=f"IM-CL-{rng.randint(900_000, 999_999)}", thread=())
            case "two requests" if others:
                note = replace(note, echo=rng.choice(others).text)
            case "its number" if registered := [one for one in others if one.status != "new"]:
                note = replace(note, number=rng.choice(registered).number)
            case _:
                note = replace(note, evidence="")
        await self._say(call, note, forged=True)

    async def _pause(self, call: Call, mean: float | None = None) -> None:
        """Some seconds; none once the end has come."""
        seconds = call.rng.expovariate(1 / (mean or self._chances.pace))
        try:
            async with asyncio.timeout(min(seconds, 60)):
                await self._stop.wait()
        except TimeoutError:
            return
