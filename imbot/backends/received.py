"""`Received` (RFC 5321, 4.4) as data, as Postfix, Exim, Exchange, Sendmail, qmail, Dovecot and Gmail write it: who took the
letter from whom. What the peer said of itself is kept apart from what the writer found out."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache


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
_IDENT = re.compile(r"\s*ident:", re.I)  # Sendmail's and qmail's `ident@peer`
_WORD = re.compile(r"\S+")
_LONGEST_ADDRESS = 64  # characters: 45, and a zone
_OWN_WORDS = re.compile(r"(?<![A-Za-z0-9.-])(?:helo|ehlo|ident)[=: ].*", re.I | re.S)  # they stand last
_HELO_ALONE = re.compile(r"\s*(?:helo|ehlo)\s", re.I)
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
    addresses, names = ([], []) if re.search(r"[()]", helo) else _peer(comments, helo)
    return Hop(
        by=by.group(1).lower().strip("[]").rstrip(".") if by else "",
        helo=helo.lower().strip("[]"),
        names=tuple(names),
        addresses=tuple(addresses),
    )


def _peer(comments: list[str], helo: str) -> tuple[list[str], list[str]]:
    """(addresses, names) that the writer found out. It puts them into the first comment; those behind it tell what the peer
    brought along (a certificate's name, an account), and an address there can only contradict."""
    told = [_OWN_WORDS.sub("", _without_ident(comment)) for comment in comments]
    first = (
        1 if len(told) > 1 and _HELO_ALONE.match(comments[0]) else 0
    )  # qmail, James: what it called itself stands first
    words = told[first].split()[:2] if told else []
    addresses = _addresses(" ".join(words))
    names = [] if any("may be forged" in comment for comment in comments) else words[:1]
    names = [name.lower().rstrip(".") for name in names if _NAME.fullmatch(name.rstrip(".")) and not is_address(name)]
    if not addresses and not names and comments and _ADDRESS_FIRST.search(comments[0]):
        addresses = _addresses(helo)
    if addresses:
        addresses += [each for each in _addresses(" ".join(told)) if each not in addresses]
    return addresses, names


def _without_ident(comment: str) -> str:
    """What the peer's own machine called the sender goes, up to the at sign."""
    if _IDENT.match(comment):
        comment = comment.rpartition("@")[2]
    return _WORD.sub(lambda word: word[0].rpartition("@")[2] if "@" in word[0][1:] else word[0], comment)


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
        if is_address(candidate):
            found.append(candidate)
    return found


def is_address(text: str) -> bool:
    return len(text) <= _LONGEST_ADDRESS and _address(text) is not None


@lru_cache(maxsize=512)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_listed(name: str, own: tuple[str, ...]) -> bool:
    """Whether a host's name or address is one of `own`: names, `.domain` for all below it, wildcards, networks."""
    for wanted in (item.lower() for item in own):
        if not wanted or not name:
            continue
        if name == wanted or (wanted.startswith(".") and name.endswith(wanted)) or fnmatchcase(name, wanted):
            return True
        if is_address(name) and _in_network(name, wanted):
            return True
    return False


def is_from_own(hop: Hop, own: tuple[str, ...]) -> bool:
    """Whether the letter came from another of our own servers. HELO counts only where the writer noted nothing else
    (a hand-over by LMTP or a pipe)."""
    if hop.addresses:
        return all(
            ipaddress.ip_address(address).is_loopback or is_listed(address, own) for address in hop.addresses
        ) or (any(is_listed(name, own) for name in hop.names))
    if hop.names:
        return any(is_listed(name, own) for name in hop.names)
    return not hop.helo or hop.helo == "localhost" or is_listed(hop.helo, own)


def _in_network(address: str, network: str) -> bool:
    found, wide = _address(address), _network(network)  # `address` is one
    return found is not None and wide is not None and found in wide


@lru_cache(maxsize=64)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
