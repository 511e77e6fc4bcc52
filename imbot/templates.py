"""One Jinja2 environment for every text that imbot writes: chat screens, letters, pages.

Sandboxed, StrictUndefined, HTML escaped by file name. Templates come from several folders, file by file:
the first folder that has a file wins, so a company's folder overrides what is packed. A language that lacks a file falls
back to the other one. No text is chosen here, and no user text is ever compiled.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import structlog
from babel.dates import format_date
from jinja2 import (
    BaseLoader,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.meta import find_referenced_templates
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from imbot.domain.errors import ConfigError
from imbot.domain.written_files import text_of

log = structlog.get_logger(__name__)

LANGUAGES = ("ru", "en")
_MOST_SAID = 128  # texts of chat screens, of 4 KB at most
_MOST_MET = 1024  # hashes of screens that were asked for once
_BYTES = {"ru": ("байт", "байта", "байт"), "en": ("byte", "bytes")}
_A_LITTLE_OVER = {"ru": "чуть больше", "en": "a little over"}
_UNITS = {"ru": ("КБ", "МБ", "ГБ"), "en": ("KB", "MB", "GB")}
_DAYS = {"ru": ("сегодня", "завтра", "вчера"), "en": ("today", "tomorrow", "yesterday")}
_ZONES_RU = {"MSK": "МСК", "UTC": "UTC"}


class Templates:
    """Templates of `folders`, the first folder first. Moments are shown in `timezone`. `forgiving`: where a template fails,
    that of the last folder, which is packed, is taken instead, and the mistake is logged: nobody is left without an answer.
    """

    def __init__(self, folders: Sequence[Path], timezone: ZoneInfo, *, forgiving: bool = False) -> None:
        self.folders = tuple(Path(folder) for folder in folders)
        self.timezone = timezone
        self._packed = Templates(folders[-1:], timezone) if forgiving and len(folders) > 1 else None
        self._environment = _environment(FileSystemLoader([str(folder) for folder in self.folders]), timezone)
        self._words: dict[str, Mapping[str, str]] = {}
        self._there: dict[str, bool] = {}
        self._found: dict[str, Template] = {}
        self._said: dict[tuple[str, str, bytes], str] = {}
        self._met: dict[int, None] = {}

    def render(self, name: str, values: Mapping[str, Any], lang: str = "ru") -> str:
        """The text of `name` (a path below the folders) in `lang`. `lang` is also a value inside the template.

        Raises `ConfigError` where the template is missing, wrong, or asks for a value that is not there.
        """
        try:
            return self._rendered(name, values, lang)
        except ConfigError as error:
            if self._packed is None or not self._packed.exists(name):
                raise
            log.error("template_failed", template=name, problems=error.problems)
            return self._packed.render(name, values, lang)

    def _rendered(self, name: str, values: Mapping[str, Any], lang: str) -> str:
        try:
            template = self._found.get(name)
            if template is None:
                template = self._found[name] = self._environment.select_template(_in_other_languages(name))
            return template.render({"lang": lang, **values})
        except TemplateNotFound as error:
            missing = error.name if error.name and error.name not in _in_other_languages(name) else name
            asked = f", which {name} asks for," if missing != name else ""
            raise ConfigError(
                [f"template {missing}{asked} is missing in {', '.join(map(str, self.folders))}"]
            ) from None
        except TemplateSyntaxError as error:
            raise ConfigError([_syntax_problem(error)]) from error
        except Exception as error:  # a template can fail in as many ways as a program: always the template's fault
            raise ConfigError([f"template {name}: {error}"]) from error

    def chat(self, lang: str, screen_name: str, values: Mapping[str, Any]) -> str:
        """The words of a chat screen: `chat/<lang>/<screen_name>.j2`. `values` are plain JSON. Most questions of a form are
        the same for everybody: what is asked for a second time is kept for a while. What a person wrote is asked for once,
        and kept nowhere."""
        key = (lang, screen_name, orjson.dumps(values, option=orjson.OPT_SORT_KEYS))
        text = self._said.pop(key, None)
        if text is None:
            text = self.render(f"chat/{lang}/{screen_name}.j2", values, lang)
            if hash(key) not in self._met:
                self._met[hash(key)] = None
                if len(self._met) > _MOST_MET:
                    del self._met[next(iter(self._met))]
                return text
        self._said[key] = text  # the one used last is the last to go
        if len(self._said) > _MOST_SAID:
            del self._said[next(iter(self._said))]
        return text

    def words(self, lang: str) -> Mapping[str, str]:
        """Labels of `chat/<lang>/buttons.toml`: own folders over packed ones, `lang` over the other language, key by key."""
        if lang not in self._words:
            merged: dict[str, str] = {}
            for name in reversed(_in_other_languages(f"chat/{lang}/buttons.toml")):
                for folder in reversed(self.folders):
                    merged |= _labels(folder / name)
            self._words[lang] = merged
        return self._words[lang]

    def exists(self, name: str) -> bool:
        """Whether `name` can be rendered, in its own language or in the other one. Looked up once: what is written into the
        folders later is not loaded either."""
        if name not in self._there:
            places = (folder / each for each in _in_other_languages(name) for folder in self.folders)
            self._there[name] = any(place.is_file() for place in places)
        return self._there[name]

    def problems(self) -> list[str]:
        """Every template of every folder that does not compile or asks for one that is not there, each with its own path;
        broken word lists too."""
        found: list[str] = []
        for folder in self.folders:
            for path in sorted(folder.rglob("*.j2")):
                try:
                    found += self._problems_of(path)
                except TemplateSyntaxError as error:
                    found.append(_syntax_problem(error, path))
                except (OSError, UnicodeDecodeError) as error:
                    found.append(f"{path}: cannot be read: {error}")
            for path in sorted(folder.rglob("*.toml")):
                if path.parent.parent.name == "chat":
                    try:
                        _labels(path)
                    except ConfigError as error:
                        found.extend(error.problems)
        return found

    def _problems_of(self, path: Path) -> list[str]:
        source = path.read_text(encoding="utf-8")
        self._environment.compile(source, filename=str(path))
        wanted = find_referenced_templates(self._environment.parse(source))
        missing = [name for name in wanted if name and not any((folder / name).is_file() for folder in self.folders)]
        return [f"{path}: asks for the template {name}, which is in no folder" for name in missing]

    def overridden(self) -> list[str]:
        """Names that a folder takes from a later one: what a company has changed."""
        seen: dict[str, int] = {}
        changed: set[str] = set()
        for index, folder in enumerate(self.folders):
            for path in folder.rglob("*"):
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    if seen.setdefault(name, index) != index:
                        changed.add(name)
        return sorted(changed)


def _in_other_languages(name: str) -> list[str]:
    """`chat/ru/x.j2` -> itself, then `chat/en/x.j2`."""
    parts = name.split("/")
    names = [name]
    for index, part in enumerate(parts[:-1]):
        if part in LANGUAGES:
            names += ["/".join([*parts[:index], other, *parts[index + 1 :]]) for other in ("en", "ru") if other != part]
            break
    return names


def _labels(path: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(text_of(path.read_bytes(), path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: {error}"]) from error
    return {key: value for key, value in table.items() if isinstance(value, str)}


def _syntax_problem(error: TemplateSyntaxError, path: Path | None = None) -> str:
    return f"{path or error.filename or error.name}:{error.lineno}: {error.message}"


class _Environment(ImmutableSandboxedEnvironment):
    """With the globals of a template as one plain dict: Jinja's chain of two is walked in Python for every screen."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}


def _environment(loader: BaseLoader, timezone: ZoneInfo) -> ImmutableSandboxedEnvironment:
    environment = _Environment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith((".html", ".html.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=400,
        finalize=lambda value: "" if value is None else value,
    )
    environment.filters |= _moment_filters(timezone)
    environment.filters |= {"plural": plural, "size": _size, "cut": cut, "squeeze": squeeze}
    environment.globals["plural"] = plural
    return environment


def _moment_filters(timezone: ZoneInfo) -> dict[str, Callable[..., Any]]:
    """Moments are aware datetimes or ISO 8601 texts. The reader's today comes from the value `now`, where it is given."""

    def local(value: datetime | str) -> datetime:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=timezone) if moment.tzinfo is None else moment.astimezone(timezone)

    def today(context: Context) -> date | None:
        now = context.get("now")
        return local(now).date() if isinstance(now, datetime | str) and now else None

    def clock(value: datetime | str) -> str:
        """18:00"""
        return local(value).strftime("%H:%M")

    @pass_context
    def day(context: Context, value: datetime | str) -> str:
        """сегодня, завтра, вчера; 24 ноября; 24 ноября 2027"""
        return _day(local(value).date(), today(context), _lang(context))

    @pass_context
    def date_(context: Context, value: datetime | str) -> str:
        """24 ноября; 24 ноября 2027: what stays true when it is read tomorrow"""
        moment, now = local(value).date(), today(context)
        return _date(moment, same_year=now is None or moment.year == now.year, lang=_lang(context))

    @pass_context
    def when(context: Context, value: datetime | str) -> str:
        """18:00 where it is today's; завтра, 18:00; 24 ноября, 18:00"""
        moment, now = local(value), today(context)
        at = moment.strftime("%H:%M")
        return at if now == moment.date() else f"{_day(moment.date(), now, _lang(context))}, {at}"

    @pass_context
    def stamp(context: Context, value: datetime | str) -> str:
        """21.11.2026 09:13 МСК: for letters, where nothing may depend on when it is read"""
        moment = local(value)
        zone = moment.strftime("%Z")
        return f"{moment:%d.%m.%Y %H:%M} {_ZONES_RU.get(zone, zone) if _lang(context) == 'ru' else zone}"

    return {"clock": clock, "day": day, "date": date_, "when": when, "stamp": stamp}


def _lang(context: Context) -> str:
    lang = context.get("lang")
    return lang if lang in LANGUAGES else "ru"


def _day(value: date, today: date | None, lang: str) -> str:
    if today is not None and abs((value - today).days) <= 1:
        return _DAYS[lang][(value - today).days]
    return _date(value, same_year=today is None or value.year == today.year, lang=lang)


def _date(value: date, *, same_year: bool, lang: str) -> str:
    return format_date(value, "d MMMM" if same_year else "d MMMM y", locale="ru" if lang == "ru" else "en_GB")


def plural(number: int, one: str, few: str, many: str = "") -> str:
    """The form that goes with `number`: 1 заявка, 2 заявки, 5 заявок. With two forms (English) `few` is the plural."""
    if not many:
        return one if abs(number) == 1 else few
    tens, units = abs(number) % 100, abs(number) % 10
    if units == 1 and tens != 11:
        return one
    return few if 2 <= units <= 4 and not 12 <= tens <= 14 else many


@pass_context
def _size(context: Context, value: int, limit: int | None = None) -> str:
    """Bytes for people: 812 байт, 22 байта, 38 МБ, 1,5 МБ."""
    return size_words(value, _lang(context), limit)


def size_words(value: int, lang: str = "ru", limit: int | None = None) -> str:
    """Bytes for people, in `lang`. `limit`: told beside it; what is more than that never reads like the same."""
    if limit is not None and value > limit and size_words(value, lang) == size_words(limit, lang):
        return f"{_A_LITTLE_OVER[lang]} {size_words(limit, lang)}"
    amount, unit = float(value), 0
    while amount >= 1000 and unit < 3:
        amount /= 1024
        unit += 1
    if not unit:
        return f"{value} {plural(value, *_BYTES[lang])}"
    digits = f"{amount:.1f}" if amount < 9.95 else f"{amount:.0f}"
    digits = digits.removesuffix(".0")
    return f"{digits.replace('.', ',') if lang == 'ru' else digits} {_UNITS[lang][unit - 1]}"


def cut(value: str, length: int = 80) -> str:
    """At most `length` characters, at a word where one ends near, with an ellipsis."""
    text = str(value)
    if len(text) <= length:
        return text
    head = text[: max(length - 1, 1)]
    space = head.rfind(" ")
    return (head[:space] if space > length // 2 else head).rstrip(" ,.;:—-") + "…"


def squeeze(value: str) -> str:
    """On one line, single blanks."""
    return " ".join(str(value).split())
