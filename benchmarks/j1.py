"""J1: an update of a chat -> the answer, at the messenger's API. A hundred people file requests at once, each waits for the
answer before they go on: six typed steps a round (new request, section, kind, a field, the description, away with it).

limit: raw aiohttp that says the words again. telebot, ptb: the same with a library; nothing is durable. aiogram: a wizard in
memory. orm: a wizard with one durable ORM commit a step. imbot: the real App with its data base: the step, the session and the
screen owed are durable before the answer goes. "pressed": one typed step and five buttons, two calls each, of every contestant.
CPU of the bot's process by the kernel; the run with kill -9 in its middle is imbot's alone, and checked, not timed.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import chatting, machine
from benchmarks.chatting import Stub
from benchmarks.journey import Figures, Journey, Place, Ratio, check

_CHATS, _ROUNDS = 100, 10
_SETTLE = 0.3  # seconds in which what follows an answer (an acknowledgement, a note that it was shown) is still counted
TYPED = (
    {"say": "новая заявка", "hear": "О чём заявка?"},
    {"say": "программное обеспечение", "hear": "Что именно?"},
    {"say": "Установка ПО", "hear": "Какая программа нужна"},
    {"say": "Компас", "own": "yes", "hear": "Что случилось?"},
    {"say": "Чертежи не открываются", "own": "yes", "hear": "Проверьте заявку"},
    {"say": "отмена", "hear": "Отменено"},
)
PRESSED = (  # the menu must stand in the chat before its first button can be pressed: a round begins with a word
    {"say": "/menu", "hear": "Выберите, что нужно"},
    {"press": "Новая заявка", "hear": "О чём заявка?"},
    {"press": "Программное обеспечение", "hear": "Что именно?"},
    {"press": "Назад", "hear": "О чём заявка?"},
    {"press": "Отмена", "hear": "Отменено"},
    {"press": "Меню", "hear": "Выберите, что нужно"},
)


@contextmanager
def prepare(scale: float) -> Iterator[Place]:
    chats, rounds = max(4, int(_CHATS * min(1.0, scale * 20))), max(1, int(_ROUNDS * scale))
    with tempfile.TemporaryDirectory(prefix="imbot-bench-") as name:
        folder = Path(name)
        database = chatting.linked_database(folder, chats)
        yield {"folder": name, "database": str(database), "chats": chats, "rounds": rounds}


def bot(name: str, steps: Sequence[Mapping[str, str]] = TYPED, *, echo: bool = True) -> Callable[[Place], Figures]:
    def contestant(place: Place) -> Figures:
        with (
            tempfile.TemporaryDirectory(prefix="imbot-bench-") as folder,
            chatting.stub(chats=place["chats"], rounds=place["rounds"], steps=steps, echo=echo) as stub,
        ):
            words = Path(folder) / "words.json"
            words.write_text(json.dumps([step["hear"] for step in steps]), "utf-8")
            figures = _measured(name, stub, words, place, len(steps))
            if name == "orm":
                _check_usual(Path(folder) / "usual.db", place["chats"])
        return figures

    return contestant


def _measured(name: str, stub: Stub, words: Path, place: Place, steps: int) -> Figures:
    count = place["chats"] * place["rounds"] * steps
    with chatting.bot(name, stub.url, words) as process:
        stub.hear("warm", process)
        time.sleep(_SETTLE)
        before = machine.cpu_seconds(process.pid)
        stub.say("go")
        seconds = stub.hear("done", process, patience=chatting.patience(count)) - stub.heard["began"]
        time.sleep(_SETTLE)
        cpu = machine.cpu_seconds(process.pid) - before
        report = chatting.checked(stub.report(), count)
    calls = report["calls"]
    check(calls.get("answercallbackquery", 0) == report["pressed"], f"{calls} for {report['pressed']} presses")
    told = sum(calls.get(method, 0) for method in ("sendmessage", "editmessagetext"))
    check(told == count, f"{told} messages for {count} updates")
    others = sum(calls.values()) - calls.get("getupdates", 0)
    return {
        "cpu_us": cpu / count * 1e6,
        "updates_per_s": count / seconds,
        "calls_a_step": others / count,
        "polls_a_step": calls.get("getupdates", 0) / count,
    }


def _check_usual(database: Path, chats: int) -> None:
    found = [json.loads(row[0]) for row in chatting.rows(database, "SELECT answers FROM dialogs")]
    whole = [each for each in found if each.get("3", "").startswith("Компас") and len(each) == len(TYPED)]
    check(len(whole) == chats, f"{len(whole)} whole dialogs of {chats} are in the data base")


# --- imbot


def imbot(place: Place) -> Figures:
    figures = _imbot(place, TYPED)
    figures["repeats_after_kill"] = _killed(place)
    figures["fdatasync_per_s"] = machine.syncs_per_second(Path(place["folder"]))
    return figures


def imbot_pressed(place: Place) -> Figures:
    return _imbot(place, PRESSED)


def _imbot(place: Place, steps: Sequence[Mapping[str, str]]) -> Figures:
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        chatting.stub(chats=place["chats"], rounds=place["rounds"], steps=steps, echo=False) as stub,
    ):
        config = chatting.company(Path(name), stub.url, place["database"])
        figures = _measured("imbot", stub, config, place, len(steps))
        count = place["chats"] * (place["rounds"] + 1) * len(steps)
        _check_rows(Path(name) / "var" / "imbot.db", place["chats"], count)
    return figures


def _check_rows(database: Path, chats: int, updates: int) -> None:
    """Every update taken once, every screen shown and noted, every session there."""
    asked = {
        "updates": ("SELECT count(*) FROM seen_keys WHERE key LIKE 'telegram:%'", updates),
        "screens noted as shown": ("SELECT count(*) FROM slots WHERE due_at IS NULL AND message_id != ''", chats),
        "sessions": ("SELECT count(*) FROM sessions", chats),
        "updates set aside": ("SELECT count(*) FROM bad_updates", 0),
    }
    for words, (statement, wanted) in asked.items():
        found = chatting.rows(database, statement)[0][0]
        check(found == wanted, f"{found} {words} of {wanted}")


def _killed(place: Place) -> float:
    """kill -9 halfway, and a second start: every update has its answer, in order, and is in the data base once. Returns how
    many answers came twice, which is honest only for those that were under way."""
    chats, rounds = place["chats"], max(2, place["rounds"] // 2)
    with (
        tempfile.TemporaryDirectory(prefix="imbot-bench-") as name,
        chatting.stub(chats=chats, rounds=rounds, steps=TYPED, echo=False, repeats_ok=True) as stub,
    ):
        config = chatting.company(Path(name), stub.url, place["database"])
        with chatting.bot("imbot", stub.url, config) as first:
            stub.hear("warm", first)
            stub.say("go")
            stub.hear("half", first)
            chatting.kill(first)
        stub.say("on")
        with chatting.bot("imbot", stub.url, config) as second:
            stub.hear("done", second, patience=chatting.patience(chats * rounds * len(TYPED)))
            time.sleep(_SETTLE)
            report = stub.report()
        check(not report["wrongs"], f"{report['wrongs']} wrong answers, first {report['wrong'][:1]}")
        check(report["answers"] == chats * rounds * len(TYPED), f"{report['answers']} answers after a kill")
        check(report["repeats"] <= 2 * chats, f"{report['repeats']} answers came twice")
        _check_rows(Path(name) / "var" / "imbot.db", chats, chats * (rounds + 1) * len(TYPED))
    return float(report["repeats"])


JOURNEY = Journey(
    "J1",
    "an update of a chat -> the answer",
    prepare,
    {
        "limit": bot("raw"),
        "telebot": bot("telebot"),
        "ptb": bot("ptb"),
        "aiogram": bot("aiogram", echo=False),
        "orm": bot("orm", echo=False),
        "imbot": imbot,
        "limit_pressed": bot("raw", PRESSED),
        "ptb_pressed": bot("ptb", PRESSED),
        "imbot_pressed": imbot_pressed,
    },
    (
        Ratio("CPU: imbot / python-telegram-bot echo", "imbot.cpu_us", "ptb.cpu_us", at_most=0.35, aim=0.23),
        Ratio("updates/s: imbot / python-telegram-bot echo", "imbot.updates_per_s", "ptb.updates_per_s", at_least=3),
        Ratio("CPU: imbot / telebot echo", "imbot.cpu_us", "telebot.cpu_us", aim=1.0),
        Ratio("CPU: imbot / limit", "imbot.cpu_us", "limit.cpu_us"),
        Ratio("CPU: imbot / aiogram wizard in memory", "imbot.cpu_us", "aiogram.cpu_us"),
        Ratio("CPU: imbot / ORM, a commit a step", "imbot.cpu_us", "orm.cpu_us"),
        Ratio(
            "pressed, CPU: imbot / python-telegram-bot echo",
            "imbot_pressed.cpu_us",
            "ptb_pressed.cpu_us",
            at_most=0.35,
        ),
        Ratio("pressed, CPU: imbot / limit", "imbot_pressed.cpu_us", "limit_pressed.cpu_us"),
    ),
    {"cpu_us": "us", "updates_per_s": "/s", "fdatasync_per_s": "/s"},
)
