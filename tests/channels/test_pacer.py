"""The pace: decided by a meter on figures alone, waited for by a pacer with the clock of the loop."""

from __future__ import annotations

import asyncio
import heapq
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imbot.channels.pacer import WINDOW, Meter, Pacer, Way
from imbot.domain.errors import DeliveryError


def drain(meter: Meter, chats: list[tuple[str, bool]], now: float = 0.0) -> list[tuple[str, float]]:
    """Send one after the other, each as early as it may go."""
    sent = []
    for chat, dialog in chats:
        now = meter.ready_at(chat, dialog=dialog, now=now)
        meter.take(chat, now)
        sent.append((chat, now))
    return sent


def test_notices_to_one_chat_go_once_a_second() -> None:
    times = [at for _, at in drain(Meter(), [("anna", False)] * 4)]
    assert times == pytest.approx([0, WINDOW, 2 * WINDOW, 3 * WINDOW])


def test_a_dialog_may_burst_and_is_then_paced() -> None:
    times = [at for _, at in drain(Meter(burst=3), [("anna", True)] * 5)]
    assert times == pytest.approx([0, 0, 0, WINDOW, 2 * WINDOW])


def test_a_notice_after_a_lively_dialog_waits_one_second_and_no_more() -> None:
    meter = Meter(burst=5)
    drain(meter, [("anna", True)] * 4)
    assert meter.ready_at("anna", dialog=False, now=0.1) == pytest.approx(WINDOW)


def test_a_pause_gives_the_burst_back() -> None:
    meter = Meter(burst=2)
    drain(meter, [("anna", True)] * 2)
    assert meter.ready_at("anna", dialog=True, now=0.5) == pytest.approx(WINDOW)
    assert [at for _, at in drain(meter, [("anna", True)] * 2, now=10.0)] == [10.0, 10.0]


def test_ninety_notices_to_as_many_chats_take_three_seconds_and_are_spread_evenly() -> None:
    times = [at for _, at in drain(Meter(), [(str(n), False) for n in range(91)])]
    assert times[-1] == pytest.approx(3 * WINDOW)
    assert max(b - a for a, b in itertools.pairwise(times)) <= WINDOW / 30 + 1e-6


def test_one_refusal_holds_its_chat_and_a_second_elsewhere_holds_all() -> None:
    meter = Meter()
    meter.hold("anna", 30, now=0)
    meter.hold("anna", 30, now=1)
    assert meter.ready_at("anna", dialog=True, now=1) == 31
    assert meter.ready_at("tom", dialog=True, now=1) == 1
    meter.hold("tom", 10, now=2)
    assert meter.ready_at("eve", dialog=True, now=2) == 12
    assert meter.ready_at("anna", dialog=True, now=2) == 31


def test_whoever_was_refused_has_no_burst_left_whatever_our_count_says() -> None:
    meter = Meter(burst=5)
    meter.take("anna", 0)
    meter.hold("anna", 2, now=60)
    times = [at for _, at in drain(meter, [("anna", True)] * 3 + [("anna", False)], now=60)]
    assert times == pytest.approx([62, 62 + WINDOW, 62 + 2 * WINDOW, 62 + 3 * WINDOW])
    assert [at for _, at in drain(meter, [("anna", True)] * 5, now=100)] == [100] * 5


def test_what_arrives_late_takes_of_the_burst_that_its_chat_had_back_by_then() -> None:
    meter = Meter(burst=5)
    drain(meter, [("anna", True)] * 2)
    for _ in range(2):
        meter.arrives_late("anna")
    times = [at for _, at in drain(meter, [("anna", True)] * 4, now=60)]
    assert times == pytest.approx([60, 60, 60, 60 + WINDOW])
    meter.arrives_late("tom")  # nobody whom we know


def test_where_all_is_late_a_chat_still_gets_its_message_a_second() -> None:
    meter, now, times = Meter(burst=5), 0.0, []
    for _ in range(20):
        now = meter.ready_at("anna", dialog=True, now=now)
        meter.take("anna", now)
        meter.arrives_late("anna")
        times.append(now)
    assert times[-1] - times[-11] == pytest.approx(10 * WINDOW)


def test_refusals_far_apart_hold_only_their_chats() -> None:
    meter = Meter()
    meter.hold("anna", 30, now=0)
    meter.hold("tom", 30, now=20)
    assert meter.ready_at("eve", dialog=True, now=20) == 20


def test_chats_that_have_their_burst_back_are_forgotten_and_held_ones_are_not() -> None:
    meter = Meter(burst=10)
    meter.hold("anna", 10_000, now=0)
    for number in range(2500):
        meter.take(str(number), number / 30)
        assert len(meter._chats) <= 260
    assert meter.ready_at("anna", dialog=True, now=2500) == 10_000


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.floats(0, 4)), max_size=60))
def test_to_be_forgotten_changes_nothing(wanted: list[tuple[str, bool, float]]) -> None:
    forgets, keeps, now = Meter(burst=3), Meter(burst=3), 0.0
    for chat, dialog, pause in wanted:
        now = keeps.ready_at(chat, dialog=dialog, now=now + pause)
        forgets._forget(now)
        assert forgets.ready_at(chat, dialog=dialog, now=now) == now
        for each in "abcd":
            at = keeps.ready_at(each, dialog=dialog, now=now)
            assert forgets.ready_at(each, dialog=dialog, now=now) == at
        forgets.take(chat, now)
        keeps.take(chat, now)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans(), st.floats(0, 0.5)), max_size=120))
def test_no_second_ever_has_more_than_thirty_nor_a_chat_more_than_its_burst(
    wanted: list[tuple[str, bool, float]],
) -> None:
    meter, now, sent = Meter(burst=4), 0.0, []
    for chat, dialog, pause in wanted:
        now = meter.ready_at(chat, dialog=dialog, now=now + pause)
        meter.take(chat, now)
        sent.append((chat, now))
    for _, start in sent:
        within = [chat for chat, at in sent if start <= at < start + 1]
        assert len(within) <= 30
        assert all(within.count(chat) <= 5 for chat in "abcdefgh")


def simulated(plan: list[tuple[float, float]], *, least: float) -> list[float]:
    """Each message goes as early as it may; of the plan are the ways there and back beyond the shortest one, of `least` seconds
    in all. Returns when each arrives."""
    meter, now, arrivals = Meter(), 0.0, []
    answers: list[tuple[float, int, Way]] = []
    for number, (there, back) in enumerate(plan):
        while True:
            while answers and answers[0][0] <= now:
                _, _, way = heapq.heappop(answers)
                meter.answered(way, now)
            at = meter.ready_at(str(number), dialog=True, now=now)
            if at <= now:
                break
            now = min(at, answers[0][0]) if answers else at
        way = meter.take(str(number), now)
        way.gone = now + 1e6  # on its way
        arrivals.append(now + least / 2 + there)
        heapq.heappush(answers, (now + least + there + back, number, way))
    return arrivals


def most_in_a_second(arrivals: list[float]) -> int:
    arrivals = sorted(arrivals)
    return max(sum(start <= at < start + 1 for at in arrivals) for start in arrivals)


@pytest.mark.parametrize("handshake", [0.03, 0.3, 2.0])
def test_what_goes_by_connections_that_are_being_opened_counts_when_it_arrives(handshake: float) -> None:
    plan = [(handshake, 0.0)] * 30 + [(0.0, 0.0)] * 200
    arrivals = simulated(plan, least=0.04)
    assert most_in_a_second(arrivals) == 30
    assert arrivals[-1] == pytest.approx(handshake + 0.02 + 0.04 + 229 // 30 * WINDOW, abs=0.1), (
        "and nobody waits for more"
    )


@given(st.lists(st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)), min_size=1, max_size=150))
@example([(0.4, 0.0)] * 30 + [(0.0, 0.4)] * 30 + [(0.0, 0.0)] * 90)
def test_however_long_their_ways_no_second_has_more_than_thirty(plan: list[tuple[float, float]]) -> None:
    """As long as one in twenty is quick: so long the shortest way stays known."""
    mixed = [way for start in range(0, len(plan), 20) for way in [(0.0, 0.0), *plan[start : start + 20]]]
    assert most_in_a_second(simulated(mixed, least=0.05)) <= 30


def test_what_has_no_answer_takes_a_place_for_five_seconds_and_one_that_came_to_nothing_for_one() -> None:
    now = 0.0
    pacer = Pacer(Meter(overall=2), clock=lambda: now)

    async def play() -> list[float]:
        nonlocal now
        first, other = await pacer.turn("a"), await pacer.turn("b")
        assert first.gone == other.gone == 5
        now = 0.5
        pacer.down("a", first, DeliveryError("nobody answers", code="timeout"))
        pacer.arrived("b", other)
        return [first.gone, other.gone]

    assert asyncio.run(play()) == [0.5 + WINDOW, 0.5 + WINDOW]
    pacer.close()


def test_a_refusal_that_comes_quicker_than_any_answer_says_nothing_of_how_long_the_ways_take() -> None:
    meter = Meter()
    for number in range(100):
        meter.answered(meter.take("a", number), number + 0.6)
    meter.answered(meter.take("b", 200.0), 200.04, well=False)
    way = meter.take("c", 300.0)
    meter.answered(way, 300.6)
    assert way.gone == pytest.approx(300 + WINDOW)


async def sent_by(pacer: Pacer, chat: str, dialog: bool, order: list[str]) -> None:
    pacer.arrived(chat, await pacer.turn(chat, dialog=dialog))
    order.append(chat)


async def test_dialog_goes_before_the_rest_and_order_is_kept() -> None:
    now = 0.0
    pacer = Pacer(Meter(overall=2, burst=1), clock=lambda: now)
    order: list[str] = []
    await sent_by(pacer, "a", True, order)
    await sent_by(pacer, "b", True, order)
    waiting = [
        asyncio.create_task(sent_by(pacer, chat, dialog, order))
        for chat, dialog in (("c", False), ("d", False), ("e", True))
    ]
    await asyncio.sleep(0)
    assert order == ["a", "b"]
    for _ in range(3):
        now += WINDOW / 2 + 0.001
        pacer.pump()
        await asyncio.sleep(0)
    now += WINDOW
    pacer.pump()
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "e", "c", "d"]
    pacer.close()


async def test_a_turn_comes_by_itself() -> None:
    pacer = Pacer(Meter(overall=1000, burst=1))
    order: list[str] = []
    async with asyncio.timeout(5):
        await asyncio.gather(*(sent_by(pacer, "a", True, order) for _ in range(2)))
    assert order == ["a", "a"]


async def test_nobody_waits_longer_than_the_patience() -> None:
    now = 0.0
    pacer = Pacer(Meter(burst=1), patience=20, clock=lambda: now)
    order: list[str] = []
    await sent_by(pacer, "a", True, order)
    waiting = asyncio.create_task(sent_by(pacer, "a", True, order))
    await asyncio.sleep(0)
    pacer.hold("a", 3600)
    with pytest.raises(DeliveryError) as caught:
        await waiting
    assert (caught.value.kind, caught.value.retry_after) == ("throttled", 3600)
    with pytest.raises(DeliveryError):
        await sent_by(pacer, "a", True, order)
    assert order == ["a"]


async def test_what_stands_in_line_when_the_far_end_is_down_is_sent_back_untried_and_an_answer_is_not() -> None:
    now = 0.0
    pacer = Pacer(Meter(burst=1), clock=lambda: now)
    order: list[str] = []
    await sent_by(pacer, "a", True, order)
    notices = [asyncio.create_task(sent_by(pacer, "a", False, order)) for _ in range(3)]
    answer = asyncio.create_task(sent_by(pacer, "a", True, order))
    await asyncio.sleep(0)
    pacer.down("a", Way(0.0, WINDOW), DeliveryError("nobody answers", code="timeout"))
    refused = await asyncio.gather(*notices, return_exceptions=True)
    assert [(str(one), getattr(one, "kind", "")) for one in refused] == 3 * [("nobody answers", "down")]
    now = WINDOW
    pacer.pump()
    await answer
    now = 3 * WINDOW
    await sent_by(pacer, "a", False, order)  # whoever comes later finds out for themselves
    assert order == ["a", "a", "a"]
    pacer.close()


async def test_whoever_gives_up_waiting_takes_no_turn() -> None:
    now = 0.0
    pacer = Pacer(Meter(burst=1), clock=lambda: now)
    order: list[str] = []
    await sent_by(pacer, "a", True, order)
    waiting = asyncio.create_task(sent_by(pacer, "a", True, order))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    now = WINDOW
    await sent_by(pacer, "a", True, order)
    assert order == ["a", "a"]
    pacer.close()


def test_a_start_knows_nothing_of_what_went_before_and_spends_no_burst_that_may_be_gone() -> None:
    def at_once(started: float) -> int:
        meter, sent = Meter(burst=10, started=started), 0
        while meter.ready_at("1", dialog=True, now=100.0) <= 100.0:
            meter.take("1", 100.0)
            sent += 1
        return sent

    assert at_once(100.0) == 1
    assert at_once(97.0) == 3
    assert at_once(0.0) == at_once(float("-inf")) == 10


class Counting(Meter):
    """Counts how often it is asked."""

    asked = 0

    def chat_ready_at(self, chat: str, *, dialog: bool) -> float:
        self.asked += 1
        return super().chat_ready_at(chat, dialog=dialog)


async def test_a_turn_costs_the_same_however_many_wait() -> None:
    now = 0.0
    meter = Counting(overall=30)
    pacer = Pacer(meter, clock=lambda: now, patience=10_000)
    order: list[str] = []
    tasks = [asyncio.create_task(sent_by(pacer, str(n % 400), False, order)) for n in range(1200)]
    await asyncio.sleep(0)
    while len(order) < len(tasks):
        now += WINDOW / 30 + 1e-6
        pacer.pump()
        for _ in range(3):
            await asyncio.sleep(0)
    assert meter.asked <= 8 * len(tasks)
    rounds = [order[start : start + 400] for start in (0, 400, 800)]
    assert all(one == [str(n) for n in range(400)] for one in rounds)
    pacer.close()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 0.6)), max_size=40))
def test_whoever_waits_goes_in_order_of_their_chat_and_no_earlier_than_the_meter_allows(
    plan: list[tuple[str, bool, float]],
) -> None:
    now = 0.0
    went: list[tuple[float, str, bool, int]] = []

    async def send(pacer: Pacer, chat: str, dialog: bool, number: int) -> None:
        pacer.arrived(chat, await pacer.turn(chat, dialog=dialog))
        went.append((now, chat, dialog, number))

    async def play() -> None:
        nonlocal now
        pacer = Pacer(Meter(overall=5, burst=2), clock=lambda: now, patience=10_000)
        tasks = []
        for number, (chat, dialog, pause) in enumerate(plan):
            tasks.append(asyncio.create_task(send(pacer, chat, dialog, number)))
            await asyncio.sleep(0)
            now += pause
            pacer.pump()
            await asyncio.sleep(0)
        while len(went) < len(plan):
            now += 0.05
            pacer.pump()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        pacer.close()

    asyncio.run(play())
    for chat in "abc":
        for dialog in (True, False):
            numbers = [number for _, where, kind, number in went if (where, kind) == (chat, dialog)]
            assert numbers == sorted(numbers)
    moments = [at for at, *_ in went]
    assert all(later - first >= WINDOW - 1e-9 for first, later in zip(moments, moments[5:], strict=False))
