"""The page beside the main road: strangers and forgers get nowhere, the keyboard is enough, nothing scrolls sideways."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Screen

pytestmark = pytest.mark.servers


async def test_a_forged_letter_ends_in_quarantine_and_eve_gets_no_code(screen: Screen) -> None:
    page = screen.page
    await page.locator("#who button").nth(2).click()
    await page.click("#begin")
    await expect(page.locator(".bubble.bot").first).to_be_visible()
    await screen.say("eve@demo.local")
    await expect(screen.said("eve@demo.local")).to_be_visible()
    await screen.go("knows")
    await page.locator(".known", has_text="Карантин").get_by_role("button").click()
    aside = page.locator(".quarantine .ticket").first
    await expect(aside).to_contain_text("IM-CL-1042 выполнена")
    await expect(aside).to_contain_text("Не доказано, что письмо от поддержки")
    await expect(aside).to_contain_text("Authentication-Results")
    await screen.shot("a-forged-letter")
    await screen.go("mail")
    await expect(page.locator("#mail-title")).to_contain_text("eve@demo.local")
    await expect(page.locator("#mail-letters")).to_have_text("Писем пока нет.")
    assert screen.complaints == []


async def test_a_click_that_begins_before_a_refresh_counts_behind_it(screen: Screen) -> None:
    page = screen.page
    await page.locator("#who button").nth(1).click()
    await page.locator("#begin").hover()
    await page.mouse.down()
    old = await page.query_selector("#who button")
    assert old is not None
    said = "{method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({text: 'x'})}"
    await page.evaluate(f"fetch('/api/chats/1003/say', {said})")
    await page.wait_for_function("old => !old.isConnected", arg=old)  # what is shown has been shown anew
    await page.mouse.up()
    await expect(page.locator(".bubble.bot").first).to_be_visible()
    assert screen.complaints == []


async def test_the_keyboard_is_enough_and_nothing_scrolls_sideways(screen: Screen) -> None:
    page = screen.page
    await page.locator("#begin").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".bubble.bot").first).to_be_visible()
    await page.locator("#open-commands").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem").first).to_be_focused()
    await screen.shot("the-command-menu")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Escape")
    await expect(page.locator("#open-commands")).to_be_focused()
    await page.locator("[role=tab][aria-selected=true]").focus()
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("[role=tab][aria-selected=true]")).to_be_focused()
        wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window
    cut = "Math.max(...[...document.querySelectorAll('.switch')].map(e => e.scrollWidth - e.clientWidth))"
    usual = page.viewport_size
    assert usual is not None
    for width in (360, 320, usual["width"]):
        await page.set_viewport_size({"width": width, "height": usual["height"]})
        assert await page.evaluate(cut) <= 0
    await page.click(".guide .count")
    await expect(page.locator("#all-steps li")).to_have_count(6)
    await screen.shot("all-steps")
    await page.locator(".guide .step .icon").last.click()
    await page.reload()
    await expect(page.locator("#who button").first).to_be_visible()
    await expect(page.locator("#guide")).to_be_hidden()
    unnamed = await page.evaluate(
        "[...document.querySelectorAll('button, a, textarea, input:not([hidden])')]"
        ".filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).length"
    )
    assert unnamed == 0
    assert screen.complaints == []
