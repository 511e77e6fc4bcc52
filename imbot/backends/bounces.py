"""Reports that a letter of ours was not delivered: RFC 3464 and the loose ones of mail systems that know no standard.

Pure. What such a report does to a request is `imbot.services.delivery`'s business: only with the Message-ID of one of our
letters it does anything.
"""

from __future__ import annotations

import re

from imbot.backends.base import Bounce
from imbot.domain.letters import InboundMail

_ACTION = re.compile(r"(?im)^action:[ \t]{0,4}([a-z-]{3,20})")
_STATUS = re.compile(r"(?im)^status:[ \t]{0,4}([245]\.[0-9]{1,3}\.[0-9]{1,3})")
_DIAGNOSTIC = re.compile(r"(?im)^diagnostic-code:[ \t]{0,4}([^\r\n]{1,500}(?:\r?\n[ \t]+[^\r\n]{1,300}){0,5})")
_DAEMONS = ("mailer-daemon", "postmaster", "mail-daemon", "mmdf", "delivery-subsystem")
_FAILED = ("failed", "failure", "expired")
_FAILURE_SUBJECT = re.compile(
    r"(?i)delivery (?:failed|failure|error|status)|undeliver|returned mail|failure notice|mail delivery"
    r"|не (?:было )?доставлен|не удалось доставить|не может быть доставлен|недоставленн"
)


def read_bounce(mail: InboundMail) -> Bounce | None:
    """The report of a failed or delayed delivery, or None where the letter is none. Out-of-office answers are none."""
    if not _looks_returned(mail):
        return None
    report = "\n".join(
        (part.data or b"")[:100_000].decode("utf-8", "replace")
        for part in mail.attachments
        if part.content_type == "message/delivery-status"
    )
    actions = [action.lower() for action in _ACTION.findall(report)]
    action = "failed" if not actions or any(each in _FAILED for each in actions) else actions[0]
    code, words = _STATUS.search(report), _DIAGNOSTIC.search(report)
    told = " ".join(words.group(1).split()) if words else " ".join(mail.text[:5_000].split())
    ids = [*mail.original_message_ids, *(mail.in_reply_to if mail.report_type == "delivery-status" else ())]
    return Bounce(tuple(dict.fromkeys(ids)), action, code.group(1) if code else "", told[:500])


def _looks_returned(mail: InboundMail) -> bool:
    if mail.report_type == "delivery-status" or mail.header("X-Failed-Recipients"):
        return True
    if mail.sender.partition("@")[0] in _DAEMONS:
        return True
    unsigned = not mail.sender or any(value.strip() == "<>" for value in mail.header("Return-Path"))
    told = bool(_FAILURE_SUBJECT.search(mail.subject))
    return bool(mail.original_message_ids) and (unsigned or told) and not mail.report_type


def bounced_message_ids(mail: InboundMail) -> tuple[str, ...]:
    """Message-IDs of letters that `mail` reports as failed for good; () where it is no such report."""
    bounce = read_bounce(mail)
    return bounce.message_ids if bounce is not None and bounce.action == "failed" else ()
