"""The ITSM of the rig answers what reaches it, brings everything to an end, and notes all that it says."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from email import message_from_bytes
from pathlib import Path
from typing import Any

from tests.fire.helpdesk import Chances, Helpdesk
from tests.fire.itsm_mail import Office
from tests.fire.journal import Journal, read

OFFICE = Office("itsm@helpdesk.test", "bot@example.test", "mx.example.test")
NO = Chances(0.001, 0.001, *(0.0,) * 10, stays_silent=0.0)
ADDITION = ("Дополнение к заявке № IM-CL-1042: Принтер", "fire0000009 стало хуже")
NOT_SOLVED = ("Просьба вернуть заявку № IM-CL-1042: Принтер", "fire0000008 печатает полосами")


class Desk:
    """A helpdesk over a journal that the test writes."""

    def __init__(self, folder: Path, chances: Chances, fails: int = 0) -> None:
        self.folder, self.fails = folder, fails
        self.delivered: list[bytes] = []
        self.smtp = Journal(folder / "smtp.jsonl")
        journals = {"smtp": folder / "smtp.jsonl", "itsm": folder / "itsm.jsonl"}
        self.helpdesk = Helpdesk(self._deliver, journals, OFFICE, 7, chances)
        self._letters = 0

    async def _deliver(self, raw: bytes) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("the mailbox is away")
        self.delivered.append(raw)

    def came(self, subject: str, text: str, message_id: str = "") -> None:
        self._letters += 1
        path = self.folder / f"{self._letters}.eml"
        path.write_bytes(b"Message-ID: " + (message_id or "<r1@bot>").encode() + b"\r\n\r\n" + text.encode())
        token = "Метку imb:7KQ2MXPA4T, пожалуйста, не удаляйте."
        self.smtp.note(
            "accepted", rcpt=[OFFICE.itsm], message_id=message_id or f"<r{self._letters}@bot>", path=str(path),
            subject=f"{subject} [imb:7KQ2MXPA4T]", text=f"{text}\n{token}", files=[],
        )  # fmt: skip

    async def to_the_end(self) -> list[str]:
        """What it said, in order."""
        stop = asyncio.Event()
        stop.set()
        async with asyncio.timeout(20):
            await self.helpdesk.run(stop)
        return [one["action"] for one in self.said]

    @property
    def said(self) -> Sequence[dict[str, Any]]:
        return [one for one in read(self.folder / "itsm.jsonl") if one["e"] == "said"]


def request_of(desk: Desk) -> None:
    desk.came("Принтер: fire0000001", "Описание:\nfire0000001 мигает", "<r1@bot>")


async def test_a_request_is_registered_and_done(tmp_path: Path) -> None:
    desk = Desk(tmp_path, NO)
    request_of(desk)
    said = await desk.to_the_end()
    assert [one for one in said if one != "start"] == ["register", "done"]
    assert {one["about"] for one in desk.said} == {"<r1@bot>"}
    assert {one["number"] for one in desk.said} == {"IM-CL-1042"}
    assert [str(message_from_bytes(raw)["Message-ID"]) for raw in desk.delivered] == [
        one["message_id"] for one in desk.said
    ]
    words = [str(one["words"]) for one in desk.said if one["action"] == "done"]
    assert words[0].startswith("desk")
    assert words[0] in base64.b64decode(_payload(desk.delivered[-1])).decode("utf-8", "replace")


def _payload(raw: bytes) -> str:
    letter = message_from_bytes(raw)
    part = next(one for one in letter.walk() if not one.is_multipart())
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return base64.b64encode(payload).decode()


async def test_a_letter_that_came_twice_opens_one_call_and_codes_open_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path, NO)
    request_of(desk)
    request_of(desk)
    desk.smtp.note(
        "accepted", rcpt=["u1@example.test"], message_id="<c@bot>", subject="Код", text="ABCD", files=[], path=""
    )
    await desk.to_the_end()
    assert len(desk.helpdesk.calls) == 1


async def test_not_solved_is_taken_up_again_and_a_withdrawal_ends_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, NO)
    request_of(desk)
    desk.came(*NOT_SOLVED)
    desk.came("Отзыв заявки № IM-CL-1042", "Больше не нужно")
    said = [one for one in await desk.to_the_end() if one != "start"]
    assert said == ["register", "done", "reopen", "done", "withdrawn"]


async def test_an_addition_is_answered(tmp_path: Path) -> None:
    desk = Desk(tmp_path, NO)
    request_of(desk)
    desk.came(*ADDITION)
    assert (await desk.to_the_end())[-1] == "comment"


async def test_a_bounced_request_waits_until_it_is_sent_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Chances(0.001, 0.001, 0, 0, 0, 0, 0, 0, bounces=1.0, bounces_registered=0, forges=0))
    request_of(desk)
    said = await desk.to_the_end()
    assert said[0] == "bounce"
    desk = Desk(
        tmp_path / "again", Chances(0.001, 0.001, 0, 0, 0, 0, 0, 0, bounces=1.0, bounces_registered=0, forges=0)
    )
    (tmp_path / "again").mkdir(exist_ok=True)
    request_of(desk)
    request_of(desk)
    assert "done" in await desk.to_the_end()


async def test_the_same_letter_twice_bears_the_same_bytes_and_a_second_one_does_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Chances(0.001, 0.001, 0, registers_twice=1.0, begins_first=0, asks=0, comments=0, rejects=0,
                                  bounces=0, bounces_registered=0, forges=0, closes=0))  # fmt: skip
    request_of(desk)
    said = await desk.to_the_end()
    assert said[:3] == ["register", "register", "register"]
    assert desk.delivered[0] == desk.delivered[1] != desk.delivered[2]
    assert [one["repeat"] for one in desk.said[:3]] == [False, True, False]


async def test_a_registration_behind_the_beginning_of_the_work_is_older(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Chances(0.001, 0.001, 0, 0, begins_first=1.0, asks=0, comments=0, rejects=0,
                                  bounces=0, bounces_registered=0, forges=0, closes=0))  # fmt: skip
    request_of(desk)
    await desk.to_the_end()
    first, second = desk.said[:2]
    assert (first["action"], second["action"]) == ("start", "register")
    assert int(str(second["at"])) < int(str(first["at"]))


async def test_forgeries_are_marked_as_such(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Chances(0.001, 0.001, 0, 0, 0, 0, 0, 0, 0, 0, forges=1.0, closes=0))
    request_of(desk)
    await desk.to_the_end()
    assert sum(bool(one["forged"]) for one in desk.said) == 2


async def test_a_mailbox_that_is_away_is_tried_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, NO, fails=1)
    request_of(desk)
    assert "done" in await desk.to_the_end()
    saying = [one for one in read(tmp_path / "itsm.jsonl") if one["e"] == "saying"]
    assert len(saying) == len(desk.said)


async def test_no_two_changes_of_one_call_bear_the_same_second(tmp_path: Path) -> None:
    desk = Desk(tmp_path, NO)
    request_of(desk)
    for _ in range(3):
        desk.came(*NOT_SOLVED)
    await desk.to_the_end()
    moments = [int(str(one["at"])) for one in desk.said]
    assert len(moments) > 6
    assert moments == sorted(set(moments))
