"""The user side of our Bot API server, and the rules that it applies, without any HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.demo.botapi import BotApi, serve
from imbot.demo.botapi_checks import ApiError, check_keyboard, check_text
from imbot.demo.botapi_faults import Limits, Throttle
from imbot.demo.botapi_markup import BadMarkup, parse_html, parse_markdown
from imbot.demo.botapi_state import image_size, utf16_length

ANNA = 1001


@pytest.fixture
def api(tmp_path: Path) -> BotApi:
    api = BotApi(tmp_path)
    api.add_user(ANNA, "Анна", username="anna")
    return api


def test_everything_a_person_may_send_becomes_an_update(api: BotApi) -> None:
    said = api.say(ANNA, "😀 /start@bot x")
    api.say(ANNA, "ответ", reply_to=said)
    api.attach(ANNA, [("a.png", "image/png", b"x"), ("b.pdf", "application/pdf", b"y")], "два", album=True)
    api.attach(ANNA, [("c.png", "image/png", b"x")], as_photo=False)
    api.attach(ANNA, [("d.heic", "image/heic", b"x")], album=True)
    api.voice(ANNA, b"ogg")
    api.video(ANNA, "v.mp4", b"mp4", "видео")
    api.sticker(ANNA)
    api.contact(ANNA, "+7", "Анна", own=True)
    api.location(ANNA, 55.7, 37.6)
    api.edit(ANNA, said, "иначе")
    bodies = [update.get("message") or update["edited_message"] for update in api.pending]
    assert [update["update_id"] for update in api.pending] == list(range(100_001, 100_001 + len(bodies)))
    assert bodies[0]["entities"] == [{"type": "bot_command", "offset": 3, "length": 10}]
    assert bodies[1]["reply_to_message"]["text"] == "😀 /start@bot x"
    assert bodies[2]["media_group_id"] == bodies[3]["media_group_id"]
    assert ("photo" in bodies[2], "document" in bodies[3], "caption" in bodies[3]) == (True, True, False)
    assert "document" in bodies[4]
    assert "media_group_id" not in bodies[5]
    assert bodies[9]["contact"]["user_id"] == ANNA
    assert (bodies[-1]["text"], "edit_date" in bodies[-1]) == ("иначе", True)
    seen = api.messages(ANNA)
    assert (seen[0]["text"], bool(seen[0]["edited"]), seen[2]["text"]) == ("иначе", True, "два")
    assert [one["files"][0]["kind"] for one in seen[2:8]] == [
        "photo",
        "document",
        "document",
        "document",
        "voice",
        "video",
    ]


def test_the_bot_is_told_what_was_true_when_it_happened(api: BotApi) -> None:
    said = api.say(ANNA, "раз")
    api.edit(ANNA, said, "два")
    assert api.pending[0]["message"]["text"] == "раз"


def test_impossible_acts_are_refused(api: BotApi) -> None:
    with pytest.raises(ValueError, match="no message 99"):
        api.press(ANNA, 99, "x")
    kept = api.state.add_message(ANNA, {"text": "x"}, from_bot=True)
    with pytest.raises(ValueError, match="only their own"):
        api.edit(ANNA, kept.wire["message_id"], "y")
    with pytest.raises(KeyError):
        api.say(5, "x")


def test_writing_again_lets_the_bot_in_again(api: BotApi) -> None:
    api.block(ANNA)
    api.say(ANNA, "/start")
    kinds = [next(key for key in update if key != "update_id") for update in api.pending]
    assert kinds == ["my_chat_member", "my_chat_member", "message"]


async def test_a_page_may_wait_for_changes(api: BotApi) -> None:
    count = await api.changed(-1, 5)
    waiting = asyncio.create_task(api.changed(count, 5))
    await asyncio.sleep(0)
    api.say(ANNA, "x")
    assert await asyncio.wait_for(waiting, 1) > count
    count = await api.changed(0, 5)
    assert await api.changed(count, 0.01) == count


async def test_it_takes_queries_forms_and_json_and_refuses_the_rest(api: BotApi) -> None:
    server = await serve(api.app)
    base = f"{server.url}/bot{api.token}"
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{base}/SENDmessage", params={"chat_id": str(ANNA), "text": "q"}) as answer:
            assert (await answer.json())["result"]["text"] == "q"
        markup = '{"inline_keyboard": [[{"text": "x", "callback_data": "v"}]]}'
        form = {"chat_id": str(ANNA), "text": "f", "reply_markup": markup}
        async with http.post(f"{base}/sendMessage", data=form) as answer:
            assert (await answer.json())["result"]["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == "v"
        for path, options, status in (
            ("sendMessage", {"json": {"chat_id": "no such", "text": "x"}}, 400),
            ("sendMessage", {"json": {"chat_id": "", "text": "x"}}, 400),
            ("sendMessage", {"data": {"chat_id": str(ANNA), "text": "x", "reply_markup": "{"}}, 400),
            ("sendMessage", {"data": b"{", "headers": {"content-type": "application/json"}}, 400),
            ("getUpdates", {"json": {"offset": "x"}}, 400),
            ("sendChatAction", {"json": {"chat_id": ANNA}}, 400),
            ("noSuchMethod", {}, 404),
        ):
            async with http.post(f"{base}/{path}", **options) as answer:
                body = await answer.json()
                assert (answer.status, body["ok"], body["error_code"]) == (status, False, status)
        async with http.get(f"{server.url}/bot1:x/getMe") as answer:
            assert (await answer.json())["description"] == "Unauthorized"
        async with http.get(f"{server.url}/file/bot{api.token}/photos/../../secret") as answer:
            assert answer.status == 404
    await server.close()


async def test_a_taken_port_is_an_error(api: BotApi) -> None:
    server = await serve(api.app)
    with pytest.raises(OSError, match="in use"):
        await serve(api.app, server.port)
    await server.close()


async def test_an_open_long_poll_does_not_keep_the_server_from_closing(api: BotApi) -> None:
    server = await serve(api.app)
    async with aiohttp.ClientSession() as http:
        poll = asyncio.create_task(http.get(f"{server.url}/bot{api.token}/getUpdates", params={"timeout": "50"}))
        await api.until(lambda: len(api.calls) == 1)
        async with asyncio.timeout(2):
            await server.close()
            (await poll).close()


def test_the_throttle_counts_in_all_and_by_chat() -> None:
    now = 0.0
    throttle = Throttle(Limits(overall=3, chat=1, burst=2), lambda: now)
    throttle.check("a")
    throttle.check("a")
    with pytest.raises(ApiError) as caught:
        throttle.check("a")
    assert (caught.value.status, caught.value.parameters) == (429, {"retry_after": 1})
    throttle.check("b")
    with pytest.raises(ApiError):
        throttle.check("c")
    now = 1.0
    throttle.check("a")
    assert throttle.refused == 2


@given(st.text(), st.lists(st.tuples(st.integers(-2, 30), st.integers(-2, 30)), max_size=3))
def test_a_text_is_kept_or_refused_and_its_entities_fit(text: str, spans: list[tuple[int, int]]) -> None:
    entities = [{"type": "bold", "offset": offset, "length": length} for offset, length in spans]
    try:
        kept, marks = check_text(text, "", entities)
    except ApiError:
        return
    assert kept == text.strip()
    assert all(mark["offset"] >= 0 and mark["offset"] + mark["length"] <= utf16_length(kept) for mark in marks)


@given(st.text(alphabet="ab<>/&;*_~|`[]()\\!. \"='é😀"))
def test_markup_is_parsed_or_refused_and_never_breaks(text: str) -> None:
    for parse in (parse_html, parse_markdown):
        try:
            out, entities = parse(text)
        except BadMarkup:
            continue
        assert all(mark["offset"] + mark["length"] <= utf16_length(out) for mark in entities)


@pytest.mark.parametrize(
    "markup", [[], "x", {"inline_keyboard": {}}, {"inline_keyboard": [["x"]]}, {"inline_keyboard": [[{"text": 5}]]}]
)
def test_odd_keyboards_are_refused(markup: object) -> None:
    with pytest.raises(ApiError):
        check_keyboard(markup)


def test_keyboards_that_leave_nothing_are_nothing() -> None:
    assert check_keyboard({"remove_keyboard": True}) is None
    assert check_keyboard({"inline_keyboard": [[]]}) is None


def test_the_size_of_an_image_is_read_from_its_header() -> None:
    jpeg = b"\xff\xd8\xff\xe0\x00\x04\x00\x00\xff\xc0\x00\x11\x08\x01\xe0\x02\x80\x03" + b"\x00" * 9
    assert image_size(jpeg) == (640, 480)
    assert image_size(b"GIF89a") == (320, 240)
