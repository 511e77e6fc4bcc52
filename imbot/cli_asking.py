"""How `imbot init` asks on a terminal, or of a pipe: one question, until its answer can be one. What was answered before is kept
by Enter.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer

from imbot.cli_base import say
from imbot.config_words import meant
from imbot.domain.people import canonical_address

Tree = dict[str, Any]
TLS_MODES = ("tls", "starttls", "none")


def ask(table: Tree, key: str, question: str, *, needed: bool = False) -> None:
    known = table.get(key, "")
    table[key] = prompt(question, None if needed and not known else known)


def own(question: str, given: str, example: str) -> str:
    """What only the company itself knows: until it was given, there is an example and nothing to take by Enter."""
    return prompt(f"{question}, such as {example}") if given == example else prompt(question, given)


def address(question: str, given: str, example: str, bot: str = "") -> str:
    """A mail address; what is none, or is the `bot`'s, is refused at once."""
    while True:
        answer = own(question, given, example)
        found = canonical_address(answer)
        if found is None:
            say(f"  {answer!r} is not a mail address")
        elif found == bot:
            say(f"  {bot} is the bot's own mailbox: imbot would write to itself and read its own letters")
        else:
            return answer


def sender(question: str, given: str, bot: str) -> str:
    """An address, or `*@host` for every one of a host."""
    while (answer := prompt(question, given)).startswith("*@") is False:
        found = canonical_address(answer)
        if found not in (None, bot):
            return answer
        say(f"  {answer!r} is {'not a mail address' if found is None else 'the bot itself'}")
    return answer


def prompt(question: str, default: str | None = None) -> str:
    """None: there must be an answer."""
    while True:
        answer = str(typer.prompt(question, default=default or "", show_default=bool(default))).strip()
        if answer or default is not None:
            return answer
        say("  An answer is needed here")


def secret(question: str, kept: str = "", *, needed: bool = True) -> str:
    """Not echoed on a terminal; read plainly from a pipe. `kept`: the answer before, taken by Enter and never shown."""
    asked = f"{question} [kept]" if kept else question
    while True:
        given = typer.prompt(asked, default="", show_default=False, hide_input=sys.stdin.isatty())
        answer = str(given).strip() or kept
        if answer or not needed:
            return answer
        say("  An answer is needed here")


def server(
    table: Tree,
    question: str,
    default: str,
    tls: dict[int, str],
    port: int,
    example: str = "",
    failed: str = "",
) -> None:
    """A host, perhaps with a port; the port says how it is encrypted, STARTTLS unless it is known otherwise. Where this has
    `failed` that is asked as well: a port may be used otherwise."""
    before = (table["host"], table.get("port", port))
    if default == table["host"] and before[1] != port:
        default = f"{default}:{before[1]}"
    host, _, given = own(question, default, example).partition(":")
    table["host"], table["port"] = host, int(given) if given.isdecimal() else port
    usual = tls.get(table["port"], "starttls")
    if failed:
        known = table["tls"] if (table["host"], table["port"]) == before else usual
        usual = choice("  How is it encrypted", TLS_MODES, known)
    table["tls"] = usual


def choice(question: str, choices: Sequence[str], default: str) -> str:
    while True:
        answer = prompt(f"{question} ({', '.join(choices)})", default)
        if answer in choices:
            return answer
        say(f"  {answer!r} is none of them{meant(answer, set(choices))}")
