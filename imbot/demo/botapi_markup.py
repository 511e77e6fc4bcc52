"""parse_mode as Telegram reads it: HTML or MarkdownV2 to plain text and entities, refused where Telegram refuses.

The legacy "Markdown" mode is not served: imbot uses no parse mode at all, and the two here are there to refuse it well.
https://core.telegram.org/bots/api#formatting-options"""

from __future__ import annotations

import html
import re
from typing import Any

from imbot.demo.botapi_state import utf16_length

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
}
_MARKS = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler", "`": "code"}
_RESERVED = set("_*[]()~`>#+-=|{}.!")
_TAG = re.compile(r"<(/?)([A-Za-z-]*)((?:\s[^<>]*)?)>")
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_HREF = re.compile(r"""href\s*=\s*("[^"]*"|'[^']*'|\S+)""")


class BadMarkup(Exception):
    """The words after "can't parse entities: "."""


def _entity(kind: str, start: int, out: str) -> dict[str, Any]:
    return {"type": kind, "offset": start, "length": utf16_length(out) - start}


def parse_html(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and entities. Raises `BadMarkup`."""
    out = ""
    at = 0
    entities: list[dict[str, Any]] = []
    stack: list[tuple[str, int, str]] = []
    while at < len(text):
        if text[at] == "<":
            found = _TAG.match(text, at)
            where = len(text[:at].encode())
            if not found or found[2].lower() not in _TAGS:
                name = found[2] if found else re.split(r"[\s<>]", text[at + 1 :] + " ")[0]
                raise BadMarkup(f'Unsupported start tag "{name}" at byte offset {where}')
            name = found[2].lower()
            if not found[1]:
                stack.append((name, utf16_length(out), found[3]))
            elif not stack:
                raise BadMarkup(f"Unexpected end tag at byte offset {where}")
            elif stack[-1][0] != name:
                raise BadMarkup(
                    f'Unmatched end tag at byte offset {where}, expected "</{stack[-1][0]}>", found "</{name}>"'
                )
            else:
                entities += _close_tag(*stack.pop(), out)
            at = found.end()
        elif found := _REFERENCE.match(text, at):
            out += html.unescape(found.group())
            at = found.end()
        else:
            out += text[at]
            at += 1
    if stack:
        raise BadMarkup(f'Can\'t find end tag corresponding to start tag "{stack[-1][0]}"')
    return out, entities


def _close_tag(name: str, start: int, attributes: str, out: str) -> list[dict[str, Any]]:
    entity = _entity(_TAGS[name], start, out)
    if name == "a":
        href = _HREF.search(attributes)
        if not href:
            return []
        entity["url"] = html.unescape(href[1].strip("\"'"))
    return [entity] if entity["length"] else []


def parse_markdown(text: str) -> tuple[str, list[dict[str, Any]]]:
    """MarkdownV2 to plain text and entities. Raises `BadMarkup`."""
    out = ""
    at = 0
    entities: list[dict[str, Any]] = []
    stack: list[tuple[str, int, int]] = []
    while at < len(text):
        where = len(text[:at].encode())
        if text[at] == "\\" and at + 1 < len(text) and ord(text[at + 1]) < 127:
            out += text[at + 1]
            at += 2
            continue
        mark = text[at : at + 2] if text[at : at + 2] in _MARKS else text[at]
        if stack and stack[-1][0] == "`" and mark != "`":
            out += text[at]
            at += 1
        elif stack and stack[-1][0] == mark:
            entities.append(_entity(_MARKS[mark], stack.pop()[1], out))
            at += len(mark)
        elif mark in _MARKS:
            stack.append((mark, utf16_length(out), where))
            at += len(mark)
        elif link := re.match(r"\[((?:[^\]\\]|\\.)+)\]\(((?:[^)\\]|\\.)+)\)", text[at:]):
            start = utf16_length(out)
            out += re.sub(r"\\(.)", r"\1", link[1])
            entities.append({**_entity("text_link", start, out), "url": re.sub(r"\\(.)", r"\1", link[2])})
            at += link.end()
        elif text[at] in _RESERVED:
            raise BadMarkup(f"Character '{text[at]}' is reserved and must be escaped with the preceding '\\'")
        else:
            out += text[at]
            at += 1
    if stack:
        kind = _MARKS[stack[-1][0]].capitalize()
        raise BadMarkup(f"Can't find end of {kind} entity at byte offset {stack[-1][2]}")
    return out, entities
