"""`imbot mail explain`, and the same page for a letter in quarantine: which profile and why, the evidence, the meaning, the
ticket, who would be told what, and what would not happen. Changes nothing: what it asks of the data base is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from imbot.cli_base import AsJson, Config, database, now, one_line, say, say_json, say_wrapped
from imbot.cli_mail_bench import Bench, Files, Folder, Named, bench, read_file, try_all, why_no_letter
from imbot.domain.errors import ImbotError, LetterRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imbot.backends.understanding import Reading
    from imbot.domain.letters import InboundMail
    from imbot.services.env import Env
    from imbot.services.explaining import Course
    from imbot.services.reports import Looked


def explain(
    files: Files, as_json: AsJson = False, profile: Named = "", profiles: Folder = None, config: Config = None
) -> None:
    """Say of letters which profile reads them and why, whether they are believed, which ticket they are about, and who would
    be told what. Nothing is changed. Without a config: the profile and the meaning."""
    desk = bench(config, profile, profiles)
    letters: list[tuple[str, bytes]] = []
    missing: dict[str, str] = {}
    for file in files:
        try:
            letters.append((str(file), read_file(file, desk.largest)))
        except ImbotError as error:  # the others are explained all the same
            missing[str(file)] = str(error).removeprefix(f"{file}: ")
    refused = len(missing)
    for name, reason in missing.items():
        say_page({"letter": {"name": name}, "refused": reason}, as_json=as_json)
    for at, (name, mail) in enumerate(try_all(letters, desk), len(missing)):
        if at and not as_json:
            say()
        why = str(mail) if isinstance(mail, LetterRefused) else why_no_letter(mail)
        if isinstance(mail, LetterRefused) or why:
            refused += 1
            say_page({"letter": {"name": name}, "refused": why}, as_json=as_json)
        else:
            say_page(page_of(name, mail, desk), as_json=as_json)
    if desk.settings is None and letters and not as_json:
        say()
        say_wrapped(
            "Which evidence of origin to ask for, `imbot mail learn` says of several letters that you know to be genuine."
        )
    if refused:
        raise typer.Exit(1)


def page_of(name: str, mail: InboundMail, desk: Bench, mail_id: int = 0, mailbox: str = "") -> dict[str, Any]:
    """Everything that can be said of a letter, as plain JSON. `mail_id`: a letter of the data base, `mailbox`: the watcher
    that it came in by."""
    from imbot.backends.choosing import candidates, consider
    from imbot.backends.recommending import findings
    from imbot.backends.understanding import understand

    choice = consider(desk.backends or desk.shelf, mail)  # as the service: only what is in use
    if choice.profile is None:
        choice = consider(desk.choices, mail)
    reading = understand(choice.profile, mail, tz=desk.zone) if choice.profile else None
    page: dict[str, Any] = {
        "letter": _letter(name, mail),
        "profile": {
            "taken": choice.name,
            "in_use": choice.name in desk.backends,
            "reason": choice.reason,
            "candidates": [
                {
                    "name": one.name,
                    "profile": one.profile.name,
                    "in_use": one.name in desk.backends,
                    "taken": one.name == choice.name,
                    "reason": choice.reason if one.name == choice.name else one.reason,
                    "tests": [{"test": test.name, "passed": test.ok, "found": test.detail} for test in one.tests],
                }
                for one in candidates(desk.choices, mail)
            ],
        },
        "meaning": _meaning(reading),
        "evidence": {"borne": [{"kind": one.kind, "borne": one.borne, "found": one.words} for one in findings(mail)]},
        "course": None,
    }
    if desk.settings is not None:
        _add_course(page, mail, desk, mail_id, mailbox)
    return page


def _letter(name: str, mail: InboundMail) -> dict[str, Any]:
    return {
        "name": name,
        "from": mail.sender,
        "to": list(mail.to),
        "date": mail.date.isoformat() if mail.date else None,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "automatic": mail.automatic,
        "files": [{"name": part.name, "size": part.size} for part in mail.attachments],
        "problems": list(mail.problems),
    }


def _meaning(reading: Reading | None) -> dict[str, Any] | None:
    if reading is None:
        return None
    report, anchor = reading.report, reading.anchor
    return {
        "status": report.status.value if report and report.status else None,
        "silent": bool(report and report.silent),
        "number": report.number if report else "",
        "numbers": list(reading.words.numbers),
        "anchor": None
        if anchor is None
        else {"index": anchor.index, "status": anchor.status, "place": anchor.place, "words": anchor.words}
        | {"pattern": anchor.pattern},
        "stopped": [
            {"index": one.index, "status": one.status, "words": one.words, "unless": one.unless}
            for one in reading.stopped
        ],
        "fields": [
            {"name": one.name, "value": one.value, "index": one.index, "behind": one.words} for one in reading.lifted
        ],
    }


def _add_course(page: dict[str, Any], mail: InboundMail, desk: Bench, mail_id: int, mailbox: str) -> None:
    """What the service would do with it: whom it believes, which ticket, who is told."""
    from imbot import wiring
    from imbot.backends.evidence import believes
    from imbot.backends.recommending import judged
    from imbot.services import reports

    assert desk.settings is not None
    env = wiring.env(desk.settings, wiring.known_key(desk.settings))
    looked = reports.look(mail, env, mailbox)
    backend = env.backends.get(page["profile"]["taken"])
    if backend is not None:
        believed = looked.backend is not None
        reason = believes(backend.profile, mail, backend.evidence).reason if believed else looked.disbelief
        kind, judgement = backend.evidence.kind, judged(backend.evidence, mail)
        page["evidence"]["asked"] = {"kind": kind, "believed": believed, "reason": reason}
        for one in page["evidence"]["borne"]:  # of what is asked for, the settings' own judgement counts
            if one["kind"] == kind:
                one |= {"borne": judgement.ok, "found": judgement.reason}
        page["evidence"]["lacks"] = not judgement.ok
    try:
        url = database(desk.settings)
    except ImbotError as error:
        page["not_looked"] = str(error)
        return
    at = now()
    course = _undone(url, mail, looked, env, at, mail_id)
    templates = wiring.templates(desk.settings)
    ticket = course.ticket
    page["course"] = {
        "outcome": course.outcome,
        "reason": course.reason,
        "ticket": None
        if ticket is None
        else {"id": ticket.id, "title": ticket.title, "number": ticket.number, "token": ticket.token}
        | {"status": str(ticket.status), "backend": ticket.backend},
        "requester": course.requester,
        "suspected": course.suspected,
        "tried": [{"kind": one.kind, "found": one.found} for one in course.tried],
        "noted": [{"what": what, "values": dict(values)} for what, values in course.noted],
        "told": [
            {"kind": one.kind, "to": one.to, "lang": one.lang, "text": _words(one.screen, one.lang, templates, at)}
            for one in course.told
        ],
    }
    page["not"] = list(_not_happening(page))


class _Undone(Exception):
    """Carries the answer out of a transaction that must not be committed."""

    def __init__(self, course: Course) -> None:
        self.course = course


def _undone(url: str, mail: InboundMail, looked: Looked, env: Env, at: datetime, mail_id: int) -> Course:
    from dataclasses import replace

    from imbot.services import enclosures
    from imbot.services.explaining import explain as receive
    from imbot.store.db import once

    looked = replace(looked, came=enclosures.judge(mail, env))

    def try_out(c: Connection) -> None:
        raise _Undone(receive(c, mail, looked, at, env, mail_id))

    try:
        once(url, try_out)
    except _Undone as answer:
        return answer.course
    raise AssertionError("the transaction was kept")


def _words(screen: Mapping[str, Any] | None, lang: str, templates: Any, at: datetime) -> str:
    from imbot.dialog.render import render
    from imbot.dialog.screen import screen_from_json

    return render(screen_from_json(screen), lang, templates, now=at).text if screen else ""


def _not_happening(page: Mapping[str, Any]) -> Iterator[str]:
    """What somebody may have expected, and why it would not come."""
    course, meaning = page["course"], page["meaning"] or {}
    changed = [line for line in course["noted"] if line["what"] == "status"]
    told = any(one["kind"] in ("notice", "letter", "note") for one in course["told"])
    match course["outcome"]:
        case "quarantined":
            yield f"no ticket moves and no employee is told: {course['reason']}"
        case "duplicate" | "own":
            yield f"nothing at all: {course['reason']}"
        case "bounce":
            yield "no status is looked for: it is the report of a letter of ours that did not arrive"
        case "noted" | "comment" if not meaning.get("status"):
            yield "the status stays as it is: no [[status]] of the profile fits"
        case "noted":
            yield f"the status stays {course['ticket']['status']}: the letter says nothing newer"
    for one in meaning.get("stopped", []):
        words, against = _quoted(one["words"], 80), _quoted(one["unless"], 80)
        yield f"{one['status']} is not taken from {words}: {against} speaks against it"
    if changed and not told:
        yield "no new message to the employee: such a change is told by the receipt alone"
    yield "no letter is sent in answer: imbot never answers automatically"


# In words


def say_page(page: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(page)
        return
    for line in lines_of(page):
        say_wrapped(line)


def lines_of(page: Mapping[str, Any]) -> Iterator[str]:
    """The page for a person to read."""
    letter = page["letter"]
    yield one_line(letter["name"], 200)
    if "refused" in page:
        words = one_line(page["refused"], 300)
        yield f"  {words}" if words.startswith("cannot be read") else f"  cannot be read: {words}"
        return
    if "fate" in page:
        yield f"  its fate: {one_line(page['fate']['words'], 300)}"
    yield f"  from {one_line(letter['from'] or '(no sender)')}, {letter['date'] or 'no date'}"
    yield f"  {one_line(letter['subject'] or '(no subject)', 200)}"
    for part in letter["files"]:
        yield f"  file {one_line(part['name'])}, {part['size']} bytes"
    for problem in letter["problems"]:
        yield f"  mended while reading: {one_line(problem, 200)}"
    sections: tuple[Callable[[Mapping[str, Any]], Iterator[str]], ...] = (_profile, _origin, _says, _becomes)
    for section in sections:
        yield from section(page)


def _profile(page: Mapping[str, Any]) -> Iterator[str]:
    taken = page["profile"]
    yield ""
    unused = "" if taken["in_use"] or page["course"] is None or not taken["taken"] else " (none of those in use fits)"
    yield f"Profile: {taken['taken'] or 'none'}{unused}: {one_line(taken['reason'], 160)}"
    listed = sorted(taken["candidates"], key=lambda one: (not one["taken"], not one["in_use"]))
    told = [one for one in listed if one["taken"] or one["in_use"] or any(test["passed"] for test in one["tests"])]
    for one in told:
        called = one["name"] if one["name"] == one["profile"] else f"{one['name']} ({one['profile']})"
        yield f"  {called}: {'taken' if one['taken'] else one_line(one['reason'], 160)}"
        for test in one["tests"]:
            yield f"    {test['test']}: {'yes' if test['passed'] else 'no'}, {one_line(test['found'], 120)}"
    others = ", ".join(one["name"] for one in listed if one not in told)
    if others:
        yield f"  no test passed by {others}"


def _origin(page: Mapping[str, Any]) -> Iterator[str]:
    evidence = page["evidence"]
    asked = evidence.get("asked")
    yield ""
    if asked is None:
        unset = page["course"] is None and "not_looked" not in page
        yield f"Origin: not judged, since {'there is no config' if unset else 'no helpdesk of the settings reads it'}"
    else:
        verdict = "believed" if asked["believed"] else "NOT believed"
        yield f"Origin: {verdict} by {asked['kind']}, as the settings ask: {one_line(asked['reason'], 300)}"
    for one in evidence["borne"]:
        if asked is None or one["kind"] != asked["kind"]:
            borne = {True: "yes: ", False: "no: ", None: ""}[one["borne"]]
            yield f"  {one['kind']}: {borne}{one_line(one['found'], 200)}"
    strongest = next((one["kind"] for one in evidence["borne"] if one["borne"]), "")
    if strongest and not evidence.get("lacks"):
        yield f"  the strongest that it bears: {strongest}; ask for it, if the desk's other letters bear it too"
    if evidence.get("lacks"):
        yield "  it lacks the evidence that the settings ask for, and may be forged: do not ask for less because of it"


def _says(page: Mapping[str, Any]) -> Iterator[str]:
    meaning = page["meaning"]
    yield ""
    if meaning is None:
        yield "Meaning: unknown, since no profile reads it"
        return
    anchor = meaning["anchor"]
    status = meaning["status"] or (anchor["status"] if anchor else "no status")
    yield f"Meaning: {status}, {meaning['number'] or 'no number'}"
    if anchor:
        place = {"subject": "the subject", "body": "the text", "together": "subject and text"}.get(anchor["place"])
        yield f"  by [[status]] {anchor['index']} in {place or anchor['place']}: {_quoted(anchor['words'], 120)}"
        yield f"    {anchor['pattern']}"
    for one in meaning["stopped"]:
        beside = _quoted(one["words"], 80)
        yield f"  not {one['status']} by [[status]] {one['index']}: {_quoted(one['unless'], 80)} stands beside {beside}"
    for one in meaning["fields"]:
        yield f"  {one['name']}: {one_line(one['value'], 120)} ([[field]] {one['index']}, by {_quoted(one['behind'], 40)})"


def _becomes(page: Mapping[str, Any]) -> Iterator[str]:
    course = page["course"]
    yield ""
    if course is None:
        yield f"Ticket: not looked for: {page.get('not_looked') or 'no config, so no data base'}"
        return
    ticket = course["ticket"]
    if ticket is None and page["evidence"].get("asked", {}).get("believed") is False:
        yield "Ticket: not asked for, since the letter is not believed"
        if course["suspected"]:
            yield f"  were it believed, it would be about {one_line(course['suspected'], 200)}"
    elif ticket is None:
        yield f"Ticket: none: {course['reason']}"
    else:
        called = f"{ticket['number'] or 'no number yet'} {one_line(ticket['title'], 80)!r}"
        yield f"Ticket: {called}, {ticket['id']}, by {course['reason']}"
        yield f"  requester {one_line(course['requester'], 120) or 'forgotten'}"
    for one in course["tried"]:
        yield f"  {one['kind']}: {one_line(one['found'], 160)}"
    yield ""
    yield f"Would be: {course['outcome']}"
    for line in course["noted"]:
        values = ", ".join(f"{key}={value}" for key, value in line["values"].items() if value not in (None, "", [], {}))
        yield f"  noted: {line['what']} {one_line(values, 160)}".rstrip()
    yield from _told(course["told"])
    for one in page["not"]:
        yield f"  not: {one_line(one, 300)}"


def _quoted(words: str, limit: int) -> str:
    """Words of a letter on one line, in quotes."""
    return repr(one_line(words, limit))


def _told(told: list[dict[str, Any]]) -> Iterator[str]:
    for one in told:
        yield f"  told: {one['kind']} to {one_line(one['to'], 80)} ({one['lang']})"
        for line in one["text"].split("\n") if one["text"] else ():
            yield f"    | {line}"
