"""A profile learned from three letters of a desk reads them, and takes none of another. The desks are the shipped ones."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends.learning import CannotLearn, learn, taken_by
from imbot.backends.learning_numbers import Sample
from imbot.backends.profiles import parse_profile
from imbot.backends.understanding import read
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status
from imbot.mime import bytes_to_mail

MAILS = Path(__file__).resolve().parents[1] / "mails"
DESKS = sorted(path.name for path in MAILS.iterdir() if path.is_dir())
UTC = ZoneInfo("UTC")
WANTED = {"registered": "registered", "in_progress": "in-progress", "resolved": "done"}


@cache
def letters() -> dict[str, InboundMail]:
    return {f"{path.parent.name}/{path.stem}": bytes_to_mail(path.read_bytes()) for path in MAILS.glob("*/*.eml")}


def others(desk: str) -> dict[str, InboundMail]:
    return {name: mail for name, mail in letters().items() if not name.startswith(f"{desk}/")}


def three(desk: str) -> list[Sample]:
    """One letter each: registered, in progress, done; the plainest of the desk's."""
    found: dict[str, Sample] = {}
    for path in sorted((MAILS / desk).glob("*.eml"), key=lambda path: (path.stem not in WANTED.values(), path.stem)):
        meaning = tomllib.loads(path.with_suffix(".toml").read_text("utf-8"))
        status, number = meaning.get("status"), meaning.get("number", "")
        if status in WANTED and number and status not in found:
            found[status] = Sample(path.stem, letters()[f"{desk}/{path.stem}"], number, Status(status))
    return list(found.values())


def a_letter(subject: str, text: str = "Здравствуйте.", **headers: str) -> InboundMail:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"From": "sd@firm.example", **headers}.items()]
    head = "\r\n".join([*lines, f"Subject: {subject}", "Content-Type: text/plain; charset=utf-8"])
    return bytes_to_mail(f"{head}\r\n\r\n{text}\r\n".encode())


def a_sample(name: str, status: str, number: str, subject: str, text: str = "Здравствуйте.", **headers: str) -> Sample:
    return Sample(name, a_letter(subject, text, **headers), number, Status(status))


@pytest.mark.parametrize("desk", DESKS)
def test_three_letters_of_a_desk_are_learned_and_no_other_desks_letter_is_read(desk: str) -> None:
    samples = three(desk)
    assert len(samples) == 3
    lesson = learn(samples, others(desk), "mine")
    profile = parse_profile(lesson.source)
    for sample in samples:
        report = read(profile, sample.mail, tz=UTC)
        assert report is not None
        assert (report.status, report.number.upper()) == (sample.status, sample.number.upper())
    assert [(name, status) for name, status in taken_by(profile, others(desk)) if status] == []
    assert len([note for note in lesson.notes if note.partition(":")[0] in WANTED]) == 3


def test_digits_are_any_digits_and_dates_and_names_are_no_part_of_it() -> None:
    lesson = learn(
        [
            a_sample(
                "a", "registered", "HD-77", "Обращение HD-77 от 21.11.2026 зарегистрировано", "Уважаемая Анна, ждите."
            ),
            a_sample("b", "resolved", "HD-78", "Обращение HD-78 от 22.11.2026 выполнено", "Уважаемый Пётр, готово."),
        ],
        {},
        "mine",
    )
    report = read(lesson.profile, a_letter("Обращение HD-123456 от 01.02.2027 выполнено"), tz=UTC)
    assert report is not None
    assert (report.status, report.number) == (Status.RESOLVED, "HD-123456")
    for word in ("21", "2026", "Анна", "Пётр"):
        assert word not in lesson.source


def test_a_persons_own_words_are_not_taken_for_the_desks() -> None:
    """The titles differ as the statuses do, but the letters show that they are titles."""
    one = "Тема: Принтер мигает\nСтатус: новая заявка"
    two = "Тема: Сломался чайник\nСтатус: всё готово"
    lesson = learn(
        [
            a_sample("a", "registered", "1001", "[Helpdesk #1001] Принтер мигает", one),
            a_sample("b", "resolved", "1002", "[Helpdesk #1002] Сломался чайник", two),
        ],
        {},
        "mine",
    )
    for word in ("ринтер", "мигает", "чайник", "ломался"):
        assert word not in lesson.source
    report = read(lesson.profile, a_letter("[Helpdesk #7] Сломался чайник", one.replace("Принтер", "Монитор")), tz=UTC)
    assert report is not None
    assert report.status is Status.REGISTERED


@pytest.mark.parametrize("text", ["Деск: не выполнена HD-77", "Деск: будет выполнена HD-77 завтра"])
def test_what_is_negated_is_not_read_as_done(text: str) -> None:
    lesson = learn(
        [
            a_sample("a", "registered", "HD-77", "Деск: зарегистрирована HD-77"),
            a_sample("b", "resolved", "HD-77", "Деск: выполнена HD-77"),
            a_sample("c", "resolved", "HD-78", "Сервис: выполнена HD-78"),
        ],
        {},
        "mine",
    )
    report = read(lesson.profile, a_letter(text), tz=UTC)
    assert report is not None
    assert report.status is None


def test_the_label_of_a_value_is_no_status() -> None:
    """A letter in progress may say "Решение: ищем"."""
    samples = [
        a_sample("a.eml", "registered", "HD-77", "Обращение HD-77 зарегистрировано"),
        a_sample("b.eml", "resolved", "HD-77", "Обращение HD-77", "Решение: Выдан доступ"),
    ]
    with pytest.raises(CannotLearn, match=r"b\.eml: nothing says resolved"):
        learn(samples, {}, "mine")


def test_a_proposal_that_would_misread_a_sample_is_none() -> None:
    """The second letter's subject bears somebody else's number."""
    samples = [
        a_sample("a.eml", "registered", "HD-77", "Обращение HD-77 зарегистрировано"),
        a_sample("b.eml", "resolved", "HD-99", "Обращение HD-77 выполнено", "Вместо него открыто HD-99."),
    ]
    with pytest.raises(CannotLearn, match=r"b\.eml: what was learned reads resolved, HD-77 there, not resolved, HD-99"):
        learn(samples, {}, "mine")


def test_the_same_words_with_two_statuses_are_refused() -> None:
    samples = [
        a_sample("first.eml", "registered", "HD-77", "Обращение HD-77", "Состояние изменено."),
        a_sample("second.eml", "resolved", "HD-78", "Обращение HD-78", "Состояние изменено."),
    ]
    with pytest.raises(CannotLearn, match=r"first\.eml and second\.eml have the same words"):
        learn(samples, {}, "mine")


def test_words_that_only_a_person_wrote_say_nothing() -> None:
    samples = [
        a_sample("first.eml", "registered", "HD-77", "Re: Принтер мигает HD-77", "Посмотрим."),
        a_sample("second.eml", "resolved", "HD-78", "Re: Сломался чайник HD-78", "Посмотрим."),
    ]
    with pytest.raises(CannotLearn, match=r"\.eml: nothing says (registered|resolved)"):
        learn(samples, {}, "mine")


def test_a_number_that_the_letter_does_not_bear_is_named() -> None:
    with pytest.raises(CannotLearn, match=r"a\.eml: it bears no HD-99"):
        learn([a_sample("a.eml", "registered", "HD-99", "Обращение HD-77 зарегистрировано")], {}, "mine")
    with pytest.raises(CannotLearn, match=r"a\.eml: 1873 stands in it only within АП-001873: give the number as"):
        learn([a_sample("a.eml", "registered", "1873", "Заявка №АП-001873: принята")], {}, "mine")
    with pytest.raises(CannotLearn, match=r"a\.eml: 'none' has no digits"):
        learn([a_sample("a.eml", "registered", "none", "Обращение HD-77 зарегистрировано")], {}, "mine")


def test_the_number_is_named_as_it_was_typed() -> None:
    with pytest.raises(CannotLearn, match=r"a\.eml: it bears no ОБР-2026/004513, neither"):
        learn([a_sample("a.eml", "registered", "ОБР-2026/004513", "Обращение ОБР-2026/004512 принято")], {}, "mine")


def test_words_that_another_desk_uses_for_the_same_are_refused_where_nothing_else_is_there() -> None:
    samples = [a_sample("a.eml", "registered", "", "Заявка зарегистрирована", "Ждите.")]
    with pytest.raises(CannotLearn, match="other desks bear it too"):
        learn(samples, {"x": a_letter("Заявка зарегистрирована", "Ждите.")}, "mine")


def test_a_tag_in_brackets_goes_back_word_for_word() -> None:
    lesson = learn(
        [
            a_sample("a", "registered", "1042", "[Ops.Desk #1042] New request"),
            a_sample("b", "resolved", "1043", "[Ops.Desk #1043] Request resolved"),
        ],
        {},
        "mine",
    )
    from imbot.backends.understanding import words

    looked = words(lesson.profile, a_letter("[Ops.Desk #5] New request"))
    assert lesson.profile.subject_number(looked.numbers[0], looked.tag) == "[Ops.Desk #5]"


def test_values_behind_the_usual_labels_are_lifted() -> None:
    text = "Срок решения: 23.11.2026 18:00\nИсполнитель: Мастеров"
    done = "Решение: Заменён картридж"
    lesson = learn(
        [
            a_sample("a", "registered", "HD-77", "Обращение HD-77 зарегистрировано", text),
            a_sample("b", "resolved", "HD-77", "Обращение HD-77 выполнено", done),
        ],
        {},
        "mine",
    )
    report = read(lesson.profile, a_letter("Обращение HD-7 зарегистрировано", text), tz=UTC)
    assert report is not None
    assert dict(report.fields) == {"promised": "2026-11-23T18:00:00+00:00", "assignee": "Мастеров"}
    assert lesson.profile.language == "ru"


def asked_and_done(asks: str, done: str) -> list[Sample]:
    """Beside a letter that says who works on it, behind other words of the line."""
    who = "По обращению HD-78 назначен исполнитель: Ковалёв"
    return [
        a_sample("a", "registered", "HD-77", "Обращение HD-77 зарегистрировано", "Просьба сообщить: тел. 00-11"),
        a_sample("b", "in_progress", "HD-78", "Обращение HD-78 взято в работу", who),
        a_sample("c", "waiting", "HD-79", "Обращение HD-79: нужны сведения от вас", asks),
        a_sample("d", "resolved", "HD-80", "Обращение HD-80 выполнено", done),
    ]


def test_what_support_asks_does_and_whom_it_sends_is_lifted() -> None:
    samples = asked_and_done("Исполнитель просит уточнить: какой номер на наклейке?", "Результат: Права выданы.")
    lesson = learn(samples, others(""), "mine")
    wanted = [
        {},
        {"assignee": "Ковалёв"},
        {"question": "какой номер на наклейке?"},
        {"solution": "Права выданы."},
    ]
    for sample, fields in zip(samples, wanted, strict=True):
        report = read(lesson.profile, sample.mail, tz=UTC)
        assert report is not None
        assert dict(report.fields) == fields
    assert lesson.doubts == ()


def test_a_question_or_a_solution_that_nothing_is_lifted_from_wants_a_look() -> None:
    samples = asked_and_done("Напишите номер с наклейки.", "Права выданы.")
    doubts = learn(samples, others(""), "mine").doubts
    assert [doubt.partition(":")[0] for doubt in doubts] == [
        "no question is lifted from c",
        "no solution is lifted from d",
    ]


def test_a_header_that_only_this_desk_writes_becomes_its_fingerprint() -> None:
    samples = [
        a_sample(
            "a", "registered", "HD-77", "HD-77 registered", X_OurDesk="1", X_MS_Whatever="y", X_Mailer="Our Desk 7.1"
        ),
        a_sample("b", "resolved", "HD-77", "HD-77 resolved", X_OurDesk="2", X_MS_Whatever="y", X_Mailer="Our Desk 7.2"),
    ]
    lesson = learn(samples, {"x": a_letter("hello", X_Mailer="Their Desk 1")}, "mine")
    assert [mark.place for mark in lesson.profile.fingerprints] == ["header:X-OurDesk", "header:X-Mailer"]
    absent = a_letter("Automatic reply: HD-77 resolved")
    report = read(lesson.profile, absent, tz=UTC)
    assert report is not None
    assert report.status is None


def test_a_desk_that_nobody_knows_is_learned_by_its_own_words() -> None:
    """A number of two parts, a label beside the status, titles of three people."""
    samples = [
        a_sample(
            "a",
            "registered",
            "ВН-2026-00017",
            "Вектор: новый наряд ВН-2026-00017 по обращению «Не печатает»",
            "Срок: завтра",
        ),
        a_sample(
            "b", "in_progress", "ВН-2026-00018", "Вектор: наряд ВН-2026-00018 передан исполнителю", "Исполнитель: Пётр"
        ),
        a_sample("c", "resolved", "ВН-2026-00015", "Вектор: наряд ВН-2026-00015 исполнен", "Решение: Выдан доступ"),
    ]
    lesson = learn(samples, others(""), "mine")
    for subject, text, status in (
        ("Вектор: новый наряд ВН-2027-1 по обращению «Сломалось»", "", Status.REGISTERED),
        ("Вектор: наряд ВН-2027-1 передан исполнителю", "Решение: ищем", Status.IN_PROGRESS),
        ("Вектор: наряд ВН-2027-1 исполнен", "", Status.RESOLVED),
    ):
        report = read(lesson.profile, a_letter(subject, text or "Здравствуйте."), tz=UTC)
        assert report is not None
        assert (report.status, report.number) == (status, "ВН-2027-1")


@pytest.mark.parametrize("verb", ["завершены", "окончены"])
def test_the_words_before_those_that_say_it_are_not_enough(verb: str) -> None:
    """With a word we know and with one that we do not: what a letter of another wording begins with says nothing."""
    samples = [
        a_sample("a", "registered", "REQ/2026/000117", "Ваше обращение REQ/2026/000117 поставлено в очередь"),
        a_sample("b", "in_progress", "REQ/2026/000117", "Обращение REQ/2026/000117: специалист приступил"),
        a_sample("c", "resolved", "REQ/2026/000121", f"Обращение REQ/2026/000121: работы {verb}"),
    ]
    lesson = learn(samples, others(""), "mine")
    for words in (
        "начаты",
        "приостановлены",
        f"не {verb}",
        "будут " + verb,
        f"{verb} не полностью",
        f"{verb} частично",
    ):
        report = read(lesson.profile, a_letter(f"Обращение REQ/2026/000130: работы {words}"), tz=UTC)
        assert (report and report.status) is None, words
    for words in ("отклонено", "ожидает ответа", "снято с очереди"):
        report = read(lesson.profile, a_letter(f"Ваше обращение REQ/2026/000130 {words}"), tz=UTC)
        assert (report and report.status) is None, words
    report = read(lesson.profile, a_letter(f"Обращение REQ/2026/000131: работы {verb}"), tz=UTC)
    assert report is not None
    assert (report.status, report.number) == (Status.RESOLVED, "REQ/2026/000131")


WORDS = st.lists(
    st.sampled_from(
        [
            "заявка",
            "№",
            "выполнена",
            "принята",
            "Re:",
            "[HD",
            "#7]",
            "HD-7",
            "7",
            "(",
            "не",
            "resolved",
            "Принтер",
            "«",
            "'",
            "\t",
        ]
    ),
    max_size=8,
).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["HD-7", "7", "#7", "-7", ""])), min_size=1, max_size=4))
def test_whatever_the_letters_a_proposal_reads_all_of_them_or_there_is_none(
    letters: list[tuple[str, str, str]],
) -> None:
    statuses = ["registered", "resolved", "registered", "waiting"]
    samples = [
        a_sample(f"{index}", statuses[index], number, subject, text)
        for index, (subject, text, number) in enumerate(letters)
    ]
    try:
        lesson = learn(samples, {}, "mine")
    except CannotLearn:
        return
    profile = parse_profile(lesson.source)
    for sample in samples:
        report = read(profile, sample.mail, tz=UTC)
        assert report is not None
        assert (report.status, report.number.upper()) == (sample.status, sample.number.upper())
