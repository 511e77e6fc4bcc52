"""All named checks over a campaign's journals: `python -m tests.fire.checker FOLDER` prints what must not be and what was
counted, and exits with 1 where something must not be, with 2 where nothing was to be looked at."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fire import checks_again, checks_conduct, checks_letters, checks_service, checks_told, checks_words
from tests.fire.around import around
from tests.fire.facts import Finding, Journals, read_journals

Check = Callable[[Journals], list[Finding]]

CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        checks_letters.every_request_arrives,
        checks_letters.one_message_id,
        checks_letters.no_unexcused_double_letter,
        checks_letters.every_addition_arrives_once,
        checks_told.no_claim_without_fact,
        checks_told.every_status_told,
        checks_told.no_unexcused_double_notice,
        checks_told.in_order,
        checks_told.nobody_reads_anothers,
        checks_service.every_rating_kept,
        checks_service.every_input_answered,
        checks_service.serving_soon,
        checks_letters.files_arrive,
        checks_conduct.every_input_taken,
        checks_conduct.words_stand_once,
        checks_conduct.follow_ups_wait,
        checks_conduct.limits_kept,
        checks_conduct.no_storm,
        checks_conduct.codes_work_once,
        checks_service.work_goes_on,
        checks_words.letters_say_it_all,
        checks_words.shown_as_it_was_said,
        checks_again.said_once_is_enough,
        checks_letters.letters_leave_in_time,
    )
}
# What a busy machine can break: how soon it serves. Short runs that test the rest do not judge by it.
TIMED = frozenset({"serving_soon"})


def run_checks(journals: Journals) -> list[Finding]:
    """What must not be, by check. What was counted and excused is in `journals` afterwards."""
    return [finding for check in CHECKS.values() for finding in check(journals)]


def table(journals: Journals, findings: list[Finding]) -> str:
    """The findings of each check, what was looked at, and what the honest window excused."""
    per_check = Counter(finding.check for finding in findings)
    lines = [f"{number:>2} {name:<30} {per_check[name] or 'ok'}" for number, name in enumerate(CHECKS, 1)]
    lines += ["", *(f"   {what:<40} {n}" for what, n in sorted(journals.counted.items()))]
    lines += [f"   excused: {what:<31} {n}" for what, n in sorted(journals.excused.items()) if n]
    lines.append(f"   {'letters to the ITSM':<40} {len(journals.letters)}")
    lines.append(f"   {'messages shown or edited':<40} {len(journals.shows)}")
    lines.append(f"   {'kills':<40} {len(journals.kills)}")
    times = checks_service.answer_times(journals)
    for name, part in (("half", 0.5), ("95 of 100", 0.95), ("all", 1.0)) if times else ():
        lines.append(
            f"   {'answered within, s (' + name + ')':<40} {times[min(len(times) - 1, int(part * len(times)))]:.2f}"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--admin", type=int, action="append", default=[], help="chat of an admin")
    parser.add_argument("--serving-seconds", type=float, default=5.0)
    parser.add_argument("--around", action="store_true", help="with what the witnesses wrote around each finding")
    given = parser.parse_args(argv)
    journals = read_journals(given.folder, given.admin, given.serving_seconds)
    findings = run_checks(journals)
    for finding in findings:
        print(f"{finding.check} {finding.about}: {finding.words}")
        for line in around(given.folder, finding) if given.around else ():
            print(line)
    print(table(journals, findings))
    if not (journals.requests and journals.letters and journals.shows):
        print(f"there is nothing to judge in {given.folder}: no request, no letter or no message", file=sys.stderr)
        return 2
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
