"""`Authentication-Results` (RFC 8601) as data: whose field it is and what it says. Whether it is believed is another matter.

A server may write what strangers chose, such as an envelope sender, into its own field without quoting it. So a field is
read in every form seen in the wild, but one that is odd proves nothing: quotes or comments that do not match, a result that
is none, the same thing said twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_FIELD = 16_384
MAX_NAME = 512  # of these, whose field it is must be clear


@dataclass(frozen=True, slots=True)
class Verdict:
    """One result: `dkim` = `pass`, with its properties (`header.d` ...)."""

    method: str
    result: str
    properties: dict[str, str]


@dataclass(frozen=True, slots=True)
class AuthResults:
    """One field. `authserv_id` in lower case, "" where the field has none. `oddity`: why it proves nothing, in words; such
    a field has no verdicts."""

    authserv_id: str
    verdicts: tuple[Verdict, ...]
    oddity: str = ""

    @property
    def sound(self) -> bool:
        return not self.oddity


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+./:<>@^_`{|}~\[\]-]+")
_HEAD = re.compile(rf'(?:"(?P<quoted>{_TOKEN.pattern})"|(?P<plain>{_TOKEN.pattern}))(?:[ \t]+[0-9]+)?')  # id, version
_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_EQUALS = re.compile(r"[ \t\r\n]{0,8}=[ \t\r\n]{0,8}")
_QUOTED_BLANK = "\ue000"  # a blank in quotes does not end a value
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]*")
_ENVELOPE = ("smtp.mailfrom", "smtp.mail")


class _Odd(ValueError):
    """The field is not one that a careful server writes; the text says why."""


def parse_auth_results(value: str) -> AuthResults:
    """Reads any form seen in the wild: without an authserv-id, with a version behind it, comments anywhere (nested too),
    quoted values, a semicolon at the end. Never raises; linear in its length."""
    authserv_id = ""
    try:
        clauses = [clause.strip() for clause in _clauses(value[: MAX_FIELD + 1])]
        if "=" not in clauses[0]:
            authserv_id = _name(clauses.pop(0))
        elif len(clauses) > 1:  # Exchange Online writes no id, and did put the recipient's domain between its results
            clauses = [clause for clause in clauses if not _DOMAIN.fullmatch(clause)]
        verdicts = tuple(_verdict(clause) for clause in clauses if clause and clause.lower() != "none")
        _check_repeats(verdicts)
    except _Odd as odd:
        return AuthResults(authserv_id, (), str(odd))
    return AuthResults(authserv_id, verdicts)


def authserv_id_of(value: str) -> str:
    """Whose field it is, without reading the rest of it: strangers may send a thousand long ones. "" where it has no name,
    or none within its first characters."""
    try:
        head = next(_clauses(value[:MAX_NAME])).strip()
        return "" if "=" in head else _name(head)
    except _Odd:
        return ""


def _name(clause: str) -> str:
    head = _HEAD.fullmatch(clause)
    if head is None:
        raise _Odd("it does not begin with a plain name and version")
    return (head["quoted"] or head["plain"]).lower()


def _clauses(value: str) -> Iterator[str]:
    """Split at semicolons outside of quotes and comments; comments become a blank."""
    if len(value) > MAX_FIELD:
        raise _Odd(f"it is longer than {MAX_FIELD} characters")
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
            char = _QUOTED_BLANK if char in " \t\r\n" else char
        elif char == '"' and not depth:
            quoted = True
        elif char == "(":
            depth += 1
            char = " "
        elif char == ")":
            depth -= 1
            char = " "
            if depth < 0:
                raise _Odd("a comment ends that never began")
        elif char == ";" and not depth:
            yield "".join(current)
            current = []
            continue
        if not depth:
            current.append(char)
    if depth or quoted:
        raise _Odd("a quotation or comment does not end")
    yield "".join(current)


def _verdict(clause: str) -> Verdict:
    pairs = _EQUALS.sub("=", clause).split()
    method, equals, result = pairs[0].partition("=")
    if not equals or not result or not _TOKEN.fullmatch(method):
        raise _Odd("it holds something that is no result")
    properties: dict[str, str] = {}
    for pair in pairs[1:]:
        name, equals, text = pair.lower().partition("=")
        if not equals:
            raise _Odd(f"a word stands alone in its {method.lower()[:40]} result")
        if name in properties:
            raise _Odd(f"{name[:40]} is said twice in one result")
        properties[name] = _plain(text)
    verdict = Verdict(method.partition("/")[0].lower(), _plain(result).lower(), properties)
    _check_properties(verdict)
    return verdict


def _plain(text: str) -> str:
    """A value without the quotes round it."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text.replace(_QUOTED_BLANK, " ")


def _check_properties(verdict: Verdict) -> None:
    """An envelope sender that is none, or a signer who signs for another domain, was not written by the server alone."""
    for name in _ENVELOPE:
        said = verdict.properties.get(name, "").strip("<>")
        if any(char in said for char in '" \\();,') or (said and "@" not in said and "." not in said):
            raise _Odd(f"{name} is no address")
    if not _HOST.fullmatch(verdict.properties.get("smtp.helo", "")):
        raise _Odd("smtp.helo is no name of a host")
    signer, agent = verdict.properties.get("header.d", ""), verdict.properties.get("header.i", "")
    domain = agent.rpartition("@")[2].rstrip(".")
    signer = signer.rstrip(".")
    if verdict.method == "dkim" and signer and agent and domain != signer and not domain.endswith("." + signer):
        raise _Odd(f"header.i={agent[:60]} is not below header.d={signer[:60]}")


def _check_repeats(verdicts: tuple[Verdict, ...]) -> None:
    """One server says of one letter once what DMARC found, and of each name once what SPF did."""
    if sum(verdict.method == "dmarc" for verdict in verdicts) > 1:
        raise _Odd("it says twice what DMARC found")
    named = [name for verdict in verdicts if verdict.method == "spf" for name in verdict.properties]
    if any(named.count(name) > 1 for name in _ENVELOPE):
        raise _Odd("it says twice what SPF found for the envelope sender")
    signed = {verdict.result for verdict in verdicts if verdict.method == "dkim"}
    if "none" in signed and len(signed) > 1:
        raise _Odd("it says that there is no DKIM signature, and that there is one")
