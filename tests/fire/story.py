"""Journals written by hand for the tests of the checker: a small day at a helpdesk, which a test then spoils."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fire.checker import CHECKS
from tests.fire.facts import ITSM, Finding, Journals

Event = dict[str, Any]
CHAT, OTHER = 1001, 1002
ONE, TWO, MORE = "fire0000001", "fire0000002", "fire0000009"
NUMBER = "IM-CL-1042"
TITLE = f"Принтер: {ONE} мигает красным"
NAMED = f"{NUMBER} «{TITLE}»"


@dataclass
class Story:
    """`journals` gives what was written so far. Every verb takes the second at which it happened."""

    bot: list[Event] = field(default_factory=list)
    smtp: list[Event] = field(default_factory=list)
    itsm: list[Event] = field(default_factory=list)
    model: list[Event] = field(default_factory=list)
    nanny: list[Event] = field(default_factory=list)
    proxy: list[Event] = field(default_factory=list)
    report: list[dict[str, str]] | None = None

    def journals(self, **other: Any) -> Journals:
        def sorted_(events: list[Event]) -> list[Event]:
            return sorted(events, key=lambda one: one["t"])

        return Journals(
            bot=sorted_(self.bot), smtp=sorted_(self.smtp), nanny=sorted_(self.nanny), proxy=sorted_(self.proxy),
            itsm=sorted_(self.itsm), model=sorted_(self.model), report=self.report, **other,
        )  # fmt: skip

    def finds(self, check: str, **other: Any) -> list[Finding]:
        """What this check finds; whatever it finds bears its name."""
        found = CHECKS[check](self.journals(**other))
        assert all(one.check == check for one in found)
        return found

    def drop(self, journal: str, holds: Callable[[Event], bool]) -> int:
        """Take lines away; at least one, or the test is wrong. Returns how many."""
        events: list[Event] = getattr(self, journal)
        kept = [one for one in events if not holds(one)]
        assert len(kept) < len(events)
        setattr(self, journal, kept)
        return len(events) - len(kept)

    # --- who did what

    def asked(self, t: float, what: str, marker: str = "", chat: int = CHAT, **fields: Any) -> None:
        self.model.append({"t": t, "e": "asked", "what": what, "chat": chat, "marker": marker, **fields})

    def sent(self, t: float, kind: str = "message", chat: int = CHAT, **fields: Any) -> None:
        self.bot.append({"t": t, "e": "sent", "chat": chat, "kind": kind, **fields})

    def saw(self, t: float, message: int, text: str, chat: int = CHAT, **fields: Any) -> None:
        self.bot.append({"t": t, "e": "saw", "chat": chat, "message": message, "text": text, "edit": False, **fields})

    def accepted(
        self,
        t: float,
        text: str,
        *,
        message_id: str = "<r1@bot>",
        subject: str = f"{TITLE} — Иванов И. И. [imb:7KQ2MXPA4T]",
        files: Sequence[dict[str, Any]] = (),
        rcpt: Sequence[str] = (ITSM,),
        references: str = "",
    ) -> None:
        self.smtp.append(
            {"t": t, "e": "accepted", "rcpt": list(rcpt), "message_id": message_id, "subject": subject,
             "text": text, "files": list(files), "in_reply_to": "", "references": references}
        )  # fmt: skip

    def said(self, t: float, action: str, words: str = "", **fields: Any) -> None:
        """Both lines, as the helpdesk writes them."""
        line = {
            "action": action, "number": NUMBER, "message_id": f"<{action}{t}@itsm>", "about": "<r1@bot>", "words": words,
            "at": int(t), "promise": 15 * 3600, "files": [], "forged": False, "repeat": False, "late": False, "bounce": False,
        } | fields  # fmt: skip
        self.itsm += [{"t": t - 0.1, "e": "saying", **line}, {"t": t, "e": "said", **line}]


def request_text(marker: str, chat: int = CHAT, extra: str = "") -> str:
    return (
        f"Описание:\n{marker} мигает красным\n\nКто: Иванов Иван\nСвязь: u{chat}@example.test\n"
        f"Категория: Оборудование / Принтер\n{extra}\n"
        "Ответ на это письмо сотрудник увидит в чате. Метку imb:7KQ2MXPA4T, пожалуйста, не удаляйте."
    )


def follow_up_text(words: str, of: str = ONE, chat: int = CHAT) -> str:
    return (
        f"{words} стало хуже\n\nДополнение к заявке {NUMBER}\nКто: Иванов, u{chat}@example.test\n"
        f"Ответ на это письмо сотрудник увидит в чате. Метку imb:7KQ2MXPA4T, пожалуйста, не удаляйте.\n"
    )


FOLLOW_UP_SUBJECT = f"Дополнение к заявке № {NUMBER}: {TITLE} [imb:7KQ2MXPA4T]"


def good_day() -> Story:
    """A request is sent, taken, registered, begun, done and rated: all that must be, and nothing else."""
    story = Story()
    story.model.append({"t": 1, "e": "planned", "chat": CHAT, "marker": ONE})
    story.sent(2, text="/newticket")
    story.saw(2.5, 10, f"Проверьте заявку\nОборудование / Принтер\n\n{ONE} мигает красным")
    story.sent(3, "press", value="k:send", on=10)
    story.asked(3.1, "request", ONE, lines=[f"{ONE} мигает красным"], files=[])
    story.saw(3.5, 10, f"{TITLE}\nЗаявка сохранена и уже отправляется в поддержку.", edit=True)
    story.accepted(4, request_text(ONE))
    story.saw(
        4.5, 10, f"{TITLE}\nЗаявка отправлена в 09:14. Поддержка её ещё не подтвердила; номер придёт сюда.", edit=True
    )
    story.said(10, "register")
    story.saw(11, 11, f"Заявка {NAMED} принята. Поддержка обещает к 18:00.")
    story.saw(11.1, 10, f"{TITLE}\nЗаявка {NUMBER} принята. Поддержка обещает к 18:00.", edit=True)
    story.said(20, "start")
    story.saw(21, 10, f"{TITLE}\nЗаявка {NUMBER} в работе. Поддержка обещает к 18:00.", edit=True)
    story.said(30, "done", "desk0000001")
    story.saw(31, 12, f"Заявка {NAMED}: была в работе, теперь выполнена.\nПоддержка пишет: «desk0000001 готово».")
    story.saw(31.1, 10, f"{TITLE}\nЗаявка {NUMBER} выполнена.", edit=True)
    story.sent(40, "press", value="rate:x:5", on=12)
    story.asked(40.1, "rating", of=ONE, stars=5)
    story.saw(40.5, 13, f"Спасибо. Оценка 5 за {NAMED} записана, сутки её можно изменить.")
    story.report = [{"title": TITLE, "stars": "5", "words": ""}]
    return story
