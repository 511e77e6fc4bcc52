"""The faults of normal life: the table of their kinds, what is found in what was seen of them, the bad machine that is made for
them, and a short trial of some. `python -m tests.fire faults` plays them all."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fire import checks_faults, texts
from tests.fire.checker import TIMED
from tests.fire.checks_faults import Limits, Tried
from tests.fire.facts import Journals
from tests.fire.faults import KINDS, PARTS, may_meet, must_be_red, pairs
from tests.fire.faults_home import LDAP, MACHINE, STORE
from tests.fire.faults_mail import IMAP, SMTP
from tests.fire.faults_telegram import TELEGRAM
from tests.fire.outages import LEGS
from tests.fire.trial import Trial, play
from tests.fire.trouble import FULL, READ_ONLY, Trouble
from tests.servers import need

LIMITS = Limits()
SEED = 20261129
# Time is no judge here: whatever a busy machine makes of it, nothing may be lost, doubled or unhandled.
PATIENT = Limits(red=120, answer=90, drained=300, green=180)
ALONE = (
    *("tg_sending_500", "tg_answer_lost", "smtp_421", "smtp_drop_dot"),
    *("imap_restarted", "disk_full", "clock_ahead", "sigkill"),
)
TOGETHER = (("ldap_refused", "db_locked_short"), ("smtp_cut", "imap_cut"))


# --- the table


def test_there_are_enough_kinds_and_each_is_told_apart() -> None:
    every = (*TELEGRAM, *SMTP, *IMAP, *LDAP, *STORE, *MACHINE)
    assert len({one.name for one in every}) == len(every) == len(KINDS) >= 40
    assert len({(one.part, one.words) for one in every}) == len(every)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_lays_hands_on_what_there_is(name: str) -> None:
    one = KINDS[name]
    assert one.part in PARTS
    assert one.red <= {"telegram", "smtp", "mailbox", "directory", "store"}
    assert one.down in ("", *LEGS)
    assert 0 < one.seconds <= (900 if one.by_name else 60)


def test_pairs_never_lay_hands_on_the_same_and_a_seed_repeats_them() -> None:
    drawn = list(pairs(random.Random(7), 60))
    assert all(may_meet(*pair) for pair in drawn)
    assert not any(one.by_name or one.pop3 for pair in drawn for one in pair)
    assert len({frozenset((one.name, other.name)) for one, other in drawn}) == 60
    assert drawn == list(pairs(random.Random(7), 60))


def test_of_a_pair_only_that_must_be_red_which_can_be_known() -> None:
    def red(*names: str) -> set[str]:
        return set(must_be_red(tuple(KINDS[name] for name in names)))

    assert red("smtp_421", "imap_refused") == {"smtp", "mailbox"}
    assert red("smtp_421", "tg_5xx") == {"telegram"}
    assert red("smtp_421", "disk_full") == {"store"}
    assert red("smtp_421", "db_locked_short") == set()  # of two at once the short one lasts as long as the other
    assert red("smtp_421", "disk_full_for_files") == {"smtp"}
    assert red("smtp_421", "asleep") == set()


# --- what is found


def tried(**values: Any) -> Tried:
    usual: dict[str, Any] = {"names": ("one",), "asked": 99.0, "begun": 100.0, "ended": 120.0, "drained": 3.0}
    return Tried(**usual | values)


def test_a_leg_that_is_red_late_or_never_is_found() -> None:
    must = frozenset({"smtp", "store"})
    assert checks_faults.red_in_time(tried(must=must, red={"smtp": 29.0, "store": 0.5}), LIMITS) == []
    late = checks_faults.red_in_time(tried(must=must, red={"smtp": 30.5}), LIMITS)
    assert [one.words.split(" in ")[0] for one in late] == ["smtp was red after 30.5 s", "store was red never"]


def sent(t: float, chat: int, update: int, text: str = "?") -> dict[str, Any]:
    return {"t": t, "e": "sent", "chat": chat, "kind": "message", "update": update, "text": text, "value": "", "on": 0}


def saw(t: float, chat: int, message: int) -> dict[str, Any]:
    return {"t": t, "e": "saw", "chat": chat, "message": message, "text": "!", "buttons": []}


def test_an_input_that_was_not_answered_in_time_is_found_where_it_could_be() -> None:
    bot = [sent(101, 1, 1), saw(110, 1, 5), sent(105, 2, 2), saw(116, 2, 6), sent(119, 3, 3), sent(90, 4, 4)]
    journals = Journals(bot=bot)
    (found,) = checks_faults.answered_honestly(journals, tried(), LIMITS)
    assert found.words.startswith("2 inputs waited for too long, the longest inf s: 3")
    assert [round(seconds) for seconds, _ in checks_faults.answer_times(journals, tried(excused=frozenset({3})))] == [
        11,
        9,
    ]
    (found,) = checks_faults.answered_honestly(
        journals, tried(answered=False), LIMITS
    )  # of them, the one never answered
    assert found.words.startswith("1 inputs waited for too long, the longest inf s: 3")
    bot.append(saw(129.5, 3, 7))
    assert checks_faults.answered_honestly(Journals(bot=bot), tried(answered=False), LIMITS) == []
    bot[-1] = saw(130.5, 3, 7)
    assert len(checks_faults.answered_honestly(Journals(bot=bot), tried(answered=False), LIMITS)) == 1
    bot.pop()
    assert checks_faults.answered_honestly(journals, tried(excused=frozenset({2, 3})), LIMITS) == []


def test_news_are_no_answer_and_a_second_tap_wants_none() -> None:
    news = {"text": "Заявка IM-CL-1 «fire0000001» в работе."}
    assert texts.is_news(news["text"])
    bot = [sent(101, 1, 1), saw(102, 1, 5) | news, saw(108, 1, 6)]
    assert [seconds for seconds, _ in checks_faults.answer_times(Journals(bot=bot), tried())] == [7]
    press = {"kind": "press", "value": "rate:x1:5", "on": 6}
    bot = [sent(101, 1, 1) | press, sent(101.5, 1, 2) | press, saw(103, 1, 6)]
    assert [seconds for seconds, _ in checks_faults.answer_times(Journals(bot=bot), tried())] == [2]


def test_what_does_not_drain_or_stays_red_is_found() -> None:
    assert checks_faults.drained_in_time(tried(), LIMITS) == []
    assert checks_faults.drained_in_time(tried(drained=None, left="2 parcels"), LIMITS)[0].words.endswith("2 parcels")
    assert checks_faults.drained_in_time(tried(drained=301.0), LIMITS)
    assert checks_faults.green_again(tried()) == []
    assert "smtp: refused" in checks_faults.green_again(tried(still={"smtp": "refused"}))[0].words


@pytest.mark.parametrize(("every", "storms"), [(1.0, False), (0.7, True)])
def test_a_storm_is_told_from_trying_once_a_second(every: float, storms: bool) -> None:
    moments = [101.5 + every * n for n in range(int(18 / every))]
    down = tried(down={"smtp": 25})
    connects = [(t, 25) for t in moments] + [(t + 0.1, 26) for t in moments]
    assert bool(checks_faults.no_storm(Journals(), connects, down, LIMITS)) == storms
    smtp = [{"t": t, "e": "refused", "code": 421} for t in moments]
    assert bool(checks_faults.no_storm(Journals(smtp=smtp), [], down, LIMITS)) == storms
    bot = [{"t": t, "e": "refused", "ordered": True} for t in moments]
    assert bool(checks_faults.no_storm(Journals(bot=bot), [], tried(down={"telegram": 1}), LIMITS)) == storms
    at_once = [(100.5, 25)] * 30  # what was under way when it went down
    assert checks_faults.no_storm(Journals(), at_once, down, LIMITS) == []


def test_whatever_takes_imbot_by_surprise_is_found_in_its_log() -> None:
    lines = [
        {"event": "store_unavailable", "level": "error", "error": "the disk is full"},
        {"event": "not_delivered", "level": "warning"},
        {"event": "screen_not_shown", "level": "warning"},
        {"event": "loop_died", "level": "error", "exception": "Traceback ...\nKeyError: 1"},
        {"event": "Task exception was never retrieved", "level": "error", "exception": "Traceback ...\nOSError: no"},
    ]
    log = "\n".join([*(json.dumps(line) for line in lines), "Fatal Python error: Aborted", ""])
    found = [one.words for one in checks_faults.no_unhandled(tried(log=log))]
    assert found == ["loop_died: KeyError: 1", "Task exception was never retrieved: OSError: no", lines_end(log)]


def test_a_start_that_the_data_base_forbids_may_say_so() -> None:
    one = tried(log="imbot: the data base is locked by another program\n")
    assert len(checks_faults.no_unhandled(one)) == 1
    assert checks_faults.no_unhandled(replace(one, names=("db_locked", "sigkill"))) == []


def lines_end(log: str) -> str:
    return log.splitlines()[-1]


def test_silence_behind_a_letter_excuses_a_second_one_and_silence_before_it_does_not() -> None:
    def journals(stage: str) -> Journals:
        orders = [{"t": 5.0, "e": "fault", "verb": "hang", "stage": stage}, {"t": 9.0, "e": "fault", "verb": "clear"}]
        return Journals(smtp=orders)

    assert journals("data").excuse(6.0, 9.0, "smtp") == "cut"
    assert journals("mail").excuse(6.0, 9.0, "smtp") == ""


# --- the bad machine

CHILD = """
import datetime, os, socket, sqlite3, sys, time
root, outside = sys.argv[1:]
c = sqlite3.connect(root + "/x.db", isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("CREATE TABLE t (n)")

def write(path):
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(file, b"x")
    finally:
        os.close(file)

def tried(what):
    try:
        what()
    except (OSError, sqlite3.Error) as error:
        return getattr(error, "sqlite_errorname", "") or error.errno
    return 0

def knock():
    with socket.socket() as one:
        one.connect(("127.0.0.1", 9))

for line in sys.stdin:
    off = round((time.time() - float(line)) / 3600), round((datetime.datetime.now().timestamp() - float(line)) / 3600)
    answers = [tried(lambda: write(root + "/files/a")), tried(lambda: c.execute("INSERT INTO t VALUES (1)"))]
    print([*answers, tried(lambda: write(outside)), *off], flush=True)
    tried(knock)
"""


def test_a_disk_is_full_or_read_only_and_a_clock_wrong_on_order(tmp_path: Path) -> None:
    need("gcc")
    root = tmp_path / "var"
    (root / "files").mkdir(parents=True)
    trouble = Trouble(root, tmp_path / "trouble")
    env = {**os.environ, **trouble.environment}
    command = [sys.executable, "-c", CHILD, str(root), str(tmp_path / "outside")]
    began = time.monotonic()
    with subprocess.Popen(
        command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def answer() -> str:
            assert child.stdin is not None
            assert child.stdout is not None
            print(time.time(), file=child.stdin, flush=True)
            return child.stdout.readline().strip()

        assert answer() == "[0, 0, 0, 0, 0]"
        trouble.disk(FULL)
        assert answer() == f"[{FULL}, 'SQLITE_FULL', 0, 0, 0]"
        trouble.disk(FULL, "/files")
        assert answer() == f"[{FULL}, 0, 0, 0, 0]"
        trouble.disk(READ_ONLY)
        assert answer().startswith(f"[{READ_ONLY}, 'SQLITE_")
        trouble.disk(0)
        trouble.clock(86_400)
        assert answer() == "[0, 0, 0, 24, 24]"
        trouble.clock(-86_400)
        assert answer() == "[0, 0, 0, -24, -24]"
        trouble.clock(0)
        assert answer() == "[0, 0, 0, 0, 0]"
        child.stdin.close()
    assert [port for _, port in trouble.connects()] == [9] * 7
    assert all(began <= t <= time.monotonic() for t, _ in trouble.connects())


# --- a trial


@pytest.mark.servers
@pytest.mark.parametrize(
    ("names", "pop3"),
    [((*((name,) for name in ALONE), *TOGETHER), False), ((("imap_cut",), ("pop3_locked",)), True)],
    ids=["imap", "pop3"],
)
def test_nothing_is_lost_doubled_or_unhandled_under_some_faults_of_normal_life(
    tmp_path: Path, names: tuple[tuple[str, ...], ...], pop3: bool
) -> None:
    need("gcc")
    rows = [tuple(KINDS[name] for name in row) for row in names]
    short = [tuple(replace(one, seconds=min(one.seconds, 4.0)) for one in row) for row in rows]
    outcome = asyncio.run(play(tmp_path, Trial(short, SEED, persons=4, limits=PATIENT, pop3=pop3)))
    wrong = [one for one in outcome.findings if one.check not in TIMED]
    told = "\n".join(f"{one.check} {one.about}: {one.words}" for one in wrong)
    assert not wrong, f"seed {SEED}\n{outcome.table}\n{told}"
    assert [one.names for one in outcome.tried] == [tuple(one.name for one in row) for row in rows]
    assert outcome.walks["filed"] > 0
