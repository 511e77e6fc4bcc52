"""Telegram's JSON and the dialog's words, both ways; and odd JSON, which is never an exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.channels.telegram_wire import read_update, write_screen
from imbot.dialog.render import Rendered, RenderedButton
from imbot.domain.chats import (
    Attached,
    Blocked,
    Chat,
    Commanded,
    Edited,
    Event,
    FileRef,
    Incoming,
    Pressed,
    Shared,
    Typed,
)

ANNA = {"id": 1001, "is_bot": False, "first_name": "Анна", "last_name": "Иванова", "language_code": "ru"}
CHAT = {"id": 1001, "type": "private", "first_name": "Анна"}


def message(**content: Any) -> dict[str, Any]:
    body = {"message_id": 7, "from": ANNA, "chat": CHAT, "date": 1_790_000_000, **content}
    return {"update_id": 500, "message": body}


def event(**content: Any) -> Event | None:
    incoming = read_update(message(**content))
    return incoming.event if incoming else None


def test_words_of_an_answered_message_are_read_where_they_are_the_bots() -> None:
    for sender, words in (({"id": 1, "is_bot": True}, "Заявка IM-CL-1"), (ANNA, ""), (None, "")):
        answered = {"message_id": 3, "text": "Заявка IM-CL-1"} | ({"from": sender} if sender else {})
        assert event(text="да", reply_to_message=answered) == Typed("да", "7", "3", words)


def test_words_with_all_that_is_known_about_them() -> None:
    assert read_update(message(text="Не печатает", reply_to_message={"message_id": 3})) == Incoming(
        update_key="telegram:500",
        chat=Chat("telegram", "1001"),
        event=Typed("Не печатает", "7", "3"),
        private=True,
        language="ru",
        display_name="Анна Иванова",
        sent_at=1_790_000_000,
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("/start", Commanded("start")),
        ("/Start@imbot_demo_bot abc-DEF_1", Commanded("start", "abc-DEF_1")),
        ("/newticket  не работает\nпринтер ", Commanded("newticket", "не работает\nпринтер")),
        ("/home/user не открывается", Typed("/home/user не открывается", "7")),
        ("/отмена", Typed("/отмена", "7")),
        ("/", Typed("/", "7")),
        (" /start", Typed(" /start", "7")),
        ("/" + "a" * 33, Typed("/" + "a" * 33, "7")),
    ],
)
def test_commands_and_what_only_looks_like_one(text: str, read: Event) -> None:
    assert event(text=text) == read


def test_the_largest_photo_is_taken_wherever_it_stands() -> None:
    sizes = [
        {"file_id": "big", "file_unique_id": "b", "width": 1280, "height": 960, "file_size": 90_000},
        {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 67, "file_size": 1_000},
    ]
    assert event(photo=sizes, caption="экран", media_group_id="77", reply_to_message={"message_id": 2}) == Attached(
        FileRef("big", "b", "", 90_000, "image/jpeg", "photo"), "экран", "7", "77", "2"
    )


@pytest.mark.parametrize(
    ("kind", "body", "content_type", "name"),
    [
        ("document", {"file_name": "отчёт.pdf", "mime_type": "application/pdf"}, "application/pdf", "отчёт.pdf"),
        ("document", {}, "", ""),
        ("video", {"file_name": "v.mov", "mime_type": "video/quicktime"}, "video/quicktime", "v.mov"),
        ("audio", {}, "audio/mpeg", ""),
        ("voice", {"mime_type": "audio/ogg"}, "audio/ogg", ""),
        ("video_note", {}, "video/mp4", ""),
    ],
)
def test_every_kind_of_file(kind: str, body: dict[str, str], content_type: str, name: str) -> None:
    file = {"file_id": "F", "file_unique_id": "U", **body}
    assert event(**{kind: file}) == Attached(FileRef("F", "U", name, None, content_type, kind), "", "7")


def test_an_animation_is_one_though_it_bears_a_document_too() -> None:
    file = {"file_id": "F", "file_unique_id": "U", "mime_type": "video/mp4", "file_size": 5}
    read = event(animation=file, document=file)
    assert isinstance(read, Attached)
    assert read.file.kind == "animation"


def test_what_is_neither_words_nor_a_file() -> None:
    card = {"phone_number": "+7 900", "first_name": "Том", "user_id": 1002}
    assert event(contact=card) == Shared("contact", "Том, +7 900", False, "7")
    assert event(contact=card | {"user_id": 1001}) == Shared("contact", "Том, +7 900", True, "7")
    point = {"latitude": 55.75, "longitude": 37.61}
    assert event(location=point) == Shared("location", "55.75000 37.61000", False, "7")
    venue = {"title": "Склад", "address": "Ленинская Слобода, 19"}
    assert event(location=point, venue=venue) == Shared(
        "location", "Склад, Ленинская Слобода, 19, 55.75000 37.61000", False, "7"
    )
    assert event(sticker={"emoji": "👍"}) == Shared("sticker", "👍", False, "7")
    assert event(poll={"question": "Чай?"}) == Shared("poll", "Чай?", False, "7")
    assert event(dice={"emoji": "🎲", "value": 6}) == Shared("dice", "🎲", False, "7")
    assert event(story={}) == Shared("other", "", False, "7")


def test_service_messages_and_channels_are_of_no_use() -> None:
    assert read_update(message(pinned_message={"message_id": 1})) is None
    assert read_update(message(text="x", chat={"id": -100, "type": "channel"})) is None
    assert read_update({"update_id": 1, "channel_post": message(text="x")["message"]}) is None
    assert read_update({"update_id": 1, "poll": {}}) is None


def test_a_group_is_not_private() -> None:
    incoming = read_update(message(text="x", chat={"id": -5, "type": "group", "title": "Отдел"}))
    assert incoming is not None
    assert (incoming.private, incoming.chat.id) == (False, "-5")


def test_edits_of_words_and_captions() -> None:
    body = message(text="новое")["message"]
    for content, text in (({"text": "новое"}, "новое"), ({"photo": [{"file_id": "F"}], "caption": "эк"}, "эк")):
        incoming = read_update({"update_id": 1, "edited_message": {**body, "text": None, **content}})
        assert incoming is not None
        assert incoming.event == Edited(text, "7")
    bare = {key: value for key, value in body.items() if key != "text"}
    emptied = read_update({"update_id": 1, "edited_message": bare | {"document": {"file_id": "F"}}})
    assert emptied is not None
    assert emptied.event == Edited("", "7")
    assert read_update({"update_id": 1, "edited_message": bare | {"location": {}}}) is None


def test_a_press_bears_the_message_and_a_handle() -> None:
    query = {"id": "42", "from": ANNA, "message": {"message_id": 9, "chat": CHAT, "date": 0}, "data": "abcd:yes"}
    incoming = read_update({"update_id": 1, "callback_query": query})
    assert incoming is not None
    assert (incoming.event, incoming.handle, incoming.sent_at) == (Pressed("abcd:yes", "9"), "42", None)
    assert read_update({"update_id": 1, "callback_query": {**query, "message": None}}) is None
    assert read_update({"update_id": 1, "callback_query": {**query, "data": None}}) is None


@pytest.mark.parametrize(("status", "blocked"), [("kicked", True), ("left", True), ("member", False)])
def test_being_blocked_and_let_in_again(status: str, blocked: bool) -> None:
    change = {"chat": CHAT, "from": ANNA, "date": 5, "new_chat_member": {"status": status}}
    incoming = read_update({"update_id": 1, "my_chat_member": change})
    assert incoming is not None
    assert incoming.event == Blocked(blocked)


def test_names_fall_back_and_lone_surrogates_are_replaced() -> None:
    incoming = read_update(message(text="a\ud800b", **{"from": {"id": 1, "username": "anna"}}))
    assert incoming is not None
    assert (incoming.display_name, incoming.event) == ("anna", Typed("a\ufffdb", "7"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    (
        "message_id",
        "from",
        "chat",
        "date",
        "text",
        "caption",
        "photo",
        "document",
        "animation",
        "voice",
        "contact",
        "location",
        "venue",
        "sticker",
        "poll",
        "dice",
        "story",
        "reply_to_message",
        "media_group_id",
        "message",
        "new_chat_member",
        "data",
        "id",
    )
)
BODIES = st.dictionaries(NAMES, JSON | st.sampled_from([ANNA, CHAT, [{}], [{"file_id": 5}], {"file_id": "F"}]))


@given(st.sampled_from(["message", "edited_message", "callback_query", "my_chat_member", "other"]), BODIES | JSON, JSON)
def test_odd_json_is_never_an_exception(kind: str, body: Any, update_id: Any) -> None:
    read_update({"update_id": update_id, kind: body})
    read_update({"update_id": 5, kind: {"chat": CHAT, **body} if isinstance(body, dict) else body})
    read_update(body)


def test_a_screen_is_written_without_any_parse_mode() -> None:
    rendered = Rendered(
        "Заявка *принята*",
        ((0, 6),),
        ((RenderedButton("Да", "abcd:1"), RenderedButton("Открыть", "", "https://desk.example/")),),
        silent=True,
    )
    assert write_screen("1001", rendered, reply_to="5") == {
        "chat_id": 1001,
        "text": "Заявка *принята*",
        "entities": [{"type": "bold", "offset": 0, "length": 6}],
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "Да", "callback_data": "abcd:1"}, {"text": "Открыть", "url": "https://desk.example/"}]
            ]
        },
        "disable_notification": True,
        "reply_parameters": {"message_id": 5, "allow_sending_without_reply": True},
    }


def test_an_edit_names_its_message_and_takes_the_buttons_away() -> None:
    assert write_screen("1001", Rendered("Всё", (), (), True), edit="9", reply_to="5") == {
        "chat_id": 1001,
        "text": "Всё",
        "link_preview_options": {"is_disabled": True},
        "message_id": 9,
    }
