"""Origin is believed only by evidence: genuine letters of real providers pass, every forgery stays out."""

from __future__ import annotations

import os
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

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


def raw_ok(evidence: EvidenceSettings, field: bytes) -> bool:
    return believes(
        ITSM, bytes_to_mail(EVIL.encode() + b"\r\n" + field + b"\r\n" + FROM.encode() + b"\r\n\r\nx"), evidence
    ).ok


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: =?utf-8?q?mx.company.example=3B?= dmarc=pass header.from=company.example",
        b"Authentication-Results: =?utf-8?q?mx.company.example?=; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.comp\x00any.example; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.comp\xe2\x80\x8bany.example; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.comp\xc2\xadany.example; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.comp\rany.example; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.company.example evil; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.company.example 1 evil; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.company.example 1x; dmarc=pass header.from=company.example",
        b"Authentication-Results: mx.(x)company.example; dmarc=pass header.from=company.example",
        b"Authentication-Results: ; mx.company.example; dmarc=pass header.from=company.example",
        b'Authentication-Results: mx."company".example; dmarc=pass',
        b"Authentication-Results : mx.company.example; dmarc=pass header.from=company.example",
        b"no header at all\r\nAuthentication-Results: mx.company.example; dmarc=pass header.from=company.example",
        b"Content-Type: text/plain; charset=utf-7\r\n"
        b"Authentication-Results: +AG0-x.company.example; dmarc=pass header.from=company.example\xff",
    ],
)
def test_a_result_in_disguise_is_not_believed(field: bytes) -> None:
    assert raw_ok(RESULTS, b"Authentication-Results: mx.company.example 1; dmarc=pass header.from=company.example")
    assert not raw_ok(RESULTS, field)


def test_a_letter_of_another_alphabet_is_not_taken_for_ours() -> None:
    kelvin = EvidenceSettings("auth-results", authserv_id="mx.kompany.example")
    assert ok(kelvin, "Authentication-Results: mx.Kompany.example; dmarc=pass header.from=company.example", FROM)
    assert not ok(
        kelvin, "Authentication-Results: mx.\u212aompany.example; dmarc=pass header.from=company.example", FROM
    )


@pytest.mark.parametrize(
    "field",
    [
        b"X-MS-Exchange-Organization-AuthAs: Inter\x00nal",
        b"X-MS-Exchange-Organization-AuthAs: =?utf-8?q?Internal?=",
        b"X-MS-Exchange-Organization-AuthAs : Internal",
        b"X-MS-Exchange-Organization-AuthAs: Internal\x0b",
    ],
)
def test_a_mark_of_exchange_in_disguise_is_not_believed(field: bytes) -> None:
    assert raw_ok(EXCHANGE, b"X-MS-Exchange-Organization-AuthAs: Internal")
    assert not raw_ok(EXCHANGE, field)


# Real providers


SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "mails" / "corpus" / "deltachat_dkimchecks"
# How each mailbox provider signs its field (several: different services of one provider); by the domain of the recipient.
AUTHSERV = {
    "zohomail.eu": "mx.zohomail.eu",
    "icloud.com": "*.icloud.com",
    "yandex.ru": "*.yandex.net",
    "mail.ru": "mxs.mail.ru, mail.ru",
    "fastmail.com": "*.messagingengine.com",
    "posteo.de": "posteo.de",
    "yahoo.com": "*.yahoo.com",
    "aol.com": "*.yahoo.com",
    "outlook.com": "-",
    "hotmail.com": "-",
    "gmail.com": "mx.google.com",
    "buzon.uy": "mail.buzon.uy",
    "riseup.net": "*.riseup.net",
    "disroot.org": "disroot.org",
    "ik.me": "mx.infomaniak.com",
    "mail.de": "*.mail.de",
    "e.email": "*.ecloud.global",
}


def vouched_for(letter: InboundMail, authserv: str) -> bool:
    """Whether a field that the provider itself wrote says pass: told from its text alone."""
    for value in letter.header("Authentication-Results"):
        host = value.strip().partition(";")[0].split()[0].lower()
        own = "=" in host if authserv == "-" else any(fnmatch(host, each.strip()) for each in authserv.split(","))
        if own and ("dmarc=pass" in value or "dkim=pass" in value):
            return True
    return False


@pytest.mark.corpus
@pytest.mark.skipif(not SAMPLES.is_dir() and not os.environ.get("CI"), reason="the letters of ../shared are not here")
def test_genuine_letters_of_real_providers_pass_and_forged_ones_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Forged samples are tried with every provider's name, as if each had received them."""
    genuine, refused, silent, forged = [], [], [], 0
    for path in sorted(SAMPLES.iterdir()):
        letter = bytes_to_mail(path.read_bytes())
        profile = replace(ITSM, senders=(letter.sender,))
        if "forged" in path.name or "forged" in letter.sender:
            forged += 1
            for authserv in sorted(set(AUTHSERV.values())):
                evidence = EvidenceSettings("auth-results", authserv_id=authserv)
                assert not believes(profile, letter, evidence).ok, (path.name, authserv)
            continue
        authserv = AUTHSERV.get(letter.to[0].rpartition("@")[2], "")
        if not authserv or not vouched_for(letter, authserv):
            silent.append(path.name)
            continue
        genuine.append(path.name)
        if not believes(profile, letter, EvidenceSettings("auth-results", authserv_id=authserv)).ok:
            refused.append(path.name)
    with capsys.disabled():
        print(
            f"\nauth-results: {len(genuine) - len(refused)} of {len(genuine)} genuine letters believed,"
            f" 0 of {forged} forged; {len(silent)} whose provider notes no pass"
        )
    assert (forged, len(genuine)) >= (5, 90)
    assert len(refused) <= 0.01 * len(genuine), refused
