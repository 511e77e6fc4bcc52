"""Our Bot API server against python-telegram-bot's own client, which knows nothing of us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto, MessageEntity
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.warnings import PTBDeprecationWarning

from imbot.demo.botapi import BotApi, Limits, serve

ANNA = 1001
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x80\x00\x00\x01\xe0" + b"\x08\x02" * 40


@pytest.fixture
async def api(tmp_path: Path) -> BotApi:
    api = BotApi(tmp_path)
    api.add_user(ANNA, "Анна")
    return api


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[Bot]:
    server = await serve(api.app)
    try:
        async with Bot(api.token, base_url=server.url + "/bot", base_file_url=server.url + "/file/bot") as bot:
            yield bot
    finally:
        await server.close()


async def test_a_conversation_goes_both_ways(api: BotApi, bot: Bot) -> None:
    said = api.say(ANNA, "/start token1")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.message_id == said
    assert update.message.text == "/start token1"
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Да", callback_data="abcd:yes")]])
    sent = await bot.send_message(
        ANNA, "😀 Привет", entities=[MessageEntity("bold", 3, 6)], reply_markup=keyboard, disable_notification=True
    )
    shown = api.messages(ANNA)[-1]
    assert (shown["id"], shown["from"], shown["text"], shown["silent"]) == (sent.message_id, "bot", "😀 Привет", True)
    assert shown["entities"] == [{"type": "bold", "offset": 3, "length": 6}]
    assert shown["buttons"] == [[{"label": "Да", "value": "abcd:yes", "url": ""}]]
    press = api.press(ANNA, sent.message_id, "abcd:yes")
    (update,) = await bot.get_updates(offset=update.update_id + 1)
    assert update.callback_query is not None
    assert (update.callback_query.id, update.callback_query.data) == (press, "abcd:yes")
    await bot.answer_callback_query(press, "Готово")
    await bot.edit_message_text("Пока", ANNA, sent.message_id)
    shown = api.messages(ANNA)[-1]
    assert (shown["text"], shown["buttons"], bool(shown["edited"])) == ("Пока", [], True)
    assert shown["answers"] == [{"id": press, "text": "Готово", "alert": False}]


async def test_updates_stay_until_they_are_confirmed(api: BotApi, bot: Bot) -> None:
    api.say(ANNA, "раз")
    api.say(ANNA, "два")
    first = await bot.get_updates()
    assert [one.update_id for one in await bot.get_updates()] == [one.update_id for one in first]
    assert [one.message.text for one in await bot.get_updates(offset=first[1].update_id) if one.message] == ["два"]
    assert len(await bot.get_updates(limit=1)) == 1
    assert await bot.get_updates(offset=first[1].update_id + 1) == ()
    assert api.pending == []


async def test_a_long_poll_wakes_at_once(api: BotApi, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await api.until(lambda: "getUpdates" in [name for name, _ in api.calls])
    api.say(ANNA, "ау")
    (update,) = await asyncio.wait_for(poll, 2)
    assert update.message is not None


async def test_a_second_poller_ends_the_first_with_409(api: BotApi, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=20))
    await api.until(lambda: [name for name, _ in api.calls] == ["getMe", "getUpdates"])
    async with Bot(api.token, base_url=str(bot.base_url).replace(api.token, "")) as other:
        second = asyncio.create_task(other.get_updates(timeout=20))
        with pytest.raises(Conflict, match="terminated by other getUpdates"):
            await asyncio.wait_for(first, 5)
        api.say(ANNA, "ау")
        assert len(await asyncio.wait_for(second, 5)) == 1


async def test_photos_documents_and_albums_go_out_and_files_come_in(api: BotApi, bot: Bot) -> None:
    await bot.send_photo(ANNA, PNG, caption="экран")
    await bot.send_document(ANNA, b"%PDF", filename="Отчёт за май.pdf")
    await bot.send_media_group(ANNA, [InputMediaPhoto(PNG), InputMediaPhoto(PNG, caption="вторая")])
    photo, document, one, two = api.messages(ANNA)
    assert (photo["text"], photo["files"][0]["kind"], photo["files"][0]["size"]) == ("экран", "photo", len(PNG))
    assert (document["files"][0]["name"], document["files"][0]["kind"]) == ("Отчёт за май.pdf", "document")
    assert one["album"] == two["album"] != ""
    api.attach(ANNA, [("a.png", "image/png", PNG), ("b.png", "image/png", PNG)], "две", album=True)
    first, second = await bot.get_updates()
    assert first.message is not None
    assert second.message is not None
    assert first.message.media_group_id == second.message.media_group_id is not None
    assert (first.message.caption, second.message.caption) == ("две", None)
    assert (first.message.photo[-1].width, first.message.photo[-1].height) == (640, 480)
    file = await bot.get_file(first.message.photo[-1].file_id)
    assert bytes(await file.download_as_bytearray()) == PNG


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": " \n "}, "text is empty"),
        ({"text": "я" * 4097}, "message is too long"),
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": "<b>Анна", "parse_mode": "HTML"}, "can't parse entities: can't find end tag"),
        ({"text": "a < b", "parse_mode": "HTML"}, "can't parse entities: unsupported start tag"),
        ({"text": "1.", "parse_mode": "MarkdownV2"}, "is reserved"),
        ({"text": "*x", "parse_mode": "MarkdownV2"}, "can't find end of bold entity"),
        ({"text": "да", "entities": [MessageEntity("bold", 1, 2)]}, "ends after the end of the text"),
        ({"text": "😀", "entities": [MessageEntity("bold", 0, 1)]}, "middle of a utf-16 symbol"),
        ({"text": "x", "reply_to_message_id": 77}, "message to be replied not found"),
    ],
)
async def test_markup_and_text_that_telegram_refuses(bot: Bot, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await bot.send_message(ANNA, **arguments)  # type: ignore[arg-type]
    assert words in str(caught.value).lower()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[{"text": "x", "callback_data": "я" * 33}]], "BUTTON_DATA_INVALID"),
        ([[{"text": "x", "callback_data": ""}]], "BUTTON_DATA_INVALID"),
        ([[{"text": "x"}]], "Text buttons are unallowed"),
        ([[{"text": "x", "url": "tel:1234"}]], "Unsupported URL protocol"),
        ([[{"text": "x", "callback_data": "v"}] * 9], "REPLY_MARKUP_TOO_LONG"),
        ([[{"text": "x", "callback_data": "v"}]] * 101, "REPLY_MARKUP_TOO_LONG"),
        ([[{"text": " ", "callback_data": "v"}]], "must be non-empty"),
    ],
)
async def test_keyboards_that_telegram_refuses(bot: Bot, rows: list[list[dict[str, str]]], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await bot.send_message(ANNA, "x", api_kwargs={"reply_markup": {"inline_keyboard": rows}})
    assert words.lower() in str(caught.value).lower()


async def test_html_and_markdown_become_text_and_entities(api: BotApi, bot: Bot) -> None:
    await bot.send_message(ANNA, '<b>да</b> &lt;<a href="https://x.example/?a=1&amp;b">тут</a>', parse_mode="HTML")
    await bot.send_message(ANNA, r"*да* \. [тут](https://x.example/) `a.b`", parse_mode="MarkdownV2")
    html, markdown = api.messages(ANNA)
    assert html["text"] == "да <тут"
    assert html["entities"] == [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "text_link", "offset": 4, "length": 3, "url": "https://x.example/?a=1&b"},
    ]
    assert markdown["text"] == "да . тут a.b"
    assert [one["type"] for one in markdown["entities"]] == ["bold", "text_link", "code"]


async def test_an_edit_that_changes_nothing_or_finds_nothing_is_refused(api: BotApi, bot: Bot) -> None:
    sent = await bot.send_message(ANNA, "раз")
    mine = api.say(ANNA, "моё")
    for arguments, words in (
        (("раз", ANNA, sent.message_id), "not modified"),
        (("два", ANNA, 9999), "message to edit not found"),
        (("два", ANNA, mine), "can't be edited"),
    ):
        with pytest.raises(BadRequest) as caught:
            await bot.edit_message_text(*arguments)
        assert words in str(caught.value).lower()
    await bot.delete_message(ANNA, sent.message_id)
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(ANNA, sent.message_id)


async def test_an_old_button_still_fires_but_never_an_invented_one(api: BotApi, bot: Bot) -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Да", callback_data="old")]])
    sent = await bot.send_message(ANNA, "?", reply_markup=keyboard)
    await bot.edit_message_reply_markup(ANNA, sent.message_id)
    assert api.messages(ANNA)[-1]["buttons"] == []
    press = api.press(ANNA, sent.message_id, "old")
    with pytest.raises(ValueError, match="never had a button"):
        api.press(ANNA, sent.message_id, "new")
    assert api.press(ANNA, sent.message_id, "new", invented=True)
    api.age_presses(3600)
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(press)


async def test_who_is_not_there_who_blocked_and_who_moved(api: BotApi, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(5, "x")
    api.block(ANNA)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(ANNA, "x")
    api.unblock(ANNA)
    blocked, back = await bot.get_updates()
    assert blocked.my_chat_member is not None
    assert back.my_chat_member is not None
    assert (blocked.my_chat_member.new_chat_member.status, back.my_chat_member.new_chat_member.status) == (
        "kicked",
        "member",
    )
    api.group_message(-5, "Отдел", ANNA, "/start@imbot_demo_bot")
    api.migrate(-5, -1005)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(-5, "x")
    assert moved.value.new_chat_id == -1005


async def test_a_wrong_token_is_refused(api: BotApi, bot: Bot) -> None:
    with pytest.raises(InvalidToken):
        async with Bot("1:wrong", base_url=str(bot.base_url).replace(api.token, "")):
            raise AssertionError("a stranger got in")


async def test_a_file_over_20_mb_is_told_but_not_given(api: BotApi, bot: Bot) -> None:
    api.attach(ANNA, [("video.mp4", "video/mp4", bytes(21 * 1024 * 1024))])
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.document is not None
    assert update.message.document.file_size == 21 * 1024 * 1024
    with pytest.raises(BadRequest, match="File is too big"):
        await bot.get_file(update.message.document.file_id)


async def test_faults_on_order(api: BotApi, bot: Bot) -> None:
    api.fail("sendMessage", 1, 429, "Too Many Requests: retry after 7", {"retry_after": 7})
    with pytest.warns(PTBDeprecationWarning, match="retry_after"), pytest.raises(RetryAfter):
        await bot.send_message(ANNA, "x")
    api.fail("sendMessage", 1, 502, html=True)
    with pytest.raises(NetworkError):
        await bot.send_message(ANNA, "x")
    api.fail("*", 1, drop=True)
    with pytest.raises(NetworkError):
        await bot.send_message(ANNA, "x")
    assert api.messages(ANNA) == []
    api.fail("sendMessage", 1, 504, after=True)
    with pytest.raises(NetworkError):
        await bot.send_message(ANNA, "принято")
    assert [one["text"] for one in api.messages(ANNA)] == ["принято"]


async def test_commands_are_kept_by_language(api: BotApi, bot: Bot) -> None:
    await bot.set_my_commands([("help", "Help")])
    await bot.set_my_commands([("help", "Помощь")], language_code="ru")
    assert api.commands("ru") == [{"command": "help", "description": "Помощь"}]
    assert api.commands("de") == [{"command": "help", "description": "Help"}]
    assert [one.description for one in await bot.get_my_commands(language_code="ru")] == ["Помощь"]
    with pytest.raises(BadRequest, match=r"(?i)command_invalid"):
        await bot.set_my_commands([("Bad-Name", "x")])


async def test_a_webhook_and_polling_exclude_each_other(bot: Bot) -> None:
    await bot.set_webhook("https://bot.example/hook")
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    assert (await bot.get_webhook_info()).url == "https://bot.example/hook"
    await bot.delete_webhook()
    assert await bot.get_updates() == ()


async def test_the_limits_of_telegram_hold_when_asked_for(tmp_path: Path) -> None:
    api = BotApi(tmp_path, limits=Limits(overall=30, chat=1, burst=2))
    api.add_user(ANNA, "Анна")
    server = await serve(api.app)
    try:
        async with Bot(api.token, base_url=server.url + "/bot") as bot:
            await bot.send_message(ANNA, "1")
            await bot.send_message(ANNA, "2")
            with pytest.warns(PTBDeprecationWarning, match="retry_after"), pytest.raises(RetryAfter):
                await bot.send_message(ANNA, "3")
    finally:
        await server.close()
        await server.close()
