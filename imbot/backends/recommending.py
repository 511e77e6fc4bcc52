"""Which evidence of origin do an admin's sample letters bear, and which is the strongest to ask for? Pure.

The samples are taken to be genuine and to lie as our own mail server delivered them: its host is the one that wrote the
topmost `Received`, and what it wrote stands above the point where the letter came in.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from imbot.backends.auth_results import parse_auth_results
from imbot.backends.base import Belief
from imbot.backends.evidence import EvidenceSettings, believes
from imbot.backends.profiles import Profile
from imbot.backends.received import Hop, is_address, is_from_own, read_received
from imbot.domain.letters import InboundMail

MOST_PEERS = 4  # hosts that bring an ITSM's mail in; more of them are no relay, but the internet


@dataclass(frozen=True, slots=True)
class Bearing:
    """What the samples bear of one kind of evidence. `settings`: under which it holds for `holds` of them, the most that can
    be had; None where none bears it, or where it would be worth nothing. `words`: what was found, and what to mind."""

    kind: str
    holds: int
    settings: EvidenceSettings | None
    words: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`evidence`: what holds for the most of the `samples` letters, the strongest of equals; `sender-only` where none bears
    any. `bearings`: one for each kind, the strongest first. `words`: the advice in a sentence or two."""

    evidence: EvidenceSettings
    samples: int
    bearings: tuple[Bearing, ...]
    words: str


def recommend(samples: Sequence[InboundMail]) -> Recommendation:
    """Never raises. Of no samples it can say nothing, and recommends nothing stronger than the sender."""
    bearings = (_auth_results(samples), _exchange(samples), _relay(samples)) if samples else ()
    best = max(bearings, key=lambda bearing: bearing.holds, default=None)
    if best is None or best.settings is None:
        return Recommendation(EvidenceSettings("sender-only"), len(samples), bearings, _nothing(len(samples)))
    words = f"use {best.kind}: {best.words}"
    if best.holds < len(samples):
        words += ". The others would stay in quarantine: see how they came in, and leave them out if they are not the ITSM's own"
    return Recommendation(best.settings, len(samples), bearings, words)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one letter, which may be forged, bears of one kind of evidence. `borne`: None where only the settings could say."""

    kind: str
    borne: bool | None
    words: str


def findings(mail: InboundMail) -> tuple[Finding, ...]:
    """What a letter bears of its origin, the strongest kind first: facts, and no advice, since one letter proves nothing of
    the ITSM's others. Never raises."""
    results, exchange = _auth_results([mail]), _exchange([mail])
    if results.settings is not None:
        said = f"{results.settings.authserv_id} says in it that DMARC or an aligned DKIM signature passed"
    elif not mail.header("Authentication-Results"):
        said = "it bears no Authentication-Results"
    elif not _above_the_stranger(mail, _own_hosts([mail])):
        said = "its Authentication-Results stand only below the point where it came in: others wrote them"
    else:
        said = "neither DMARC nor an aligned DKIM signature passed"
    marked = f"it {'bears' if exchange.holds else 'does not bear'} Exchange's mark of internal mail"
    received = mail.header("Received")
    hop = read_received(received[0]) if received else None
    peers = ", ".join((*hop.addresses, *hop.names)) if hop else ""
    came = f"it was taken from {peers}: believed only where `relays` names that host" if peers else "no host is noted"
    return (
        Finding("auth-results", results.holds > 0, said),
        Finding("exchange-internal", exchange.holds > 0, marked),
        Finding("trusted-relay", None if peers else False, came),
    )


def _nothing(count: int) -> str:
    if not count:
        return "without a sample letter nothing can be said of its evidence"
    return (
        "the samples bear no evidence of origin: anybody who knows the sender's address could forge such a letter. Let"
        " your mail server check DKIM and write Authentication-Results, or name the ITSM's host as a trusted relay;"
        " sender-only believes every letter that merely names the sender"
    )


def signer(samples: Iterable[InboundMail]) -> str:
    """The name under which our own mail server writes Authentication-Results into most of these letters, whatever it found in
    them; "-" for fields without a name, "" where most bear none of ours: a stranger may have written the few that there are."""
    read = list(samples)
    hosts = _own_hosts(read)
    tops = [parse_auth_results(fields[0]) for mail in read if (fields := _above_the_stranger(mail, hosts))]
    counted = Counter(top.authserv_id or "-" for top in tops if top.authserv_id or top.sound)
    name, count = max(counted.items(), key=lambda item: item[1], default=("", 0))
    return name if 2 * count > len(read) else ""


def remedy(evidence: EvidenceSettings, mail: InboundMail) -> str:
    """What to set so that a genuine letter is believed by what our server has noted in it; "" where that would not do."""
    name = signer([mail])
    if name and holds(replace(evidence, authserv_id=name), mail):
        return f"authserv_id = {json.dumps(name)}"
    best = _auth_results([mail]).settings
    if best is None:
        return ""
    return f"authserv_id = {json.dumps(best.authserv_id)} and own_hosts = {json.dumps(list(best.own_hosts))}"


def evidence_toml(evidence: EvidenceSettings, section: str = "itsm.evidence") -> str:
    """The lines of config.toml that ask for this evidence."""
    lines = [f"[{section}]", f'kind = "{evidence.kind}"']
    if evidence.authserv_id:
        lines.append(f"authserv_id = {json.dumps(evidence.authserv_id)}")
    for name, values in (("relays", evidence.relays), ("own_hosts", evidence.own_hosts)):
        if values:
            lines.append(f"{name} = {json.dumps(list(values))}")
    return "\n".join(lines) + "\n"


def holds(evidence: EvidenceSettings, mail: InboundMail) -> bool:
    return judged(evidence, mail).ok


def judged(evidence: EvidenceSettings, mail: InboundMail) -> Belief:
    """Whether this evidence would be believed in a letter whose sender is a known one."""
    return believes(Profile("sample", senders=(mail.sender,)), mail, evidence)


def _count(evidence: EvidenceSettings, samples: Iterable[InboundMail]) -> int:
    return sum(holds(evidence, mail) for mail in samples)


# Authentication-Results


def _auth_results(samples: Sequence[InboundMail]) -> Bearing:
    """The names that our own servers may have signed with, each tried; hosts of one domain are one name with a star."""
    kind = "auth-results"
    hosts = _own_hosts(samples)
    ids = {parse_auth_results(field).authserv_id for mail in samples for field in _above_the_stranger(mail, hosts)}
    tried = [EvidenceSettings(kind, name or "-", own_hosts=hosts) for name in sorted(ids | _starred(ids))]
    counted = [(_count(evidence, samples), evidence) for evidence in tried]
    best, evidence = max(counted, key=_by_worth, default=(0, None))
    if evidence is None or not best:
        return Bearing(kind, 0, None, _why_no_results(samples, hosts))
    words = f"your server notes as {evidence.authserv_id} that DMARC or an aligned DKIM signature passed"
    if not any(mail.header("Received") for mail in samples):
        words += "; the samples bear no Received, so that its own fields could not be told from a stranger's"
    return Bearing(kind, best, evidence, f"{words} ({best} of {len(samples)} samples)")


def _by_worth(counted: tuple[int, EvidenceSettings]) -> tuple[int, bool, int]:
    """The most samples first; a name in full before one with a star; the longer, the more precise."""
    count, evidence = counted
    return count, "*" not in evidence.authserv_id, len(evidence.authserv_id)


def _starred(ids: Iterable[str]) -> set[str]:
    """`mx1.company.ru` and `mx2.company.ru` -> `*.company.ru`; never wider than a domain."""
    parents = Counter(
        ".".join(labels[start:])
        for labels in (name.split(".") for name in ids)
        for start in range(1, min(len(labels) - 1, 8))
    )
    return {f"*.{parent}" for parent, count in parents.items() if count > 1}


def _own_hosts(samples: Sequence[InboundMail]) -> tuple[str, ...]:
    """Our own servers as far as the samples show them: who wrote the topmost Received, and who is of its domain."""
    tops = [read_received(mail.header("Received")[0]).by for mail in samples if mail.header("Received")]
    hosts: dict[str, None] = {}
    for name in tops:
        parent = name.partition(".")[2]
        hosts.setdefault(f".{parent}" if parent.count(".") >= 1 and not is_address(name) else name)
    return tuple(name for name in hosts if name)


def _above_the_stranger(mail: InboundMail, hosts: tuple[str, ...]) -> list[str]:
    """Authentication-Results down to the Received that follows the one by which our servers took the letter."""
    found: list[str] = []
    entered = False
    for name, value in mail.headers:
        lowered = name.lower()
        if lowered == "received":
            if entered:
                break
            entered = not is_from_own(read_received(value), hosts)
        elif lowered == "authentication-results":
            found.append(value)
    return found


def _why_no_results(samples: Sequence[InboundMail], hosts: tuple[str, ...]) -> str:
    if not any(mail.header("Authentication-Results") for mail in samples):
        return "your mail server writes no Authentication-Results into these letters"
    if not any(_above_the_stranger(mail, hosts) for mail in samples):
        return "Authentication-Results stands only below the point where the letter came in: others wrote it"
    return "your mail server notes its checks, but neither DMARC nor an aligned DKIM signature passed: sign the ITSM's mail"


# The others


def _exchange(samples: Sequence[InboundMail]) -> Bearing:
    kind = "exchange-internal"
    evidence = EvidenceSettings(kind)
    count = _count(evidence, samples)
    if not count:
        return Bearing(kind, 0, None, "Exchange did not mark these letters as internal")
    words = "Exchange marked them as internal; make sure that it strips this mark from mail of the internet"
    return Bearing(kind, count, evidence, f"{words} ({count} of {len(samples)} samples)")


def _relay(samples: Sequence[InboundMail]) -> Bearing:
    """The hosts that handed the letters to our server, if they are few and none of them brings the internet's mail in."""
    kind = "trusted-relay"
    hops = [[read_received(value) for value in mail.header("Received")[:2]] for mail in samples]
    tops = [each[0] for each in hops if each]
    if not tops:
        return Bearing(kind, 0, None, "the samples bear no Received, so that no relay can be told")
    if any(_is_self(hop) for hop in tops):
        return Bearing(
            kind, 0, None, "your server took them from itself (a filter, a hand-over): every letter looks so"
        )
    peers = tuple(sorted({peer for hop in tops for peer in (hop.addresses or hop.names)[:1]}))
    if not peers or len(peers) > MOST_PEERS:
        return Bearing(kind, 0, None, "your server did not note one host that they come from")
    edge = next((hop for each in hops if len(each) > 1 and _brings_the_internet_in(each[1]) for hop in each[:1]), None)
    if edge is not None:
        said = ", ".join((*edge.addresses, *edge.names))
        return Bearing(kind, 0, None, f"{said} brings mail of the internet in as well: all of it would be believed")
    hub = next((hop for each in hops if len(each) > 1 and not _is_self(each[1]) for hop in each[:1]), None)
    if hub is not None:
        said = ", ".join((*hub.addresses, *hub.names))
        why = "hands on what other hosts bring it, perhaps the internet's as well: all of it would be believed"
        return Bearing(kind, 0, None, f"{said} {why}")
    evidence = EvidenceSettings(kind, relays=peers, own_hosts=tuple(sorted({hop.by for hop in tops if hop.by})))
    count = _count(evidence, samples)
    words = f"your server took them from {', '.join(peers)}; only if nobody but the ITSM can send mail through it"
    return Bearing(kind, count, evidence if count else None, f"{words} ({count} of {len(samples)} samples)")


def _is_self(hop: Hop) -> bool:
    said = (*hop.addresses, *hop.names)
    return any(
        name in ("localhost", hop.by) or (is_address(name) and ipaddress.ip_address(name).is_loopback) for name in said
    )


def _brings_the_internet_in(hop: Hop) -> bool:
    return any(ipaddress.ip_address(address).is_global for address in hop.addresses if is_address(address))
