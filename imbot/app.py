"""The composition root: `build` wires everything by hand, `App.run` starts, restarts and stops the loops.

    build: settings -> folders, lock, schema -> data base -> edges -> loops        (nothing talks to the world yet)
    run:   Telegram greeted -> loops side by side -> stop -> loops drain (<= 10 s) -> edges and data base closed

The only module that knows everybody.
"""

from __future__ import annotations

import imbot.lean  # isort: skip # before all others: they take the libraries as they find them

import asyncio
import contextlib
import gc
import os
import secrets
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from types import FunctionType

import structlog

from imbot import wiring
from imbot.channels.telegram import Telegram
from imbot.channels.telegram_wire import read_update
from imbot.config import Settings, warnings
from imbot.domain.errors import DeliveryError, ImbotError
from imbot.domain.parcels import target_of_files
from imbot.durable import write_whole
from imbot.loops.asked import Asked
from imbot.loops.checkup import Checkup
from imbot.loops.cleaning import clean_up
from imbot.loops.courier import Courier
from imbot.loops.dispatch import Dispatch
from imbot.loops.errands import Errands, Sender
from imbot.loops.pulse import Clock, Pulse, first_of
from imbot.loops.screens import Screens
from imbot.loops.timers import Timers
from imbot.loops.watcher import Watcher
from imbot.services.env import WATCHER, Env
from imbot.store import epoch, inbox, tickets
from imbot.store.db import Db
from imbot.store.errors import StoreUnavailable
from imbot.store.lock import InstanceLock
from imbot.store.migrate import migrate

log = structlog.get_logger(__name__)

_RESTART = (1.0, 5.0, 15.0, 60.0)
_DRAIN = 9.0
_SERVES = 1.0  # seconds after which a start is over
_AT_ONCE = 20  # docstrings let go of in one turn of the loop
_GREET_AGAIN = 10.0


@dataclass(frozen=True, slots=True)
class Folders:
    """Where state lives, all 0700: the data base, the employees' files, raw letters."""

    root: Path
    files: Path
    letters: Path

    @property
    def database(self) -> str:
        return f"sqlite:///{self.root / 'imbot.db'}"


class App:
    """A running imbot. Built by `build`; `db`, `env` and `pulse` are there for the demo and the health page."""

    def __init__(
        self, settings: Settings, folders: Folders, lock: InstanceLock, db: Db, env: Env, clock: Clock
    ) -> None:
        self._clock = clock
        self.settings, self.folders, self.db = settings, folders, db
        self._lock = lock
        self.pulse = Pulse(clock)
        db.on_commit(self._stored)
        self.templates = wiring.templates(settings)
        self.env = replace(env, templates=self.templates)
        self.telegram = Telegram(wiring.telegram(settings))
        self._smtp = wiring.smtp(settings)
        self._mailboxes = wiring.mailboxes(settings)
        self._directory = wiring.directory(settings)
        self._asked = Asked(self._directory, self.pulse)
        self._reader = wiring.reader(settings)
        self.watchers = [self._watcher(name) for name in self._mailboxes]
        self.timers = self._timers()

    def _stored(self) -> None:
        self.pulse.ok("store")

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then drain. Raises ImbotError where it cannot start at all."""
        for warning in warnings(self.settings):
            log.warning("settings", note=warning)
        try:
            async with self._reader:
                await self._serve(stop)
        finally:
            await self.close()

    async def close(self) -> None:
        """Free everything, in the reverse order. Idempotent."""
        mailboxes = [mailbox.close() for mailbox in self._mailboxes.values()]
        for closing in (self.telegram.close(), self._smtp.close(), *mailboxes, self._directory.close()):
            try:
                await asyncio.wait_for(closing, 3)
            except (ImbotError, TimeoutError) as error:
                log.warning("close_failed", error=str(error))
        await self.db.close()
        self._lock.release()

    async def _greet(self, stop: asyncio.Event) -> None:
        """Learn the bot's name and register its commands, again and again until Telegram answers; everything else goes on
        meanwhile, and letters use the name of the last time."""
        while not stop.is_set():
            try:
                name = (await self.telegram.start()).username
                await self.db.run(inbox.set_fact, "bot_username", name, self._clock())
                await self.telegram.set_commands(wiring.commands(self.templates, self.env.languages))
                await stop.wait()
            except DeliveryError as error:
                self.pulse.wrong("telegram", str(error))
                log.warning("telegram_not_greeted", error=str(error))
                await first_of(stop, seconds=max(error.retry_after or 0.0, _GREET_AGAIN))

    async def _serve(self, stop: asyncio.Event) -> None:
        await self.telegram.open()
        clock = self._clock
        screens = Screens(self.db, self.telegram, self.templates, self.env, self.pulse, clock)
        domain = self.settings.itsm.bot_address.rpartition("@")[2]
        dispatch = Dispatch(self.db, self.telegram, read_update, screens, self.env, self.pulse, clock, domain)
        itsm, reserve = self.settings.itsm, self.settings.files.reserve_bytes
        sender = Sender(itsm.bot_address, itsm.bot_name, self.folders.files, reserve)
        channels = {"telegram": self.telegram}
        pokes = [watcher.poke for watcher in self.watchers]
        look = Checkup(self.pulse, pokes).look
        errands = Errands(self.db, self._smtp, self._asked, channels, self.templates, sender, self.env, clock, look)
        courier = Courier(self.db, errands.run, self.env, self.pulse, clock)
        pokes.append(courier.probe)
        screens.on_shown(partial(courier.works_elsewhere, self.telegram.name))
        dispatch.on_recovered(screens.hurry)
        dispatch.on_recovered(partial(courier.works_elsewhere, self.telegram.name))
        dispatch.on_recovered(partial(courier.works_elsewhere, target_of_files(self.telegram.name)))
        loops: dict[str, Callable[[asyncio.Event], Awaitable[None]]] = {
            "dispatch": dispatch.run,  # first: whoever wrote while we were away has waited long enough
            "greeting": self._greet,
            "screens": screens.run,
            "courier": courier.run,
            **{f"watcher {watcher.name}": watcher.run for watcher in self.watchers},
            "timers": self.timers.run,
        }
        if self.settings.server.listen:
            from imbot.loops.health import serve

            loops["health"] = lambda stop: serve(stop, self.settings.server.listen, self.db, self.pulse, clock)
        gc.collect()
        gc.freeze()  # what a start leaves behind lives as long as we do: no later collection need walk through it
        tasks = {name: asyncio.create_task(_for_ever(name, loop, stop)) for name, loop in loops.items()}
        log.info("serving", loops=sorted(tasks))
        await stop.wait()
        _, late = await asyncio.wait(tasks.values(), timeout=_DRAIN)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        log.info("stopped", cut_short=len(late))

    def _watcher(self, name: str) -> Watcher:
        return Watcher(
            self.db,
            self._mailboxes[name],
            self._reader,
            self.folders.letters,
            self.env,
            self.pulse,
            self._clock,
            name=name,
            others=[other for other in self._mailboxes if other != name] if name == WATCHER else None,
            wait_seconds=600.0,
        )

    def _timers(self) -> Timers:
        return Timers(
            self.db,
            self._asked,
            self.env,
            self.pulse,
            self._clock,
            poll=self._poll,
            poll_seconds=min(one.poll_seconds for one in self.settings.mailboxes().values()),
            clean_up=self._clean_up,
            sweep_every=timedelta(minutes=self.settings.directory.sweep_minutes),
            folder=self.folders.root,
            reserve=self.settings.files.reserve_bytes,
        )

    def _poll(self) -> None:
        for watcher in self.watchers:
            watcher.poke()

    async def _clean_up(self) -> None:
        done = await clean_up(self.db, self.settings.retention, self.folders.files, self.folders.letters, self._clock())
        await self.db.checkpoint()
        log.info("cleaned_up", **done)


def _now() -> datetime:
    return datetime.now(UTC)


async def build(settings: Settings, clock: Clock = _now) -> App:
    """Everything wired, the schema at its newest, nothing running. Raises ImbotError naming what is wrong."""
    imbot.lean.keep_memory_together()
    folders = make_folders(settings.general.data_dir)
    lock = InstanceLock(folders.root)
    lock.acquire()
    try:
        env = wiring.env(settings, secret_key(folders.root))
        wiring.check_templates(settings)
        applied = await asyncio.to_thread(migrate, folders.database)
        if applied:
            log.info("migrated", revisions=applied)
        db = await Db.open(folders.database)
        await _begin_epoch(db, folders.root / "imbot.epoch")
        for name, count in (await db.read(tickets.of_lost_backends, tuple(env.backends))).items():
            log.warning("helpdesk_missing", backend=name, open_requests=count)
        return App(settings, folders, lock, db, env, clock)
    except BaseException:
        lock.release()
        raise


async def run(settings: Settings) -> None:
    """`imbot run`: until SIGTERM or SIGINT."""
    app = await build(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(name, stop.set)
    forgetting = asyncio.create_task(_forget_docs(imbot.lean.documented()))  # before `run` freezes the heap
    try:
        await app.run(stop)
    finally:
        forgetting.cancel()


async def _forget_docs(documented: list[FunctionType | type]) -> None:
    """4 MiB of memory; once it serves, and little by little, so that nobody waits for it."""
    await asyncio.sleep(_SERVES)
    while documented:
        for one in documented[-_AT_ONCE:]:
            imbot.lean.forget_doc(one)
        del documented[-_AT_ONCE:]
        await asyncio.sleep(0)


def make_folders(root: Path) -> Folders:
    """The folders of the state, made where they are missing. Raises ImbotError where they cannot be written to."""
    folders = Folders(root, root / "files", root / "letters")
    try:
        for folder in (folders.root, folders.files, folders.letters):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = root / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ImbotError(f"{root}: cannot be written to ({error.strerror}); imbot keeps its state there") from None
    return folders


def hand_over(root: Path) -> None:
    """What root has made in a folder of somebody else's is theirs: imbot, started as them, could not write to it."""
    owner = root.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in root.iterdir():
        if path.lstat().st_uid == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def secret_key(root: Path) -> bytes:
    """The key that codes and links are hashed with: beside the data base, not in it; 0600, minted once."""
    path = root / "secret.key"
    if not path.exists():
        write_whole(path, secrets.token_bytes(32))
    key = path.read_bytes()
    if len(key) < 32:
        raise ImbotError(f"{path} is damaged: put it back from a backup, or remove it (open codes and links then die)")
    return key


async def _begin_epoch(db: Db, path: Path) -> None:
    fresh = secrets.token_hex(8)
    if await db.run(epoch.begin, epoch.read_mark(path), fresh, _now()):
        epoch.write_mark(path, fresh)
    else:
        log.error("held", note="the data base is older than what was sent: `imbot outbox confirm` says go on")


async def _for_ever(name: str, loop: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """A loop that dies of a mistake of ours, or finds no data base when it begins, is started again, later each time; the
    others go on."""
    for wait in chain(_RESTART, repeat(_RESTART[-1])):
        try:
            await loop(stop)
        except StoreUnavailable as error:  # locked or full at this moment: no mistake of ours
            log.error("store_unavailable", loop=name, error=str(error))
        except Exception:
            log.exception("loop_died", loop=name)
        if stop.is_set():
            return
        await first_of(stop, seconds=wait)
