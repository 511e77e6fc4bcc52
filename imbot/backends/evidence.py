"""Is a letter from whom it says? A believed letter needs a sender of the profile *and* evidence of origin.

Four kinds of evidence: what our own server noted in `Authentication-Results`, a relay that we trust, Exchange's own mark of
internal mail, or, by explicit choice only, nothing but the sender. Headers are read from the top, where our own servers
write; whatever stands below the point where the letter entered our servers was written by strangers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from imbot.backends.auth_results import AuthResults, Verdict, authserv_id_of, parse_auth_results
from imbot.backends.base import Belief
from imbot.backends.one_sender import one_sender
from imbot.backends.profiles import Profile
from imbot.backends.received import is_from_own, is_listed, read_received
from imbot.backends.shared_domains import is_shared
from imbot.backends.signatures import SINGLE, Signature, doubled, signatures
from imbot.domain.letters import InboundMail
from imbot.mime.words import one_line

KINDS = ("auth-results", "trusted-relay", "exchange-internal", "sender-only")


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """`authserv_id`: how our server signs `Authentication-Results`; several are separated by commas, `*` stands for any
    letters, `-` for a field without one (Exchange Online). `own_hosts`: names (`mx.company.ru`, `.company.ru` with all
    below it) and networks of our own mail servers. `relays`: names, addresses or networks whose letters are believed."""

    kind: str = "auth-results"
    authserv_id: str = ""
    relays: tuple[str, ...] = ()
    own_hosts: tuple[str, ...] = ()


def sender_matches(patterns: tuple[str, ...], address: str) -> bool:
    """Whether `address` is one of `patterns`: an address, or `*@domain` for any mailbox of exactly that domain."""
    local, _, domain = address.lower().rpartition("@")
    if not local:
        return False
    return any(
        domain == wanted_domain and wanted_local in ("*", local)
        for wanted_local, _, wanted_domain in (pattern.lower().rpartition("@") for pattern in patterns)
    )


def believes(profile: Profile, mail: InboundMail, evidence: EvidenceSettings) -> Belief:
    """Sender first, then the evidence asked for. Never raises; what cannot be read is no evidence."""
    fields = mail.header("From")
    sender = one_sender(fields[0]) if len(fields) == 1 else ""
    if not sender or sender != mail.sender:
        return Belief(False, evidence.kind, "the letter does not name exactly one sender, and nothing beside")
    if not sender_matches(profile.senders, mail.sender):
        return Belief(False, evidence.kind, f"{mail.sender or 'nobody'} is no sender of the profile {profile.name}")
    match evidence.kind:
        case "auth-results":
            return _odd_envelope(mail) or _by_auth_results(profile, mail, evidence)
        case "trusted-relay":
            return _by_relay(mail, evidence)
        case "exchange-internal":
            return _by_exchange(mail)
        case "sender-only":
            return Belief(True, evidence.kind, "only the sender was looked at, as the settings say")
    return Belief(False, evidence.kind, f"unknown kind of evidence; known are {', '.join(KINDS)}")


def _by_exchange(mail: InboundMail) -> Belief:
    kind = "exchange-internal"
    values = [value.strip().lower() for value in mail.header("X-MS-Exchange-Organization-AuthAs")]
    if values == ["internal"]:
        return Belief(True, kind, "Exchange marked the letter as internal")
    found = one_line(", ".join(values[:5]))[:80] if values else "nothing"
    return Belief(False, kind, f"X-MS-Exchange-Organization-AuthAs says {found}, not Internal once")


# Authentication-Results (RFC 8601)

MOST_RESULTS = 20  # of one server in one letter: a server writes one to three

_ODD = re.compile(r"""[;"()\\\s\x00-\x1f]""")


def _odd_envelope(mail: InboundMail) -> Belief | None:
    """An envelope sender that could be read as a result, where our server writes it into its field as it came."""
    for value in mail.header("Return-Path"):
        if _ODD.search(value.strip()):
            said = one_line(value.strip()[:80])
            return Belief(False, "auth-results", f"its Return-Path {said} could pass for a result of our server")
    return None


def _by_auth_results(profile: Profile, mail: InboundMail, evidence: EvidenceSettings) -> Belief:
    kind = "auth-results"
    signed = signatures(mail)
    odd = next((one.oddity for one in signed if one.oddity), "")
    if odd:
        return Belief(False, kind, f"of one of its DKIM signatures, {odd}")
    twice = doubled(mail, (*SINGLE, *profile.headers))
    if twice:
        return Belief(False, kind, f"it bears {twice} twice, and a signature vouches for one of them")
    if not evidence.authserv_id.strip():
        return Belief(False, kind, "no authserv_id is configured")
    written = own_results(mail, evidence)
    if len(written) > MOST_RESULTS:
        said = f"more than {MOST_RESULTS} Authentication-Results call themselves {evidence.authserv_id}"
        return Belief(False, kind, said)
    read = (parse_auth_results(value) for value in written)
    found = [field for field in read if _is_ours(field.authserv_id, evidence.authserv_id)]
    ours = [field for field in found if field.sound]
    if not ours:
        odd = f"; one is there, but {found[0].oddity}" if found else ""
        wanted = f"no Authentication-Results of {evidence.authserv_id} above the first foreign server"
        return Belief(False, kind, wanted + odd)
    verdicts = [verdict for field in ours for verdict in field.verdicts]
    objection = _objection(ours)
    if objection:
        return Belief(False, kind, objection)
    domain = mail.sender.rpartition("@")[2]
    other = next((one for one in verdicts if "header.from" in one.properties and not _same_domain(one, domain)), None)
    if other is not None:
        said = one_line(other.properties["header.from"])[:60]
        return Belief(False, kind, f"our server read another sender in it than {mail.sender}: {said}")
    direct = any(_from_its_server(verdict, domain) for verdict in verdicts)
    for verdict in verdicts:
        if verdict.method == "dmarc" and verdict.result == "pass" and _same_domain(verdict, domain):
            return _vouched(signed, mail, domain, f"DMARC passed for {domain}", direct=direct)
    for verdict in verdicts:
        if verdict.method == "dkim" and verdict.result == "pass" and _aligned(_dkim_domain(verdict), domain):
            said = f"DKIM of {_dkim_domain(verdict)} passed, aligned with {domain}"
            return _vouched(signed, mail, domain, said, direct=direct)
    said = ", ".join(f"{verdict.method}={verdict.result}" for verdict in verdicts[:8]) or "nothing"
    return Belief(False, kind, f"neither DMARC nor an aligned DKIM signature passed (found {said})")


def _from_its_server(verdict: Verdict, domain: str) -> bool:
    """Whether the letter came straight from a server of the sender's domain: nobody has had it in hand on the way."""
    envelope = verdict.properties.get("smtp.mailfrom", "").strip("<>").rpartition("@")[2].rstrip(".").lower()
    return verdict.method == "spf" and verdict.result == "pass" and _aligned(envelope, domain)


def _vouched(signed: Sequence[Signature], mail: InboundMail, domain: str, said: str, *, direct: bool) -> Belief:
    """Belief by a signature is worth what was signed. Which of several of the same signer has passed is not known, so each
    must cover what counts. `direct`: it does not rest on a signature."""
    kind = "auth-results"
    aligned = [one for one in signed if _aligned(one.domain, domain)]
    if direct or not aligned:
        return Belief(True, kind, said)
    if any(one.partial for one in aligned):
        return Belief(False, kind, f"{said}, but its signature leaves the end of the text open (l=)")
    covers = frozenset.intersection(*(one.covers for one in aligned))
    for name in ("From", "Subject"):
        if name.lower() not in covers and mail.header(name):
            return Belief(False, kind, f"{said}, but its signature does not cover {name}")
    return Belief(True, kind, said, covers)


def _objection(fields: list[AuthResults]) -> str:
    """Fields that contradict one another are a sign of a forgery that our server did not strip."""
    dmarc = {verdict.result for field in fields for verdict in field.verdicts if verdict.method == "dmarc"}
    if dmarc & {"fail", "permerror", "temperror"} or len(dmarc) > 1:
        return f"DMARC says {' and '.join(sorted(dmarc))}"
    dkim = [{verdict.result for verdict in field.verdicts if verdict.method == "dkim"} for field in fields]
    if any("none" in one for one in dkim) and any("pass" in one for one in dkim):
        return "one field says dkim=none, another dkim=pass"
    signers: dict[str, set[str]] = {}
    for verdict in (verdict for field in fields for verdict in field.verdicts if verdict.method == "dkim"):
        signers.setdefault(_dkim_domain(verdict), set()).add(verdict.result)
    torn = next((signer for signer, results in signers.items() if signer and {"fail", "pass"} <= results), "")
    if torn:
        return f"DKIM of {one_line(torn)[:60]} failed and passed"
    return ""


def own_results(mail: InboundMail, evidence: EvidenceSettings) -> list[str]:
    """The fields in the region that our own servers wrote, top first, that bear our authserv-id; not read yet.

    The region ends below the first `Received` that another's server wrote, or at the one that follows the `Received` by
    which our server took the letter from outside.
    """
    own = (*evidence.own_hosts, *(part.strip() for part in evidence.authserv_id.split(",") if part.strip() != "-"))
    found: list[str] = []
    entered = False
    for name, value in mail.headers:
        lowered = name.lower()
        if lowered == "received":
            if entered:
                break
            hop = read_received(value)
            if not is_listed(hop.by, own):
                break
            entered = not is_from_own(hop, own)
        elif lowered == "authentication-results" and _is_ours(authserv_id_of(value), evidence.authserv_id):
            found.append(value)
    return found


def _is_ours(authserv_id: str, configured: str) -> bool:
    for pattern in (part.strip().lower() for part in configured.split(",")):
        if (pattern == "-" and not authserv_id) or (pattern and authserv_id and fnmatchcase(authserv_id, pattern)):
            return True
    return False


def _same_domain(verdict: Verdict, domain: str) -> bool:
    said = verdict.properties.get("header.from", "").strip("<>").rpartition("@")[2].rstrip(".").lower()
    return bool(said) and (said == domain or _aligned(said, domain))


def _dkim_domain(verdict: Verdict) -> str:
    said = verdict.properties.get("header.d") or verdict.properties.get("header.i", "")
    return said.rpartition("@")[2].rstrip(".").lower()


def _aligned(signer: str, domain: str) -> bool:
    """Relaxed alignment without a list of public suffixes: the signer is the domain itself or a parent of it that is
    not shared by strangers, as far as is known."""
    if signer == domain:
        return bool(signer)
    return domain.endswith("." + signer) and not is_shared(signer)


# A relay that is trusted


def _by_relay(mail: InboundMail, evidence: EvidenceSettings) -> Belief:
    kind = "trusted-relay"
    received = mail.header("Received")
    if not evidence.relays:
        return Belief(False, kind, "no relays are configured")
    if not received:
        return Belief(False, kind, "the letter bears no Received header")
    hop = read_received(received[0])
    if evidence.own_hosts and not is_listed(hop.by, evidence.own_hosts):
        return Belief(False, kind, f"the topmost Received was written by {hop.by or 'nobody'}, no server of ours")
    # A name is what the address's owner says: it counts only where no address is known. Of two, one may be claimed.
    known = hop.addresses or hop.names
    if known and all(is_listed(peer, evidence.relays) for peer in known):
        return Belief(True, kind, f"our server took the letter from {known[0]}")
    peers = ", ".join((*hop.addresses, *hop.names)) or "an unnamed host"
    return Belief(False, kind, f"our server took the letter from {peers}, no trusted relay")
