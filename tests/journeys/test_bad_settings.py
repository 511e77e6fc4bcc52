"""What admins do by mistake: a catalogue with a typo, a template that is missing, a folder that cannot be written to, a
second imbot. The command says it in plain lines and ends; the state of the company is as it was.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sqlite3
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from imbot.app import App, build
from imbot.config import load, packed
from imbot.demo.cast import ITSM_ADDRESS
from imbot.domain.errors import ConfigError
from imbot.store import lanes
from imbot.store.db import Db
from imbot.store.migrate import migrate
from imbot.store.schema import parcels
from tests.journeys.callers import Counter
from tests.journeys.office import PNG, Office, body_of, files_of

CONFIG = """
[general]
data_dir = "var"
admins = ["tom@company.ru"]
{general}
[telegram]
token = "123456789:AAEhBOweik6ad9r_QXMENQ"
api_base = "http://127.0.0.1:1"
[directory]
kind = "domain"
[directory.domain]
domains = ["company.ru"]
[smtp]
host = "127.0.0.1"
port = 1
[mailbox]
host = "127.0.0.1"
port = 1
username = "bot"
password = "secret"
[itsm]
address = "support@company.ru"
senders = ["support@company.ru"]
bot_address = "bot@company.ru"
[itsm.evidence]
authserv_id = "mx.company.ru"
"""


def bow_to_modes() -> None:
    """Root overrides the modes of files; without CAP_DAC_OVERRIDE (1; PR_CAPBSET_DROP is 24) it does not."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@dataclass(frozen=True)
class Refused:
    code: int | None
    lines: list[str]


async def run(config: Path) -> Refused:
    """`imbot run` as a process that has to end by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "imbot", "run", "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=bow_to_modes,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 30)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError("imbot run started, which it should not have") from None
    return Refused(process.returncode, out.decode().splitlines())


@dataclass(frozen=True)
class Company:
    """A company that has worked already; nobody serves it now."""

    folder: Path

    @property
    def var(self) -> Path:
        return self.folder / "var"

    async def refusal(self, general: str) -> tuple[str, ...]:
        """The mistakes that a start names before it serves anybody (`imbot run` says each in a line of its own)."""
        before = self.state()
        with pytest.raises(ConfigError) as refused:
            await build(load(self.config(general), {}))
        assert self.state() == before
        return refused.value.problems

    def config(self, general: str = "") -> Path:
        path = self.folder / "config.toml"
        path.write_text(CONFIG.format(general=general), "utf-8")
        return path

    def state(self) -> dict[str, bytes]:
        """Every file with its bytes; the two that a start makes for itself hold nothing of anybody's."""
        own = {"imbot.lock", "secret.key"}
        return {str(path): path.read_bytes() for path in self.var.rglob("*") if path.is_file() and path.name not in own}


@pytest.fixture
def company(tmp_path: Path) -> Company:
    company = Company(tmp_path)
    (company.var / "files").mkdir(parents=True)
    (company.var / "letters").mkdir()
    (company.var / "files" / "photo").write_bytes(PNG)
    migrate(f"sqlite:///{company.var / 'imbot.db'}")
    with sqlite3.connect(company.var / "imbot.db") as db:
        db.execute("PRAGMA journal_mode=DELETE")
    db.close()
    return company


async def test_a_catalogue_with_a_typo_is_refused_with_every_mistake_named(company: Company) -> None:
    good = (packed("data") / "catalogue.toml").read_text("utf-8")
    typo = good.replace("\nlabel =", "\nlable =", 1) + '\n[[category]]\nkey = "Оборудование"\nlabel = ""\n'
    (company.folder / "catalogue.toml").write_text(typo, "utf-8")
    problems = await company.refusal('catalogue = "catalogue.toml"')
    assert "catalogue > category hardware: unknown key 'lable'" in problems
    here = "catalogue > category Оборудование: "
    assert f"{here}key must be 1 to 16 of a-z, 0-9, _ and -, not 'Оборудование'" in problems
    assert f"{here}label in ru is empty" in problems


async def test_a_catalogue_that_is_no_toml_is_refused_with_its_line(company: Company) -> None:
    (company.folder / "catalogue.toml").write_text('[[category]]\nkey = "hardware\n', "utf-8")
    (problem,) = await company.refusal('catalogue = "catalogue.toml"')
    assert problem.startswith(f"{company.folder / 'catalogue.toml'}: not TOML:")
    assert "line 2" in problem


async def test_a_missing_template_is_named_at_the_start_with_every_broken_one(company: Company) -> None:
    own = {
        "chat/ru/buttons.toml": "new = ",
        "chat/ru/menu.j2": '{% include "chat/ru/_greeting.j2" %}',
        "mail/common/ru/ticket.txt.j2": "\n{% if description %}",
    }
    for name, text in own.items():
        path = company.folder / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    folder = company.folder / "own"
    include, unfinished, words = await company.refusal('templates_dir = "own"')
    assert include == f"{folder}/chat/ru/menu.j2: asks for the template chat/ru/_greeting.j2, which is in no folder"
    assert unfinished.startswith(f"{folder}/mail/common/ru/ticket.txt.j2:2: Unexpected end of template")
    assert words.startswith(f"{folder}/chat/ru/buttons.toml: ")


async def test_a_missing_folder_of_templates_is_named_at_the_start(company: Company) -> None:
    (problem,) = await company.refusal('templates_dir = "nowhere"')
    assert problem == f"[general] templates_dir: {company.folder / 'nowhere'} is no folder"


async def test_a_read_only_data_folder_is_said_and_left_as_it_was(company: Company) -> None:
    before = company.state()
    company.var.chmod(0o555)
    try:
        refused = await run(company.config())
    finally:
        company.var.chmod(0o755)
    assert refused.code == 1
    assert company.state() == before
    (line,) = refused.lines
    assert line == f"imbot: {company.var}: cannot be written to (Permission denied); imbot keeps its state there"


@pytest.mark.servers
async def test_a_template_that_fails_while_serving_is_passed_over_for_ours(office: Office) -> None:
    """A name that a template asks for and no screen has shows only when it is rendered."""
    for name in ("chat/ru/review.j2", "mail/common/ru/ticket.txt.j2"):
        path = office.folder / "own" / name
        path.parent.mkdir(parents=True)
        path.write_text("{{ nosuchvalue.of_ours }}", "utf-8")
    async with office.running(general=f'templates_dir = "{office.folder / "own"}"') as app:
        anna = await Counter(office, app).anna()
        await anna.asked_to_describe()
        anna.say("Мигает красным")
        await anna.press("Отправить", "Проверьте заявку", "Мигает красным")
        assert "Описание:\nМигает красным\n" in body_of(await anna.letter())


@pytest.mark.servers
async def test_a_second_instance_on_the_same_data_base_is_refused_and_the_first_serves_on(office: Office) -> None:
    async with office.running() as app:
        anna = await Counter(office, app).anna()
        await anna.asked_to_describe()
        anna.say("Мигает красным")
        await anna.said("Проверьте заявку", "Мигает красным")
        refused = await run(office.folder / "config.toml")
        assert refused.code == 1
        (line,) = refused.lines
        assert line == (
            f"imbot: another imbot (process {os.getpid()}) already works with {office.folder / 'var'}; stop it first"
        )
        await anna.press("Отправить", "Мигает красным")
        assert "Описание:\nМигает красным\n" in body_of(await anna.letter())
        assert len(office.letters_to(ITSM_ADDRESS)) == 1


@pytest.mark.servers
async def test_a_data_base_that_cannot_be_written_to_for_a_while_is_told_and_loses_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Db, "open", partial(Db.open, busy_seconds=0.2))  # patience that a test has not
    async with office.running() as app:
        anna = await Counter(office, app).anna()
        await anna.asked_to_describe()
        holder = sqlite3.connect(office.folder / "var" / "imbot.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        anna.say("Мигает красным")
        await anna.said("не получается ничего сохранить", "через несколько минут")
        holder.execute("ROLLBACK")  # what was not confirmed to Telegram is taken now
        holder.close()
        await anna.press("Отправить", "Проверьте заявку", "Мигает красным")
        assert "Описание:\nМигает красным\n" in body_of(await anna.letter())


@pytest.mark.servers
async def test_a_folder_of_files_that_cannot_be_written_to_keeps_the_photo_wanted(office: Office) -> None:
    async with office.running() as app:
        anna = await Counter(office, app).anna()
        await anna.asked_to_describe()
        anna.say("Мигает красным")
        await anna.said("Проверьте заявку", "Мигает красным")
        files = office.folder / "var" / "files"
        files.rename(files.with_name("away"))
        files.write_bytes(b"")
        anna.attach(("экран.png", "image/png", PNG))
        await anna.press("Отправить", "Фото: 1")
        await anna.said("отправляется", "Фото прикладываем")
        parcel = await failed_download(app)
        files.unlink()
        files.with_name("away").rename(files)
        await app.db.run(lanes.retry, parcel, datetime.now(UTC))  # `imbot outbox retry`
        letter = await anna.letter()
        assert list(files_of(letter).values()) == [PNG]
        await anna.receipt("Фото приложено")


async def failed_download(app: App) -> int:
    """The parcel of the file that could not be written, once it has been tried."""
    tried = select(parcels.c.id).where(parcels.c.kind == "download", parcels.c.last_error != "")
    async with asyncio.timeout(30):
        while (found := await app.db.read(lambda c: c.execute(tried).scalar())) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return int(found)
