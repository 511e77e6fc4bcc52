"""Files that people write, as text: UTF-8 of whatever editor, or refused in plain words. Nothing here reads one."""

from __future__ import annotations

from imbot.domain.errors import ConfigError


def text_of(raw: bytes, name: object) -> str:
    """The words of the file `name`, lines ended by "\\n". Raises ConfigError that says where it is not UTF-8."""
    try:
        text = raw.decode("utf-8-sig")  # the mark is what Notepad may put in front
    except UnicodeDecodeError as error:
        line, odd = raw.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise ConfigError([f"{name} is not UTF-8 (byte 0x{odd:02X} at line {line}): save it as UTF-8"]) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
