"""What letters that are there already show of their origin: for `imbot init` the name to propose, for `imbot doctor` whether the
evidence that the settings ask for was ever seen to hold. Nothing is marked or changed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from imbot.cli_base import database, in_store
from imbot.domain.errors import ImbotError, LetterRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.config import Settings
    from imbot.domain.letters import InboundMail
    from imbot.mailbox.reading import Reader
    from imbot.services.env import Backend

_NEWEST = 50  # UIDs back from the last one, of which some may be gone
_CARRIED_OUT, _JUDGED = 200, 3  # letters of all helpdesks that are looked through; of one helpdesk that are read


async def signer_in_mailbox(settings: Settings) -> str:
    """As what the mail server signs the newest letters of [mailbox]; "" where they do not tell. Raises MailboxError."""
    from imbot import wiring
    from imbot.backends.recommending import signer
    from imbot.mailbox.imap import Imap
    from imbot.mailbox.imap_cursor import UNKNOWN, read_cursor

    mailbox = wiring.mailbox(settings, largest=0)  # headers alone
    if not isinstance(mailbox, Imap):
        return ""
    try:
        end = read_cursor((await mailbox.fetch_new(None)).cursor)
        back = replace(end, uid=max(end.uid - _NEWEST, 0), day=0, came=UNKNOWN)
        newest = await mailbox.fetch_new(str(back))
    finally:
        await mailbox.close()
    async with wiring.reader(settings) as reader:
        read = [await _read(reader, fetched.raw) for fetched in newest.letters]
    return signer(mail for mail in read if mail is not None)


async def proofs(settings: Settings) -> dict[str, str]:
    """By what each helpdesk's evidence, as it stands in the settings today, is proven, in words; none for what is unproven."""
    from imbot import wiring
    from imbot.backends.recommending import evidence_toml
    from imbot.services import trips

    found: dict[str, str] = {}
    with suppress(ImbotError):  # a wrong config and a missing data base are told by legs of their own
        backends = [wiring.backend(settings, name) for name in wiring.backend_names(settings)]
        database(settings)
        async with wiring.reader(settings) as reader:
            for backend in backends:
                if in_store(settings, trips.has_proven, backend.name, evidence_toml(backend.evidence)):
                    found[backend.name] = "a round trip has shown"
                elif letter := await _believed_letter(settings, backend, reader):
                    found[backend.name] = f"letter {letter} shows"
    return found


async def _believed_letter(settings: Settings, backend: Backend, reader: Reader) -> int:
    """The newest kept letter of its senders, if it or one just before it would be believed today; 0 for none."""
    from imbot.backends.evidence import believes
    from imbot.cli_mail_bench import raw_of

    for id in in_store(settings, _newest_of, backend):
        with suppress(ImbotError):  # its bytes are gone
            mail = await _read(reader, raw_of(settings, id))
            if mail is not None and believes(backend.profile, mail, backend.evidence).ok:
                return id
    return 0


def _newest_of(c: Connection, backend: Backend) -> list[int]:
    from imbot.backends.evidence import sender_matches
    from imbot.store import inbox

    rows = inbox.carried_out(c, _CARRIED_OUT)
    return [row.id for row in rows if sender_matches(backend.profile.senders, row.sender)][:_JUDGED]


async def _read(reader: Reader, raw: bytes) -> InboundMail | None:
    try:
        return await reader.read(raw)
    except LetterRefused:
        return None
