"""The step that pyproject.toml cannot say: templates/, data/ and the letters of known ITSMs travel in the wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
SHIPPED = {"templates": "templates", "data": "data", "letters": "tests/mails"}


class BuildWithFolders(build_py):
    """Copy what is shipped to `imbot/_packed/`, where `imbot.config.packed` finds it away from the checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for kind, source in SHIPPED.items():
            target = Path(self.build_lib) / "imbot" / "_packed" / kind
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(HERE / source, target, ignore=shutil.ignore_patterns("var", "__pycache__"))


setup(cmdclass={"build_py": BuildWithFolders})
