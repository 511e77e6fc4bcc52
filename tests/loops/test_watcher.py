"""The watcher on a data base of its own: what is kept when, who pays for a letter that ends its reader, what runs where."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from benchmarks.office import NOW, env, status_letter
from imbot.domain.errors import LetterWithheld, MailboxError
from imbot.domain.letters import Batch, Fetched
from imbot.loops.carrying import Carrying
from imbot.loops.pulse import Pulse
from imbot.loops.watcher import Watcher
from imbot.services import reports, withholding
from imbot.store.inbox import NewRaw, count_attempts, keep_many
from tests.loops.watching import Box, Mortal, World, poison, sha256


async def test_a_backlog_is_kept_whole_before_the_first_letter_is_read(world: World) -> None:
    mortal = Mortal(world.database, world.reader)
    windows = [[status_letter(n) for n in range(start, start + 30)] for start in (1, 31, 61)]
    box = await world.watch(*windows, reader=mortal)
    assert mortal.kept[0] == 90
    assert mortal.batches == [50, 40]
    assert world.outcomes() == ["applied"] * 90
    assert world.ask("SELECT count(*) FROM tickets WHERE status = 'resolved'") == [(90,)]
    assert box.marked == list(range(1, 91))
    assert world.ask("SELECT value FROM cursors WHERE name = 'replies'") == [("7:90",)]


async def test_attempts_are_counted_before_they_are_made(world: World) -> None:
    mortal = Mortal(world.database, world.reader)
    await world.watch([status_letter(n) for n in range(1, 6)], reader=mortal)
    assert mortal.attempts == [[1, 1, 1, 1, 1]]


async def test_a_try_is_counted_only_when_somebody_can_read(world: World) -> None:
    mortal = Mortal(world.database, world.reader)
    await world.watch([status_letter(1), status_letter(2)], reader=mortal)
    assert mortal.counted == [0]
    assert mortal.attempts == [[1, 1]]


@pytest.mark.parametrize(("letters", "looks"), [([1, 2], 1), ([1, None], 3)])
async def test_a_few_letters_that_have_their_fate_are_followed_by_no_look_for_others(
    world: World, monkeypatch: pytest.MonkeyPatch, letters: list[int | None], looks: int
) -> None:
    """The one at the start is before them. Behind one that ended its reader there are looks, and a try of its own."""
    passes, once = 0, Carrying._once

    async def counting(self: Carrying, stop: asyncio.Event) -> bool:
        nonlocal passes
        passes += 1
        return await once(self, stop)

    monkeypatch.setattr(Carrying, "_once", counting)
    await world.reader.ready()
    raws = [poison(9) if n is None else status_letter(n) for n in letters]
    await world.watch(raws, reader=Mortal(world.database, world.reader))
    assert world.outcomes()[0] == "applied"
    assert passes >= looks if looks > 1 else passes == 1


async def test_a_letter_that_ends_its_reader_is_set_aside_after_three_tries_and_costs_no_neighbour_one(
    world: World,
) -> None:
    mortal = Mortal(world.database, world.reader)
    letters = [status_letter(1), status_letter(2), poison(3), status_letter(4), status_letter(5)]
    box = await world.watch(letters, reader=mortal)
    assert world.outcomes() == ["applied", "applied", "quarantined", "applied", "applied"]
    assert world.ask("SELECT attempts FROM mails ORDER BY id") == [(1,), (1,), (3,), (1,), (1,)]
    assert mortal.batches == [5, 2, 1, 1]
    assert world.ask("SELECT reason FROM mails WHERE outcome = 'quarantined'") == [("the reader died on this letter",)]
    assert box.marked == [1, 2, 4, 5, 3]


async def test_a_letter_that_ended_its_reader_is_tried_again_behind_all_that_wait(world: World) -> None:
    """And new ones are looked for between two such tries: a hundred of them would hold up the others for an hour."""
    mortal = Mortal(world.database, world.reader)
    carrying = Carrying(world.db, mortal, world.folder, env(), lambda: NOW, "replies")

    async def come(*raws: bytes) -> None:
        kept = [NewRaw("7", sha256(raw), raw, "", len(raw), sha256(raw)) for raw in raws]
        await world.db.run(keep_many, "replies", kept, NOW)

    await come(poison(1), poison(2), status_letter(3))
    assert await carrying.carry_out(world.stop)
    assert mortal.attempts == [[1, 1, 1], [1, 1], [1], [2]]
    assert world.outcomes() == ["", "", "applied"]
    await come(status_letter(4), status_letter(5))
    assert await carrying.carry_out(world.stop)
    assert mortal.attempts[4:] == [[1, 1], [2]]
    assert world.outcomes() == ["", "", "applied", "applied", "applied"]
    assert await carrying.carry_out(world.stop)
    assert not await carrying.carry_out(world.stop)
    assert mortal.attempts[6:] == [[3], [3]]
    assert world.outcomes() == ["quarantined", "quarantined", "applied", "applied", "applied"]
    assert not await carrying.carry_out(world.stop)


async def test_new_letters_are_fetched_between_tries_of_those_that_end_their_reader(world: World) -> None:
    mortal = Mortal(world.database, world.reader)
    letters = [poison(1), poison(2), poison(3)]
    box = await world.watch(letters, MailboxError("gone"), [status_letter(4)], reader=mortal)
    first = mortal.kept.index(4)
    assert mortal.attempts[first] == [1]
    assert mortal.attempts[first + 1 :] == [[2], [3], [3], [3]]
    assert world.outcomes() == ["quarantined", "quarantined", "quarantined", "applied"]
    assert box.marked == [4, 1, 2, 3]


async def test_letters_that_a_crash_left_counted_are_read_one_by_one(world: World) -> None:
    raws = [status_letter(n) for n in (1, 2)]
    kept = [NewRaw("7", str(n), raw, "", len(raw), hashlib.sha256(raw).hexdigest()) for n, raw in enumerate(raws, 1)]
    ids = await world.db.run(keep_many, "replies", kept, NOW)
    await world.db.run(count_attempts, ids)
    mortal = Mortal(world.database, world.reader)
    await world.watch([*raws, status_letter(3)], reader=mortal)
    assert mortal.batches == [1, 1, 1]
    assert world.outcomes() == ["applied"] * 3


async def test_a_letter_whose_tries_are_spent_is_read_no_more(world: World) -> None:
    raw = status_letter(1)
    kept = NewRaw("7", "1", raw, "", len(raw), hashlib.sha256(raw).hexdigest())
    ids = await world.db.run(keep_many, "replies", [kept], NOW)
    await world.db.run(count_attempts, ids, reports.DEATHS)
    mortal = Mortal(world.database, world.reader)
    await world.watch([raw], reader=mortal)
    assert mortal.batches == []
    reason = "imbot ended 10 times while it was read"
    assert world.ask("SELECT outcome, reason FROM mails") == [("quarantined", reason)]


async def test_a_letter_at_which_imbot_was_killed_more_than_three_times_is_read_all_the_same(world: World) -> None:
    good, bad = status_letter(1), poison(2)
    kept = [
        NewRaw("7", str(n), raw, "", len(raw), hashlib.sha256(raw).hexdigest()) for n, raw in enumerate((good, bad), 1)
    ]
    ids = await world.db.run(keep_many, "replies", kept, NOW)
    await world.db.run(count_attempts, ids, reports.DEATHS - 1)
    mortal = Mortal(world.database, world.reader)
    await world.watch([good, bad], reader=mortal)
    assert mortal.batches == [1, 1]
    assert world.outcomes() == ["applied", "quarantined"]


async def test_a_large_letter_lies_in_a_file_and_is_read_from_it(world: World) -> None:
    large = status_letter(7).replace(
        b"Content-Type: text/plain", b"X-Long: " + b"y" * 60 + b"\r\n" + b"Content-Type: text/plain"
    )
    large += b" " * 400_000
    await world.watch([status_letter(1), large, status_letter(2)])
    assert world.outcomes() == ["applied"] * 3
    assert world.ask("SELECT count(*) FROM mails WHERE raw IS NULL AND path <> ''") == [(1,)]


async def test_letters_of_one_ticket_are_carried_out_in_the_order_of_the_mailbox(world: World) -> None:
    def about(words: str, number: int) -> bytes:
        head = status_letter(1).partition(b"\r\nSubject:")[0].replace(b"done-1@", b"done-%d@" % number)
        subject = f"\r\nSubject: {words}\r\nMessage-ID: <order-{number}@itsm.demo.local>\r\n"
        return head + subject.encode() + b"Content-Type: text/plain; charset=utf-8\r\n\r\n-"

    words = ("Заявка № IM-CL-9 принята в работу", "Заявка № IM-CL-9 выполнена", "Заявка № IM-CL-9 принята в работу")
    await world.watch([about(one, n) for n, one in enumerate(words * 8)])
    told = world.ask("SELECT json_extract(\"values\", '$.new') FROM ledger WHERE what = 'status' ORDER BY id")
    assert [one for (one,) in told][:2] == ["in_progress", "resolved"]
    settled = world.ask("SELECT ticket_id FROM mails ORDER BY id")
    assert settled == [("t9",)] * 24


async def test_what_was_kept_is_carried_out_when_the_mailbox_breaks_behind_it(world: World) -> None:
    mortal = Mortal(world.database, world.reader)
    box = await world.watch([status_letter(1)], MailboxError("gone"), [status_letter(2)], reader=mortal)
    assert world.outcomes() == ["applied", "applied"]
    assert mortal.kept == [1, 2]
    assert box.asked == [None, "7:1", "7:1"]


async def test_a_letter_that_the_server_does_not_hand_out_holds_up_no_other(world: World) -> None:
    now = NOW

    class Holding(Box):
        """Hands out nothing of `8:2` until it was asked for that alone."""

        alone = 0

        async def fetch_new(self, cursor: str | None, without: Collection[str] = ()) -> Batch:
            self.asked.append(cursor)
            numbers = [n for n in (1, 2, 3) if n > int((cursor or "8:0").split(":")[1]) and f"8:{n}" not in without]
            if numbers[:1] == [2]:
                raise LetterWithheld("the server does not hand out letter UID 2", "8:2", 99)
            found = [self.letter(n) for n in numbers[:1]]
            return Batch(found, found[-1].cursor if found else cursor or "", more=len(numbers) > 1)

        async def fetch_one(self, key: str) -> Fetched | None:
            self.alone += 1
            if self.alone == 1:
                raise LetterWithheld("still not", key, 99)
            return self.letter(2)

        def letter(self, n: int) -> Fetched:
            raw = status_letter(n)
            return Fetched(f"8:{n}", f"8:{n}", raw, len(raw), uid=n, uidvalidity=8)

        async def wait(self, _seconds: float) -> bool:
            if self.alone == 2:
                self.stop.set()
            nonlocal now
            now += withholding.AGAIN
            return False

    box = Holding([], world.stop)
    (world.folder / "letters").mkdir(exist_ok=True)
    watcher = Watcher(world.db, box, world.reader, world.folder / "letters", env(), Pulse(lambda: now), lambda: now)
    await asyncio.wait_for(watcher.run(world.stop), 60)
    rows = world.ask("SELECT outcome, ticket_id FROM mails ORDER BY id")
    assert rows == [("applied", "t1"), ("ignored", ""), ("applied", "t3"), ("applied", "t2")]
    assert box.asked.count("8:1") == withholding.TRIES + 1
    assert (box.alone, box.marked) == (2, [1, 3, 2])


async def test_a_wire_that_was_cut_in_a_letter_and_a_server_away_for_long_cost_no_letter_its_place(
    world: World,
) -> None:
    cut: list[list[bytes] | MailboxError] = [LetterWithheld("cut in mid-letter", "7:1", 99, lost=True)]
    away = [MailboxError("nobody listens", lost=True) for _ in range(2 * withholding.LOST_TRIES)]
    await world.watch(*cut, *away, [status_letter(1)])
    assert world.outcomes() == ["applied"]


async def test_a_letter_of_which_only_the_headers_came_is_refused_with_its_window(world: World) -> None:
    mortal = Mortal(world.database, world.reader)
    await world.watch([status_letter(1)], reader=mortal, truncated=True)
    assert mortal.batches == []
    ((outcome, reason),) = world.ask("SELECT outcome, reason FROM mails")
    assert (outcome, "only its headers were fetched" in reason) == ("quarantined", True)


async def test_letters_are_looked_at_in_another_thread_than_the_loops(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def noting(*args: Any, **kwargs: Any) -> Any:
        threads.add(threading.get_ident())
        return look(*args, **kwargs)

    look = reports.look
    monkeypatch.setattr(reports, "look", noting)
    await world.watch([status_letter(n) for n in range(1, 4)])
    assert world.outcomes() == ["applied"] * 3
    assert threads
    assert threading.get_ident() not in threads


async def test_a_connection_lost_in_marking_says_that_the_mailbox_is_wrong_and_not_its_marks(world: World) -> None:
    class Lost(Box):
        async def mark(self, letters: Sequence[Fetched]) -> None:
            self.stop.set()
            raise MailboxError("no answer within 14 s to opening INBOX", lost=True)

    pulse = Pulse(lambda: NOW)
    folder = world.folder / "letters"
    folder.mkdir(exist_ok=True)
    box = Lost([[status_letter(1)]], world.stop)
    await Watcher(world.db, box, world.reader, folder, env(), pulse, lambda: NOW).run(world.stop)
    assert pulse.legs["mailbox"].since == NOW
    assert "marks" not in pulse.legs


async def test_what_was_mended_in_a_letter_is_logged(world: World) -> None:
    with capture_logs() as lines:
        await world.watch([b"Content-Type: multipart/mixed\n\nx", status_letter(1)])
    told = [line for line in lines if line["event"] == "letter_mended"]
    assert [(line["mail"], line["problems"]) for line in told] == [(1, ("a multipart without a boundary",))]
