"""Evidence in fields that look like our server's and are not, and in letters of real providers."""

from __future__ import annotations

import os
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from imbot.backends.evidence import EvidenceSettings, believes
from imbot.domain.letters import InboundMail
from imbot.mime import bytes_to_mail
from tests.backends.test_evidence import EVIL, EXCHANGE, FROM, ITSM, RESULTS, ok


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
