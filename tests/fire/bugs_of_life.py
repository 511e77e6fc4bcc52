"""Mistakes that do harm while imbot lives, in any weather or in a certain one."""

from __future__ import annotations

from tests.fire.bug import NO_END, Bug, Edit
from tests.fire.employees import Habits
from tests.fire.helpdesk import Chances

_BRISK = Chances(pace=0.5, late=4.0, asks=0.0, rejects=0.0)  # work is done soon, and so is rated soon
_RESTLESS = Habits(leaves=0.3, rests=0.0, shuts=0.15)

BUGS: tuple[Bug, ...] = (
    Bug(
        "lanes_ignored",
        "whatever is open in a lane may go, in any order",
        (
            Edit(
                "imbot/store/lanes.py",
                "    .where(_P.id == head)\n",
                '    .where(_P.lane == bindparam("which"), text("settled_at IS NULL"))\n',
            ),
        ),
        # Two receipts of one request that go at once are two messages.
        frozenset({"in_order", "no_unexcused_double_notice"}),
        weather="telegram_uneven",
        # The pace of a chat keeps order as well, unless more is to be told than it lets through.
        plan={"kills": 1, "life": 40.0, "chances": Chances(pace=0.3, late=2.0), **NO_END},
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
        plan={"kills": 1, "life": 25.0, **NO_END},
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
        plan={"kills": 1, "life": 20.0, "chances": Chances(forges=0.6)},
    ),
    Bug(
        "rating_only_noted",
        "a rating stands in the history and nowhere else",
        (Edit("imbot/services/tickets.py", "    ratings.rate(c, ticket.id, order.stars, rated_at or now)\n", ""),),
        frozenset({"every_rating_kept"}),
        plan={"kills": 1, "life": 40.0, "chances": _BRISK, "habits": Habits(rates_low=0.8)},
    ),
    Bug(
        "complaint_not_sent",
        "a complaint is kept and never handed over",
        (
            Edit(
                "imbot/services/tickets.py",
                '    _follow_up(c, ticket, person, "complaint", order.text, now, env, fresh, order.files_id)\n',
                "",
            ),
        ),
        frozenset({"every_addition_arrives_once"}),
        plan={"kills": 1, "life": 45.0, "chances": _BRISK, "habits": Habits(rates_low=0.8)},
    ),
    Bug(
        "additions_do_not_wait",
        "an addition goes out before the helpdesk has given a number, and opens a second call",
        (
            Edit(
                "imbot/services/composing.py",
                '            waits_for=f"number:{ticket.id}" if waits else "",\n',
                '            waits_for="",\n',
            ),
        ),
        frozenset({"follow_ups_wait"}),
        plan={"kills": 1, "life": 30.0, "chances": Chances(registers_late=0.8), "habits": Habits(looks_after=0.7)},
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
        plan={"kills": 1, "life": 20.0},
    ),
    Bug(
        "told_to_another",
        "now and then a notice goes to another chat",
        (
            Edit(
                "imbot/services/telling.py",
                "    if chat_key:\n        parcel =",
                '    chat_key, lang = "telegram:1001", "ru"\n    if chat_key:\n        parcel =',
            ),
            Edit(
                "imbot/services/telling.py",
                "    if ticket is not None and still_theirs(c, ticket, chat_key):\n        return True\n",
                "    if True:\n        return True\n",
            ),
        ),
        frozenset({"nobody_reads_anothers"}),
        plan={"kills": 1, "life": 20.0, **NO_END},  # one chat hears what all should
    ),
    Bug(
        "album_keeps_its_first",
        "of an album the first photo is kept; one that is sent again by itself is as well",
        (
            Edit(
                "imbot/dialog/draft.py",
                "    if known is not None:\n",
                "    if event.album and any(held.album == event.album for held in pile.files):\n"
                '        return pile, (), ""\n'
                "    if known is not None:\n",
            ),
        ),
        frozenset({"said_once_is_enough"}),
        plan={"kills": 1, "life": 40.0, **NO_END},
    ),
    Bug(
        "requests_of_all_for_all",
        "whoever names a request sees and moves it, though it is another's",
        (
            Edit(
                "imbot/domain/tickets.py",
                "    return ticket.person_id == person.id and not person.gone\n",
                "    return not person.gone\n",
            ),
        ),
        frozenset({"nobody_reads_anothers"}),
        plan={"kills": 1, "life": 30.0, "habits": Habits(pries=0.3), **NO_END},
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
        plan={"kills": 1, "life": 25.0, "chances": Chances(bounces=0.4)},
    ),
    Bug(
        "repair_is_stormed",
        "what failed is tried again at once",
        (
            Edit("imbot/domain/parcels.py", "_DELAYS = (5, 15, 30, 60, 120, 300, 600, 900, 1800)", "_DELAYS = (0.05,)"),
            Edit("imbot/loops/courier.py", "_EASE = timedelta(seconds=1.2)", "_EASE = timedelta(0)"),
        ),
        frozenset({"no_storm"}),
        weather="smtp_refusing",
        plan={"kills": 1, "life": 25.0},
    ),
    Bug(
        "code_reusable",
        "a sign-in's code, and the link beside it, let in again and again",
        (
            Edit(
                "imbot/store/signin.py",
                "    return c.execute(found.values(used_at=now)).rowcount > 0\n\n\ndef save_invite",
                "    return c.execute(found.values(tries=codes.c.tries)).rowcount > 0\n\n\ndef save_invite",
            ),
        ),
        frozenset({"codes_work_once"}),
        plan={"kills": 1, "life": 10.0, "signing_in": 8},
    ),
    Bug(
        "closed_chat_overtaken",
        "news that go by letter do not wait for those that still wait for the chat",
        (
            Edit(
                "imbot/services/telling.py",
                "    if chat_key != ticket.chat_key and _waits_for_it(c, ticket.chat_key, person):\n",
                "    if False:\n",
            ),
        ),
        frozenset({"in_order"}),
        plan={"kills": 15, "chances": _BRISK, "habits": _RESTLESS},
    ),
    Bug(
        "news_end_with_their_chat",
        "what waits for a chat that is nobody's any more goes nowhere",
        (
            Edit(
                "imbot/services/delivery.py",
                "        if outbox.again(c, parcel, now, _NOT_THEIRS):\n",
                "        if not outbox.settle(c, parcel, _NOT_THEIRS, now):\n",
            ),
        ),
        frozenset({"every_status_told"}),
        plan={"kills": 15, "chances": _BRISK, "habits": _RESTLESS},
    ),
    Bug(
        "receipts_left_behind",
        "who comes back to a chat finds its receipts as they were left",
        (
            Edit(
                "imbot/services/telling.py",
                "    for ticket in tickets.filed_in(c, person_id, chat_key, _RECEIPTS):\n",
                "    for ticket in ():\n",
            ),
        ),
        frozenset({"every_status_told"}),
        plan={"kills": 1, "life": 40.0, "chances": _BRISK, "habits": _RESTLESS},
    ),
)
