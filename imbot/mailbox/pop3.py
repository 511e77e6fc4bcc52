"""Reads the reply mailbox by POP3, for servers that offer nothing better. Same shape as `Imap`, same words.

POP3 has no cursor of its own, so ours lists what is known (`imbot.mailbox.pop3_cursor`). A session is short: connect, list,
fetch, delete what is old enough, QUIT. Deletion happens only in a `fetch_new` whose cursor names the letter: that the caller
holds the cursor proves that the letter is durable. And only where its bytes are still those that were handed over: a name on
the server may have become another letter's. What was there before the first run is neither read nor deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import poplib
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from imbot.domain.errors import LetterWithheld, MailboxError, SignInRefused, TokenError
from imbot.mailbox.inbox import Batch, Fetched, TlsMode, tls_context, untrusted
from imbot.mailbox.oauth import Tokens, oauthbearer, said_in_challenge, secrets_of_sign_in, without, xoauth2
from imbot.mailbox.pop3_cursor import MARK, NEVER, Known, marks_of, read_cursor, short_hash, write_cursor

_T = TypeVar("_T")
_S = TypeVar("_S", bound=socket.socket)

poplib._MAXLINE = 1024 * 1024  # type: ignore[attr-defined]  # 2048 by default: real HTML letters have longer lines

_DAY = 86_400
_BATCH_BYTES = 24 * 1024 * 1024
_LINES = 200  # of a letter, beside its headers, that tell it from another of the same name


@dataclass(frozen=True, slots=True)
class Pop3Settings:
    """`delete_after_days`: letters are deleted on the server that many days after they were handed over; None: never.
    `timeout`: seconds for each answer; `session`: seconds for a whole visit. The rest as in `ImapSettings`."""

    host: str
    port: int
    username: str
    password: str
    tls: TlsMode = "tls"
    ca_file: str = ""
    timeout: float = 30.0
    session: float = 300.0
    delete_after_days: int | None = None
    window: int = 50
    start: Literal["now", "all"] = "now"
    largest: int = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Listed:
    number: int
    size: int
    name: str  # the UIDL; what the content gives where the server knows none, or where letters share it


class Pop3:
    """One mailbox, visited anew at each call. `clock`: Unix seconds."""

    def __init__(
        self, settings: Pop3Settings, clock: Callable[[], float] = time.time, tokens: Tokens | None = None
    ) -> None:
        self._settings, self._tokens = settings, tokens
        self._clock = clock
        self._lock = asyncio.Lock()
        self._cuts, self._one_by_one = 0, 0  # visits in a row that a letter has ended; that are to take one letter only
        self._before: list[_Listed] = []  # of a server without UIDL: what was there at the last visit

    async def fetch_new(self, cursor: str | None, without: Collection[str] = ()) -> Batch:
        """The letters that `cursor` does not know, at most a window of them, `without` those keys. None: the first run (see
        `start`). Raises LetterWithheld where the first of them is not handed out."""
        today = int(self._clock() // _DAY)
        settings = replace(self._settings, window=1) if self._one_by_one else self._settings

        def look(visit: _Visit) -> tuple[Batch, list[_Listed]]:
            listing = visit.listing(self._before)
            batch = _new_of(visit, listing, settings, cursor, today, without)
            return batch, [] if visit.knows_uidl else listing

        try:
            batch, self._before = await self._visit(look)
        except MailboxError as error:
            self._cuts += error.lost
            if self._cuts > 1:
                self._cuts, self._one_by_one = 0, self._settings.window
            raise
        self._cuts, self._one_by_one = 0, max(0, self._one_by_one - 1)
        return batch

    async def fetch_one(self, key: str) -> Fetched | None:
        """The letter of that key, None where it is gone. Raises LetterWithheld where it is not handed out."""

        def one(visit: _Visit) -> Fetched | None:
            for listed in visit.listing():
                if listed.name == key:
                    raw, truncated = visit.take(listed)
                    return Fetched("", key, raw, listed.size, truncated)
            return None

        return await self._visit(one)

    @property
    def place(self) -> str:
        """Which mailbox this is, whatever way leads there."""
        return f"pop3://{self._settings.username}@{self._settings.host.lower()}"

    def elsewhere(self, _: str) -> str:
        """The cursor to begin with here, where another mailbox was read before: everything is read."""
        return MARK

    async def wait(self, seconds: float) -> bool:
        """POP3 tells nothing by itself: wait the time out, return False."""
        await asyncio.sleep(seconds)
        return False

    async def mark(self, letters: Sequence[Fetched]) -> None:
        """POP3 has no marks; deleting is `fetch_new`'s, after the configured days."""

    async def check(self) -> str:
        """Sign in and count; one line of what was found. Raises MailboxError."""
        count, uidl = await self._visit(lambda visit: (len(visit.listing()), visit.knows_uidl))
        found = f"{self._where}: signed in as {self._settings.username}, {count} letters"
        return found if uidl else found + ", no UIDL: letters are told apart by their content"

    async def close(self) -> None:
        """Nothing is kept open between calls."""

    @property
    def _where(self) -> str:
        return f"POP3 {self._settings.host}:{self._settings.port}"

    async def _visit(self, work: Callable[[_Visit], _T]) -> _T:
        async with self._lock:
            if self._tokens is None:
                return await self._one_visit(work, "")
            try:
                return await self._tokens.sign_in(
                    lambda token: self._one_visit(work, token), lambda error: isinstance(error, SignInRefused)
                )
            except TokenError as error:
                raise MailboxError(f"{self._where}: {error}", permanent=error.permanent) from error

    async def _one_visit(self, work: Callable[[_Visit], _T], token: str) -> _T:
        """One session in a thread. When the time is up or the caller is cancelled, its socket is cut, which ends the thread."""
        visit = _Visit(self._settings, self._where, token)
        try:
            async with asyncio.timeout(self._settings.session):
                return await asyncio.to_thread(visit.run, work)
        except TimeoutError as error:
            raise MailboxError(f"{self._where}: not done within {self._settings.session:g} s") from error
        finally:
            visit.cut()


class _Visit:
    """One session, in a thread of its own: everything here blocks."""

    def __init__(self, settings: Pop3Settings, where: str, token: str) -> None:
        self._settings, self._where, self._token = settings, where, token
        self._hidden = secrets_of_sign_in(settings.username, token, settings.host, settings.port)
        self._pop: poplib.POP3 | None = None
        self._socket: socket.socket | None = None
        self._is_cut = False
        self.knows_uidl = True

    def run(self, work: Callable[[_Visit], _T]) -> _T:
        """Sign in, work, QUIT (which is when the server deletes). Raises MailboxError."""
        try:
            self._sign_in()
            result = work(self)
            self.pop.quit()
        except ssl.SSLCertVerificationError as error:
            raise MailboxError(f"{self._where}: {untrusted(error)}", permanent=True) from error
        except (poplib.error_proto, OSError, ValueError) as error:
            raise MailboxError(f"{self._where}: {self._said(error)}") from (None if self._hidden else error)
        finally:
            self._let_go()
        return result

    def _said(self, error: Exception) -> str:
        """The server's words without the token, which it may repeat."""
        said = error.args[0] if error.args else ""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
        return without(self._hidden, " ".join(text.split()))[:300] or type(error).__name__

    def cut(self) -> None:
        """From another thread: end whatever this session waits for."""
        self._is_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._pop is not None:
            with contextlib.suppress(OSError):  # it shuts down a socket that a failed handshake has closed already
                self._pop.close()
        if self._socket is not None:
            self._socket.close()

    def keep(self, opened: _S) -> _S:
        """The socket to cut and to close, from the moment it exists. Raises OSError where the session was cut before."""
        self._socket = opened
        if self._is_cut:
            raise ConnectionAbortedError("the session was given up")
        return opened

    @property
    def pop(self) -> poplib.POP3:
        if self._pop is None:
            raise MailboxError(f"{self._where}: not connected")
        return self._pop

    def _sign_in(self) -> None:
        settings = self._settings
        context = tls_context(settings.ca_file) if settings.tls != "none" else None
        self._pop = _Client(self, settings, context if settings.tls == "tls" else None)
        self._pop.encoding = "utf-8"
        try:
            if settings.tls == "starttls":
                self._pop.stls(context)
                self.keep(self._pop.sock)
            if self._token:
                self._give_token()
            else:
                self._pop.user(settings.username)
                self._pop.pass_(settings.password)
        except poplib.error_proto as error:
            said = self._said(error)
            permanent = not any(
                code in said.upper() for code in ("IN-USE", "SYS/TEMP", "LOGIN-DELAY")
            )  # RFC 2449, 3206
            kind = SignInRefused if permanent else MailboxError
            raise kind(f"{self._where}: login: {said}", permanent=permanent) from (None if self._hidden else error)

    def _give_token(self) -> None:
        """AUTH in two steps: with the token the line would be longer than POP3 allows (RFC 1939: 255 bytes)."""
        settings, offered = self._settings, [word.upper() for word in self.pop.capa().get("SASL", [])]
        if "XOAUTH2" in offered:
            mechanism, words, give_up = "XOAUTH2", xoauth2(settings.username, self._token), ""
        elif "OAUTHBEARER" in offered:
            words = oauthbearer(settings.username, self._token, settings.host, settings.port)
            mechanism, give_up = "OAUTHBEARER", "AQ=="
        else:
            raise MailboxError(f"{self._where}: the server takes no tokens (XOAUTH2, OAUTHBEARER)", permanent=True)
        self._say(f"AUTH {mechanism}")
        challenge = self._say(words)
        if challenge.startswith(b"+ "):  # the reason of a refusal; the refusal itself comes when we have heard it
            try:
                self._say(give_up)
            except poplib.error_proto as error:
                reason = said_in_challenge(challenge, self._hidden)
                raise poplib.error_proto(f"{self._said(error)}{f' ({reason})' if reason else ''}") from None

    def _say(self, line: str) -> bytes:
        answer: bytes = self.pop._shortcmd(line)  # type: ignore[attr-defined]
        return answer

    def listing(self, before: Sequence[_Listed] = ()) -> list[_Listed]:
        """What is there, in order, each with its name. `before`: what was there at the last visit."""
        sizes = [(int(line.split()[0]), int(line.split()[1])) for line in self.pop.list()[1]]
        try:
            answer = self.pop.uidl()
            names = {
                int(number): name.decode("utf-8", "replace") for number, name in (line.split() for line in answer[1])
            }
            names |= self._names_of_namesakes(sizes, names)
        except poplib.error_proto:
            self.knows_uidl = False
            names = self._content_names(sizes, before)
        return [_Listed(number, size, names[number]) for number, size in sizes if number in names]

    def _names_of_namesakes(self, sizes: list[tuple[int, int]], names: dict[int, str]) -> dict[int, str]:
        """RFC 1939 promises a name to one letter; some servers make it of the Message-ID, and a letter may come twice."""
        times = Counter(names.values())
        shared = {number: size for number, size in sizes if times[names.get(number, "")] > 1}
        return {
            number: f"{names[number]}:{self._content_name(number, size, _LINES)}" for number, size in shared.items()
        }

    def _content_names(self, sizes: list[tuple[int, int]], before: Sequence[_Listed]) -> dict[int, str]:
        """Letters of the last visit are not read again: if all their sizes stand where they stood, and the last of them is the
        very letter still, then none was taken from among them (all behind it would have moved up)."""
        same = bool(before) and [(one.number, one.size) for one in before] == sizes[: len(before)]
        if not same or self._content_name(before[-1].number, before[-1].size) != before[-1].name:
            before = ()
        names = {one.number: one.name for one in before}
        return names | {number: self._content_name(number, size) for number, size in sizes[len(before) :]}

    def _content_name(self, number: int, size: int, lines: int = 0) -> str:
        """For servers without UIDL: the headers (with their Received lines) and the size tell letters apart."""
        try:
            content = self.headers(number, lines)
        except poplib.error_proto:  # TOP is optional too
            content = self.letter(number)
        return f"content:{size}:{hashlib.sha256(content).hexdigest()}"

    def letter(self, number: int) -> bytes:
        return b"\r\n".join(self.pop.retr(number)[1]) + b"\r\n"

    def take(self, listed: _Listed, *, alone: bool = True) -> tuple[bytes, bool]:
        """Its bytes, and whether these are its headers only. `alone`: nothing else was asked for in this visit, so that a
        connection that ends is its doing. Raises LetterWithheld, or MailboxError."""
        truncated = listed.size > self._settings.largest
        try:
            return self.headers(listed.number) if truncated else self.letter(listed.number), truncated
        except (poplib.error_proto, OSError) as error:
            lost = isinstance(error, OSError) or "EOF" in str(error)
            if lost and not alone:
                raise MailboxError(f"{self._where}: {self._said(error)}", lost=True) from error
            said = f"{self._where}: the server does not hand out letter {listed.name[:100]}: {self._said(error)}"
            raise LetterWithheld(said, listed.name, listed.size, lost=lost) from None

    def headers(self, number: int, lines: int = 0) -> bytes:
        return b"\r\n".join(self.pop.top(number, lines)[1]) + b"\r\n"

    def delete(self, number: int) -> None:
        self.pop.dele(number)


class _Client(poplib.POP3):
    """poplib loses its socket when the greeting fails, and makes none that another thread could cut: so we make it."""

    def __init__(self, visit: _Visit, settings: Pop3Settings, context: ssl.SSLContext | None) -> None:
        self._visit = visit
        self._context = context
        super().__init__(settings.host, settings.port, timeout=settings.timeout)

    def _create_socket(self, timeout: float) -> socket.socket:
        opened = self._visit.keep(socket.create_connection((self.host, self.port), timeout))
        if self._context is None:
            return opened
        # The handshake comes after keeping the wrapped socket, so that a slow one can be cut.
        wrapped = self._context.wrap_socket(opened, server_hostname=self.host, do_handshake_on_connect=False)
        self._visit.keep(wrapped).do_handshake()
        return wrapped


def _new_of(
    visit: _Visit,
    listing: list[_Listed],
    settings: Pop3Settings,
    cursor: str | None,
    today: int,
    without: Collection[str],
) -> Batch:
    if not listing:  # an empty list may be a passing fault of the server: forget nothing because of it
        return Batch((), cursor if cursor is not None else MARK)
    marks = {listed.number: marks_of(listed.name, listed.size) for listed in listing}
    if cursor is None and settings.start == "now":
        return Batch((), write_cursor({mark: Known() for mark, _ in marks.values()}))
    known = read_cursor(cursor)
    here = {mark: known.get(mark) or known[old] for mark, old in marks.values() if mark in known or old in known}
    wanted = [listed for listed in listing if marks[listed.number][0] not in here and listed.name not in without]
    old = [listed for listed in listing if _is_old(here.get(marks[listed.number][0]), settings, today)]
    old = [listed for listed in old if listed.name not in without]
    letters: list[Fetched] = []
    weight = 0
    for count, listed in enumerate((*wanted, *old)[: settings.window]):
        weight += min(listed.size, settings.largest)
        if count and weight > _BATCH_BYTES:
            break
        mark, before = marks[listed.number][0], here.get(marks[listed.number][0])
        try:
            raw, truncated = visit.take(listed, alone=not count)
        except LetterWithheld as error:
            if before is not None and not error.lost:
                continue  # it was read once, and stays
            if count:
                break
            raise
        content = short_hash(raw) if settings.delete_after_days is not None else ""
        if before is not None and before.content == content:
            visit.delete(listed.number)
            continue
        here[mark] = Known(today) if before is None or before.content else before
        here[mark] = replace(here[mark], content=content)
        letters.append(Fetched(write_cursor(here), listed.name, raw, listed.size, truncated))
    new = sum(1 for listed in wanted if marks[listed.number][0] not in here)
    return Batch(tuple(letters), write_cursor(here), more=new > 0)


def _is_old(known: Known | None, settings: Pop3Settings, today: int) -> bool:
    """Whether the letter is to be deleted, if it is still the one that was handed over."""
    days = settings.delete_after_days
    return days is not None and known is not None and known.day != NEVER and today - known.day >= days
