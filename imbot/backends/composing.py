"""Letters to an ITSM: subject, text, sender and thread of each kind. Pure: Message-ID, date and files come from the caller.

The subject bears a person's words only where they match no number pattern and no anchor of the profile,
so that what comes back in an answer's subject can never act as a status. No header marks our letters as automatic: many
desks drop such mail.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from imbot.backends.base import FromMode, LetterKind, Sending, TicketView
from imbot.backends.patterns import Pattern, any_of
from imbot.backends.profile import Profile
from imbot.backends.tokens import without_foreign
from imbot.backends.understanding import numbers_in
from imbot.domain.letters import Letter
from imbot.mime.echoes import echoes, forms
from imbot.mime.tidying import readable
from imbot.templates import Templates, cut, squeeze

LONGEST_SUBJECT = 200
_SEAM = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=[:#=])(?=\w)")  # between letters and figures, and behind a colon


class _Blanks(dict[str, str]):
    """Attributes of a person: one that the directory does not give is empty, and no letter fails for it."""

    def __missing__(self, key: str) -> str:
        return ""


def compose(profile: Profile, templates: Templates, kind: LetterKind, view: TicketView, sending: Sending) -> Letter:
    """The letter of `kind` for `view`. Follow-ups keep the ITSM's number verbatim in the subject and answer the thread.

    Raises `ConfigError` where a template is missing or wrong, or renders an empty subject or text.
    """
    complaint = kind is LetterKind.COMPLAINT and bool(sending.complaints_to)
    values = _values(profile, kind, view) | {"answers_seen": not complaint}
    subject = _subject(profile, templates, values, view)
    first = kind is LetterKind.TICKET
    text = templates.render(_template(profile, templates, kind.value), values, profile.language).strip()
    text = without_foreign(_opened(profile, text), values["token"])
    text = _watermarked(profile, text or subject, "" if first or complaint else view.watermark)
    thread = "" if first else view.thread
    return Letter(
        message_id=sending.message_id,
        sender=_employee(view, sending) if sending.mode is FromMode.EMPLOYEE else sending.sender,
        to=sending.complaints_to if complaint else sending.to,
        subject=subject,
        text=text,
        date=sending.date,
        sender_name=view.person_name if sending.mode is FromMode.EMPLOYEE else sending.sender_name,
        envelope_sender=sending.sender,
        reply_to=_plus(sending.sender, view.token) if sending.mode is FromMode.PLUS else "",
        in_reply_to=thread,
        references=_references(thread, view.references),
        attachments=sending.attachments,
    )


def _template(profile: Profile, templates: Templates, name: str) -> str:
    """The profile's own template, in its language or in any, else the one that all profiles of its language share."""
    for own in (f"mail/{profile.name}/{profile.language}/{name}.txt.j2", f"mail/{profile.name}/{name}.txt.j2"):
        if templates.exists(own):
            return own
    return f"mail/common/{profile.language}/{name}.txt.j2"


def _opened(profile: Profile, text: str) -> str:
    """A number that shows only when entities and invisible characters are gone is written openly, so that its return is
    known for an echo."""
    hidden = forms(text)[1:]
    seen = set(numbers_in(profile, text)) if hidden else set()
    for form in hidden:
        if not seen.issuperset(found := numbers_in(profile, form)):
            return _opened(profile, form)
        seen.update(found)
    return text


def _watermarked(profile: Profile, text: str, watermark: str) -> str:
    """With the ITSM's watermark as the last words, verbatim. Any other is taken apart: who types one must not file into
    another's record."""
    for lift in profile.lifts:
        if lift.name == "watermark":
            for found in reversed(list(lift.pattern.finds(text))):
                apart = _SEAM.sub(" ", found.text)
                safe = "…" if lift.pattern.matches(apart) else apart
                text = text[: found.start] + safe + text[found.end :]
    return f"{text}\n\n{watermark}" if watermark else text


def _values(profile: Profile, kind: LetterKind, view: TicketView) -> dict[str, Any]:
    values = {name: getattr(view, name) for name in TicketView.__slots__}
    contacts = _Blanks({"phone": "", "mail": ""} | dict(view.contacts))
    address = view.person_address or contacts["mail"]
    person = {
        "name": view.person_name,
        "department": view.person_department,
        "phone": contacts["phone"],
        "mail": address,
        "attributes": _Blanks(view.attributes),
    }
    bare = view.token.partition(":")[2] or view.token
    return values | {
        "kind": kind.value,
        "person": person,
        "contacts": contacts,
        "other_mail": contacts["mail"] if contacts["mail"].lower() != address.lower() else "",
        "token": f"imb:{bare}",
        "number_token": profile.subject_number(view.number, view.tag),
        "in_subject": profile.token_place in ("subject", "both"),
        "in_body": profile.token_place in ("body", "both"),
        "short_name": short_name(view.person_name),
    }


def _subject(profile: Profile, templates: Templates, values: dict[str, Any], view: TicketView) -> str:
    """With the person's words, where they are safe; else with the catalogue's words only; else with none."""
    template = _template(profile, templates, "subject")
    person, place = values["short_name"], _short_place(view.location)
    for title, who, where in ((view.title, person, place), (view.subcategory or view.category, person, place), (
        view.subcategory or view.category, "", ""), ("", "", "")):  # fmt: skip
        words = [squeeze(readable(each)) for each in (title, who, where)]
        if safe_subject_words(profile, [*words, " ".join(words)]):
            values |= {"title": words[0], "short_name": words[1], "place": cut(words[2], 40)}
            break
    return squeeze(templates.render(template, values, profile.language))[:LONGEST_SUBJECT]


def _short_place(location: str) -> str:
    """«Москва, Ленинская Слобода, 19, каб. 315» -> «каб. 315»: the last part that is more than a figure."""
    parts = [part.strip() for part in squeeze(location).split(",") if part.strip()]
    last = parts[-1:]
    if last and not any(char.isalpha() for char in last[0]):
        last = parts[-2:]
    return ", ".join(last)


def safe_subject_words(profile: Profile, words: Sequence[str]) -> bool:
    """Whether none of `words` looks like a number of this ITSM, or like one of its status letters, in any shape in which it
    may come back. Our own token in a person's words would bind their letters to a foreign ticket: refused as well."""
    anchors = tuple(pattern for anchor in profile.anchors for pattern in anchor.any)
    marks = (
        *(lift.pattern for lift in profile.lifts if lift.name == "watermark"),
        *(each.pattern for each in profile.numbers),
    )
    number = profile.show_number("1042")  # an answer puts its number before or behind our words
    shown = list(dict.fromkeys(text for word in words for text in echoes(word)))
    whole = [each for text in shown for each in (text, f"{number} {text}", f"{text} {number}")]
    return not (any("imb:" in text.lower() for text in shown) or _any_in(marks, shown) or _any_in(anchors, whole))


def _any_in(patterns: tuple[Pattern, ...], texts: Sequence[str]) -> bool:
    """Whether one of them matches one of these. Where all of them together match nothing in all lines, none is to be tried."""
    together = any_of(patterns)
    if together is not None and not together.matches("\n".join(texts)):
        return False
    return any(pattern.matches(text) for pattern in patterns for text in texts)


def _references(thread: str, earlier: Sequence[str]) -> tuple[str, ...]:
    if not thread:
        return ()
    chain = [each for each in dict.fromkeys(earlier) if each != thread]
    return (*(chain[:1] + chain[1:][-18:]), thread)


def _plus(address: str, token: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}+{(token.partition(':')[2] or token).lower()}@{domain}"


def _employee(view: TicketView, sending: Sending) -> str:
    """The verified address: what somebody typed for a ticket must not make them the sender of another's letter."""
    return view.person_address or sending.sender


def short_name(full_name: str) -> str:
    """«Иванова Анна Сергеевна» -> «Иванова А. С.»; anything that is no Russian full name stays as it is."""
    words = full_name.split()
    if len(words) == 3 and all("\u0400" <= word[0] <= "\u04ff" for word in words):
        return f"{words[0]} {words[1][0]}. {words[2][0]}."
    return " ".join(words)
