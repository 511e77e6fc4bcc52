"""The letters of the play ITSM, written the way InfraManager's look in the wild. Pure: data to bytes.

HTML whose tags survive in the text part, old Cyrillic charsets where the words fit them, `Auto-Submitted`, a registration
that starts a new thread and echoes what was written. It shares no code with imbot's own letters: the point is a stranger's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from hashlib import sha256
from html import escape

from imbot.demo.cast import ITSM_ADDRESS

ACTIONS = ("register", "start", "comment", "ask", "done", "reject")
_SUBJECTS = {
    "register": "Заявка № {number} получена и рассмотрена",
    "start": "Заявка № {number} принята в работу",
    "comment": "Сообщение по заявке № {number}",
    "ask": "По заявке № {number} требуется уточнение",
    "done": "Заявка № {number} выполнена",
    "reject": "Заявка № {number} отклонена",
}
_DEFAULT_WORDS = {
    "register": "",
    "start": "",
    "comment": "Смотрите вложение.",
    "ask": "Уточните, пожалуйста, когда к вам можно подойти?",
    "done": "Причина устранена, работа проверена.",
    "reject": "Эта просьба не относится к службе поддержки.",
}
_OLD_CHARSETS = {
    "register": ("windows-1251",),
    "start": ("koi8-r", "windows-1251"),
    "ask": ("koi8-r", "windows-1251"),
    "reject": ("windows-1251",),
}
_PROMISE = timedelta(hours=4)
_ECHO = 4000  # characters of the request that a registration repeats


@dataclass(frozen=True, slots=True)
class Answer:
    """What the ITSM says: `action` about call `number`, in `words` ("" = its usual ones). `now` bears the ITSM's own zone.
    `echo`: the text of the request. `thread`: Message-IDs of the thread, oldest first; empty starts a new one.
    `files`: (name, bytes) of what is attached."""

    action: str
    number: str
    recipient: str
    message_id: str
    now: datetime
    words: str = ""
    echo: str = ""
    thread: tuple[str, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()


def write_answer(answer: Answer) -> bytes:
    """The letter, ready for SMTP."""
    lines = _lines(answer)
    boundary = f"----im-{sha256(answer.message_id.encode()).hexdigest()[:20]}"
    words = MIMEMultipart("alternative", boundary=f"{boundary}-words" if answer.files else boundary)
    letter = MIMEMultipart("mixed", boundary=boundary) if answer.files else words
    letter["From"] = formataddr(("Служба поддержки", ITSM_ADDRESS), charset="utf-8")
    letter["To"] = answer.recipient
    subject = _SUBJECTS[answer.action].format(number=answer.number)
    letter["Subject"] = Header(subject, "windows-1251", maxlinelen=76).encode()
    letter["Date"] = format_datetime(answer.now)
    letter["Message-ID"] = answer.message_id
    if answer.thread:
        letter["In-Reply-To"] = answer.thread[-1]
        letter["References"] = " ".join(answer.thread)
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Mailer"] = "InfraManager (play)"
    plain = _with_stray_tags(lines)
    html = _html(lines)
    charset = _charset(answer.action, plain + html)
    words.attach(MIMEText(plain, "plain", charset))
    words.attach(MIMEText(html, "html", charset))
    if letter is not words:
        letter.attach(words)
    for name, data in answer.files:
        part = MIMEApplication(data)
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", name))
        letter.attach(part)
    return letter.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _lines(answer: Answer) -> list[str]:
    """The body, line by line, before any mark-up."""
    words = answer.words.strip() or _DEFAULT_WORDS[answer.action]
    number = answer.number
    match answer.action:
        case "register":
            promised = (answer.now + _PROMISE).strftime("%d.%m.%Y %H:%M:%S")
            note = ["", words] if words else []
            echo = answer.echo.strip()[:_ECHO].splitlines()
            lines = [f"Ваша заявка № {number} получена и рассмотрена.", f"Обещанное время решения: {promised}", *note]
            return [*lines, "", "Описание заявки:", *echo]
        case "start":
            return [f"Заявка {number} принята в работу.", "Исполнитель: Кузнецов Т. А.", *([words] if words else [])]
        case "comment":
            return [f"По заявке {number} есть сообщение.", f"Сообщение: {words}"]
        case "ask":
            return [f"По заявке {number} требуется уточнение.", f"Вопрос: {words}"]
        case "done":
            first, *others = words.splitlines()
            entry = f"{answer.now:%d.%m.%Y} - {first}"
            return [f"Заявка № {number} выполнена.", "Решение:", entry, *others]
        case _:
            return [f"Заявка № {number} отклонена.", f"Причина: {words}"]


def _with_stray_tags(lines: list[str]) -> str:
    """The text part, with the remains of HTML that real letters of this system bear."""
    head, *body = lines
    inner = "\n".join(f"{line}</div>" if line else "<P></P>" for line in body)
    greeting = "<FONT face=Arial size=2>Здравствуйте!</FONT>"
    return f"{greeting}\n{head}</FONT>\n{inner}\n<P></P>\nС уважением,</div>\nслужба поддержки\n"


def _html(lines: list[str]) -> str:
    inner = "\n".join(f"<div>{escape(line)}</div>" if line else "<P></P>" for line in lines)
    return (
        '<html><body><FONT face="Arial" size="2"><div>Здравствуйте!</div>\n'
        f"{inner}\n<P></P>\n<div>С уважением,</div>\n<div>служба поддержки</div></FONT></body></html>\n"
    )


def _charset(action: str, text: str) -> str:
    """An old charset where the words fit it (koi8-r has neither the numero sign nor quotation marks), else UTF-8."""
    for charset in _OLD_CHARSETS.get(action, ()):
        try:
            text.encode(charset)
        except UnicodeEncodeError:
            continue
        return charset
    return "utf-8"
