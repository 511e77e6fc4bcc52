"""A helpdesk that says nothing, in a browser: the employee is told, the admin is asked, and what was decided stands there."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Screen

pytestmark = pytest.mark.servers


async def sign_in(screen: Screen, number: int, address: str, name: str) -> None:
    """The person's phone, signed in by the link of the letter."""
    page = screen.page
    await screen.go("phone")
    await page.locator("#who button").nth(number).click()
    if number == 0:
        await page.click("#begin")
    else:
        await screen.say("/start")
    await expect(page.locator(".bubble.bot").first).to_be_visible()
    await screen.say(address)
    await expect(screen.said(address)).to_be_visible()
    await screen.go("mail")
    link = page.locator("#mail-letters button.link").first
    await expect(link).to_be_visible()
    await link.click()
    await screen.go("phone")
    await expect(screen.said(name)).to_be_visible()


async def test_silence_is_told_to_both_sides_and_decided_in_the_chat(screen: Screen) -> None:
    page = screen.page
    await sign_in(screen, 0, "anna@demo.local", "Анна")
    await sign_in(screen, 1, "tom@demo.local", "Вход выполнен")
    await page.locator("#who button").nth(0).click()
    await screen.say("/newticket")
    await screen.key("Оборудование").click()
    await screen.key("Принтер, сканер, МФУ").click()
    await expect(screen.key("Принтер, сканер, МФУ")).to_have_count(0)
    await screen.say("Мигает красным и не печатает")
    await screen.key("Отправить").click()
    await expect(screen.said("номер придёт сюда")).to_be_visible()
    await screen.key("Дополнить").click()
    await expect(screen.key("Отмена")).to_be_visible()
    await screen.say("И скрипит")
    await screen.key("Отправить").click()
    await expect(screen.said("номер")).to_be_visible()
    await screen.go("itsm")
    await page.click("#silence")
    await expect(page.locator("#toast")).to_contain_text("Час прошёл")
    await screen.shot("an-hour-of-silence")
    await screen.go("phone")
    await expect(screen.said("Вам ничего делать не нужно")).to_be_visible()
    await screen.shot("the-employee-is-told")
    await page.locator("#who button").nth(1).click()
    await expect(screen.said("Поддержка не подтвердила заявку")).to_be_visible()
    await expect(screen.key("Отпустить дополнения")).to_be_visible()
    await screen.shot("the-admin-is-asked")
    await screen.key("Отпустить дополнения").click()
    await expect(screen.said("Дополнения уходят, не дожидаясь номера")).to_be_visible()
    await expect(screen.key("Отпустить дополнения")).to_have_count(0)
    await screen.shot("additions-are-let-go")
    await screen.key("Отправить ещё раз").click()
    await expect(screen.said("отправляем ещё раз")).to_be_visible()
    await expect(screen.key("Отправить ещё раз")).to_have_count(0)
    await screen.shot("sent-again")
    await screen.go("itsm")
    await page.locator("#itsm-letters [data-action=register]").first.click()
    await screen.go("phone")
    await expect(screen.said("Поддержка подтвердила заявку")).to_be_visible()
    await screen.shot("confirmed-after-all")
    assert screen.complaints == []
