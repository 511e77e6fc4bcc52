"""A real browser (Debian's Chromium by Playwright) on the demo's page, at two widths."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from imbot.demo import playing

SHOTS = Path(__file__).parents[2] / "screenshots"  # kept out of git
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDTHS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
_WAIT = 60_000  # milliseconds; the longest a step may take

expect.set_options(timeout=_WAIT)


def chromium() -> str:
    """The path of Chromium. Without it the test is skipped, and with CI set it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("Chromium is missing: apt-get install chromium")
    return found


@dataclass
class Screen:
    """The page in a browser, and what the browser complained about."""

    page: Page
    width: str
    complaints: list[str]
    shots: int = 0

    async def go(self, view: str) -> None:
        """Show a view: the phone is always there on a wide screen."""
        if view != "phone" or self.width == "phone":
            await self.page.click(f"#tab-{view}")

    async def shot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.shots += 1
        await self.page.screenshot(path=SHOTS / f"{self.width}-{self.shots:02}-{name}.png", animations="disabled")

    async def say(self, text: str) -> None:
        await self.page.fill("#words", text)
        await self.page.press("#words", "Enter")

    def said(self, text: str) -> Locator:
        """The newest bubble of the bot that bears these words."""
        return self.page.locator(".bubble.bot", has_text=text).last

    def key(self, label: str) -> Locator:
        """The newest button under a message that bears this label."""
        return self.page.locator(".key", has_text=label).last


@pytest.fixture(params=list(WIDTHS))
async def screen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Screen]:
    browser_path = chromium()
    async with playing(tmp_path) as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=list(_FLAGS))
        try:
            context = await browser.new_context(**WIDTHS[request.param], locale="ru-RU", timezone_id="Europe/Moscow")
            context.set_default_timeout(_WAIT)
            page = await context.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
            await page.goto(url)
            yield Screen(page, request.param, complaints)
            await context.close()
        finally:
            await browser.close()
