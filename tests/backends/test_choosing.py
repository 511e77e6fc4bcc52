"""Which backend a letter is read by, and why each other one was passed over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imbot.backends.mail import Candidate, candidates, consider
from imbot.backends.profiles import load_profiles, parse_profile
from imbot.domain.letters import InboundMail

PROFILES = load_profiles([Path(__file__).resolve().parents[2] / "templates" / "mail"])
IM, GENERIC, REDMINE = PROFILES["inframanager"], PROFILES["generic-ru"], PROFILES["redmine"]
BODY = parse_profile(
    'name = "ours"\n[[fingerprint]]\nwhere = "body"\npattern = "Our desk, version [0-9]"\n'
    '[[fingerprint]]\nwhere = "subject"\npattern = "OURDESK"\n'
)


def mail(text: str = "", subject: str = "", sender: str = "itsm@company.example", **headers: str) -> InboundMail:
    found = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return replace(InboundMail(sha256="0", size=0), text=text, subject=subject, sender=sender, headers=found)


def by_name(found: tuple[Candidate, ...]) -> dict[str, Candidate]:
    return {each.name: each for each in found}


def test_two_backends_of_one_profile_are_told_apart_by_their_senders() -> None:
    choices = {
        "it": replace(IM, senders=("it@company.example",)),
        "facilities": replace(IM, senders=("house@company.example",)),
    }
    for sender, name in (("it@company.example", "it"), ("house@company.example", "facilities")):
        choice = consider(choices, mail(subject="Заявка № IM-CL-1042 выполнена", sender=sender))
        assert (choice.name, choice.profile) == (name, choices[name])
        assert sender in choice.reason


def test_a_sender_goes_before_a_fingerprint_and_that_before_words() -> None:
    choices = {"a": replace(IM, senders=("itsm@company.example",)), "b": REDMINE, "c": GENERIC}
    found = mail(subject="Обращение № 4521 закрыто", X_Redmine_Host="x")
    assert consider(choices, found).name == "a"
    assert consider({"b": REDMINE, "c": GENERIC}, found).name == "b"
    assert consider({"b": REDMINE, "c": GENERIC}, mail(subject="Обращение № 4521 закрыто")).name == "c"
    assert consider({"b": REDMINE, "c": GENERIC}, mail(subject="привет")).profile is None


def test_where_two_share_a_sender_no_third_is_asked() -> None:
    shared = ("itsm@company.example",)
    choices = {"a": replace(IM, senders=shared), "b": replace(GENERIC, senders=shared), "c": REDMINE}
    assert consider(choices, mail(subject="Обращение № 4521 закрыто", X_Redmine_Host="x")).name == "b"
    assert consider(choices, mail(subject="привет", X_Redmine_Host="x")).name == "a"


def test_every_candidate_says_which_tests_it_passed_and_failed() -> None:
    choices = {"im": replace(IM, senders=("itsm@company.example",)), "redmine": REDMINE}
    found = by_name(candidates(choices, mail(subject="Заявка № IM-CL-1042 выполнена")))
    assert [(test.name, test.ok) for test in found["im"].tests] == [
        ("sender", True),
        ("fingerprint", False),
        ("number", True),
        ("words", True),
    ]
    assert found["im"].taken
    assert "itsm@company.example is one of its senders" in found["im"].reason
    assert "'IM-CL-1042'" in found["im"].tests[2].detail
    assert "in the subject" in found["im"].tests[3].detail
    assert not found["redmine"].taken
    assert not any(test.ok for test in found["redmine"].tests)
    assert found["redmine"].tests[0].detail == "it has no senders in the settings"
    assert found["redmine"].reason == "passed over, it has no senders in the settings"


@pytest.mark.parametrize("subject", ["привет", "Заявка № IM-CL-1042 выполнена", "[Help - Support #7] (New) x"])
def test_what_is_told_is_what_was_done(subject: str) -> None:
    for choices in (PROFILES, {"x": IM, "y": IM}, {}):
        found = mail(subject=subject)
        taken = [each.name for each in candidates(choices, found) if each.taken]
        assert taken == [name for name in [consider(choices, found).name] if name]


def test_a_fingerprint_may_stand_in_the_text_or_the_subject_but_not_in_what_is_quoted() -> None:
    choices = {"ours": BODY}
    assert consider(choices, mail("Hello.\nSent by Our desk, version 3")).name == "ours"
    assert consider(choices, mail("Hello.", "[ourdesk] news")).name == "ours"
    assert consider(choices, mail("Hello.\n\n> Sent by Our desk, version 3")).profile is None
    assert "in the text" in candidates(choices, mail("Our desk, version 3"))[0].tests[1].detail


def test_a_header_says_more_than_a_text_does() -> None:
    marked = parse_profile(
        'name = "marked"\n[[fingerprint]]\nwhere = "body"\npattern = "x"\n[[fingerprint]]\nheader = "X-M"\n'
    )
    found = candidates({"marked": marked}, mail("x", X_M="1"))[0]
    assert found.tests[1].detail == "the header X-M"
