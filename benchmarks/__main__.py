"""`python -m benchmarks [J4a,J4c] [--rounds 5] [--scale 1.0] [--who limit,imbot] [--json FILE]
[--charts FOLDER] [--gate]`.

Every contestant of a journey runs as a process of its own, in turn, round after round, on the same input; ratios are taken
within a round. Without `--gate` nothing but a wrong result is a failure; with it, a gate that does not hold is one, and a gate
that was not measured. A wrong result ends its journey; the others are measured all the same, and the whole ends with 1.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.journey import Journey, Missing, Place, Ratio, Wrong
from imbot import log

JOURNEYS = ("J1", "J2", "J3", "J4a", "J4b", "J4c", "J4d", "J4e", "J5", "J7", "growth")
ROOT = Path(__file__).resolve().parent.parent
Round = dict[str, dict[str, float]]  # contestant -> figure -> value
Rounds = list[Round]


def main() -> int:
    asked = _arguments()
    if asked.one:
        return _one(*asked.one)
    if asked.charts and importlib.util.find_spec("matplotlib") is None:
        print("--charts needs matplotlib: make bench installs it (extra `bench`)", file=sys.stderr)
        return 2
    names = asked.journeys.split(",") if asked.journeys else list(JOURNEYS)
    unknown = sorted(set(names) - set(JOURNEYS))
    if unknown:
        print(f"no such journey: {', '.join(unknown)}; there are {', '.join(JOURNEYS)}", file=sys.stderr)
        return 2
    about = {
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": asked.rounds,
        "scale": asked.scale,
    }
    print(f"{about['machine']}; {about['at']}; {asked.rounds} rounds, scale {asked.scale:g}\n")
    results: dict[str, Any] = {}
    wrong: list[str] = []
    missed: list[str] = []
    for name in names:
        journey = load(name)
        rounds: Rounds = []
        try:
            for one in measure(journey, asked.rounds, asked.scale, asked.who.split(",") if asked.who else ()):
                rounds.append(one)
        except Wrong as error:  # an hour's figures of the others are not thrown away for it
            wrong.append(f"{error}; {name} broke off with {len(rounds)} of {asked.rounds} rounds whole")
            print(f"  {wrong[-1]}\n", file=sys.stderr, flush=True)
        results[name] = {"medians": medians(rounds), "ratios": ratios(journey, rounds), "rounds": rounds}
        print(table(journey, rounds), flush=True)
        missed += [f"{name}: {words}" for words in failures(journey, rounds)]
        if asked.json:
            Path(asked.json).write_text(json.dumps(about | {"wrong": wrong, "journeys": results}, indent=1), "utf-8")
    if asked.charts:
        from benchmarks.charts import draw

        print("drawn: " + ", ".join(map(str, draw(Path(asked.charts), about, results))))
    ending = [*wrong, *(missed if asked.gate else ())]
    for words in ending:
        print(words, file=sys.stderr)
    return 1 if ending else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("journeys", nargs="?", default="", help=f"of {', '.join(JOURNEYS)}; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--who", default="", help="these contestants only; default: all")
    parser.add_argument("--json", default="", help="write everything to this file")
    parser.add_argument("--charts", default="", help="draw what was measured into this folder (needs matplotlib)")
    parser.add_argument("--gate", action="store_true", help="end with 1 unless every gate was measured and holds")
    parser.add_argument("--one", nargs=3, metavar=("JOURNEY", "CONTESTANT", "PLACE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def load(name: str) -> Journey:
    journey = importlib.import_module(f"benchmarks.{name.lower()}").JOURNEY
    assert isinstance(journey, Journey)
    return journey


def _one(name: str, contestant: str, place: str) -> int:
    """In the contestant's own process: figures as one line of JSON."""
    log.set_up("warning")
    try:
        told: dict[str, Any] = {"figures": load(name).contestants[contestant](json.loads(place))}
    except Missing as missing:
        told = {"missing": str(missing)}
    except Wrong as wrong:
        told = {"wrong": str(wrong)}
    print(json.dumps(told))
    return 0


def measure(journey: Journey, rounds: int, scale: float, who: Collection[str] = ()) -> Iterator[Round]:
    """Of each round the figures by contestant, once it is whole. Raises `Wrong` where a contestant did not do its work."""
    with journey.prepare(scale) as place:
        for number in range(rounds):
            found: Round = {}
            for contestant in [name for name in journey.contestants if not who or name in who]:
                figures = _run(journey.name, contestant, place)
                if figures is None:
                    continue
                found[contestant] = figures
                shown = ", ".join(f"{name} {value:,.4g}" for name, value in figures.items())
                print(f"  {journey.name} round {number + 1} {contestant}: {shown}", file=sys.stderr, flush=True)
            yield found


def _run(name: str, contestant: str, place: Place) -> dict[str, float] | None:
    """None: the peer is not installed."""
    asked = [sys.executable, "-m", "benchmarks", "--one", name, contestant, json.dumps(place)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    # One that hangs ends everything: what it has started may still run, beside whatever would be measured next.
    done = subprocess.run(asked, cwd=ROOT, env=env, stdout=subprocess.PIPE, timeout=1800, check=False)
    lines = done.stdout.decode().strip().splitlines()
    if done.returncode or not lines:
        raise Wrong(f"{name} {contestant} ended with {done.returncode}")
    told = json.loads(lines[-1])
    if "wrong" in told:
        raise Wrong(f"{name} {contestant}: {told['wrong']}")
    if "missing" in told:
        print(f"  {name} {contestant}: not installed ({told['missing']})", file=sys.stderr)
        return None
    figures: dict[str, float] = told["figures"]
    return figures


def medians(rounds: Rounds) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for contestant in dict.fromkeys(name for one in rounds for name in one):
        runs = [one[contestant] for one in rounds if contestant in one]
        found[contestant] = {figure: statistics.median(run[figure] for run in runs) for figure in runs[0]}
    return found


def ratios(journey: Journey, rounds: Rounds) -> list[dict[str, Any]]:
    """Pairwise within a round, then the median, or the worst round where the ratio says so. One of a peer that is missing is
    left out."""
    lines = []
    for ratio in journey.ratios:
        values = _values(ratio, rounds)
        if values:
            worst = ratio.worst_of(values)
            value = worst if ratio.worst and worst is not None else statistics.median(values)
            line = {"name": ratio.name, "value": value, "worst": worst, "gate": _gate(ratio), "ok": ratio.holds(value)}
            lines.append(line)
    return lines


def _values(ratio: Ratio, rounds: Rounds) -> list[float]:
    pairs = [(_figure(one, ratio.one), _figure(one, ratio.other)) for one in rounds]
    return [one / other for one, other in pairs if one is not None and other]


def failures(journey: Journey, rounds: Rounds) -> list[str]:
    """One line for each gate that does not hold, or that nothing was measured for: what was not looked at has not held."""
    found = {line["name"]: line for line in ratios(journey, rounds)}
    lines = []
    for ratio in filter(lambda each: each.gated, journey.ratios):
        line = found.get(ratio.name)
        if line is None:
            lines.append(f"{ratio.name} ({_gate(ratio)}) was not measured")
        elif not line["ok"]:
            lines.append(f"{ratio.name} is {line['value']:,.3g}, not {line['gate']}")
    return lines


def _figure(round_: Round, path: str | float) -> float | None:
    if isinstance(path, float | int):
        return float(path)
    contestant, _, figure = path.partition(".")
    return round_.get(contestant, {}).get(figure)


def _gate(ratio: Ratio) -> str:
    words = [f">= {ratio.at_least:g}" if ratio.at_least is not None else ""]
    words.append(f"<= {ratio.at_most:g}" if ratio.at_most is not None else "")
    words.append(f"(aim {ratio.aim:.3g})" if ratio.aim is not None else "")
    return " ".join(word for word in words if word)


def table(journey: Journey, rounds: Rounds) -> str:
    lines = [f"### {journey.name}: {journey.title}", "", "| who | what | median |", "|---|---|---|"]
    for contestant, figures in medians(rounds).items():
        for figure, value in figures.items():
            unit = journey.units.get(figure, "")
            lines.append(f"| {contestant} | {figure.replace('_', ' ')} | {value:,.4g} {unit} |")
    lines += ["", "| ratio, median of rounds | value | worst round | gate | |", "|---|---|---|---|---|"]
    found = {line["name"]: line for line in ratios(journey, rounds)}
    for ratio in journey.ratios:
        if ratio.name in found:
            lines.append(_row(ratio, found[ratio.name]))
        elif ratio.gated:
            lines.append(f"| {ratio.name} | not measured | | {_gate(ratio)} | **not measured** |")
    return "\n".join([*lines, ""])


def _row(ratio: Ratio, line: dict[str, Any]) -> str:
    name = f"{ratio.name} (the worst round counts)" if ratio.worst else ratio.name
    worst = "" if line["worst"] is None else f"{line['worst']:,.3g}"
    verdict = "" if not ratio.gated else "holds" if line["ok"] else "**fails**"  # an aim alone holds nobody to anything
    return f"| {name} | {line['value']:,.3g} | {worst} | {line['gate']} | {verdict} |"


if __name__ == "__main__":
    sys.exit(main())
