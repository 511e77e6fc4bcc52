"""What the journals say, put in order: who asked for what, which letters were taken, what the ITSM said, what stood in which
chat when. Pure; judges nothing."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.fire import texts
from tests.fire.excuses import WINDOW, Event, Excuses
from tests.fire.journal import read

ITSM = "itsm@helpdesk.test"
ADMIN = "tom@example.test"  # who is told of what went wrong
EMPLOYEE = re.compile(r"\bu(\d+)@example\.test")  # and the chat of theirs

_MOMENT = 1.5  # seconds between two letters of which a Maildir may number the later one first


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be. `check`: which; `about`: a marker, a chat; `words`: what was expected and what there is."""

    check: str
    about: str
    words: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that the sink took. `kind`: request, files, addition, complaint, not_solved, withdraw; "" for one that is not
    for the ITSM. `thread`: the Message-IDs that it answers to."""

    t: float
    message_id: str
    subject: str
    text: str
    kind: str
    token: str
    hashes: frozenset[str]
    files: int
    thread: str

    @property
    def markers(self) -> list[str]:
        return texts.markers(self.text)

    @property
    def own_words(self) -> str:
        """What the person wrote in it; the rest of it names the request by its title."""
        return self.text.split("\nЗаявка: ")[0]


@dataclass(frozen=True, slots=True)
class Show:
    """A message of the bot as it stood from `t` on. `first`: it was new then. `letter`: the Message-ID of news that came by
    letter, for whoever has no chat at the moment; `message` is below zero then."""

    t: float
    chat: int
    message: int
    text: str
    first: bool
    files: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    letter: str = ""

    @property
    def whole(self) -> str:
        """Everything of it that can be read."""
        return "\n".join((self.text, *self.labels, *self.files))


@dataclass(frozen=True)
class Journals(Excuses):
    """All journals of one campaign, each in the order of its lines. `report`: rows of `imbot report --csv`, None where there
    is none. `admins`: chats of admins, who may read alerts about any request. `excused`: what the checks let pass because of
    the honest window, counted while they run."""

    itsm: Sequence[Event] = ()
    model: Sequence[Event] = ()
    report: Sequence[Mapping[str, str]] | None = None
    admins: frozenset[int] = frozenset()
    serving_seconds: float = 5.0
    excused: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)

    @cached_property
    def asked(self) -> list[Event]:
        return [one for one in self.model if one["e"] == "asked"]

    def wishes(self, *what: str) -> list[Event]:
        """What was asked for, of these kinds."""
        return [one for one in self.asked if one["what"] in what]

    @cached_property
    def requests(self) -> dict[str, Event]:
        """By marker."""
        return {one["marker"]: one for one in self.wishes("request")}

    @cached_property
    def pried(self) -> set[tuple[int, str]]:
        """Chat and value: what somebody pressed that stood below another's messages."""
        return {(int(one["chat"]), str(one["value"])) for one in self.model if one["e"] == "pried"}

    @cached_property
    def presses_of_requests(self) -> dict[int, list[Event]]:
        """By chat: presses of buttons that say which request they are about."""
        found: dict[int, list[Event]] = defaultdict(list)
        for one in self.bot:
            if one["e"] == "sent" and str(one.get("value", "")).startswith(texts.OF_A_REQUEST):
                found[int(one["chat"])].append(one)
        return found

    @cached_property
    def owner(self) -> dict[str, int]:
        """The chat of each marker that a person ever used."""
        return {one["marker"]: int(one["chat"]) for one in self.model if one.get("marker")}

    @cached_property
    def letters(self) -> list[Letter]:
        """Those for the ITSM."""
        every = (_letter(event) for event in self.smtp if event["e"] == "accepted" and ITSM in event["rcpt"])
        return [letter for letter in every if letter.kind]

    @cached_property
    def other_letters(self) -> list[Letter]:
        """Codes, news for whoever has no chat, and what admins are told."""
        known = {letter.message_id for letter in self.letters}
        return [_letter(one) for one in self.smtp if one["e"] == "accepted" and one["message_id"] not in known]

    @cached_property
    def request_letters(self) -> dict[str, list[Letter]]:
        """By the marker of the request."""
        found: dict[str, list[Letter]] = defaultdict(list)
        for letter in self.letters:
            if letter.kind == "request":
                asked = [one for one in letter.markers if one in self.requests]
                found[(asked or letter.markers or [letter.token])[0]].append(letter)
        return found

    @cached_property
    def marker_of_token(self) -> dict[str, str]:
        return {letter.token: marker for marker, found in self.request_letters.items() for letter in found}

    @cached_property
    def marker_of_letter(self) -> dict[str, str]:
        """Message-ID of a request's letter -> its marker."""
        return {letter.message_id: marker for marker, found in self.request_letters.items() for letter in found}

    @cached_property
    def letters_of(self) -> dict[str, list[Letter]]:
        """By the marker of the request that they are about: all letters, the first one and what followed."""
        found: dict[str, list[Letter]] = defaultdict(list)
        for letter in self.letters:
            found[self.marker_of_token.get(letter.token, "")].append(letter)
        return found

    @cached_property
    def refusals(self) -> list[tuple[Event, Event]]:
        """(what was asked for, what the person was told instead), where the chat really says so. A busy rig notes that something
        was asked for when its answer stands there already: what counts is when it was planned."""
        found = []
        planned = {(one["chat"], one["marker"]): float(one["t"]) for one in self.model if one["e"] == "planned"}
        for no in (one for one in self.model if one["e"] == "told_no"):
            same = [one for one in self.wishes(no["what"]) if (one["of"], one["marker"]) == (no["of"], no["marker"])]
            asked = next((one for one in reversed(same) if one["t"] <= no["t"]), None)
            shows = self.versions.get((int(no["chat"]), int(no["message"])), ())
            begun = min(planned.get((no["chat"], no["marker"]), float("inf")), asked["t"] - WINDOW) if asked else 0.0
            if asked and any(show.text == no["text"] and begun <= show.t <= no["t"] for show in shows):
                found.append((asked, no))
        return found

    @cached_property
    def said(self) -> list[Event]:
        """What the ITSM said and the mailbox took, in order."""
        return [one for one in self.itsm if one["e"] == "said"]

    @cached_property
    def saying(self) -> list[Event]:
        """The same, from the moment when the mailbox may have had it."""
        return [one for one in self.itsm if one["e"] == "saying"] or self.said

    @cached_property
    def says_of(self) -> dict[str, list[Event]]:
        """By marker: what is no forgery, from the moment when the mailbox may have had it."""
        found: dict[str, list[Event]] = defaultdict(list)
        for one in self.saying:
            if not one.get("forged"):
                found[self.about(one)].append(one)
        return found

    @cached_property
    def words_said(self) -> dict[str, Event]:
        """By the marker in support's words, forged ones included: the first time."""
        found: dict[str, Event] = {}
        for one in self.saying:
            if one.get("words"):
                found.setdefault(one["words"], one)
        return found

    def about(self, said: Event) -> str:
        """The marker of the request that it concerns, "" if none."""
        return self.marker_of_letter.get(said["about"], "")

    def overtaken(self, marker: str, said: float) -> bool:
        """Whether a Maildir may have numbered the letter about it of `said` behind one that came later: it numbers those of a
        moment in any order (`World.in_order`)."""
        if not any(one["e"] == "maildir" for one in self.nanny):
            return False
        near = [one for one in self.heard(marker) if abs(one["t"] - said) <= _MOMENT]
        self.excused["numbered in another order by its Maildir"] += len(near) > 1
        return len(near) > 1

    def heard(self, marker: str) -> list[Event]:
        """The believed letters about a request, in order, each once: no forgeries, repetitions and reports of the post."""
        return self._heard.get(marker, [])

    @cached_property
    def _heard(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = defaultdict(list)
        for one in self.said:
            if not (one.get("forged") or one.get("repeat") or one.get("bounce")):
                found[self.about(one)].append(one)
        return found

    @cached_property
    def came_back(self) -> dict[str, Event]:
        """By marker: the report of the post that its letter did not arrive, where that was the first thing heard of it."""
        first: dict[str, Event] = {}
        for one in self.said:
            if not one.get("forged"):
                first.setdefault(self.about(one), one)
        return {marker: one for marker, one in first.items() if one.get("bounce")}

    @cached_property
    def shows(self) -> list[Show]:
        """What people were shown, by the bot and by letters that stand for it, in order."""
        known: set[tuple[int, int]] = set()
        found = [_show(event, known) for event in self.bot if event["e"] == "saw"]
        return sorted(found + self.news_by_letter, key=lambda show: show.t)

    @cached_property
    def news_by_letter(self) -> list[Show]:
        taken = [one for one in self.smtp if one["e"] == "accepted" and texts.news_in(str(one["text"] or ""))]
        return [
            Show(
                one["t"],
                int(whose[1]),
                -number,
                texts.news_in(str(one["text"])),
                first=True,
                files=tuple(map(_name, one.get("files") or ())),
                letter=one["message_id"],
            )
            for number, one in enumerate(taken, 1)
            for rcpt in one["rcpt"]
            if (whose := EMPLOYEE.fullmatch(rcpt.lower()))
        ]

    @cached_property
    def versions(self) -> dict[tuple[int, int], list[Show]]:
        """By chat and message: how it stood, one after another."""
        found: dict[tuple[int, int], list[Show]] = defaultdict(list)
        for show in self.shows:
            found[show.chat, show.message].append(show)
        return found

    @cached_property
    def file_shows(self) -> dict[tuple[int, str], list[Show]]:
        """By chat and file name: the messages that brought the file."""
        found: dict[tuple[int, str], list[Show]] = defaultdict(list)
        for show in self.shows:
            for name in show.files if show.first else ():
                found[show.chat, name].append(show)
        return found

    def whose(self, text: str) -> str:
        """The request that a message about one names in its first line; "" where it names none."""
        named = texts.markers(text.partition("\n")[0])
        return next((marker for marker in named if marker in self.requests), named[0] if named else "")

    @cached_property
    def receipts(self) -> dict[str, list[Show]]:
        """By the marker in their title."""
        found: dict[str, list[Show]] = defaultdict(list)
        for show in self.shows:
            if texts.is_receipt(show.text):
                found[self.whose(show.text)].append(show)
        return found

    @cached_property
    def notices(self) -> dict[str, list[Show]]:
        """First showings of what came by itself, by the marker in its title."""
        found: dict[str, list[Show]] = defaultdict(list)
        for show in self.shows:
            if show.first and texts.is_notice(show.text):
                found[self.whose(show.text)].append(show)
        return found

    @cached_property
    def taps(self) -> dict[int, float]:
        """By the id of the event: when the same button was tapped before. Send is one button below all reviews of one draft."""
        found, last = {}, dict[tuple[int, int, str], float]()
        for event in self.bot:
            if event["e"] == "sent" and event["kind"] == "press":
                value = str(event["value"])
                button = (int(event["chat"]), 0 if value.endswith(":send") else int(event["on"]), value)
                if button in last:
                    found[id(event)] = last[button]
                last[button] = event["t"]
        return found


def _letter(event: Event) -> Letter:
    subject, text = str(event["subject"] or ""), str(event["text"] or "")
    files = event.get("files") or []
    hashes = frozenset(str(one.get("sha256", "")) for one in files)
    kind, token = texts.letter_kind(subject, text), texts.token_of(subject, text)
    thread = f"{event.get('in_reply_to') or ''} {event.get('references') or ''}"
    return Letter(event["t"], event["message_id"], subject, text, kind, token, hashes, len(files), thread)


def _show(event: Event, known: set[tuple[int, int]]) -> Show:
    place = (int(event["chat"]), int(event["message"]))
    first = place not in known
    known.add(place)
    files = tuple(map(_name, event.get("files") or ()))
    return Show(
        event["t"], *place, str(event.get("text") or ""), first, files, tuple(texts.labels(event.get("buttons")))
    )


def _name(file: Mapping[str, Any]) -> str:
    name = str(file.get("name", ""))
    return f"{name}, with other bytes" if texts.is_spoiled(name, str(file.get("sha256", ""))) else name


def read_journals(folder: Path, admins: Iterable[int] = (), serving_seconds: float = 5.0) -> Journals:
    """Everything that lies in the folder of a campaign, or in its `journals`; `report.csv` where there is one, beside the
    journals or above."""
    folder = folder / "journals" if (folder / "journals").is_dir() else folder
    table = next(
        (one for one in (folder / "report.csv", folder.parent / "report.csv") if one.exists()), folder / "none"
    )
    report = None
    if table.exists():
        with table.open(encoding="utf-8-sig", newline="") as file:
            report = list(csv.DictReader(file))
    return Journals(
        bot=read(folder / "botapi.jsonl"),
        smtp=read(folder / "smtp.jsonl"),
        itsm=read(folder / "itsm.jsonl"),
        model=read(folder / "model.jsonl"),
        nanny=read(folder / "nanny.jsonl"),
        proxy=read(folder / "proxy.jsonl"),
        report=report,
        admins=frozenset(admins),
        serving_seconds=serving_seconds,
    )
