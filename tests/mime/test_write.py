"""Letters that go out: what is built is read back by us and by the standard library, and no words break it."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings

from imbot.domain.errors import DeliveryError
from imbot.domain.letters import Attachment
from imbot.mime import bytes_to_mail, letter_to_bytes
from tests.mime.letters import ODD_TEXT, WHEN, back, letter


def test_a_letter_is_read_back_as_it_was_written() -> None:
    made = letter(sender_name="Бот поддержки", in_reply_to="<1@x>", references=("<0@x>", "<1@x>"), html="<p>Привет</p>")
    mail = back(made)
    assert (mail.subject, mail.text) == (made.subject, made.text.strip("\n"))
    assert (mail.sender, mail.sender_name, mail.to) == (made.sender, made.sender_name, (made.to,))
    assert (mail.message_id, mail.in_reply_to, mail.references) == (made.message_id, ("<1@x>",), made.references)
    assert (mail.date, mail.html.strip()) == (WHEN, made.html)
    assert not mail.automatic


def test_the_same_letter_gives_the_same_bytes() -> None:
    made = letter(html="<p>x</p>", attachments=(Attachment("фото.jpg", "image/jpeg", b"\xff\xd8"),))
    assert letter_to_bytes(made) == letter_to_bytes(made)


def test_lines_are_short_and_end_in_crlf() -> None:
    raw = letter_to_bytes(
        letter(text="я" * 5000 + "\n.\nFrom here\n", attachments=(Attachment("a.bin", data=bytes(5000)),))
    )
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78


def test_the_standard_library_reads_cyrillic_file_names_and_text() -> None:
    name = "Скриншот экрана с ошибкой «Не удаётся напечатать документ» от 21 ноября.png"
    made = letter(attachments=(Attachment(name, "image/png", b"\x89PNG"), Attachment("a b.txt", "text/plain", b"x")))
    parsed = email.message_from_bytes(letter_to_bytes(made), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    files = list(parsed.iter_attachments())
    assert [file.get_filename() for file in files] == [name, "a b.txt"]
    assert files[0].get_content() == b"\x89PNG"
    body = parsed.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").strip() == made.text.strip()
    assert parsed["subject"] == made.subject


def test_outlook_finds_a_cyrillic_name_in_content_type() -> None:
    raw = letter_to_bytes(letter(attachments=(Attachment("фото.jpg", "image/jpeg", b"x"),)))
    assert b'name="=?utf-8?B?' in raw
    assert b"filename*=utf-8''%D1%84" in raw


def test_no_header_marks_our_letters_as_automatic_unless_asked() -> None:
    mail = back(letter())
    names = {name.lower() for name, _ in mail.headers}
    assert not names & {"auto-submitted", "precedence", "x-autoreply", "x-auto-response-suppress", "x-loop", "reply-to"}
    marked = letter(headers=(("Auto-Submitted", "auto-generated"),))
    assert back(marked).header("auto-submitted") == ("auto-generated",)


def test_files_are_read_from_disk_when_the_bytes_are_built(tmp_path: Path) -> None:
    path = tmp_path / "random-name"
    path.write_bytes(b"content")
    made = letter(attachments=(Attachment("отчёт.pdf", "application/pdf", path=path),))
    part = back(made).attachments[0]
    assert (part.name, part.data, part.content_type) == ("отчёт.pdf", b"content", "application/pdf")
    path.unlink()
    with pytest.raises(DeliveryError) as caught:
        letter_to_bytes(made)
    assert (caught.value.permanent, caught.value.kind) == (True, "gone")


@given(subject=ODD_TEXT, name=ODD_TEXT, text=ODD_TEXT, file=ODD_TEXT)
@settings(max_examples=150, deadline=None)
def test_no_words_can_add_a_header_or_break_a_letter(subject: str, name: str, text: str, file: str) -> None:
    made = letter(subject=subject, sender_name=name, text=text, attachments=(Attachment(file, data=b"x"),))
    raw = letter_to_bytes(made)
    mail = bytes_to_mail(raw)
    assert [key for key, _ in mail.headers] == [
        "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert mail.sender == made.sender
    assert len(mail.attachments) == 1
    assert b"\x00" not in raw


@pytest.mark.parametrize(
    "bad", ["x\r\nBcc: eve@example.test", "a\nb: c", "nul\x00nul", "one\u2028two", "lone \ud800 surrogate"]
)
def test_line_breaks_and_their_kin_become_blanks(bad: str) -> None:
    mail = back(letter(subject=bad, sender_name=bad, attachments=(Attachment(bad, data=b"x"),)))
    assert len(mail.headers) == 7
    assert not mail.header("bcc")
    assert "\n" not in mail.subject + mail.attachments[0].name


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "a@b.example\r\nBcc: eve@example.test"},
        {"to": "a@b.example, eve@example.test"},
        {"sender": "no address"},
        {"sender": "Бот@company.example"},
        {"reply_to": "<a@b.example>"},
        {"message_id": "<a\r\nb>"},
        {"message_id": "no brackets"},
        {"references": ("<a b>",)},
        {"headers": (("Subject", "second"),)},
        {"headers": (("X-A\r\nBcc", "x"),)},
    ],
)
def test_what_is_no_address_or_header_is_refused_for_good(changes: dict[str, object]) -> None:
    with pytest.raises(DeliveryError) as caught:
        letter_to_bytes(letter(**changes))
    assert (caught.value.permanent, caught.value.kind) == (True, "refused")
