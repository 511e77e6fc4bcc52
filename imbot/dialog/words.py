"""What typed words mean besides themselves: commands, greetings, thanks, addresses, codes, phones, dates. Knows no state.

Only a whole text is ever a command: "отмена" is one, "отмена заказа не проходит" is a request.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta

from imbot.dialog.render import clean
from imbot.domain.people import canonical_address
from imbot.domain.signin import CODE_LENGTH, normal_code


def _each(words: str) -> frozenset[str]:
    return frozenset(words.split())


OTHER: Mapping[str, str] = {"ru": "Другое", "en": "Other"}
UNKNOWN: Mapping[str, str] = {"ru": "Не знаю", "en": "I don't know"}
REQUEST: Mapping[str, str] = {"ru": "Заявка", "en": "Request"}
LANGUAGE_NAMES: Mapping[str, str] = {"ru": "Русский", "en": "English"}

_COMMANDS: Mapping[str, frozenset[str]] = {
    "cancel": frozenset({"отмена", "отменить", "отмени", "cancel", "стоп", "stop"}),
    "mytickets": frozenset({"мои заявки", "заявки", "my tickets", "my requests", "tickets", "requests"}),
    "help": frozenset({"помощь", "справка", "help"}),
    "menu": frozenset({"меню", "главное меню", "menu", "main menu"}),
    "newticket": frozenset({"новая заявка", "создать заявку", "new ticket", "new request"}),
    "me": frozenset({"обо мне", "профиль", "мой профиль", "profile", "about me"}),
    "start": frozenset({"старт", "начать", "start"}),
}
_GREETINGS = frozenset(
    {
        "привет",
        "приветствую",
        "здравствуй",
        "здравствуйте",
        "здрасте",
        "хай",
        "добрый день",
        "доброе утро",
        "добрый вечер",
        "доброго дня",
        "доброго времени суток",
        "всем привет",
        "привет всем",
        "hello",
        "hi",
        "hey",
        "hi there",
        "hello there",
        "good morning",
        "good afternoon",
        "good evening",
        "good day",
    }
)
_THANKS = frozenset(
    {
        "спасибо",
        "большое спасибо",
        "спасибо большое",
        "огромное спасибо",
        "спасибо огромное",
        "спс",
        "благодарю",
        "благодарю вас",
        "thanks",
        "thank you",
        "thank you very much",
        "many thanks",
        "thx",
    }
)
_FINE = frozenset(
    {"ок", "окей", "ok", "okay", "хорошо", "понятно", "понял", "поняла", "супер", "отлично", "great", "got it"}
)
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing
_PHONE = re.compile(r"\+?[\d\s()./-]{2,24}(?:\s*(?:доб|вн|ext|x|#)[.:]?\s*\d{1,8})?", re.IGNORECASE)
_PHONE_INSIDE = re.compile(r"\+?\d[\d\s()-]{3,20}\d")
_DAY_WORDS: Mapping[str, int] = {
    "сегодня": 0,
    "today": 0,
    "завтра": 1,
    "tomorrow": 1,
    "послезавтра": 2,
    "вчера": -1,
    "yesterday": -1,
}
_YES = frozenset({"да", "ага", "угу", "да да", "да конечно", "конечно", "yes", "yeah", "yep", "sure"})
_NO = frozenset({"нет", "неа", "не надо", "не нужно", "no", "nope"})
_CODE, _LETTER = r"(?:код|кода|code)", r"(?:код|кода|code|письмо|письма|the letter)"
_NOT = (
    r"(?:нет|нету|где|жду|не (?:приходит|пришел|пришло|присылают|получил|получила|получаю|вижу|дошел|дошло|могу получить)"
    r"|no|not|never|where|without|didn t|haven t|hasn t|doesn t|isn t|can t)"
)
# How many words may say it, and how: a letter that has not come may be another one.
_MISSING = tuple(
    (most, re.compile(rf"\b{_NOT}\b.*\b{thing}\b|\b{thing}\b.*\b{_NOT}\b"))
    for most, thing in ((8, _CODE), (3, _LETTER))
)
_HUMAN = re.compile(
    r"(?:(?:позовите|позови|соедините|соедини|переключите|переключи|переведите|дайте|дай|нужен|нужно|нужна|можно|могу|хочу|мне"
    r"|поговорить|связаться|связь|пожалуйста|с|со|на|к|живой|живого|живому|живым|настоящим) )*"
    r"(?:человек|человека|человеком|человеку|оператор|оператора|оператором|оператору)(?: пожалуйста)?"
    r"|(?:(?:call|get|give|connect|talk|speak|i|me|to|want|need|with|can|could|please|a|an|the|real|live) )*"
    r"(?:human|operator|person)(?: being)?(?: please)?"
)
_HOW_IT_STANDS = re.compile(
    r"(?:(?:подскажите|подскажи|скажите|скажи|покажите|покажи|сообщите|уточните|можно|узнать|хочу|пожалуйста|мне|какой|каков"
    r"|текущий) )*статус(?: (?:моей|моих|нашей|по|заявки|заявке|заявок|обращения|пожалуйста))*"
    r"|(?:ну )?(?:что|как|где)(?: там)?(?: с| по)?(?: (?:моей|моя|моими|мои|нашей))? (?:заявкой|заявке|заявка|заявки|заявками)"
    r"|(?:ну )?(?:что|как) там(?: у (?:вас|нас))?"
    r"|(?:(?:what|whats|s|is|the|tell|me|check|can|you|please) )*status(?: (?:of|my|the|request|requests|ticket|tickets|please))*"
    r"|wheres? (?:(?:s|is) )?my (?:request|ticket)"
)
_AT = re.compile(r"\s*@\s*")
_SENTENCE = 1000  # characters in which an address is looked for, since that takes as long as their square
_ADDRESS = re.compile(r"[^\s,;:=()<>«»\"“”@]+@[^\s,;:=()<>«»\"“”@]+")  # where one may stand, to be looked at closer
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_NAME = re.compile(
    r"[^\W\d_a-zа-яё](?:\.|[a-zа-яё]+(?:-[^\W\d_a-zа-яё][a-zа-яё]+)?)?"
)  # Анна, А, А., Салтыкова-Щедрина
_NO_NAME = re.compile(r"(?:те|ть|ся|сь)$|^(?:Не|Нет|Есть|No|Not)$")
_MY_ADDRESS = re.compile(
    r"(?:\b(?:вот|это|и|а|here|and) )?\b(?:мой|моя|my) (?:(?:рабоч\w+|корпоративн\w+|work|company) )?"
    r"(?:адрес(?: почты)?|почта|мейл|имейл|e-?mail(?: address)?|mail(?: address)?|address)(?: это| is)?[\s:=–—<«\"“(-]*$",
    re.IGNORECASE,
)
_BOUNDS = ' \t\n,.;:!()<>«»"“”–—-'
_POLITE = _each(" ".join(_GREETINGS | _THANKS | _FINE)) | _each("да и а yes please пожалуйста")
# Words that go with an address or a code and tell nothing else.
_WITH_ADDRESS = _POLITE | _each(
    "мой моя рабочий рабочая корпоративный адрес адреса почта почты почту мейл имейл это вот я меня зовут на пришлите отправьте"
    " код для входа войти как my work company address mail email e is it s i m here am name send code to sign in as"
)
_CODE_WORDS = _each("код кода кодом code")
_WITH_CODE = _POLITE.union(
    _CODE_WORDS,
    _each("вот это мой ваш пришел для входа в чат поддержки из письма на почту"),
    _each("here is it s my your the sign in from letter mail e email came support chat"),
)
_LINE_OF_THE_LETTER = re.compile(
    r"(?:код для входа в чат поддержки|your code for the support chat)\b[^\n]*:\s*(\w{4}[ -]?\w{4})\b", re.IGNORECASE
)
_PLACE = re.compile(
    r"\d|каб|комн|этаж|офис|корпус|здани|склад|цех|стр\.|ул\.|дом|удал|room|floor|office|building|home|remote",
    re.IGNORECASE,
)

_ROOM = (
    r"(?:каб(?:инет\w*)?|комн(?:ат\w*)?|ком|этаж\w*|эт|помещени\w*|пом|переговорн\w*|крыло|секци\w*|подъезд\w*|стол\w*|мест[оае]"
    r"|room|rm|floor|desk|seat|wing|cabinet)"
)
_NUMBERED = r"(?:№|\d[\w/-]*|[a-zа-я]-?\d[\w/-]*)"  # 214, 3-й, 214а, B-12
_NTH = r"(?:(?:перв|втор|трет|четв[её]рт|пят|шест|седьм|восьм|девят|десят)\w*|first|second|third|fourth|fifth|ground)"
_IN_BUILDING = re.compile(rf"(?:(?:в|во|на|у|это|мой|in|at|on|the|my) )*(?:{_ROOM}|{_NUMBERED}|{_NTH} {_ROOM})(?: |$)")
_PART_OF_BUILDING = re.compile(rf"(?:(?:{_NUMBERED}|{_NTH}) (?:этаж\w*|эт|floor)|{_ROOM})(?: |$)")
_OF_ITS_OWN = re.compile(
    r"\b(?:ул|улиц\w*|просп\w*|пр|пер|переул\w*|шоссе|наб|набереж\w*|пл|площад\w*|дом\w*|корп\w*|здани\w*|стр|строени\w*|склад\w*"
    r"|цех\w*|башн\w*|офис\w*|бц|филиал\w*|удал[её]\w*|город\w*|street|road|avenue|building|warehouse|house|tower|home|remote\w*"
    r"|branch|site|office|plant)\b"
)


def told(text: str) -> str:
    """What a person wrote, fit to be kept: cleaned, NFC, without blanks around it. "" where nothing of it can be seen."""
    plain = unicodedata.normalize("NFC", clean(text)).strip()
    return plain if any(_is_seen(char) for char in plain) else ""


def _is_seen(char: str) -> bool:
    """Not a blank, a control or format mark (zero width, joiners, tags), nor a mark that only changes another character."""
    kind = unicodedata.category(char)
    return not (kind[0] in "ZM" or kind in ("Cc", "Cf") or char in _BLANKS)


def command_in(text: str) -> str:
    """The command that the whole text is, or ""."""
    plain = plain_words(text)
    if _HOW_IT_STANDS.fullmatch(plain):
        return "mytickets"
    return next((name for name, words in _COMMANDS.items() if plain in words), "")


def politeness_in(text: str) -> str:
    """ "hello", "thanks", "fine" or "nod" (a lone smile or "?") where the whole text is nothing else, or ""."""
    plain = plain_words(text)
    if plain in _GREETINGS:
        return "hello"
    if plain in _THANKS:
        return "thanks"
    if plain in _FINE:
        return "fine"
    return "nod" if not plain and told(text) else ""


def yes_or_no(text: str) -> str:
    """ "yes" or "no" where the whole text says just that, or ""."""
    plain = plain_words(text)
    return "yes" if plain in _YES else "no" if plain in _NO else ""


def asks_for_a_human(text: str) -> bool:
    """Whether the whole text asks for somebody to talk to. What says what for is a request."""
    return _HUMAN.fullmatch(plain_words(text)) is not None


def address_told(text: str) -> tuple[str, str]:
    """The address that somebody names as theirs, and what else they said; ("", text) where there is none, or several. One that
    a request speaks of is not theirs: "нет писем от director@company.ru"."""
    plain = _AT.sub("@", text)  # keyboards of phones set a blank behind a word
    whole = canonical_address(plain)
    if whole:
        return whole, ""
    if "@" not in plain or len(plain) > _SENTENCE:
        return "", text
    found = [(each.span(), canonical_address(each[0].rstrip("!?"))) for each in _ADDRESS.finditer(plain)]
    addresses = [(span, address) for span, address in found if address]
    if len(addresses) != 1:
        return "", text
    (start, end), address = addresses[0]
    before, behind = plain[:start], plain[end:]
    mine = _MY_ADDRESS.search(before)
    said = [part for part in (before[: mine.start()] if mine else before, behind) if not _only(part, _WITH_ADDRESS)]
    if not said or (not mine and _like_a_name(f"{before} {behind}")):
        return address, ""
    if not mine and not _apart(before, behind):
        return "", text
    return address, "\n".join(part.rstrip(" \t\n,;:–—-").lstrip(_BOUNDS) for part in said)


def misspells_an_address(text: str) -> bool:
    """Whether the text means an address and nothing else, though it bears none."""
    others = " ".join(word for word in text.split() if "@" not in word)
    return "@" in text and _only(others, _WITH_ADDRESS)


def cyrillic_in(text: str) -> str:
    """The Cyrillic letters of the addresses in a text, each once; also those that a canonical address has as `xn--`."""
    typed = map(_as_typed, _ADDRESS.findall(_AT.sub("@", text)))
    return "".join(dict.fromkeys(_CYRILLIC.findall("".join(typed))))


def mixes_alphabets(address: str) -> bool:
    """Whether a part of its domain has Latin and Cyrillic letters side by side: that is a slip of the keyboard."""
    parts = _as_typed(address).rpartition("@")[2].split(".")
    return any(_CYRILLIC.search(part) and re.search(r"[a-z]", part) for part in parts)


def _as_typed(address: str) -> str:
    """An address with its domain in letters, where IDNA has made figures of them."""
    local, at, domain = address.rpartition("@")
    try:
        return local + at + domain.encode("ascii").decode("idna")
    except UnicodeError:
        return address


def code_told(text: str) -> str:
    """A text without the words that go with the code of a sign-in ("вот код", the line of our own letter); the whole text where
    it says more, or tells of none."""
    line = _LINE_OF_THE_LETTER.search(text)
    if line:
        return line[1]
    words = [word for word in re.split(r"[\s:=,]+", text) if plain_words(word)]
    start, end = 0, len(words)
    while start < end and _only(words[start], _WITH_CODE):
        start += 1
    while start < end and _only(words[end - 1], _WITH_CODE):
        end -= 1
    core, around = " ".join(words[start:end]), plain_words(" ".join(words[:start] + words[end:])).split()
    code, alike = normal_code(core), like_a_code(core)
    return core if (_CODE_WORDS & set(around) and (code or alike)) or (around and code and alike) else text


def like_a_code(text: str) -> bool:
    """Whether it was meant to be a code, though it may be none: such a slip costs no try."""
    return len(text) <= CODE_LENGTH + 4 and (any(char.isdigit() for char in text) or text.isupper())


def misses_the_code(text: str) -> bool:
    """Whether the whole text says that the code of the sign-in, or its letter, has not come. What says more is a request."""
    plain = plain_words(text)
    return any(len(plain.split()) <= most and pattern.search(plain) for most, pattern in _MISSING)


def names_a_place(text: str) -> bool:
    """Whether words that came while a list of places waits name a place rather than tell the trouble."""
    return len(text) <= 60 and "\n" not in text and _PLACE.search(text) is not None


def names_a_room(text: str) -> bool:
    """Whether words name a room, a floor or a desk and not which building it is in: "каб. 214", "3 этаж", "214". A name of its
    own (a capital letter), a street or a house is more than that."""
    plain = _place_words(text)
    names = [word for word in re.findall(r"\b[^\W\d_]{3,}", text) if word[0].isupper() and not word.isupper()]
    known = re.compile(rf"{_ROOM}|{_NTH}")
    return (
        len(text) <= 60
        and "\n" not in text
        and _IN_BUILDING.match(plain) is not None
        and not _OF_ITS_OWN.search(plain)
        and all(known.fullmatch(word.casefold()) for word in names)
    )


def without_room(place: str) -> str:
    """A place in words without the rooms and floors at its end; "" where it is none of a building."""
    parts = [part.strip() for part in place.split(",")]
    while parts and _PART_OF_BUILDING.match(_place_words(parts[-1])):
        parts.pop()
    building = ", ".join(parts)
    return "" if re.search(r"удал[её]|remote|\bдома\b|\bhome\b", building.casefold()) else building


def _place_words(text: str) -> str:
    """Lower case words and numbers with single blanks, without full stops and commas."""
    return " ".join(re.findall(r"[\w№/-]+", text.casefold()))


def phone_in(text: str) -> str:
    """The phone that the whole text is, or "". Inner numbers and extensions are phones too."""
    plain = " ".join(text.split())
    return plain if _PHONE.fullmatch(plain) and sum(char.isdigit() for char in plain) >= 2 else ""


def phone_inside(text: str) -> str:
    """The first phone in a text such as a forwarded contact, or ""."""
    found = _PHONE_INSIDE.search(text)
    return found.group() if found else ""


def day_in(text: str, today: date) -> date | None:
    """The day that the whole text names: 24.11, 24.11.2026, 2026-11-24, a word such as "завтра". A day without a year is the
    nearest one that has not passed."""
    plain = plain_words(text)
    if plain in _DAY_WORDS:
        return today + timedelta(days=_DAY_WORDS[plain])
    numbers = [int(number) for number in re.findall(r"\d{1,4}", text)]
    if not re.fullmatch(r"[\d\s./-]+", text.strip()) or len(numbers) not in (2, 3):
        return None
    if len(numbers) == 3:
        year, month, day = numbers if numbers[0] > 31 else reversed(numbers)
        return _date(year + 2000 if year < 100 else year, month, day)
    found = _date(today.year, numbers[1], numbers[0])
    return _date(today.year + 1, numbers[1], numbers[0]) if found and found < today else found


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _only(text: str, words: frozenset[str]) -> bool:
    return set(plain_words(text).split()) <= words


def _apart(before: str, behind: str) -> bool:
    """Whether an address is a sentence or a line of its own, the first or the last."""
    last = before.rstrip(" \t<")[-1:] in (".", ";", "!", "\n") and not behind.strip(_BOUNDS)
    return last or (not before.strip(_BOUNDS) and behind.lstrip(" \t>")[:1] in (".", ";", "!", "\n"))


def _like_a_name(text: str) -> bool:
    """Whether no more than a name is left, besides what goes with an address. "Удалите Петрову", "Нет Интернета" and "Принтер HP"
    are none."""
    left = [word for word in re.findall(r"\w[\w.-]*", text) if not _only(word, _WITH_ADDRESS)]
    if all(word.isupper() for word in left):
        left = [word.title() for word in left]
    return len(left) in (2, 3) and all(_NAME.fullmatch(word) and not _NO_NAME.search(word) for word in left)


def plain_words(text: str) -> str:
    """Lower case words with single blanks; punctuation, emoji and the slash of a command are nothing."""
    lowered = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return " ".join(re.sub(r"[^\w\s]|_", " ", lowered).split())
