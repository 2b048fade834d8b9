"""Places compared with a model: calls come, wait, end and leave in any order."""

import asyncio
from collections import deque
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from prometheus_client import CollectorRegistry

from server.base.errors import Refusal
from server.edge.places import Line, PlaceRules, Places
from server.telemetry.metrics import Metrics

_PARTIES = ("a", "b", "c", "d")
_QUOTA = 2
_OF_PARTY = 3
_OF_ALL = 6


class _Call:
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
        self.calls: list[_Call] = []
        self.lines: dict[str, deque[_Call]] = {}
        self.running: list[_Call] = []
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

    def give(self, call: _Call) -> None:
        self.running.append(call)
        self.last[call.party] = next(self.turns)

    def pass_on(self) -> None:
        while able := [party for party, line in self.lines.items() if line and self.may_take(party)]:
            fewest = min(self.held(party) for party in able)
            able = [party for party in able if self.held(party) == fewest]
            self.give(self.lines[min(able, key=lambda party: self.last.get(party, 0))].popleft())

    # -- what happens

    def let_run(self) -> None:
        self.loop.run_until_complete(_rounds())

    @rule(party=st.sampled_from(_PARTIES))
    def comes(self, party: str) -> None:
        call = _Call(party)
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
        self.loop.run_until_complete(_rounds(rounds))
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


async def _rounds(number: int = 8) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


TestPlaces = PlacesMachine.TestCase
TestPlaces.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
