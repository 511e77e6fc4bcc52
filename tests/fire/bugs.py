"""The rig's own test: mistakes of the kind that lose, double or invent something, each put on a copy of the code. A rig that
lets one of them pass would let the real one pass as well. Each is caught by a named check."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fire.nanny import ROOT


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` stands in `file` exactly once and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    """`caught`: checks of which at least one must find it. `places`: failpoints to kill at, in turn; `weather`: see
    `weather.py`; `plan`: what else of the campaign is changed."""

    name: str
    what: str
    edits: tuple[Edit, ...]
    caught: frozenset[str]
    places: tuple[str, ...] = ()
    weather: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)


def copy_with(bug: Bug, folder: Path) -> Path:
    """A copy of the product in `folder` with the bug in it. Raises LookupError where the code has changed so that an edit
    does not fit any more."""
    for name in ("imbot", "templates", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "var"))
    for edit in bug.edits:
        path = folder / edit.file
        text = path.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise LookupError(f"{bug.name}: {text.count(edit.old)} places in {edit.file} for {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return folder


_SMTP_PLACES = ("smtp_250:1", "smtp_250:2", "smtp_250:1")
_LOST_INPUT = frozenset(
    {"every_input_taken", "every_input_answered", "every_request_arrives", "every_addition_arrives_once"}
)

BUGS: tuple[Bug, ...] = (
    Bug(
        "confirmed_before_commit",
        "the next poll confirms updates whose transactions are not committed yet",
        (
            Edit(
                "imbot/loops/dispatch.py",
                "                await self._batch(updates)\n",
                "                kept = asyncio.ensure_future(self._batch(updates))\n                self._answers.add(kept)\n",
            ),
            Edit(
                "imbot/loops/dispatch.py",
                "        fresh = Fresh.mint(self._mail_domain)\n",
                '        await asyncio.sleep(0.3)\n        hit("half_way")\n        fresh = Fresh.mint(self._mail_domain)\n',
            ),
        ),
        _LOST_INPUT,
        places=("half_way:1", "half_way:2", "half_way:3", "half_way:4"),
        plan={"kills": 12, "life": 8.0},
    ),
    Bug(
        "first_time_skipped",
        "an update that comes again after a crash is carried out again",
        (
            Edit(
                "imbot/store/inbox.py",
                "    return _FIRST_TIME.run(c, key=key, at=now) > 0\n",
                "    _FIRST_TIME.run(c, key=key, at=now)\n    return True\n",
            ),
        ),
        frozenset({"words_stand_once", "no_unexcused_double_notice", "one_message_id", "every_addition_arrives_once"}),
        places=("turn_committed:2", "turn_committed:3", "turn_committed:5", "report_applied:1", "turn_committed:1"),
        plan={"kills": 14, "life": 6.0},
    ),
    Bug(
        "message_id_of_each_try",
        "a letter that is tried again bears another Message-ID",
        (
            Edit(
                "imbot/loops/errands.py",
                "        answer = await self._send(letter)\n        await noted(self._db, delivery.letter_accepted",
                "        if parcel.attempt > 1:\n"
                "            letter = replace(letter, message_id=mint_note_id(self._domain, self._env.key))\n"
                "        answer = await self._send(letter)\n        await noted(self._db, delivery.letter_accepted",
            ),
        ),
        frozenset({"one_message_id"}),
        places=_SMTP_PLACES,
        plan={"kills": 6, "life": 8.0},
    ),
    Bug(
        "handed_over_before_250",
        "a letter counts as handed over before the mail server has said so",
        (
            Edit(
                "imbot/loops/errands.py",
                "        answer = await self._send(letter)\n"
                "        await noted(self._db, delivery.letter_accepted, parcel, answer, self._clock(), self._env)\n",
                "        await self._db.run(delivery.letter_accepted, parcel, '250', self._clock(), self._env)\n"
                "        await self._send(letter)\n",
            ),
        ),
        frozenset({"no_claim_without_fact", "every_request_arrives"}),
        places=("smtp_mid_data:1", "smtp_rcpt:1"),
        weather="smtp_sleepy",
        plan={"kills": 4, "life": 10.0},
    ),
    Bug(
        "told_before_shown",
        "a notice counts as told before the person has it",
        (
            Edit(
                "imbot/loops/errands.py",
                "        message_id = await self._bring(parcel, screen, edit, lang, dialog=dialog)\n"
                "        chat_key = parcel.chat_key\n"
                '        hit("notice_sent"',
                "        chat_key = parcel.chat_key\n"
                '        message_id = edit or "0"\n'
                '        await self._db.run(delivery.message_shown, parcel, chat_key, "0", self._clock())\n'
                '        hit("before_shown")\n'
                "        message_id = await self._bring(parcel, screen, edit, lang, dialog=dialog)\n"
                '        hit("notice_sent"',
            ),
        ),
        frozenset({"every_status_told"}),
        places=("before_shown:2", "before_shown:3", "before_shown:4"),
        plan={"kills": 10, "life": 8.0},
    ),
    Bug(
        "leases_outlive_a_start",
        "what was claimed when imbot died waits until its lease ends",
        (Edit("imbot/loops/courier.py", "        await self._db.run(outbox.clear_leases)\n", "        pass\n"),),
        frozenset({"all_drained"}),
        places=("parcel_claimed:3", "smtp_rcpt:1", "notice_sent:1"),
        plan={"kills": 4, "life": 6.0, "peace": 45.0},
    ),
    Bug(
        "lanes_ignored",
        "whatever is open in a lane may go, in any order",
        (
            Edit(
                "imbot/store/lanes.py",
                "    .where(_P.id == _head)\n",
                '    .where(_P.lane == bindparam("which"), text("settled_at IS NULL"))\n',
            ),
        ),
        frozenset({"in_order", "follow_ups_wait", "files_arrive", "no_claim_without_fact"}),
        weather="telegram_uneven",
        plan={"kills": 1, "life": 40.0},
    ),
    Bug(
        "lease_shorter_than_a_send",
        "a parcel may be claimed again while it is being sent",
        (
            Edit("imbot/domain/parcels.py", "LEASE = timedelta(minutes=5)", "LEASE = timedelta(seconds=1)"),
            Edit(
                "imbot/loops/courier.py",
                "delivery.claim, now, wanted, list(self._running)",
                "delivery.claim, now, wanted, []",
            ),
        ),
        frozenset({"no_unexcused_double_letter", "no_unexcused_double_notice"}),
        weather="smtp_sleepy",
        plan={"kills": 1, "life": 40.0},
    ),
    Bug(
        "answered_before_commit",
        "a caller goes on before its transaction is committed",
        (
            Edit(
                "imbot/store/writer.py",
                '            raw.execute("COMMIT")\n            hit("group_committed")\n',
                "            if self.early is not None:\n"
                "                self.early(jobs)\n"
                "                import time\n\n                time.sleep(0.05)\n"
                '                hit("before_commit")\n'
                '            raw.execute("COMMIT")\n            hit("group_committed")\n',
            ),
            Edit(
                "imbot/store/writer.py",
                '        self.trouble = ""\n        self._path',
                '        self.early: Any = None\n        self.trouble = ""\n        self._path',
            ),
            Edit(
                "imbot/store/db.py",
                "        self._jobs: queue.SimpleQueue[Job | None]",
                "        self._writer.early = lambda jobs: self._loop.call_soon_threadsafe(self._answer, jobs)\n"
                "        self._jobs: queue.SimpleQueue[Job | None]",
            ),
        ),
        _LOST_INPUT | {"no_unexcused_double_notice", "no_unexcused_double_letter"},
        places=("before_commit:7", "before_commit:12", "before_commit:20", "before_commit:31", "before_commit:45"),
        plan={"kills": 16, "life": 8.0},
    ),
    Bug(
        "commits_not_synced",
        "a commit is not on the disk when it is answered",
        (Edit("imbot/store/engine.py", "PRAGMA synchronous=FULL", "PRAGMA synchronous=OFF"),),
        _LOST_INPUT
        | {"no_unexcused_double_letter", "no_unexcused_double_notice", "one_message_id", "every_status_told"},
        plan={"kills": 5, "life": 6.0, "power": True},
    ),
    Bug(
        "downloads_not_synced",
        "a file counts as stored before it is on the disk",
        (Edit("imbot/channels/telegram.py", "    out.flush()\n    os.fsync(out.fileno())\n", "    out.flush()\n"),),
        frozenset({"files_arrive"}),
        places=("file_stored:1", "file_stored:2", "letter_composed:1"),
        plan={"kills": 12, "life": 8.0, "power": True},
    ),
    Bug(
        "cursor_before_letters",
        "the mailbox's cursor moves before its letters are kept",
        (
            Edit(
                "imbot/loops/watcher.py",
                '            hit("mail_fetched")\n',
                "            await self._db.run(inbox.set_cursor, self.name, batch.cursor)\n"
                '            hit("mail_fetched")\n',
            ),
        ),
        frozenset({"every_status_told"}),
        places=("mail_fetched:1", "mail_fetched:2", "mail_fetched:3"),
        plan={"kills": 8, "life": 8.0},
    ),
    Bug(
        "one_try_for_a_letter",
        "a letter at which imbot died is set aside at once",
        (Edit("imbot/services/reports.py", "TRIES = 3 ", "TRIES = 1 "),),
        frozenset({"every_status_told"}),
        places=("worker_parsing:1", "letter_read:1", "attempts_counted:2"),
        plan={"kills": 8, "life": 8.0},
    ),
    Bug(
        "evidence_not_asked_for",
        "whoever writes From the helpdesk's address is believed",
        (
            Edit(
                "imbot/backends/evidence.py",
                '    match evidence.kind:\n        case "auth-results":\n',
                '    match "sender-only":\n        case "auth-results":\n',
            ),
        ),
        frozenset({"nobody_reads_anothers"}),
        plan={"kills": 1, "life": 45.0},
    ),
    Bug(
        "rating_only_noted",
        "a rating stands in the history and nowhere else",
        (Edit("imbot/services/tickets.py", "    ratings.rate(c, ticket.id, order.stars, rated_at or now)\n", ""),),
        frozenset({"every_rating_kept"}),
        plan={"kills": 1, "life": 60.0},
    ),
    Bug(
        "complaint_not_sent",
        "a complaint is kept and never handed over",
        (
            Edit(
                "imbot/services/tickets.py",
                '    _follow_up(c, ticket, "complaint", order.text, now, env, fresh, order.files_id)\n',
                "",
            ),
        ),
        frozenset({"every_addition_arrives_once"}),
        plan={"kills": 1, "life": 75.0},
    ),
    Bug(
        "additions_do_not_wait",
        "an addition goes out before the helpdesk has given a number, and opens a second call",
        (
            Edit(
                "imbot/services/filing.py",
                '            waits_for=f"number:{ticket.id}" if waits else "",\n',
                '            waits_for="",\n',
            ),
        ),
        frozenset({"follow_ups_wait"}),
        plan={"kills": 1, "life": 60.0},
    ),
    Bug(
        "no_pace",
        "messages go out as fast as they come",
        (
            Edit(
                "imbot/channels/pacer.py",
                "        at = self._held_until\n",
                '        return float("-inf")\n        at = self._held_until\n',
            ),
            Edit(
                "imbot/channels/pacer.py",
                "        if pace is None:\n            return float",
                "        if pace is None or pace is not None:\n            return float",
            ),
        ),
        frozenset({"limits_kept"}),
        plan={"kills": 1, "life": 40.0, "persons": 40},
    ),
    Bug(
        "files_left_behind",
        "a letter goes out without its files",
        (
            Edit(
                "imbot/services/letters.py",
                "        attachments=tuple(attachment(row, folder) for row in rows if row.path),\n",
                "",
            ),
        ),
        frozenset({"files_arrive"}),
        plan={"kills": 1, "life": 45.0},
    ),
    Bug(
        "screen_noted_before_shown",
        "a screen is owed no more before the person sees it",
        (
            Edit(
                "imbot/loops/screens.py",
                '        hit("screen_owed")\n',
                '        await self._db.run(sessions.shown, chat_key, owed.seq, owed.edit_message_id or "0", self._clock())\n'
                '        hit("screen_owed")\n',
            ),
        ),
        frozenset({"every_input_taken", "every_input_answered"}),
        places=("screen_owed:2", "screen_owed:3", "screen_owed:5", "screen_owed:4"),
        plan={"kills": 12, "life": 8.0},
    ),
    Bug(
        "owed_screens_forgotten",
        "what was owed when imbot died is never shown",
        (Edit("imbot/loops/screens.py", "await self._db.read(sessions.owed, now, 200)", "[]"),),
        frozenset({"every_input_taken", "every_input_answered", "all_drained"}),
        places=("turn_committed:2", "turn_committed:3", "screen_owed:3", "turn_committed:5"),
        plan={"kills": 12, "life": 8.0, "peace": 45.0},
    ),
    Bug(
        "told_to_another",
        "now and then a notice goes to another chat",
        (
            Edit(
                "imbot/services/telling.py",
                "    chat_key = open_chat(c, person, ticket.chat_key)\n    if chat_key:\n        parcel =",
                '    chat_key = "telegram:1001"\n    if chat_key:\n        parcel =',
            ),
        ),
        frozenset({"nobody_reads_anothers"}),
        plan={"kills": 1, "life": 40.0},
    ),
    Bug(
        "bounces_ignored",
        "nobody is told that a letter came back",
        (
            Edit(
                "imbot/services/returned.py",
                '        if bounce.action == "failed":\n',
                '        if bounce.action == "failed":\n            return None\n',
            ),
        ),
        frozenset({"every_status_told"}),
        plan={"kills": 1, "life": 60.0},
    ),
    Bug(
        "repair_is_stormed",
        "what failed is tried again at once",
        (Edit("imbot/domain/parcels.py", "_DELAYS = (5, 15, 30, 60, 120, 300, 600, 900, 1800)", "_DELAYS = (0.05,)"),),
        frozenset({"no_storm"}),
        weather="smtp_refusing",
        plan={"kills": 1, "life": 40.0},
    ),
)
