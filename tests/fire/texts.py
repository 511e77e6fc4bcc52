"""What a stranger can tell of imbot's messages and letters by their words alone: which kind they are, whose, what they claim.

The words are those of the Russian templates, written down once more here: a witness must not ask the product what it meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

FIRE = re.compile(r"fire\d{7}")  # the marker of what a person asks for
DESK = re.compile(r"desk\d{7}")  # the marker of what support says
_DESK_WORDS = re.compile(r"desk\d{7}(?!-[0-9a-f]{12})")  # and where it does not begin the name of a file
NUMBER = re.compile(r"IM-CL-\d+")
_CODE = re.compile(r"\b([A-Z2-7]{4})[ -]?([A-Z2-7]{4})\b")
_LINK = re.compile(r"\?start=([\w-]+)")
_OF_BYTES = re.compile(r"-([0-9a-f]{12})\.\w+$")  # the beginning of their SHA-256, in the name of a file of support
TOKEN = re.compile(r"imb:\s?([a-z2-7]{10})", re.IGNORECASE)

# A message about a ticket that came by itself. It begins with the ticket's name; a receipt begins with its bare title.
_NOTICE = re.compile(
    r"(?:Заявка (?:IM-CL-\d+ )?«|По заявке (?:IM-CL-\d+ )?«|К заявке (?:IM-CL-\d+ )?«|Статус заявки "
    r"|Поддержка присылает по заявке |Поддержка пока не подтвердила, что вернула"
    r"|Не смогли передать (?:заявку|дополнение|файлы|ваш отзыв|просьбу)[^:\n]*«"
    r"|Пришло сообщение, что письмо по заявке)"
)
_RECEIPT = re.compile(
    r"[^\n]+\n+(?:Заявка сохранена и уже|Заявка отправлена|Заявка (?:IM-CL-\d+ )?(?:принята|в работе|ждёт|выполнена|закрыта"
    r"|отклонена|снята|отозвана)|Не смогли передать заявку:|Пришло сообщение, что письмо с заявкой)"
)
_ALERT = re.compile(
    r"Письмо отложено|Письмо по заявке |Ещё \d+ .*карантин|Статус заявки .* сменился|По заявке .* за десять минут"
)

STATUS_WORDS = {
    "принята": "registered",
    "в работе": "in_progress",
    "ждёт вашего ответа": "waiting",
    "ждёт поддержку (вы ответили)": "waiting",
    "выполнена": "resolved",
    "закрыта": "closed",
    "отклонена": "rejected",
    "снята по вашей просьбе": "rejected",
    "отозвана": "withdrawn",
}
WAS_WORDS = {
    "была принята": "registered",
    "была в работе": "in_progress",
    "ждала вашего ответа": "waiting",
    "была выполнена": "resolved",
    "была закрыта": "closed",
    "была отклонена": "rejected",
    "была отозвана": "withdrawn",
}
_STATUS = "|".join(re.escape(word) for word in STATUS_WORDS)
_WAS = "|".join([*WAS_WORDS, "была новой"])
_NOTICE_STATUS = re.compile(rf"Заявка (?:IM-CL-\d+ )?«[^\n]*?»(?:: ({_WAS}), теперь| снова)? ({_STATUS})(?:[.,])")
_ASKED_AT_ONCE = re.compile(r"По заявке (?:IM-CL-\d+ )?«[^\n]*?» поддержка ждёт вашего ответа\.")  # and it was new
_RECEIPT_STATUS = re.compile(rf"^Заявка (?:IM-CL-\d+ )?({_STATUS})\.", re.MULTILINE)
_SENT = re.compile(r"^Заявка (?:«[^\n]*» |IM-CL-\d+ «[^\n]*» )?отправлена(?: в|\.|,)", re.MULTILINE)
_ATTACHED = re.compile(r"^(?:(Фото приложено)|Приложено (\d+) фото)\.", re.MULTILINE)
_BY_LETTER = re.compile(r"\n\n(?:Это письмо пришло потому, что чат |Чат [^\n]* отвязан от вашего адреса, поэтому)")
REVIEW = "Проверьте заявку"
OVER = "Эта кнопка уже не действует"
OF_A_REQUEST = ("t:", "add:", "wd:", "rs:", "rate:", "ns:", "new:", "more:")  # what buttons about one begin with
BACK = "К списку"  # a button below the page of a request
PROMISED = re.compile(r"Поддержка обеща(?:ет|ла) к [^\n.]*?(\d\d:\d\d)")
LISTED = re.compile(r"^\d+\. (?:(IM-CL-\d+) )?([^\n]*)\n([^\n,]*), подана", re.MULTILINE)
PAGE = re.compile(rf"^(?:(IM-CL-\d+), )?({_STATUS})\.", re.MULTILINE | re.IGNORECASE)
KEPT = re.compile(r"^Фото: (\d+)", re.MULTILINE)
STARS = re.compile(r"^Ваша оценка: (\d)$", re.MULTILINE)
_KINDS = {
    "Файлы к заявке": "files",
    "Дополнение к заявке": "addition",
    "Жалоба по заявке": "complaint",
    "Просьба вернуть заявку": "not_solved",
    "Отзыв заявки": "withdraw",
}
_REFUSED = {
    "дополнить её нельзя": "add",
    "снимать нечего": "withdraw",
    "вернуть в работу уже нельзя": "reopen",
    "сейчас поставить нельзя: оценить можно": "rate",
    "сейчас поставить нельзя: вы попросили": "rate_asked_for",
    "Такой заявки не нашлось": "find",
}
REFUSALS = ("дополнить её нельзя", "Такой заявки не нашлось", "вернуть в работу уже нельзя", "сейчас поставить нельзя")
_ANSWERS = (
    REFUSALS[0],
    "уже отправляется ещё раз",
    "отправляем ещё раз то, что не ушло",
)  # begin like a notice, and answer a press


def refused_in(text: str) -> str:
    """What a text says cannot be done with a request: add, withdraw, reopen, rate (not done, or rated long ago), rate_asked_for
    (it was asked for again), find (there is no such request); "" for none."""
    return next((what for words, what in _REFUSED.items() if words in text), "")


def is_notice(text: str) -> bool:
    return _NOTICE.match(text) is not None and not is_alert(text) and not any(words in text for words in _ANSWERS)


def is_alert(text: str) -> bool:
    """For admins: it may name any ticket."""
    return _ALERT.match(text) is not None


def is_news(text: str) -> bool:
    """What comes by itself, whatever its reader has just done."""
    return is_notice(text) or is_alert(text)


def is_receipt(text: str) -> bool:
    return _RECEIPT.match(text) is not None and not is_notice(text)


def markers(text: str) -> list[str]:
    return list(dict.fromkeys(FIRE.findall(text)))


def first_marker(text: str) -> str:
    found = FIRE.search(text)
    return found.group() if found else ""


def desk_markers(text: str) -> list[str]:
    return list(dict.fromkeys(DESK.findall(text)))


def words_of_support(text: str) -> list[str]:
    """Markers in what support says, not in what its files are called."""
    return list(dict.fromkeys(_DESK_WORDS.findall(text)))


def status_in(text: str) -> tuple[str, str]:
    """(status it was before, status it is now) that a notice or receipt claims; "" for what it does not say."""
    notice = _NOTICE_STATUS.match(text)
    if notice:
        return WAS_WORDS.get(notice[1] or "", ""), STATUS_WORDS[notice[2]]
    if _ASKED_AT_ONCE.match(text):
        return "", "waiting"
    if is_receipt(text):
        found = _RECEIPT_STATUS.search(text)
        return "", STATUS_WORDS[found[1]] if found else ""
    return "", ""


def says_sent(text: str) -> bool:
    return _SENT.search(text) is not None


def says_in(text: str) -> bool:
    """Whether somebody has just been let in."""
    return "Вход выполнен" in text


def keys_in(subject: str, text: str) -> tuple[str, str] | None:
    """The code of a letter that brings one, without its hyphen, and what the link beside it says ("" without one)."""
    code = _CODE.search(text) if "Код" in subject else None
    link = _LINK.search(text)
    return (code[1] + code[2], link[1] if link else "") if code else None


def news_in(text: str) -> str:
    """What a letter says that would stand in the chat of whoever gets it, were it open; "" for any other letter."""
    because = _BY_LETTER.search(text)
    return text[: because.start()].partition("\n\n")[2].strip() if because else ""


def says_returned(text: str) -> bool:
    return "Пришло сообщение, что письмо" in text


def photos_attached(text: str) -> int:
    """How many photos a receipt says are with the request's letter."""
    found = _ATTACHED.search(text)
    return 0 if found is None else 1 if found[1] else int(found[2])


def photos_kept(text: str) -> int:
    """How many photos a screen says it has."""
    found = KEPT.search(text)
    return int(found[1]) if found else 0


def letter_kind(subject: str, text: str) -> str:
    """request, files, addition, complaint, not_solved, withdraw; "" for a letter that is not for the ITSM."""
    if not token_of(subject, text):
        return ""
    return next((kind for head, kind in _KINDS.items() if subject.startswith(head)), "request")


def token_of(subject: str, text: str) -> str:
    found = TOKEN.search(subject) or TOKEN.search(text)
    return found[1].lower() if found else ""


def is_spoiled(name: str, sha256: str) -> bool:
    """Whether a file whose name says what its bytes are has others."""
    bytes_ = _OF_BYTES.search(name)
    return bytes_ is not None and bool(sha256) and not sha256.startswith(bytes_[1])


def labels(buttons: Iterable[Iterable[dict[str, Any]]] | None) -> list[str]:
    return [str(one["label"]) for row in buttons or () for one in row]
