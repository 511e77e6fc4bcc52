"""One whole ticket in a browser, at a desk's width and at a phone's: sign-in, request with a photo, registration, done,
rating. Every step goes over the wires of production; the pictures lie in screenshots/."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import FilePayload, expect

from tests.browser.conftest import Screen

pytestmark = pytest.mark.servers

FILE: FilePayload = {
    "name": "Как заменить картридж.html",
    "mimeType": "text/html",
    "buffer": b"<script>alert(1)</script>",
}
WORDS = "Мигает красным и не печатает. Бумага есть."


async def test_a_ticket_goes_all_the_way(screen: Screen) -> None:
    await sign_in(screen)
    await file_a_request(screen)
    await let_the_helpdesk_answer(screen)
    await rate(screen)
    await look_behind(screen)
    assert screen.complaints == []


async def sign_in(screen: Screen) -> None:
    page = screen.page
    await expect(page.locator("#begin")).to_be_visible()
    await screen.shot("first-visit")
    await page.click("#begin")
    await expect(page.locator(".bubble.bot").first).to_be_visible()
    await screen.say("anna@demo.local")
    await expect(screen.said("anna@demo.local")).to_be_visible()
    await screen.shot("waiting-for-the-code")
    await screen.go("mail")
    link = page.locator("#mail-letters button.link").first
    await expect(link).to_be_visible()
    await screen.shot("the-code-letter")
    await link.click()
    await expect(page.locator("#view-phone")).to_be_visible()
    await expect(screen.said("Анна")).to_be_visible()
    await screen.shot("signed-in")


async def file_a_request(screen: Screen) -> None:
    page = screen.page
    await screen.say("/newticket")
    await screen.key("Оборудование").click()
    await screen.key("Принтер, сканер, МФУ").click()
    await expect(screen.key("Принтер, сканер, МФУ")).to_have_count(0)
    await screen.say(WORDS)
    await expect(screen.key("Отправить")).to_be_visible()
    await page.click("#open-clip")
    await page.get_by_role("menuitem").nth(1).click()
    await page.fill("#words", "экран ошибки")
    await screen.shot("a-photo-with-words")
    await page.click("#send")
    await expect(screen.said("экран ошибки")).to_be_visible()
    await expect(page.locator(".bubble.me img")).to_be_visible()
    await screen.shot("the-review")
    await screen.key("Отправить").click()
    await screen.go("itsm")
    letter = page.locator("#itsm-letters .letter").first
    await expect(letter).to_contain_text(WORDS)
    await expect(letter).to_contain_text(re.compile(r"imb:[A-Z2-7]{10}"))
    await expect(letter.locator(".thumb img")).to_be_visible()
    await screen.shot("the-letter-at-the-helpdesk")


async def let_the_helpdesk_answer(screen: Screen) -> None:
    page = screen.page
    await page.locator("[data-action=register]").first.click()
    await screen.go("phone")
    await expect(screen.said("IM-CL-1042")).to_be_visible()
    await screen.shot("registered")
    await screen.go("itsm")
    await page.locator("[data-action=comment]").first.click()
    await page.set_input_files(".answer input[type=file]", [FILE])
    await screen.shot("the-helpdesk-attaches-a-file")
    await page.locator(".answer .primary").click()
    await screen.go("phone")
    await expect(screen.said("поддержка пишет")).to_contain_text("Инструкция во вложении")
    sent = page.locator(".bubble.bot", has_text="Как заменить картридж.html.txt").last
    await expect(sent.locator("a[download]")).to_be_visible()
    await screen.shot("the-file-in-the-chat")
    await screen.go("itsm")
    await page.locator("[data-action=done]").first.click()
    await page.fill(".answer textarea", "Заменён картридж, печать проверена.")
    await screen.shot("the-helpdesk-writes")
    await page.locator(".answer .primary").click()
    await screen.go("phone")
    await expect(screen.said("Заменён картридж, печать проверена")).to_be_visible()
    await screen.shot("done")


async def rate(screen: Screen) -> None:
    await screen.key("5").click()
    await expect(screen.said("Спасибо")).to_be_visible()
    await screen.shot("rated")


async def look_behind(screen: Screen) -> None:
    page = screen.page
    await screen.go("knows")
    ticket = page.locator("#knowledge .ticket").first
    await expect(ticket).to_contain_text("IM-CL-1042")
    await expect(ticket).to_contain_text("★★★★★")
    for raw in ("person:", "telegram:", "@demo.local>", "admins", "ticket:"):
        await expect(page.locator("#knowledge")).not_to_contain_text(raw)
    await screen.shot("what-imbot-knows")
    await page.click("#language button[value=en]")
    await expect(page.locator("#view-knows h2")).to_have_text("What imbot knows")
    await screen.shot("in-english")
    width = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "the page scrolls sideways"
