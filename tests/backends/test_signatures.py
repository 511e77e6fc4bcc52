"""What a DKIM signature leaves open to whoever sends a signed letter on, and what a server may print of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbot.backends.base import Belief
from imbot.backends.evidence import EvidenceSettings, believes
from imbot.backends.profiles import Anchor, Profile
from imbot.backends.signatures import MOST, signatures
from imbot.domain.letters import InboundMail
from imbot.domain.tickets import Status
from imbot.mime import bytes_to_mail

EVIDENCE = EvidenceSettings("auth-results", authserv_id="mx.company.example", own_hosts=(".company.example",))
FROM = "From: itsm@company.example"
SUBJECT = "Subject: IM-CL-1042"
PASS = "Authentication-Results: mx.company.example; dkim=pass header.d=company.example header.i=@company.example"
DMARC = "Authentication-Results: mx.company.example; dmarc=pass header.from=company.example"
DIRECT = f"{DMARC}; spf=pass smtp.mailfrom=bounces@company.example"
SIGNED = "DKIM-Signature: v=1; a=rsa-sha256; d=company.example; s=k1; h={h}; bh=aGVsbG8=; b=d29y\r\n bGQ="
USUAL = SIGNED.format(h="From:To:Subject:Date:Message-ID")


def mail(*headers: str) -> InboundMail:
    return bytes_to_mail(("\r\n".join(headers) + "\r\n\r\ntext").encode())


def belief(*headers: str, profile: Profile | None = None) -> Belief:
    profile = profile or Profile("itsm", senders=("itsm@company.example",))
    return believes(profile, mail(*headers), EVIDENCE)


@pytest.mark.parametrize("result", [PASS, DMARC])
def test_a_signature_that_covers_what_counts_is_believed_for_what_it_covers(result: str) -> None:
    held = belief(result, USUAL, SUBJECT, FROM)
    assert held.ok
    assert held.covers("To")
    assert not held.covers("X-Redmine-Issue-Id")


def test_a_letter_straight_from_the_senders_server_is_believed_for_all_of_it() -> None:
    held = belief(DIRECT, SIGNED.format(h="from"), SUBJECT, FROM)
    assert held.ok
    assert held.covers("X-Redmine-Issue-Id")


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ((PASS, USUAL, "Subject: IM-CL-1 rejected", SUBJECT, FROM), "Subject twice"),
        ((DIRECT, USUAL, "Subject: IM-CL-1 rejected", SUBJECT, FROM), "Subject twice"),
        ((PASS, USUAL, "Message-ID: <a@b>", "Message-ID: <c@d>", SUBJECT, FROM), "Message-ID twice"),
        ((PASS, USUAL, "Subject : IM-CL-1 rejected", SUBJECT, FROM), "Subject twice"),
        ((PASS, USUAL, *("X-Pad: " + "x" * 60_000,) * 6, "Subject: a", SUBJECT, FROM), "Subject twice"),
        ((PASS, USUAL.replace("s=k1;", "s=k1; l=5;"), SUBJECT, FROM), "the end of the text open"),
        ((DMARC, USUAL.replace("s=k1;", "s=k1; L=5; l = 5;"), SUBJECT, FROM), "the end of the text open"),
        ((PASS, SIGNED.format(h="from:date"), SUBJECT, FROM), "does not cover Subject"),
        ((PASS, USUAL, SIGNED.format(h="from"), SUBJECT, FROM), "does not cover Subject"),
        ((PASS, USUAL.replace("s=k1", "s=a; s=b"), SUBJECT, FROM), "s= twice"),
        ((PASS, USUAL.replace("v=1", "version one"), SUBJECT, FROM), "no tag"),
        ((PASS, USUAL.replace("d=company.example", "x=1"), SUBJECT, FROM), "no domain"),
        ((PASS, *((USUAL,) * (MOST + 1)), SUBJECT, FROM), "too many"),
        (
            (f"{PASS}; dkim=fail header.d=company.example", USUAL, SUBJECT, FROM),
            "DKIM of company.example failed and passed",
        ),
    ],
)
def test_what_a_signature_leaves_open_is_not_believed(headers: tuple[str, ...], why: str) -> None:
    held = belief(*headers)
    assert not held.ok
    assert why in held.reason


@pytest.mark.parametrize(
    "agent",
    [
        "q=40evil.example=3Bdkim=3Dpass=20header.d=3Dcompany.example=3Bspf=3Dnone=20smtp.mailfrom=3Dz=40x.evil.example",
        "=22a=22@evil.example",
        "a=28b=29@evil.example",
        "a=0Ab@evil.example",
        "a=5Cb@evil.example",
        "a=C2=A0b@evil.example",
    ],
)
def test_a_signer_whose_name_could_pass_for_a_result_is_no_evidence(agent: str) -> None:
    """OpenDKIM prints `i=` decoded and unquoted into the field that we believe."""
    evil = f"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; i={agent}; s=k; h=from; bh=a=; b=b="
    forged = f"{PASS}; dkim=pass header.d=evil.example header.i=q@evil.example"
    held = belief(forged, evil, SUBJECT, FROM)
    assert not held.ok
    assert "could pass for a result of our server" in held.reason


def test_a_profiles_own_header_may_not_stand_there_twice() -> None:
    anchor = Anchor(Status.RESOLVED, where="header:X-State", any=())
    profile = Profile("itsm", senders=("itsm@company.example",), anchors=(anchor,))
    assert belief(DIRECT, "X-State: done", SUBJECT, FROM, profile=profile).ok
    held = belief(DIRECT, "X-State: done", "X-State: open", SUBJECT, FROM, profile=profile)
    assert not held.ok
    assert "X-State twice" in held.reason


@given(st.text(max_size=300))
def test_any_signature_is_read_without_a_fault(text: str) -> None:
    line = text.replace("\r", "").replace("\n", "")
    found = signatures(InboundMail("00", 1, headers=(("DKIM-Signature", line),)))
    assert len(found) == 1
    assert found[0].oddity or found[0].domain
