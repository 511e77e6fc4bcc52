from __future__ import annotations

import tomllib

import pytest

from imbot.backends.evidence import EvidenceSettings, believes
from imbot.backends.profiles import Profile
from imbot.backends.recommending import evidence_toml, findings, holds, recommend, remedy, signer
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail

FROM = "From: itsm@desk.company.example"
ENTRY = "Received: from itsm.company.example (itsm.company.example [10.1.2.3]) by mx{n}.company.example with ESMTP"
STEP = "Received: from mx{n}.company.example ([10.1.0.{n}]) by mail.company.example with ESMTP"
EVIL = "Received: from evil.example.test (evil.example.test [203.0.113.9]) by mx.company.example"
PASS = "Authentication-Results: mx{n}.company.example; dkim=pass header.d=company.example"


def letters(*headers: str, count: int = 2) -> list[InboundMail]:
    return [
        bytes_to_mail(("\r\n".join((*headers, FROM)).replace("{n}", str(n)) + "\r\n\r\ntext").encode())
        for n in range(1, count + 1)
    ]


def test_results_of_our_own_server_are_the_strongest_evidence() -> None:
    advice = recommend(letters(PASS, ENTRY, "X-MS-Exchange-Organization-AuthAs: Internal", count=1))
    assert advice.evidence == EvidenceSettings("auth-results", "mx1.company.example", own_hosts=(".company.example",))
    assert [(each.kind, each.holds) for each in advice.bearings] == [
        ("auth-results", 1),
        ("exchange-internal", 1),
        ("trusted-relay", 1),
    ]
    assert "mx1.company.example" in advice.words


def test_servers_of_one_domain_are_written_with_a_star() -> None:
    samples = letters(STEP, PASS, ENTRY)
    advice = recommend(samples)
    assert advice.evidence.authserv_id == "*.company.example"
    profile = Profile("x", senders=("itsm@desk.company.example",))
    assert all(believes(profile, mail, advice.evidence).ok for mail in samples)


@pytest.mark.parametrize(
    "headers",
    [
        (EVIL, "Received: from x by evil.example.test", PASS),
        ("Received: from evil.example.test ([203.0.113.9]) by mx.company.example",
         "Received: from y ([198.51.100.7]) by evil.example.test", PASS),
    ],
)  # fmt: skip
def test_results_that_others_wrote_are_no_evidence(headers: tuple[str, ...]) -> None:
    advice = recommend(letters(*headers))
    assert advice.bearings[0].holds == 0
    assert "others wrote it" in advice.bearings[0].words


def test_internal_mail_without_a_signature_is_known_by_its_host() -> None:
    advice = recommend(letters(ENTRY))
    assert advice.evidence == EvidenceSettings(
        "trusted-relay", relays=("10.1.2.3",), own_hosts=("mx1.company.example", "mx2.company.example")
    )
    assert "only if nobody but the ITSM" in advice.words


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (("Received: from localhost (localhost [127.0.0.1]) by mx.company.example", ENTRY), "from itself"),
        (("Received: from mx.company.example ([10.1.2.3]) by mail.company.example",
          "Received: from a.example.test ([8.8.8.8]) by mx.company.example"), "internet"),
        (("Received: from mx.company.example ([10.0.0.2]) by imap.company.example",
          "Received: from itsm.company.example ([10.0.0.9]) by mx.company.example"), "hands on what other hosts bring"),
        (("Received: by mx.company.example",), "not note"),
        ((), "no Received"),
    ],
)  # fmt: skip
def test_a_relay_that_brings_everything_in_is_not_recommended(headers: tuple[str, ...], why: str) -> None:
    advice = recommend(letters(*headers))
    assert advice.evidence.kind == "sender-only"
    assert why in advice.bearings[2].words
    assert "could forge" in advice.words


def test_the_mark_of_exchange_is_known() -> None:
    advice = recommend(letters("X-MS-Exchange-Organization-AuthAs: Internal"))
    assert advice.evidence.kind == "exchange-internal"
    assert all(holds(advice.evidence, mail) for mail in letters("X-MS-Exchange-Organization-AuthAs: Internal"))


def test_evidence_that_some_samples_lack_is_recommended_with_a_word() -> None:
    advice = recommend([*letters(PASS, ENTRY, count=1), *letters(PASS, ENTRY, count=1), *letters(count=1)])
    assert advice.evidence.kind == "auth-results"
    assert "2 of 3" in advice.words
    assert "quarantine" in advice.words


def test_a_server_without_a_name_in_its_field_is_written_as_a_dash() -> None:
    advice = recommend(letters("Authentication-Results: dkim=pass header.d=company.example;dmarc=pass action=none"))
    assert advice.evidence.authserv_id == "-"


def test_of_no_samples_nothing_is_said() -> None:
    advice = recommend([])
    assert (advice.evidence.kind, advice.samples, advice.bearings) == ("sender-only", 0, ())


def test_the_advice_can_be_pasted_into_the_settings() -> None:
    advice = recommend(letters(STEP, PASS, ENTRY))
    read = tomllib.loads(evidence_toml(advice.evidence))
    assert read["itsm"]["evidence"] == {
        "kind": "auth-results",
        "authserv_id": "*.company.example",
        "own_hosts": [".company.example"],
    }


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ((PASS, ENTRY), (True, False, None)),
        ((EVIL, "Received: from x by evil.example.test", PASS), (False, False, None)),
        (("X-MS-Exchange-Organization-AuthAs: Internal",), (False, True, False)),
        ((), (False, False, False)),
    ],
)
def test_of_one_letter_facts_are_told_and_no_advice(headers: tuple[str, ...], found: tuple[bool | None, ...]) -> None:
    (mail,) = letters(*headers, count=1)
    facts = findings(mail)
    assert tuple(fact.borne for fact in facts) == found
    assert not any(word in fact.words for fact in facts for word in ("sample", "use ", "sender-only"))


def test_the_name_that_our_server_signs_with_is_what_most_letters_bear_above_the_stranger() -> None:
    ours = letters("Authentication-Results: MX.company.example; dkim=fail", ENTRY, count=3)
    theirs = letters(EVIL, "Received: from x by evil.example.test", PASS, count=1)
    assert signer([*ours, *theirs]) == "mx.company.example"
    assert signer(letters("Authentication-Results: spf=pass smtp.mailfrom=a@b.example", ENTRY)) == "-"
    assert signer([*ours[:1], *theirs]) == signer(theirs) == signer([]) == ""


def test_a_wrong_name_is_mended_by_the_name_alone_or_with_the_hosts_that_it_takes() -> None:
    (plain,) = letters(PASS, count=1)
    assert remedy(EvidenceSettings(authserv_id="wrong.host"), plain) == 'authserv_id = "mx1.company.example"'
    (handed_on,) = letters(STEP, PASS, ENTRY, count=1)
    wanted = 'authserv_id = "mx1.company.example" and own_hosts = [".company.example"]'
    assert remedy(EvidenceSettings(authserv_id="wrong.host"), handed_on) == wanted
    (failed,) = letters("Authentication-Results: mx1.company.example; dkim=fail", ENTRY, count=1)
    assert remedy(EvidenceSettings(authserv_id="wrong.host"), failed) == ""
