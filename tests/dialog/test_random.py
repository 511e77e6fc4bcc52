"""Whatever comes in whatever order: nothing raises, screens keep the limits, the session survives JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.dialog.render import MAX_UNITS, render, units
from imbot.dialog.screen import MAX_LABEL
from imbot.dialog.session import STATES, Session, session_from_json, session_to_json
from imbot.dialog.turn import advance
from imbot.domain.chats import (
    Attached,
    Blocked,
    Commanded,
    Edited,
    Event,
    FileRef,
    Happened,
    Pressed,
    Shared,
    Typed,
)
from imbot.templates import Templates
from tests.dialog.test_intake import catalogue
from tests.dialog.test_screens import FOLDER
from tests.dialog.test_session import plain
from tests.dialog.world import ANNA, CATALOGUE, Ticket, World
from tests.transcripts.test_transcripts import check_limits

TEMPLATES = Templates([FOLDER], ZoneInfo("Europe/Moscow"))
MESSAGES = st.sampled_from(["", "m1", "m2", "m3"])
WORDS = st.one_of(
    st.sampled_from(
        ["отмена", "привет", "спасибо", "ivanova@company.ru", "ABCD2345", "12-34", "24.11", "каб. 315", "ок", "?", " "]
    ),
    st.text(max_size=30),
    st.sampled_from(["ж" * 4000, "\ud800\u202e\x00", "👩\u200d💻" * 50, "{{ 7 }} {% x %} {0}"]),
)
FILES = st.builds(
    FileRef,
    vendor_id=st.just("v"),
    unique_id=st.sampled_from(["u1", "u2", "u3", "ж" * 90]),
    name=st.sampled_from(["", "a.pdf", "b.exe", "\u202egpj.exe", "x" * 200]),
    size=st.sampled_from([None, 0, 10, 99_000_000]),
    kind=st.sampled_from(["photo", "document", "voice"]),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Typed, WORDS, MESSAGES),
    st.builds(Attached, FILES, WORDS, MESSAGES, st.sampled_from(["", "7"])),
    st.builds(Edited, WORDS, MESSAGES),
    st.builds(
        Commanded,
        st.sampled_from(["start", "newticket", "mytickets", "me", "help", "cancel", "x"]),
        st.sampled_from(["", "good"]),
    ),
    st.builds(Shared, st.sampled_from(["contact", "sticker", "poll", "location"]), WORDS, st.booleans(), MESSAGES),
    st.builds(Blocked, st.booleans()),
    st.builds(
        Pressed,
        st.sampled_from(
            ["menu", "my:0", "my:7", "rate:x1:5", "rate:x2:1", "later:x2", "old:send", "", ":", "rate:x1", "my:x"]
        )
        | st.builds(
            "{}:{}".format,
            st.sampled_from(["t", "add", "wd", "rs", "ns", "new"]),
            st.sampled_from(["x1", "x2", "x3", "x9"]),
        ),
    ),
)
BUTTON = st.integers(0, 9)  # press that button of the current screen
REPLY = st.sampled_from(["", "", "", "x1", "x3", "x9"])


def worlds() -> st.SearchStrategy[World]:
    def build(linked: bool, consent: bool, one: bool, office: bool, rich: bool, lang: str) -> World:
        world = World(person=replace(ANNA, office=ANNA.office if office else "") if linked else None, lang=lang)
        world.settings = replace(world.settings, consent=consent, one_open_ticket=one, max_files=2)
        world.settings = replace(world.settings, max_text=5000, refused_types=frozenset({"exe"}))
        world.catalogue = catalogue() if rich else CATALOGUE
        world.tickets = {
            "x1": Ticket("x1", "Принтер мигает", "IM-CL-1", "in_progress"),
            "x2": Ticket("x2", "Мышь \u202e не едет", "IM-CL-2", "resolved"),
            "x3": Ticket("x3", "Экран", "", "closed"),
            "x9": Ticket("x9", "Чужая", "IM-CL-9", "new", mine=False),
        }
        return world

    flags = st.booleans()
    return st.builds(build, flags, flags, flags, flags, flags, st.sampled_from(["ru", "en"]))


@settings(max_examples=250, deadline=None)
@given(worlds(), st.lists(st.tuples(EVENTS | BUTTON, REPLY, st.sampled_from([0, 0, 0, 1, 30])), max_size=25))
def test_no_sequence_of_events_breaks_anything(world: World, events: list[tuple[Event | int, str, int]]) -> None:
    for step, reply, hours in events:
        event = step if not isinstance(step, int) else press(world, step)
        world.replied = reply if isinstance(event, Typed | Attached) else ""
        world.now += timedelta(hours=hours)
        turn = world.take(event)
        data = session_to_json(world.session)
        assert session_from_json(json.loads(json.dumps(data))) == world.session
        if turn.screen is not None:
            check_limits(turn.screen)
            json.dumps(dict(turn.screen.values))
            rendered = render(turn.screen, world.lang, TEMPLATES)
            assert 0 < units(rendered.text) <= MAX_UNITS
            assert all(len(button.label) <= MAX_LABEL for row in rendered.rows for button in row)
            assert "Чужая" not in rendered.text
        assert not [t for t in world.tickets.values() if not t.mine and (t.said or t.files or t.stars)]


def press(world: World, number: int) -> Event:
    buttons = [b.value for row in world.screen.rows for b in row] if world.screen else []
    return Pressed(buttons[number % len(buttons)]) if buttons else Commanded("start")


SLOTS = [
    "draft",
    "stray",
    "addition",
    "about",
    "dropped",
    "sent",
    "signin",
    "page",
    "problem",
    "pending",
    "done",
    "tap",
    "refused",
    "previous",
]
OUTCOMES = st.sampled_from(
    [
        "looked_up",
        "code_checked",
        "token_checked",
        "unlinked",
        "opened",
        "not_opened",
        "added",
        "not_found",
        "tickets",
        "ticket",
        "rated",
        "not_ratable",
        "complained",
        "withdrawn_asked",
        "resent",
        "reopen_asked",
        "more",
        "of the future",
    ]
)
BROKEN = st.builds(
    Session,
    st.sampled_from(sorted(STATES)),
    st.dictionaries(st.sampled_from(SLOTS), plain),
    st.just("tttt"),
)


@settings(max_examples=300, deadline=None)
@given(BROKEN, EVENTS | st.builds(Happened, OUTCOMES), st.booleans())
def test_a_session_that_was_damaged_breaks_nothing(session: Session, event: Event, linked: bool) -> None:
    world = World(person=ANNA if linked else None)
    turn = advance(session, event, world.facts())
    check_limits(turn.screen)
    if turn.screen is not None:
        render(turn.screen, "ru", TEMPLATES)
