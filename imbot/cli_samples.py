"""Sample values for every template, so that `doctor` can render what a company has written before an employee meets it.

A test renders all of imbot's own templates with them: a value that a template may ask for and that is missing here fails it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from imbot.domain.errors import ConfigError
from imbot.templates import LANGUAGES, Templates

_AT, _SOON = "2026-11-21T06:13:00+00:00", "2026-11-21T15:00:00+00:00"
_TICKET = {
    "id": "t",
    "ticket": "t",
    "title": "Принтер: мигает",
    "number": "IM-CL-1042",
    "status": "new",
    "created_at": _AT,
}
_FILE = {"name": "фото-1.jpg", "kind": "photo", "size": 1000, "caption": "экран", "fate": "attached", "reason": ""}
_PERSON = {"name": "Иванова Анна", "department": "Бухгалтерия", "phone": "12-34", "mail": "anna@company.ru"}


class _Anything(dict[str, str]):
    """Attributes of a person: a company may name any that its directory has."""

    def __missing__(self, key: str) -> str:
        return "…"


_COMMON: Mapping[str, Any] = {
    **_TICKET,
    **dict.fromkeys(("accepted_at", "started_at", "at", "registered_at"), _AT),
    **dict.fromkeys(("promised_at", "until", "unverified_since"), _SOON),
    **dict.fromkeys(("page", "pages", "left", "first", "open", "earlier", "waiting", "left_out", "left_out_files"), 1),
    **dict.fromkeys(("late", "linked", "kept", "waits", "may_file", "contacts_changed", "listed", "in_body"), True),
    **dict.fromkeys(("in_subject", "can_add", "can_withdraw", "can_rate", "can_reopen", "can_resend"), True),
    **dict.fromkeys(("admin_knows", "checked", "told", "unconfirmed"), True),
    **dict.fromkeys(("problem", "greeting", "asked", "failure", "change", "account", "previous", "what", "path"), ""),
    **dict.fromkeys(("name", "person_name", "short_name", "author", "assignee"), "Иванова Анна"),
    **dict.fromkeys(
        ("text", "words", "comment", "question", "solution", "reason", "description", "draft"), "Мигает красным"
    ),
    **dict.fromkeys(("category", "subcategory", "label", "help", "current", "answer"), "Принтер"),
    **dict.fromkeys(("place", "location", "office", "detail", "building"), "Офис 2, каб. 315"),
    "address": "anna@company.ru",
    "mail": "anna@company.ru",
    "phone": "12-34",
    "department": "Бухгалтерия",
    "old": "registered",
    "new": "resolved",
    "handover": "accepted",
    "stars": 2,
    "letter": "ticket",
    "size": 1000,
    "max_bytes": 20_000_000,
    "max_files": 30,
    "max_text": 10_000,
    "support_contact": "12-00",
    "domains_hint": "company.ru",
    "usual": "company.ru",
    "foreign": "anna@mail.example",
    "endings": ["company.ru", "firm.ru"],
    "more_endings": True,
    "wait": 40,
    "again": "x",
    "now": _AT,
    "kind": "draft",
    "photos": 1,
    "files": 1,
    "file": "a.exe",
    "held": [_FILE],
    "version": "1",
    "tickets": [_TICKET],
    "fields": [["Инв. номер", "17"]],
    "line": {"what": "filed", "at": _AT, "values": {}},
    "ledger": [{"id": 1, "at": _AT, "what": "status", "values": {"new": "resolved", "solution": "готово"}}],
    "alerts": [{"name": "letter_failed", "at": _AT, "values": {"title": "x", "number": "", "reason": "550"}}],
    "lang": "ru",
    "languages": ["ru", "en"],
    "confirm": False,
    "total": 1,
}
_LEG = {"leg": "smtp", "ok": False, "since": _AT, "error": "connection refused", "ok_at": _AT}
_QUESTION = {
    "state": "",
    "let_go": True,
    "asked": 2,
    "by": "Иванова Анна",
    "sent_at": _AT,
    "read_at": _AT,
    "trouble": ["452 later"],
}
_OF_SCREEN: Mapping[str, Mapping[str, Any]] = {
    "receipt": {"files": [_FILE]},
    "ticket": {"files": [_FILE]},
    "legs": {"legs": [_LEG, {**_LEG, "leg": "mailbox:house", "ok": True}]},
    "unconfirmed": {**_QUESTION, "by_letter": True, "waits": 2},
}
_OF_NOTICES: Mapping[str, Any] = {"files": [_FILE], "refused_files": [{**_FILE, "reason": "type"}]}
_MAIL: Mapping[str, Any] = {
    "other_mail": "",
    "answers_seen": True,
    "bot": "imbot",
    "support": "12-00",
    "code": "ABCD2345",
    "link": "https://t.me/bot?start=x",
    "minutes": 10,
    "person": {**_PERSON, "attributes": _Anything()},
    "attributes": _Anything(),
    "contacts": {"phone": "1", "mail": "a@b.ru"},
    "files": [("фото-1.jpg", "экран")],
    "refused_files": [("видео.mp4", "38 МБ при пределе 20 МБ")],
    "kind": "ticket",
    "token": "imb:7KQ2MXPA4T",
    "number_token": "№ IM-CL-1042",
    "channel": "Telegram",
    "person_department": "Бухгалтерия",
    "ticket_id": "t",
    "thread": "<a@b>",
    "references": (),
    "person_address": "anna@company.ru",
    "stars": 2,
    "left_out": [_FILE],
    "whole": "Картридж заменён.",
}


def problems(templates: Templates, own: Path) -> list[str]:
    """What goes wrong when the templates of the folder `own` are rendered: each with its name and the reason. Where a
    shared part (`_words.j2`) is theirs, everything that may use it is rendered too."""
    theirs = {path.relative_to(own).as_posix() for path in own.rglob("*.j2")}
    names = set(all_names(templates)) if any("/_" in f"/{name}" for name in theirs) else set()
    found: list[str] = []
    for name in sorted(names | {name for name in theirs if not PurePosixPath(name).name.startswith("_")}):
        try:
            render(templates, name)
        except ConfigError as error:
            found.extend(error.problems)
    return list(dict.fromkeys(found))


def all_names(templates: Templates) -> Iterator[str]:
    """Every template that is rendered by itself, in every folder."""
    for folder in templates.folders:
        for path in sorted(folder.rglob("*.j2")):
            if not path.name.startswith("_"):
                yield path.relative_to(folder).as_posix()


def render(templates: Templates, name: str) -> str:
    """The template with sample values. Raises ConfigError where it asks for what it will not get."""
    place = PurePosixPath(name)
    stem = place.name.partition(".")[0]
    lang = next((part for part in place.parts if part in LANGUAGES), "ru")
    own = _OF_NOTICES if stem.startswith("notice_") else _OF_SCREEN.get(stem, {})
    return templates.render(name, {**_COMMON, **(_MAIL if place.parts[0] == "mail" else own)}, lang)
