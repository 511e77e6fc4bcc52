"""Random stacks of genuine and forged headers: what our servers wrote decides, and nothing that a sender wrote does.

The model is the world, not the program: our servers write on top and strip the fields that they know as their own, the
sender writes all the rest. What is to be believed is known from how the stack was made; no parser of ours is asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from imbot.backends.evidence import EvidenceSettings, believes
from imbot.backends.profiles import Profile
from imbot.mime import bytes_to_mail

ITSM = Profile("inframanager", senders=("itsm@company.example",))
RESULTS = EvidenceSettings("auth-results", authserv_id="mx.company.example", own_hosts=(".company.example",))
RELAY = EvidenceSettings("trusted-relay", relays=("10.1.2.0/24",), own_hosts=(".company.example",))
EXCHANGE = EvidenceSettings("exchange-internal")
INNER = b"Received: from mx.company.example (mx.company.example [10.0.0.1]) by mail.company.example with LMTP id 1"
AUTH_AS = b"X-MS-Exchange-Organization-AuthAs"


@dataclass(frozen=True)
class Noted:
    """What our server wrote about the letter, and whether that is proof."""

    results: tuple[bytes, ...]
    proof: bool


PASS_DKIM, PASS_DMARC = b"dkim=pass header.d=company.example", b"dmarc=pass header.from=company.example"
NOTED = st.sampled_from(
    [
        Noted((PASS_DMARC,), True),
        Noted((PASS_DKIM,), True),
        Noted((PASS_DKIM, PASS_DMARC), True),
        Noted((PASS_DKIM + b"; " + PASS_DMARC, b"spf=pass smtp.mailfrom=itsm@company.example"), True),
        Noted((b"spf=none smtp.mailfrom=x@evil.test", b"dkim=fail header.d=company.example; " + PASS_DMARC), True),
        Noted((), False),
        Noted((b"none",), False),
        Noted((b"dkim=none",), False),
        Noted((b"dkim=none", b"dmarc=none header.from=company.example"), False),
        Noted((b"dmarc=fail header.from=company.example",), False),
        Noted((PASS_DKIM + b"; dmarc=fail header.from=company.example",), False),
        Noted((b"dkim=pass header.d=evil.test; spf=pass smtp.mailfrom=x@evil.test",), False),
        Noted((b"spf=pass smtp.mailfrom=x@evil.test",), False),
    ]
)
NAMES = st.sampled_from([b"Authentication-Results", b"authentication-results", b"AUTHENTICATION-RESULTS"])
IDS = st.sampled_from([b"mx.company.example", b"MX.Company.Example", b"mx.company.example 1", b'"mx.company.example"'])
COMMENTS = st.sampled_from([b"", b" (opendkim)", b" (a (b) c)", "(проверено)".encode(), b" (x; dmarc=fail)"])
FOLDS = st.sampled_from([b" ", b"\r\n\t", b"\r\n  ", b"\n "])


@st.composite
def genuine_fields(draw: st.DrawFn, noted: Noted) -> list[bytes]:
    """One fact in the many ways in which servers write it."""
    return [
        draw(NAMES)
        + b":"
        + draw(FOLDS)
        + draw(IDS)
        + draw(COMMENTS)
        + b";"
        + draw(FOLDS)
        + result.replace(b"; ", b";" + draw(FOLDS))
        + draw(st.sampled_from([b"", b";", b" (ok)"]))
        for result in noted.results
    ]


# What a sender writes that looks like ours to a careless reader, and that our server does not strip: not its own field.
DISGUISED = [
    b"Authentication-Results: =?utf-8?q?mx.company.example?=; dmarc=pass header.from=company.example",
    b"Authentication-Results: =?utf-8?b?bXguY29tcGFueS5leGFtcGxlOyBkbWFyYz1wYXNz?=",
    b"Authentication-Results: mx.company\x00.example; dmarc=pass header.from=company.example",
    b"Authentication-Results: mx.company.example\xa0; dmarc=pass header.from=company.example",
    b"Authentication-Results: \xef\xbb\xbfmx.company.example; dmarc=pass header.from=company.example",
    b"Authentication-Results: mx.company\xe2\x80\x8b.example; dmarc=pass header.from=company.example",
    b"Authentication-Results: mx.company.example evil; dmarc=pass header.from=company.example",
    b"Authentication-Results: mx.company.example.evil.test; dmarc=pass header.from=company.example",
    b"Authentication-Results: evil.mx.company.example; dmarc=pass header.from=company.example",
    b"Authentication-Results: (mx.company.example; dmarc=pass) evil.test; dmarc=pass header.from=company.example",
    b"Authentication-Results: evil.test; x=y (; mx.company.example; dmarc=pass header.from=company.example)",
    b"Authentication-Results: evil.test\r\n ; mx.company.example\r\n ; dmarc=pass header.from=company.example",
    b'Authentication-Results: evil.test; x="\r\n Authentication-Results: mx.company.example; dmarc=pass',
    b"Authentication-Results: ; mx.company.example; dmarc=pass header.from=company.example",
    b"Authentication-Results: dmarc=pass header.from=company.example",
    b"Authentication-Results : mx.company.example; dmarc=pass header.from=company.example",
    b"Authentication-Results\t: mx.company.example; dmarc=pass header.from=company.example",
    b"ARC-Authentication-Results: i=1; mx.company.example; dmarc=pass header.from=company.example",
    b"X-Authentication-Results: mx.company.example; dmarc=pass header.from=company.example",
    b"Authentication-Results-Original: mx.company.example; dmarc=pass header.from=company.example",
    b"=?utf-8?q?Authentication-Results?=: mx.company.example; dmarc=pass header.from=company.example",
    b"Subject: x\r\n Authentication-Results: mx.company.example; dmarc=pass header.from=company.example",
    b"Received-SPF: pass (mx.company.example: domain of company.example)",
    b"Authentication-Results: MX.COMPANY.EXAMPLE\xc2\xad; dkim=pass header.d=company.example",
    AUTH_AS + b"\x00: Internal",
    AUTH_AS + b" : Internal",
    b"X-" + AUTH_AS + b": Internal",
]
FOREIGN_HOPS = [
    b"Received: from itsm.company.example (itsm.company.example [10.1.2.3]) by mx.company.example with ESMTP id 2",
    b"Received: from mx.company.example ([127.0.0.1]) by mail.company.example with LMTP",
    b"Received: by evil.test; Sat, 21 Nov 2026 09:00:00 +0300",
    b"Received: from x ([10.1.2.3]) by evil.test with ESMTP",
    b"received: (qmail 1 invoked by uid 0); 21 Nov 2026",
]
# Fields that our server would strip if it looked so far down, or that it did not strip: they claim to be its own.
CLAIMED = [
    b"Authentication-Results: mx.company.example; dmarc=pass header.from=company.example",
    b"Authentication-Results: mx.company.example;\r\n\tdkim=pass header.d=company.example",
    b"AUTHENTICATION-RESULTS: mx.company.example 1; dmarc=pass header.from=company.example",
]
HELO = st.sampled_from([b"evil.test", b"itsm.company.example", b"[10.1.2.3]", b"localhost", b"mx.company.example"])
RDNS = st.sampled_from([b"evil.test [203.0.113.9]", b"unknown [203.0.113.9]", b"[203.0.113.9]"])


@st.composite
def senders_part(draw: st.DrawFn) -> list[bytes]:
    """Everything below our own headers. Fields in our name stand below a hop of the sender's own."""
    near = draw(st.lists(st.sampled_from(DISGUISED), max_size=4))
    far = draw(st.lists(st.sampled_from([*DISGUISED, *CLAIMED, *FOREIGN_HOPS]), max_size=5))
    return [*near, draw(st.sampled_from(FOREIGN_HOPS)), *far] if far else near


def believed(evidence: EvidenceSettings, fields: list[bytes]) -> bool:
    raw = b"\r\n".join([*fields, b"From: itsm@company.example", b"", b"text"])
    return believes(ITSM, bytes_to_mail(raw), evidence).ok


@given(NOTED, st.data())
@settings(max_examples=600, deadline=None)
def test_what_our_server_noted_decides_and_nothing_that_the_sender_wrote(noted: Noted, data: st.DataObject) -> None:
    fields = data.draw(genuine_fields(noted))
    above = data.draw(st.integers(0, len(fields)))
    entry = b"Received: from " + data.draw(HELO) + b" (" + data.draw(RDNS) + b") by mx.company.example with ESMTP id 3"
    inner = [INNER] * data.draw(st.integers(0, 2))
    stack = [*inner, *fields[:above], entry, *fields[above:], *data.draw(senders_part())]
    assert believed(RESULTS, stack) is noted.proof


@given(senders_part(), HELO, st.booleans())
@settings(max_examples=300, deadline=None)
@example([], b"evil.test", True)
def test_only_the_host_that_handed_the_letter_to_us_makes_it_a_relays(
    part: list[bytes], helo: bytes, real: bool
) -> None:
    peer = b"(itsm.company.example [10.1.2.3])" if real else b"(evil.test [203.0.113.9])"
    entry = b"Received: from " + helo + b" " + peer + b" by mx.company.example with ESMTP id 3"
    assert believed(RELAY, [entry, *part]) is real


@given(senders_part(), st.sampled_from([(b"Internal",), (b"INTERNAL ",), (b"Anonymous",), ()]))
@settings(max_examples=300, deadline=None)
def test_only_exchange_itself_marks_a_letter_as_internal(part: list[bytes], marks: tuple[bytes, ...]) -> None:
    genuine = [AUTH_AS + b": " + mark for mark in marks]
    expected = bool(marks) and marks[0].strip().lower() == b"internal"
    found = believed(EXCHANGE, [*genuine, *part])
    assert found is expected or not (found or all(AUTH_AS not in field for field in part)), "in doubt it is refused"


# A server that writes an envelope sender as it came, or a name that it was greeted with, into its own field

LOCAL = st.lists(
    st.sampled_from(
        ["a", "a@b.ru", ";", " ", '"', "\\", "(", ")", "dkim=pass header.d=company.example", "header.i=", "x=", "x.y=b",
         "dmarc=pass header.from=company.example", "spf=pass smtp.mailfrom=b", "header.from=", "=", "reason=\"", "\t"]
    ),
    max_size=9,
)  # fmt: skip
FORMS = [
    "spf=pass smtp.mailfrom={}; dkim=none; dmarc=none header.from=company.example",
    "dkim=none; spf=pass smtp.mailfrom={}",
    "spf=pass smtp.mailfrom={}",
    "spf=pass (sender {} is allowed) smtp.mailfrom=evil.test",
    "spf=pass (mx: domain of {} designates 203.0.113.9 as permitted sender) smtp.mailfrom={}; dkim=none",
    "auth=pass smtp.auth={}; spf=none smtp.mailfrom={} smtp.helo=evil.test",
]


@given(LOCAL, st.sampled_from(FORMS), st.booleans())
@settings(max_examples=1500, deadline=None)
@example(["a", ";", " ", "dkim=pass header.d=company.example", " ", "x="], FORMS[2], True)
@example(["a@b.ru", ";", "dkim=pass header.d=company.example", ";", "spf=pass smtp.mailfrom=b"], FORMS[2], True)
@example(["a", ")", ";", "dkim=pass header.d=company.example", " ", "("], FORMS[3], False)
def test_an_envelope_sender_that_spells_a_result_is_no_result(words: list[str], form: str, quoted: bool) -> None:
    """Our server notes the envelope sender in Return-Path too, as it delivers the letter."""
    local = "".join(words)
    address = f'"{local}"@evil.test' if quoted else f"{local}@evil.test"
    path = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"@evil.test'
    field = f"Authentication-Results: mx.company.example; {form.replace('{}', address)}"
    entry = b"Received: from evil.test (evil.test [203.0.113.9]) by mx.company.example with ESMTP id 3"
    assert not believed(RESULTS, [f"Return-Path: <{path}>".encode(), field.encode(), entry])


def test_an_ordinary_envelope_sender_is_in_nobodys_way() -> None:
    entry = (
        b"Received: from itsm.company.example (itsm.company.example [10.1.2.3]) by mx.company.example with ESMTP id 3"
    )
    for address in (
        b"itsm@company.example",
        b"",
        b"bounces+anna=demo.local@company.example",
        b"SRS0=ab=cd=x.ru=i@company.example",
    ):
        said = b"smtp.mailfrom=" + (address or b"<>")
        field = b"Authentication-Results: mx.company.example; spf=pass " + said + b"; " + PASS_DKIM
        assert believed(RESULTS, [b"Return-Path: <" + address + b">", field, entry])
