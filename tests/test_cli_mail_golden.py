from __future__ import annotations

import stat

from imbot.config import packed
from imbot.store.db import once
from imbot.store.letters import LetterRow, save_letter
from tests.cli_desk import DONE, NOW, Desk, letter

STARTED = letter("Заявка № IM-CL-1042 принята в работу", "Исполнитель: Кузнецов")


def golden(desk: Desk, *arguments: str) -> str:
    answer = desk("mail", "golden", *arguments)
    assert answer.code == 0, answer.err + answer.text
    return answer.text


def edited(desk: Desk, old: str, new: str) -> str:
    """A folder with the profile, changed."""
    source = (packed("templates") / "mail" / "inframanager" / "profile.toml").read_text("utf-8")
    assert old in source
    folder = desk.folder / "edited" / "inframanager"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(source.replace(old, new), "utf-8")
    return str(folder.parent)


def test_the_data_folder_is_made_for_the_service_alone(desk: Desk) -> None:
    text = (desk.folder / "config.toml").read_text("utf-8")
    (desk.folder / "config.toml").write_text(text.replace('data_dir = "var"', 'data_dir = "fresh"'), "utf-8")
    golden(desk, "add", desk.file("done.eml", DONE))
    assert stat.S_IMODE((desk.folder / "fresh").stat().st_mode) == 0o700


def test_letters_are_kept_for_the_service_alone_with_what_they_mean(desk: Desk) -> None:
    said = golden(desk, "add", desk.file("done.eml", DONE), desk.file("started.eml", STARTED))
    assert "inframanager: resolved, IM-CL-1042, solution: Заменён картридж" in said
    assert "2 added, 0 kept before" in said
    folder = desk.folder / "var" / "golden"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert {path.read_bytes() for path in folder.glob("*.eml")} == {DONE, STARTED}
    assert "0 added, 1 kept before" in golden(desk, "add", desk.file("done.eml", DONE))
    assert len(desk("mail", "golden", "list", "--json").rows) == 2
    assert golden(desk, "check") == "0 of 2 letters would change their meaning\n"


def test_an_edited_profile_that_changes_a_meaning_is_told_as_was_and_would_be(desk: Desk) -> None:
    golden(desk, "add", desk.file("done.eml", DONE), desk.file("started.eml", STARTED))
    folder = edited(desk, "Решение[ \\t]*:", "Ответ[ \\t]*:")
    answer = desk("mail", "golden", "check", "--profiles", folder)
    assert answer.code == 1
    rows = answer.text.splitlines()
    assert rows[0].split() == ["LETTER", "SUBJECT", "WHAT", "WAS", "WOULD", "BE"]
    assert rows[1].split("  ")[1:] == ["Заявка № IM-CL-1042 выполнена", "solution", "Заменён картридж", "-"]
    assert rows[-1] == "1 of 2 letters would change their meaning"
    changed = [row for row in desk("mail", "golden", "check", "--profiles", folder, "--json").rows if row["changes"]]
    assert changed[0]["changes"] == {"solution": {"was": "Заменён картридж", "would_be": ""}}
    assert golden(desk, "check") == "0 of 2 letters would change their meaning\n"


def test_a_folder_with_mail_below_is_as_good_and_one_without_a_profile_in_use_is_refused(desk: Desk) -> None:
    """Else every letter would keep its meaning, and that would pass for an answer."""
    golden(desk, "add", desk.file("done.eml", DONE))
    edited(desk, "Решение[ \\t]*:", "Ответ[ \\t]*:")
    (desk.folder / "own").mkdir()
    mail = (desk.folder / "edited").rename(desk.folder / "own" / "mail")
    for folder in (mail.parent, mail):
        answer = desk("mail", "golden", "check", "--profiles", str(folder))
        assert (answer.code, answer.text.splitlines()[-1]) == (1, "1 of 1 letters would change their meaning")
    (empty := desk.folder / "empty").mkdir()
    for folder in (desk.folder / "nope", empty, mail / "inframanager"):
        for command in (("golden", "check"), ("explain", desk.file("done.eml", DONE))):
            answer = desk("mail", *command, "--profiles", str(folder))
            assert (answer.code, answer.text) == (1, "")
            assert f"there is no <name>/profile.toml in {folder}" in answer.err
    (mail / "inframanager").rename(mail / "house")
    answer = desk("mail", "golden", "check", "--profiles", str(mail))
    assert (answer.code, "has house, but the settings use inframanager" in answer.err) == (1, True)


def test_a_letter_that_another_status_would_be_read_from_is_told(desk: Desk) -> None:
    golden(desk, "add", desk.file("done.eml", DONE))
    answer = desk("mail", "golden", "check", "--profiles", edited(desk, 'status = "resolved"', 'status = "closed"'))
    assert answer.code == 1
    assert "status" in answer.text
    assert "resolved  closed" in " ".join(answer.text.split(" ")).replace("   ", "  ")


def test_what_the_service_carried_out_becomes_examples_without_our_own_words(desk: Desk) -> None:
    ours = {"subject": "Принтер", "text": "Вчера сказали, что IM-CL-1042 выполнена давно"}
    once(desk.url, save_letter, LetterRow("<t1@company.ru>", "t1", "ticket", ours, NOW))
    desk.came(letter("Вчера сказали, что IM-CL-1042 выполнена давно", "Зайдём завтра."))
    desk.came(DONE)
    desk.came(letter("Скидки", sender="eve@spam.ru"))
    assert "2 added" in golden(desk, "add", "--from-accepted", "10")
    rows = desk("mail", "golden", "list", "--json").rows
    assert sorted(row["means"]["status"] for row in rows) == ["comment", "resolved"]
    assert {row["ticket"] for row in rows} == {"t1"}
    assert golden(desk, "check") == "0 of 2 letters would change their meaning\n"


def test_letters_that_nobody_reads_are_not_kept(desk: Desk) -> None:
    answer = desk("mail", "golden", "add", desk.file("spam.eml", letter("Скидки", sender="eve@spam.ru")))
    assert answer.code == 1
    assert "not kept: no profile in use finds anything in it" in answer.text
    nothing = desk("mail", "golden", "check")
    assert (nothing.code, nothing.text.startswith("no letters are kept yet")) == (0, True)
    assert desk("mail", "golden", "add").err.startswith("imbot: say which: files")


def test_kept_letters_are_dropped_by_name_or_age(desk: Desk) -> None:
    golden(desk, "add", desk.file("done.eml", DONE), desk.file("started.eml", STARTED))
    first = desk("mail", "golden", "list", "--json").rows[0]["name"]
    assert golden(desk, "drop", first) == "1 deleted\n"
    assert desk("mail", "golden", "drop", first).err == f"imbot: no letter is kept as {first}\n"
    assert golden(desk, "drop", "--older", "90d") == "nothing is that old\n"
    assert "say which" in desk("mail", "golden", "drop").err
    assert desk("mail", "golden", "drop", "--older", "0h").code == 1  # nobody said yes
    assert golden(desk, "drop", "--older", "0h", "--yes") == "1 deleted\n"
    assert list((desk.folder / "var" / "golden").iterdir()) == []


def test_who_is_erased_leaves_no_example_behind(desk: Desk) -> None:
    desk.came(DONE)
    golden(desk, "add", "--from-accepted", "10")
    golden(desk, "add", desk.file("started.eml", STARTED))
    assert desk("user", "delete", "anna@company.ru", "--yes").code == 0
    rows = desk("mail", "golden", "list", "--json").rows
    assert [row["ticket"] for row in rows] == [""]


def test_a_damaged_example_is_named(desk: Desk) -> None:
    golden(desk, "add", desk.file("done.eml", DONE))
    (path,) = (desk.folder / "var" / "golden").glob("*.toml")
    path.write_text("means = [", "utf-8")
    answer = desk("mail", "golden", "check")
    assert (answer.code, answer.err.startswith(f"imbot: {path}: ")) == (1, True)
