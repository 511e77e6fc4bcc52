"""`imbot run` begins without the library of the command line, and ends as every command does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imbot.cli_serving import plain_run

_SAYS_WHAT_WAS_LOADED = """
import sys
from imbot.__main__ import main
try:
    main()
finally:
    print(*sorted({"typer", "imbot.cli"} & set(sys.modules)))
"""


def ran(*words: str, code: str = _SAYS_WHAT_WAS_LOADED) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (["run"], (None,)),
        (["run", "--config", "a.toml"], (Path("a.toml"),)),
        (["run", "-c", "a.toml"], (Path("a.toml"),)),
        (["run", "--config=a.toml"], None),
        (["run", "--config"], None),
        (["run", "--config", "--help"], None),
        (["run", "--help"], None),
        (["doctor"], None),
        ([], None),
    ],
)
def test_only_a_plain_run_goes_round_the_command_line(
    monkeypatch: pytest.MonkeyPatch, words: list[str], config: tuple[Path | None] | None
) -> None:
    monkeypatch.delenv("IMBOT_CONFIG", raising=False)
    assert plain_run(words) == config


def test_the_environment_names_the_settings_of_a_plain_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBOT_CONFIG", "b.toml")
    assert plain_run(["run"]) == (Path("b.toml"),)
    assert plain_run(["run", "-c", "a.toml"]) == (Path("a.toml"),)
    monkeypatch.setenv("IMBOT_CONFIG", "")
    assert plain_run(["run"]) == (None,)


def test_a_service_without_its_settings_says_so_in_one_line_and_has_loaded_no_command_line(tmp_path: Path) -> None:
    missing = tmp_path / "config\x1b[31m.toml"
    for how, loaded in ((["-c", str(missing)], "\n"), ([f"--config={missing}"], "imbot.cli typer\n")):
        ended = ran("run", *how)
        assert (ended.returncode, ended.stdout) == (1, loaded)
        assert ended.stderr.count("\n") == 1
        assert ended.stderr.startswith("imbot: ")
        assert "does not exist" in ended.stderr
        assert "\x1b" not in ended.stderr


def test_the_same_mistakes_are_told_either_way(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[general]\npage_size = "many"\n[telegram]\ntokn = "x"\n')
    plain, whole = ran("run", "-c", str(config)), ran("run", f"--config={config}")
    assert plain.returncode == whole.returncode == 1
    assert plain.stderr == whole.stderr
    assert plain.stderr.count("\n") > 1
