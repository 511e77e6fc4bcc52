"""The house rules that a machine can see: who imports whom, where waiting is allowed, how long things may grow.

The rules are read from the source, so a module that breaks one fails here before anybody runs it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "imbot").rglob("*.py"))

LEAVES = {"config", "log", "templates", "mime", "failpoints", "durable", "lean"}
EVERYBODY = {
    *LEAVES,
    *("domain", "dialog", "backends", "store", "services", "channels", "mailbox", "directory", "web", "loops"),
}
MAY_IMPORT = {
    "domain": set(),
    **{leaf: {"domain"} for leaf in LEAVES},
    "log": {"domain", "lean"},
    "dialog": {"domain", *LEAVES},
    "backends": {"domain", *LEAVES},
    "store": {"domain", *LEAVES},
    "channels": {"domain", "config", "log", "failpoints", "durable", "dialog.screen", "dialog.render"},
    "mailbox": {"domain", "config", "log", "failpoints", "durable", "mime"},
    "event_loop": set(),
    "directory": {"domain", "config", "log", "failpoints"},
    "services": {"domain", "dialog", "backends", "store", *LEAVES},
    "loops": {"domain", "dialog", "backends", "store", "services", *LEAVES},
    "web": {"domain", "dialog", "backends", "store", "services", *LEAVES},
    "wiring": EVERYBODY,
    "app": {*EVERYBODY, "wiring"},
    "demo": {*EVERYBODY, "app", "event_loop", "wiring"},
    "cli": {*EVERYBODY, "app", "event_loop", "wiring", "demo"},
}
MAY_WAIT = {"channels", "mailbox", "directory", "web", "loops", "app", "event_loop", "demo", "cli"}
WAITING_FILES = {"imbot/store/db.py"}
VENDORS: dict[str, tuple[str, ...]] = {
    "aiohttp": ("imbot/channels/", "imbot/mailbox/oauth.py", "imbot/web/", "imbot/demo/", "imbot/loops/health.py"),
    "aioimaplib": ("imbot/mailbox/",),
    "aiosmtpd": ("imbot/demo/",),
    "aiosmtplib": ("imbot/mailbox/smtp",),
    "aiosqlite": ("imbot/store/",),
    "alembic": ("imbot/store/",),
    "apscheduler": ("imbot/loops/timers.py",),
    "asyncpg": ("imbot/store/",),
    "babel": ("imbot/templates.py",),
    "imaplib": ("imbot/mailbox/", "imbot/demo/"),
    "jinja2": ("imbot/templates.py",),
    "ldap3": ("imbot/directory/ldap.py",),
    "poplib": ("imbot/mailbox/pop3.py",),
    "prometheus_client": ("imbot/loops/", "imbot/web/"),
    "pydantic": ("imbot/config", "imbot/web/"),
    "pydantic_settings": ("imbot/config",),
    "pymap": ("imbot/demo/",),
    "re2": ("imbot/backends/",),
    "selectolax": ("imbot/mime",),
    "smtplib": ("imbot/demo/",),
    "sqlalchemy": ("imbot/store/",),  # and its `Connection`, the name of what a transaction is given
    "sqlite3": ("imbot/store/",),
    "starlette": ("imbot/demo/", "imbot/web/"),
    "structlog": ("imbot/",),
    "telegram": ("imbot/channels/",),
    "typer": ("imbot/cli",),
    "uvicorn": ("imbot/demo/", "imbot/web/"),
    "uvloop": ("imbot/event_loop.py",),
}
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str:
    """The house part of a module: `imbot.store.people` -> `store`; `imbot.cli_user` -> `cli`."""
    part = module.split(".")[1] if "." in module else ""
    if part == "__main__":
        return "cli"
    return part.split("_")[0] if part.startswith(("cli_", "config_")) else part


MODULES = {name_of(file): file for file in FILES}


def imported(node: ast.AST) -> Iterator[str]:
    """Names of modules an import statement asks for; `from imbot.store import people` asks for `imbot.store.people`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        found = [name for name in inner if name in MODULES]
        yield from found
        if len(found) < len(inner):
            yield node.module


def imports(file: Path) -> set[str]:
    return {name for node in ast.walk(tree(file)) for name in imported(node)}


def imports_at_load(file: Path) -> set[str]:
    """What loading the module loads: not what functions import, nor what only types need."""
    found: set[str] = set()
    todo: list[ast.AST] = list(tree(file).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo.extend(node.orelse)
            continue
        found.update(imported(node))
        todo.extend(ast.iter_child_nodes(node))
    return found


def test_imports_point_down_and_never_sideways() -> None:
    wrong = []
    for file in FILES:
        name = name_of(file)
        unit = unit_of(name)
        if not unit:
            continue
        assert unit in MAY_IMPORT, f"{name}: a new part of the house; say in MAY_IMPORT whom it may know"
        allowed = MAY_IMPORT[unit] | {unit}
        for target in imports(file):
            if not target.startswith("imbot."):
                continue
            inner = target.removeprefix("imbot.")
            if unit_of(target) not in allowed and not any(
                inner == one or inner.startswith(f"{one}.") for one in allowed if "." in one
            ):
                wrong.append(f"{name} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_modules_do_not_import_one_another_in_circles() -> None:
    graph = {name: {target for target in imports_at_load(file) if target in MODULES} for name, file in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name in done:
            return
        for target in graph[name]:
            visit(target, (*path, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_the_domain_needs_the_standard_library_only() -> None:
    wrong = [
        f"{name_of(file)} imports {target}"
        for file in FILES
        if unit_of(name_of(file)) == "domain"
        for target in imports(file)
        if target.split(".")[0] not in sys.stdlib_module_names and not target.startswith("imbot.domain")
    ]
    assert not wrong, "\n".join(wrong)


def names_a_transaction(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "sqlalchemy"
        and [one.name for one in node.names] == ["Connection"]
    )


def test_no_vendor_crosses_its_package() -> None:
    wrong = []
    for file in FILES:
        place = file.relative_to(ROOT).as_posix()
        for target in {
            name for node in ast.walk(tree(file)) if not names_a_transaction(node) for name in imported(node)
        }:
            homes = VENDORS.get(target.split(".")[0])
            if homes is not None and not place.startswith(homes):
                wrong.append(f"{place} imports {target}; only {', '.join(homes)} may")
    assert not wrong, "\n".join(wrong)


def test_only_the_outside_world_waits() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
        for file in FILES
        if unit_of(name_of(file)) not in MAY_WAIT and file.relative_to(ROOT).as_posix() not in WAITING_FILES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert not wrong, "async def outside the edges:\n" + "\n".join(wrong)


def test_decisions_ask_neither_the_clock_nor_chance() -> None:
    """`now` and random values are arguments: a turn that is run twice must do the same."""
    asking = {"now", "utcnow", "today", "time", "monotonic", "random", "uuid4", "urandom"}
    minting = {"imbot/domain/letters.py", "imbot/domain/signin.py"}  # the mints themselves, called by the outside
    wrong = []
    for file in FILES:
        if unit_of(name_of(file)) not in {"domain", "dialog", "backends"}:
            continue
        place = file.relative_to(ROOT).as_posix()
        for node in ast.walk(tree(file)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            clock = owner in {"datetime", "date", "time", "random", "uuid", "os"} and node.func.attr in asking
            chance = owner == "secrets" and place not in minting
            if (clock and (node.args or node.func.attr not in {"time"} or owner == "time")) or chance:
                wrong.append(f"{place}:{node.lineno} {owner}.{node.func.attr}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_kept_in_globals() -> None:
    """No `global` statement, and no module-level container that starts empty: it is made to be filled."""
    makers = {"list", "dict", "set", "Counter", "defaultdict", "deque", "OrderedDict", "bytearray", "count"}
    wrong = []
    for file in FILES:
        place = file.relative_to(ROOT).as_posix()
        if any(isinstance(node, ast.Global) for node in ast.walk(tree(file))):
            wrong.append(f"{place}: global")
        if place == "imbot/failpoints.py":  # counts hits in a process that is about to be killed
            continue
        for node in tree(file).body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            empty = (isinstance(value, ast.List | ast.Set) and not value.elts) or (
                isinstance(value, ast.Dict) and not value.keys
            )
            made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in makers
            if empty or (made and isinstance(value, ast.Call) and not value.args):
                wrong.append(f"{place}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_files_and_functions_stay_short() -> None:
    wrong = []
    for file in FILES:
        place = file.relative_to(ROOT).as_posix()
        length = len(file.read_text(encoding="utf-8").splitlines())
        if length > MOST_LINES_OF_A_FILE:
            wrong.append(f"{place}: {length} lines")
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                long = (node.end_lineno or node.lineno) - node.lineno + 1
                if long > MOST_LINES_OF_A_FUNCTION:
                    wrong.append(f"{place}:{node.lineno} {node.name}: {long} lines")
    assert not wrong, "a noun is missing:\n" + "\n".join(wrong)


def test_every_module_says_what_it_is_for() -> None:
    wrong = [
        str(file.relative_to(ROOT))
        for file in FILES
        if file.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(tree(file))
        and "versions" not in file.parts
    ]
    assert not wrong, "no paragraph at the top:\n" + "\n".join(wrong)


def test_errors_are_never_swallowed_whole() -> None:
    """No bare `except:`, and no `except Exception: pass`."""
    wrong = []
    for file in FILES:
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
            )
            if node.type is None or (broad and all(isinstance(one, ast.Pass) for one in node.body)):
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("word", ["policy.default", "SMTP as policy"])
def test_mail_from_outside_never_meets_the_expensive_parser(word: str) -> None:
    """`email.policy.default` needs 1.2 GiB for a Subject of 250 KB."""
    for file in FILES:
        if unit_of(name_of(file)) in {"mime", "mailbox", "backends", "services", "loops"}:
            code = "\n".join(ast.unparse(node) for node in tree(file).body if not isinstance(node, ast.Expr))
            assert word not in code, file
