"""Reads the reply mailbox by IMAP: what is new, a wait for more, and a mark on what is done. It looks into no letter.

    closed -> (connect) -> signed in -> folder open -> fetching | idling | marking -> folder open ... -> closed

An error in any state closes the connection; the next call opens a new one. New letters are found by their UID alone, so
flags that people or other programs set change nothing. A folder may be begun anew, with another UIDVALIDITY, with a UIDNEXT
below what was read, or with another letter where the last one lay: then everything is read again, and the caller, who knows
letters by their bytes, repeats nothing. Letters of the days before a first run at "now" are left alone even then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from imbot.domain.errors import MailboxError, SignInRefused, TokenError
from imbot.mailbox.imap_cursor import NOTHING, ImapCursor, read_cursor
from imbot.mailbox.imap_feed import Outside, Selected
from imbot.mailbox.imap_taking import Taking
from imbot.mailbox.imap_wire import Wire
from imbot.mailbox.inbox import Batch, Fetched, TlsMode
from imbot.mailbox.oauth import Tokens

_LONGEST_WAIT = 540.0  # seconds
# Seconds of IDLE until the server is asked whether it is still there, and of patience for its answer: silence is to be noticed
# within half a minute. Routers, too, forget a silent connection long before RFC 2177's 29 minutes.
_LONGEST_IDLE, _STILL_THERE = 12.0, 14.0
_FEW = 20  # letters that are looked for by one question when the server tells of them


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


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of the folder that is open: the letters `uids` lie `behind` that cursor; or the server has told that so many
    came (`pushed`)."""

    selected: Selected
    behind: str = ""
    uids: Sequence[int] = ()
    pushed: int = 0


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
        self._taking = Taking(self._where, settings.folder, settings.largest)
        self._seen_next = 0  # UIDNEXT as of the last fetch: a higher one means that letters came since
        self._found: _Found | None = None

    async def connect(self) -> None:
        """Open the connection and the folder now, to know early whether that works."""
        async with self._lock:
            await self._open_folder()

    async def fetch_new(self, cursor: str | None, without: Collection[str] = ()) -> Batch:
        """The letters behind `cursor`, at most a window of them, `without` those keys. None: the first run (see
        `ImapSettings.start`). Raises LetterWithheld where the first of them is not handed out."""
        async with self._lock:
            known, found = read_cursor(cursor), self._found
            self._found = None
            if found is not None and self._wire is not None and self._wire.alive:
                batch = await self._from_open(self._wire, found, known, without)
                if batch is not None:
                    return batch
            wire, selected = await self._open_folder()
            if cursor is None and self._settings.start == "now":
                return await self._begin_now(wire, selected)
            anew = await self._begun_anew(wire, selected, known)
            if anew:
                below = await self._below(wire, selected) if known.day else 0
                known = ImapCursor(selected.uidvalidity, 0, known.day, NOTHING, below)
            uids = await self._unread(wire, known)
            self._seen_next = max(selected.uidnext, uids[-1] + 1 if uids else 0)
            return await self._window(wire, selected, known, uids, without, anew=bool(cursor) and anew)

    async def fetch_one(self, key: str) -> Fetched | None:
        """The letter of that key, None where it is gone. Raises LetterWithheld where it is not handed out."""
        validity, _, uid = key.partition(":")
        async with self._lock:
            wire, selected = await self._open_folder()
            known = ImapCursor(selected.uidvalidity)
            if validity != str(selected.uidvalidity) or int(uid) not in await wire.search_from(int(uid)):
                return None
            letters, _ = await self._taking.take(wire, known, [int(uid)])
            return letters[0] if letters else None

    @property
    def place(self) -> str:
        """Which mailbox and folder this is, whatever way leads there."""
        settings = self._settings
        return f"imap://{settings.username}@{settings.host.lower()}/{settings.folder}"

    def elsewhere(self, cursor: str) -> str:
        """The cursor to begin with here, where `cursor` is of another mailbox that this one stands for now: everything is
        read but letters of the days before the first run."""
        return str(ImapCursor(day=read_cursor(cursor).day))

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
                exist = await wire.idle(min(max(0.0, until - loop.time()), _LONGEST_IDLE))
                if exist is not None:
                    came, known = exist - selected.exists, 0 < selected.uidnext <= self._seen_next
                    self._found = _Found(selected, pushed=came) if known and 0 < came <= _FEW else None
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
            if selected.uidnext:  # above it nothing lies yet; what will is no letter that was read
                uids = [uid for uid in uids if uid < selected.uidnext]
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
        kept, self._found = self._wire, None
        if kept is not None and kept.alive:
            try:
                patience = min(_STILL_THERE, self._settings.timeout)
                return kept, await kept.select(self._settings.folder, patience)
            except MailboxError:
                if kept.alive or kept.silent:
                    raise
        wire = await self._sign_in()
        return wire, await wire.select(self._settings.folder)

    async def _from_open(self, wire: Wire, found: _Found, known: ImapCursor, without: Collection[str]) -> Batch | None:
        """The next letters where the folder is open still, so that its UIDVALIDITY is the same (RFC 3501, 2.3.1.1). None where
        that does not tell all: it is opened afresh then, and searched."""
        if found.behind:
            same = found.behind == str(known)
            return await self._window(wire, found.selected, known, found.uids, without) if same else None
        if known.validity != found.selected.uidvalidity or known.below or not known.uid:
            return None
        try:
            outsides, whole = await wire.from_on(known.uid)
        except MailboxError:
            if wire.silent:
                raise
            return None
        uids = sorted(uid for uid in outsides if uid > known.uid)
        # The very ones that were told of: of as many, one may be held back and another have come meanwhile.
        told = range(found.selected.uidnext, found.selected.uidnext + found.pushed)
        if uids != list(told) or known.is_another(outsides.get(known.uid, Outside()).came):
            return None
        self._seen_next = uids[-1] + 1
        return await self._window(wire, found.selected, known, uids, without, outsides, whole)

    async def _window(
        self,
        wire: Wire,
        selected: Selected,
        known: ImapCursor,
        uids: Sequence[int],
        without: Collection[str],
        outsides: Mapping[int, Outside] | None = None,
        whole: Mapping[int, bytes] | None = None,
        *,
        anew: bool = False,
    ) -> Batch:
        """The first of these letters, as many as go into a window."""
        uids = [uid for uid in uids if f"{known.validity}:{uid}" not in without] if without else uids
        letters, known = await self._taking.take(wire, known, uids[: self._settings.window], outsides, whole)
        more = bool(uids) and known.uid < uids[-1]
        if more:
            self._found = _Found(selected, str(known), [uid for uid in uids if uid > known.uid])
        elif known.below > known.uid + 1:
            known = await self._at(wire, replace(known, uid=known.below - 1))
        return Batch(letters, str(known), more, anew)

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
        below = await self._below(wire, selected)
        self._seen_next = below
        day = int(self._clock() // 86_400)
        return Batch((), str(await self._at(wire, ImapCursor(selected.uidvalidity, below - 1, day))))

    @staticmethod
    async def _below(wire: Wire, selected: Selected) -> int:
        """The first UID that no letter has."""
        return selected.uidnext or max(await wire.search_from(1), default=0) + 1

    @staticmethod
    async def _at(wire: Wire, cursor: ImapCursor) -> ImapCursor:
        """The cursor with what lies there."""
        found = (await wire.outsides([cursor.uid])).get(cursor.uid) if cursor.uid else None
        return replace(cursor, came=found.came if found else NOTHING)

    async def _begun_anew(self, wire: Wire, selected: Selected, known: ImapCursor) -> bool:
        """Whether UIDs up to the cursor's may belong to other letters by now. A server whose UIDNEXT lags behind does not
        count where the last letter lies where it lay."""
        if known.validity != selected.uidvalidity:
            return True
        if not known.uid:
            return False
        found = (await wire.outsides([known.uid])).get(known.uid)
        if 0 < selected.uidnext <= known.uid and found is None:
            return True
        return found is not None and known.is_another(found.came)

    @staticmethod
    async def _unread(wire: Wire, known: ImapCursor) -> list[int]:
        first = known.uid + 1
        if known.below <= first:
            return await wire.search_from(first)
        old = [uid for uid in await wire.search_from(first, known.since) if uid < known.below]
        return old + await wire.search_from(known.below)

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
