"""The faults of normal life, all kinds in one table: what each is, how it begins and ends, and what is expected of imbot while it
lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from random import Random

from tests.fire.faults_home import LDAP, MACHINE, STORE
from tests.fire.faults_mail import IMAP, SMTP
from tests.fire.faults_telegram import TELEGRAM
from tests.fire.scene import Fault

KINDS: Mapping[str, Fault] = {one.name: one for one in (*TELEGRAM, *SMTP, *IMAP, *LDAP, *STORE, *MACHINE)}
PARTS = ("telegram", "smtp", "imap", "ldap", "store", "clock", "process")


def may_meet(one: Fault, other: Fault) -> bool:
    """Two that lay hands on different things."""
    return one.part != other.part


def pairs(rng: Random, number: int) -> Iterator[tuple[Fault, Fault]]:
    """So many, drawn from the seed, none twice while there are others."""
    kinds = [one for one in KINDS.values() if not one.by_name and not one.pop3]
    every = [pair for pair in combinations(kinds, 2) if may_meet(*pair)]
    while number > 0:
        drawn = rng.sample(every, min(number, len(every)))
        yield from drawn
        number -= len(drawn)


def must_be_red(faults: tuple[Fault, ...]) -> frozenset[str]:
    """The legs that must turn red while all of these last. Nobody can ask a process that is not there; where nothing can be
    written nothing is sent; and where no update comes, nothing that employees do shows what else is wrong."""
    parts = {one.part for one in faults}
    red = frozenset[str]().union(*(one.red for one in faults))
    if any(one.part == "process" for one in faults):
        return frozenset()
    if "store" in parts and not any(one.name == "disk_full_for_files" for one in faults):
        return red & {"store"}
    if "telegram" in parts and any(not one.answered for one in faults):
        return red & {"telegram", "mailbox"}
    return red
