"""Draws what `python -m benchmarks --charts FOLDER` has measured: `gates` (every ratio that is held to something, against it) and
`growth` (the same work at ever more tickets), each as SVG and PNG. Machine, versions, command and date stand below each.
Needs matplotlib (extra `bench`)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

_PEERS = ("python-telegram-bot", "aiogram", "pytelegrambotapi", "aiosmtplib", "aioimaplib", "imap-tools", "SQLAlchemy")
_HOLDS, _FAILS, _LIMIT = "#2a6f97", "#d1495b", "#333333"
_FARTHEST = 20.0  # of the scale, in both directions
_LABELS = {
    "turn": "a turn of the dialog",
    "letter": "a status letter",
    "page": "a page of «my tickets»",
    "start": "a start",
    "clean_up": "the clean-up with nothing due",
    "clean_up_due": "the clean-up with letters due",
}


def draw(folder: Path, about: Mapping[str, Any], results: Mapping[str, Any]) -> list[Path]:
    """Returns the files written. Of a journey that was not run, or broke off in its first round, nothing is drawn, and an older
    chart stays as it is."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams |= {"svg.hashsalt": "imbot", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    held = [(name, line) for name, of in results.items() for line in of["ratios"] if name != "growth" and _bounds(line)]
    if held:
        written += _gates(folder, about, held)
    grown = results["growth"]["medians"].get("imbot") if "growth" in results else None
    if grown:
        written += _growth(folder, about, grown)
    return written


def _gates(folder: Path, about: Mapping[str, Any], held: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Path]:
    """Each bar is how much of its gate a journey uses up: up to one it holds, whichever way the gate is written."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 1.6 + 0.34 * len(held)))
    for place, (_, line) in enumerate(reversed(held)):
        share = min(_FARTHEST, max(1 / _FARTHEST, used(line)))
        axes.barh(place, share - 1 / _FARTHEST, left=1 / _FARTHEST, color=_HOLDS if line["ok"] else _FAILS, height=0.62)
        told = f"{line['value']:.3g}; gate {line['gate'].replace(' (', ', ').rstrip(')')}"
        axes.text(max(share, 1) * 1.06, place, told, va="center", fontsize=8)
    axes.set_yticks(range(len(held)), [_titled(name, line["name"]) for name, line in reversed(held)])
    axes.set_xscale("log")
    axes.set_xlim(1 / _FARTHEST, _FARTHEST)
    axes.set_xticks([0.1, 0.5, 1, 2, 5, 10], ["0.1", "0.5", "1 = the gate", "2", "5", "10"])
    axes.axvline(1, color=_LIMIT, linewidth=1)
    axes.set_title("What of each gate is used up; left of the line it holds", loc="left")
    return _saved(figure, folder / "gates", about)


def used(line: Mapping[str, Any]) -> float:
    """The share of its gate that a ratio uses: value / most, or least / value; the larger, where it has both."""
    bounds = _bounds(line)
    value = float(line["value"])
    shares = [value / bounds["<="] if bounds["<="] else value] if "<=" in bounds else []
    if ">=" in bounds:
        shares.append(bounds[">="] / value if value else float("inf"))
    return max(shares)


def _bounds(line: Mapping[str, Any]) -> dict[str, float]:
    """Of ">= 2 <= 10 (aim 5)" the two; none where there is only an aim."""
    words = str(line["gate"]).split("(")[0].split()
    return dict(zip(words[::2], map(float, words[1::2]), strict=True))


def _titled(journey: str, ratio: str) -> str:
    return ratio if ratio.startswith(journey) else f"{journey}: {ratio}"


def _growth(folder: Path, about: Mapping[str, Any], figures: Mapping[str, float]) -> list[Path]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.6))
    sizes = {f"x{times}": 1000 * times * about["scale"] for times in (1, 10, 100, 1000)}
    for work, label in _LABELS.items():
        unit = "us" if f"{work}_us_x1" in figures else "ms"
        base = figures[f"{work}_{unit}_x1"]
        curve = [figures[f"{work}_{unit}_{name}"] / base for name in sizes]
        axes.plot(list(sizes.values()), curve, marker="o", label=f"{label}: {base:,.4g} {unit} at {sizes['x1']:,.0f}")
    axes.axhspan(0.8, 1.2, color="#eeeeee", zorder=0)
    axes.set_xscale("log")
    axes.set_ylim(0, max(2.0, axes.get_ylim()[1]))
    axes.set_xticks(list(sizes.values()), [f"{size:,.0f}" for size in sizes.values()])
    axes.set_xlabel("tickets")
    axes.set_ylabel("times as long as at the fewest")
    axes.set_title("The same work at ever more tickets; within the band it is flat", loc="left")
    axes.legend(frameon=False, fontsize=8)
    return _saved(figure, folder / "growth", about)


def _saved(figure: Any, path: Path, about: Mapping[str, Any]) -> list[Path]:
    from matplotlib import pyplot

    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    told = f"{about['machine']}; {about['at']}; {about['rounds']} rounds, scale {about['scale']:g}\n{_versions()}\n{command}"
    figure.text(0.01, 0.005, told, fontsize=6.5, color="#666666", va="bottom")
    figure.tight_layout(rect=(0, 0.9 / figure.get_figheight() * 0.55, 1, 1))
    files = [path.with_suffix(".svg"), path.with_suffix(".png")]
    figure.savefig(files[0], metadata={"Date": None})
    figure.savefig(files[1], dpi=150, metadata={"Software": None})
    pyplot.close(figure)
    return files


def _versions() -> str:
    found = []
    for name in _PEERS:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found += _elsewhere(name)
    return ", ".join(found)


def _elsewhere(name: str) -> list[str]:
    """aiogram lives in an environment of its own, see `chatting`."""
    own = os.environ.get(f"BENCH_{name.upper()}", "")
    words = f"from importlib import metadata; print(metadata.version({name!r}))"
    asked = subprocess.run([own, "-c", words], capture_output=True, text=True, check=False) if own else None
    return [f"{name} {asked.stdout.strip()}"] if asked is not None and asked.returncode == 0 else []
