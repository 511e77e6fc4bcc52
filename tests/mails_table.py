"""The letters of `tests/mails` and what they mean, as a table: a line for each (`make fixtures`).

`<profile>/<name>.eml` is a letter; the `.toml` beside it says `status`, `number`, `fields` (all of them), `tokens`,
`comment_text`, `tag`; `sent`: texts of ours that the letter may repeat; `silent = true`: it is known, and nobody is told;
`nothing = true`: the profile finds nothing in it; `confirmed = false`: no source confirms the wording.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from imbot.backends.mail import comment_text, find_tokens, read, words
from imbot.backends.profiles import Profile, load_profiles
from imbot.mime import bytes_to_mail

ROOT = Path(__file__).resolve().parent.parent
TZ = ZoneInfo("Europe/Moscow")


@dataclass(frozen=True, slots=True)
class Case:
    """One letter and what is expected of it."""

    path: Path
    profile: Profile
    expected: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def language(self) -> str:
        mail = bytes_to_mail(self.path.read_bytes())
        looked = words(self.profile, mail)
        return "ru" if re.search("[а-яё]{3}", f"{looked.subject} {looked.body}", re.IGNORECASE) else "en"

    @property
    def confirmed(self) -> bool:
        return bool(self.expected.get("confirmed", True)) and self.profile.confirmed


def cases() -> list[Case]:
    profiles = load_profiles([ROOT / "templates" / "mail"])
    return [
        Case(path, profiles[path.parent.name], tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8")))
        for path in sorted((ROOT / "tests" / "mails").glob("*/*.eml"))
    ]


def meaning(case: Case) -> dict[str, Any]:
    """What the letter says to its profile, in the keys of the `.toml`."""
    mail, sent = bytes_to_mail(case.path.read_bytes()), case.expected.get("sent", [])
    report = read(case.profile, mail, tz=TZ, sent=sent)
    if report is None:
        return {"nothing": True}
    looked = words(case.profile, mail)
    found: dict[str, Any] = {
        "status": report.status.value if report.status else None,
        "number": report.number,
        "fields": dict(report.fields),
        "silent": report.silent,
        "tokens": list(find_tokens(mail)),
        "at": report.at == mail.date,
        "first": looked.numbers[:1] == ((report.number,) if report.number else ()),
    }
    if "comment_text" in case.expected:
        found["comment_text"] = comment_text(case.profile, mail, sent)
    if "tag" in case.expected:
        found["tag"] = looked.tag
    return found


def wanted(case: Case) -> dict[str, Any]:
    if case.expected.get("nothing"):
        return {"nothing": True}
    empty: dict[str, Any] = {
        "status": None,
        "number": "",
        "fields": {},
        "silent": False,
        "tokens": [],
        "at": True,
        "first": True,
    }
    about = ("sent", "confirmed")
    return empty | {name: value for name, value in case.expected.items() if name not in about}


def main() -> int:
    """Prints a line for each letter and a sum; ends with 1 where one means something else."""
    found = cases()
    row = "{:<17} {:<26} {:<2} {:<9} {:<11} {:<26} {:<36} {}"
    print(row.format("profile", "letter", "", "wording", "status", "number", "lifted", ""))
    wrong = 0
    for case in found:
        means = meaning(case)
        ok = means == wanted(case)
        wrong += not ok
        status = "nothing" if "nothing" in means else (means["status"] or ("silent" if means["silent"] else "-"))
        lifted = ", ".join(means.get("fields", {}))
        sure = "confirmed" if case.confirmed else "assumed"
        where = (case.path.parent.name, case.path.stem, case.language, sure)
        print(row.format(*where, status, means.get("number", ""), lifted, "ok" if ok else "WRONG").rstrip())
    confirmed, profiles = sum(case.confirmed for case in found), len({case.profile.name for case in found})
    print(f"{len(found)} letters of {profiles} profiles, {confirmed} of confirmed wording, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
