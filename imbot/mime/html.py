"""HTML bodies as text that people can read: paragraphs, lists, tables and quotes keep their shape. No recursion.

selectolax is imported where it is used: most letters have a plain part.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

LONGEST = 2_000_000
DEEPEST = 5000
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,12})")
_VOID = frozenset(
    ["br", "img", "hr", "p", "li", "td", "tr", "th", "meta", "link", "input", "col", "wbr", "base", "area"]
)
_SKIPPED = frozenset(["head", "script", "style", "title", "template", "noscript", "svg", "object", "iframe", "select"])
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "pre", "blockquote", "table", "dl"])
_LINES = frozenset(
    ["div", "tr", "li", "section", "article", "header", "footer", "address", "center", "dt", "dd", "form"]
)
_BLANKS = re.compile(r"[ \t\r\n\f\u00a0]+")
_HIDDEN = re.compile(r"display\s{0,4}:\s{0,4}none|visibility\s{0,4}:\s{0,4}hidden", re.I)
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f]")


class _Writer:
    """Text that grows; breaks asked for several times are made once."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.breaks = 0
        self.cell = False
        self.space = False
        self.quotes = 0
        self.quoted = 0  # quotes of the line before
        self.fresh = True  # nothing on this line yet

    def line(self, number: int) -> None:
        self.breaks = max(self.breaks, number)

    def forced(self) -> None:
        self.breaks = min(self.breaks + 1, 3)

    def text(self, text: str) -> None:
        text = _INVISIBLE.sub("", text)
        lead, core = text[:1].isspace() or text[:1] == "\u00a0", _BLANKS.sub(" ", text).strip(" ")
        if not core:
            self.space = self.space or bool(text)
            return
        self._gap(lead)
        self.out.append(core)
        self.fresh = False
        self.space = text[-1:].isspace()

    def raw(self, text: str) -> None:
        """Preformatted."""
        for index, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
            if index:
                self.breaks = min(self.breaks + 1, 3)
            if line:
                self._gap(False)
                self.out.append(line)
                self.fresh = False

    def _gap(self, lead: bool) -> None:
        prefix = "> " * min(self.quotes, 5)
        if self.breaks and self.out:
            between = "\n" + ("> " * min(self.quotes, self.quoted, 5)).rstrip()
            self.out.append(between * (self.breaks - 1) + "\n" + prefix)
        elif not self.out:
            self.out.append(prefix)
        elif self.cell and not self.fresh:
            self.out.append(" " if self.out[-1].endswith(":") else " | ")
        elif (self.space or lead) and not self.fresh:
            self.out.append(" ")
        self.breaks, self.cell, self.space = 0, False, False
        self.quoted = self.quotes


def html_to_text(html: str) -> str:
    """The readable text of a page, at most its first two million characters. Links show their address where their words
    do not; what is hidden is left out."""
    html = html[:LONGEST]
    if _depth(html) > DEEPEST:
        return _without_tags(html)
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    writer = _Writer()
    root = tree.body or tree.root
    if root is not None:
        _walk(root, writer)
    lines = (line.rstrip() for line in "".join(writer.out).split("\n"))
    return "\n".join(lines).strip("\n")


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
    return _BLANKS.sub(" ", _INVISIBLE.sub("", unescape("".join(words)))).strip()


def _walk(root: Any, writer: _Writer) -> None:
    """Depth first with a stack of its own: letters nest thousands of levels deep."""
    node: Any = root
    top = root.mem_id
    lists: list[int] = []
    pre = 0
    while node is not None:
        down = None
        tag = node.tag
        if tag == "-text":
            text = node.text_content or ""
            writer.raw(text) if pre else writer.text(text)
        elif not _skipped(node, tag):
            pre += tag == "pre"
            _open(node, tag, writer, lists)
            down = node.child
            if down is None:
                pre -= tag == "pre"
                _close(node, tag, writer, lists)
        if down is not None:
            node = down
            continue
        while node is not None and node.mem_id != top and node.next is None:
            node = node.parent
            if node is not None:
                pre -= node.tag == "pre"
                _close(node, node.tag, writer, lists)
        node = None if node is None or node.mem_id == top else node.next


def _skipped(node: Any, tag: str) -> bool:
    if tag in _SKIPPED or tag.startswith(("-", "_", "!")):
        return True
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDDEN.search((attributes.get("style") or "")[:500]))


def _open(node: Any, tag: str, writer: _Writer, lists: list[int]) -> None:
    if tag == "br":
        writer.forced()
    elif tag == "hr":
        writer.line(1)
        writer.text("---")
        writer.line(1)
    elif tag in ("td", "th"):
        writer.cell = True
    elif tag in _PARAGRAPHS:
        writer.line(1 if lists else 2)
    elif tag in _LINES:
        writer.line(1)
    if tag in ("ul", "ol"):
        lists.append(0 if tag == "ol" else -1)
    elif tag == "li":
        _bullet(writer, lists)
    elif tag == "blockquote":
        writer.quotes += 1
    elif tag == "img":
        writer.text((node.attributes.get("alt") or "")[:200])


def _bullet(writer: _Writer, lists: list[int]) -> None:
    if lists and lists[-1] >= 0:
        lists[-1] += 1
        mark = f"{lists[-1]}."
    else:
        mark = "-"
    writer.text("  " * min(max(len(lists) - 1, 0), 5) + mark + " ")
    writer.space = True


def _close(node: Any, tag: str, writer: _Writer, lists: list[int]) -> None:
    if tag == "a":
        _link(node, writer)
    elif tag == "blockquote":
        writer.quotes = max(0, writer.quotes - 1)
    elif tag in ("ul", "ol") and lists:
        lists.pop()
    elif tag in ("td", "th"):
        writer.cell = True
    if tag in _PARAGRAPHS:
        writer.line(1 if lists else 2)
    elif tag in _LINES:
        writer.line(1)


def _link(node: Any, writer: _Writer) -> None:
    href = (node.attributes.get("href") or "").strip()
    if not href.lower().startswith(("http://", "https://")) or writer.breaks:
        return
    shown = href.split("//", 1)[1].rstrip("/")
    if writer.out and shown[:60].lower() not in "".join(writer.out[-3:]).lower():
        writer.space = True
        writer.text(f"<{href[:300]}>")
