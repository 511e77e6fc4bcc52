"""What a person has given so far: a pile of words and files, and the answers of a form on top of it. Data and its JSON.

A pile has an opaque id from its first word on: files are kept under it, and it becomes the ticket's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from imbot.dialog.facts import DialogSettings, Facts
from imbot.dialog.orders import DropDraft, DropFile, EditCaption, KeepFile, Order
from imbot.dialog.words import told
from imbot.domain.chats import Attached, FileRef, Shared, Typed
from imbot.mime.names import extension_of

Said = Typed | Attached | Shared
KEPT = timedelta(hours=24)  # what came before sign-in, and what was cancelled
LISTED = 10  # so many times the files that may go along are listed; what comes beyond is only counted
_CUT = " […]"  # where words break off
_LONGEST = 4096  # UTF-16 units of a message of Telegram's: "1-4096 characters", core.telegram.org/bots/api#sendmessage
_MISSED = 20  # messages that did not fit are remembered one by one up to here


@dataclass(frozen=True, slots=True)
class Part:
    text: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A file and its fate so far: wanted, or refused and why (too_large, type, too_many)."""

    file: FileRef
    caption: str = ""
    message_id: str = ""
    album: str = ""
    fate: str = "wanted"
    reason: str = ""

    @property
    def mark(self) -> str:
        """A short name for a button: a vendor's own may be too long."""
        return hashlib.blake2s(self.file.unique_id.encode("utf-8", "replace"), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Missed:
    """A message that did not fit, and how many characters it has."""

    message_id: str
    length: int


@dataclass(frozen=True, slots=True)
class Pile:
    """`missed`: words that did not fit, remembered so that nobody takes the rest for the whole. `beyond`: files that are not
    even listed."""

    id: str
    parts: tuple[Part, ...] = ()
    files: tuple[Held, ...] = ()
    missed: tuple[Missed, ...] = ()
    beyond: int = 0

    @property
    def text(self) -> str:
        """Telegram cuts what is pasted into messages as long as it takes, in mid-word where it must: these are one piece."""
        pieces = []
        for part in self.parts:
            pieces += [part.text, "" if len(part.text.encode("utf-16-le", "replace")) >= 2 * _LONGEST else "\n"]
        return "".join(pieces[:-1])

    @property
    def words(self) -> str:
        """What was written; where nothing was, what stands under the photos."""
        return self.text or "\n".join(dict.fromkeys(held.caption for held in self.files if held.caption))

    @property
    def count(self) -> int:
        """Files that will go along; refused ones do not count."""
        return sum(held.fate == "wanted" for held in self.files)

    @property
    def listed(self) -> tuple[Held, ...]:
        """The files that screens name one by one. Those that were simply too many are told as a number."""
        return tuple(held for held in self.files if held.reason != "too_many")

    @property
    def left(self) -> dict[str, int]:
        """How many of the files that go along are photos, how many characters and how many files have no room, and how many
        were refused: values of every screen that shows the pile."""
        return {
            "photos": sum(held.fate == "wanted" and held.file.kind == "photo" for held in self.files),
            "left_text": sum(each.length for each in self.missed),
            "left_files": len(self.files) - len(self.listed) + self.beyond,
            "refused": sum(held.fate == "refused" for held in self.listed),
        }

    def __bool__(self) -> bool:
        return bool(self.parts or self.files)


@dataclass(frozen=True, slots=True)
class Answer:
    """`key`: of the choice that was pressed. An empty text is a question that was skipped."""

    text: str = ""
    key: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """`key`: the path in the list of places, "" where it stands in none. `detail`: words beyond the list (a room).
    `source`: office and last were prefilled; list, typed and unknown were asked."""

    key: str = ""
    text: str = ""
    detail: str = ""
    source: str = "typed"
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """`category`, `subcategory`: keys; "" is "other", None not asked yet. `step`: the question that waits. `trail`: how far
    down the list of places they are. `returning`: asked again from the review. `before`: the category and subcategory that the
    review has still, while others are being chosen. `early`: begun before sign-in."""

    pile: Pile
    started_at: str
    category: str | None = None
    subcategory: str | None = None
    place: Place | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    phone: str = ""
    mail: str = ""
    step: str = "category"
    page: int = 0
    trail: str = ""
    returning: bool = False
    before: Mapping[str, str | None] = field(default_factory=dict)
    early: bool = False
    undescribed: bool = False
    previous: str = ""

    @property
    def changing(self) -> bool:
        """Whether one thing is being changed, and there is a review to go back to."""
        return self.returning or bool(self.before)

    def __bool__(self) -> bool:
        """Whether there is anything in it that could be lost."""
        return bool(self.pile) or self.category is not None


@dataclass(frozen=True, slots=True)
class Addition:
    """Words and files for a ticket that exists. `known`: its title and number are. `answers`: support waits for them."""

    pile: Pile
    ticket: str
    title: str = ""
    number: str = ""
    known: bool = False
    answers: bool = False


def begin(facts: Facts, pile: Pile | None = None, *, previous: str = "") -> Draft:
    """A new draft, perhaps with what was given already."""
    return Draft(pile or Pile(facts.fresh_id), facts.now.isoformat(), previous=previous, early=facts.person is None)


def is_stale(moment: Any, facts: Facts) -> bool:
    """Whether it was kept long enough; a moment that cannot be read has passed."""
    try:
        return facts.now - datetime.fromisoformat(moment) > KEPT
    except (TypeError, ValueError):
        return True


def add_text(pile: Pile, text: str, message_id: str, settings: DialogSettings) -> tuple[Pile, str]:
    """The pile with these words, and a problem: "too_long" where they do not fit. Then as many are taken as do, so that nothing
    is cut out of the middle, a mark stands where they break off, and how many are missing is remembered."""
    if not text:
        return pile, ""
    parts = tuple(part for part in pile.parts if not message_id or part.message_id != message_id)
    missed = tuple(each for each in pile.missed if not message_id or each.message_id != message_id)
    after = replace(pile, parts=(*parts, Part(text, message_id)), missed=missed)
    if len(after.text) <= settings.max_text:
        return after, ""
    room = max(0, settings.max_text - (len(after.text) - len(text)) - len(_CUT))
    begun = text[:room].rstrip()
    parts = (*parts, Part(begun + _CUT, message_id)) if begun else parts
    if len(missed) >= _MISSED:
        missed = (Missed("", sum(each.length for each in missed)),)
    return replace(pile, parts=parts, missed=(*missed, Missed(message_id, len(text) - len(begun)))), "too_long"


def add_file(pile: Pile, event: Attached, settings: DialogSettings) -> tuple[Pile, tuple[Order, ...]]:
    """The pile with this file and its fate. Far too many are counted, and no more."""
    if len(pile.files) >= LISTED * settings.max_files:
        return replace(pile, beyond=pile.beyond + 1), ()
    fate, reason = _fate(pile, event.file, settings)
    held = Held(event.file, told(event.caption)[:1024], event.message_id, event.album, fate, reason)
    return replace(pile, files=(*pile.files, held)), (keep_order(pile.id, held),)


def gather(pile: Pile, event: Said, settings: DialogSettings) -> tuple[Pile, tuple[Order, ...], str]:
    """The pile with what the event brings: the pile, orders, a problem. Words under a refused file are words all the same."""
    if isinstance(event, Attached):
        return _gather_file(pile, event, settings)
    text = told(event.text)
    if not text:
        return pile, (), "not_text" if isinstance(event, Shared) else "empty"
    after, problem = add_text(pile, text, event.message_id, settings)
    return after, (), problem


def _gather_file(pile: Pile, event: Attached, settings: DialogSettings) -> tuple[Pile, tuple[Order, ...], str]:
    orders: tuple[Order, ...] = ()
    known = next((held for held in pile.files if held.file.unique_id == event.file.unique_id), None)
    if known is not None:
        if known.reason != "too_many" or pile.count >= settings.max_files:
            return pile, (), ""
        pile = replace(pile, files=tuple(held for held in pile.files if held is not known))  # there is room now
        orders = (DropFile(pile.id, event.file.unique_id),)
    after, kept = add_file(pile, event, settings)
    if not kept:
        return after, (), "too_many"
    held = after.files[-1]
    if held.fate == "wanted":
        # The missing words were asked for as a file: this is it.
        missed = () if held.file.kind == "document" else after.missed
        return replace(after, missed=missed), (*orders, *kept), ""
    after, problem = add_text(after, held.caption, held.message_id, settings)
    return after, (*orders, *kept), problem or held.reason


def merge(into: Pile, pile: Pile, settings: DialogSettings) -> tuple[Pile, tuple[Order, ...], str]:
    """Both in one, under the id of `into`; what has no room there is refused. Where the words do not fit: `into` as it was,
    and "too_long"."""
    after = into
    for part in pile.parts:
        after, problem = add_text(after, part.text, part.message_id, settings)
        if problem:
            return into, (), problem
    orders: list[Order] = []
    known = {held.file.unique_id for held in into.files}
    for held in pile.files:
        if held.file.unique_id not in known:
            fate, reason = _fate(after, held.file, settings)
            moved = replace(held, fate=fate, reason=reason)
            after = replace(after, files=(*after.files, moved))
            orders.append(keep_order(after.id, moved))
    after = replace(after, missed=(*after.missed, *pile.missed), beyond=after.beyond + pile.beyond)
    return after, (*orders, DropDraft(pile.id)) if pile.files else (), ""


def keep_order(pile_id: str, held: Held) -> KeepFile:
    return KeepFile(pile_id, held.file, held.caption, held.message_id, held.album, held.fate, held.reason)


def edit(pile: Pile, message_id: str, text: str, settings: DialogSettings) -> tuple[Pile, tuple[Order, ...], str]:
    """An earlier message reads otherwise now: the pile, orders, a problem. The same pile where the message is not of it. Words
    that did not fit may fit now."""
    files = tuple(replace(held, caption=text[:1024]) if held.message_id == message_id else held for held in pile.files)
    missed = tuple(each for each in pile.missed if each.message_id != message_id)
    problem = ""
    if missed != pile.missed:
        parts = tuple(part for part in pile.parts if part.message_id != message_id)
        after, problem = add_text(replace(pile, parts=parts, files=files, missed=missed), text, message_id, settings)
    else:
        parts = tuple(replace(part, text=text) if part.message_id == message_id else part for part in pile.parts)
        after = replace(pile, parts=tuple(part for part in parts if part.text), files=files)
        if len(after.text) > settings.max_text:
            return pile, (), "edit_too_long"
    orders = (EditCaption(pile.id, message_id, text[:1024]),) if files != pile.files else ()
    return after, orders, problem


def holds(pile: Pile, message_id: str) -> bool:
    """Whether that message gave something to the pile, or would have."""
    return message_id in messages_of(pile)


def messages_of(pile: Pile) -> list[str]:
    """The messages that it came from."""
    ids = [part.message_id for part in pile.parts] + [held.message_id for held in pile.files]
    return [each for each in ids + [missed.message_id for missed in pile.missed] if each]


def files_values(pile: Pile) -> list[dict[str, Any]]:
    """The files as screens tell of them."""
    return [
        {
            "name": held.file.name,
            "kind": held.file.kind,
            "size": held.file.size,
            "caption": held.caption if pile.parts else "",  # else the captions are the description already
            "fate": held.fate,
            "reason": held.reason,
        }
        for held in pile.listed
    ]


def to_json(thing: Draft | Addition | Pile) -> dict[str, Any]:
    """Plain JSON: lists where the dataclasses have tuples."""
    return {name: _plain(getattr(thing, name)) for name in thing.__dataclass_fields__}


def draft_from_json(data: Any) -> Draft | None:
    """None where there is none, or where it cannot be understood any more."""
    try:
        fields = dict(data)
        fields["pile"] = _pile(data["pile"])
        fields["place"] = Place(**data["place"]) if data["place"] else None
        fields["answers"] = {key: Answer(**answer) for key, answer in data["answers"].items()}
        datetime.fromisoformat(data["started_at"])
        return Draft(**fields)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def addition_from_json(data: Any) -> Addition | None:
    try:
        return Addition(**{**data, "pile": _pile(data["pile"])})
    except (KeyError, TypeError, AttributeError):
        return None


def pile_from_json(data: Any) -> Pile | None:
    try:
        return _pile(data)
    except (KeyError, TypeError, AttributeError):
        return None


_ATOMS = frozenset({str, int, bool, type(None)})


def _plain(value: Any) -> Any:
    """As `dataclasses.asdict` has it, which copies every text and number and costs a tenth of a turn."""
    if type(value) in _ATOMS:
        return value
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return {key: _plain(each) for key, each in value.items()}


def _pile(data: Any) -> Pile:
    return Pile(
        str(data["id"]),
        tuple(Part(**part) for part in data["parts"]),
        tuple(Held(**{**held, "file": FileRef(**held["file"])}) for held in data["files"]),
        tuple(Missed(**each) for each in data.get("missed", ())),  # what an older version kept has neither
        int(data.get("beyond", 0)),
    )


def _fate(pile: Pile, file: FileRef, settings: DialogSettings) -> tuple[str, str]:
    if extension_of(file.name) in settings.refused_types:
        return "refused", "type"
    if file.size is not None and file.size > settings.max_file_bytes:
        return "refused", "too_large"
    if pile.count >= settings.max_files:
        return "refused", "too_many"
    return "wanted", ""
