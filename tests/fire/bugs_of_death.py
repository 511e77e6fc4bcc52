"""Mistakes that do harm where imbot dies at a certain place, or where the power fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fire.bug import NO_END, Bug, Edit
from tests.fire.employees import Habits
from tests.fire.helpdesk import Chances
from tests.fire.persons import Patience

_SMTP_PLACES = ("smtp_250:1", "smtp_250:2", "smtp_250:1")
_LOST_INPUT = frozenset(
    {"every_input_taken", "every_input_answered", "every_request_arrives", "every_addition_arrives_once"}
)

# A draft or a button that is taken twice, or whose answer came too early, is mended by the person as they go on: it is what is
# sent at once that shows it. There must be requests first, in a life without a death, and then many deaths.
_SENT_AT_ONCE: Mapping[str, Any] = {
    "life": 20.0,
    "habits": Habits(looks_after=0.85, replies=0.9),
    "chances": Chances(pace=4.0),
}
# After each death a life without one, longer than the check asks for, and persons who wait so long before they do it again.
_TIME_TO_BE_MISSED: Mapping[str, Any] = {
    "kills": 6,
    "life": 8.0,
    "peace": 30.0,
    "patience": Patience(step=14.0, whole=60.0, think=0.7, hand=0.15),
}

BUGS: tuple[Bug, ...] = (
    Bug(
        "confirmed_before_commit",
        "the next poll confirms updates whose transactions are not committed yet",
        (
            Edit(
                "imbot/loops/dispatch.py",
                "                    await self._batch(updates)\n",
                "                    self._answers.add(asyncio.ensure_future(self._batch(updates)))\n",
            ),
            Edit(
                "imbot/loops/dispatch.py",
                "        fresh = Fresh.mint(self._mail_domain)\n",
                '        await asyncio.sleep(0.3)\n        hit("half_way")\n        fresh = Fresh.mint(self._mail_domain)\n',
            ),
        ),
        _LOST_INPUT,
        places=("half_way:2", "", "half_way:4", "", "half_way:3", ""),
        plan=_TIME_TO_BE_MISSED,
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
        places=("", *(f"turn_committed:{n}" for n in (4, 9, 6, 13, 7, 3, 11, 5, 8, 12))),
        plan={"kills": 22, **_SENT_AT_ONCE},
    ),
    Bug(
        "unique_index_dropped",
        "nothing keeps the data base from noting the same update twice",
        (
            Edit(
                "imbot/store/migrate.py",
                "            return [] if revision == HEAD else _upgrade(c, path)\n",
                "            raw_connection(c).executescript(\n"
                '                "CREATE TABLE loose AS SELECT * FROM seen_keys; DROP TABLE seen_keys;"\n'
                '                "ALTER TABLE loose RENAME TO seen_keys"\n'
                "            )\n"
                "            return [] if revision == HEAD else _upgrade(c, path)\n",
            ),
        ),
        frozenset({"words_stand_once", "no_unexcused_double_notice", "one_message_id", "every_addition_arrives_once"}),
        places=("", *(f"turn_committed:{n}" for n in (4, 9, 6, 13, 7, 3, 11, 5, 8, 12))),
        plan={"kills": 22, **_SENT_AT_ONCE},
    ),
    Bug(
        "message_id_of_each_try",
        "a letter that is tried again bears another Message-ID",
        (
            Edit(
                "imbot/loops/errands.py",
                "        answer = await self._send(letter)\n        await self._accepted.noted(",
                "        if parcel.attempt > 1:\n"
                "            letter = replace(letter, message_id=mint_note_id(self._domain, self._env.key))\n"
                "        answer = await self._send(letter)\n        await self._accepted.noted(",
            ),
        ),
        frozenset({"one_message_id"}),
        places=_SMTP_PLACES,
        plan={"kills": 4, "life": 8.0},
    ),
    Bug(
        "handed_over_before_250",
        "a letter counts as handed over before the mail server has said so",
        (
            Edit(
                "imbot/loops/errands.py",
                "        answer = await self._send(letter)\n"
                "        await self._accepted.noted(parcel, answer, self._clock(), self._env)\n",
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
        plan={"kills": 4, "life": 8.0, **NO_END},
    ),
    Bug(
        "leases_outlive_a_start",
        "what was claimed when imbot died waits until its lease ends",
        (
            Edit(
                "imbot/loops/courier.py",
                "        await self._db.run(outbox.clear_leases)\n",
                "        _, _, held = await self._db.read(outbox.look, [])\n"
                "        self._carried.update((parcel.id, parcel.attempt) for parcel in held)\n",
            ),
        ),
        frozenset({"all_drained"}),
        places=("parcel_claimed:3", "smtp_rcpt:1", "notice_sent:1"),
        plan={
            "kills": 4,
            "life": 6.0,
            **NO_END,
            "peace": 120.0,
        },  # less than a lease, and more than the pace of a chat takes
    ),
    Bug(
        "answered_before_commit",
        "a caller goes on before its transaction is committed",
        (
            Edit(
                "imbot/store/writer.py",
                '            raw.execute("COMMIT")\n            self.touched, self.taken = take_touched(c), all_taken(c)\n',
                "            if self.early is not None:\n"
                "                self.early(jobs)\n"
                "                import time\n\n                time.sleep(0.05)\n"
                '                hit("before_commit")\n'
                '            raw.execute("COMMIT")\n            self.touched, self.taken = take_touched(c), all_taken(c)\n',
            ),
            Edit(
                "imbot/store/writer.py",
                "        self.touched: frozenset[str] = frozenset()\n",
                "        self.early: Any = None\n        self.touched: frozenset[str] = frozenset()\n",
            ),
            Edit(
                "imbot/store/db.py",
                "        self._jobs: queue.SimpleQueue[Job | None]",
                "        self._writer.early = lambda jobs: self._loop.call_soon_threadsafe(self._answer, jobs, frozenset(), [])\n"
                "        self._jobs: queue.SimpleQueue[Job | None]",
            ),
        ),
        _LOST_INPUT | {"no_unexcused_double_notice", "no_unexcused_double_letter"},
        places=("", *(f"before_commit:{n}" for n in (25, 40, 18, 33, 12, 28, 21))),
        plan={"kills": 16, **_SENT_AT_ONCE},
    ),
    Bug(
        "commits_not_synced",
        "a commit is not on the disk when it is answered",
        (Edit("imbot/store/engine.py", "PRAGMA synchronous=FULL", "PRAGMA synchronous=OFF"),),
        _LOST_INPUT
        | {"no_unexcused_double_letter", "no_unexcused_double_notice", "one_message_id", "every_status_told"},
        plan={"kills": 5, "life": 6.0, "power": True, **NO_END},
    ),
    Bug(
        "downloads_not_synced",
        "a file counts as stored before it is on the disk",
        (Edit("imbot/channels/telegram.py", "    out.flush()\n    os.fsync(out.fileno())\n", "    out.flush()\n"),),
        frozenset({"files_arrive"}),
        places=("file_stored:1", "file_stored:2", "letter_composed:1"),
        plan={"kills": 8, "life": 8.0, "power": True},
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
        plan={"kills": 4, "life": 8.0},
    ),
    Bug(
        "marked_before_stored",
        "a letter is marked, and put into the folder of those that are done, before it is kept",
        (
            Edit(
                "imbot/loops/watcher.py",
                '            hit("mail_fetched")\n',
                '            await self._mailbox.mark(batch.letters)\n            hit("mail_fetched")\n',
            ),
        ),
        frozenset({"every_status_told"}),
        places=("mail_fetched:1", "mail_fetched:2", "mail_fetched:3"),
        plan={"kills": 4, "life": 8.0, "settings": {"mailbox": {"processed_folder": "Done"}}},
    ),
    Bug(
        "one_try_for_a_letter",
        "a letter at which imbot died is set aside at once",
        (Edit("imbot/services/reports.py", "DEATHS = 10 ", "DEATHS = 1 "),),
        frozenset({"every_status_told"}),
        places=("worker_parsing:1", "letter_read:1", "attempts_counted:2"),
        plan={"kills": 5, "life": 8.0},
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
        places=("screen_owed:2", "", "screen_owed:5", "", "screen_owed:4", ""),
        plan=_TIME_TO_BE_MISSED,
    ),
    Bug(
        "owed_screens_forgotten",
        "what was owed when imbot died is never shown",
        (Edit("imbot/loops/screens.py", "await self._db.read(sessions.owed, now, 200)", "[]"),),
        frozenset({"every_input_taken", "every_input_answered"}),
        places=("turn_committed:2", "", "screen_owed:3", "", "turn_committed:5", ""),
        plan=_TIME_TO_BE_MISSED,
    ),
)
