from __future__ import annotations

import tomllib

import pytest

from imbot.backends.profiles import load_profile
from imbot.config import packed
from imbot.domain.tickets import Status
from imbot.store import admin, inbox, tickets
from imbot.store.db import once
from tests.cli_desk import DONE, FORGED, NOW, Desk, letter


def test_what_is_no_letter_is_said_so(desk: Desk) -> None:
    answer = desk(
        "mail", "explain", desk.file("passwd", b"root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/bin/sh\n")
    )
    assert answer.code == 1
    assert "it is no letter: it bears none of From, To," in answer.text


def explained(desk: Desk, raw: bytes, *options: str) -> str:
    answer = desk("mail", "explain", desk.file("letter.eml", raw), *options)
    assert answer.code == 0, answer.err
    return answer.text


# explain


def test_a_status_letter_is_explained_from_its_profile_to_the_words_that_are_told(desk: Desk) -> None:
    page = explained(desk, DONE)
    for line in (
        "Profile: itsm: support@company.ru is one of its senders",
        "  itsm (inframanager): taken",
        "  generic-ru: passed over, it has no senders in the settings",
        "Origin: believed by auth-results, as the settings ask: DMARC passed for company.ru",
        "Meaning: resolved, IM-CL-1042",
        "  solution: Заменён картридж ([[field]] 2, by 'Решение:')",
        "Ticket: IM-CL-1042 'Принтер: мигает красным', t1, by number IM-CL-1042, given by itsm",
        "  requester Иванова Анна Сергеевна <anna@company.ru>",
        "Would be: applied",
        "  told: notice to chat telegram:1001 (ru)",
        "    | Поддержка пишет: «Заменён картридж».",
        "  not: no letter is sent in answer: imbot never answers automatically",
    ):
        assert line in page.splitlines()
    assert "the strongest that it bears: auth-results" in page


def test_an_explanation_changes_nothing(desk: Desk) -> None:
    before = (desk.ticket(), once(desk.url, admin.newest_parcel), once(desk.url, admin.newest_line))
    assert explained(desk, DONE) == explained(desk, DONE)
    assert (desk.ticket(), once(desk.url, admin.newest_parcel), once(desk.url, admin.newest_line)) == before
    assert once(desk.url, inbox.unread, 10) == []
    id = desk.came(DONE)  # not taken for a copy of what was explained
    row = once(desk.url, inbox.get_mail, id)
    assert row is not None
    assert row.outcome == "applied"


def test_a_forged_letter_says_why_it_would_move_nothing(desk: Desk) -> None:
    page = explained(desk, FORGED)
    assert "Origin: NOT believed by auth-results" in page
    assert "strongest" not in page
    assert "Ticket: not asked for, since the letter is not believed" in page
    assert "were it believed, it would be about IM-CL-1042 'Принтер: мигает красным', by number IM-CL-1042" in page
    assert "Would be: quarantined" in page
    assert "told: alert to the admins" in page
    assert "not: no ticket moves and no employee is told: no Authentication-Results" in page


def test_what_stops_an_anchor_is_named(desk: Desk) -> None:
    page = explained(desk, letter("Заявка № IM-CL-1042 будет выполнена"))
    assert "not: resolved is not taken from 'IM-CL-1042 будет выполнена'" in page
    assert "the status stays as it is: no [[status]] of the profile fits" in page


def test_a_letter_that_says_nothing_newer_says_so(desk: Desk) -> None:
    page = explained(desk, letter("Заявка № IM-CL-1042 получена и рассмотрена"))
    assert "Would be: noted" in page
    assert "not: the status stays registered: the letter says nothing newer" in page


def test_a_status_that_only_the_receipt_tells_is_said_to_make_no_message(desk: Desk) -> None:
    page = explained(desk, letter("Заявка № IM-CL-1042 принята в работу"))
    assert "told: receipt to chat telegram:1001" in page
    assert "not: no new message to the employee: such a change is told by the receipt alone" in page


def test_a_letter_of_another_system_is_not_taken_for_one_in_use(desk: Desk) -> None:
    raw = (packed("letters") / "redmine" / "done.eml").read_bytes()
    page = explained(desk, raw)
    assert "Profile: redmine (none of those in use fits): the header X-" in page
    assert "Origin: not judged, since no helpdesk of the settings reads it" in page
    assert "Would be: quarantined" in page


def test_files_that_would_go_along_are_named_and_not_written(desk: Desk) -> None:
    parts = ["--x", "Content-Type: text/plain; charset=utf-8", "", "Решение: см. файл", "--x"]
    parts += [
        "Content-Type: application/pdf",
        "Content-Disposition: attachment; filename=akt.pdf",
        "",
        "%PDF-1.4",
        "--x--",
        "",
    ]
    head, _, _ = DONE.decode().partition("Content-Type")
    raw = f"{head}Content-Type: multipart/mixed; boundary=x\r\n\r\n" + "\r\n".join(parts)
    page = explained(desk, raw.encode())
    assert "  file akt.pdf, 8 bytes" in page
    assert "told: file 'akt.pdf' to chat telegram:1001" in page
    assert list((desk.folder / "var" / "files").iterdir()) == []


def test_the_page_for_scripts_has_the_same(desk: Desk) -> None:
    (page,) = desk("mail", "explain", "--json", desk.file("letter.eml", DONE)).rows
    assert page["profile"]["taken"] == "itsm"
    assert page["evidence"]["asked"] == {
        "kind": "auth-results",
        "believed": True,
        "reason": "DMARC passed for company.ru",
    }
    assert (page["meaning"]["status"], page["meaning"]["number"]) == ("resolved", "IM-CL-1042")
    assert page["course"]["ticket"]["id"] == "t1"
    assert [one["kind"] for one in page["course"]["told"]] == ["notice", "receipt"]
    taken = [one for one in page["profile"]["candidates"] if one["taken"]]
    assert [test["passed"] for test in taken[0]["tests"]] == [True, False, True, True]


def test_of_several_files_one_that_is_missing_hides_no_other(desk: Desk) -> None:
    answer = desk.run(
        "mail", "explain", "none.eml", desk.file("a.eml", DONE), desk.file("b.eml", b"Subject: b\r\n\r\nx")
    )
    assert answer.code == 1
    assert answer.text.startswith("none.eml\n  cannot be read: No such file or directory\n\n")
    assert "Meaning: resolved, IM-CL-1042" in answer.text
    assert "\n\n" + str(desk.folder / "b.eml") in answer.text or "\n\nb.eml" in answer.text
    assert "from (no sender), no date" in answer.text


def test_words_over_two_lines_are_quoted_on_one(desk: Desk) -> None:
    page = explained(desk, letter("Сообщение", "Заявка IM-CL-1042\nвыполнена.\n\nНе выполнена\nIM-CL-1042."))
    assert "\\n" not in page.replace("[^\\n]", "")
    empty = desk.run("mail", "read", desk.file("empty.eml", b"\r\n\r\nx"))
    assert "from (no sender), no date\n  (no subject)" in empty.text


def test_a_learned_profile_with_a_shipped_name_says_so(desk: Desk) -> None:
    learned = desk("mail", "learn", *samples(desk), *TOLD, *STATUSES, "--name", "inframanager")
    assert learned.code == 0
    assert "note: imbot ships a profile inframanager too" in learned.err
    assert "ships a profile" not in desk("mail", "learn", *samples(desk), *TOLD, *STATUSES, "--name", "okdesk").err


def test_without_a_config_the_profile_and_the_meaning_are_said(desk: Desk) -> None:
    (desk.folder / "config.toml").unlink()
    answer = desk.run("mail", "explain", "--profile", "inframanager", desk.file("letter.eml", DONE))
    assert answer.code == 0, answer.err
    assert "Meaning: resolved, IM-CL-1042" in answer.text
    assert "Ticket: not looked for: no config, so no data base" in answer.text
    unknown = desk.run("mail", "explain", "--profile", "mine", desk.file("letter.eml", DONE))
    assert (unknown.code, unknown.err.startswith("imbot: there is no profile 'mine'; there are ")) == (1, True)


def test_without_a_data_base_it_says_how_to_get_one(desk: Desk) -> None:
    (desk.folder / "var" / "imbot.db").unlink()
    assert "Ticket: not looked for: there is no data base at" in explained(desk, DONE)


def test_letters_that_cannot_be_read_are_named_and_the_others_explained(desk: Desk) -> None:
    bomb = b"\r\n".join([b"Subject: x", *(b"X-%d: y" % n for n in range(2000)), b"", b""])
    answer = desk("mail", "explain", desk.file("bomb.eml", bomb), desk.file("letter.eml", DONE))
    assert answer.code == 1
    assert "bomb.eml\n  cannot be read: " in answer.text
    assert "Meaning: resolved" in answer.text
    for command in ("read", "explain"):
        large = desk("mail", command, desk.file("bomb.eml", bomb), desk.file("letter.eml", DONE))
        assert (large.code, "more than 1000 headers" in large.text) == (1, True)
    missing = desk("mail", "explain", "nowhere.eml")
    assert (missing.code, missing.text) == (1, "nowhere.eml\n  cannot be read: No such file or directory\n")


# learn


def samples(desk: Desk) -> list[str]:
    """Letters of a desk that imbot does not know."""
    return [
        desk.file("a.eml", letter("[ОК-Деск 1001] Обращение зарегистрировано", "Тема: Принтер мигает\nСрок: завтра")),
        desk.file("b.eml", letter("[ОК-Деск 1001] Обращение взято в работу", "Тема: Принтер мигает")),
        desk.file("c.eml", letter("[ОК-Деск 1002] Обращение выполнено", "Тема: Сломался чайник\nРешение: Заменён")),
    ]


TOLD = ["--number", "1001", "--number", "1001", "--number", "1002"]
STATUSES = ["--status", "registered", "--status", "in_progress", "--status", "resolved"]


def test_from_three_letters_to_a_ticket_that_moves(desk: Desk) -> None:
    own = str(desk.folder / "own")
    learned = desk("mail", "learn", *samples(desk), *TOLD, *STATUSES, "--name", "okdesk", "--out", own)
    assert learned.code == 0, learned.err
    assert "reads all 3 letters, and none of other ITSMs" in learned.text
    assert "number: what stands in [ОК-Деск …], in the subject, shown as {n}" in learned.text
    assert "registered: " in learned.text
    assert 'profile = "okdesk"' in learned.text
    assert 'senders = ["support@company.ru"]' in learned.text
    assert 'authserv_id = "mx.company.ru"' in learned.text
    profile = load_profile(desk.folder / "own" / "mail" / "okdesk")
    assert profile.name == "okdesk"
    desk.configure(profile="okdesk", general=f'templates_dir = "{own}"')
    once(desk.url, tickets.add_number, "itsm", "1002", "t1", NOW)
    desk.came(letter("[ОК-Деск 1002] Обращение выполнено", "Тема: Другая\nРешение: Починен"))
    assert (desk.ticket().status, desk.ticket().solution) == (Status.RESOLVED, "Починен")


def test_without_a_folder_the_profile_goes_to_standard_output_and_the_reasons_beside_it(desk: Desk) -> None:
    answer = desk("mail", "learn", *samples(desk), *TOLD, *STATUSES)
    assert answer.code == 0
    assert tomllib.loads(answer.text)["name"] == "my-itsm"
    assert "number: what stands in" in answer.err


def test_numbers_and_statuses_may_stand_beside_the_letters(desk: Desk) -> None:
    files = samples(desk)
    for name, number, status in (("a", "1001", "registered"), ("b", "1001", "in_progress"), ("c", "1002", "resolved")):
        (desk.folder / f"{name}.toml").write_text(f'number = "{number}"\nstatus = "{status}"\n', "utf-8")
    assert desk("mail", "learn", *files).code == 0
    (desk.folder / "b.toml").unlink()
    answer = desk("mail", "learn", *files)
    assert (answer.code, "b.eml: --number is missing" in answer.err) == (1, True)


def test_what_a_shipped_profile_reads_already_is_said(desk: Desk) -> None:
    folder = packed("letters") / "redmine"
    files = [str(folder / f"{name}.eml") for name in ("registered", "in-progress", "done")]
    answer = desk("mail", "learn", *files, "--out", str(desk.folder / "own"))
    assert answer.code == 0, answer.err
    assert "these look like letters of redmine, whose profile reads all of them just so" in answer.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([*TOLD[:2], *STATUSES], "--number: 1 for 3 letters"),
        ([*TOLD, *STATUSES[:4], "--status", "finished"], "c.eml: 'finished' is no status; known are registered"),
        (["--number", "5", *TOLD[2:], *STATUSES], "a.eml: it bears no 5"),
        (["--number", "", *TOLD[2:], *STATUSES], "a.eml: --number is empty: give it as the letter writes it, or -"),
        (["--number", "001", *TOLD[2:], *STATUSES], "a.eml: 001 stands in it only within 1001: give the number as"),
        ([*TOLD, *STATUSES, "--name", "../x"], "is no name for a folder"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(desk: Desk, options: list[str], words: str) -> None:
    own = desk.folder / "own"
    answer = desk("mail", "learn", *samples(desk), *options, "--out", str(own))
    assert answer.code == 1
    assert words in answer.err
    assert answer.err.count("\n") == 1
    assert not own.exists()


def test_what_is_no_letter_teaches_nothing_and_is_told_first(desk: Desk) -> None:
    learned = desk("mail", "learn", desk.file("README.md", b"# imbot\n\nA bot: it files requests.\n"))
    assert (learned.code, learned.text) == (1, "")
    assert "README.md: it is no letter: it bears none of From, To," in learned.err
    assert "--number" not in learned.err


def test_the_same_words_with_two_statuses_write_nothing(desk: Desk) -> None:
    files = [desk.file(name, letter("[Деск 7] Обращение", "Состояние изменено")) for name in ("a.eml", "b.eml")]
    given = ["--number", "7", "--number", "7", "--status", "registered", "--status", "resolved"]
    answer = desk("mail", "learn", *files, *given, "--out", str(desk.folder / "own"))
    assert (answer.code, "have the same words, but the statuses registered and resolved" in answer.err) == (1, True)
    assert not (desk.folder / "own").exists()


def test_a_profile_that_is_there_is_not_replaced_unasked(desk: Desk) -> None:
    given = [*samples(desk), *TOLD, *STATUSES, "--out", str(desk.folder / "own")]
    assert desk("mail", "learn", *given).code == 0
    assert "is there already: --force replaces it" in desk("mail", "learn", *given).err
    assert desk("mail", "learn", *given, "--force").code == 0
