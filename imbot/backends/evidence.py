"""Is a letter from whom it says? (threats.md M1) A believed letter needs a sender of the profile *and* evidence of origin.

Four kinds of evidence: what our own server noted in `Authentication-Results`, a relay that we trust, Exchange's own mark of
internal mail, or, by explicit choice only, nothing but the sender. Headers are read from the top, where our own servers
write; whatever stands below the point where the letter entered our servers was written by strangers.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from imbot.backends.base import Belief
from imbot.backends.profiles import Profile
from imbot.domain.letters import InboundMail
from imbot.mime import parse_addresses

KINDS = ("auth-results", "trusted-relay", "exchange-internal", "sender-only")
MAX_FIELD = 16_384


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """`authserv_id`: how our server signs `Authentication-Results`; several are separated by commas, `*` stands for any
    letters, `-` for a field without one (Exchange Online). `own_hosts`: names (`mx.company.ru`, `.company.ru` with all
    below it) and networks of our own mail servers. `relays`: names, addresses or networks whose letters are believed."""

    kind: str = "auth-results"
    authserv_id: str = ""
    relays: tuple[str, ...] = ()
    own_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One result of an `Authentication-Results` field: `dkim` = `pass`, with its properties (`header.d` ...)."""

    method: str
    result: str
    properties: dict[str, str]


@dataclass(frozen=True, slots=True)
class AuthResults:
    """One field. `authserv_id` in lower case, "" where the field has none. Not `sound`: what stands before the first
    semicolon is no id and version (RFC 8601, 2.2); such a field proves nothing and has no verdicts."""

    authserv_id: str
    verdicts: tuple[Verdict, ...]
    sound: bool = True


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
    if len(fields) != 1 or len(parse_addresses(fields[0])) != 1:
        return Belief(False, evidence.kind, "the letter does not name exactly one sender")
    if not sender_matches(profile.senders, mail.sender):
        return Belief(False, evidence.kind, f"{mail.sender or 'nobody'} is no sender of the profile {profile.name}")
    match evidence.kind:
        case "auth-results":
            return _by_auth_results(mail, evidence)
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
    found = ", ".join(values) if values else "nothing"
    return Belief(False, kind, f"X-MS-Exchange-Organization-AuthAs says {found}, not Internal once")


# Authentication-Results (RFC 8601)


def _by_auth_results(mail: InboundMail, evidence: EvidenceSettings) -> Belief:
    kind = "auth-results"
    if not evidence.authserv_id.strip():
        return Belief(False, kind, "no authserv_id is configured")
    found = [field for field in own_results(mail, evidence) if field.sound]
    ours = [field for field in found if _is_ours(field.authserv_id, evidence.authserv_id)]
    verdicts = [verdict for field in ours for verdict in field.verdicts]
    if not ours:
        return Belief(
            False, kind, f"no Authentication-Results of {evidence.authserv_id} above the first foreign server"
        )
    objection = _objection(ours)
    if objection:
        return Belief(False, kind, objection)
    domain = mail.sender.rpartition("@")[2]
    for verdict in verdicts:
        if verdict.method == "dmarc" and verdict.result == "pass" and _same_domain(verdict, domain):
            return Belief(True, kind, f"DMARC passed for {domain}")
    for verdict in verdicts:
        if verdict.method == "dkim" and verdict.result == "pass" and _aligned(_dkim_domain(verdict), domain):
            return Belief(True, kind, f"DKIM of {_dkim_domain(verdict)} passed, aligned with {domain}")
    said = ", ".join(f"{verdict.method}={verdict.result}" for verdict in verdicts[:8]) or "nothing"
    return Belief(False, kind, f"neither DMARC nor an aligned DKIM signature passed (found {said})")


def _objection(fields: list[AuthResults]) -> str:
    """Fields that contradict one another are a sign of a forgery that our server did not strip."""
    dmarc = {verdict.result for field in fields for verdict in field.verdicts if verdict.method == "dmarc"}
    if dmarc & {"fail", "permerror", "temperror"} or len(dmarc) > 1:
        return f"DMARC says {' and '.join(sorted(dmarc))}"
    dkim = [{verdict.result for verdict in field.verdicts if verdict.method == "dkim"} for field in fields]
    if any("none" in one for one in dkim) and any("pass" in one for one in dkim):
        return "one field says dkim=none, another dkim=pass"
    return ""


def own_results(mail: InboundMail, evidence: EvidenceSettings) -> list[AuthResults]:
    """The fields in the region that our own servers wrote, top first, whatever their authserv-id.

    The region ends below the first `Received` that another's server wrote, or at the one that follows the `Received` by
    which our server took the letter from outside.
    """
    own = (*evidence.own_hosts, *(part.strip() for part in evidence.authserv_id.split(",") if part.strip() != "-"))
    found: list[AuthResults] = []
    entered = False
    for name, value in mail.headers:
        lowered = name.lower()
        if lowered == "received":
            hop = read_received(value)
            if entered or not _is_own_host(hop.by, own):
                break
            entered = not _is_own_hop(hop, own)
        elif lowered == "authentication-results" and len(value) <= MAX_FIELD:
            found.append(parse_auth_results(value))
    return found


def _is_ours(authserv_id: str, configured: str) -> bool:
    for pattern in (part.strip().lower() for part in configured.split(",")):
        if (pattern == "-" and not authserv_id) or (pattern and authserv_id and fnmatchcase(authserv_id, pattern)):
            return True
    return False


def _same_domain(verdict: Verdict, domain: str) -> bool:
    said = verdict.properties.get("header.from", "").strip("<>").rpartition("@")[2].rstrip(".").lower()
    return not said or said == domain or _aligned(said, domain)


def _dkim_domain(verdict: Verdict) -> str:
    said = verdict.properties.get("header.d") or verdict.properties.get("header.i", "")
    return said.rpartition("@")[2].rstrip(".").lower()


_SHARED_SECOND_LEVELS = frozenset(["ac", "co", "com", "edu", "gov", "mil", "msk", "net", "nom", "org", "pp", "spb"])


def _aligned(signer: str, domain: str) -> bool:
    """Relaxed alignment without a list of public suffixes: the signer is the domain itself or a parent of it that is
    not shared by strangers."""
    if signer == domain:
        return bool(signer)
    labels = signer.split(".")
    if len(labels) < 2 or (len(labels) == 2 and labels[0] in _SHARED_SECOND_LEVELS):
        return False
    return domain.endswith("." + signer)


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+./:<>@^_`{|}~\[\]-]+")

_HEAD = re.compile(rf'(?:"(?P<quoted>{_TOKEN.pattern})"|(?P<plain>{_TOKEN.pattern}))(?:[ \t]+[0-9]+)?')  # id, version


def parse_auth_results(value: str) -> AuthResults:
    """Reads any form seen in the wild: without an authserv-id, with a version behind it, comments anywhere (nested too),
    quoted values, missing semicolons' kin. What is not understood is left out. Linear in its length."""
    clauses = [clause.strip() for clause in _clauses(value)]
    authserv_id = ""
    if not clauses or "=" not in clauses[0]:
        head = _HEAD.fullmatch(clauses.pop(0)) if clauses else None
        if head is None:
            return AuthResults("", (), sound=False)
        authserv_id = (head["quoted"] or head["plain"]).lower()
    verdicts = (_verdict(clause) for clause in clauses if clause)
    return AuthResults(authserv_id, tuple(verdict for verdict in verdicts if verdict is not None))


def _clauses(value: str) -> list[str]:
    """Split at semicolons outside of quotes and comments; comments become a blank."""
    clauses: list[str] = []
    current: list[str] = []
    depth = 0
    quoted = escaped = False
    for char in value:
        if escaped:
            escaped = False
        elif char == "\\" and (quoted or depth):
            escaped = True
            continue
        elif quoted:
            quoted = char != '"'
            char = "\ue000" if char in " \t\r\n" else char  # a blank in quotes does not end a value
        elif char == '"' and not depth:
            quoted = True
        elif char == "(":
            depth += 1
            char = " "
        elif char == ")" and depth:
            depth -= 1
            char = " "
        elif char == ";" and not depth:
            clauses.append("".join(current))
            current = []
            continue
        if not depth:
            current.append(char)
    if depth == 0 and not quoted:
        clauses.append("".join(current))  # a clause cut short by an open quote or comment proves nothing
    return clauses


def _verdict(clause: str) -> Verdict | None:
    pairs = re.sub(r"\s{0,8}=\s{0,8}", "=", clause).split()
    method, equals, result = pairs[0].partition("=")
    if not equals or not result or not _TOKEN.fullmatch(method):
        return None
    properties: dict[str, str] = {}
    for pair in pairs[1:]:
        name, equals, text = pair.partition("=")
        if equals:
            properties.setdefault(name.lower(), text.strip('"').replace("\ue000", " "))
    return Verdict(method.partition("/")[0].lower(), result.strip('"').lower(), properties)


# Received (RFC 5321, 4.4), as Postfix, Exim, Exchange, Sendmail, Dovecot and Gmail write it


@dataclass(frozen=True, slots=True)
class Hop:
    """`by`: who wrote it. `helo`: what the peer called itself. `names`: names of the peer that the writer looked up.
    `addresses`: the peer's IP addresses."""

    by: str
    helo: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]


_BY = re.compile(r"(?:^|\s)by\s+([A-Za-z0-9.:_\[\]-]+)", re.I)
_FROM = re.compile(r"^\s*from\s+(\S+)\s*", re.I)
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_IDENT = re.compile(r"^\s*ident:.*@|\S+@", re.I | re.S)  # Sendmail's and qmail's `ident@peer`
_OWN_WORDS = re.compile(r"(?<![A-Za-z0-9.-])(?:helo|ehlo|ident)[=: ].*", re.I | re.S)  # they stand last
# Exim and CommuniGate put a nameless peer's address first, `from [10.1.2.3] (helo=x)`; elsewhere that is its HELO.
_ADDRESS_FIRST = re.compile(r"^\s*(?:(?:port|helo|ident)=|account\s)", re.I)


def read_received(value: str) -> Hop:
    """The parts that matter. The peer's own words (HELO, ident) are kept apart from what the writer found out."""
    text = value[:4096]
    start = _FROM.match(text)
    helo, rest = "", text
    comments: list[str] = []
    if start:
        helo, rest = start.group(1), text[start.end() :]
        while rest.startswith("("):
            comment, rest = _comment(rest)
            rest = rest.lstrip()
            comments.append(comment)
    by = _BY.search(" " + rest)
    told = " ".join(_OWN_WORDS.sub("", _IDENT.sub("", comment)) for comment in comments)
    addresses = _addresses(told)
    names = [name.lower() for name in _NAME.findall(told) if not _is_address(name)]
    if not addresses and not names and any(_ADDRESS_FIRST.search(comment) for comment in comments):
        addresses = _addresses(helo)
    if any("may be forged" in comment for comment in comments):
        names = []
    return Hop(
        by=by.group(1).lower().strip("[]").rstrip(".") if by else "",
        helo=helo.lower().strip("[]"),
        names=tuple(names),
        addresses=tuple(addresses),
    )


def _comment(text: str) -> tuple[str, str]:
    """The comment that `text` begins with, and what follows it."""
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return text[1:index], text[index + 1 :]
    return text[1:], ""


def _addresses(text: str) -> list[str]:
    words = re.split(r"[\s()\[\]=,;]+", text)
    found = []
    for word in words:
        candidate = word.lower().removeprefix("ipv6:")
        if _is_address(candidate):
            found.append(candidate)
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_own_host(name: str, own: tuple[str, ...]) -> bool:
    for wanted in (item.lower() for item in own):
        if not wanted or not name:
            continue
        if name == wanted or (wanted.startswith(".") and name.endswith(wanted)) or fnmatchcase(name, wanted):
            return True
        if _is_address(name) and _in_network(name, wanted):
            return True
    return False


def _is_own_hop(hop: Hop, own: tuple[str, ...]) -> bool:
    """Whether the letter came from another of our own servers. HELO counts only where the writer noted nothing else
    (a hand-over by LMTP or a pipe)."""
    if hop.addresses:
        return all(
            ipaddress.ip_address(address).is_loopback or _is_own_host(address, own) for address in hop.addresses
        ) or (any(_is_own_host(name, own) for name in hop.names))
    if hop.names:
        return any(_is_own_host(name, own) for name in hop.names)
    return not hop.helo or hop.helo == "localhost" or _is_own_host(hop.helo, own)


def _in_network(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


def _by_relay(mail: InboundMail, evidence: EvidenceSettings) -> Belief:
    kind = "trusted-relay"
    received = mail.header("Received")
    if not evidence.relays:
        return Belief(False, kind, "no relays are configured")
    if not received:
        return Belief(False, kind, "the letter bears no Received header")
    hop = read_received(received[0])
    if evidence.own_hosts and not _is_own_host(hop.by, evidence.own_hosts):
        return Belief(False, kind, f"the topmost Received was written by {hop.by or 'nobody'}, no server of ours")
    known = all(_is_own_host(address, evidence.relays) for address in hop.addresses)  # two of them: one may be claimed
    for peer in (*(hop.addresses if known else ()), *hop.names):
        if _is_own_host(peer, evidence.relays):
            return Belief(True, kind, f"our server took the letter from {peer}")
    peers = ", ".join((*hop.addresses, *hop.names)) or "an unnamed host"
    return Belief(False, kind, f"our server took the letter from {peers}, no trusted relay")
