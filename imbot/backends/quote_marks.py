"""How mail programs begin what they quote: Outlook, Gmail, Mail.ru, Yandex, Apple Mail, Thunderbird, The Bat!, phones; and how
people and phones end what they write. Questions to single lines, or to a few that belong together; Russian and English
first, the marks of some other languages too. Each looks at so many characters of so many lines, never at more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_LINE = 400
MOST_LINES = 4  # that one attribution is broken over

_MONTHS = "янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    r"(?i)\b\d{1,4}[./-]\d{1,2}[./-]\d{2,4}\b"
    rf"|\b\d{{1,2}}\.? (?:{_MONTHS})\w{{0,6}}\.?|\b(?:{_MONTHS})\w{{0,6}}\.? \d{{1,2}}\b"
)
_ADDRESS = re.compile(r"[^\s<>«»()]{1,100}@[^\s<>«»()]{1,100}")
_NAMED = re.compile(r"<\s?[^\s<>]{1,100}@[^\s<>]{1,100}>,?\s{0,3}:$")
_SAID = re.compile(
    r"(?i)(?:\bwrote|\bwrites|\bschrieb\b.{0,120}|\bschreef\b.{0,120}|a écrit|пишет"
    r"|написал|написала|написал\(а\)|писал|писала|писал\(а\))\s?:$"
)
_ON = re.compile(r"(?i)^(?:-{2,3} ?)?(?:On|Le|Am|Op)\b.{5,}(?:\bwrote|\bschrieb|\bschreef|a écrit)\b.{0,120}:$")
_QUOTED = re.compile(r"\s*(?:[A-ZА-ЯЁ]{1,3})?>")
_PREPOSITION = re.compile(r"(?i)^\s{0,4}(?:-{2,3} ?)?(?:On|Le|Am|Op)\b")
_YOU_WROTE = re.compile(r"(?i)^\s*(?:Вы писали|You wrote)\b.{0,60}:\s{0,3}$")
_LETTER = re.compile(
    r"(?i)^[\s*]*-{2,}[ \t]*(?:Исходное сообщение|Исходное письмо|Original Message|Ursprüngliche Nachricht|Пересылаемое сообщение"
    r"|Пересланное сообщение|Переадресованное сообщение|Forwarded message|Forwarded by|Original Appointment"
    r"|Начало пересылаемого сообщения)\b.{0,80}$"
    r"|^[\s*]*(?:Начало переадресованного сообщения|Begin forwarded message|Пересылаемое сообщение)\s?:?\s{0,3}$"
)
_FROM = re.compile(r"(?i)^[\s*]{0,4}(?:От|От кого|From|Von|De)[\s*]{0,3}:[\s*]{0,3}\S")
_HEAD = re.compile(
    r"(?i)^[\s*]{0,4}(?:От|От кого|From|Von|De|Отправлено|Sent|Gesendet|Envoyé|Дата|Date|Datum|Кому|To|An|À|Тема|Subject|Betreff"
    r"|Objet|Копия|Cc)[\s*]{0,3}:"
)
_MOMENT = re.compile(r"(?i)^[\s*]{0,4}(?:Отправлено|Sent|Gesendet|Envoyé|Дата|Date|Datum|Кому|To|An|À)[\s*]{0,3}:")
_RULE = re.compile(r"^\s{0,4}_{20,}\s{0,4}$")
_ONLY_RULE = re.compile(r"^[-_=—–*~. \t]{3,}$")
_ABOVE = re.compile(
    r"(?i)(?:above this line|write above|reply above|ответ выше|выше (?:этой|данной) (?:строки|линии|черты))"
)
_PHONE = re.compile(
    r"(?i)^\s{0,4}(?:-- ?)?\*?(?:Sent (?:from|via|with|using) |Отправлено (?:с|из|через|от) |Послано с |Написано с "
    r"|Get Outlook for |Скачать Outlook для |Скачайте Outlook для |Получить Outlook для )\S.{0,120}$"
)
_DASHES = re.compile(r"^--[ \t]?$")
_CLOSING = re.compile(
    r"^\s{0,4}(?:[СCс] (?:наилучшими пожеланиями|глубоким уважением|уважением)|Всего (?:доброго|наилучшего)"
    r"|(?:Best|Kind|Kindest|Warm) regards|Regards|Sincerely|Yours (?:sincerely|faithfully|truly)|With best wishes)"
    r"[,.!;]?\s{0,3}(?:$|[А-ЯЁA-Z])"
)
_POSTSCRIPT = re.compile(r"(?i)^\s{0,4}(?:P\.? ?S\b|ПС\b|З\.? ?Ы\b|Постскриптум)")
_NOTICE = re.compile(
    r"(?i)^\s{0,4}(?:(?:Это|Данное|Настоящее|Содержащаяся в этом|Информация,? содержащаяся).{0,80}(?:конфиденциальн|предназначен)"
    r"|This (?:e-?mail|message).{0,80}(?:confidential|intended|privileged)|CONFIDENTIALITY NOTICE|КОНФИДЕНЦИАЛЬНО)"
)
MOST_CLOSING = 8  # lines with words below "Best regards": more are no signature


def is_quoted(line: str) -> bool:
    """By `>`, or as The Bat! does it: `АИ> text`."""
    return _QUOTED.match(line) is not None


def attribution(lines: Sequence[str], index: int) -> tuple[int, bool]:
    """How many lines from `index` on say who wrote what follows ("On ... X wrote:"), 0 where they do not; and whether that
    is sure. "21.11.2026 Том пишет:" may as well be a desk's own journal, and is no attribution but before a quote."""
    joined = ""
    for count, line in enumerate(lines[index : index + MOST_LINES], 1):
        if len(joined) + len(line) > LONGEST_LINE or not line.strip() or is_quoted(line):
            return 0, False
        joined = f"{joined} {line.strip()}" if joined else line.strip()
        if joined.endswith(":"):
            attributed, sure = _attributes(joined)
            return (count, sure) if attributed and (count == 1 or _may_begin(lines[index])) else (0, False)
    return 0, False


def _may_begin(line: str) -> bool:
    """The first of several lines names the day or the person; a greeting above them does not."""
    return any(pattern.search(line) for pattern in (_PREPOSITION, _DATE, _ADDRESS))


def _attributes(joined: str) -> tuple[bool, bool]:
    dated, addressed = _DATE.search(joined) is not None, _ADDRESS.search(joined) is not None
    said = _SAID.search(joined) is not None
    sure = _ON.match(joined) is not None or (addressed and said) or (dated and _NAMED.search(joined) is not None)
    return sure or (dated and said) or _YOU_WROTE.match(joined) is not None, sure


def begins_letter(lines: Sequence[str], index: int) -> bool:
    """Whether this line is a mark below which a whole letter is quoted ("-----Original Message-----", Outlook's From and
    Sent with or without a rule above)."""
    line = lines[index][:LONGEST_LINE]
    if _LETTER.match(line):
        return True
    if _RULE.match(line):
        below = next((each for each in lines[index + 1 : index + 4] if each.strip()), "")
        return _FROM.match(below[:LONGEST_LINE]) is not None
    if not _HEAD.match(line):
        return False
    block = [each[:LONGEST_LINE] for each in lines[index : index + 10] if each.strip()][:4]
    if _FROM.match(line):
        return any(_MOMENT.match(each) for each in block[1:3])
    heads = [each for each in block if _HEAD.match(each)]
    if len(heads) >= 3 and any(_FROM.match(each) for each in heads):
        return True
    return any(
        attribution(lines, at)[1] for at in range(index + 1, min(index + 3, len(lines)))
    )  # Yandex: to, subject, who


def says_above(line: str) -> bool:
    """ "Reply above this line", in a line that says little else."""
    return len(line) <= 120 and _ABOVE.search(line) is not None


def is_phone(line: str) -> bool:
    """What a phone or a mail program writes of itself: "Sent from my iPhone"."""
    return len(line) <= 160 and _PHONE.match(line) is not None


def is_rule(line: str) -> bool:
    return _ONLY_RULE.match(line) is not None


def signature_length(lines: Sequence[str], index: int, ends: Sequence[bool]) -> int:
    """How many lines from `index` on are a signature or a legal notice, 0 where none begins. `ends`: of each line, whether a
    quote begins there; a signature ends above it."""
    line = lines[index][:LONGEST_LINE]
    if _DASHES.match(line) or _NOTICE.match(line):
        return next((at for at in range(index + 1, len(lines)) if ends[at]), len(lines)) - index
    return _closing_length(lines, index, ends) if _CLOSING.match(line) else 0


def _closing_length(lines: Sequence[str], index: int, ends: Sequence[bool]) -> int:
    """ "Best regards" and what stands below, unless somebody goes on to speak there."""
    said, at = 0, index + 1
    while at < len(lines) and not ends[at]:
        line = lines[at][:LONGEST_LINE]
        if _DASHES.match(line) or _NOTICE.match(line):
            return at - index
        if line.rstrip().endswith("?") or _POSTSCRIPT.match(line) or len(line) > 100:
            return 0
        said += bool(line.strip())
        if said > MOST_CLOSING:
            return 0
        at += 1
    return at - index
