"""Of a peer only what our own server found out counts, whatever the peer brings along."""

from __future__ import annotations

import pytest

from imbot.backends.evidence import EvidenceSettings
from tests.backends.test_evidence import FROM, PASS, RELAY, RESULTS, ok

TLS = "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) client-digest SHA256)"


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ('(Client CN "{}", Issuer "{}" (not verified))', RELAY),
        ('(Client CN "{}", Issuer "{}" (verified OK))', RELAY),
        ("(Authenticated sender: {})", RELAY),
        ("(Authenticated sender: eve {})", RELAY),
        ("(envelope-from {})", RELAY),
        ('(Client CN "{}", Issuer "{}" (not verified))', RESULTS),
        ("(Authenticated sender: {})", RESULTS),
    ],
)
@pytest.mark.parametrize("peer", ["unknown [203.0.113.9]", "unknown", "evil.test [203.0.113.9]"])
def test_what_a_peer_brings_along_makes_it_no_relay_and_no_server_of_ours(
    claim: str, evidence: EvidenceSettings, peer: str
) -> None:
    """A certificate that nobody has verified may bear any name, and so may an account."""
    for host in ("itsm.company.example", "mx.company.example", "10.1.2.3"):
        hop = f"Received: from laptop ({peer})\r\n\t{TLS}\r\n\t{claim.format(host, host)} by mx.company.example with ESMTPS"
        inner = "Received: from a by mx.company.example"
        assert not ok(evidence, hop, inner, PASS, FROM), host
    assert not ok(RELAY, "Received: from x) (itsm.company.example ([203.0.113.9]) by mx.company.example", FROM)
    assert not ok(RELAY, "Received: from x (evil.test itsm.company.example [203.0.113.9]) by mx.company.example", FROM)


def test_a_relay_with_a_certificate_is_believed_by_its_address() -> None:
    peers = {
        "itsm.company.example [10.1.2.3]": True,
        "unknown [10.1.2.3]": True,
        "itsm.company.example [203.0.113.1]": False,
    }
    for peer, expected in peers.items():
        claim = '(Client CN "any.company.example", Issuer "x" (not verified))'
        hop = f"Received: from x ({peer}) {TLS} {claim} by mx.company.example with ESMTPS"
        assert ok(RELAY, hop, FROM) is expected, peer
