"""Real letters of ../shared: every one is read, within bounds; subject and sender are as others' suites say."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from imbot.backends.bounces import read_bounce
from imbot.backends.tokens import find_tokens
from imbot.cli import app
from imbot.domain.errors import LetterRefused
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail, mail_from_json, mail_to_json
from tests.mime.work import work

MAILS = Path(__file__).resolve().parents[2] / "shared" / "mails"
LETTERS = sorted((MAILS / "corpus").glob("*/*")) if MAILS.is_dir() else []

# What we read otherwise than the suite that the letter comes from, and why ours is right or better.
ACCEPTED = {
    "corpus/ruby_mail/3e9e9f44-mix_caps_content_type.eml": "the expectation holds name and address; ours is the address",
    "corpus/ruby_mail/e3d8ab7f-example13.eml": "the expectation is empty; the letter has both, with blanks and comments",
    "corpus/stalwart/7a1cf190-052.eml": "the expectation holds a broken character; ours is whole",
    "corpus/zammad/3016d994-mail035.box": "the expectation holds quotes round the address",
    "corpus/zammad/329d44de-mail076.box": "the expectation holds the angle behind the address",
    "corpus/zammad/cde64c38-mail087.box": "the expectation holds name and address; ours is the address",
}
# Letters whose bytes are damaged: nothing else than U+FFFD can be shown in their place, and how often it is.
DAMAGED = {
    "b2c5ae56-outlook-express.eml": (6, "the file's name bears U+FFFD in UTF-8: the letter was saved broken"),
    "049ced12-test-email-8-bulgarian-cp1251.box": (
        313,
        "all Cyrillic letters are U+FFFD in UTF-8 in the letter itself",
    ),
    "3862eaa2-PostMaster-Test5.box": (6, "umlauts are U+FFFD in UTF-8 in the letter itself"),
    "f97b0b5d-test-email-7-euro-iso-8859-15.box": (5, "the euro signs are U+FFFD in UTF-8 in the letter itself"),
    "8016b933-invalid_utf8.eml": (1, "UTF-8 that ends in the middle of a character"),
    "cbe6e95f-imap_mime_header_decode_returns_false.eml": (10, "base64 that lost its first letters"),
    "2781d59c-mail021.box": (2, "one byte of Latin in an UTF-8 page, on purpose"),
}

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not LETTERS and not os.environ.get("CI"), reason="the letters of ../shared are not here"),
]


def read(raw: bytes) -> InboundMail | None:
    """None: a bound refuses it. That a letter "cannot be read" would be our fault."""
    try:
        return bytes_to_mail(raw)
    except LetterRefused as refusal:
        if not re.match(r"more than 200 parts|more than 1000 headers|nested deeper than 20", str(refusal)):
            raise
        return None


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `imbot mail read --json` says of every letter, by its path below the folder of letters."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("nowhere"))  # no config of this machine counts
    try:
        result = CliRunner().invoke(app, ["mail", "read", "--json", *map(str, LETTERS)])
    finally:
        os.chdir(before)
    assert result.exit_code == 0, result.output[-2000:]
    lines = [json.loads(line) for line in result.output.splitlines()]
    return {str(Path(line["file"]).relative_to(MAILS)): line for line in lines}


def test_every_letter_is_read_by_the_command(told: dict[str, dict[str, Any]]) -> None:
    assert len(told) == len(LETTERS) > 1000
    assert {name: line["reason"] for name, line in told.items() if line["outcome"] != "parsed"} == {}


def test_subject_and_sender_are_as_expected(told: dict[str, dict[str, Any]]) -> None:
    expected = json.loads((MAILS / "expected.json").read_text(encoding="utf-8"))
    differing = set()
    for name, wanted in expected.items():
        subject = " ".join((wanted["subject"] or "").split()) == " ".join(told[name]["subject"].split())
        if not subject or (wanted["from"] or "").lower() != told[name]["from"].lower():
            differing.add(name)
    assert differing == set(ACCEPTED)


def test_nothing_is_unreadable_but_what_was_damaged_before() -> None:
    broken = {}
    for path in LETTERS:
        mail = bytes_to_mail(path.read_bytes())
        shown = (mail.subject, mail.sender_name, mail.text, *(part.name for part in mail.attachments))
        if count := sum(text.count("\ufffd") for text in shown):
            broken[path.name] = count
    assert broken == {name: count for name, (count, _) in DAMAGED.items()}


def test_every_letter_is_clean_and_survives_json() -> None:
    for path in LETTERS:
        mail = bytes_to_mail(path.read_bytes())
        _clean(mail)
        table, blobs = json.loads(json.dumps(mail_to_json(mail))), [part.data or b"" for part in mail.attachments]
        assert mail_from_json(table, blobs) == mail
        assert find_tokens(mail) == ()


def _clean(mail: InboundMail) -> None:
    lines = (mail.subject, mail.sender_name, *(part.name for part in mail.attachments))
    assert not any(set(line) & set("\r\n\x00\x1b\u202e\u2066\u2028") for line in lines), lines
    for text in (*lines, mail.text, mail.html, mail.sender, *(value for pair in mail.headers for value in pair)):
        assert "\x00" not in text
        text.encode("utf-8")  # no lone surrogate


def _mutants(raw: bytes, chance: random.Random) -> Iterator[bytes]:
    """Other line ends, the letter cut off, flipped bytes, another charset than it says, and bytes of another one."""
    lines = raw.replace(b"\r\n", b"\n")
    yield lines
    yield lines.replace(b"\n", b"\r\n")
    yield lines.replace(b"\n", b"\r")
    for _ in range(2):
        yield raw[: chance.randrange(len(raw) + 1)]
    flipped = bytearray(raw)
    for _ in range(20 if raw else 0):
        flipped[chance.randrange(len(flipped))] = chance.randrange(256)
    yield bytes(flipped)
    said = chance.choice(
        [b"koi8-r", b"utf-16", b"iso-2022-jp", b"utf-7", b"gb2312", b"no-such", b"x-mac-cyrillic", b"hz"]
    )
    yield re.sub(rb"(?i)(charset=\"?|=\?)(utf-8|iso-8859-1|us-ascii|windows-125.)", rb"\1" + said, raw)
    yield raw.decode("utf-8", "replace").encode(chance.choice(["cp1251", "koi8-r", "utf-16", "gb18030"]), "replace")


def test_mutations_of_every_letter_are_read_too() -> None:
    chance = random.Random(7)
    for path in LETTERS:
        for mutant in _mutants(path.read_bytes()[:200_000], chance):
            mail = read(mutant)
            if mail is not None:
                _clean(mail)


def test_no_letter_and_no_mutation_takes_more_work_than_its_length_explains() -> None:
    chance = random.Random(8)
    for path in LETTERS[::23]:
        raw = path.read_bytes()[:50_000]
        for letter in (raw, *_mutants(raw, chance)):
            assert work(lambda letter=letter: read(letter)) < 20_000 + 30 * len(letter), path.name  # type: ignore[misc]


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
    bounces = [bounce for mail in letters if (bounce := read_bounce(mail)) is not None and bounce.action == "failed"]
    assert sum(bool(bounce.message_ids) for bounce in bounces) > returned * len(letters)
