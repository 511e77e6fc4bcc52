"""Origin is believed only by evidence: genuine letters of real providers pass, every forgery stays out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbot.backends.auth_results import parse_auth_results
from imbot.backends.evidence import EvidenceSettings, believes, sender_matches
from imbot.backends.one_sender import one_sender
from imbot.backends.profiles import Profile
from imbot.backends.received import read_received
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail
from tests.mime.work import work

ITSM = Profile("inframanager", senders=("itsm@company.example", "*@sd.company.example"))
RESULTS = EvidenceSettings("auth-results", authserv_id="mx.company.example", own_hosts=(".company.example",))
RELAY = EvidenceSettings(
    "trusted-relay", relays=("10.1.2.0/24", "itsm.company.example"), own_hosts=("mx.company.example",)
)
EXCHANGE = EvidenceSettings("exchange-internal")
FROM = "From: itsm@company.example"
OURS = "Received: from itsm.company.example (itsm.company.example [10.1.2.3]) by mx.company.example with ESMTP"
EVIL = "Received: from itsm.company.example (evil.example.test [203.0.113.9]) by mx.company.example with ESMTP"
PASS = "Authentication-Results: mx.company.example; dmarc=pass header.from=company.example"
FAIL = "Authentication-Results: mx.company.example; dmarc=fail header.from=company.example"


def mail(*headers: str) -> InboundMail:
    return bytes_to_mail(("\r\n".join(headers) + "\r\n\r\ntext").encode())


def ok(evidence: EvidenceSettings, *headers: str) -> bool:
    return believes(ITSM, mail(*headers), evidence).ok


# The sender


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("itsm@company.example", True),
        ("ITSM@Company.Example", True),
        ("anyone@sd.company.example", True),
        ("eve@company.example", False),
        ("itsm@company.example.evil.test", False),
        ("itsm@deep.sd.company.example", False),
        ("", False),
    ],
)
def test_senders_are_addresses_or_whole_domains(address: str, expected: bool) -> None:
    assert sender_matches(ITSM.senders, address) is expected


@pytest.mark.parametrize(
    "head",
    [
        "From: eve@example.test",
        "From: itsm@company.example, eve@example.test",
        "From: itsm@company.example\r\nFrom: eve@example.test",
        "From: itsm@company.example <eve@example.test>",
        'From: "itsm@company.example" <eve@example.test>',
        "Sender: itsm@company.example",
        "Reply-To: itsm@company.example",
    ],
)
def test_no_evidence_helps_a_letter_that_does_not_name_one_sender_of_the_profile(head: str) -> None:
    assert not ok(EvidenceSettings("sender-only"), head)
    assert not ok(RESULTS, PASS, head)


def test_sender_only_is_believed_and_says_what_it_is_worth() -> None:
    belief = believes(ITSM, mail(FROM), EvidenceSettings("sender-only"))
    assert belief.ok
    assert "only the sender" in belief.reason


@pytest.mark.parametrize(
    "value",
    [
        "itsm@company.example",
        "<ITSM@Company.Example>",
        "Service Desk <itsm@company.example>",
        "Сервис-деск (ИТ) <itsm@company.example>",
        '"Desk, IT: <all> of us; anna@home.example \\" x" <itsm@company.example>',
        "=?utf-8?B?0JjQog==?= =?utf-8?Q?_desk?= <itsm@company.example>",
        "=?utf-8?Q?Desk,_IT:_=40_all?= <itsm@company.example>",
        "[IT] Дежурный 24/7 < itsm@company.example >",
        "itsm@company.example (Service Desk)",
        "(cron)\titsm@company.example",
    ],
)
def test_a_sender_may_have_any_name(value: str) -> None:
    assert ok(RESULTS, PASS, f"From: {value}")


@pytest.mark.parametrize(
    "value",
    [
        "itsm@company.example; dkim=pass header.d=company.example",
        "itsm@company.example@evil.test",
        "<x@evil.test><itsm@company.example>",
        "<itsm@company.example><x@evil.test>",
        "x@evil.test\\,<itsm@company.example>",
        "x@evil.test <itsm@company.example>",
        "itsm@company.example x@evil.test",
        "itsm@company.example (x@evil.test)",
        "itsm@company.example (<x@evil.test>)",
        "@evil.test:itsm@company.example",
        "<@evil.test:itsm@company.example>",
        "group: itsm@company.example;",
        "Desk, IT <itsm@company.example>",
        '"Desk <itsm@company.example>',
        'Desk" <itsm@company.example>',
        '"itsm"@company.example',
        "itsm@company.example,",
        "<itsm@company.example> x",
        "itsm @company.example",
        "<itsm@company.example",
        "itsm@company.example>",
        "=?utf-8?Q?itsm=40company.example?=",
        "=?utf-8?Q?x=40evil.test?= =?utf-8?Q?<itsm@company.example>?=",
        "=?utf-8?Q?=22?= <x@evil.test> =?utf-8?Q?=22_<itsm=40company.example>?=",
        "=?utf-8?Q?Desk_<itsm=40company.example>?=",
        "=?utf-8?Q?x=40evil.test_<?= <itsm@company.example>",
        "itsm\x0b@company.example",
        "a" * 3000 + " <itsm@company.example>",
    ],
)
def test_a_sender_with_anything_beside_the_address_and_a_name_is_none(value: str) -> None:
    assert not ok(EvidenceSettings("sender-only"), f"From: {value}")
    assert not ok(RESULTS, PASS, f"From: {value}")


@given(
    st.text(st.sampled_from('<>@,;:()\\"ab. \t'), max_size=40),
    st.text(st.sampled_from('<>@,;:()\\"ab. \t'), max_size=40),
)
@settings(max_examples=400, deadline=None)
def test_where_two_addresses_stand_one_is_taken_only_beside_a_name_in_quotes(before: str, after: str) -> None:
    value = f"{before}x@evil.test{after}itsm@company.example"
    assert one_sender(value) == "" or '"' in value


@pytest.mark.parametrize("text", ["(", '"', "a ", "a@", '\\"', "(a)", "a(b)", "(()", "a<", "<a", "a.a"])
def test_any_header_is_read_in_one_pass(text: str) -> None:
    assert work(lambda: one_sender((text * 2000)[:2000])) < 30_000
    assert one_sender((text * 2000)[:2000]) == ""


# Authentication-Results


@pytest.mark.parametrize(
    "headers",
    [
        (f"{PASS.partition(';')[0]}; dmarc=none header.from=evil.test; dkim=pass header.d=company.example", FROM),
        (f"{PASS.partition(';')[0]}; dkim=pass header.d=company.example; dmarc=none header.from=evil.test", FROM),
        (PASS, f"{PASS.partition(';')[0]}; dkim=pass header.d=evil.test header.from=evil.test", FROM),
    ],
)
def test_a_letter_in_which_our_server_read_another_sender_is_not_believed(headers: tuple[str, ...]) -> None:
    assert not ok(RESULTS, *headers)


@pytest.mark.parametrize(
    "headers",
    [
        (PASS, OURS, FROM),
        (OURS, PASS, FROM),
        ("Authentication-Results: MX.company.example 1; dkim=pass header.d=company.example", OURS, FROM),
        ("Authentication-Results: mx.company.example; dkim=pass header.i=@company.example; spf=fail", FROM),
        ("Authentication-Results: mx.company.example (opendkim); dkim=pass (2048; ok) header.d=company.example", FROM),
        (
            "Authentication-Results: mx.company.example; dkim=pass header.d=company.example",
            "Authentication-Results: mx.company.example; dmarc=pass header.from=company.example",
            FROM,
        ),
        ("Received: from mx.company.example ([127.0.0.1]) by imap.company.example with LMTP", PASS, OURS, FROM),
        ("Authentication-Results: other.example; dmarc=fail", PASS, FROM),
    ],
)
def test_what_our_own_server_found_out_is_believed(headers: tuple[str, ...]) -> None:
    assert ok(RESULTS, *headers)


@pytest.mark.parametrize(
    "headers",
    [
        (FROM,),
        (FAIL, OURS, FROM),
        (OURS, FROM, FAIL),
        ("Received: from x by mx.evil.test with SMTP", PASS, FROM),  # below a foreign server
        (EVIL, FAIL, PASS, FROM),  # ours says no, the forged one yes
        (EVIL, OURS, PASS, FROM),  # a forged Received in our name below the real one
        ("Authentication-Results: mx.company.example.evil.test; dmarc=pass", FROM),
        ("Authentication-Results: evil.test; dmarc=pass header.from=company.example", FROM),
        ("Authentication-Results: mx.company.example; dkim=pass header.d=evil.test", FROM),
        ("Authentication-Results: mx.company.example; dkim=pass header.d=example", FROM),
        ("Authentication-Results: mx.company.example; dmarc=pass header.from=evil.test", FROM),
        ("Authentication-Results: mx.company.example; dmarc=pass header.from=co.example", FROM),
        ("Authentication-Results: mx.company.example; spf=none smtp.helo=a;dmarc=pass", FROM),  # a HELO, as it came
        ("Authentication-Results: mx.company.example; dmarc=pass", FROM),
        ("Authentication-Results: mx.company.example; spf=pass smtp.mailfrom=company.example", FROM),
        ("Authentication-Results: mx.company.example; none", FROM),
        ("Authentication-Results: mx.company.example; x=y (dmarc=pass header.from=company.example)", FROM),
        ('Authentication-Results: mx.company.example; x="; dmarc=pass header.from=company.example"', FROM),
        ("Authentication-Results: evil.test (; mx.company.example); dmarc=pass", FROM),
        ("ARC-Authentication-Results: i=1; mx.company.example; dmarc=pass header.from=company.example", FROM),
        ("X-Authentication-Results: mx.company.example; dmarc=pass", FROM),
        (
            "Authentication-Results: mx.company.example; dkim=none",
            "Authentication-Results: mx.company.example; dkim=pass header.d=company.example",
            FROM,
        ),
    ],
)
def test_a_forged_or_missing_result_is_not_believed(headers: tuple[str, ...]) -> None:
    assert not ok(RESULTS, *headers)


def test_fields_of_another_name_are_not_read_and_many_of_our_own_are_no_evidence() -> None:
    """Work is counted in lines run: a thousand long fields of a stranger cost no more than their names."""
    long = "dkim=pass header.d=company.example; " * 400
    foreign, ours = (f"Authentication-Results: {name}; {long}" for name in ("evil.test", "mx.company.example"))
    few, many = mail(foreign, PASS, FROM), mail(*[foreign] * 300, PASS, FROM)
    assert believes(ITSM, few, RESULTS).ok
    assert work(lambda: believes(ITSM, many, RESULTS)) < 300 * 400
    flood = mail(*[ours[:800]] * 300, PASS, FROM)
    assert work(lambda: believes(ITSM, flood, RESULTS)) < 300 * 600
    assert "more than 20 Authentication-Results" in believes(ITSM, flood, RESULTS).reason


@pytest.mark.parametrize(
    ("sender", "signer", "expected"),
    [
        ("itsm@company.co.uk", "company.co.uk", True),
        ("itsm@sd.company.co.uk", "company.co.uk", True),
        ("itsm@company.co.uk", "co.uk", False),
        ("itsm@company.msk.ru", "msk.ru", False),
        ("itsm@company.com", "com", False),
        ("itsm@company.com", "any.com", False),
        ("itsm@sd.company.com", "company.com", True),
        ("itsm@a.sd.company.com", "sd.company.com", True),
        ("itsm@company.nnov.ru", "nnov.ru", False),
        ("itsm@sd.company.nnov.ru", "company.nnov.ru", True),
        ("itsm@company.kiev.ua", "kiev.ua", False),
        ("itsm@company.com.ua", "com.ua", False),
        ("itsm@company.onmicrosoft.com", "onmicrosoft.com", False),
        ("itsm@company.onmicrosoft.com", "company.onmicrosoft.com", True),
        ("itsm@company.s3.amazonaws.com", "s3.amazonaws.com", False),
        ("itsm@company.eu-west-1.elb.amazonaws.com", "eu-west-1.elb.amazonaws.com", False),
        ("itsm@company.freshdesk.com", "freshdesk.com", False),
        ("itsm@company.freshdesk.com", "company.freshdesk.com", True),
        ("itsm@company.ac.nz", "ac.nz", False),
        ("itsm@company.tokyo.jp", "tokyo.jp", False),
    ],
)
def test_who_signs_for_all_of_a_shared_domain_signs_for_nobody_below_it(
    sender: str, signer: str, expected: bool
) -> None:
    profile = replace(ITSM, senders=(sender,))
    for result in (f"dkim=pass header.d={signer}", f"dmarc=pass header.from={signer}"):
        letter = mail(f"Authentication-Results: mx.company.example; {result}", f"From: {sender}")
        assert believes(profile, letter, RESULTS).ok is expected, result


def test_without_an_authserv_id_nothing_is_believed() -> None:
    assert not ok(EvidenceSettings("auth-results"), PASS, FROM)


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_field_is_read_without_a_fault(text: str) -> None:
    parse_auth_results(text)
    read_received(text)


@given(st.text(st.characters(codec="ascii", exclude_characters="\r\n"), max_size=120))
@settings(max_examples=200, deadline=None)
def test_nothing_below_the_point_of_entry_can_make_a_letter_believed(junk: str) -> None:
    assert not ok(RESULTS, EVIL, f"Received: from {junk} by {junk}", PASS, FROM)
    assert not ok(RESULTS, f"Authentication-Results: {junk}; (mx.company.example; dmarc=pass", EVIL, FROM)


# The relay and Exchange


@pytest.mark.parametrize(
    "received",
    [
        OURS,
        "Received: from whatever (unknown [10.1.2.77]) by mx.company.example",
        "Received: from x ([10.1.2.3] helo=y) by mx.company.example",
        "Received: from [10.1.2.3] (helo=x) by mx.company.example",
        "Received: from [10.1.2.3] (port=4321 helo=x ident=y) by mx.company.example",
        "Received: from unknown (HELO x) (ident@10.1.2.3) by mx.company.example",
        "Received: from mail (10.1.2.3) by mx.company.example (10.0.0.1) with Microsoft SMTP Server",
        "Received: from x (itsm.company.example.) by mx.company.example",
    ],
)
def test_a_letter_from_a_listed_relay_is_believed(received: str) -> None:
    assert ok(RELAY, received, FROM)


@pytest.mark.parametrize(
    "received",
    [
        EVIL,
        "Received: from [10.1.2.3] (evil.test [203.0.113.9]) by mx.company.example",
        "Received: from itsm.company.example by mx.company.example",
        "Received: from x (HELO itsm.company.example) (203.0.113.9) by mx.company.example",
        "Received: from x (itsm.company.example [203.0.113.9] (may be forged)) by mx.company.example",
        "Received: from x (itsm.company.example@evil.test [203.0.113.9]) by mx.company.example",
        "Received: from x (itsm.company.example [203.0.113.9]) by mx.company.example",
        "Received: from x (itsm.company.example. [203.0.113.9]) by mx.company.example",
        "Received: from x (y [10.1.2.3]) by mx.evil.test",
        "Received: from [203.0.113.5] (helo=[10.1.2.3]) by mx.company.example with esmtp (Exim 4.96)",
        "Received: from [203.0.113.5] (port=25 helo=[10.1.2.3]) by mx.company.example",
        "Received: from evil.test ([203.0.113.5] helo=[10.1.2.3]) by mx.company.example",
        "Received: from evil.test ([203.0.113.5] helo=a itsm.company.example) by mx.company.example",
        "Received: from evil.test ([203.0.113.5] ident=10.1.2.3) by mx.company.example",
        "Received: from evil.test ([203.0.113.5] ident=itsm.company.example) by mx.company.example",
        "Received: from unknown (HELO 10.1.2.3) (203.0.113.5) by mx.company.example",
        "Received: from unknown (HELO 10.1.2.3) (10.1.2.3@203.0.113.5) by mx.company.example",
        "Received: from unknown (HELO [10.1.2.3]) by mx.company.example",
        "Received: from [10.1.2.3] (IDENT:10.1.2.3 itsm.company.example@evil.test [203.0.113.5]) by mx.company.example",
        "Received: from [10.1.2.3] by mx.company.example",
        "Received: from x (y [10.1.2.3]) (evil.test [203.0.113.5]) by mx.company.example",
        "Received: by mx.company.example",
        "Received: junk",
    ],
)
def test_what_a_stranger_calls_itself_is_no_relay(received: str) -> None:
    assert not ok(RELAY, received, FROM)


def test_only_the_topmost_received_counts() -> None:
    assert not ok(RELAY, EVIL, OURS, FROM)
    assert not ok(RELAY, FROM)


def test_the_mark_of_exchange_must_stand_there_once() -> None:
    mark = "X-MS-Exchange-Organization-AuthAs: "
    assert ok(EXCHANGE, mark + "Internal", FROM)
    assert not ok(EXCHANGE, mark + "Anonymous", FROM)
    assert not ok(EXCHANGE, FROM)
    assert not ok(EXCHANGE, mark + "Internal", mark + "Anonymous", FROM)


def test_the_words_of_a_stranger_stand_short_and_harmless_in_the_reason() -> None:
    mark = "X-MS-Exchange-Organization-AuthAs: \x9b31m\x9d0;PWNED\x9c\u202e" + "x" * 900
    reasons = [believes(ITSM, mail(mark, FROM), EXCHANGE).reason]
    reasons.append(believes(ITSM, mail('Return-Path: <"\x9b31m\u202e@evil.test>', PASS, FROM), RESULTS).reason)
    assert all(reason.isprintable() and len(reason) < 200 for reason in reasons), reasons


# A forger's spelling: what our server does not see as its own field, and so does not strip, is not read as such
