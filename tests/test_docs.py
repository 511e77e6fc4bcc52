"""What the documents promise, held to the code: commands, files, the profile of the guide."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from imbot.backends.profiles import parse_profile
from imbot.config import SECRETS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "README.ru.md",
    "CONTRIBUTING.md",
    "docs/files.md",
    "docs/helpdesks.md",
    "docs/mail.md",
    "docs/oauth.md",
    "docs/performance-levers.md",
    "docs/performance.md",
    "docs/profiles.md",
    "docs/promises.md",
    "docs/support-memo.ru.md",
)


def helps() -> dict[tuple[str, ...], str]:
    """The help of every command, by its words."""
    code = (
        "import typer\nfrom imbot.cli import app\n"
        "def walk(command, words):\n"
        "    options = [one for parameter in command.params for one in parameter.opts]\n"
        "    print(' '.join(words) + '|' + ' '.join(options))\n"
        "    for name, inner in getattr(command, 'commands', {}).items():\n"
        "        walk(inner, [*words, name])\n"
        "walk(typer.main.get_command(app), ['imbot'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line.partition("|") for line in done.stdout.splitlines()]
    return {tuple(words.split()): options for words, _, options in lines}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_a_document_names_is_there(document: str) -> None:
    known = helps()
    text = (ROOT / document).read_text(encoding="utf-8")
    for line in re.findall(r"(?:`|^ {4}|/bin/)(imbot [^`\n#]*)", text, re.MULTILINE):
        words = re.split(r"[\s,&]+", line.strip())
        command = next(
            tuple(words[:length]) for length in range(min(4, len(words)), 0, -1) if tuple(words[:length]) in known
        )
        assert len(command) > 1, f"{document}: {line}"
        for option in re.findall(r"--[a-z-]+", line):
            assert option in known[command].split(), f"{document}: {line}"


def test_every_command_is_in_both_readmes() -> None:
    for document in ("README.md", "README.ru.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for command in helps():
            groups = {"user", "outbox", "mail", "ticket", "location", "quarantine", "golden"}
            if command[-1] not in groups and len(command) > 1:
                assert re.search(rf"\b{command[-1]}\b", text), f"{document}: {' '.join(command)}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_of_a_document_leads_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{document}: {target}"


@pytest.mark.parametrize("document", ["README.md", "README.ru.md"])
def test_the_recipe_of_the_service_names_every_secret_that_the_unit_wants(document: str) -> None:
    unit = (ROOT / "docs" / "imbot.service").read_text(encoding="utf-8")
    wanted = re.findall(r"^LoadCredential=(\w+):/etc/imbot/secrets/\1$", unit, re.MULTILINE)
    assert set(wanted) <= {"__".join(place) for place in SECRETS}
    assert len(wanted) == unit.count("\nLoadCredential=") == 4
    recipe = (ROOT / document).read_text(encoding="utf-8").partition("useradd")[2].partition("enable --now")[0]
    for name in (*wanted, "LoadCredential"):
        assert name in recipe


def test_the_profile_of_the_guide_is_a_profile() -> None:
    text = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    source = "\n".join(re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    profile = parse_profile(source, "docs/profiles.md")
    assert (profile.name, profile.number_shown, profile.number_subject) == ("ourdesk", "SD-{n}", ("[{number}]",))
    assert [len(profile.anchors), len(profile.lifts), len(profile.fingerprints)] == [1, 1, 1]
