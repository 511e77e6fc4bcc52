"""Settings: config.toml, the environment and secret files become one frozen `Settings`, or one error that names every mistake.

It maps nothing onto the edges (that is `imbot.app`) and opens nothing but the config and the secret files. Precedence, the
later wins: config.toml, secret files (`*_file` keys, then a folder of secrets), `IMBOT_SECTION__KEY` in the environment.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from imbot import config_sections as sections
from imbot.domain.errors import ConfigError

DEFAULT_PATH = Path("config.toml")
SECRETS = (
    ("telegram", "token"),
    ("telegram", "proxy"),
    ("directory", "ldap", "bind_password"),
    ("smtp", "password"),
    ("mailbox", "password"),
)
_PATHS = (
    ("general", "data_dir"),
    ("general", "templates_dir"),
    ("general", "catalogue"),
    ("general", "locations"),
    ("directory", "ldap", "ca_file"),
    ("directory", "file", "path"),
    ("smtp", "ca_file"),
    ("mailbox", "ca_file"),
)
Tree = dict[str, Any]


class Settings(BaseSettings):
    """All settings. Built by `load`; tests and the demo may call it with plain dicts: it reads nothing by itself."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="IMBOT_", env_nested_delimiter="__", enable_decoding=False
    )

    general: sections.General = sections.General()
    telegram: sections.Telegram
    directory: sections.Directory
    smtp: sections.Smtp
    mailbox: sections.Mailbox
    itsm: sections.Itsm
    signin: sections.Signin = sections.Signin()
    files: sections.Files = sections.Files()
    retention: sections.Retention = sections.Retention()
    reading: sections.Reading = sections.Reading()
    server: sections.Server = sections.Server()

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


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `path` (None: IMBOT_CONFIG, else ./config.toml). Raises ConfigError naming every mistake."""
    env = os.environ if environ is None else environ
    file = path or Path(env.get("IMBOT_CONFIG") or DEFAULT_PATH)
    problems: list[str] = []
    tree = _read_toml(file)
    _read_secret_files(tree, file.parent, problems)
    _read_secrets_folder(tree, env, problems)
    problems += _unknown_variables(env)
    tree = _merged(tree, _read_environment(env))
    _anchor_paths(tree, file.absolute().parent)
    return checked(tree, problems)


def checked(tree: Mapping[str, Any], problems: Sequence[str] = ()) -> Settings:
    """Settings from plain tables. Raises ConfigError with `problems` and every mistake of `tree`."""
    try:
        settings = Settings(**tree)
    except ValidationError as error:
        raise ConfigError([*(_in_words(detail) for detail in error.errors()), *problems]) from None
    if problems:
        raise ConfigError(problems)
    return settings


def packed(kind: Literal["templates", "data"]) -> Path:
    """The folder of what imbot ships: inside the wheel, or at the top of a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_packed" / kind, here.parent / kind):
        if folder.is_dir():
            return folder
    raise ConfigError([f"imbot is installed without its {kind}: {here / '_packed' / kind} is missing"])


def warnings(settings: Settings) -> list[str]:
    """What is allowed but should be known: said by `doctor` and at each start."""
    found: list[str] = []
    for name, host, tls, user in (
        ("smtp", settings.smtp.host, settings.smtp.tls, settings.smtp.username),
        ("mailbox", settings.mailbox.host, settings.mailbox.tls, settings.mailbox.username),
    ):
        if tls == "none" and user and not is_loopback(host):
            found.append(f'[{name}] tls = "none": the password and the letters travel in the clear to {host}')
    if settings.itsm.evidence.kind == "sender-only":
        found.append(
            '[itsm.evidence] kind = "sender-only": whoever forges the ITSM\'s address can tell employees anything; '
            "choose it only where no other evidence exists"
        )
    if settings.directory.kind == "domain":
        found.append(
            '[directory] kind = "domain": who has left the company cannot be noticed, their chats stay signed in '
            "until `imbot user unlink`"
        )
    if settings.itsm.from_mode == "employee":
        found.append(
            '[itsm] from_mode = "employee": works only with a rule that copies the ITSM\'s letters to bot_address, and '
            "where the mail server lets the bot write in the employees' names; prove it by `imbot doctor --round-trip`"
        )
    if settings.itsm.from_mode == "plus":
        found.append(
            '[itsm] from_mode = "plus": the mail server must deliver bot+anything@domain to the bot\'s mailbox; prove it '
            "by `imbot doctor --round-trip`"
        )
    if not settings.general.support_contact:
        found.append("[general] support_contact is empty: who cannot sign in is told no way to a human")
    return found


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every key a config may have, as `section.key`, in the order of the models."""
    for name, field in model.model_fields.items():
        spelled = f"{prefix}{_key(name, field)}"
        inner = _model_of(field.annotation)
        if inner is None:
            yield spelled
        else:
            yield from keys(inner, f"{spelled}.")


def _read_toml(file: Path) -> Tree:
    try:
        return TomlConfigSettingsSource(Settings, file)() if file.is_file() else _missing(file)
    except ValueError as error:  # tomllib.TOMLDecodeError, UnicodeDecodeError
        raise ConfigError([f"{file} is not TOML: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{file} cannot be read: {error.strerror}"]) from None


def _missing(file: Path) -> Tree:
    if file.exists():
        raise ConfigError([f"{file} is not a file"])
    raise ConfigError([f"{file} does not exist: `imbot init` writes one, or name yours by --config"])


def _read_environment(env: Mapping[str, str]) -> Tree:
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in env.items()}
    return source()


def _read_secret_files(tree: Tree, folder: Path, problems: list[str]) -> None:
    """`password_file = "..."` stands for the password that is the whole of that file."""
    for *place, key in SECRETS:
        table = _table(tree, place)
        name = table.get(f"{key}_file") if table else None
        if table is None or not isinstance(name, str) or not name:
            continue
        where = f"[{'.'.join(place)}] {key}_file"
        if table.get(key):
            problems.append(f"{where}: {key} is given as well; keep one of them")
            continue
        try:
            table[key] = (folder / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{where}: {name} cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})")


def _read_secrets_folder(tree: Tree, env: Mapping[str, str], problems: list[str]) -> None:
    """A folder with one file a secret, such as `smtp__password`: IMBOT_SECRETS_DIR, or systemd's LoadCredential."""
    folder = env.get("IMBOT_SECRETS_DIR") or env.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return
    for *place, key in SECRETS:
        file = Path(folder) / "__".join((*place, key))
        if not file.is_file():
            continue
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            problems.append(f"{file} cannot be read")
            continue
        table = tree
        for name in place:
            table = table.setdefault(name, {})
        table[key] = text


def _unknown_variables(env: Mapping[str, str]) -> list[str]:
    """`IMBOT_SMPT__HOST` would be passed over in silence otherwise."""
    known = {f"IMBOT_{name.upper()}" for name in Settings.model_fields}
    found = []
    for name in sorted(env):
        head, delimiter, _ = name.upper().partition("__")
        if delimiter and head.startswith("IMBOT_") and head not in known:
            found.append(f"{name} in the environment: there is no such section{_meant(head, known)}")
    return found


def _merged(low: Tree, high: Tree) -> Tree:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _anchor_paths(tree: Tree, folder: Path) -> None:
    """Relative paths are meant from the folder of the config, wherever imbot is started."""
    tree.setdefault("general", {})
    if isinstance(tree["general"], dict):
        tree["general"].setdefault("data_dir", "data/var")
    for *place, key in _PATHS:
        table = _table(tree, place)
        if table and isinstance(table.get(key), str) and table[key]:
            table[key] = str(folder / Path(table[key]).expanduser())


def _table(tree: Tree, place: list[str]) -> Tree | None:
    table: Any = tree
    for name in place:
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _in_words(detail: ErrorDetails) -> str:
    """One mistake in the words of the config: `[smtp] port: ...`."""
    place = [str(part) for part in detail["loc"]]
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown_key(place)
    if kind == "missing":
        return f"[{place[0]}]: the section is missing" if len(place) == 1 else f"{_spelled(place)}: is missing"
    words = {
        "int_parsing": "is not a whole number",
        "int_type": "is not a whole number",
        "int_from_float": "is not a whole number",
        "float_parsing": "is not a number",
        "bool_parsing": "is neither true nor false",
        "bool_type": "is neither true nor false",
        "string_type": "is not text: write it in quotes",
        "tuple_type": "is not a list",
        "dict_type": "is not a table",
        "model_type": "is not a section",
        "too_short": "must not be empty",
        "path_type": "is not a path: write it in quotes",
        "greater_than_equal": f"must be at least {context.get('ge', '')}",
        "less_than_equal": f"must be at most {context.get('le', '')}",
        "greater_than": f"must be more than {context.get('gt', '')}",
        "literal_error": f"must be one of {context.get('expected', '')}",
        "value_error": str(context.get("error", "")),
    }.get(kind, detail["msg"].removeprefix("Value error, "))
    return f"{_spelled(place)}: {words}" if place else words


def _spelled(place: list[str]) -> str:
    """`smtp, port` -> `[smtp] port`; `itsm, senders, 1` -> `[itsm] senders, entry 2`; `itsm` -> `[itsm]`."""
    model: type[BaseModel] | None = Settings
    tables: list[str] = []
    rest = list(place)
    while rest and model is not None:
        field = _field(model, rest[0])
        inner = _model_of(field.annotation) if field else None
        if inner is None:
            break
        tables.append(rest.pop(0))
        model = inner
    words = [f"entry {int(part) + 1}" if part.isdigit() else part for part in rest]
    return " ".join(part for part in (f"[{'.'.join(tables)}]" if tables else "", ", ".join(words)) if part)


def _key(name: str, field: Any) -> str:
    """How the config spells a field: `from` is no name in Python."""
    return field.validation_alias or name


def _field(model: type[BaseModel], name: str) -> Any:
    return next((field for key, field in model.model_fields.items() if name in (key, _key(key, field))), None)


def _unknown_key(place: list[str]) -> str:
    model: type[BaseModel] = Settings
    for name in place[:-1]:
        field = _field(model, name)
        model = (_model_of(field.annotation) if field else None) or model
    known = {_key(name, field) for name, field in model.model_fields.items()}
    if len(place) == 1:
        return f"[{place[0]}]: there is no such section{_meant(place[0], known)}"
    return f"[{'.'.join(place[:-1])}] {place[-1]}: there is no such key{_meant(place[-1], known)}"


def _meant(word: str, known: set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
