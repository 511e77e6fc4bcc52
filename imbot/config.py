"""Settings: config.toml, the environment and secret files become one frozen `Settings`, or one error that names every mistake.

It maps nothing onto the edges (that is `imbot.app`) and opens nothing but the config and the secret files. Precedence, the
later wins: config.toml, secret files (`*_file` keys, then a folder of secrets), `IMBOT_SECTION__KEY` in the environment.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from imbot import config_mail as mail
from imbot import config_sections as sections
from imbot.config_across import across, hidden
from imbot.config_types import is_loopback as is_loopback
from imbot.config_words import Sources, all_in_words, is_table_of, key_of, meant, model_of
from imbot.domain.errors import ConfigError
from imbot.domain.written_files import text_of

DEFAULT_PATH = Path("config.toml")
SECRETS = (
    ("telegram", "token"),
    ("telegram", "proxy"),
    ("directory", "ldap", "bind_password"),
    ("smtp", "password"),
    ("smtp", "oauth", "client_secret"),
    ("smtp", "oauth", "refresh_token"),
    ("mailbox", "password"),
    ("mailbox", "oauth", "client_secret"),
    ("mailbox", "oauth", "refresh_token"),
    ("backends", "*", "mailbox", "password"),
    ("backends", "*", "mailbox", "oauth", "client_secret"),
    ("backends", "*", "mailbox", "oauth", "refresh_token"),
)  # "*": each table there
_PATHS = (
    ("general", "data_dir"),
    ("general", "templates_dir"),
    ("general", "catalogue"),
    ("general", "locations"),
    ("directory", "ldap", "ca_file"),
    ("directory", "file", "path"),
    ("smtp", "ca_file"),
    ("smtp", "oauth", "ca_file"),
    ("mailbox", "ca_file"),
    ("mailbox", "oauth", "ca_file"),
    ("backends", "*", "mailbox", "ca_file"),
    ("backends", "*", "mailbox", "oauth", "ca_file"),
)
_VARIABLE, _FILE = "from the environment: ", "from the file "
Tree = dict[str, Any]


class Settings(BaseSettings):
    """All settings. Built by `load`; tests and the demo may call it with plain dicts: it reads nothing by itself."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="IMBOT_", env_nested_delimiter="__", enable_decoding=False
    )

    general: sections.General = sections.General()
    telegram: sections.Telegram
    directory: sections.Directory
    smtp: mail.Smtp
    mailbox: mail.Mailbox
    itsm: mail.Itsm
    backends: dict[str, mail.FurtherBackend] = Field(default_factory=dict)
    signin: sections.Signin = sections.Signin()
    files: sections.Files = sections.Files()
    retention: sections.Retention = sections.Retention()
    reading: sections.Reading = sections.Reading()
    server: sections.Server = sections.Server()
    _file: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the library's own names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `load` merges the sources itself, so that a plain `Settings(...)` reads nothing

    @model_validator(mode="after")
    def _sections_agree(self) -> Settings:
        official = "api.telegram.org" in self.telegram.api_base
        if official and self.files.max_bytes > sections.TELEGRAM_LIMIT:
            raise ValueError(
                "[files] max_bytes: Telegram hands at most 20 MB (20971520) to a bot; only a Bot API server of your own "
                "([telegram] api_base) hands more"
            )
        return self

    def read_from(self, file: Path) -> Settings:
        self._file = file
        return self

    @property
    def config_option(self) -> str:
        """What a command needs to find these settings, with a blank in front; "" where it finds them, or they are of no file."""
        there = self._file is not None and self._file != DEFAULT_PATH
        return f" --config {shlex.quote(str(self._file.absolute()))}" if there and self._file else ""

    def helpdesks(self) -> dict[str, mail.Itsm | mail.FurtherBackend]:
        """All of them by section, `itsm` first; each knows the bot's address."""
        further = mail.complete(self.itsm, self.backends)
        return {"itsm": self.itsm, **{f"backends.{name}": desk for name, desk in further.items()}}

    def mailboxes(self) -> dict[str, mail.Mailbox]:
        """All that are watched, by section, `mailbox` first."""
        further = {f"backends.{name}.mailbox": desk.mailbox for name, desk in self.backends.items() if desk.mailbox}
        return {"mailbox": self.mailbox, **further}


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `path` (None: IMBOT_CONFIG, else ./config.toml). Raises ConfigError naming every mistake."""
    env = os.environ if environ is None else environ
    file = path or Path(env.get("IMBOT_CONFIG") or DEFAULT_PATH)
    problems: list[str] = []
    sources: dict[tuple[str, ...], str] = {}
    tree = _read_toml(file)
    _read_secret_files(tree, file.parent, problems, sources)
    _read_secrets_folder(tree, env, problems, sources)
    problems += _unknown_variables(env)
    tree = _merged(tree, _read_environment(env))
    variables = {tuple(name.lower().split("__")): name for name in env if name.upper().startswith("IMBOT_")}
    sources |= {(head.removeprefix("imbot_"), *rest): _VARIABLE + name for (head, *rest), name in variables.items()}
    anchor_paths(tree, file.absolute().parent)
    return checked(tree, problems, sources).read_from(file)


def secrets_lie_open(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """The config, where it bears secrets itself and other users of the machine may read it."""
    env = os.environ if environ is None else environ
    file = path or Path(env.get("IMBOT_CONFIG") or DEFAULT_PATH)
    tree = _read_toml(file)
    inside = any((_table(tree, place) or {}).get(key) for *place, key in _spread(SECRETS, tree))
    return file if inside and file.stat().st_mode & 0o007 else None


def checked(tree: Mapping[str, Any], problems: Sequence[str] = (), sources: Sources | None = None) -> Settings:
    """Settings from plain tables. Raises ConfigError with `problems` and every mistake of `tree`."""
    try:
        settings = Settings(**tree)
    except ValidationError as error:
        first = error.errors()
        wrong = [*all_in_words([*first, *hidden(tree, first, Settings)], Settings, sources or {}), *problems]
        raise ConfigError([*wrong, *across(tree, packed("templates"))]) from None
    found = [*mail.disagreements(settings.itsm, settings.mailbox, settings.backends), *problems]
    if found:
        raise ConfigError([*problems, *across(tree, packed("templates"))])
    return settings


def packed(kind: Literal["templates", "data", "letters"]) -> Path:
    """The folder of what imbot ships: inside the wheel, or in a checkout, where the letters of known ITSMs serve the tests
    as well."""
    here = Path(__file__).resolve().parent
    source = here.parent / ("tests/mails" if kind == "letters" else kind)
    for folder in (here / "_packed" / kind, source):
        if folder.is_dir():
            return folder
    raise ConfigError([f"imbot is installed without its {kind}: {here / '_packed' / kind} is missing"])


def warnings(settings: Settings) -> list[str]:
    """What is allowed but should be known: said by `doctor` and at each start."""
    found: list[str] = []
    servers: list[tuple[str, mail.Smtp | mail.Mailbox]] = [("smtp", settings.smtp), *settings.mailboxes().items()]
    for name, server in servers:
        if server.tls == "none" and server.username and not is_loopback(server.host):
            found.append(f'[{name}] tls = "none": the password and the letters travel in the clear to {server.host}')
    for name, desk in settings.helpdesks().items():
        found += _of_helpdesk(name, desk)
    if settings.directory.kind == "domain":
        found.append(
            '[directory] kind = "domain": who has left the company cannot be noticed, their chats stay signed in '
            "until `imbot user unlink`"
        )
    if not settings.general.support_contact:
        found.append("[general] support_contact is empty: who cannot sign in is told no way to a human")
    return found


def _of_helpdesk(name: str, desk: mail.Itsm | mail.FurtherBackend) -> list[str]:
    found = []
    if desk.evidence.kind == "sender-only":
        found.append(
            f'[{name}.evidence] kind = "sender-only": whoever forges the ITSM\'s address can tell employees anything; '
            "choose it only where no other evidence exists"
        )
    if desk.from_mode == "employee":
        found.append(
            f'[{name}] from_mode = "employee": works only with a rule that copies the ITSM\'s letters to bot_address, and '
            "where the mail server lets the bot write in the employees' names; prove it by `imbot doctor --round-trip`"
        )
    if desk.from_mode == "plus":
        found.append(
            f'[{name}] from_mode = "plus": the mail server must deliver bot+anything@domain to the bot\'s mailbox; prove it '
            "by `imbot doctor --round-trip`"
        )
    return found


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every key a config may have, as `section.key`, in the order of the models."""
    for name, field in model.model_fields.items():
        spelled = f"{prefix}{key_of(name, field)}"
        inner = model_of(field.annotation)
        if inner is None:
            yield spelled
        else:
            yield from keys(inner, f"{spelled}.*." if is_table_of(field) else f"{spelled}.")


def _read_toml(file: Path) -> Tree:
    try:
        text = text_of(file.read_bytes(), file) if file.is_file() else _missing(file)
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file} is not TOML: {error}{_latin(text, str(error))}"]) from None
    except OSError as error:
        raise ConfigError([f"{file} cannot be read: {error.strerror}"]) from None


def _latin(text: str, error: str) -> str:
    """What TOML itself does not say of a section such as [backends.Здание]."""
    at = re.search(r"at line (\d+)", error)
    lines = text.split("\n")
    line = lines[int(at[1]) - 1].strip() if at and int(at[1]) <= len(lines) else ""
    if not line.startswith("[") or line.isascii():
        return ""
    return f"; the name in {line} must be written in Latin letters, as in [backends.building]"


def _missing(file: Path) -> NoReturn:
    if file.exists():
        raise ConfigError([f"{file} is not a file"])
    raise ConfigError([f"{file} does not exist: `imbot init` writes one, or name yours by --config"])


def _read_environment(env: Mapping[str, str]) -> Tree:
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in env.items()}
    return source()


def _read_secret_files(tree: Tree, folder: Path, problems: list[str], sources: dict[tuple[str, ...], str]) -> None:
    """`password_file = "..."` stands for the password that is the whole of that file."""
    for *place, key in _spread(SECRETS, tree):
        table = _table(tree, place)
        name = table.get(f"{key}_file") if table else None
        if table is None or not isinstance(name, str) or not name:
            continue
        where = f"[{'.'.join(place)}] {key}_file"
        if table.get(key):
            problems.append(f"{where}: {key} is given as well; keep one of them")
            continue
        try:
            table[key] = (folder / name).read_text(encoding="utf-8-sig").strip()
            sources[(*place, key)] = f"{_FILE}{folder / name}"
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{where}: {name} cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})")


def _read_secrets_folder(
    tree: Tree, env: Mapping[str, str], problems: list[str], sources: dict[tuple[str, ...], str]
) -> None:
    """A folder with one file a secret, such as `smtp__password`: IMBOT_SECRETS_DIR, or systemd's LoadCredential."""
    own = env.get("IMBOT_SECRETS_DIR")
    folder = own or env.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return
    if own:
        problems += _misnamed_secrets(Path(own), {"__".join(place) for place in _spread(SECRETS, tree)})
    for *place, key in _spread(SECRETS, tree):
        file = Path(folder) / "__".join((*place, key))
        if not file.is_file():
            continue
        try:
            text = file.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError):
            problems.append(f"{file} cannot be read")
            continue
        table = tree
        for name in place:
            table = table.setdefault(name, {})
        table[key] = text
        sources[(*place, key)] = f"{_FILE}{file}"


def _misnamed_secrets(folder: Path, known: set[str]) -> list[str]:
    """A folder that is not there, and files that were meant to be secrets, would be passed over in silence otherwise."""
    try:
        names = sorted(file.name for file in folder.iterdir() if file.is_file() and file.name not in known)
    except OSError as error:
        return [f"IMBOT_SECRETS_DIR: {folder} cannot be read ({error.strerror})"]
    return [f"{folder / name} is no secret that imbot knows{near}" for name in names if (near := meant(name, known))]


def _unknown_variables(env: Mapping[str, str]) -> list[str]:
    """`IMBOT_SMPT__HOST` would be passed over in silence otherwise."""
    known = {f"IMBOT_{name.upper()}" for name in Settings.model_fields}
    found = []
    for name in sorted(env):
        head, delimiter, _ = name.upper().partition("__")
        if delimiter and head.startswith("IMBOT_") and head not in known:
            found.append(f"{name} in the environment: there is no such section{meant(head, known)}")
    return found


def _merged(low: Tree, high: Tree) -> Tree:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def anchor_paths(tree: Tree, folder: Path) -> None:
    """Relative paths are meant from the folder of the config, wherever imbot is started."""
    tree.setdefault("general", {})
    if isinstance(tree["general"], dict):
        tree["general"].setdefault("data_dir", "data/var")
    for *place, key in _spread(_PATHS, tree):
        table = _table(tree, place)
        if table and isinstance(table.get(key), str) and table[key].strip():
            table[key] = str(folder / Path(table[key]).expanduser())


def _table(tree: Tree, place: list[str]) -> Tree | None:
    table: Any = tree
    for name in place:
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


def _spread(places: Sequence[tuple[str, ...]], tree: Tree) -> Iterator[tuple[str, ...]]:
    """The places with "*" replaced by each table that is there."""
    for place in places:
        if "*" not in place:
            yield place
            continue
        star = place.index("*")
        table = _table(tree, list(place[:star])) or {}
        yield from ((*place[:star], name, *place[star + 1 :]) for name in table)
