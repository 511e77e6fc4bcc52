"""What the IMAP tests share: settings for a real Dovecot, letters that can be counted, and a person with a mail client."""

from __future__ import annotations

import contextlib
import dataclasses
import imaplib
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

from imbot.mailbox.imap import Imap, ImapSettings
from imbot.mailbox.inbox import Batch
from tests.servers import Dovecot


def settings(dovecot: Dovecot, mailbox: str, **changes: Any) -> ImapSettings:
    plain = ImapSettings(
        "127.0.0.1",
        dovecot.ports["IMAP"],
        mailbox,
        dovecot.password,
        tls="none",
        ca_file=str(dovecot.certificates.ca),
        timeout=5,
        start="all",
        window=50,
    )
    return dataclasses.replace(plain, **changes)


@contextlib.asynccontextmanager
async def opened(of: ImapSettings) -> AsyncIterator[Imap]:
    imap = Imap(of)
    try:
        yield imap
    finally:
        await imap.close()


def letter(number: int, size: int = 0) -> bytes:
    body = b"(" * 7 + b"x" * size  # brackets in a body must not be counted by anybody
    return b"Subject: letter %d\r\nMessage-ID: <%d@itsm.test>\r\n\r\n%s\r\n" % (number, number, body)


def numbers(batch: Batch) -> list[int]:
    return [int(fetched.raw.split(b"Subject: letter ")[1].split(b"\r\n")[0]) for fetched in batch.letters]


@contextlib.contextmanager
def by_hand(dovecot: Dovecot, mailbox: str) -> Any:
    """What a person does with a mail client meanwhile."""
    client = imaplib.IMAP4("127.0.0.1", dovecot.ports["IMAP"], timeout=5)
    client.login(mailbox, dovecot.password)
    try:
        yield client
    finally:
        client.logout()


FULL = """
namespace inbox {
  separator = .
  prefix = INBOX.
}
mail_plugins = quota
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=100K
  quota_grace = 0
}
protocol imap {
  imap_capability = IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE UIDPLUS NAMESPACE
}
"""  # for Dovecot(extra=...): another separator, an INBOX that all lies in, little room, and no MOVE, which would need none


def folder_made_anew(client: imaplib.IMAP4, name: str) -> None:
    """The folder, empty and with another UIDVALIDITY."""
    before = _uidvalidity(client, name)
    client.delete(name)
    client.create(name)
    while _uidvalidity(client, name) == before:  # Dovecot mints it from the clock's seconds
        client.delete(name)
        client.create(name)


@contextlib.contextmanager
def put_back(dovecot: Dovecot, mailbox: str) -> Iterator[None]:
    """The mailbox as it was before what is done inside: put back from a backup, UIDVALIDITY and all."""
    here, backup = dovecot.folder / "mail" / mailbox, dovecot.folder / "backup" / mailbox
    backup.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", here, backup], check=True)
    yield
    shutil.rmtree(here)
    subprocess.run(["cp", "-a", backup, here], check=True)


def _uidvalidity(client: imaplib.IMAP4, name: str) -> bytes:
    found: bytes = client.status(name, "(UIDVALIDITY)")[1][0]
    return found
