"""Reads the reply mailbox by IMAP: what is new, a wait for more, and a mark on what is done. It looks into no letter.

    closed -> (connect) -> signed in -> folder open -> fetching | idling | marking -> folder open ... -> closed

An error in any state closes the connection; the next call opens a new one. New letters are found by their UID alone, so
flags that people or other programs set change nothing. A changed UIDVALIDITY means that the server counts anew: everything
is read again, and the caller, who knows letters by identity, repeats nothing. Letters of the days before a first run at "now"
are left alone even then: the cursor is `uidvalidity:uid`, or `uidvalidity:uid:day` with the day (since 1970) of that first run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from imbot.domain.errors import MailboxError, SignInRefused, TokenError
from imbot.mailbox.imap_wire import Selected, Wire
from imbot.mailbox.inbox import Batch, Fetched, TlsMode
from imbot.mailbox.oauth import Tokens

_LONGEST_WAIT = 540.0  # seconds
# Seconds of IDLE until the server is asked whether it is still there, and of patience for its answer: silence is to be noticed
# within half a minute. Routers, too, forget a silent connection long before RFC 2177's 29 minutes.
_LONGEST_IDLE, _STILL_THERE = 12.0, 14.0
_BATCH_BYTES = 4 * 1024 * 1024  # a batch ends here even if its window is not full: it is one transaction


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """`processed_folder`: where letters go when done; "" only marks them as read. `start`: what the first run takes, the
    letters that come from "now" on or "all" that are there. `password` is
    not used where there are tokens. `window`: letters a batch. `largest`: bytes; of a larger letter only
    the headers are fetched. `timeout`: seconds for each answer of the server."""

    host: str
    port: int
    username: str
    password: str
    tls: TlsMode = "tls"
    folder: str = "INBOX"
    processed_folder: str = ""
    ca_file: str = ""
    timeout: float = 30.0
    idle: bool = True
    window: int = 500
    start: Literal["now", "all"] = "now"
    largest: int = 50 * 1024 * 1024


class Imap:
    """One mailbox. Calls are serialised; a call that fails raises MailboxError. `clock`: Unix seconds."""

    def __init__(
        self, settings: ImapSettings, clock: Callable[[], float] = time.time, tokens: Tokens | None = None
    ) -> None:
        self._settings, self._tokens = settings, tokens
        self._clock = clock
        self._lock = asyncio.Lock()
        self._wire: Wire | None = None
        self._closing = False
        self._seen_next = 0  # UIDNEXT as of the last fetch: a higher one means that letters came since

    async def connect(self) -> None:
        """Open the connection and the folder now, to know early whether that works."""
        async with self._lock:
            await self._open_folder()

    async def fetch_new(self, cursor: str | None) -> Batch:
        """The letters behind `cursor`, at most a window of them. None: the first run (see `ImapSettings.start`)."""
        async with self._lock:
            wire, selected = await self._open_folder()
            if cursor is None and self._settings.start == "now":
                return await self._begin_now(wire, selected)
            validity, last, day = _read_cursor(cursor)
            counts_anew = validity != selected.uidvalidity
            if counts_anew:
                last = 0
            uids = await wire.search_from(last + 1, _date(day) if counts_anew and day else None)
            window = uids[: self._settings.window]
            place = _Place(selected.uidvalidity, day)
            letters, reached = await self._fetch(wire, place, window)
            self._seen_next = max(selected.uidnext, uids[-1] + 1 if uids else 0)
            return Batch(letters, place.cursor(reached or last), more=bool(uids) and reached < uids[-1])

    async def wait(self, seconds: float) -> bool:
        """True when letters came since the last fetch; False when the time is up. Without IDLE it just waits the time out.

        Raises MailboxError if the connection breaks meanwhile.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + min(seconds, _LONGEST_WAIT)
        while True:
            async with self._lock:
                wire, selected = await self._open_folder()
                if selected.uidnext > self._seen_next > 0:
                    return True
                if not (self._settings.idle and wire.can("IDLE")):
                    break
                if await wire.idle(min(max(0.0, until - loop.time()), _LONGEST_IDLE)):
                    return True
            if loop.time() >= until:
                return False
        await asyncio.sleep(seconds)
        return False

    async def mark(self, letters: Sequence[Fetched]) -> None:
        """These are done: mark them as read, and move them if a folder is named. Safe to repeat; letters gone are no error."""
        async with self._lock:
            if not letters:
                return
            wire, selected = await self._open_folder()
            uids = [letter.uid for letter in letters if letter.uidvalidity == selected.uidvalidity]
            if not uids:
                return
            await wire.uid("marking", "STORE", uids, "+FLAGS.SILENT", r"(\Seen)")
            if self._settings.processed_folder:
                await self._move(wire, uids, self._settings.processed_folder)

    async def check(self) -> str:
        """Sign in and open the folders; one line of what was found. Raises MailboxError."""
        async with self._lock:
            wire, selected = await self._open_folder()
            folder = f"{self._settings.folder} has {selected.exists} letters"
            found = f"{self._where}: signed in as {self._settings.username}, {folder}"
            found += ", IDLE" if wire.can("IDLE") and self._settings.idle else ", no IDLE: polled"
            if self._settings.processed_folder:
                await wire.command(
                    "the folder for done letters",
                    "STATUS",
                    await wire.folder(self._settings.processed_folder),
                    "(MESSAGES)",
                )
                found += f", done letters go to {self._settings.processed_folder}"
            return found

    async def close(self) -> None:
        """Say goodbye and let go; a call that is still under way is cut off. Never raises."""
        self._closing = True
        if self._lock.locked() and self._wire is not None:
            self._wire.abort()
        async with self._lock:
            self._closing = False
            wire, self._wire = self._wire, None
            if wire is not None:
                await wire.logout()

    # --- inside the lock

    @property
    def _where(self) -> str:
        return f"IMAP {self._settings.host}:{self._settings.port}"

    async def _open_folder(self) -> tuple[Wire, Selected]:
        """The connection, and the folder opened afresh: only SELECT shows a changed UIDVALIDITY and a reliable UIDNEXT.

        A kept connection that the server closed meanwhile is opened again, once and silently; one that is silent is an error,
        for a new one would be as silent.
        """
        kept = self._wire
        if kept is not None and kept.alive:
            try:
                patience = min(_STILL_THERE, self._settings.timeout)
                return kept, await kept.select(self._settings.folder, patience)
            except MailboxError:
                if kept.alive or kept.silent:
                    raise
        wire = await self._sign_in()
        return wire, await wire.select(self._settings.folder)

    async def _sign_in(self) -> Wire:
        if self._tokens is None:
            return await self._connect("")
        try:
            return await self._tokens.sign_in(self._connect, lambda error: isinstance(error, SignInRefused))
        except TokenError as error:
            raise MailboxError(f"{self._where}: {error}", permanent=error.permanent) from error

    async def _connect(self, token: str) -> Wire:
        settings = self._settings
        if self._closing:
            raise MailboxError(f"{self._where}: closed meanwhile")
        if self._wire is not None:
            self._wire.abort()
        self._wire = wire = Wire(self._where, settings.timeout)
        try:
            await wire.open(settings.host, settings.port, settings.tls, settings.ca_file)
            if token:
                await wire.login_by_token(settings.username, token, settings.host, settings.port)
            else:
                await wire.login(settings.username, settings.password)
        except BaseException:
            wire.abort()
            raise
        return wire

    async def _begin_now(self, wire: Wire, selected: Selected) -> Batch:
        """Nothing that is there now is wanted: the cursor stands behind the last letter."""
        last = selected.uidnext - 1
        if last < 0:
            last = max(await wire.search_from(1), default=0)
        self._seen_next = last + 1
        return Batch((), _Place(selected.uidvalidity, int(self._clock() // 86_400)).cursor(last))

    async def _fetch(self, wire: Wire, place: _Place, window: Sequence[int]) -> tuple[tuple[Fetched, ...], int]:
        """The letters of the window, in order, and the UID that was reached: less than the window if that is heavy or
        if the server cannot give a letter. Raises MailboxError if that letter is the first."""
        sizes = await wire.sizes(window)
        chosen = self._light_enough(window, sizes)
        letters: list[Fetched] = []
        try:
            letters = await self._read(wire, place, chosen, sizes)
        except MailboxError:
            if not wire.alive:
                raise
            chosen = chosen[:1]  # the server refused: go on one by one, to stop at the very letter
            letters = await self._read(wire, place, chosen, sizes)
        return tuple(letters), chosen[-1] if chosen else 0

    def _light_enough(self, window: Sequence[int], sizes: Mapping[int, int]) -> list[int]:
        chosen: list[int] = []
        weight = 0
        for uid in window:
            weight += min(sizes.get(uid, 0), self._settings.largest)
            if chosen and weight > _BATCH_BYTES:
                break
            chosen.append(uid)
        return chosen

    async def _read(self, wire: Wire, place: _Place, uids: Sequence[int], sizes: Mapping[int, int]) -> list[Fetched]:
        large = [uid for uid in uids if sizes.get(uid, 0) > self._settings.largest]
        raws = await wire.bodies([uid for uid in uids if uid not in large])
        headers = await wire.bodies(large, headers_only=True)
        found = raws | headers
        missing = set(uids) - set(found)
        if missing:  # gone since the search, or held back by a fault of the server, which must not pass for "gone"
            held_back = sorted(missing.intersection(await wire.search_from(min(missing))))
            if held_back:
                raise MailboxError(
                    f"{self._where}: the server does not give letter UID {held_back[0]}; move or delete it by hand"
                )
        return [
            Fetched(
                cursor=place.cursor(uid),
                key=f"{place.validity}:{uid}",
                raw=raw,
                size=sizes.get(uid, len(raw)),
                truncated=uid in headers,
                uid=uid,
                uidvalidity=place.validity,
            )
            for uid, raw in sorted(found.items())
        ]

    async def _move(self, wire: Wire, uids: Sequence[int], folder: str) -> None:
        """MOVE (RFC 6851), else COPY, \\Deleted and UID EXPUNGE. Never a plain EXPUNGE: that takes others' letters along."""
        name = await wire.folder(folder)
        verb = "MOVE" if wire.can("MOVE") else "COPY"
        try:
            await wire.uid("moving", verb, uids, name)
        except MailboxError as error:
            if not wire.alive or "TRYCREATE" not in str(error):
                raise
            await wire.command(f"making {folder}", "CREATE", name)
            await wire.uid("moving", verb, uids, name)
        if verb == "COPY":
            await wire.uid("marking", "STORE", uids, "+FLAGS.SILENT", r"(\Deleted)")
            if wire.can("UIDPLUS"):
                await wire.uid("removing", "EXPUNGE", uids)


@dataclass(frozen=True, slots=True)
class _Place:
    """What all cursors of one fetch share."""

    validity: int
    day: int

    def cursor(self, uid: int) -> str:
        return f"{self.validity}:{uid}:{self.day}" if self.day else f"{self.validity}:{uid}"


def _read_cursor(cursor: str | None) -> tuple[int, int, int]:
    """(UIDVALIDITY, last UID, day of the first run or 0). One of another kind (of POP3, before) starts from the beginning."""
    numbers = (cursor or "").split(":")
    if len(numbers) not in {2, 3} or not all(number.isdigit() for number in numbers):
        return 0, 0, 0
    validity, uid, day = (int(number) for number in [*numbers, "0"][:3])
    return validity, uid, day


def _date(day: int) -> date:
    """The day before, for servers whose calendar runs behind ours."""
    return date(1970, 1, 1) + timedelta(days=day - 1)
