"""The aiohttp transport under the library's typed client, and through proxies that ask for a password."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from telegram import Bot, InputMediaPhoto
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut

from imbot.channels.telegram import Telegram, TelegramSettings
from imbot.channels.telegram_http import AiohttpRequest, Slowed, place_of
from imbot.channels.telegram_proxy import proxy_connector
from imbot.demo.botapi import BotApi, RunningServer
from imbot.domain.errors import ConfigError, DeliveryError
from tests.channels.conftest import ANNA
from tests.channels.proxies import PASSWORD, USER, Handler, http_proxy, running, socks_proxy


@pytest.fixture
async def bot(api: BotApi, server: RunningServer) -> AsyncIterator[Bot]:
    async with Bot(
        api.token,
        base_url=server.url + "/bot",
        base_file_url=server.url + "/file/bot",
        request=AiohttpRequest(read_seconds=0.5),
        get_updates_request=AiohttpRequest(),
    ) as bot:
        yield bot


async def test_the_librarys_typed_client_works_on_it(api: BotApi, bot: Bot) -> None:
    api.attach(ANNA, [("a.bin", "application/octet-stream", b"12345")], "вот")
    (update,) = await bot.get_updates(timeout=1)
    assert update.message is not None
    assert update.message.document is not None
    file = await bot.get_file(update.message.document)
    assert bytes(await file.download_as_bytearray()) == b"12345"
    await bot.send_message(ANNA, "Привет", disable_notification=True)
    await bot.send_document(ANNA, b"%PDF", filename="Отчёт.pdf", caption="май")
    await bot.send_media_group(ANNA, [InputMediaPhoto(b"\xff\xd8\xff"), InputMediaPhoto(b"\xff\xd8\xfe")])
    _, text, document, one, two = api.messages(ANNA)
    assert (text["text"], text["silent"]) == ("Привет", True)
    assert (document["text"], document["files"][0]["name"]) == ("май", "Отчёт.pdf")
    assert one["album"] == two["album"] != ""
    assert bot.request.read_timeout == 0.5


async def test_faults_are_the_librarys_own_exceptions(api: BotApi, bot: Bot) -> None:
    api.fail("sendMessage", 1, 429, "Too Many Requests: retry after 7", {"retry_after": 7})
    with pytest.raises(RetryAfter) as slowed:
        await bot.send_message(ANNA, "x")
    assert isinstance(slowed.value, Slowed)
    assert slowed.value.seconds == 7
    for status, kind in ((403, Forbidden), (400, BadRequest), (401, InvalidToken), (500, NetworkError)):
        api.fail("sendMessage", 1, status, "Some words")
        with pytest.raises(kind):
            await bot.send_message(ANNA, "x")
    for options in ({"html": True}, {"drop": True}):
        api.fail("sendMessage", 1, 502, **options)  # type: ignore[arg-type]
        with pytest.raises(NetworkError):
            await bot.send_message(ANNA, "x")
    api.fail("sendMessage", 1, 413, html=True)
    with pytest.raises(BadRequest, match="Too Large"):
        await bot.send_message(ANNA, "x")
    api.fail("sendMessage", 1, 429, "Too Many Requests")
    with pytest.raises(RetryAfter):
        await bot.send_message(ANNA, "x")
    api.delay("sendMessage", 1)
    with pytest.raises(TimedOut):
        await bot.send_message(ANNA, "x")
    api.fail("sendMessage", 1, 200, html=True)
    with pytest.raises(TelegramError, match="not JSON"):
        await bot.send_message(ANNA, "x")


async def test_a_request_that_is_closed_says_so_and_may_be_closed_twice() -> None:
    request = AiohttpRequest()
    await request.initialize()
    await request.initialize()
    await request.shutdown()
    await request.shutdown()
    with pytest.raises(NetworkError, match="closed"):
        await request.do_request("http://127.0.0.1/", "POST")


def test_strange_json_is_read_or_refused() -> None:
    assert AiohttpRequest.parse_json_payload(b'{"a": "\\ud800"}') == {"a": "\ud800"}
    for payload in (b"<html>", b"[1]", b"\xff", b"[" * 100_000):
        with pytest.raises(TelegramError):
            AiohttpRequest.parse_json_payload(payload)


@pytest.mark.parametrize(
    ("scheme", "handler"), [("http", http_proxy), ("socks5", socks_proxy), ("socks5h", socks_proxy)]
)
async def test_telegram_is_reached_through_a_proxy_with_a_password(
    api: BotApi, server: RunningServer, scheme: str, handler: Handler
) -> None:
    async with running(handler) as proxy:
        url = f"{scheme}://{USER}:{quote(PASSWORD)}@127.0.0.1:{proxy.port}"
        telegram = Telegram(TelegramSettings(api.token, server.url, proxy=url, poll_timeout=1))
        await telegram.start()
        told = await telegram.check()
        assert told.endswith(f"through the proxy 127.0.0.1:{proxy.port}")
        api.say(ANNA, "привет")
        assert len(await telegram.poll(None)) == 1
        await telegram.close()
        assert set(proxy.reached) == {("127.0.0.1", server.port)}
        assert proxy.refused == 0


@pytest.mark.parametrize(("scheme", "handler"), [("http", http_proxy), ("socks5", socks_proxy)])
async def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    api: BotApi, server: RunningServer, scheme: str, handler: Handler
) -> None:
    async with running(handler) as proxy:
        for login in ("imbot:wrong-secret@", ""):
            url = f"{scheme}://{login}127.0.0.1:{proxy.port}"
            telegram = Telegram(TelegramSettings(api.token, server.url, proxy=url))
            with pytest.raises(DeliveryError) as caught:
                await telegram.start()
            assert caught.value.kind == "down"
            assert f"the proxy 127.0.0.1:{proxy.port}" in str(caught.value)
            assert "wrong-secret" not in str(caught.value)
            await telegram.close()
        assert proxy.refused == 2
        assert proxy.reached == []


async def test_a_proxy_that_is_not_there_is_named(api: BotApi) -> None:
    telegram = Telegram(TelegramSettings(api.token, "http://127.0.0.1:9", proxy="socks5://127.0.0.1:9"))
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1:9"):
        await telegram.start()
    await telegram.close()


@pytest.mark.parametrize(
    "proxy", ["ftp://h:1", "http://h", "socks5://:1080", "http://h:99999", "nonsense", "http://[::1"]
)
def test_a_proxy_that_cannot_be_meant_is_a_config_error(proxy: str) -> None:
    with pytest.raises(ConfigError, match="proxy"):
        proxy_connector(proxy)


def test_of_a_url_only_its_place_is_told() -> None:
    assert place_of("socks5://user:password@10.0.0.1:1080") == "10.0.0.1:1080"
    assert place_of("https://api.telegram.org/bot1:2/x") == "api.telegram.org"
