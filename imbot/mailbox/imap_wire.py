"""One bounded IMAP connection: aioimaplib with a limit on every wait, and the small grammar that it leaves to its callers.

Whatever goes wrong (silence, a cut in the middle of a literal, BYE, an answer that cannot be read) ends the same way: the
transport is aborted and MailboxError is raised. A connection that has failed once is never used again. It knows nothing of
cursors, windows or marks: that is `imbot.mailbox.imap`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Coroutine, Sequence
from datetime import date
from typing import Any, TypeVar

import aioimaplib  # type: ignore[import-untyped]

from imbot.domain.errors import MailboxError, SignInRefused
from imbot.mailbox import oauth
from imbot.mailbox.imap_feed import (
    EXISTS,
    Answer,
    Feed,
    Outside,
    Pauses,
    Selected,
    read_literals,
    read_outsides,
    read_selected,
)
from imbot.mailbox.imap_names import folder_name, read_folders, read_separator
from imbot.mailbox.inbox import TlsMode, tls_context, untrusted

_T = TypeVar("_T")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PASSING = re.compile(r"\[(UNAVAILABLE|INUSE|SERVERBUG|LIMIT|CONTACTADMIN)\]", re.IGNORECASE)  # RFC 5530
_FOLDERS_NAMED = 20
_LONGEST_FLOW = 600.0  # seconds that letters may take while bytes of them go on coming: a thin line is not a silent one
_OUTSIDE = "(UID RFC822.SIZE INTERNALDATE)"
_SHORT = (
    32 * 1024
)  # bytes; a letter that has fewer is whole when asked for so many, whatever its server says of its size


class Wire:
    """One connection, from greeting to abort. Not for use by two tasks at once."""

    def __init__(self, where: str, timeout: float) -> None:
        self._where = where
        self._timeout = timeout
        self._client: aioimaplib.IMAP4 | None = None
        self._feed: Feed | None = None
        self._fault = ""
        self.silent = False  # whether it ended by an answer that did not come
        self._hidden: tuple[str, ...] = ()  # a token in all its forms: the server may repeat it, an error does not
        self._between = ""  # the server's separator of folder and subfolder, once it was asked for
        self._background: asyncio.Future[Any] | None = None  # an IDLE under way
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def alive(self) -> bool:
        return self._client is not None and not self._lost.done()

    def can(self, capability: str) -> bool:
        return self._client is not None and capability in {
            str(item).upper() for item in self._client.protocol.capabilities
        }

    # --- life

    async def open(self, host: str, port: int, tls: TlsMode, ca_file: str) -> None:
        """Connect and read the greeting; with STARTTLS the plain part is over before anything else is said."""
        try:
            context = await asyncio.to_thread(tls_context, ca_file) if tls != "none" else None
        except OSError as error:
            raise MailboxError(
                f"{self._where}: the file of authorities cannot be read: {error}", permanent=True
            ) from error
        self._client = aioimaplib.IMAP4(
            host=host,
            port=port,
            timeout=self._timeout,
            conn_lost_cb=self._on_lost,
            ssl_context=context if tls == "tls" else None,
        )
        self._listen_for_faults(self._client.protocol)
        await self.bounded("the greeting", self._client.wait_hello_from_server())
        if tls == "starttls" and context is not None:
            await self._start_tls(host, context)

    async def _start_tls(self, host: str, context: ssl.SSLContext) -> None:
        protocol = self._protocol
        await self.ask("STARTTLS", protocol.execute(aioimaplib.Command("STARTTLS", protocol.new_tag())), permanent=True)
        if protocol.incomplete_line:  # bytes that somebody slipped in before the encryption (CVE-2011-0411)
            self.abort()
            raise MailboxError(f"{self._where}: plain text after STARTTLS: somebody may be listening", permanent=True)
        loop = asyncio.get_running_loop()
        upgrade = loop.start_tls(protocol.transport, protocol, context, server_hostname=host)
        protocol.transport = await self.bounded("the encryption", upgrade)
        await self.bounded("CAPABILITY", protocol.capability())

    async def login(self, username: str, password: str) -> None:
        """LOGIN, or AUTHENTICATE PLAIN where a name or password is not ASCII (RFC 3501 has no such strings)."""
        protocol = self._protocol
        if (username + password).isascii():
            asked = protocol.login(aioimaplib.quoted(username), password)
        else:
            blob = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
            asked = self._authenticate(protocol, blob)
        await self._sign_in(asked)

    async def login_by_token(self, username: str, token: str, host: str, port: int) -> None:
        """AUTHENTICATE XOAUTH2, or OAUTHBEARER where only that is offered. Raises SignInRefused, with the server's reason."""
        protocol, said = self._protocol, bytearray()
        self._hidden = oauth.secrets_of_sign_in(username, token, host, port)
        if self.can("AUTH=XOAUTH2"):
            mechanism, blob, give_up = "XOAUTH2", oauth.xoauth2(username, token), b"\r\n"
        elif self.can("AUTH=OAUTHBEARER"):
            mechanism, blob, give_up = "OAUTHBEARER", oauth.oauthbearer(username, token, host, port), b"AQ==\r\n"
        else:
            raise MailboxError(f"{self._where}: the server takes no tokens (XOAUTH2, OAUTHBEARER)", permanent=True)
        at_once = self.can("SASL-IR")
        waiting = [] if at_once else [blob.encode() + b"\r\n"]

        def challenged(line: bytes) -> None:
            """aioimaplib answers nothing, and the server would wait for ever."""
            if not waiting:
                said.extend(line)
            protocol.transport.write(waiting.pop() if waiting else give_up)

        protocol._continuation, usual = challenged, protocol._continuation
        try:
            await self._sign_in(self._authenticate(protocol, blob if at_once else "", mechanism), said)
        finally:
            protocol._continuation = usual

    async def _sign_in(self, asked: Coroutine[Any, Any, Any], said: bytearray | None = None) -> None:
        try:
            await self.ask("login", asked, permanent=True)
        except MailboxError as error:
            reason = oauth.said_in_challenge(bytes(said), self._hidden) if said else ""
            if error.permanent and self.alive:
                raise SignInRefused(f"{error}{f' ({reason})' if reason else ''}", permanent=True) from error
            raise
        await self.bounded("CAPABILITY", self._protocol.capability())

    @staticmethod
    async def _authenticate(protocol: Any, blob: str, mechanism: str = "PLAIN") -> Any:
        command = aioimaplib.Command("AUTHENTICATE", protocol.new_tag(), *[mechanism, *([blob] if blob else [])])
        response = await protocol.execute(command, scrub=blob)
        if response.result == "OK":
            protocol.state = aioimaplib.AUTH
        return response

    async def logout(self) -> None:
        """Say goodbye if that is quick, then let go. Never raises."""
        if self.alive:
            with contextlib.suppress(MailboxError):
                await self.bounded("LOGOUT", self._protocol.logout(), seconds=min(2.0, self._timeout))
        self.abort()

    def abort(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        client._client_task.cancel()
        if self._background is not None:
            self._background.cancel()
        for task in (*client.tasks, *client.protocol.tasks):
            task.cancel()
        if client.protocol.transport is not None:
            client.protocol.transport.abort()

    def _on_lost(self, _: Exception | None) -> None:
        if not self._lost.done():
            self._lost.set_result(None)

    def _listen_for_faults(self, protocol: Any) -> None:
        """aioimaplib raises for a bad greeting and for answers it cannot place where nobody listens: here they end the
        connection, and are told to whoever waits for it."""
        feed = self._feed = Feed(protocol)
        welcome, data_received, pauses = protocol.welcome, feed.data_received, Pauses(protocol)

        def fault(error: Exception) -> None:
            self._fault = self._fault or ": " + (self._one_line(error)[:200] or type(error).__name__)
            self._on_lost(None)
            self.abort()

        async def careful_welcome(line: bytes) -> None:
            try:
                await welcome(line)
            except Exception as error:
                fault(error)

        def careful_data_received(data: bytes) -> None:
            try:
                data_received(data)
            except Exception as error:  # RecursionError and UnicodeError among them
                fault(error)
            pauses.came(len(data))

        protocol.welcome, protocol.data_received = careful_welcome, careful_data_received

    def _one_line(self, error: Exception) -> str:
        return oauth.without(self._hidden, " ".join(str(error).split()))

    @property
    def _protocol(self) -> Any:
        if self._client is None:
            raise MailboxError(f"{self._where}: not connected")
        return self._client.protocol

    # --- bounded waiting

    async def bounded(self, what: str, work: Coroutine[Any, Any, _T], *, seconds: float | None = None) -> _T:
        """The result of `work`, or MailboxError as soon as the connection is lost, the time is up or the answer is mad."""
        limit = self._timeout if seconds is None else seconds
        task = asyncio.ensure_future(work)
        waiting: set[asyncio.Future[Any]] = {task, self._lost}
        feed, until, flows = self._feed, asyncio.get_running_loop().time() + _LONGEST_FLOW, True
        try:
            while flows:
                came = feed.came if feed else 0
                done, _ = await asyncio.wait(waiting, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                flows = not done and feed is not None and feed.collects and feed.came > came
                flows = flows and asyncio.get_running_loop().time() < until
            if task.done():
                return task.result()
            if self._lost.done():
                raise MailboxError(f"{self._where}: the connection broke during {what}{self._fault}", lost=True)
            self.silent = True
            raise MailboxError(f"{self._where}: no answer within {limit:g} s to {what}", lost=True)
        except MailboxError:
            self.abort()
            raise
        except ssl.SSLCertVerificationError as error:
            self.abort()
            raise MailboxError(f"{self._where}: {untrusted(error)}", permanent=True) from error
        except (aioimaplib.AioImapException, OSError, ValueError, IndexError, AttributeError) as error:
            self.abort()
            words = f"{self._where}: {what}: {self._one_line(error)[:300] or type(error).__name__}"
            raise MailboxError(words, lost=True) from (None if self._hidden else error)
        except BaseException:
            self.abort()
            raise
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def ask(
        self, what: str, work: Coroutine[Any, Any, Any], *, permanent: bool = False, seconds: float | None = None
    ) -> list[bytes]:
        """The lines of a good answer. NO and BAD are MailboxError as well, but the connection stays good after them."""
        response = await self.bounded(what, work, seconds=seconds)
        if response.result != "OK":
            said = oauth.without(self._hidden, b"".join(response.lines[-1:]).decode("utf-8", "replace"))
            permanent = permanent and not _PASSING.search(said)
            raise MailboxError(f"{self._where}: {what}: {response.result} {said}".rstrip(), permanent=permanent)
        return [bytes(line) for line in response.lines]

    # --- commands

    async def select(self, folder: str, seconds: float | None = None) -> Selected:
        """Opens the folder. `seconds`: of patience for the answer, where it is to be less than usual."""
        try:
            name = await self.folder(folder)
            lines = await self.ask(f"opening {folder}", self._protocol.select(name), permanent=True, seconds=seconds)
        except MailboxError as error:
            raise await self._naming_folders(error) from error
        return read_selected(lines)

    async def folder(self, name: str) -> str:
        """The folder as a command names it. In the settings `/` stands between folder and subfolder whatever the server has."""
        if "/" in name and not self._between:
            lines = await self.command("the folders", "LIST", '""', '""')
            self._between = read_separator(lines) or "/"
        return folder_name(name.replace("/", self._between) if self._between else name)

    async def _naming_folders(self, error: MailboxError) -> MailboxError:
        """A folder that is not there is a renamed one, or a slip of the pen: say which there are."""
        if not (error.permanent and self.alive):
            return error
        names = read_folders(await self.command("the folders", "LIST", '""', '"*"'))
        shown = ", ".join(names[:_FOLDERS_NAMED]) + (", ..." if len(names) > _FOLDERS_NAMED else "")
        said = str(error).rstrip(".")
        return MailboxError(f"{said}; there are {shown}" if names else said, permanent=True)

    async def search_from(self, uid: int, since: date | None = None) -> list[int]:
        """The UIDs not below `uid`, of letters that came on the day `since` or later, ascending.

        `n:*` always names the last letter, even one below n (RFC 3501, 6.4.8).
        """
        asked = f"UID {uid}:*"
        if since is not None:
            asked += f" SINCE {since.day}-{_MONTHS[since.month - 1]}-{since.year}"
        lines = await self.ask("the search", self._protocol.search(asked, charset=None, by_uid=True))
        words = b" ".join(lines[:-1]).split()
        return sorted({int(word) for word in words if word.isdigit() and int(word) >= uid})

    async def outsides(self, uids: Sequence[int]) -> dict[int, Outside]:
        """Of those that are there: size and date of arrival."""
        return read_outsides(await self._fetch("the sizes", _uid_set(uids), _OUTSIDE))

    async def from_on(self, uid: int) -> tuple[dict[int, Outside], dict[int, bytes]]:
        """Of the letter `uid` and of all above it: size and date of arrival; and those that are short, whole."""
        answers = await self._fetch("the letters", f"{uid}:*", f"{_OUTSIDE[:-1]} BODY.PEEK[]<0.{_SHORT}>)")
        outsides = {one: outside for one, outside in read_outsides(answers).items() if one >= uid}
        short = {one: raw for one, raw in read_literals(answers).items() if one in outsides and len(raw) < _SHORT}
        return outsides, {one: raw for one, raw in short.items() if outsides[one].size <= len(raw)}

    async def bodies(self, uids: Sequence[int], *, headers_only: bool = False) -> dict[int, bytes]:
        """The letters that are still there, by UID; nothing is marked by reading them (PEEK)."""
        part = "BODY.PEEK[HEADER]" if headers_only else "BODY.PEEK[]"
        if not uids:
            return {}
        return read_literals(await self._fetch("the letters", _uid_set(uids), f"(UID {part})"))

    async def _fetch(self, what: str, uids: str, items: str) -> list[Answer]:
        if self._feed is None or not uids:
            return []
        with self._feed.collecting() as answers:
            await self.ask(what, self._uid("FETCH", uids, items))
        return answers

    async def command(self, what: str, name: str, *arguments: str) -> list[bytes]:
        """A simple command (STATUS, CREATE, NOOP)."""
        return await self.ask(what, self._protocol.simple_command(name, *arguments))

    async def uid(self, what: str, name: str, uids: Sequence[int], *arguments: str) -> list[bytes]:
        """`UID name set arguments` for STORE, COPY, MOVE, EXPUNGE."""
        return await self.ask(what, self._uid(name, _uid_set(uids), *arguments))

    async def _uid(self, name: str, *arguments: str) -> Any:
        return await self._protocol.uid(name, *arguments)

    # --- IDLE

    async def idle(self, seconds: float) -> int | None:
        """As soon as the server tells of a letter, how many the folder holds; None when the time is up. MailboxError where
        IDLE is refused."""
        protocol = self._protocol
        while not protocol.idle_queue.empty():
            protocol.idle_queue.get_nowait()
        idling = asyncio.ensure_future(protocol.idle())
        self._background = idling
        await self.bounded("IDLE", self._idle_begun(protocol, idling))
        try:
            return await self._idle_told(protocol, seconds)
        finally:
            # Also when the caller is cancelled: the connection stays, and the next command waits for the end of IDLE.
            if self.alive:
                protocol.idle_done()

    async def _idle_begun(self, protocol: Any, idling: asyncio.Future[Any]) -> None:
        acknowledged = asyncio.ensure_future(protocol.wait_for_idle_response())
        try:
            await asyncio.wait({idling, acknowledged}, return_when=asyncio.FIRST_COMPLETED)
            if idling.cancelled():
                raise MailboxError(f"{self._where}: closed before IDLE began")
            if not acknowledged.done():
                raise MailboxError(f"{self._where}: IDLE is refused: {idling.result().result}")
        finally:
            acknowledged.cancel()

    async def _idle_told(self, protocol: Any, seconds: float) -> int | None:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            pushed = asyncio.ensure_future(protocol.idle_queue.get())
            try:
                await asyncio.wait({pushed, self._lost}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if pushed.done():
                    told = [found for line in pushed.result() if (found := EXISTS.fullmatch(bytes(line)))]
                    if told:
                        return int(told[-1][1])
                elif self._lost.done():
                    self.abort()
                    raise MailboxError(f"{self._where}: the connection broke during IDLE{self._fault}")
            finally:
                pushed.cancel()


def _uid_set(uids: Sequence[int]) -> str:
    """`1:3,7`: ranges keep a command line short (servers stop at 8,000 bytes)."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in runs)
