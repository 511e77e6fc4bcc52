"""`imbot doctor --round-trip`: file one marked request with the ITSM, wait for its letter, and judge that letter by the very
code that will judge all others. Of it the data base keeps the token and the Message-ID alone, so that the service takes no answer
for a stranger's; the ITSM keeps one request to be closed by hand.

    mailbox read up to now -> letter handed over -> letters watched -> one that can only be the answer, or the time is up
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imbot.cli_base import in_store, now, one_line, secrets_of
from imbot.cli_doctor import Leg
from imbot.domain.errors import DeliveryError, ImbotError, LetterRefused, MailboxError

if TYPE_CHECKING:
    from imbot.config import Settings
    from imbot.domain.letters import InboundMail, Letter
    from imbot.mailbox.imap import Imap
    from imbot.mailbox.pop3 import Pop3
    from imbot.services.env import Backend

_WAIT = 5.0  # seconds between two looks, where the mailbox does not wake us
TITLE = "Проверка связи imbot"
_WORDS = (
    "Это проверка связи бота с системой заявок. Пожалуйста, зарегистрируйте эту заявку и закройте её. "
    "Сотрудник её не подавал."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A letter that came while we waited. `evidence`: by what it is bound to our request, the strongest first."""

    mail: InboundMail
    evidence: tuple[str, ...]
    from_itsm: bool


async def travel(config: Path | None, seconds: float, name: str = "itsm") -> list[Leg]:
    """The legs of the round trip: configuration, sent, answered, bound, believed, understood. Stops at the first wrong one.
    `name`: of the helpdesk."""
    from imbot import log, wiring
    from imbot.backends.recommending import evidence_toml
    from imbot.config import load
    from imbot.services import trips

    try:
        settings = load(config)
        log.set_up("error", "console", secrets=secrets_of(settings))
        backend = wiring.backend(settings, name)
        token = "imb:" + base64.b32encode(secrets.token_bytes(7)).decode()[:10]
        letter = request(settings, backend, token)
    except ImbotError as error:
        return [Leg("configuration", "wrong", str(error), "`imbot doctor` says more")]
    try:
        async with _open_mailbox(settings, name) as mailbox:
            cursor = (await mailbox.fetch_new(None)).cursor
            with suppress(ImbotError):  # where no service ever ran, none reads the answer
                in_store(settings, trips.begin, token, letter.message_id, now())
            sent = await _hand_over(settings, letter)
            answers = await _watch(mailbox, cursor, settings, backend, letter.message_id, token, seconds)
    except DeliveryError as error:
        return [Leg("sent", "wrong", str(error), "`imbot doctor` tries the login alone")]
    except MailboxError as error:
        return [Leg("mailbox", "wrong", str(error), "`imbot doctor` tries the login alone")]
    legs = [Leg("sent", "well", f"{letter.message_id} with {token} to {backend.to}: {one_line(sent)}")]
    legs += judge(backend, settings, answers, token, letter, seconds)
    if any((leg.name, leg.state) == ("believed", "well") for leg in legs):
        with suppress(ImbotError):
            in_store(settings, trips.prove, name, evidence_toml(backend.evidence), now())
    return legs


def request(settings: Settings, backend: Backend, token: str) -> Letter:
    """The marked request, composed as any other."""
    from imbot import wiring
    from imbot.backends.base import LetterKind, TicketView
    from imbot.backends.mail import compose
    from imbot.domain.letters import mint_message_id

    view = TicketView(
        ticket_id="roundtrip",
        token=token,
        title=TITLE,
        created_at=now(),
        category="Консультация",
        subcategory=TITLE,
        description=_WORDS,
        person_name=settings.general.name,
        contacts={"mail": backend.sender},
    )
    sending = backend.sending(mint_message_id(backend.sender.rpartition("@")[2]), now())
    return compose(backend.profile, wiring.templates(settings), LetterKind.TICKET, view, sending)


def judge(
    backend: Backend, settings: Settings, answers: Sequence[Answer], token: str, letter: Letter, seconds: float
) -> list[Leg]:
    """What the letters that came mean for the day when they are real."""
    from imbot.backends.bounces import read_bounce
    from imbot.backends.evidence import believes
    from imbot.backends.mail import read

    for answer in answers:
        bounce = read_bounce(answer.mail)
        if bounce is not None and letter.message_id in bounce.message_ids:
            return [
                Leg(
                    "answered",
                    "wrong",
                    f"the letter came back: {one_line(bounce.words, 120)}",
                    "is the address of the helpdesk right",
                )
            ]
    bound = next((answer for answer in answers if answer.evidence), None)
    if bound is None:
        return _not_bound(answers, token, seconds)
    mail = bound.mail
    legs = [
        Leg("answered", "well", f"{mail.sender}: {one_line(mail.subject, 100)}"),
        Leg("bound", "well", f"by {', '.join(bound.evidence)}"),
    ]
    belief = believes(backend.profile, mail, backend.evidence)
    if belief.ok:
        legs.append(Leg("believed", "well", f"{belief.evidence}: {belief.reason}"))
    elif not bound.from_itsm:
        legs.append(Leg("believed", "wrong", belief.reason, f"if this is the ITSM, add {mail.sender} to its senders"))
    else:
        legs.append(Leg("believed", "wrong", belief.reason, _how_to_believe(backend, mail)))
    report = read(backend.profile, mail, tz=settings.general.zone, sent=(letter.subject, letter.text))
    if report is None or report.status is None:
        hint = "add an anchor for it to the profile's profile.toml (docs/profiles.md), try it by `imbot mail read`"
        return [*legs, Leg("understood", "note", 'no known status: employees would get it as "support writes"', hint)]
    return [*legs, Leg("understood", "well", f"{report.status}, number {report.number or 'none'}")]


def _not_bound(answers: Sequence[Answer], token: str, seconds: float) -> list[Leg]:
    theirs = [answer.mail for answer in answers if answer.from_itsm]
    if not theirs:
        others = f"; {len(answers)} other letters came" if answers else ""
        hint = "the ITSM may be slow (--minutes), may need a person to register it, or may not know bot_address as a sender"
        return [Leg("answered", "wrong", f"nothing within {seconds:.0f} s{others}", hint)]
    mail = theirs[0]
    hint = (
        f"add a line with the request's own text to the ITSM's template of this letter, so that {token} comes back, "
        "or have it answer in the thread (In-Reply-To)"
    )
    return [
        Leg("answered", "well", f"{mail.sender}: {one_line(mail.subject, 100)}"),
        Leg("bound", "wrong", "it bears neither our Message-ID nor our token", hint),
    ]


def evidence_of(mail: InboundMail, message_id: str, token: str) -> tuple[str, ...]:
    """By what a letter is bound to our request, in the order in which the watcher looks."""
    from imbot.backends.mail import find_tokens

    wanted = token.lower()
    found = []
    if message_id in (*mail.in_reply_to, *mail.references):
        found.append("our Message-ID in In-Reply-To or References")
    if any(wanted.removeprefix("imb:") in address.lower() for address in (*mail.to, *mail.cc) if "+" in address):
        found.append("a plus-address")
    if wanted in (one.lower() for one in find_tokens(mail)):
        found.append(f"our token in the {'subject' if wanted in mail.subject.lower() else 'text'}")
    return tuple(found)


def _how_to_believe(backend: Backend, mail: InboundMail) -> str:
    from imbot.backends.recommending import remedy, signer

    by_results = backend.evidence.kind == "auth-results"
    if by_results and (lines := remedy(backend.evidence, mail)):
        return f"your server writes {signer([mail])}; set {lines}"
    return f"choose its evidence by what it bears: {_marks(mail)}"


def _marks(mail: InboundMail) -> str:
    """Which evidence of origin a letter bears at all."""
    marks = [name for name in ("Authentication-Results", "X-MS-Exchange-Organization-AuthAs") if mail.header(name)]
    hops = mail.header("Received")
    return ", ".join([*marks, f"Received: {one_line(hops[0], 120)}" if hops else "no Received"])


async def _hand_over(settings: Settings, letter: Letter) -> str:
    from imbot import wiring
    from imbot.mime import letter_to_bytes

    smtp = wiring.smtp(settings)
    try:
        return await smtp.send(letter.envelope_sender or letter.sender, [letter.to], letter_to_bytes(letter))
    finally:
        await smtp.close()


async def _watch(
    mailbox: Imap | Pop3,
    cursor: str,
    settings: Settings,
    backend: Backend,
    message_id: str,
    token: str,
    seconds: float,
) -> list[Answer]:
    """Letters that come until one is bound to our request, or the time is up. Marks nothing on the server."""
    from imbot import wiring
    from imbot.backends.evidence import sender_matches

    answers: list[Answer] = []
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    async with wiring.reader(settings) as reader:
        while True:
            batch = await mailbox.fetch_new(cursor)
            cursor = batch.cursor
            for fetched in batch.letters:
                try:
                    mail = await reader.read(fetched.raw)
                except LetterRefused:
                    continue  # no answer of an ITSM; the watcher will say why it refuses it
                theirs = sender_matches(backend.profile.senders, mail.sender)
                answers.append(Answer(mail, evidence_of(mail, message_id, token), theirs))
            left = end - loop.time()
            if left <= 0 or any(answer.evidence for answer in answers):
                return answers
            if not batch.more and not await mailbox.wait(min(left, _WAIT)):
                await asyncio.sleep(min(1.0, max(left, 0.0)))


@asynccontextmanager
async def _open_mailbox(settings: Settings, name: str) -> AsyncIterator[Imap | Pop3]:
    from imbot import wiring

    section = settings.mailboxes().get(f"backends.{name}.mailbox")
    mailbox = wiring.mailbox(settings, section)
    try:
        yield mailbox
    finally:
        await mailbox.close()
