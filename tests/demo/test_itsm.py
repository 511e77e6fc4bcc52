"""The play ITSM: how its letters look on the wire, and how it files what it gets."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from imbot.demo.itsm import PlayItsm, UnknownLetter
from imbot.demo.itsm_letters import ACTIONS, Answer, write_answer
from imbot.domain.errors import DeliveryError
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail

NOW = datetime(2026, 11, 21, 9, 14, tzinfo=ZoneInfo("Europe/Moscow"))


def answer(action: str, words: str = "", echo: str = "Мигает красным") -> bytes:
    return write_answer(Answer(action, "IM-CL-1042", "bot@demo.local", "<a@b>", NOW, words, echo))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "words", ["", "Заменён картридж", "«Ёлка» — №5 🖨", "line\nsecond\r\nthird", "</div>\x00\r\nSubject: no"]
)
def test_every_answer_is_one_letter_that_bears_its_number(action: str, words: str) -> None:
    raw = answer(action, words)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    mail = bytes_to_mail(raw)
    assert "№ IM-CL-1042" in mail.subject
    assert mail.sender == "itsm@demo.local"
    assert mail.automatic
    assert mail.problems == ()


def test_charsets_are_as_in_the_wild() -> None:
    assert b'charset="koi8-r"' in answer("ask", "Кабинет")
    assert b'charset="windows-1251"' in answer("register")
    assert b'charset="utf-8"' in answer("done")
    assert b'charset="utf-8"' in answer("register", echo="🖨")


def test_the_promise_is_four_hours_off_in_the_zone_of_the_itsm() -> None:
    assert "Обещанное время решения: 21.11.2026 13:14:00" in bytes_to_mail(answer("register")).text


def test_a_message_may_bear_files_beside_its_words() -> None:
    files = (("инструкция.pdf", b"%PDF-1.4"), ("a\r\nb.txt", b""))
    raw = write_answer(Answer("comment", "IM-CL-1042", "bot@demo.local", "<a@b>", NOW, "Смотрите", files=files))
    mail = bytes_to_mail(raw)
    assert "Сообщение: Смотрите" in mail.text
    assert (mail.attachments[0].name, mail.attachments[0].data) == files[0]
    assert len(mail.attachments) == 2
    assert mail.problems == ()


def test_tags_survive_in_the_text_part() -> None:
    text = bytes_to_mail(answer("done")).text
    assert "Решение:</div>" in text
    assert "21.11.2026 - Причина устранена" in text


async def test_a_call_keeps_its_number_and_old_status_where_its_letter_was_refused() -> None:
    sent: list[bytes] = []
    refuse = True

    async def send(_to: str, raw: bytes) -> None:
        if refuse:
            raise DeliveryError("550 no", permanent=True, kind="refused")
        sent.append(raw)

    itsm = PlayItsm(send, lambda: NOW)
    itsm.arrived(7, InboundMail("", 0, message_id="<r@x>", sender="bot@demo.local"))
    with pytest.raises(DeliveryError):
        await itsm.answer(7, "register")
    call = itsm.call_of(7)
    assert call is not None
    assert call.status == "new"
    refuse = False
    assert (await itsm.answer(7, "register")).number == "IM-CL-1042"
    with pytest.raises(UnknownLetter):
        await itsm.answer(8, "register")
    with pytest.raises(UnknownLetter):
        await itsm.answer(7, "explode")


async def test_a_number_in_the_subject_joins_the_call() -> None:
    async def send(_to: str, _raw: bytes) -> None:
        return

    itsm = PlayItsm(send, lambda: NOW)
    itsm.arrived(1, InboundMail("", 0, message_id="<a@x>", sender="bot@demo.local"))
    await itsm.answer(1, "register")
    itsm.arrived(2, InboundMail("", 0, message_id="<b@x>", subject="Дополнение № im-cl-1042", sender="bot@demo.local"))
    itsm.arrived(3, InboundMail("", 0, message_id="<a@x>", sender="bot@demo.local"))
    itsm.arrived(4, InboundMail("", 0, sender="bot@demo.local"))
    itsm.arrived(5, InboundMail("", 0, sender="bot@demo.local"))
    first, other = itsm.call_of(1), itsm.call_of(4)
    assert first is not None
    assert first.letters == [1, 2, 3]
    assert other is not None
    assert other.letters == [4]
