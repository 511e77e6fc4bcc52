"""What the samples of a soak say, of any length and however often it was broken off: growth after the warm-up of each life,
curves, and bytes of the data base for each request and letter."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fire.excuses import Event
from tests.fire.facts import Finding
from tests.fire.gauge import MIB
from tests.fire.journal import Journal, read
from tests.fire.stage import Report, mib
from tests.fire.trend import Point, chart, longest, settled, slope

TEN_MINUTES = 600.0
MOST_GROWTH = MIB  # bytes in ten minutes
_STEADY = 0.5  # descriptors or threads in ten minutes
_ENOUGH = 500  # requests, from which on the data base is judged by what docs/performance.md promises of it
_REQUEST, _LETTER = 30_000, 3_500  # bytes: of a request with all that belongs to it, of that a letter that comes
_UNITS = {"rss": MIB, "children_rss": MIB, "database": MIB, "wal": MIB, "files_bytes": MIB}
_CURVES = ("rss", "children_rss", "descriptors", "threads", "database", "wal", "files")


@dataclass(frozen=True, slots=True)
class Leg:
    """One go. `samples`, each with the `life` in which it was taken; `sizes`: how the data base stood at its end."""

    samples: list[Event]
    sizes: dict[str, Any]

    @property
    def seconds(self) -> float:
        return float(self.samples[-1]["t"] - self.samples[0]["begun"]) if self.samples else 0.0


def legs(folder: Path) -> list[Leg]:
    """Those that have samples, in their order."""
    found = []
    paths = sorted(folder.glob("leg-*/journals/soak.jsonl"), key=lambda one: int(one.parts[-3].removeprefix("leg-")))
    lives = 0
    for path in paths:
        samples, end, begun = list[Event](), dict[str, Any](), None
        for event in read(path):
            if event["e"] == "life":
                lives, begun = lives + 1, begun or event["t"]
            elif event["e"] == "sample":
                samples.append(event | {"life": lives, "begun": begun or event["t"]})
            elif event["e"] == "sizes":
                end = event
        if samples:
            found.append(Leg(samples, end))
    return found


def next_leg(folder: Path) -> Path:
    """The folder of a leg that is to begin."""
    return folder / f"leg-{len(list(folder.glob('leg-*'))) + 1}"


def sizes(data: Path) -> dict[str, int]:
    """Bytes of the data base and its log; how many files of persons and letters lie there, and their bytes."""
    files = [entry.stat().st_size for name in ("files", "letters") for entry in os.scandir(data / name)]
    return {
        "database": _size(data / "imbot.db"),
        "wal": _size(data / "imbot.db-wal"),
        "files": len(files),
        "files_bytes": sum(files),
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def note_sizes(journal: Journal, data: Path) -> None:
    """What stands in the data base at the end: rows, and bytes by table where this SQLite can tell them."""
    with contextlib.closing(sqlite3.connect(f"file:{data / 'imbot.db'}?mode=ro", uri=True)) as c:
        rows = {
            name: int(c.execute(f"SELECT count(*) FROM {name}").fetchone()[0])
            for name in ("tickets", "letters", "mails", "parcels", "ledger")
        }
        pages = c.execute("PRAGMA page_count").fetchone()[0] * c.execute("PRAGMA page_size").fetchone()[0]
        try:
            by_table = dict(
                c.execute(
                    "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_schema m ON m.name = s.name"
                    " GROUP BY m.tbl_name ORDER BY 2 DESC"
                )
            )
        except sqlite3.OperationalError:  # built without dbstat
            by_table = {}
    journal.note("sizes", rows=rows, bytes=pages, tables=by_table)


def tell(told: Report, legs: Sequence[Leg], warm_up: float) -> None:
    samples = [one for leg in legs for one in leg.samples]
    if not samples:
        told.lines.append("no samples: the run was too short")
        return
    lives = len({one["life"] for one in samples})
    seconds = sum(leg.seconds for leg in legs)
    told.lines.append(
        f"{len(samples)} samples in {seconds / 60:.1f} minutes, {lives} lives in {len(legs)} legs; load "
        f"{min(one['load'] for one in samples):.1f} to {max(one['load'] for one in samples):.1f}; warm-up {warm_up:.0f} s a life"
    )
    lasts = {one["life"]: one["cpu"] for one in samples}
    told.lines.append(
        f"imbot: {sum(lasts.values()):.1f} CPU s by the last samples of its lives, {sum(lasts.values()) / seconds:.2f} cores"
    )
    for name in _CURVES:
        _tell_curve(told, name, samples)
    _judge(told, samples, warm_up)
    for leg in legs:
        _tell_bytes(told, leg)


def _tell_curve(told: Report, name: str, samples: Sequence[Event]) -> None:
    unit = _UNITS.get(name, 1)
    values = [one[name] / unit for one in samples]
    mark = " MiB" if unit == MIB else ""
    told.lines.append(f"{name}: {min(values):.1f} to {max(values):.1f}{mark}, at the end {values[-1]:.1f}{mark}")
    if max(values) > min(values):
        told.lines += [f"   |{line}" for line in chart(values)]


def _judge(told: Report, samples: Sequence[Event], warm_up: float) -> None:
    """Flat, or not, or too short to say."""
    for name, most in (
        ("rss", MOST_GROWTH), ("children_rss", MOST_GROWTH), ("descriptors", _STEADY), ("threads", _STEADY),
    ):  # fmt: skip
        points = settled([Point(one["life"], one["t"], one[name]) for one in samples], warm_up)
        found = slope(points)
        if found is None:
            told.lines.append(f"growth of {name}: no life lasted beyond its warm-up")
            continue
        growth = found * TEN_MINUTES
        words = mib(growth) if most == MOST_GROWTH else f"{growth:.2f}"
        long_enough = longest(points) >= TEN_MINUTES
        told.lines.append(
            f"growth of {name} after the warm-up: {words} in ten minutes, over {longest(points) / 60:.1f} minutes at the longest"
            + ("" if long_enough else " (too short to judge)")
        )
        if long_enough and growth >= most:
            told.slow.append(f"{name} grows by {words} in ten minutes")


def _tell_bytes(told: Report, leg: Leg) -> None:
    if not leg.sizes or not leg.sizes["rows"]["tickets"]:
        told.lines.append("a leg that was broken off: bytes for each request are not told")
        return
    rows, whole, tables = leg.sizes["rows"], leg.sizes["bytes"], leg.sizes["tables"]
    told.lines.append(
        f"data base: {mib(whole)}, {whole / rows['tickets']:.0f} bytes for each of {rows['tickets']} requests with all that "
        f"belongs to it ({rows['parcels'] / rows['tickets']:.1f} parcels, {rows['ledger'] / rows['tickets']:.1f} ledger lines)"
    )
    for name, what in (("letters", "letter that went out"), ("mails", "letter that came")):
        if rows[name] and name in tables:
            told.lines.append(f"   {tables[name] / rows[name]:.0f} bytes for each of {rows[name]} {what}")
    if rows["tickets"] >= _ENOUGH:
        told.findings += _too_large("request", whole / rows["tickets"], _REQUEST)
        if rows["mails"] and "mails" in tables:
            told.findings += _too_large("letter that came", tables["mails"] / rows["mails"], _LETTER)
    told.lines += [f"   {name:<20} {mib(size)}" for name, size in list(tables.items())[:8]]


def _too_large(what: str, size: float, most: int) -> list[Finding]:
    words = f"{size:.0f} bytes for each {what}, more than {most}"
    return [Finding("as_small_as_promised", what, words)] if size > most else []
