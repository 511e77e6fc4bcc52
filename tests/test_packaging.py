"""Installed as a wheel, away from the checkout, imbot finds its templates and data and answers the same."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import imbot

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = (
    "imbot",
    "templates",
    "data",
    "tests/mails",
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "var"))
        else:
            shutil.copy(ROOT / name, folder / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "-w", str(folder / "dist"), str(folder)], check=True, timeout=120)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def away(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the installed wheel in `site`."""
    folder = tmp_path_factory.mktemp("away")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder


def run(away: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(away / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=away, env=env, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_wheel_bears_every_file_that_is_not_code(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in ("templates", "data"):
        for file in (ROOT / kind).rglob("*"):
            if file.is_file() and "var" not in file.parts and "__pycache__" not in file.parts:
                assert f"imbot/_packed/{file.relative_to(ROOT).as_posix()}" in names
    for file in (ROOT / "tests" / "mails").rglob("*.*"):
        assert f"imbot/_packed/letters/{file.relative_to(ROOT / 'tests' / 'mails').as_posix()}" in names
    for file in (ROOT / "imbot" / "demo" / "static").iterdir():
        assert f"imbot/demo/static/{file.name}" in names
    assert "imbot/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


def test_away_from_the_checkout_it_is_the_wheel_that_runs(away: Path) -> None:
    kinds = "templates", "data", "letters"
    code = f"import imbot, imbot.config as c; print(imbot.__file__); [print(c.packed(k)) for k in {kinds}]"
    answer = run(away, "-c", code)
    assert answer.returncode == 0, answer.stderr
    assert all(line.startswith(str(away / "site")) for line in answer.stdout.splitlines()), answer.stdout


def test_letters_are_understood_by_the_packed_profiles(away: Path) -> None:
    letter = "From: itsm@company.ru\r\nSubject: Заявка № IM-CL-7 получена и рассмотрена\r\n\r\nок\r\n"
    (away / "letter.eml").write_bytes(letter.encode())
    answer = run(away, "-m", "imbot.cli", "mail", "read", "--json", "letter.eml")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["report"]["status"] == "registered"


def test_a_companys_file_replaces_a_packed_one_and_doctor_says_so(away: Path) -> None:
    (away / "own" / "mail" / "common" / "ru").mkdir(parents=True)
    (away / "own" / "mail" / "common" / "ru" / "code.txt.j2").write_text("{{ code }}\n", encoding="utf-8")
    shutil.copy(ROOT / "config.example.toml", away / "config.toml")
    env = {
        "IMBOT_GENERAL__TEMPLATES_DIR": "own",
        "IMBOT_DIRECTORY__KIND": "domain",
        "IMBOT_DIRECTORY__DOMAIN__DOMAINS": "company.ru",
        "IMBOT_SMTP__HOST": "127.0.0.1",
        "IMBOT_SMTP__PORT": "1",
        "IMBOT_MAILBOX__HOST": "127.0.0.1",
        "IMBOT_MAILBOX__PORT": "1",
        "IMBOT_TELEGRAM__API_BASE": "http://127.0.0.1:1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        assert run(away, "-m", "imbot.cli", "migrate").returncode == 0
        answer = run(away, "-m", "imbot.cli", "doctor", "--json")
    legs = {row["leg"]: row for row in map(json.loads, answer.stdout.splitlines())}
    assert legs["templates"]["says"].endswith("mail/common/ru/code.txt.j2"), answer.stdout + answer.stderr
    assert legs["data base"]["state"] == "well", legs


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == imbot.__version__
    assert f"## {imbot.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["Makefile", "docs/Dockerfile"])
def test_what_is_locked_is_installed_as_it_stands(file: str) -> None:
    """Without `--no-deps` older versions of pip look for an extra's newest release beside the locked one, and refuse it."""
    lines = [line for line in (ROOT / file).read_text("utf-8").splitlines() if "--require-hashes" in line]
    assert lines
    assert [line for line in lines if "--no-deps" not in line] == []


@pytest.mark.parametrize("name", ["base", "demo", "dev", "bench"])
def test_a_lock_file_is_complete(name: str) -> None:
    """What is installed by it alone lacks nothing: every requirement of a locked package that is installed here is locked."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    locked = {_canonical(one) for one in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
    assert "sqlalchemy" in locked
    for package in locked & {_canonical(one.name) for one in importlib.metadata.distributions()}:
        for line in importlib.metadata.requires(package) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert _canonical(requirement.name) in locked, f"{package} needs {requirement.name}"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
