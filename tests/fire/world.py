"""The world of the fire rig: real Dovecot and slapd, the witnesses in their processes, wires that can be cut between all of
them and imbot, and the config file that points imbot at the wires. imbot itself is started by whoever needs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from imbot.demo.botapi import DEMO_TOKEN
from tests.fire.control import Remote
from tests.fire.people import Person, ldif_of, link, make_persons
from tests.servers import Certificates, Dovecot, Slapd, make_certificates, open_folder

MX = "mx.example.test"
ITSM = "itsm@helpdesk.test"
BOT = "bot@example.test"
ADMIN = "tom@example.test"  # in the directory, in no chat: told by letter alone
LOGIN = ("bot", "secret-of-smtp")
LEGS = ("telegram", "smtp", "imap", "ldap")
JOURNALS = ("botapi", "smtp", "proxy", "itsm", "model", "nanny")
MODULES = {"botapi": "botapi_process", "smtp": "smtp_sink", "proxy": "proxy_process"}
POLL_SECONDS = 5  # between two looks of imbot into a mailbox that announces nothing
_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 20.0  # seconds for a witness to say where it listens
_END = 5.0  # seconds for a witness to end by itself


class World:
    """`async with World(folder, seed, persons) as world`. `settings` is laid over the config, section by section:
    `{"general": {"alarm_minutes": 1}, "telegram": {"poll_timeout": 5}}`. The last `signing_in` persons are not linked.
    `direct`: no wires between imbot and the servers, which cost time where it is speed that is measured.
    `in_order`: letters get their UIDs in the order in which they came; a Maildir under load gives those of a moment in any.
    `pop3`: the mailbox is read by POP3, one session at a time; its leg is "imap" all the same.
    Everything that lasts lies in `folder`; the servers' own files are temporary."""

    bot: Remote
    smtp: Remote
    proxy: Remote
    dovecot: Dovecot
    slapd: Slapd

    def __init__(
        self,
        folder: Path,
        seed: int = 1,
        persons: int = 10,
        *,
        signing_in: int = 0,
        settings: Mapping[str, Any] | None = None,
        limits: bool = True,
        direct: bool = False,
        in_order: bool = False,
        pop3: bool = False,
    ) -> None:
        self.folder, self.seed = folder, seed
        self.persons: list[Person] = make_persons(persons, seed, signing_in)
        self.journals = {name: folder / "journals" / f"{name}.jsonl" for name in JOURNALS}
        self.config = folder / "config.toml"
        self.data = folder / "var"
        self.log = folder / "imbot.log"
        self.mailbox, self.itsm, self.mx = BOT, ITSM, MX
        self.health = ""
        self.wires: dict[str, int] = {}  # leg -> the port that imbot knows
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._settings, self._limits, self._direct = settings or {}, limits, direct
        self._in_order, self._pop3 = in_order, pop3
        self._delivering = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> World:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        (self.folder / "journals").mkdir(parents=True, exist_ok=True)
        folders = {name: stack.enter_context(open_folder(f"imbot-fire-{name}-")) for name in ("tls", "ldap", "mail")}
        certificates = await asyncio.to_thread(make_certificates, folders["tls"])
        self.slapd = Slapd(folders["ldap"], certificates, extra=ldif_of(self.persons))
        extra = ["pop3_lock_session = yes"] if self._pop3 else []
        extra += [f"mail_location = sdbox:{folders['mail']}/mail/%u"] if self._in_order else []
        self.dovecot = Dovecot(folders["mail"], certificates, extra="\n".join(extra))
        stack.push_async_callback(asyncio.to_thread, self.slapd.stop)
        stack.push_async_callback(asyncio.to_thread, self.dovecot.stop)
        _, _, _, telegram, smtp = await asyncio.gather(
            asyncio.to_thread(self.slapd.start),
            asyncio.to_thread(self.dovecot.start),
            asyncio.to_thread(link, self.data, self.persons),
            self._witness(stack, "botapi", "--files", str(self.folder / "botapi")),
            self._witness(stack, "smtp", *self._of_sink(certificates)),
        )
        self.bot, self.smtp = Remote(telegram["control"]), Remote(smtp["control"])
        behind = {
            "telegram": telegram["port"],
            "smtp": smtp["port"],
            "imap": self.mailbox_port,
            "ldap": self.slapd.secure,
        }
        legs = [word for name in LEGS for word in ("--leg", f"{name}={behind[name]}")]
        wires = await self._witness(stack, "proxy", *legs)
        self.proxy = Remote(wires["control"])
        self.wires = {name: wires[name] for name in LEGS}
        for remote in (self.bot, self.smtp, self.proxy):
            stack.push_async_callback(remote.close)
        await self.bot.call("add_users", users=[{"chat": one.chat, "name": one.first_name} for one in self.persons])
        if not self._limits:
            await self.bot.call("limits", on=False)
        self._write_config(behind if self._direct else wires, certificates)

    def _of_sink(self, certificates: Certificates) -> list[str]:
        options = {
            "letters": self.folder / "letters",
            "cert": certificates.cert,
            "key": certificates.key,
            "wrong-cert": certificates.wrong_name_cert,
            "wrong-key": certificates.wrong_name_key,
            "username": LOGIN[0],
            "password": LOGIN[1],
        }
        return [word for name, value in options.items() for word in (f"--{name}", str(value))]

    async def _witness(self, stack: contextlib.AsyncExitStack, name: str, *options: str) -> dict[str, int]:
        process, ports = await start_witness(name, self.journals[name], self.folder / f"{name}.log", *options)
        self.processes[name] = process
        stack.push_async_callback(end, process)
        return ports

    def _write_config(self, wires: Mapping[str, int], certificates: Certificates) -> None:
        listen = f"127.0.0.1:{_lasting_port()}"
        self.health = f"http://{listen}"
        tree = _config(self.data, wires, str(certificates.ca), self.slapd, listen)
        tree["mailbox"]["kind"] = "pop3" if self._pop3 else "imap"
        self.config.write_text(_toml(_laid_over(tree, self._settings)), "utf-8")

    @property
    def mailbox_port(self) -> int:
        """Where the mailbox's server listens now, behind the wire."""
        return self.dovecot.ports["POP3S" if self._pop3 else "IMAPS"]

    @property
    def seen_after(self) -> float:
        """Seconds in which a letter in the mailbox is noticed: IMAP announces it, POP3 is asked now and then."""
        return POLL_SECONDS + 3.0 if self._pop3 else 1.0

    # ------------------------------------------------------------------------------------------------------------

    async def deliver(self, raw: bytes) -> None:
        """Into the watched mailbox, as a mail server would hand it over. Returns when it is there. A Maildir gets one at a time:
        of two at once Dovecot may number one behind letters that come seconds later."""
        async with contextlib.nullcontext() if self._in_order else self._delivering:
            await asyncio.to_thread(self.dovecot.deliver, self.mailbox, raw)

    def vouched(self, raw: bytes) -> bytes:
        """The letter with the header by which its mail server vouches for the sender: imbot believes it."""
        domain = self.itsm.rpartition("@")[2]
        return f"Authentication-Results: {self.mx}; dmarc=pass header.from={domain}\r\n".encode() + raw

    async def start_imbot(self, failpoint: str = "", **environment: str) -> asyncio.subprocess.Process:
        """`python -m imbot run`; what it says is added to `log`. To be ended by the caller (`end`)."""
        env = {**os.environ, "IMBOT_FAILPOINT": failpoint, **environment}
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "imbot", "run", "--config", str(self.config)),
                cwd=_ROOT,
                env=env,
                stdout=log,
                stderr=log,
            )

    @contextlib.asynccontextmanager
    async def imbot(self, failpoint: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
        """imbot until the block ends."""
        process = await self.start_imbot(failpoint)
        try:
            yield process
        finally:
            await end(process, 15.0)


async def start_witness(
    name: str, journal: Path, log: Path, *options: str
) -> tuple[asyncio.subprocess.Process, dict[str, int]]:
    """Start a witness (a key of `MODULES`) and return it with the ports that it names. It ends with this process."""
    command = [sys.executable, "-m", f"tests.fire.{MODULES[name]}", "--journal", str(journal), *options]
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=_ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=said
        )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE)
    if not line:
        await end(process)
        raise RuntimeError(f"{name} did not start: {await asyncio.to_thread(log.read_text)}")
    ports: dict[str, int] = json.loads(line)
    return process, ports


async def end(process: asyncio.subprocess.Process, seconds: float = _END) -> int:
    """SIGTERM, and SIGKILL after so many seconds; its exit code. A process that has ended already is left alone."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        code = await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it has ended just now
            process.kill()
        code = await process.wait()
    if process.stdin is not None:
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()
    return code


def _lasting_port() -> int:
    """A free port outside the range that the system gives to outgoing connections: it is to be free again and again."""
    while True:
        port = random.randint(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _config(data: Path, wires: Mapping[str, int], ca: str, slapd: Slapd, listen: str) -> dict[str, Any]:
    return {
        "general": {
            "language": "ru",
            "data_dir": str(data),
            "support_contact": "00-11",
            "admins": [ADMIN],
            "alarm_minutes": 10,
            "log_level": "warning",
            "night": {"from": "00:00", "to": "00:00"},
        },
        "telegram": {
            "token": DEMO_TOKEN,
            "api_base": f"http://127.0.0.1:{wires['telegram']}",
            "poll_timeout": 10,
        },
        "directory": {
            "kind": "ldap",
            "ldap": {
                "uris": [f"ldaps://127.0.0.1:{wires['ldap']}"],
                "ca_file": ca,
                "bind_dn": slapd.bind_dn,
                "bind_password": slapd.bind_password,
                "base": slapd.base,
            },
        },
        # Who signs in while imbot is killed, and out and in again, asks more often than anybody else would.
        "signin": {"codes_per_hour": 20, "codes_per_day": 50},
        "smtp": {
            "host": "127.0.0.1",
            "port": wires["smtp"],
            "tls": "starttls",
            "username": LOGIN[0],
            "password": LOGIN[1],
            "ca_file": ca,
            "timeout": 20,
        },
        "mailbox": {
            "host": "127.0.0.1",
            "port": wires["imap"],
            "tls": "tls",
            "username": BOT,
            "password": "secret",
            "ca_file": ca,
            "start": "all",
            "poll_seconds": POLL_SECONDS,
        },
        "itsm": {
            "address": ITSM,
            "profile": "inframanager",
            "senders": [ITSM],
            "bot_address": BOT,
            "evidence": {"kind": "auth-results", "authserv_id": MX, "own_hosts": [socket.gethostname(), "127.0.0.1"]},
        },
        "server": {"listen": listen},
    }


def _laid_over(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _toml(tree: Mapping[str, Any], name: str = "") -> str:
    """TOML of tables whose values are strings, numbers, booleans and lists of these: JSON writes those the same way."""
    plain = {key: value for key, value in tree.items() if not isinstance(value, Mapping)}
    lines = [f"[{name}]"] if plain and name else []
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    tables = [_toml(value, f"{name}.{key}".lstrip(".")) for key, value in tree.items() if isinstance(value, Mapping)]
    return "\n".join(["\n".join(lines), *tables]).strip() + "\n"
