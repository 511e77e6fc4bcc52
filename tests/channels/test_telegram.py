"""The Telegram edge against our Bot API server over HTTP: what is shown, what is fetched, and each fault by its kind."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from imbot.channels.telegram import Telegram, TelegramSettings
from imbot.channels.telegram_wire import read_update
from imbot.demo.botapi import BotApi, RunningServer
from imbot.dialog.render import Rendered, RenderedButton
from imbot.domain.chats import Attached, Pressed, Typed
from imbot.domain.errors import DeliveryError
from tests.channels.conftest import ANNA, TOM

CHAT = str(ANNA)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x80\x00\x00\x01\xe0" + b"\x08\x02" * 40


def screen(text: str = "Что случилось?", *labels: str) -> Rendered:
    return Rendered(text, (), tuple((RenderedButton(label, f"abcd:{label}"),) for label in labels))


async def refusal(awaitable: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await awaitable
    assert "demo-token" not in str(caught.value)
    return caught.value


async def test_start_tells_who_we_are_and_ends_a_webhook(api: BotApi, telegram: Telegram) -> None:
    api.state.webhook = "https://old.example/hook"
    me = await telegram.start()
    assert (me.id, me.username) == (123456789, "imbot_demo_bot")
    assert await telegram.poll(None) == []
    assert (await telegram.check()).startswith("@imbot_demo_bot at 127.0.0.1:")


async def test_a_webhook_set_meanwhile_is_ended_and_nothing_is_lost(api: BotApi, telegram: Telegram) -> None:
    api.say(ANNA, "раз")
    api.state.webhook = "https://other.example/hook"
    assert await telegram.poll(None) == []
    assert api.state.webhook == ""
    assert len(await telegram.poll(None)) == 1


async def test_an_answer_without_a_result_is_down(api: BotApi, telegram: Telegram, tmp_path: Path) -> None:
    for method, call in (
        ("getUpdates", telegram.poll(None)),
        ("sendMessage", telegram.show(CHAT, screen())),
        ("getFile", telegram.download("x", tmp_path / "1", 10)),
    ):
        api.fail(method, status=200)
        assert (await refusal(call)).code == "no result"


async def test_an_edit_that_fails_for_another_reason_is_not_sent_anew(api: BotApi, telegram: Telegram) -> None:
    shown = await telegram.show(CHAT, screen("Раз"))
    api.fail("editMessageText", status=502, html=True)
    assert (await refusal(telegram.show(CHAT, screen("Два"), edit=shown))).kind == "down"
    api.fail("editMessageText", status=400, description="Bad Request: something new")
    refused = await refusal(telegram.show(CHAT, screen("Два"), edit=shown))
    assert (refused.kind, refused.permanent) == ("refused", True)
    assert [one["text"] for one in api.messages(ANNA)] == ["Раз"]


async def test_a_screen_is_shown_pressed_answered_and_changed_in_place(api: BotApi, telegram: Telegram) -> None:
    rendered = Rendered(
        "😀 Да?", ((3, 2),), ((RenderedButton("Да", "v"), RenderedButton("Где", "", "https://x.ru/")),), True
    )
    shown = await telegram.show(CHAT, rendered)
    seen = api.messages(ANNA)[-1]
    assert str(seen["id"]) == shown
    assert seen["entities"] == [{"type": "bold", "offset": 3, "length": 2}]
    assert seen["buttons"] == [
        [{"label": "Да", "value": "v", "url": ""}, {"label": "Где", "value": "", "url": "https://x.ru/"}]
    ]
    assert seen["silent"]
    api.press(ANNA, int(shown), "v")
    (raw,) = await telegram.poll(None)
    incoming = read_update(raw)
    assert incoming is not None
    assert incoming.event == Pressed("v", shown)
    await telegram.acknowledge(incoming.handle, "Готово")
    assert api.messages(ANNA)[-1]["answers"][0]["text"] == "Готово"
    assert await telegram.show(CHAT, screen("Спасибо"), edit=shown) == shown
    assert [one["text"] for one in api.messages(ANNA)] == ["Спасибо"]


async def test_a_persons_words_are_never_markup(api: BotApi, telegram: Telegram) -> None:
    words = "<b>1</b> *2* _3_ [4](tg://user?id=1) &amp; `5` https://x.ru/"
    await telegram.show(CHAT, screen(words))
    assert (api.messages(ANNA)[-1]["text"], api.messages(ANNA)[-1]["entities"]) == (words, [])
    assert all("parse_mode" not in values for _, values in api.calls)


async def test_the_same_screen_again_is_a_success(api: BotApi, telegram: Telegram) -> None:
    shown = await telegram.show(CHAT, screen("Раз", "Да"))
    assert await telegram.show(CHAT, screen("Раз", "Да"), edit=shown) == shown
    assert len(api.messages(ANNA)) == 1


async def test_an_older_message_loses_its_buttons_and_keeps_its_words(api: BotApi, telegram: Telegram) -> None:
    shown = await telegram.show(CHAT, screen("Раз", "Да"))
    for _ in range(2):  # the second time it has none: no error
        await telegram.retire(CHAT, shown)
        (seen,) = api.messages(ANNA)
        assert (seen["text"], seen["buttons"]) == ("Раз", [])
    api.delete(ANNA, int(shown))
    await telegram.retire(CHAT, shown)


async def test_a_screen_whose_message_is_gone_is_sent_anew(api: BotApi, telegram: Telegram) -> None:
    shown = await telegram.show(CHAT, screen("Раз"))
    api.delete(ANNA, int(shown))
    new = await telegram.show(CHAT, screen("Два"), edit=shown)
    assert new != shown
    mine = api.say(ANNA, "моё")
    assert await telegram.show(CHAT, screen("Три"), edit=str(mine)) not in (new, str(mine))
    assert [one["text"] for one in api.messages(ANNA)] == ["Два", "моё", "Три"]


async def test_an_answer_may_quote_a_message_that_is_gone_by_now(api: BotApi, telegram: Telegram) -> None:
    said = api.say(ANNA, "моё")
    await telegram.show(CHAT, screen("Раз"), reply_to=str(said))
    assert api.messages(ANNA)[-1]["reply_to"] == said
    api.delete(ANNA, said)
    await telegram.show(CHAT, screen("Два"), reply_to=str(said))
    assert api.messages(ANNA)[-1]["reply_to"] is None


async def test_bold_that_telegram_refuses_is_left_out_and_the_words_arrive(api: BotApi, telegram: Telegram) -> None:
    await telegram.show(CHAT, Rendered("Да", ((1, 9),), ((RenderedButton("Ок", "v"),),)))
    seen = api.messages(ANNA)[-1]
    assert (seen["text"], seen["entities"], seen["buttons"][0][0]["label"]) == ("Да", [], "Ок")


async def test_a_refused_keyboard_or_text_is_markup_and_permanent(telegram: Telegram) -> None:
    for bad in (
        Rendered("x", (), ((RenderedButton("x", "я" * 33),),)),
        Rendered("x", (), ((RenderedButton("x", "", "tel:1234"),),)),
        Rendered("", ()),
        Rendered("x" * 4097, ()),
    ):
        refused = await refusal(telegram.show(CHAT, bad))
        assert (refused.kind, refused.permanent) == ("markup", True)


async def test_an_old_press_is_acknowledged_without_fuss(api: BotApi, telegram: Telegram) -> None:
    shown = await telegram.show(CHAT, screen("?", "Да"))
    press = api.press(ANNA, int(shown), "abcd:Да")
    api.age_presses(3600)
    await telegram.acknowledge(press)
    await telegram.acknowledge("nonsense")
    api.fail("answerCallbackQuery", status=502, html=True)
    assert (await refusal(telegram.acknowledge(press))).kind == "down"


async def test_blocked_gone_and_moved_chats_are_told_apart(api: BotApi, telegram: Telegram) -> None:
    api.block(ANNA)
    blocked = await refusal(telegram.show(CHAT, screen()))
    assert (blocked.kind, blocked.permanent, blocked.code) == ("blocked", True, "403")
    gone = await refusal(telegram.show("77", screen()))
    assert (gone.kind, gone.permanent) == ("gone", True)
    api.group_message(-5, "Отдел", TOM, "привет")
    api.migrate(-5, -1005)
    moved = await refusal(telegram.show("-5", screen()))
    assert (moved.kind, moved.moved_to) == ("moved", "-1005")
    api.fail("sendMessage", status=403, description="Forbidden: user is deactivated")
    assert (await refusal(telegram.show(str(TOM), screen()))).kind == "blocked"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 401, 404])
async def test_a_far_end_in_trouble_is_down_and_never_permanent(api: BotApi, telegram: Telegram, status: int) -> None:
    api.fail("sendMessage", status=status, description="Trouble")
    api.fail("sendMessage", status=status, html=True)
    for _ in range(2):
        refused = await refusal(telegram.show(CHAT, screen()))
        assert (refused.kind, refused.permanent) == ("down", False)
    await telegram.show(CHAT, screen())


async def test_html_with_the_status_200_is_down_too(api: BotApi, telegram: Telegram) -> None:
    api.fail("sendMessage", status=200, html=True)
    assert (await refusal(telegram.show(CHAT, screen()))).kind == "down"
    api.fail("sendMessage", status=400, html=True)
    assert (await refusal(telegram.show(CHAT, screen()))).kind == "down"


async def test_a_broken_connection_and_silence_are_down(api: BotApi, server: RunningServer) -> None:
    telegram = Telegram(TelegramSettings(api.token, server.url, read_seconds=0.2))
    await telegram.start()
    api.fail("sendMessage", drop=True)
    assert (await refusal(telegram.show(CHAT, screen()))).kind == "down"
    api.delay("sendMessage", 1.0)
    assert (await refusal(telegram.show(CHAT, screen()))).code == "TimedOut"
    await telegram.close()
    assert (await refusal(telegram.show(CHAT, screen()))).kind == "down"


async def test_where_sending_fails_what_waits_for_its_chats_second_is_not_even_tried(
    api: BotApi, telegram: Telegram
) -> None:
    api.fail("sendMessage", status=500, description="Trouble")  # the first one only: the others would be taken
    notices = [asyncio.create_task(telegram.show(CHAT, screen(), dialog=False)) for _ in range(4)]
    refused = await asyncio.gather(*notices, return_exceptions=True)
    assert [getattr(one, "kind", one) for one in refused] == 4 * ["down"]
    assert await telegram.show(CHAT, screen()) == "1"


async def test_what_is_answered_late_is_known_to_the_pace(
    api: BotApi, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[str] = []
    monkeypatch.setattr(telegram.pacer._meter, "arrives_late", late.append)
    api.delay("sendMessage", 1.1)
    for _ in range(2):
        await telegram.show(CHAT, screen())
    assert late == [CHAT]


async def test_whoever_gives_up_while_telegram_is_slow_takes_nobodys_place(api: BotApi, telegram: Telegram) -> None:
    api.delay("sendMessage", 30)
    shown = asyncio.create_task(telegram.show(CHAT, screen()))
    while not telegram.pacer._meter._window:  # noqa: ASYNC110 - that it goes tells nobody
        await asyncio.sleep(0.005)
    (way,) = telegram.pacer._meter._window
    assert way.gone - way.went == 5
    shown.cancel()
    await asyncio.gather(shown, return_exceptions=True)
    assert way.gone - way.went < 4


async def test_nobody_there_is_down(api: BotApi, server: RunningServer) -> None:
    await server.close()
    telegram = Telegram(TelegramSettings(api.token, server.url))
    refused = await refusal(telegram.start())
    assert refused.kind == "down"
    assert f"127.0.0.1:{server.port}" in str(refused)
    await telegram.close()


async def test_a_429_tells_how_long_and_holds_the_chat(api: BotApi, telegram: Telegram) -> None:
    api.fail("sendMessage", 1, 429, "Too Many Requests: retry after 3600", {"retry_after": 3600})
    refused = await refusal(telegram.show(CHAT, screen()))
    assert (refused.kind, refused.retry_after, refused.permanent) == ("throttled", 3600, False)
    calls = len(api.calls)
    again = await refusal(telegram.show(CHAT, screen()))
    assert again.kind == "throttled"
    assert again.retry_after is not None
    assert 3500 < again.retry_after <= 3600
    assert len(api.calls) == calls  # it did not even try
    await telegram.show(str(TOM), screen())


async def test_a_second_poller_is_a_conflict(api: BotApi, telegram: Telegram, server: RunningServer) -> None:
    other = Telegram(TelegramSettings(api.token, server.url, poll_timeout=20))
    await other.start()
    api.calls.clear()
    first = asyncio.create_task(other.poll(None))
    await api.until(lambda: "getUpdates" in [name for name, _ in api.calls])
    second = asyncio.create_task(telegram.poll(None))
    refused = await refusal(first)
    assert (refused.kind, refused.code) == ("conflict", "409")
    assert await second == []
    await other.close()


async def test_updates_are_confirmed_by_the_offset_alone(api: BotApi, telegram: Telegram) -> None:
    api.say(ANNA, "раз")
    api.say(ANNA, "два")
    first, second = await telegram.poll(None)
    assert await telegram.poll(first["update_id"]) == [first, second]
    assert await telegram.poll(second["update_id"]) == [second]
    assert await telegram.poll(second["update_id"] + 1) == []


async def test_the_poll_asks_only_for_what_is_read(api: BotApi, telegram: Telegram) -> None:
    await telegram.poll(None)
    values = dict(api.calls)["getUpdates"]
    assert values["allowed_updates"] == ["message", "edited_message", "callback_query", "my_chat_member"]


async def test_an_album_of_photos_is_downloaded_byte_by_byte(api: BotApi, telegram: Telegram, tmp_path: Path) -> None:
    api.attach(ANNA, [("a.png", "image/png", PNG), ("b.pdf", "application/pdf", b"%PDF-1.7 x")], "экран", album=True)
    raws = await telegram.poll(None)
    events = [incoming.event for incoming in map(read_update, raws) if incoming]
    photo, document = events
    assert isinstance(photo, Attached)
    assert isinstance(document, Attached)
    assert photo.album == document.album != ""
    assert (photo.file.kind, photo.file.size, photo.caption) == ("photo", len(PNG), "экран")
    got = await telegram.download(photo.file.vendor_id, tmp_path / "1", 20_000_000)
    assert (tmp_path / "1").read_bytes() == PNG
    assert (got.size, got.sha256, got.content_type) == (len(PNG), hashlib.sha256(PNG).hexdigest(), "image/png")
    assert (await telegram.download(document.file.vendor_id, tmp_path / "2", 99)).content_type == "application/pdf"
    assert sorted(os.listdir(tmp_path)) == ["1", "2", "botapi"]


async def test_a_file_too_big_for_telegram_or_for_us_leaves_nothing(
    api: BotApi, telegram: Telegram, tmp_path: Path
) -> None:
    api.attach(ANNA, [("v.mp4", "video/mp4", bytes(21 * 1024 * 1024)), ("w.mp4", "video/mp4", bytes(200_000))])
    events = [incoming.event for incoming in map(read_update, await telegram.poll(None)) if incoming]
    for event, limit in zip(events, (30_000_000, 199_999), strict=True):
        assert isinstance(event, Attached)
        refused = await refusal(telegram.download(event.file.vendor_id, tmp_path / "1", limit))
        assert (refused.kind, refused.permanent) == ("refused", True)
        assert "too big" in str(refused).lower()
    small = events[1]
    assert isinstance(small, Attached)
    stored = api.file(small.file.vendor_id)
    stored.size = 10  # Telegram told less than it sends
    refused = await refusal(telegram.download(small.file.vendor_id, tmp_path / "1", 100_000))
    assert refused.code == "too big"
    assert os.listdir(tmp_path) == ["botapi"]


async def test_a_lost_file_is_gone_and_a_broken_download_is_tried_again(
    api: BotApi, telegram: Telegram, tmp_path: Path
) -> None:
    api.attach(ANNA, [("a.bin", "application/octet-stream", b"x" * 100_000)])
    incoming = read_update((await telegram.poll(None))[0])
    assert incoming is not None
    assert isinstance(incoming.event, Attached)
    vendor_id = incoming.event.file.vendor_id
    sink = tmp_path / "1"
    api.fail("file", drop=True)
    api.fail("file", status=502, html=True)
    for _ in range(2):
        refused = await refusal(telegram.download(vendor_id, sink, 200_000))
        assert (refused.kind, refused.permanent) == ("down", False)
    api.fail("file", status=404)
    assert (await refusal(telegram.download(vendor_id, sink, 200_000))).kind == "gone"
    assert (await refusal(telegram.download("nonsense", sink, 200_000))).kind == "gone"
    assert (await refusal(telegram.download(vendor_id, tmp_path / "no" / "1", 200_000))).code == "disk"
    assert not sink.exists()
    assert (await telegram.download(vendor_id, sink, 200_000)).content_type == ""
    api.fail("file", status=503)
    assert (await refusal(telegram.download(vendor_id, sink, 200_000))).code == "503"
    api.lose_file(vendor_id)
    assert (await refusal(telegram.download(vendor_id, sink, 200_000))).kind == "gone"


async def test_a_file_goes_out_under_its_name(api: BotApi, telegram: Telegram, tmp_path: Path) -> None:
    path = tmp_path / "17"
    path.write_bytes(b"%PDF-1.7")
    await telegram.send_file(CHAT, path, "Отчёт «май».pdf", "держите")
    seen = api.messages(ANNA)[-1]
    assert (seen["files"][0]["name"], seen["files"][0]["size"], seen["text"]) == ("Отчёт «май».pdf", 8, "держите")
    await telegram.send_file(CHAT, path, 'a"\r\nX-Bad: 1\\.pdf')
    assert api.messages(ANNA)[-1]["files"][0]["name"] == "a___X-Bad: 1_.pdf"
    refused = await refusal(telegram.send_file(CHAT, tmp_path / "none", "x"))
    assert (refused.kind, refused.permanent) == ("refused", True)


async def test_commands_are_told_in_each_language(api: BotApi, telegram: Telegram) -> None:
    await telegram.set_commands({"ru": [("help", "Помощь")], "en": [("help", "Help")]})
    assert api.commands("ru")[0]["description"] == "Помощь"
    assert api.commands("en")[0]["description"] == "Help"
    assert api.commands("de")[0]["description"] == "Помощь"


async def test_the_token_is_in_no_text_of_ours() -> None:
    settings = TelegramSettings("1:secret", proxy="socks5://user:hidden@10.0.0.1:1080")
    assert "secret" not in repr(settings)
    assert "hidden" not in repr(settings)
    telegram = Telegram(TelegramSettings("1:secret", "http://127.0.0.1:1/ \x00"))
    refused = await refusal(telegram.start())
    assert "secret" not in str(refused)
    await telegram.close()


async def test_the_token_is_in_no_line_of_any_log(
    api: BotApi, telegram: Telegram, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for options in ({"html": True}, {"drop": True}, {"status": 401}):
        api.fail("*", 1, **options)
        await refusal(telegram.show(CHAT, screen()))
    await telegram.show(CHAT, screen())
    assert api.token not in caplog.text


async def test_words_come_as_they_were_typed(api: BotApi, telegram: Telegram) -> None:
    said = api.say(ANNA, "  Не печатает 🖨 \n <b>")
    incoming = read_update((await telegram.poll(None))[0])
    assert incoming is not None
    assert incoming.event == Typed("  Не печатает 🖨 \n <b>", str(said))
