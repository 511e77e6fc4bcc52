"""The ITSM of the rig writes letters that mean what it means by them, however they look, and the post's reports are reports."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.backends import mail as habits
from imbot.backends.bounces import read_bounce
from imbot.backends.evidence import EvidenceSettings, believes
from imbot.backends.profiles import load_profile
from imbot.mime import bytes_to_mail
from tests.fire.itsm_mail import ACTIONS, Note, Office, bounce, vouched, write

PROFILE = replace(
    load_profile(Path(__file__).parents[2] / "templates" / "mail" / "inframanager"), senders=("itsm@helpdesk.test",)
)
OFFICE = Office("itsm@helpdesk.test", "bot@example.test", "mx.example.test")
ZONE = ZoneInfo("Europe/Moscow")
AT = datetime(2026, 11, 23, 9, 30, tzinfo=ZONE)
MEANS = {
    "register": "registered",
    "start": "in_progress",
    "reopen": "in_progress",
    "ask": "waiting",
    "done": "resolved",
    "close": "closed",
    "reject": "rejected",
    "withdrawn": "withdrawn",
    "comment": "",
}
REQUEST = "Описание:\nfire0000001 мигает «красным»\n\nМетку imb:7KQ2MXPA4T, пожалуйста, не удаляйте."
BELIEF = EvidenceSettings("auth-results", "mx.example.test", own_hosts=("127.0.0.1",))


def note(action: str, words: str = "desk0000001 причина устранена", **other: object) -> Note:
    return Note(action, "IM-CL-1042", "<a@helpdesk.test>", AT, words, ("<r@bot>",), evidence=vouched(OFFICE), **other)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("action", ACTIONS)
def test_each_letter_means_what_it_should(action: str, seed: int) -> None:
    words = "" if action == "register" else "desk0000001 причина устранена"
    mail = bytes_to_mail(
        write(note(action, words, echo=REQUEST if action == "register" else ""), OFFICE, random.Random(seed))
    )
    report = habits.read(PROFILE, mail, tz=ZONE, sent=["тема", REQUEST])
    assert report is not None
    assert str(report.status or "") == MEANS[action]
    assert report.number == "IM-CL-1042"
    assert not words or any("desk0000001" in value for value in report.fields.values())
    assert believes(PROFILE, mail, BELIEF).ok
    assert mail.in_reply_to == ("<r@bot>",)


def test_a_letter_without_evidence_is_not_believed() -> None:
    for evidence in ("", "mx.evil.test; dmarc=pass header.from=helpdesk.test", vouched(OFFICE).replace("pass", "fail")):
        mail = bytes_to_mail(write(replace(note("done"), evidence=evidence), OFFICE, random.Random(1)))
        assert not believes(PROFILE, mail, BELIEF).ok


def test_a_file_goes_along() -> None:
    raw = write(note("comment", files=(("desk0000001.txt", b"one\n"),)), OFFICE, random.Random(1))
    assert [(one.name, one.data) for one in bytes_to_mail(raw).attachments] == [("desk0000001.txt", b"one\n")]


def test_a_bounce_names_the_letter_that_it_returns() -> None:
    request = b"Message-ID: <r@bot>\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + REQUEST.encode()
    report = read_bounce(bytes_to_mail(bounce(request, "<b@mx>", OFFICE, AT)))
    assert report is not None
    assert (report.action, report.message_ids) == ("failed", ("<r@bot>",))
