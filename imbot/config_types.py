"""The kinds of value that settings are made of: each checks one word of the config and says in plain words what is wrong.

Nothing here knows a section or reads a file. The texts are read by an admin behind the name of the key.
"""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import time
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from imbot.config_words import as_written, meant
from imbot.domain.folder_names import WHAT_IT_MAY_BE, is_folder_name
from imbot.domain.people import canonical_address

LANGUAGES = ("ru", "en")


class Section(BaseModel):
    """A table of the config: an unknown key is a mistake, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, validate_default=False)


def _port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise ValueError(f"{value} is not a port (1-65535)")
    return value


def _positive(value: int) -> int:
    if value < 1:
        raise ValueError(f"{value} is too small: at least 1 is needed")
    return value


def _not_negative(value: int) -> int:
    if value < 0:
        raise ValueError(f"{value} is negative")
    return value


def _address(value: str) -> str:
    address = canonical_address(value)
    if address is None:
        raise ValueError(f"{value!r} is not a mail address")
    return address


def _optional_address(value: str) -> str:
    return _address(value) if value.strip() else ""


def _sender(value: str) -> str:
    """A sender whom we believe: an address, or `*@host` for every address of a host."""
    text = value.strip().lower()
    if text.startswith("*@"):
        _domain(text[2:])
        return text
    return _address(text)


_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def _domain(value: str) -> str:
    text = value.strip().lower().rstrip(".").removeprefix("@")
    try:
        ascii_text = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:  # an empty part, one too long, or what no name may have
        ascii_text = ""
    if not _DOMAIN.fullmatch(ascii_text):
        raise ValueError(f"{value!r} is not a domain such as company.ru")
    return ascii_text


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError) as error:
        places = {name for name in available_timezones() if "/" in name and not name.startswith("Etc/")}
        raise ValueError(f"{value!r} is not a time zone such as Europe/Moscow{meant(value, places)}") from error
    return value


def _clock(value: Any) -> Any:
    if isinstance(value, time):
        return value.replace(tzinfo=None)
    if str(value).strip() == "24:00":  # the end of a day, which is the next one's beginning
        return time(0)
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", str(value).strip())
    if match is None:
        raise ValueError(f"{as_written(value)} is not a time such as 09:00")
    return time(int(match[1]), int(match[2]))


def _words(value: Any) -> Any:
    """A list may come from the environment as text: JSON, or words with commas."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("is not a list: write it as a JSON list, or as words with commas") from None
    return [word.strip() for word in text.split(",") if word.strip()]


def url_parts(value: str) -> SplitResult | None:
    """None where it names no host, or a port that is none."""
    try:
        parts = urlsplit(value)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _url(value: str) -> str:
    parts = url_parts(value)
    if parts is None or parts.scheme not in ("http", "https"):
        raise ValueError(f"{value!r} is not an address such as https://api.telegram.org")
    return value.rstrip("/")


def check_proxy(value: str) -> str:
    """A proxy's address, or "". The text of the error never repeats the value: it may bear a password."""
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        known = parts.scheme in ("http", "https", "socks5", "socks5h") and parts.hostname and parts.port
    except ValueError:
        known = None
    if not known:
        raise ValueError("is not a proxy such as http://proxy.company.ru:3128 or socks5://user:password@host:1080")
    return value


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _listen(value: str) -> str:
    if not value:
        return ""
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{value!r} is not a place to listen such as 127.0.0.1:9090")
    return value


def _extension(value: str) -> str:
    text = value.strip().lower().lstrip(".")
    if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,19}", text):
        raise ValueError(f"{value!r} is not a file extension such as exe")
    return text


def _language(value: str) -> str:
    if value not in LANGUAGES:
        near = meant(value, set(LANGUAGES))
        raise ValueError(f"{value!r} is none of the languages that imbot speaks: {', '.join(LANGUAGES)}{near}")
    return value


def _plain(value: str) -> str:
    """Words that are sent to a server as a line: a control would end it, or begin another one."""
    odd = next((char for char in value if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs")), "")
    if odd:
        raise ValueError(
            f"has a control character in it (U+{ord(odd):04X}, the {value.index(odd) + 1}. character): take it out"
        )
    return value


def _host(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty: name the server")
    return _plain(value)


def _plain_secret(value: SecretStr) -> SecretStr:
    """The text of the error never repeats the value."""
    _plain(value.get_secret_value())
    return value


def _profile(value: str) -> str:
    if not is_folder_name(value):
        raise ValueError(f"{value!r} cannot be the name of a profile: {WHAT_IT_MAY_BE}")
    return value


Port = Annotated[int, AfterValidator(_port)]
Positive = Annotated[int, AfterValidator(_positive)]
NotNegative = Annotated[int, AfterValidator(_not_negative)]
Address = Annotated[str, AfterValidator(_address)]
OptionalAddress = Annotated[str, AfterValidator(_optional_address)]
Sender = Annotated[str, AfterValidator(_sender)]
Domain = Annotated[str, AfterValidator(_domain)]
Zone = Annotated[str, AfterValidator(_zone)]
Clock = Annotated[time, BeforeValidator(_clock)]
Url = Annotated[str, AfterValidator(_url)]
Listen = Annotated[str, AfterValidator(_listen)]
Extension = Annotated[str, AfterValidator(_extension)]
Plain = Annotated[str, AfterValidator(_plain)]
Host = Annotated[str, AfterValidator(_host)]
Secret = Annotated[SecretStr, AfterValidator(_plain_secret)]
ProfileName = Annotated[str, AfterValidator(_profile)]
Language = Annotated[str, AfterValidator(_language)]
Weekday = Annotated[int, Field(ge=1, le=7)]
List = BeforeValidator(_words)  # Annotated[tuple[X, ...], List]
