"""Limits how many calls of a kind run at once, and shares these places fairly between the parties that call.

A party is the real callers of a tenant, or its sandbox callers. A party that fills the places excludes
neither another tenant nor the other kind of caller. Any party may take a free place. If no place is free, or
the party has reached its quota, a call waits in the line of its party. A place that becomes free goes to the
waiting party that holds the fewest places; of several such parties, to the one whose last place was given
longest ago.

That suffices for short calls. For calls that hold a place for long, a share of the places is also kept free,
because a wait of seconds would not help a later caller.

A place is taken until the thread that works for the call has ended. A call ends at once when its caller
disconnects, but its thread does not. If the place were free at that moment, callers that connect and
disconnect could accumulate work and uploaded data without bound.
"""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, ParamSpec, TypeVar

from server.base.errors import Reason, Refusal
from server.base.worker_pool import WorkerPool
from server.telemetry.metrics import Metrics

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Abandoned(Exception):
    """The caller has disconnected, so this error reaches no caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How calls wait for a place.

    Attributes:
        of_party: The maximum number of waiting calls of one party.
        of_all: The maximum number of waiting calls. A further call displaces the last call of the party with
            the longest line, if that line is at least two calls longer than the line of its own party.
    """

    of_party: int
    of_all: int
    seconds: float


NO_LINE = Line(of_party=0, of_all=0, seconds=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRules:
    """How the places of one kind are shared.

    Attributes:
        quotas: The maximum number of places of a party, by party; a party that is not listed may hold all.
        share: The fraction of the places that one party may hold while no other party holds any. It shrinks
            as other parties hold more: a party gets at most ``share / (1 - share)`` times the places that it
            leaves free, but always one. Several parties together therefore do not exclude a new party either:
            the next place that becomes free goes to a party that holds none. 1 keeps no place free.
        line: How calls wait.
        retry_seconds: The least delay before a retry that refused callers are given.
        typical_seconds: How long a call holds its place, before any was seen: refused callers are then told
            when a place becomes free; each gets a different time. ``None``: all get ``retry_seconds``.
    """

    most: int
    quotas: Mapping[str, int] = field(default_factory=dict)
    share: float = 1.0
    line: Line = NO_LINE
    retry_seconds: float = 1.0
    typical_seconds: float | None = None


_LONGEST_RETRY_SECONDS = 30.0
"""The longest time that clients wait before they retry."""
_MOST_TOLD = 1_000
_NEWEST_WEIGHT = 0.125


class FreePlaces:
    """Estimates when places become free, so that refused callers return one after another.

    A place is expected to be held as long as the last ones were. Nothing is kept free for a caller that
    returns: it may be refused again, and is then told a new time.
    """

    def __init__(self, *, typical_seconds: float, least_seconds: float) -> None:
        """Start without calls."""
        self._held_seconds = typical_seconds
        self._least = least_seconds
        self._taken: list[float] = []
        self._told: deque[float] = deque(maxlen=_MOST_TOLD)

    def take(self, now: float) -> None:
        """Note that a place is taken."""
        self._taken.append(now)

    def free(self, taken: float, now: float) -> None:
        """Note that the place that was taken at ``taken`` is free."""
        self._taken.remove(taken)
        self._held_seconds += _NEWEST_WEIGHT * (now - taken - self._held_seconds)

    def wait_seconds(self, now: float) -> float:
        """Return the seconds until the first place that was not named to another refused caller is free."""
        self._told = deque((at for at in self._told if at > now), maxlen=_MOST_TOLD)
        if not self._taken:
            return self._least
        rounds, place = divmod(len(self._told), len(self._taken))
        free = max(now + self._least, self._taken[place] + self._held_seconds) + rounds * self._held_seconds
        self._told.append(free)
        return min(_LONGEST_RETRY_SECONDS, free - now)


class Place:
    """The place of one call. The work of the call may test from its thread whether the call has ended."""

    def __init__(self) -> None:
        """Create a place without work."""
        self._work: asyncio.Future[Any] | None = None
        self._left = threading.Event()

    def require_wanted(self) -> None:
        """Stop the work of a call that has ended, by an exception. Thread-safe.

        Raises:
            Abandoned: The call has ended.
        """
        if self._left.is_set():
            raise Abandoned

    async def run(
        self,
        pool: WorkerPool,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Run ``function`` in the pool, one function of a call at a time.

        If the call ends before the pool starts the function, the function does not run.
        """

        def work() -> _Result:
            self.require_wanted()
            return function(*args, **kwargs)

        running = asyncio.ensure_future(pool.run(work))
        self._work = running
        try:
            return await asyncio.shield(running)
        finally:
            # The traceback of an exception refers to the uploaded data; no reference cycle may keep it alive.
            del running

    def leave(self, free: Callable[[], None]) -> None:
        """Mark the call as ended, and call ``free`` as soon as its thread has ended too."""
        self._left.set()
        work, self._work = self._work, None
        if work is None or work.done():
            free()
        else:
            work.add_done_callback(lambda ended: _ended(ended, free))


class Places:
    """The places of one kind of call. Use it on the event loop only."""

    def __init__(
        self,
        kind: str,
        rules: PlaceRules,
        *,
        metrics: Metrics,
        several: Callable[[], bool] = lambda: True,
    ) -> None:
        """Create the places, all of them free.

        Args:
            kind: The name of this kind of call in refusals and metrics, such as ``uploads``.
            several: Returns whether callers of more than one party are configured; the share applies only
                then.
        """
        self._kind = kind
        self._rules = rules
        self._metrics = metrics
        self._several = several
        self._used = 0
        self._held: Counter[str] = Counter()
        # A future resolves to True when its call gets a place, and to False when another party displaces it.
        self._lines: dict[str, deque[asyncio.Future[bool]]] = {}
        self._turns = count(1)
        self._last_turns: dict[str, int] = {}
        self._named: set[str] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._estimate = None
        if rules.typical_seconds is not None:
            self._estimate = FreePlaces(
                typical_seconds=rules.typical_seconds, least_seconds=rules.retry_seconds
            )
        metrics.calls.place_limit(kind, rules.most)

    @property
    def used(self) -> int:
        """The number of calls that run, or have ended while their thread still works."""
        return self._used

    @property
    def waiting(self) -> int:
        """The number of calls that wait."""
        return sum(len(line) for line in self._lines.values())

    async def wait_until_idle(self) -> None:
        """Wait until no place is taken."""
        await self._idle.wait()

    def require_place(self, party: str) -> None:
        """Test whether a call could take a place at once.

        Raises:
            Refusal: It could not (OVERLOADED).
        """
        if not self._may_take(party):
            raise self._refusal(party, "none_free")

    @asynccontextmanager
    async def hold_place(self, party: str) -> AsyncIterator[Place]:
        """Take a place for a call, and wait in line for it if necessary.

        Args:
            party: The party of the caller; see ``server.base.sandbox.memory_scope``.

        Raises:
            Refusal: The call got no place (OVERLOADED).
        """
        if self._may_take(party):
            self._give(party)
        else:
            await self._wait(party)
        place, taken = Place(), time.monotonic()
        if self._estimate is not None:
            self._estimate.take(taken)
        try:
            yield place
        finally:
            place.leave(partial(self._leave, party, taken))

    def _leave(self, party: str, taken: float) -> None:
        if self._estimate is not None:
            self._estimate.free(taken, time.monotonic())
        self._free(party)

    async def _wait(self, party: str) -> None:
        """Wait until the call gets a place."""
        rules = self._rules.line
        if len(self._lines.get(party, ())) >= rules.of_party:
            raise self._refusal(party, "line_full" if rules.of_party else "none_free")
        if self.waiting >= rules.of_all and not self._make_room(party):
            raise self._refusal(party, "line_full")
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(party, deque()).append(turn)
        began = time.monotonic()
        self._count()
        try:
            await asyncio.wait({turn}, timeout=rules.seconds)
        except BaseException:
            if turn.done() and turn.result():
                # The call got its place at the same moment at which the caller disconnected.
                self._free(party)
            raise
        finally:
            self._metrics.work.waited_for_place(self._kind, time.monotonic() - began)
            if not turn.done():
                self._leave_line(party, turn)
        if not turn.done():
            raise self._refusal(party, "too_late")
        if not turn.result():
            raise self._refusal(party, "gave_way")

    def _make_room(self, party: str) -> bool:
        """Remove the last call of the longest line, unless ``party`` would then have the longest line."""
        longest = max(self._lines, key=lambda other: len(self._lines[other]), default=party)
        if len(self._lines.get(longest, ())) <= len(self._lines.get(party, ())) + 1:
            return False
        last = self._lines[longest][-1]
        self._leave_line(longest, last)
        last.set_result(False)
        return True

    def _leave_line(self, party: str, turn: "asyncio.Future[bool]") -> None:
        line = self._lines[party]
        line.remove(turn)
        if not line:
            del self._lines[party]
        self._count()

    def _may_take(self, party: str) -> bool:
        rules, held, free = self._rules, self._held[party], self._rules.most - self._used
        if free < 1 or held >= rules.quotas.get(party, rules.most):
            return False
        if held == 0 or not self._several():
            return True
        return (held + 1) * (1.0 - rules.share) <= (free - 1) * rules.share

    def _give(self, party: str) -> None:
        self._used += 1
        self._held[party] += 1
        self._last_turns[party] = next(self._turns)
        self._idle.clear()
        self._count()

    def _free(self, party: str) -> None:
        self._used -= 1
        self._held[party] -= 1
        if not self._held[party]:
            del self._held[party]
        while entitled := [other for other in self._lines if self._may_take(other)]:
            following = min(entitled, key=lambda other: (self._held[other], self._last_turns.get(other, 0)))
            turn = self._lines[following][0]
            self._leave_line(following, turn)
            self._give(following)
            turn.set_result(True)
        if not self._used:
            self._idle.set()
        self._count()

    def _count(self) -> None:
        rules, metrics = self._rules, self._metrics
        metrics.calls.places(self._kind, taken=self._used, waiting=self.waiting)
        uses = (held / rules.quotas.get(party, rules.most) for party, held in self._held.items())
        metrics.work.quota_used(self._kind, max(uses, default=0.0))
        if metrics.tenant_names:
            # A party that holds no place any more is shown with 0.
            self._named.update(self._held)
            metrics.work.tenants_hold(self._kind, {party: self._held[party] for party in self._named})

    def _refusal(self, party: str, cause: str) -> Refusal:
        rules, held = self._rules, self._held[party]
        of_tenant = self._used < rules.most or held >= rules.quotas.get(party, rules.most + 1)
        self._metrics.calls.place_refused(self._kind, "tenant_limit" if of_tenant else cause)
        which = (
            f"this tenant has the {held} of the server's {rules.most} {self._kind} that it may have now"
            if of_tenant
            else f"the server works on its {rules.most} {self._kind} already"
        )
        retry, advice = rules.retry_seconds, ", and double that with each refusal in a row"
        if self._estimate is not None:
            retry, advice = self._estimate.wait_seconds(time.monotonic()), ""
        details: dict[str, str | float] = {"limit": rules.most, "retrySeconds": round(retry, 3)}
        if of_tenant:
            details["tenantLimit"] = held
        return Refusal(
            Reason.OVERLOADED,
            f"{which}; try again after {retry:.1f} s{advice}",
            details=details,
            retry_after=retry,
        )


def _ended(work: asyncio.Future[Any], free: Callable[[], None]) -> None:
    if not work.cancelled():
        # Without this call, asyncio would log that the exception was never retrieved; the caller is gone.
        work.exception()
    free()
