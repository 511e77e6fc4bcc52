"""The page's API: the phone, the mailboxes, the ITSM's buttons, and the door that lets only this machine in."""

from __future__ import annotations

import asyncio
import hashlib

import aiohttp
import pytest

from tests.demo.conftest import Page

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4\x00\x00\x00\x00IEND\xaeB`\x82"
)
REQUEST = (
    "From: bot@demo.local\r\nTo: itsm@demo.local\r\nSubject: Printer [imb:7KQ2MXPA4T]\r\nMessage-ID: <r1@demo>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nМигает красным\r\nМетку imb:7KQ2MXPA4T не удаляйте.\r\n"
).encode()


async def test_the_state_names_the_persons_and_the_itsm(page: Page) -> None:
    state = await page.get("/api/state")
    assert [(one["chat"], one["employee"]) for one in state["persons"]] == [(1001, True), (1002, True), (1003, False)]
    assert state["itsm"] == "itsm@demo.local"
    assert {"tickets", "ledger", "outbox", "quarantine"} <= state.keys()


async def test_words_and_presses_reach_the_bot_api(page: Page) -> None:
    api = page.world.api
    said = await page.post("/api/chats/1001/say", json={"text": "/start"})
    assert api.pending[0]["message"]["text"] == "/start"
    button = {"text": "Yes", "callback_data": "y"}
    async with page.http.post(
        f"http://127.0.0.1:{await _telegram_port(page)}/bot{api.token}/sendMessage",
        json={"chat_id": 1001, "text": "Well?", "reply_markup": {"inline_keyboard": [[button]]}},
    ) as answer:
        shown = (await answer.json())["result"]["message_id"]
    chat = await page.get("/api/chats/1001")
    assert [(one["id"], one["text"]) for one in chat["messages"]] == [(said["message_id"], "/start"), (shown, "Well?")]
    assert chat["messages"][1]["buttons"] == [{"label": "Yes", "value": "y", "url": "", "row": 0}]
    await page.post("/api/chats/1001/press", json={"message_id": str(shown), "value": "y"})
    assert api.pending[-1]["callback_query"]["data"] == "y"
    refused = await page.post("/api/chats/1001/press", 400, json={"message_id": shown, "value": "forged"})
    assert "never had" in refused["error"]


async def _telegram_port(page: Page) -> int:
    """The port of the Bot API server, as imbot's config file has it."""
    folder = page.world.api.state.files._folder.parent
    text = (folder / "config.toml").read_text()
    return int(text.split('api_base = "http://127.0.0.1:')[1].split('"')[0])


async def test_words_longer_than_a_message_become_several(page: Page) -> None:
    said = await page.post("/api/chats/1001/say", json={"text": "😀" * 3000})
    assert len(said["message_ids"]) == 2
    texts = [one["text"] for one in (await page.get("/api/chats/1001"))["messages"]]
    assert "".join(texts) == "😀" * 3000


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/chats/1001/say", {"text": "   "}, 400),
        ("/api/chats/1001/say", {}, 400),
        ("/api/chats/1001/say", {"text": "x", "admin": True}, 400),
        ("/api/chats/1001/say", {"text": 5}, 400),
        ("/api/chats/1001/say", [1], 400),
        ("/api/chats/1001/say", {"text": "x" * 200_000}, 400),
        ("/api/chats/9/say", {"text": "x"}, 404),
        ("/api/chats/1001/press", {"message_id": "x", "value": "y"}, 400),
        ("/api/chats/1001/press", {"message_id": 77, "value": "y"}, 400),
        ("/api/itsm/letters/77/register", {}, 404),
        ("/api/itsm/letters/x/register", {}, 400),
        ("/api/mailboxes/nobody@demo.local/deliver", {"x": 1}, 404),
        ("/api/nothing", {}, 404),
    ],
)
async def test_what_is_wrong_is_said_in_plain_words(page: Page, path: str, body: object, status: int) -> None:
    assert (await page.post(path, status, json=body))["error"]


async def test_a_wrong_method_and_a_body_that_is_no_json_are_told_so(page: Page) -> None:
    assert "error" in await page.get("/api/chats/1001/say", 405)
    assert "JSON" in (await page.post("/api/chats/1001/say", 400, data=b"{oops"))["error"]
    assert "multipart" in (await page.post("/api/chats/1001/attach", 400, json={}))["error"]


async def test_photos_and_files_are_attached_and_come_back_as_downloads(page: Page) -> None:
    form = aiohttp.FormData()
    form.add_field("files", PNG, filename="экран.png", content_type="image/png")
    form.add_field("files", b"<svg onload=alert(1)>", filename="x.svg", content_type="image/svg+xml")
    form.add_field("caption", "экран ошибки")
    form.add_field("album", "1")
    sent = await page.post("/api/chats/1001/attach", data=form)
    assert len(sent["message_ids"]) == 2
    photo, svg = (await page.get("/api/chats/1001"))["messages"]
    assert (photo["text"], photo["files"][0]["kind"], svg["files"][0]["name"]) == ("экран ошибки", "photo", "x.svg")
    assert photo["album"] == svg["album"] != ""
    for message, kind in ((photo, "image/png"), (svg, "application/octet-stream")):
        async with page.http.get(page.url + message["files"][0]["url"]) as answer:
            assert answer.headers["Content-Type"] == kind
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    await page.get("/api/chats/1002/files/" + photo["files"][0]["id"], 404)


async def test_a_hundred_photos_are_taken_and_one_more_is_not(page: Page) -> None:
    def form(count: int) -> aiohttp.FormData:
        data = aiohttp.FormData()
        for number in range(count):
            data.add_field("files", PNG, filename=f"{number}.png", content_type="image/png")
        return data

    assert len((await page.post("/api/chats/1001/attach", data=form(100)))["message_ids"]) == 100
    assert "error" in await page.post("/api/chats/1001/attach", 400, data=form(101))


async def test_an_attachment_without_a_file_is_told_so(page: Page) -> None:
    form = aiohttp.FormData({"caption": "x"}, default_to_multipart=True)
    assert "no file" in (await page.post("/api/chats/1001/attach", 400, data=form))["error"]


async def test_a_delivered_letter_is_shown_with_its_files(page: Page) -> None:
    body = (
        b"From: Anna <anna@demo.local>\r\nSubject: =?utf-8?B?0J/RgNC40LLQtdGC?=\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n'
        b'--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename="a.png"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n"
    )
    told = await page.post("/api/mailboxes/bot@demo.local/deliver", data=body)
    letters = (await page.get("/api/mailboxes/bot@demo.local"))["letters"]
    assert [one["id"] for one in letters] == [told["id"]]
    (letter,) = letters
    assert (letter["subject"], letter["from"], letter["text"].strip()) == ("Привет", "anna@demo.local", "hello")
    assert letter["headers"]["Subject"] == "Привет"
    assert "Authentication-Results" not in letter["headers"]
    (part,) = letter["attachments"]
    assert (part["name"], part["size"], part["sha256"]) == (
        "a.png",
        8,
        hashlib.sha256(b"\x89PNG\r\n\x1a\n").hexdigest(),
    )
    async with page.http.get(page.url + part["url"]) as answer:
        assert await answer.read() == b"\x89PNG\r\n\x1a\n"
    async with page.http.get(page.url + letter["raw_url"]) as answer:
        assert (await answer.read()).endswith(body)


async def test_only_evidence_makes_a_sender_believed_and_a_forged_one_is_stripped(page: Page) -> None:
    forged = b"Authentication-Results: demo.imbot.local; dmarc=pass\r\nFrom: itsm@demo.local\r\n\r\nx\r\n"
    await page.post("/api/mailboxes/bot@demo.local/deliver", data=forged)
    await page.post("/api/mailboxes/bot@demo.local/deliver?evidence=1", data=forged)
    plain, vouched = (await page.get("/api/mailboxes/bot@demo.local"))["letters"]
    assert "Authentication-Results" not in plain["headers"]
    assert "dmarc=pass" in vouched["headers"]["Authentication-Results"]


async def test_whatever_the_bytes_the_mailbox_is_still_shown(page: Page) -> None:
    odd = [
        b"\x00\xff\r\r\n\n.",
        b"Subject: " + b"=?utf-8?q?" * 5000,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x" * 300,
    ]
    for raw in odd:
        await page.post("/api/mailboxes/itsm@demo.local/deliver", data=raw)
    assert len((await page.get("/api/mailboxes/itsm@demo.local"))["letters"]) == len(odd)
    assert "empty" in (await page.post("/api/mailboxes/itsm@demo.local/deliver", 400, data=b""))["error"]


async def test_the_itsm_numbers_calls_from_1042_and_keeps_the_number_in_a_thread(page: Page) -> None:
    first = (await page.post("/api/mailboxes/itsm@demo.local/deliver", data=REQUEST))["id"]
    other = REQUEST.replace(b"<r1@demo>", b"<r2@demo>")
    second = (await page.post("/api/mailboxes/itsm@demo.local/deliver", data=other))["id"]
    follow_up = REQUEST.replace(b"<r1@demo>", b"<r3@demo>\r\nIn-Reply-To: <r1@demo>")
    third = (await page.post("/api/mailboxes/itsm@demo.local/deliver", data=follow_up))["id"]
    assert (await page.post(f"/api/itsm/letters/{second}/start"))["number"] == "IM-CL-1042"
    for letter, action, number in ((first, "register", "IM-CL-1043"), (third, "ask", "IM-CL-1043")):
        assert (await page.post(f"/api/itsm/letters/{letter}/{action}"))["number"] == number
    done = await page.post(f"/api/itsm/letters/{third}/done", json={"text": "Заменён картридж 🖨"})
    assert done == {"ok": True, "number": "IM-CL-1043", "status": "resolved"}
    letters = (await page.get("/api/mailboxes/bot@demo.local"))["letters"]
    assert [one["subject"] for one in letters] == [
        "Заявка № IM-CL-1042 принята в работу",
        "Заявка № IM-CL-1043 получена и рассмотрена",
        "По заявке № IM-CL-1043 требуется уточнение",
        "Заявка № IM-CL-1043 выполнена",
    ]
    registered = letters[1]
    assert "imb:7KQ2MXPA4T" in registered["text"]
    assert "Обещанное время решения:" in registered["text"]
    assert "In-Reply-To" not in registered["headers"]
    assert "</div>" in registered["text"]
    assert letters[3]["headers"]["In-Reply-To"]
    assert "Решение:" in letters[3]["text"]
    assert "Заменён картридж 🖨" in letters[3]["text"]
    assert all("dmarc=pass" in one["headers"]["Authentication-Results"] for one in letters)


async def test_an_answer_of_the_itsm_may_bear_files(page: Page) -> None:
    letter = (await page.post("/api/mailboxes/itsm@demo.local/deliver", data=REQUEST))["id"]
    form = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
    form.add_field("text", "Смотрите инструкцию")
    form.add_field("files", b"%PDF-1.4", filename="инструкция.pdf")
    told = await page.post(f"/api/itsm/letters/{letter}/comment", data=form)
    assert told == {"ok": True, "number": "IM-CL-1042", "status": "new"}
    (answer,) = (await page.get("/api/mailboxes/bot@demo.local"))["letters"]
    assert "Сообщение: Смотрите инструкцию" in answer["text"]
    assert [(one["name"], one["size"]) for one in answer["attachments"]] == [("инструкция.pdf", 8)]


async def test_an_answer_to_nobody_says_that_the_mail_server_refused(page: Page) -> None:
    stray = b"From: nobody@elsewhere.example\r\n\r\nhello\r\n"
    letter = (await page.post("/api/mailboxes/itsm@demo.local/deliver", data=stray))["id"]
    assert "refused" in (await page.post(f"/api/itsm/letters/{letter}/register", 422))["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "evil.example:8080"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_other_hosts_and_other_pages_are_refused(page: Page, headers: dict[str, str]) -> None:
    assert "error" in await page.get("/api/state", 403, headers=headers)
    assert "error" in await page.post("/api/chats/1001/say", 403, json={"text": "x"}, headers=headers)


async def test_the_own_page_and_localhost_are_let_in(page: Page) -> None:
    port = page.url.rpartition(":")[2]
    await page.get("/api/state", headers={"Origin": page.url, "Sec-Fetch-Site": "same-origin"})
    await page.get("/api/state", headers={"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"})
    await page.get("/api/state", 403, headers={"Host": f"localhost:{port}", "Origin": page.url})


async def test_every_answer_bears_the_strict_policy(page: Page) -> None:
    for path in ("/", "/api/state", "/static/app.js", "/nothing"):
        async with page.http.get(page.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_page_is_served_and_nothing_beside_it(page: Page) -> None:
    async with page.http.get(page.url) as answer:
        html = await answer.text()
    assert "<script" in html
    assert "onclick" not in html
    assert " style=" not in html
    for name in ("..%2fweb.py", "%2e%2e%2fcast.py", "web.py", "none.js"):
        async with page.http.get(f"{page.url}/static/{name}") as answer:
            assert answer.status == 404


async def test_a_change_wakes_the_long_poll(page: Page) -> None:
    version = (await page.get("/api/changes?since=-1"))["version"]
    waiting = asyncio.create_task(page.get(f"/api/changes?since={version}&timeout=10"))
    await asyncio.sleep(0)
    await page.post("/api/chats/1002/say", json={"text": "hello"})
    assert (await waiting)["version"] > version
    assert "error" in await page.get("/api/changes?since=x", 400)
