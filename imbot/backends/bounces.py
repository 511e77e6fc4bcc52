"""Reports that a letter of ours was not delivered: RFC 3464, and the loose ones of mail systems that know no standard.

Pure. What such a report does to a request is `imbot.services.delivery`'s business: it does something only with the
Message-ID of one of our letters. Automatic answers of people, lists and abuse desks are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from imbot.backends.base import Bounce
from imbot.domain.letters import InboundMail
from imbot.mime.words import one_line

MOST_IDS = 20
_LOOKED_AT = 200_000  # bytes of a returned letter, characters of a text
_TOLD = 5_000  # characters at the top of the text, where a mail system says what happened

_ACTION = re.compile(r"(?im)^action:[ \t]{0,4}([a-z-]{3,20})")
_STATUS = re.compile(r"(?im)^status:[ \t]{0,4}([245]\.[0-9]{1,3}\.[0-9]{1,3})")
_DIAGNOSTIC = re.compile(r"(?im)^diagnostic-code:[ \t]{0,4}([^\r\n]{1,500}(?:\r?\n[ \t]+[^\r\n]{1,300}){0,5})")
_FAILED = ("failed", "failure", "expired")

_DAEMONS = re.compile(
    r"mailerdaemon|poo?stmaster|maildaemon|mdaemon|mmdf|mailer|maildelivery(?:sub)?system|deliverysubsystem|ndr|bounces?"
    r"|microsoftexchange[0-9a-f]*"
)
_SYSTEM = re.compile(r"(?:mailer-daemon|postmaster)@")  # RFC 5321, 4.5.1 and custom: nobody else's address
# What a mail system calls a letter that comes back, in the languages that its users read.
_SUBJECT = re.compile(
    r"(?i)undeliver|un-?deliverable|non-?deliver|returned (?:mail|message|email)|(?:mail|message) returned|failure notice"
    r"|delivery[^\n]{0,20}(?:fail|error|problem|status|delay|report)|failure delivery"
    r"|(?:mail|message|email) (?:delivery|system|transport|could not)|not (?:be )?delivered|failed mail"
    r"|delayed (?:mail|message)|message delayed|error sending your mail|could not send message"
    r"|transcript (?:of session|for details)|processing error"
    r"|не (?:было |был |может быть |могут быть |удалось |удается |удаётся )?(?:доставл|доставить)|недоставл"
    r"|не удалось (?:выполнить доставк|отправить)|невозможно доставить|доставка (?:отложена|задерж|не удалась)"
    r"|(?:ошибка|сбой|задержка|отч[её]т о) (?:не)?доставк|возврат (?:письм|почт|сообщ)"
    r"|unzustellbar|zustellung|non remis|non distribu|[ée]chec de la|no se ha podido entregar|devuelto|mancato recapito"
    r"|メールエラー|配信(?:不能|エラー|失敗)|未配信|退信|投递失败|传输失败|无法(?:投递|送达)"
)
_WORDS = re.compile(
    r"(?i)(?:could|can|was|were|has|have|had|did|is) ?(?:not|n['’]t)(?: be| been| yet been| able to)? (?:deliver|reach|send|sent)"
    r"|(?:un|not )able to deliver|delivery (?:attempts?|has|to|failed|error)|undeliverable"
    r"|permanent (?:fatal |delivery )?(?:error|fail)|fatal errors|delivery errors|failed recipients"
    r"|(?:error|trouble|problems?)[^.\n]{0,40} deliver|deliver[^.\n]{0,40} (?:problem|error)"
    r"|(?:user|recipient|mailbox|address|host|domain|account)[^.\n]{0,30} (?:unknown|not found|unavailable|full)"
    r"|(?:unknown|no such|invalid) (?:user|recipient|mailbox|address)|over ?quota|rejected recipient|not collected"
    r"|aborted after|(?:^|[^0-9.])[45][0-9]{2}[ -]#?[45]\.[0-9]{1,3}\.[0-9]{1,3}"
    r"|(?:said|response|error|code)[^\n]{0,30}[ :\[]5[0-9]{2}[\] -]"
    r"|не (?:было |был |может быть |могут быть )?(?:доставл|отправл)|невозможно доставить|недоставл"
    r"|не (?:удалось|удается|удаётся|смогли?|могли?) (?:выполнить доставк|доставить|отправить|передать)"
    r"|почтовый ящик[^.\n]{0,40}(?:переполнен|не существует|не найден|заблокирован)"
    r"|送信できません|送信に失敗|配信できません|无法(?:投递|送达|发送)"
)
_DELAY = re.compile(
    r"(?i)delay|warning message only|(?:will|attempts? will) (?:be retried|continue|keep trying)|still being retried"
    r"|could not send message for past|not yet been delivered|will be retried|temporar(?:y|ily) (?:fail|defer)"
    r"|задерж|отложена|попытк[аи][^.\n]{0,40} будут (?:продолж|повтор)|будет повторена"
)
_FINAL = re.compile(
    r"(?i)giv(?:en|ing|e) up|permanent|cannot send message (?:for|within)|expired|not (?:going to )?try again|failed permanently"
    r"|aborted after|has been removed from the (?:mail )?queue|in the queue too long|больше не будет|удалено из очереди"
)
_ID = re.compile(
    r"(?im)^[ \t>|*]{0,12}(?:x-)?(?:original-)?message[- ]?id(?:entifier)?[ \t]{0,4}:\s{0,4}(<[^<>\s]{1,900}>)"
    r"|^[ \t>|*]{0,12}идентификатор (?:сообщения|письма)[ \t]{0,4}:\s{0,4}(<[^<>\s]{1,900}>)"
)
_REPLY_LINE = re.compile(
    r"(?m)^[^\r\n]{0,300}?(?<![0-9.])[45][0-9]{2}[ -](?:#?[45]\.[0-9]{1,3}\.[0-9]{1,3}|[^\r\n])[^\r\n]{0,400}"
)
_CODE = re.compile(r"(?<![0-9.])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")


def read_bounce(mail: InboundMail) -> Bounce | None:
    """The report of a failed, delayed or relayed delivery, or None where the letter is none. Linear; never raises."""
    report = "\n".join(_reports(mail))
    top = mail.text[:_TOLD]
    formal = mail.report_type == "delivery-status" or bool(
        mail.header("X-Failed-Recipients") or _SYSTEM.match(mail.sender)
    )
    if not _is_report(mail, top, bool(report)):
        return None
    code, words = _STATUS.search(report), _DIAGNOSTIC.search(report)
    line = _REPLY_LINE.search(top)
    told = words.group(1) if words else _reason(top, line)
    status = code or (_CODE.search(told) if words or line else None)
    number = status.group(1) if status else ""
    action = _action(report, mail.subject, top, number)
    return Bounce(_returned_ids(mail, formal), action, number, " ".join(one_line(told).split())[:500], formal)


def _reports(mail: InboundMail) -> Iterator[str]:
    for part in mail.attachments[:20]:
        if part.content_type == "message/delivery-status":
            yield (part.data or b"")[:100_000].decode("utf-8", "replace")


def _action(report: str, subject: str, top: str, status: str) -> str:
    """What the report says; else what its words do. A code of 4.x.x is a delay where nobody says that it is over."""
    actions = [action.lower() for action in _ACTION.findall(report)]
    if actions:
        return "failed" if any(action in _FAILED for action in actions) else actions[0]
    if _FINAL.search(subject) or _FINAL.search(top):
        return "failed"
    if _DELAY.search(subject) or _DELAY.search(top):
        return "delayed"
    return "delayed" if status.startswith("4") and not _SUBJECT.search(subject) else "failed"


def _is_report(mail: InboundMail, top: str, enclosed: bool) -> bool:
    """By the standard; or a mail system speaks of a failure: by its subject and its text (or a report that it encloses), or
    by one of them where it says who it is."""
    if mail.report_type == "delivery-status" or mail.header("X-Failed-Recipients"):
        return True
    if mail.report_type:
        return False  # a receipt, an abuse report
    subject = bool(_SUBJECT.search(mail.subject[:1_000]))
    if _is_daemon(mail):
        return subject or enclosed or bool(_WORDS.search(top))
    return subject and (enclosed or bool(mail.original_message_ids) or bool(_WORDS.search(top)))


def _is_daemon(mail: InboundMail) -> bool:
    local = re.sub(r"[^a-z0-9]", "", mail.sender.partition("@")[0])
    paths = {value.strip().lower() for value in mail.header("Return-Path")}
    return (
        _DAEMONS.fullmatch(local) is not None
        or "<>" in paths
        or any(path.startswith("<mailer-daemon") for path in paths)
    )


def _reason(top: str, line: re.Match[str] | None) -> str:
    """The far end's own words: the first line with a code of SMTP and what goes on behind it, else how the text begins."""
    if line is None:
        return top[:1_000]
    return line.group() + top[line.end() :].split("\n\n", 1)[0][:300]


def _returned_ids(mail: InboundMail, formal: bool) -> tuple[str, ...]:
    """Message-IDs of the letter that comes back: of its headers, wherever they are quoted; or that a mail system answers."""
    found = list(mail.original_message_ids)
    for part in mail.attachments[:20]:
        if part.content_type.startswith(("message/", "text/")) and part.data:
            found += _ids_in(part.data[:_LOOKED_AT].decode("latin-1"))
    found += _ids_in(mail.text[:_LOOKED_AT])
    if formal or _is_daemon(mail):
        found += [*mail.in_reply_to, *mail.references]
    return tuple(dict.fromkeys(found))[:MOST_IDS]


def _ids_in(text: str) -> list[str]:
    return [match.group(1) or match.group(2) for match in _ID.finditer(text)]
