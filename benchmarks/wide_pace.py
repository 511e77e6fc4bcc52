"""`imbot run` as it is shipped and started, but for its pace in all: Telegram allows 30 messages a second, at which ten thousand
dialogs take a quarter of an hour a round. A folder on PYTHONPATH puts this in front of the module, whenever it is imported;
the command line, what is imported and in which order stay as they are."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

OVERALL = 5_000  # messages a second: more than any machine of ours answers, and what is kept of each adds up to 0.2 MiB
_MODULE = "imbot.channels.pacer"


def put(folder: Path) -> Path:
    """A folder for PYTHONPATH, made in this one."""
    made = folder / "wide_pace"
    made.mkdir()
    (made / "sitecustomize.py").write_text("from benchmarks.wide_pace import install\n\ninstall()\n", "utf-8")
    return made


def install() -> None:
    sys.meta_path.insert(0, _Finder())


class _Finder:
    def find_spec(self, name: str, path: Any, _target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        loader: Any = spec.loader
        run = loader.exec_module

        def widened(module: ModuleType) -> None:
            run(module)
            defaults = module.Meter.__init__.__kwdefaults__
            assert defaults["overall"] == 30, "the pace has changed: look at what is opened here"
            defaults["overall"] = OVERALL

        loader.exec_module = widened
        return spec
