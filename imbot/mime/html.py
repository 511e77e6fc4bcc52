"""HTML bodies as text that people can read: paragraphs, lists, tables and quotes keep their shape. No recursion.

selectolax is imported where it is used: most letters have a plain part.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from imbot.mime.pages import BLANKS, INVISIBLE, Page

LONGEST = 2_000_000
DEEPEST = 5000
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,12})")
_VOID = frozenset(
    ["br", "img", "hr", "p", "li", "td", "tr", "th", "meta", "link", "input", "col", "wbr", "base", "area"]
)
_SKIPPED = frozenset(["head", "script", "style", "title", "template", "noscript", "svg", "object", "iframe", "select"])
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "pre", "blockquote", "table", "dl"])
_LINES = frozenset(["div", "section", "article", "header", "footer", "address", "center", "dt", "dd", "form"])
_HIDDEN = re.compile(r"display\s{0,4}:\s{0,4}none|visibility\s{0,4}:\s{0,4}hidden", re.I)


def html_to_text(html: str, problems: list[str] | None = None, most: int = LONGEST) -> str:
    """The readable text of a page, at most its first two million characters. Links show their address where their words
    do not; what is hidden is left out. A page that cannot be walked gives its words all the same, and `problems` says so;
    so does one of more than `most` characters."""
    html = html[:LONGEST]
    if len(html) > most or (html.count("<") > DEEPEST and _depth(html) > DEEPEST):
        return _without_tags(html)
    try:
        return _walked(html)
    except Exception as error:  # a border: no page is a reason to refuse a letter
        if problems is not None:
            problems.append(f"a page that cannot be walked ({type(error).__name__}): its tags were cut out")
        return _without_tags(html)


def _walked(html: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    page = Page()
    root = tree.body or tree.root
    if root is not None:
        lowered = html.lower()
        _walk(root, page, any(word in lowered for word in ("hidden", "none", "&#")))
    return page.whole()


def _depth(html: str) -> int:
    """How deep tags may nest, roughly: the parser takes quadratic time in this."""
    depth = deepest = 0
    for match in _TAG.finditer(html):
        if match.group(1):
            depth -= 1
        elif match.group(2).lower() not in _VOID:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


def _without_tags(html: str) -> str:
    """The plain way for what no parser should see: everything between angles goes."""
    pieces = html.split("<")
    words = [pieces[0], *(piece.partition(">")[2] for piece in pieces[1:])]
    return BLANKS.sub(" ", INVISIBLE.sub("", unescape("".join(words)))).strip()


def _walk(root: Any, page: Page, hiding: bool) -> None:
    """Depth first with a stack of its own: letters nest thousands of levels deep. `hiding`: something may be hidden, so
    attributes, which take longer than all else, are looked at."""
    node: Any = root
    top = root.mem_id
    lists: list[int] = []
    pre = 0
    while node is not None:
        down = None
        tag = node.tag or ""  # a processing instruction (`<?php ... ?>`) has none
        if tag == "-text":
            text = node.text_content or ""
            page.raw(text) if pre else page.text(text)
        elif not (tag in _SKIPPED or tag[:1] in "-_!" or (hiding and _is_hidden(node))):
            pre += tag == "pre"
            _open(node, tag, page, lists)
            down = node.child
            if down is None:
                pre -= tag == "pre"
                _close(node, tag, page, lists)
        if down is not None:
            node = down
            continue
        while node is not None and node.mem_id != top and node.next is None:
            node = node.parent
            if node is not None:
                pre -= node.tag == "pre"
                _close(node, node.tag, page, lists)
        node = None if node is None or node.mem_id == top else node.next


def _is_hidden(node: Any) -> bool:
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDDEN.search((attributes.get("style") or "")[:500]))


def _open(node: Any, tag: str, page: Page, lists: list[int]) -> None:
    if tag == "br":
        page.forced()
    elif tag == "hr":
        page.line(1)
        page.text("---")
        page.line(1)
    elif tag == "tr":
        page.open_row()
    elif tag in ("td", "th"):
        page.open_cell()
    elif tag == "li":
        page.open_item(_mark(lists))
    elif tag in _PARAGRAPHS:
        page.line(1 if lists else 2)
    elif tag in _LINES:
        page.line(1)
    if tag in ("ul", "ol"):
        lists.append(_first_number(node) - 1 if tag == "ol" else _UNNUMBERED)
    elif tag == "blockquote":
        page.quotes += 1
    elif tag == "img":
        page.text((node.attributes.get("alt") or "")[:200])


_UNNUMBERED = -1


def _first_number(node: Any) -> int:
    start = node.attributes.get("start") or ""
    return int(start) if start.isdecimal() and len(start) < 6 and int(start) else 1


def _mark(lists: list[int]) -> str:
    indent = "  " * min(max(len(lists) - 1, 0), 5)
    if not lists or lists[-1] == _UNNUMBERED:
        return f"{indent}- "
    lists[-1] += 1
    return f"{indent}{lists[-1]}. "


def _close(node: Any, tag: str, page: Page, lists: list[int]) -> None:
    if tag == "a":
        _link(node, page)
    elif tag == "blockquote":
        page.quotes = max(0, page.quotes - 1)
    elif tag in ("ul", "ol") and lists:
        lists.pop()
    if tag == "tr":
        page.close_row()
    elif tag == "li":
        page.close_item()
    elif tag in _PARAGRAPHS:
        page.line(1 if lists else 2)
    elif tag in _LINES:
        page.line(1)


def _link(node: Any, page: Page) -> None:
    href = (node.attributes.get("href") or "").strip()
    if not href.lower().startswith(("http://", "https://")) or page.breaks:
        return
    shown = href.split("//", 1)[1].rstrip("/")
    if page.out and shown[:60].lower() not in "".join(page.out[-3:]).lower():
        page.space = True
        page.text(f"<{href[:300]}>")
