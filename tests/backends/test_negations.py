"""What words say, and what they only seem to say: negations, promises, conditions, other word orders, old states beside new ones.

Told for the profiles that serve a whole language and for InfraManager; all others must at least take no negation for its
opposite.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from imbot.backends.mail import read
from imbot.backends.profiles import load_profiles
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status

TZ = ZoneInfo("Europe/Moscow")
PROFILES = load_profiles([Path(__file__).resolve().parents[2] / "templates" / "mail"])
R, P, W, D, C = Status.REGISTERED, Status.IN_PROGRESS, Status.WAITING, Status.RESOLVED, Status.CLOSED
X, V = Status.REJECTED, Status.WITHDRAWN

RUSSIAN = [
    ("Заявка № 4521 выполнена", D),
    ("Выполнена заявка № 4521", D),
    ("Решён инцидент № 4521", D),
    ("Обращение № 4521 решено", D),
    ("Ваша заявка № 4521 успешно выполнена", D),
    ("Ваша заявка № 4521 была успешно решена специалистом", D),
    ("По заявке № 4521 работы выполнены", D),
    ("Заявка № 4521: выполнена", D),
    ("Статус заявки № 4521: Решена", D),
    ("Статус обращения № 4521 изменён с «В работе» на «Выполнено»", D),
    ("Заявка № 4521. Статус: в работе -> решена", D),
    ("Заявка № 4521 выполнена. Если проблема не решена, ответьте на это письмо.", D),
    ("Заявка № 4521 решена, если появятся вопросы, пишите нам.", D),
    ("Заявка № 4521 не выполнена", P),
    ("Не выполнена заявка № 4521", P),
    ("Заявка № 4521 не была выполнена", P),
    ("Заявка № 4521 ещё не решена", P),
    ("Заявка № 4521 до сих пор не решена", P),
    ("Заявка № 4521, к сожалению, не решена", P),
    ("Заявка № 4521 возвращена в работу", P),
    ("Заявка № 4521 принята в работу", P),
    ("Статус заявки № 4521 изменён с «Выполнена» на «В работе»", P),
    ("Исполнитель по заявке № 4521 назначен", P),
    ("Заявка № 4521 переоткрыта", P),
    ("Заявка № 4521 будет выполнена до 18:00", None),
    ("Заявка № 4521 должна быть выполнена завтра", None),
    ("Заявку № 4521 не удалось выполнить", None),
    ("Заявка № 4521 не может быть выполнена", None),
    ("Заявка № 4521 будет решена в срок", None),
    ("Как только заявка № 4521 будет решена, мы сообщим", None),
    ("Если заявка № 4521 решена, поставьте оценку", None),
    ("Если заявка № 4521 не выполнена, позвоните нам", None),
    ("Когда заявка № 4521 выполнена, мы просим оценить её", None),
    ("Срок выполнения заявки № 4521 изменён", None),
    ("Решение по заявке № 4521 займёт два дня", None),
    ("Ожидайте, заявка № 4521 в очереди", None),
    ("Заявка № 4521 ожидает решения", None),
    ("Заявка № 4521 ещё не назначена", None),
    ("Заявка № 4521 не принята в работу", None),
    ("Заявка № 4521 ожидает вашего ответа", W),
    ("По заявке № 4521 требуется информация", W),
    ("Заявка № 4521 приостановлена", W),
    ("Заявка № 4521 закрыта", C),
    ("Закрыто обращение № 4521", C),
    ("Заявка № 4521 закрыта. Если вопрос не решён, откройте её заново.", C),
    ("Статус заявки № 4521 изменён с «Решена» на «Закрыта»", C),
    ("Заявка № 4521 не закрыта", None),
    ("Заявка № 4521 ещё не была закрыта", None),
    ("Заявка № 4521 будет закрыта автоматически через три дня", None),
    ("Заявка № 4521 не может быть закрыта без вашего ответа", None),
    ("Заявка № 4521 отклонена", X),
    ("Заявка № 4521 не отклонена", None),
    ("Заявка № 4521 не была отклонена", None),
    ("Заявка № 4521 отменена", V),
    ("Заявка № 4521 не отменена", None),
    ("Заявка № 4521 зарегистрирована", R),
    ("Зарегистрирована заявка № 4521", R),
    ("Создано обращение № 4521", R),
    ("Заявка № 4521 не зарегистрирована", None),
    ("Заявка № 4521 не была принята", None),
    ("Заявка № 4521 будет зарегистрирована", None),
]  # fmt: skip

ENGLISH = [
    ("Ticket #4521 has been resolved", D),
    ("Your ticket #4521 has now been resolved", D),
    ("Your request #4521 has been successfully completed", D),
    ("We have resolved your ticket #4521", D),
    ("Request #4521 was marked as resolved", D),
    ("The status of ticket #4521 changed from In progress to Resolved", D),
    ("Ticket #4521 has been resolved. If it is not resolved, reply to this message.", D),
    ("Ticket #4521: resolved", D),
    ("Ticket #4521 has not been resolved", P),
    ("Ticket #4521 is not resolved", P),
    ("Ticket #4521 has not yet been closed", P),
    ("Ticket #4521 has been reopened", P),
    ("The status of ticket #4521 changed from Resolved to In progress", P),
    ("Request #4521 is now in progress", P),
    ("Ticket #4521 will be resolved by Monday", None),
    ("Ticket #4521 could not be resolved", None),
    ("Ticket #4521 cannot be closed without your answer", None),
    ("Ticket #4521 should be resolved tomorrow", None),
    ("Ticket #4521 is to be resolved tomorrow", None),
    ("Ticket #4521 has yet to be resolved", None),
    ("Once ticket #4521 has been resolved, we will tell you", None),
    ("If ticket #4521 has been resolved, please rate it", None),
    ("If ticket #4521 is not resolved, call us", None),
    ("Unresolved ticket #4521", None),
    ("The resolution of ticket #4521 takes two days", None),
    ("Ticket #4521 has not been assigned", None),
    ("More information is needed for ticket #4521", W),
    ("Ticket #4521 has been placed on hold", W),
    ("Ticket #4521 has been closed", C),
    ("We've closed your request #4521", C),
    ("The status of ticket #4521 changed from Resolved to Closed", C),
    ("Ticket #4521 will be closed in three days", None),
    ("Ticket #4521 has been rejected", X),
    ("Ticket #4521 has not been rejected", None),
    ("Ticket #4521 has been cancelled", V),
    ("Ticket #4521 has been registered", R),
    ("We have received your request #4521", R),
    ("Ticket #4521 has not been registered", None),
]  # fmt: skip


def status(name: str, text: str = "", subject: str = "") -> Status | None:
    mail = replace(InboundMail(sha256="0", size=0), text=text, subject=subject)
    report = read(PROFILES[name], mail, tz=TZ)
    return report.status if report else None


@pytest.mark.parametrize(("said", "expected"), RUSSIAN)
def test_russian_words_mean_what_they_say(said: str, expected: Status | None) -> None:
    assert status("generic-ru", said, "Новости по заявке № 4521") == expected
    assert status("generic-ru", "Подробности на портале.", said) == expected


@pytest.mark.parametrize(("said", "expected"), ENGLISH)
def test_english_words_mean_what_they_say(said: str, expected: Status | None) -> None:
    assert status("generic-en", said, "News about ticket #4521") == expected
    assert status("generic-en", "Details are on the portal.", said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Заявка № IM-CL-1042 выполнена", D),
        ("Выполнена заявка № IM-CL-1042", D),
        ("Ваша заявка № IM-CL-1042 успешно решена", D),
        ("Заявка № IM-CL-1042 (Принтер на третьем этаже мигает красным, не печатает и шумит) выполнена", D),
        ("Заявка № IM-CL-1042 не выполнена", P),
        ("Заявка № IM-CL-1042 не была выполнена", P),
        ("Заявка № IM-CL-1042 ещё не решена", P),
        ("Заявка № IM-CL-1042 будет выполнена завтра", None),
        ("Заявка № IM-CL-1042 скоро будет выполнена", None),
        ("Заявка № IM-CL-1042 не может быть выполнена", None),
        ("Заявку № IM-CL-1042 не удалось выполнить", None),
        ("Заявка № IM-CL-1042 закрыта", C),
        ("Заявка № IM-CL-1042 ещё не закрыта", None),
        ("Заявка № IM-CL-1042 будет закрыта автоматически", None),
        ("Заявка № IM-CL-1042 отклонена", X),
        ("Заявка № IM-CL-1042 не была отклонена", None),
        ("Заявка № IM-CL-1042 не зарегистрирована", None),
        ("RE: Заявка № IM-CL-1042 выполнена", None),
        ("Ответ: № IM-CL-1042 выполнена", None),
        ("FW: Заявка № IM-CL-1042 закрыта", None),
        ("RE: Принтер мигает [imb:7KQ2MXPA4T]. Заявка № IM-CL-1042 зарегистрирована", R),
    ],
)
def test_subjects_of_inframanager_mean_what_they_say(said: str, expected: Status | None) -> None:
    assert status("inframanager", "Подробности на портале.", said) == expected


NEGATIONS = [
    "Заявка {n} не выполнена", "Заявка {n} не была закрыта", "Заявку {n} не удалось выполнить", "Заявка {n} будет решена завтра",
    "Заявка {n} ещё не решена", "Запрос {n} не решён", "Обращение {n} будет закрыто через три дня",
    "Ticket {n} has not been resolved", "Request {n} is not resolved", "{n} has not been closed", "Ticket {n} will be closed",
    "Your request {n} could not be completed", "Incident {n} was not resolved", "Case {n} has yet to be resolved",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("said", NEGATIONS)
def test_no_profile_takes_a_negation_for_its_opposite(name: str, said: str) -> None:
    profile = PROFILES[name]
    number = profile.show_number(
        {"itop": "R-000042", "servicenow": "INC0010023", "simpleone": "INC0000123"}.get(name, "47513")
    )
    for shown in (number, profile.subject_number(number, "help.example #47513")):
        words = said.format(n=shown)
        assert status(name, words, "News") not in (D, C)
        assert status(name, "Details are on the portal.", words) not in (D, C)
