"""What a desk's letters say every time: the greeting, the status once more, the card of the ticket, the closing, the note
that a machine wrote this. Told apart from its news, so that those reach people. Pure; when in doubt a line is news.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from imbot.backends.left_out import WORDS, leaves_out
from imbot.backends.own_words import Sent, our_words, without_ours
from imbot.backends.profile import Profile
from imbot.backends.trimming import trimmed
from imbot.backends.understanding import numbers_in
from imbot.domain.letters import InboundMail
from imbot.mime.tidying import readable

MUCH = 16_000  # characters of a letter that are judged line by line; this is done inside a transaction
LONGEST = 400  # characters of a sentence that may still be a desk's standing words
MOST = 10  # such sentences in a line
MOST_CLOSING = 3  # lines below "Best regards" that name somebody
NEWS = 3  # words that are worth a button on a letter that mostly bears standing words


class Kind(Enum):
    """`EMPTY`: says nothing that people do not know. `STANDING`: the same in every letter, but something. `NEWS`: the rest."""

    EMPTY = "empty"
    STANDING = "standing"
    NEWS = "news"


_WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"(?i)\[?imb:[A-Z2-7]{10}\]?")
# Not behind an initial: "Кузнецов Т. А." is one piece.
_SENTENCE = re.compile(r"(?<=[.!?…])(?<![^\w][A-ZА-ЯЁ]\.)[ \t]+(?=[A-ZА-ЯЁ«\"(])")
_GREETING = re.compile(
    r"^(?:Здравствуйте|Добрый день|Доброе утро|Добрый вечер|Доброго дня|Доброго времени суток|Приветствуем"
    r"|Hello|Hi|Good (?:morning|afternoon|day))(?:[, \t]+[A-ZА-ЯЁ][\w.-]*){0,4}[ \t]*[!,.:]*$"
    r"|^(?:Уважаем(?:ый|ая|ые|ый\(ая\))|Dear)(?:[ \t]+[\w.()-]+){1,4}[ \t]*[!,.:]*$"
)
_CLOSING = re.compile(
    r"(?i)^[-—– \t]*(?:с (?:наилучшими пожеланиями|глубоким уважением|уважением)|всего (?:доброго|наилучшего)"
    r"|(?:best|kind|kindest|warm) regards|regards|sincerely)[^\w]*(?:[\w.«»\"-]+[ \t]*){0,4}$"
    r"|^(?:спасибо(?: за обращение)?|thank you|thanks)[ \t,.!]*$"
)
_SPEAKS_ON = re.compile(r"(?i)^[ \t]*(?:p\.? ?s\b|пс\b|з\.? ?ы\b)|\?[ \t]*$")
MACHINE = re.compile(
    r"(?i)(?:сформирован|создан|отправлен|сгенерирован)[а-я]{0,2}[ \t]+(?:\w+[ \t]+){0,2}автоматически|автоматически"
    r"[ \t]+(?:сформирован|создан|отправлен|сгенерирован)|это автоматическое (?:сообщение|уведомление|письмо)"
    r"|не отвечайте на (?:это|данное)|отвечать на (?:него|это письмо) не (?:нужно|надо|требуется)"
    r"|automatically generated|this is an automat|do not reply to this"
)
_ROW = re.compile(
    r"(?i)^[*\s]*(?:номер|статус|состояние|тема|услуга|сервис|категория|подкатегория|приоритет|срочность|влияние|заявитель|инициатор"
    r"|исполнитель|ответственный|группа|метк[ау]|заявка|обращение|запрос|инцидент|краткое описание|описание|ссылка на (?:заявку"
    r"|обращение|запрос|инцидент)|дата (?:регистрации|создания|обращения|закрытия|обновления)|ticket|request|case|incident|number"
    r"|status|state|subject|title|service|category|priority|urgency|impact|requester|reported by|assigned to|assignee|owner"
    r"|link|url|created|updated|opened)(?:[ \t]+(?:№|[\w-]+)){0,2}[ \t*]*[:|](?P<value>.*)$"
)
_CHANGED = re.compile(r"(?i)^(?:статус|состояние|status)\b[^\n]{0,60}(?:изменен|изменён|changed)")
_PIPES = re.compile(r"^(?P<label>[^|\n]{1,60})[ \t]\|[ \t]*(?P<value>[^|\n]{0,120})\|?[ \t]*$")
_SAYS = re.compile(
    r"(?i)коммент|решени|результат|вопрос|сообщ|причин|ответ|примеч|уточн|comment|soluti|resol|question|reason|answer|note|messag"
)
_STANDING = re.compile(
    r"(?i)^если\b.{0,60}(?:проблема|вопрос|заявка|обращение|запрос|инцидент|работ[аы]).{0,40}не (?:решен|решён|выполнен|устран)"
    r"|^если\b.{0,60}(?:остались|возникли|возникнут|появятся)[ \t](?:[а-я]+[ \t])?вопрос|^если вы не согласн"
    r"|^если вас не устраива"
    r"|(?:отвечайте|ответьте|ответив|ответом|ответить)[ \t]+на (?:это|данное|настоящее) (?:письмо|сообщение)"
    r"|\b(?:оцените|оценить)\b.{0,60}(?:работ|качеств|обслужив|выполнени|заявк|обращени|поддержк)"
    r"|(?:отслеживать|отследить|посмотреть|просмотреть|следить)\b.{0,80}(?:портал|https?:|кабинет)"
    r"|^if you (?:have|feel|are not|do not|don't|disagree|believe|need|wish)\b|^to (?:reply|view|close|reopen|respond|update)\b"
    r"|reply(?:ing)? to this (?:e-?mail|message)|\bclick here\b|\brate (?:our|us|this|the)\b"
)
_ABOUT = re.compile(r"(?i)заявк|обращени|запрос|инцидент|работ|request|ticket|incident|case|issue|call")
_FILLING = frozenset(
    ("ваша", "ваш", "ваше", "вашей", "вашу", "вашему", "вашего", "наша", "по", "на", "в", "и", "к", "о", "от", "была", "был",
     "было", "были", "the", "a", "an", "is", "has", "been", "was", "your", "our", "of", "for", "to", "and", "now")
)  # fmt: skip


def without_card(profile: Profile, text: str) -> str:
    """`text` without the card of the ticket: the rows "label | value" round the one that bears its number."""
    lines = text.split("\n")
    out = _card(profile, lines)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line for at, line in enumerate(lines) if at not in out)).strip()


def without_tail(profile: Profile, mail: InboundMail, value: str) -> str:
    """A lifted value, without the standing words of the desk that follow it. Never empty where it was not."""
    lines = without_card(profile, value).split("\n")
    judge = _judge(profile, mail)
    while lines and judge(lines[-1]) is not Kind.NEWS:
        lines.pop()
    return "\n".join(lines).strip() or value


def news(profile: Profile, mail: InboundMail, sent: Sent, *, asks: bool = False) -> str:
    """What the letter itself says, without what it quotes, our own words and standing ones; "" where nothing is left.
    `asks`: something is wanted of the reader, so standing words are better than none."""
    text = without_card(profile, trimmed(readable(mail.text), profile.separators).shown[:MUCH])
    judged = list(_judged(profile, mail, text, sent))
    kinds = {Kind.NEWS} if any(kind is Kind.NEWS for _, kind in judged) or not asks else {Kind.STANDING}
    lines = [line for line, kind in judged if kind in kinds or not line]
    return re.sub(r"\n{3,}", "\n\n", _TOKEN.sub("", "\n".join(lines))).strip()


def worth_a_button(words: str) -> bool:
    """Whether `news` of a letter that mostly bears standing words is worth one."""
    return len(_WORD.findall(words)) >= NEWS


def says_more(profile: Profile, mail: InboundMail, shown: str, sent: Sent) -> bool:
    """Whether the letter holds words of somebody else's that `shown` does not, be they standing ones or quoted. Of a very
    long one that is taken for granted."""
    text = readable(mail.text)
    if len(text) > MUCH:
        return True
    lines, masked = text.split("\n"), _masked(text, sent)
    card, told, closing = _card(profile, lines), Counter(map(_plain, shown.split("\n"))), 0
    judge = _judge(profile, mail)
    for at, line in enumerate(lines):
        if not _WORD.search(masked[at]) or at in card or _is_told(plain := _plain(line), told):
            continue
        if _CLOSING.match(plain):
            closing = MOST_CLOSING
        elif closing and _names(plain):
            closing -= 1
        elif judge(masked[at]) is not Kind.EMPTY:
            closing = 0
            if leaves_out(masked[at], "", (), least=WORDS):
                return True
    return False


def _masked(text: str, sent: Sent) -> list[str]:
    """Its lines without our own words and tokens."""
    return _TOKEN.sub("", without_ours(text, our_words(sent)) if sent else text).split("\n")


def _is_told(plain: str, told: Counter[str]) -> bool:
    """The line, or a label and the line behind it, stands in the notice."""
    for words in (plain, *(one for one in told if one and told[one] > 0 and plain.endswith(one))):
        label = plain[: len(plain) - len(words)].rstrip()
        if told[words] > 0 and (not label or (len(label) <= 60 and label[-1] in ":-–—,.>")):
            told[words] -= 1
            return True
    return False


def _names(plain: str) -> bool:
    """A name, a post, a firm below "Best regards"; a number may be a telephone's, which people want to see."""
    return len(plain.split()) <= 4 and not re.search(r"\d|@|https?:", plain) and not _SPEAKS_ON.search(plain)


def _judged(profile: Profile, mail: InboundMail, text: str, sent: Sent) -> Iterator[tuple[str, Kind]]:
    """Every line and its kind; a line that goes on in small letters is of one piece with the one above it."""
    judge, lines, masked = _judge(profile, mail), text.split("\n"), _masked(text, sent)
    begin = 0
    for at in range(1, len(lines) + 1):
        above = lines[at - 1]
        if at < len(lines) and above and above[-1] not in ".!?:" and lines[at][:1].islower():
            continue
        kind = judge(" ".join(masked[begin:at])) if any(map(_WORD.search, masked[begin:at])) else Kind.EMPTY
        yield from ((line, kind) for line in lines[begin:at])
        begin = at


def _judge(profile: Profile, mail: InboundMail) -> Callable[[str], Kind]:
    subject = {_stem(word) for word in _WORD.findall(readable(mail.subject))}

    def of_sentence(text: str) -> Kind:
        if len(text) > LONGEST:
            return Kind.NEWS
        if not _WORD.search(text) or _GREETING.match(text) or _CLOSING.match(text) or _CHANGED.match(text):
            return Kind.EMPTY
        if text.endswith("?"):
            return Kind.NEWS
        row = _ROW.match(text)
        if MACHINE.search(text) or (row and len(row["value"].split()) <= 8) or _restates(text, subject):
            return Kind.EMPTY
        if _is_value(profile, text):
            return Kind.EMPTY
        return Kind.STANDING if _STANDING.search(text) or re.fullmatch(r"https?://\S+", text) else Kind.NEWS

    def of_line(line: str) -> Kind:
        if len(line) > MOST * LONGEST:
            return Kind.NEWS
        kinds = {of_sentence(part.strip()) for part in _SENTENCE.split(line.strip())}
        return next((kind for kind in (Kind.NEWS, Kind.STANDING) if kind in kinds), Kind.EMPTY)

    return of_line


def _restates(text: str, subject: set[str]) -> bool:
    """It says of the request what the subject says, and no more."""
    words = _WORD.findall(text)
    left = {_stem(word) for word in words if word.casefold() not in _FILLING} - subject
    return len(words) <= 12 and _ABOUT.search(text) is not None and all(_ABOUT.match(word) for word in left)


def _stem(word: str) -> str:
    return word.casefold().replace("ё", "е")[:5]


def _is_value(profile: Profile, text: str) -> bool:
    """A label and its value that the notice or the receipt tells in its own words: a promised time, a name."""
    for lift in profile.lifts:
        if lift.name in ("promised", "assignee", "author", "rating_link", "watermark"):
            found = lift.pattern.first(text)
            if found is not None and found.start <= 1 and len(re.findall(r"[^\W\d_]{2,}", text[found.end :])) <= 4:
                return True
    return False


def _card(profile: Profile, lines: Sequence[str]) -> set[int]:
    """Which lines are rows of the ticket's card: a block of them one of which bears a number of this ITSM."""
    card: set[int] = set()
    block: list[int] = []
    for at, line in enumerate([*lines, "."]):
        row = _PIPES.match(line.strip()) if len(line) <= LONGEST else None
        if row and not _SAYS.search(row["label"]):
            block.append(at)
        elif line.strip():
            if block and numbers_in(profile, "\n".join(lines[each] for each in block)):
                card.update(block)
            block = []
    return card


def _plain(line: str) -> str:
    return " ".join(line.lstrip("> \t|").split())
