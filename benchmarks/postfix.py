"""A real Postfix of our own: its settings, queue and log in one temporary folder, on a free loopback port, fsync as it comes.
Whatever it takes is put on hold, so that every letter can be counted and read where it lies, and no delivery disturbs the rest.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.journey import Missing
from tests.servers import free_port, open_folder

_PATH = ":".join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_MAIN = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {commands}
daemon_directory = {daemons}
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.bench.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_client_access static:HOLD, permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_connection_count_limit = 0
"""
_MASTER = """127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""
_MESSAGE_ID = re.compile(rb"(?im)message-id: *(<[^>]{1,200}>)")


def installed(program: str) -> str:
    """Where this program of Postfix lies. Raises Missing."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        raise Missing("the Debian package postfix: sh tests/install-servers.sh")
    return found


@contextmanager
def postfix() -> Iterator[dict[str, object]]:
    """{port, hold}: where it listens, and the folder that what it takes lies in. {missing} where it cannot be run."""
    try:
        command = installed("postfix")
        if os.geteuid() != 0:
            raise Missing("Postfix, whose master process runs as root only")
    except Missing as reason:
        yield {"port": 0, "hold": "", "missing": str(reason)}
        return
    with open_folder("imbot-postfix-") as folder:
        port = _settle_in(folder, command)
        _command(command, folder, "start")
        try:
            yield {"port": port, "hold": str(folder / "queue" / "hold"), "missing": ""}
        finally:
            _command(command, folder, "stop")


def _settle_in(folder: Path, command: str) -> int:
    asked = [str(Path(command).with_name("postconf")), "-dh", "daemon_directory"]
    daemons = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    places = {"folder": folder, "commands": Path(command).parent, "daemons": daemons}
    port = free_port()
    for name in ("queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "main.cf").write_text(_MAIN.format(**places))
    (folder / "master.cf").write_text(_MASTER.format(port=port))
    return port


def _command(command: str, folder: Path, verb: str) -> None:
    """`start` returns once the master process is up and listens."""
    asked = [command, "-c", str(folder), verb]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        log = folder / "mail.log"
        told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise RuntimeError(f"postfix {verb}: {done.stdout}{done.stderr}{told}")


def empty(hold: str) -> None:
    """Whatever was taken so far is forgotten."""
    for file in Path(hold).iterdir():
        file.unlink(missing_ok=True)


def taken(hold: str) -> Counter[str]:
    """How often each Message-ID lies there; a letter without one counts as ""."""
    found: Counter[str] = Counter()
    for file in Path(hold).iterdir():
        match = _MESSAGE_ID.search(file.read_bytes())
        found[match[1].decode() if match else ""] += 1
    return found
