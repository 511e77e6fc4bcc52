"""`imbot mail learn`: from a few sample letters to a profile that reads them all, and to the lines of config.toml beside it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbot.cli_base import Config, one_line, say
from imbot.cli_mail_bench import Bench, Files, bench, read_all, read_file, why_no_letter
from imbot.domain.errors import ImbotError

if TYPE_CHECKING:
    from imbot.backends.learning import Lesson
    from imbot.backends.learning_numbers import Sample
    from imbot.domain.letters import InboundMail


def learn(
    files: Files,
    number: Annotated[
        list[str] | None,
        typer.Option(help="Its number as the ITSM writes it, - for none: one for each file, in order."),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="registered, in_progress, waiting, resolved, closed, rejected, withdrawn or comment."),
    ] = None,
    name: Annotated[str, typer.Option(help="What the profile is to be called.")] = "my-itsm",
    out: Annotated[
        Path | None, typer.Option(help="Your templates_dir: mail/<name>/profile.toml is written there.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a profile that is there.")] = False,
    config: Config = None,
) -> None:
    """Propose a profile that reads all of these letters and none of other ITSMs. A letter's number and status may also stand
    in a file beside it: letter.eml, letter.toml with number = "..." and status = "..."."""
    from imbot.backends.learning import learn as learned
    from imbot.config import packed

    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,60}", name):
        raise ImbotError(f"--name: {name!r} is no name for a folder: small letters, digits and dashes")
    target = out / "mail" / name / "profile.toml" if out else None
    if target is not None and target.exists() and not force:
        raise ImbotError(f"{target} is there already: --force replaces it")
    desk = bench(config)
    samples = _samples(files, number or [], status or [], desk)
    mails = [sample.mail for sample in samples]
    kin = _kin(samples, desk)
    lesson = learned(samples, _others(kin, mails), name)
    if (packed("templates") / "mail" / name).is_dir():
        say(
            f"note: imbot ships a profile {name} too; yours would stand in its place. --name gives it another.",
            err=True,
        )
    if target is not None:
        _write(target, lesson.source)
    else:
        say(lesson.source)
    for line in _report(lesson, samples, kin, target, desk):
        say(line, err=target is None)


def _samples(files: Sequence[Path], numbers: Sequence[str], statuses: Sequence[str], desk: Bench) -> list[Sample]:
    from imbot.backends.learning_numbers import Sample

    for option, given in (("--number", numbers), ("--status", statuses)):
        if given and len(given) != len(files):
            raise ImbotError(f"{option}: {len(given)} for {len(files)} letters; give one for each, in their order")
    told = [_beside(file) for file in files]
    letters = read_all(((str(file), read_file(file, desk.largest)) for file in files), desk)
    for name, mail in letters:
        if why := why_no_letter(mail):
            raise ImbotError(f"{name}: {why}")
    samples = []
    for index, (name, mail) in enumerate(letters):
        number = numbers[index] if numbers else told[index].get("number")
        status = statuses[index] if statuses else told[index].get("status")
        if number is None or status is None:
            missing = "--number" if number is None else "--status"
            raise ImbotError(
                f"{name}: {missing} is missing; give one for each letter, or write it into {_sidecar(name)}"
            )
        if numbers and not number.strip():
            raise ImbotError(f"{name}: --number is empty: give it as the letter writes it, or - where it bears none")
        samples.append(Sample(name, mail, "" if number == "-" else number, _status(name, status)))
    return samples


def _status(name: str, text: str) -> Any:
    from imbot.domain.tickets import Status

    if text == "comment":
        return None
    known = [status.value for status in Status if status is not Status.NEW]
    if text not in known:
        raise ImbotError(f"{name}: {text!r} is no status; known are {', '.join(known)}, comment")
    return Status(text)


def _sidecar(name: str) -> Path:
    return Path(name).with_suffix(".toml")


def _beside(file: Path) -> Mapping[str, str]:
    """Number and status from the file beside a letter, {} where there is none."""
    path = _sidecar(str(file))
    if path == file or not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImbotError(f"{path}: {error}") from None
    return {key: str(table[key]) for key in ("number", "status") if key in table}


def _kin(samples: Sequence[Sample], desk: Bench) -> tuple[str, int]:
    """(the shipped profile that knows most of the letters, how many of them it reads just so); ("", 0) where there is none."""
    from imbot.backends.choosing import consider
    from imbot.backends.understanding import read

    found: dict[str, list[bool]] = {}
    for sample in samples:
        chosen = consider({key: one for key, one in desk.shelf.items() if not one.is_generic}, sample.mail).profile
        if chosen is not None:
            report = read(chosen, sample.mail, tz=desk.zone)
            right = report is not None and (report.status, report.number.upper()) == (
                sample.status,
                sample.number.upper(),
            )
            found.setdefault(chosen.name, []).append(right)
    name, rights = max(found.items(), key=lambda item: (sum(item[1]), len(item[1])), default=("", []))
    return (name, sum(rights)) if len(rights) * 2 > len(samples) else ("", 0)


def _others(kin: tuple[str, int], mails: Sequence[InboundMail]) -> dict[str, InboundMail]:
    """Letters of every ITSM that imbot knows, but of the one that the samples are from."""
    from imbot.config import packed
    from imbot.mime import bytes_to_mail

    own = {mail.sha256 for mail in mails}
    found = {}
    for path in sorted(packed("letters").glob("*/*.eml")):
        if path.parent.name != kin[0]:
            mail = bytes_to_mail(path.read_bytes())  # ours: no child is needed
            if mail.sha256 not in own:
                found[f"{path.parent.name}/{path.stem}"] = mail
    return found


def _report(
    lesson: Lesson, samples: Sequence[Sample], kin: tuple[str, int], target: Path | None, desk: Bench
) -> Iterator[str]:
    from imbot.backends.recommending import evidence_toml, recommend

    mails = [sample.mail for sample in samples]
    if target is not None:
        yield f"{target}: reads all {len(samples)} letters, and none of other ITSMs"
    if kin[0]:
        reads = "all of them" if kin[1] == len(samples) else f"{kin[1]} of them"
        yield f"note: these look like letters of {kin[0]}, whose profile reads {reads} just so" + (
            f': [itsm] profile = "{kin[0]}" may be all you need' if kin[1] == len(samples) else ""
        )
    for note in lesson.notes:
        yield f"  {one_line(note, 400)}"
    for doubt in lesson.doubts:
        yield f"  look: {one_line(doubt, 400)}"
    advice = recommend(mails)
    yield f"evidence: {one_line(advice.words, 600)}"
    senders = json.dumps(sorted({mail.sender for mail in mails if mail.sender}), ensure_ascii=False)
    yield ""
    yield "For config.toml:"
    if target is not None and (
        desk.settings is None or str(desk.settings.general.templates_dir) != str(target.parents[2])
    ):
        yield "  [general]"
        yield f"  templates_dir = {json.dumps(str(target.parents[2].absolute()), ensure_ascii=False)}"
    yield "  [itsm]"
    yield f'  profile = "{lesson.profile.name}"'
    yield f"  senders = {senders}"
    if advice.evidence.kind == "sender-only":
        yield "  # [itsm.evidence]: not proposed, since the samples prove nothing of their origin"
        return
    for line in evidence_toml(advice.evidence).splitlines():
        yield f"  {line}"


def _write(path: Path, source: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    except OSError as error:
        raise ImbotError(f"{path}: cannot be written: {error.strerror}") from None
