"""imbot's InfraManager profile understands every letter of the play ITSM, with our own words echoed in it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.backends.mail import find_tokens, read
from imbot.backends.profiles import load_profile
from imbot.config import packed
from imbot.demo.itsm_letters import Answer, write_answer
from imbot.mime import bytes_to_mail

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 21, 13, 2, tzinfo=MOSCOW)
OURS = "Описание:\nМигает\n\nПодано: 21.11.2026 13:01 МСК, Telegram-бот\nМетку imb:3YMJYYOBY3, пожалуйста, не удаляйте."


def test_a_message_has_no_status_but_words() -> None:
    profile = load_profile(Path(packed("templates")) / "mail" / "inframanager")
    answer = Answer("comment", "IM-CL-1042", "bot@demo.local", "<a@b>", NOW, "Зайдём после обеда.", OURS)
    report = read(profile, bytes_to_mail(write_answer(answer)), tz=MOSCOW, sent=["Принтер: мигает", OURS])
    assert report is not None
    assert (report.status, report.number, report.fields["comment"]) == (None, "IM-CL-1042", "Зайдём после обеда.")


@pytest.mark.parametrize(
    ("action", "status", "field", "value"),
    [
        ("register", "registered", "promised", "2026-11-21T17:02:00+03:00"),
        ("start", "in_progress", "assignee", "Кузнецов Т. А."),
        ("ask", "waiting", "question", "Уточните, пожалуйста, когда к вам можно подойти?"),
        ("done", "resolved", "solution", "Причина устранена, работа проверена."),
        ("reject", "rejected", "solution", "Эта просьба не относится к службе поддержки."),
    ],
)
def test_every_answer_is_understood(action: str, status: str, field: str, value: str) -> None:
    profile = load_profile(Path(packed("templates")) / "mail" / "inframanager")
    mail = bytes_to_mail(write_answer(Answer(action, "IM-CL-1042", "bot@demo.local", "<a@b>", NOW, echo=OURS)))
    report = read(profile, mail, tz=MOSCOW, sent=["Принтер: мигает", OURS])
    assert report is not None
    assert (report.status, report.number, report.fields.get(field)) == (status, "IM-CL-1042", value)


def test_the_registration_bears_our_token() -> None:
    mail = bytes_to_mail(write_answer(Answer("register", "IM-CL-1042", "bot@demo.local", "<a@b>", NOW, echo=OURS)))
    assert find_tokens(mail) == ("imb:3YMJYYOBY3",)
