"""Text that grows as a page is walked: breaks asked for several times are made once, cells of a row stand on one line while
each is a line, lists keep their marks and quotes theirs. Knows no HTML."""

from __future__ import annotations

import re

BLANKS = re.compile(r"[ \t\r\n\f\u00a0]+")
INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f]")
_NONE = -1


class Page:
    """`text` and `raw` write; `line` and `forced` ask for breaks before what is written next."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.breaks = 0
        self.lines = 0  # breaks made so far
        self.cell = False  # what comes next stands in the next cell of a row
        self.space = False
        self.held = False  # at the beginning of a cell or of an item: what blocks ask for there is no break
        self.hollow = False  # a line of nothing but hard blanks: people write an empty line so
        self.mark = ""  # the mark of an item, until its words come
        self.quotes = 0
        self.quoted = 0  # quotes of the line before
        self.fresh = True  # nothing on this line yet
        self.rows: list[
            tuple[int, bool]
        ] = []  # per open row: the line that its first words are on, whether cells were joined

    def line(self, number: int) -> None:
        """A block begins or ends: 1 a new line, 2 an empty one before it."""
        if self.hollow:
            self.hollow, number = False, 2
        if not self.held:
            self.breaks = max(self.breaks, number)

    def forced(self) -> None:
        """A line break that is meant."""
        if self.held:
            return
        self.breaks = min(self.breaks + 1, 2)

    def open_row(self) -> None:
        self.line(1)
        self.rows.append((_NONE, False))

    def open_cell(self) -> None:
        """Behind a cell that was one line the next one goes on that line, whatever blocks are in it."""
        first = self.rows[-1][0] if self.rows else _NONE
        if first == self.lines:
            self.breaks, self.cell = 0, True
        elif first != _NONE:
            self.line(1)
        self.held = True

    def close_row(self) -> None:
        if not self.rows:
            return
        first, joined = self.rows.pop()
        self.held = self.cell = False
        if joined:
            self.breaks = 0
        self.line(1)
        if self.rows and self.rows[-1][0] == _NONE:
            self.rows[-1] = (first, self.rows[-1][1])

    def open_item(self, mark: str) -> None:
        self.line(1)
        self.held, self.mark = True, mark

    def close_item(self) -> None:
        self.held, self.mark = False, ""
        self.line(1)

    def text(self, text: str) -> None:
        if text.isprintable() and "  " not in text:  # most words: no other blanks, nothing invisible
            core = text.strip(" ")
        else:
            text = INVISIBLE.sub("", text)
            core = BLANKS.sub(" ", text).strip(" ")
        if not core:
            self.space = self.space or bool(text)
            self.hollow = self.hollow or ("\u00a0" in text and self.breaks > 0 and not self.held)
            return
        self._write(core, text[0].isspace())
        self.space = text[-1:].isspace()

    def raw(self, text: str) -> None:
        """Preformatted."""
        for index, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
            if index:
                self.breaks = min(self.breaks + 1, 3)
            if line:
                self._write(line, False)

    def _write(self, words: str, lead: bool) -> None:
        prefix = "> " * min(self.quotes, 5)
        if self.breaks and self.out:
            between = "\n" + ("> " * min(self.quotes, self.quoted, 5)).rstrip()
            self.out.append(between * (self.breaks - 1) + "\n" + prefix + self.mark)
            self.lines += 1
        elif not self.out:
            self.out.append(prefix + self.mark)
        elif self.cell and not self.fresh:
            self.out.append(" " if self.out[-1].endswith(":") else " | ")
            if self.rows:
                self.rows[-1] = (self.rows[-1][0], True)
        elif (self.space or lead) and not self.fresh:
            self.out.append(" ")
        self.out.append(words)
        self.breaks, self.mark, self.quoted = 0, "", self.quotes
        self.cell = self.space = self.held = self.hollow = self.fresh = False
        if self.rows and self.rows[-1][0] == _NONE:
            self.rows[-1] = (self.lines, self.rows[-1][1])

    def whole(self) -> str:
        lines = (line.rstrip() for line in "".join(self.out).split("\n"))
        return "\n".join(lines).strip("\n")
