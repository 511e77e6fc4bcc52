"""`imbot user ...` and `imbot location ...`: who is known, what is known of them, and taking it away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imbot.cli_base import (
    AsJson,
    Config,
    Group,
    ask_first,
    in_store,
    now,
    one_line,
    one_person,
    say,
    say_json,
    say_table,
    say_wrapped,
    settings_of,
    shown,
)
from imbot.domain.errors import ImbotError

if TYPE_CHECKING:
    from sqlalchemy import Connection


app = typer.Typer(
    cls=Group, no_args_is_help=True, help="Who is known to the bot: people, chats, roles; why no code came."
)
location = typer.Typer(cls=Group, no_args_is_help=True, help="Places of earlier requests, offered again in the next.")
Who = Annotated[str, typer.Argument(help="A mail address or a chat id.", metavar="WHO")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

# What is forgotten with a person, in an admin's words.
_ERASED = {
    "chats": "chats, signed out",
    "sessions": "dialogs under way",
    "codes": "sign-in codes",
    "parcels": "messages and letters in the outbox",
    "updates": "messages that were not understood",
    "files": "files that they sent",
    "received": "files that support sent",
    "letters": "letters to the helpdesk, their words",
    "mails": "letters from the helpdesk, their words",
    "messages": "marks of messages in the chat",
    "ledger": "lines of history, their words",
    "ratings": "words beside ratings (the stars stay)",
    "tickets": "requests, their words and names (numbers, dates and categories stay)",
    "person": "person, by name and address",
}


@app.command("list")
def list_users(config: Config = None, as_json: AsJson = False) -> None:
    """Everybody known, with their chats."""
    settings = settings_of(config)
    rows = in_store(settings, _everybody)
    if as_json:
        for row in rows:
            say_json(row)
        return
    table = [["ADDRESS", "NAME", "ROLE", "CHATS", "STATE"]]
    table += [[row["address"], row["name"], row["role"], " ".join(row["chats"]) or "-", row["state"]] for row in rows]
    say_table([[one_line(cell) for cell in line] for line in table], "nobody is known yet")


@app.command("show")
def show_user(who: Who, config: Config = None, as_json: AsJson = False) -> None:
    """All that is known of a person."""
    settings = settings_of(config)
    found = in_store(settings, _portrait, who)
    if as_json:
        say_json(found)
        return

    def cell(value: Any) -> str:
        return shown(value, settings) if isinstance(value, datetime) else str(value)

    for key, value in found.items():
        if isinstance(value, list):
            say(f"{key}:" + ("" if value else " none"))
            for item in value:
                say("  " + one_line("  ".join(cell(part) for part in item.values() if part not in (None, "")), 140))
        else:
            say(f"{key}: {cell(value) if value not in (None, '') else '-'}")


@app.command("delete", short_help="Forget a person, for ever.")
def delete_user(who: Who, yes: Yes = False, config: Config = None) -> None:
    """Forget a person: removes or pseudonymises all that is theirs and says what. Cannot be undone."""
    settings = settings_of(config)
    person = in_store(settings, one_person, who)
    from imbot.store import tickets

    still_open = len(in_store(settings, tickets.open_of_person, person.id, 1000))
    if still_open:
        are = "request is" if still_open == 1 else "requests are"
        say(
            f"{still_open} {are} still open: letters that have not gone out will not go, and what support writes reaches nobody"
        )
    if not yes:
        ask_first(f"Forget {person.name or 'the person'} <{person.address}> for ever?")
    from imbot.cli_mail_golden import forget
    from imbot.cli_user_letters import letters_about
    from imbot.services.upkeep import erase_person, remove
    from imbot.store.db import cut_log

    letters = letters_about(settings, config, person.id)
    examples = forget(settings, person.id)
    erased = in_store(settings, erase_person, person.id, now(), letters.theirs)
    folder = settings.general.data_dir
    stuck = remove(erased.paths, (folder / "files", folder / "letters"))
    gone = {_ERASED[kind]: count for kind, count in erased.counts.items()}
    gone["letters kept as examples"] = examples
    gone["letters of no request that were about theirs"] = len(letters.theirs)
    gone["files on the disk"] = len(erased.paths) - len(stuck)
    said = [f"{count:>5}  {kind}" for kind, count in gone.items() if count]
    say("\n".join(["forgotten:", *said]) if said else "nothing of theirs was left to forget")
    _say_what_is_left(folder, letters.named, cut=cut_log(folder / "imbot.db"))
    if stuck:
        raise ImbotError("; ".join(f"{path} is still there: {problem}" for path, problem in stuck.items()))


def _say_what_is_left(folder: Path, named: Sequence[int], *, cut: bool) -> None:
    """What this command cannot decide, or does not reach."""
    if named:
        ids = " ".join(str(id) for id in named)
        say(f"still there, since they may be about somebody else, but bear the address: letters {ids}")
        say("  look at each by `imbot mail quarantine show ID`, and give it up by `imbot mail quarantine drop ID`")
    if not cut:
        say("the write-ahead log (imbot.db-wal) is in use and may bear the address until the nightly clean-up")
    for copy in sorted(folder.glob("imbot.db.before-*")):
        say(
            f"still there: {copy.name}, a copy of the data base from before an upgrade: delete it when you need it no more"
        )


@app.command("role")
def set_role(
    who: Who,
    role: Annotated[str, typer.Argument(help="user, support or admin; or directory, to follow the directory again.")],
    config: Config = None,
) -> None:
    """Give a person a role, whatever the directory says."""
    from imbot.domain.people import Role

    chosen = next((one for one in Role if one == role), None)
    if chosen is None and role != "directory":
        raise ImbotError(f"{role!r} is no role: user, support or admin; or `directory`, to follow the directory again")
    settings = settings_of(config)

    def change(c: Connection) -> str:
        from imbot.store import people

        person = one_person(c, who)
        people.set_role(c, person.id, chosen)
        after = people.person(c, person.id)
        return f"{person.address}: {after.role if after else role}"

    say(in_store(settings, change))


@app.command("unlink", short_help="Sign a person out, of all their chats or of one.")
def unlink(who: Who, config: Config = None) -> None:
    """Sign a person out: of all their chats by address, of one by its id. Their tickets stay theirs."""
    settings = settings_of(config)

    def take_away(c: Connection) -> list[str]:
        from imbot.store import people

        person = one_person(c, who)
        chats = people.chats_of(c, person.id)
        one = [chat for chat in chats if who.strip() in (chat.id, chat.key)]
        return [chat.key for chat in one or chats if people.unlink_chat(c, chat.key, now())]

    taken = in_store(settings, take_away)
    say(f"signed out: {' '.join(taken)}" if taken else "no chat was signed in")


@app.command("invite", short_help="A one-time link for somebody who cannot read their mail.")
def invite(
    address: Annotated[str, typer.Argument(help="The work address of somebody who cannot read their mail.")],
    config: Config = None,
) -> None:
    """Print a one-time link that signs its first opener in as this person. Hand it over in person."""
    from imbot.cli_people import entry_of, environment, invitation

    settings = settings_of(config)
    entry = entry_of(settings, address)
    token, bot = in_store(settings, invitation, entry, now(), environment(settings))
    if not bot:
        raise ImbotError("the bot's name is not known yet: start `imbot run` once, then invite again")
    say(f"{entry.name or entry.address} <{entry.address}>, for {settings.signin.invite_days} days, once:")
    say(f"https://t.me/{bot}?start={token}")
    say_wrapped(
        "Whoever opens it first is signed in as this person, whoever they are: hand it to nobody else. Where somebody else "
        f"has opened it, `imbot user unlink {entry.address}{settings.config_option}` signs them out."
    )


@app.command("check", short_help="Why no code came, to an address or into a chat.")
def check(who: Who, config: Config = None) -> None:
    """Why no code came: the directory's answer, the limits, the fate of the last letters."""
    from imbot.cli_people import why_no_code

    for line in why_no_code(settings_of(config), who):
        say(line)


@location.command("clear", short_help="Offer no place of earlier requests in the next one.")
def clear_location(
    who: Annotated[str | None, typer.Argument(help="A mail address or a chat id.", metavar="WHO")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="For all persons, after the offices have moved.")] = False,
    config: Config = None,
) -> None:
    """Offer no place of earlier requests in the next one; the requests keep theirs."""
    if bool(who) == everybody:
        raise ImbotError("give a person, or --all")
    settings = settings_of(config)

    def clear(c: Connection) -> int:
        from imbot.store import tickets

        persons = [one_person(c, who)] if who else _all(c)
        return sum(tickets.forget_location(c, person.id, now()) for person in persons)

    count = in_store(settings, clear)
    if not count:
        say("there was no place of earlier requests to offer")
    else:
        say(f"{count} {'person is' if count == 1 else 'people are'} no longer offered a place of earlier requests")


def _all(c: Connection) -> list[Any]:
    from imbot.store import people

    found: list[Any] = []
    while page := people.list_persons(c, found[-1].id if found else 0, 500):
        found += page
    return found


def _everybody(c: Connection) -> list[dict[str, Any]]:
    from imbot.store import people

    return [
        {
            "address": person.address,
            "name": person.name,
            "role": str(person.role),
            "chats": [chat.key for chat in people.chats_of(c, person.id)],
            "state": "left" if person.gone else "",
        }
        for person in _all(c)
    ]


def _portrait(c: Connection, who: str) -> dict[str, Any]:
    from imbot.store import people, tickets

    person = one_person(c, who)
    newest, total = tickets.of_person(c, person.id, 0, 10)
    return {
        "address": person.address,
        "name": person.name,
        "role": str(person.role),
        "phone": person.phone,
        "office": person.office,
        "department": person.department,
        "left the company": "yes" if person.gone else "no",
        "checked in the directory": people.checked_at(c, person.id),
        "consent": people.consented(c, person.id),
        "chats": [
            {"key": chat.key, "linked_at": chat.linked_at, "state": "blocked the bot" if chat.blocked else ""}
            for chat in people.chats_of(c, person.id)
        ],
        "tickets": total,
        "newest tickets": [
            {"id": one.id, "number": one.number, "status": str(one.status), "title": one.title} for one in newest
        ],
    }
