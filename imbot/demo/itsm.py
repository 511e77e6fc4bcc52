"""The play ITSM: files each letter of its mailbox under a call and answers when somebody presses a button on the page.

It stands for a foreign system: it sees letters only, keeps its own numbers, and writes back by SMTP. A call goes
`new -> registered -> in_progress | waiting -> resolved | rejected`, in any order the person at the page likes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from imbot.demo.itsm_letters import ACTIONS, Answer, write_answer
from imbot.domain.letters import InboundMail

FIRST_NUMBER = 1042
_NUMBER = re.compile(r"IM-CL-(\d+)", re.IGNORECASE)
_AFTER = {
    "register": "registered",
    "start": "in_progress",
    "ask": "waiting",
    "done": "resolved",
    "reject": "rejected",
}

Send = Callable[[str, bytes], Awaitable[None]]  # recipient, letter; raises DeliveryError


@dataclass(slots=True)
class Call:
    """One call. `number` is "" until the first answer; `message_ids`: everything written in its threads, oldest first."""

    letters: list[int] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)
    number: str = ""
    status: str = "new"
    echo: str = ""


class UnknownLetter(LookupError):
    """There is no such letter in the ITSM's mailbox, or no such button."""


class PlayItsm:
    """The calls, and the one way to answer. `clock` gives the time in the ITSM's zone."""

    def __init__(self, send: Send, clock: Callable[[], datetime]) -> None:
        self._send = send
        self._clock = clock
        self._calls: list[Call] = []
        self._mails: dict[int, InboundMail] = {}
        self._next_number = FIRST_NUMBER
        self._answers = 0

    def arrived(self, letter_id: int, mail: InboundMail) -> None:
        """File a letter: under the call whose thread or number it names, else under a new one."""
        call = self._call_named_by(mail)
        if call is None:
            call = Call(echo=mail.text)
            self._calls.append(call)
        self._mails[letter_id] = mail
        call.letters.append(letter_id)
        if mail.message_id and mail.message_id not in call.message_ids:
            call.message_ids.append(mail.message_id)

    def call_of(self, letter_id: int) -> Call | None:
        """The call a letter was filed under."""
        return next((call for call in self._calls if letter_id in call.letters), None)

    async def answer(
        self, letter_id: int, action: str, words: str = "", files: Sequence[tuple[str, bytes]] = ()
    ) -> Call:
        """Answer as the helpdesk does: one letter to the writer, with files (name, bytes) attached. Raises
        UnknownLetter, or DeliveryError where the letter was not taken (the call then keeps its number and its status)."""
        call = self.call_of(letter_id)
        if call is None or action not in ACTIONS:
            raise UnknownLetter(f"no letter {letter_id} in the ITSM's mailbox, or no button «{action}»")
        mail = self._mails[letter_id]
        number = call.number = call.number or self._mint_number()
        self._answers += 1
        answer = Answer(
            action=action,
            number=number,
            recipient=mail.reply_to or mail.sender,
            message_id=f"<{number.lower()}.{action}.{self._answers}@itsm.demo.local>",
            now=self._clock(),
            words=words,
            echo=call.echo,
            thread=() if action == "register" else tuple(call.message_ids[-6:]),
            files=tuple(files),
        )
        await self._send(answer.recipient, write_answer(answer))
        call.message_ids.append(answer.message_id)
        call.status = _AFTER.get(action, call.status)
        return call

    def _mint_number(self) -> str:
        number = f"IM-CL-{self._next_number}"
        self._next_number += 1
        return number

    def _call_named_by(self, mail: InboundMail) -> Call | None:
        named = {*mail.in_reply_to, *mail.references, mail.message_id} - {""}
        for call in self._calls:
            if named.intersection(call.message_ids):
                return call
        numbers = {f"IM-CL-{digits}" for digits in _NUMBER.findall(mail.subject)}
        return next((call for call in self._calls if call.number in numbers), None)
