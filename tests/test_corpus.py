"""Real letters of ../shared: every one is read or refused within bounds; subject and sender are as others' suites say."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from imbot.backends.bounces import bounced_message_ids
from imbot.backends.mail import find_tokens, mail_summary
from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail, mail_from_json, mail_to_json

MAILS = Path(__file__).resolve().parents[2] / "shared" / "mails"
LETTERS = sorted((MAILS / "corpus").glob("*/*")) if MAILS.is_dir() else []

# What we read otherwise than the suite that the letter comes from, and why ours is right or better.
ACCEPTED = {
    "corpus/ruby_mail/3e9e9f44-mix_caps_content_type.eml": "the expectation holds name and address; ours is the address",
    "corpus/ruby_mail/e3d8ab7f-example13.eml": "the expectation is empty; the letter has both, with blanks and comments",
    "corpus/stalwart/7a1cf190-052.eml": "the expectation holds a broken character; ours is whole",
    "corpus/zammad/3016d994-mail035.box": "the expectation holds quotes round the address",
    "corpus/zammad/329d44de-mail076.box": "no address: quotes and blanks where a mailbox should be",
    "corpus/zammad/cde64c38-mail087.box": "the expectation holds name and address; ours is the address",
}

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not LETTERS and not os.environ.get("CI"), reason="the letters of ../shared are not here"),
]


def read(raw: bytes) -> InboundMail | None:
    try:
        return bytes_to_mail(raw)
    except LetterRefused:
        return None


def test_the_letters_are_here() -> None:
    assert len(LETTERS) > 1000


def test_every_letter_is_read() -> None:
    refused = []
    slow = []
    for path in LETTERS:
        raw = path.read_bytes()
        begun = time.process_time()
        mail = read(raw)
        if time.process_time() - begun > 1:
            slow.append(path.name)
        if mail is None:
            refused.append(path.name)
            continue
        for text in (mail.subject, mail.text, mail.sender_name, *(part.name for part in mail.attachments)):
            assert "\x00" not in text
            text.encode("utf-8")
        assert "\n" not in mail.subject
        assert (
            mail_from_json(json.loads(json.dumps(mail_to_json(mail))), [p.data or b"" for p in mail.attachments])
            == mail
        )
        json.dumps(mail_summary(path.name, mail, None))
        assert find_tokens(mail) == ()
    assert refused == []
    assert slow == []


def test_subject_and_sender_are_as_expected() -> None:
    expected = json.loads((MAILS / "expected.json").read_text(encoding="utf-8"))
    differing = set()
    for name, wanted in expected.items():
        mail = bytes_to_mail((MAILS / name).read_bytes())
        subject = " ".join((wanted["subject"] or "").split()) == " ".join(mail.subject.split())
        if not subject or (wanted["from"] or "").lower() != mail.sender:
            differing.add(name)
    assert differing - set(ACCEPTED) == set()
    assert len(differing) <= len(ACCEPTED)


def test_mutations_of_letters_are_read_or_refused_too() -> None:
    chance = random.Random(7)
    for path in chance.sample(LETTERS, min(len(LETTERS), 250)):
        raw = path.read_bytes()[:200_000]
        flipped = bytearray(raw)
        for _ in range(20):
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        cut = raw[: chance.randrange(len(raw))]
        lines = raw.replace(b"\r\n", b"\n")
        for mutant in (bytes(flipped), cut, lines, lines.replace(b"\n", b"\r\n"), lines.replace(b"\n", b"\r")):
            begun = time.process_time()
            read(mutant)
            assert time.process_time() - begun < 2, path.name


def test_line_ends_do_not_change_what_a_letter_says() -> None:
    for path in LETTERS[::7]:
        lines = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        one, other = read(lines), read(lines.replace(b"\n", b"\r\n"))
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.subject, one.sender, one.message_id) == (other.subject, other.sender, other.message_id), (
                path.name
            )


@pytest.mark.parametrize(("suite", "returned"), [("sisimai", 0.7), ("flufl_bounce", 0.1)])
def test_bounces_are_automatic_and_give_the_letter_that_failed(suite: str, returned: float) -> None:
    """Most of the second suite quote the letter that failed without its Message-ID."""
    letters = [mail for path in LETTERS if path.parent.name == suite and (mail := read(path.read_bytes())) is not None]
    assert sum(mail.automatic for mail in letters) > 0.7 * len(letters)
    assert sum(bool(bounced_message_ids(mail)) for mail in letters) > returned * len(letters)
