"""Places are shared fairly, and a place is free only when its thread has ended."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import pytest
import pytest_asyncio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from prometheus_client import CollectorRegistry

from server.base.errors import Reason, Refusal
from server.base.worker_pool import WorkerPool
from server.edge.places import Abandoned, FreePlaces, Line, Place, PlaceRules, Places
from server.telemetry.metrics import Metrics

_LINE = Line(of_party=4, of_all=8, seconds=60.0)


def _places(most: int, *, several: bool = True, metrics: Metrics | None = None, **rules: object) -> Places:
    return Places(
        "tests",
        PlaceRules(most=most, **rules),  # type: ignore[arg-type]  # each test names those that it is about
        metrics=metrics or Metrics(CollectorRegistry()),
        several=lambda: several,
    )


class _Call:
    """A call that holds its place until the test ends it."""

    def __init__(self, places: Places, party: str) -> None:
        self.end = asyncio.Event()
        self.served = False
        self.task = asyncio.create_task(self._serve(places, party))

    async def _serve(self, places: Places, party: str) -> None:
        async with places.hold_place(party):
            self.served = True
            await self.end.wait()

    async def ended(self) -> None:
        self.end.set()
        await self.task


@contextmanager
def _refused() -> Iterator[dict[str, object]]:
    details: dict[str, object] = {}
    with pytest.raises(Refusal) as caught:
        yield details
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_after
    details |= dict(caught.value.details)


async def _take(places: Places, party: str) -> None:
    async with places.hold_place(party):
        pass


async def _settled(rounds: int = 8) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


async def _calls(places: Places, *parties: str) -> list[_Call]:
    made = []
    for party in parties:
        made.append(_Call(places, party))
        await _settled()
    return made


def _served(calls: list[_Call]) -> list[bool]:
    return [call.served for call in calls]


async def _all_end(*calls: _Call) -> None:
    for call in calls:
        call.end.set()
    await asyncio.gather(*(call.task for call in calls), return_exceptions=True)


# -- when a refused caller returns


def test_each_refused_caller_is_told_another_time_at_which_a_place_is_free() -> None:
    places = FreePlaces(typical_seconds=4.0, least_seconds=1.0)
    places.take(0.0)
    places.take(2.0)
    assert [places.wait_seconds(3.0) for _ in range(4)] == [1.0, 3.0, 5.0, 7.0]
    # Two of these have returned; the others are still to come.
    assert places.wait_seconds(6.5) == 5.0


def test_the_time_follows_how_long_places_were_held_and_has_bounds() -> None:
    places = FreePlaces(typical_seconds=4.0, least_seconds=1.0)
    for start in range(100):
        places.take(float(start))
        places.free(float(start), start + 9.0)
    places.take(100.0)
    assert places.wait_seconds(100.0) == pytest.approx(9.0, abs=0.01)
    assert places.wait_seconds(200.0) == 1.0
    assert [places.wait_seconds(200.0) for _ in range(9)][-1] == 30.0


async def test_refused_callers_of_a_kind_with_a_typical_time_are_told_different_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = _places(1, typical_seconds=4.0)
    told = []
    with monkeypatch.context() as patch:
        patch.setattr("server.edge.places.time", SimpleNamespace(monotonic=lambda: 100.0))
        async with places.hold_place("a"):
            for _ in range(3):
                with pytest.raises(Refusal, match="try again after") as caught:
                    await _take(places, "a")
                told.append(caught.value.retry_after)
    assert told == [4.0, 8.0, 12.0]


# -- threads


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    workers = WorkerPool(workers=1)
    yield workers
    workers.close()


async def test_work_answers_or_fails_and_leaves(pool: WorkerPool) -> None:
    places = _places(1)
    async with places.hold_place("a") as place:
        assert await place.run(pool, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        async with places.hold_place("a") as place:
            await place.run(pool, divmod, 7, 0)
    assert places.used == 0


async def test_callers_that_leave_release_their_work(pool: WorkerPool) -> None:
    places, begun, go_on = _places(2), threading.Event(), threading.Event()
    steps: list[str] = []

    def work(place: Place) -> None:
        begun.set()
        go_on.wait(60)
        steps.append("begun")
        place.require_wanted()
        steps.append("ended")

    async def call() -> None:
        async with places.hold_place("a") as place:
            await place.run(pool, work, place)

    calls = [asyncio.create_task(call()) for _ in range(2)]
    assert await asyncio.to_thread(begun.wait, 60)
    for left in calls:
        left.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    # One thread still works, and one job still waits for it.
    assert places.used == 2
    with _refused():
        await call()
    go_on.set()
    async with asyncio.timeout(60):
        await places.wait_until_idle()
    assert steps == ["begun"]


async def test_abandoned_work_is_notified() -> None:
    async with _places(1).hold_place("a") as place:
        place.require_wanted()
    with pytest.raises(Abandoned):
        place.require_wanted()


# -- without a line


async def test_a_lone_party_may_have_every_place_and_no_more() -> None:
    places = _places(2, retry_seconds=3.0)
    calls = await _calls(places, "a", "a")
    assert _served(calls) == [True, True]
    with _refused() as details:
        await _take(places, "a")
    assert details == {"limit": 2, "retrySeconds": 3.0}
    await _all_end(*calls)
    assert places.used == 0
    await places.wait_until_idle()


async def test_a_quota_binds_its_party_alone() -> None:
    places = _places(4, quotas={"a": 2})
    calls = await _calls(places, "a", "a", "b")
    with _refused() as details:
        await _take(places, "a")
    assert details == {"limit": 4, "tenantLimit": 2, "retrySeconds": 1.0}
    calls += await _calls(places, "b")
    assert all(_served(calls))
    # Also if no place is free: waiting for others does not help the caller.
    with _refused() as details:
        await _take(places, "a")
    assert details["tenantLimit"] == 2
    await _all_end(*calls)


async def _most_of_one(places: Places, party: str) -> list[_Call]:
    calls: list[_Call] = []
    while True:
        calls += await _calls(places, party)
        if calls[-1].task.done():
            with pytest.raises(Refusal):
                await calls.pop().task
            return calls


@pytest.mark.parametrize(
    ("most", "share", "several", "expected"),
    [
        (4, 0.75, True, 3),
        (1, 0.75, True, 1),
        (10, 0.9, True, 9),
        (8, 1.0, True, 8),
        (8, 0.75, False, 8),
    ],
)
async def test_a_share_is_left_free_where_there_are_several_parties(
    most: int, share: float, several: bool, expected: int
) -> None:
    calls = await _most_of_one(_places(most, share=share, several=several), "a")
    assert len(calls) == expected
    await _all_end(*calls)


@pytest.mark.parametrize("greedy", [1, 4])
async def test_several_that_take_all_they_can_keep_no_newcomer_out(greedy: int) -> None:
    places = _places(32, share=0.75)
    parties = [f"p{number}" for number in range(greedy)]
    calls = [call for party in parties for call in await _most_of_one(places, party)]
    if greedy == 4:
        # All are taken, and the next free one is for another party.
        assert places.used == 32
        await calls[0].ended()
        for party in parties:
            calls += await _most_of_one(places, party)
    assert places.used < 32
    calls += (newcomer := await _calls(places, "newcomer"))
    assert _served(newcomer) == [True]
    await _all_end(*calls)


# -- the line


async def test_a_wait_ends() -> None:
    places = _places(1, line=Line(of_party=1, of_all=1, seconds=0.05))
    (running,) = await _calls(places, "a")
    with _refused() as details:
        await _take(places, "b")
    assert "tenantLimit" not in details
    assert places.waiting == 0
    await _all_end(running)


async def test_lines_are_bounded_and_the_longest_gives_way() -> None:
    metrics = Metrics(CollectorRegistry())
    places = _places(1, line=Line(of_party=3, of_all=4, seconds=60.0), metrics=metrics)
    (running,) = await _calls(places, "a")
    waiting = await _calls(places, "a", "a", "a", "a", "b", "c", "b")
    refused = [call.task.done() for call in waiting]
    # The fourth finds a's queue full. c replaces a's third, and b's second finds no queue that is longer than
    # b's own would be.
    assert refused == [False, False, True, True, False, False, True]
    assert places.waiting == 4
    text = metrics.render()[0].decode()
    assert 'facegate_places_in_use{kind="tests"} 1.0' in text
    assert 'facegate_places_awaited{kind="tests"} 4.0' in text
    assert 'facegate_places_refused_total{cause="gave_way",kind="tests"} 1.0' in text
    assert 'facegate_places_refused_total{cause="line_full",kind="tests"} 2.0' in text
    await _all_end(running, *waiting)
    assert (places.used, places.waiting) == (0, 0)


async def test_metrics_show_quotas_and_waits_and_name_tenants_only_if_asked() -> None:
    for tenant_names in (False, True):
        registry = CollectorRegistry()
        metrics = Metrics(registry, tenant_names=tenant_names)
        places = _places(4, metrics=metrics, quotas={"bank": 2}, line=_LINE)
        held = await _calls(places, "bank", "shop")

        def value(name: str, registry: CollectorRegistry = registry, **labels: str) -> float | None:
            return registry.get_sample_value(name, {"kind": "tests"} | labels)

        assert value("facegate_places_limit") == 4
        # The bank holds 1 of its 2 places, the shop 1 of all 4.
        assert value("facegate_quota_use_ratio") == 0.5
        assert value("facegate_place_wait_seconds_count") is None
        waiting = await _calls(places, "bank", "bank")
        for call in (*held, *waiting):
            await call.ended()
        assert value("facegate_place_wait_seconds_count") == 1
        assert value("facegate_quota_use_ratio") == 0
        assert value("facegate_tenant_places_in_use", tenant="bank") == (0 if tenant_names else None)
        assert (b"bank" in metrics.render()[0]) == tenant_names


# Places compared with a model: calls come, wait, end and leave in any order.

_PARTIES = ("a", "b", "c", "d")
_QUOTA = 2
_OF_PARTY = 3
_OF_ALL = 6


class _MachineCall:
    def __init__(self, party: str) -> None:
        self.party = party
        self.end = asyncio.Event()
        self.state = "waiting"
        self.task: asyncio.Task[None] | None = None

    async def serve(self, places: Places) -> None:
        try:
            async with places.hold_place(self.party):
                self.state = "served"
                await self.end.wait()
            self.state = "ended"
        except Refusal:
            self.state = "refused"


class PlacesMachine(RuleBasedStateMachine):
    """The model keeps calls in queues and gives places by the documented rule."""

    @initialize(most=st.integers(1, 5), share=st.sampled_from([0.5, 0.75, 1.0]))
    def open(self, most: int, share: float) -> None:
        self.loop = asyncio.new_event_loop()
        self.most, self.share = most, share
        rules = PlaceRules(
            most=most,
            quotas={"d": _QUOTA},
            share=share,
            line=Line(of_party=_OF_PARTY, of_all=_OF_ALL, seconds=60.0),
        )
        self.places = Places("tests", rules, metrics=Metrics(CollectorRegistry()))
        self.calls: list[_MachineCall] = []
        self.lines: dict[str, deque[_MachineCall]] = {}
        self.running: list[_MachineCall] = []
        self.turns = count(1)
        self.last: dict[str, int] = {}

    # -- the model

    def held(self, party: str) -> int:
        return sum(call.party == party for call in self.running)

    def may_take(self, party: str) -> bool:
        held, left = self.held(party), self.most - len(self.running) - 1
        if left < 0 or (party == "d" and held >= _QUOTA):
            return False
        return held == 0 or (held + 1) * (1 - self.share) <= left * self.share

    def give(self, call: _MachineCall) -> None:
        self.running.append(call)
        self.last[call.party] = next(self.turns)

    def pass_on(self) -> None:
        while able := [party for party, line in self.lines.items() if line and self.may_take(party)]:
            fewest = min(self.held(party) for party in able)
            able = [party for party in able if self.held(party) == fewest]
            self.give(self.lines[min(able, key=lambda party: self.last.get(party, 0))].popleft())

    # -- what happens

    def let_run(self) -> None:
        self.loop.run_until_complete(_settled())

    @rule(party=st.sampled_from(_PARTIES))
    def comes(self, party: str) -> None:
        call = _MachineCall(party)
        self.calls.append(call)
        call.task = self.loop.create_task(call.serve(self.places))
        if not self.lines.get(party):
            self.lines.pop(party, None)  # of parties with equal claims, the queue that began first goes first
        own = self.lines.setdefault(party, deque())
        if self.may_take(party):
            self.give(call)
        elif len(own) < _OF_PARTY:
            if sum(map(len, self.lines.values())) < _OF_ALL:
                own.append(call)
            else:
                longest = max(map(len, self.lines.values()))
                if longest > len(own) + 1:
                    own.append(call)
                    self.let_run()
                    gone = [c for line in self.lines.values() for c in line if c.state == "refused"]
                    assert len(gone) == 1
                    assert len(self.lines[gone[0].party]) == longest
                    assert self.lines[gone[0].party].pop() is gone[0]
        self.let_run()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.running))
        call.end.set()
        self.running.remove(call)
        self.pass_on()
        self.let_run()

    @precondition(lambda self: any(self.lines.values()))
    @rule(data=st.data())
    def goes_away(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from([call for line in self.lines.values() for call in line]))
        assert call.task is not None
        call.task.cancel()
        call.state = "gone"
        self.lines[call.party].remove(call)
        self.let_run()

    @precondition(lambda self: self.running and any(self.lines.values()))
    @rule(data=st.data(), rounds=st.integers(0, 4))
    def goes_away_while_another_ends(self, data: st.DataObject, rounds: int) -> None:
        ending = data.draw(st.sampled_from(self.running))
        leaving = data.draw(st.sampled_from([call for line in self.lines.values() for call in line]))
        assert leaving.task is not None
        ending.end.set()
        self.loop.run_until_complete(_settled(rounds))
        leaving.task.cancel()
        leaving.state = "gone"
        self.let_run()
        # The place is not lost, whichever call got it: the model adopts the outcome.
        self.running.remove(ending)
        self.lines[leaving.party].remove(leaving)
        now = [call for line in self.lines.values() for call in line if call.state == "served"]
        for call in now:
            self.lines[call.party].remove(call)
            self.running.append(call)
        self.last = dict(self.places._last_turns)
        self.turns = count(max(self.last.values(), default=0) + 1)

    # -- what holds

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "places"):
            return
        assert len(self.running) <= self.most
        assert self.places.used == len(self.running)
        assert self.places.waiting == sum(map(len, self.lines.values())) <= _OF_ALL
        assert {id(call) for call in self.calls if call.state == "served"} == set(map(id, self.running))
        waiting = {id(call) for call in self.calls if call.state == "waiting"}
        assert waiting == {id(call) for line in self.lines.values() for call in line}

    @invariant()
    def nobody_waits_beside_a_place_that_it_may_have(self) -> None:
        if hasattr(self, "places"):
            assert not [party for party, line in self.lines.items() if line and self.may_take(party)]

    def teardown(self) -> None:
        if not hasattr(self, "places"):
            return
        try:
            self.all_end()
        finally:
            for call in self.calls:
                assert call.task is not None
                call.task.cancel()
            self.let_run()
            self.loop.close()

    def all_end(self) -> None:
        """Every waiting call is served in the end, once those before it have ended."""
        while self.running:
            call = self.running.pop(0)
            call.end.set()
            self.pass_on()
            self.let_run()
            self.agrees()
        assert not any(self.lines.values())
        assert (self.places.used, self.places.waiting) == (0, 0)
        assert all(call.task is not None and call.task.done() for call in self.calls)


TestPlaces = PlacesMachine.TestCase
TestPlaces.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
