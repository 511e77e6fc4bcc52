"""Every screen that only admins see, with the values that the services give them: in every state, plain and with messy words."""

from __future__ import annotations

import itertools

from imbot.dialog.admin import alert_screen, legs_screen, question_screen
from imbot.dialog.screen import Screen
from tests.dialog.world import START

MOMENT = START.isoformat()
STATES = ("open", "again", "leave", "registered", "ended", "failed")
LEGS = ("mailbox", "mailbox:glpi", "smtp", "directory", "telegram", "store", "disk", "timer sweep")


def admin_screens(messy: str) -> dict[str, Screen]:
    found = {"no questions": Screen("no_questions"), "looking": Screen("looking")}
    for state, waits, words, by_letter in itertools.product(STATES, (0, 1, 5), ("", messy), (False, True)):
        values = {
            "ticket": "x" * 16,
            "title": messy,
            "number": "IM-CL-1" if state == "registered" else "",
            "status": "registered" if state == "registered" else "withdrawn" if state == "ended" else "new",
            "name": words,
            "address": words and "anna@demo.local",
            "phone": words and "12-34",
            "sent_at": MOMENT,
            "answer": words,
            "trouble": [words, words] if words else [],
            "waits": waits,
            "read_at": MOMENT if words else None,
            "asked": 1 + bool(words),
            "told": bool(words),
            "state": state,
            "let_go": not waits,
            "by": words,
            "at": None if state == "open" else MOMENT,
            "by_letter": by_letter,
            "now": MOMENT,
        }
        found[f"question {state} {waits} {bool(words)} {by_letter}"] = question_screen(values)
    for error, checked in itertools.product(("", messy), (False, True)):
        legs = [
            {"leg": leg, "ok": not error, "since": MOMENT if error else None, "error": error, "ok_at": MOMENT}
            for leg in LEGS
        ]
        found[f"legs {bool(error)} {checked}"] = legs_screen(legs, MOMENT, checked=checked)
        alerts = [
            {"name": name, "at": MOMENT, "values": {"leg": leg, "since": MOMENT, "until": MOMENT, "error": error}}
            for leg in LEGS[:6]
            for name in ("leg_down", "leg_up")
        ]
        found[f"alert {bool(error)} {checked}"] = alert_screen(alerts)
    found["legs none"] = legs_screen([], MOMENT, checked=False)
    answered = {"title": messy, "number": "", "status": "new"}
    many = [
        {"name": "unconfirmed", "at": MOMENT, "values": {"count": 5, "since": MOMENT}},
        {"name": "addition_waits", "at": MOMENT, "values": {"title": messy, "ticket": "x" * 16}},
        {"name": "quarantine_more", "at": MOMENT, "values": {"sender": messy, "count": 57, "since": MOMENT}},
        {"name": "quarantine_more", "at": MOMENT, "values": {"sender": "", "count": 1, "since": MOMENT}},
        {"name": "flood", "at": MOMENT, "values": {"title": messy, "number": "", "count": 21}},
        {"name": "flips", "at": MOMENT, "values": {"title": messy, "number": "", "count": 21}},
        {"name": "answered", "at": MOMENT, "values": answered},
        {"name": "answered", "at": MOMENT, "values": answered | {"number": "IM-CL-1", "status": "resolved"}},
    ]
    found["alert many"] = alert_screen(many)
    return found
