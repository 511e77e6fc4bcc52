"""A letter to write, and what is read of it."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from imbot.domain.letters import InboundMail, Letter
from imbot.mime import bytes_to_mail, letter_to_bytes

WHEN = datetime(2026, 11, 21, 6, 14, tzinfo=UTC)
ODD_TEXT = st.text(st.characters(codec=None), max_size=200)


def letter(**changes: object) -> Letter:
    values: dict[str, object] = {
        "message_id": "<abc@bot.example>",
        "sender": "bot@company.example",
        "to": "itsm@company.example",
        "subject": "Принтер: мигает красным, не печатает — Иванова А. С. [imb:7KQ2MXPA4T]",
        "text": "Описание:\nПринтер мигает.\n" + "Длинная строка без переносов. " * 60,
        "date": WHEN,
    }
    return Letter(**(values | changes))  # type: ignore[arg-type]


def back(made: Letter) -> InboundMail:
    return bytes_to_mail(letter_to_bytes(made))


def multipart(kind: str, *parts: str) -> bytes:
    inner = "".join(f"--b\r\n{part}\r\n" for part in parts)
    return f"From: a@b.example\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n{inner}--b--\r\n".encode()
