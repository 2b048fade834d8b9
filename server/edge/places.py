"""How many calls of a kind run at once, shared fairly between the parties that call.

A party is a tenant's real callers, or its sandbox callers: whoever fills the places keeps neither another
tenant nor the other kind of caller out. A free place is anybody's. Where none is free, or the party has its
quota, a call waits in its party's line, and a place that falls free goes to the party that holds the fewest;
of several, to the one that was last given a place longest ago.

That is enough where calls are short. Where one holds its place for long, a share is kept free besides, since
a wait of seconds would not help whoever comes later.

A place counts until the thread that works for the call has ended. A call whose caller goes away ends at once,
but its thread does not: if the place were free then, callers who come and go could pile up work, and what
they uploaded, without an end.
"""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, ParamSpec, TypeVar

from server.errors import Reason, Refusal
from server.telemetry.metrics import Metrics
from server.worker_pool import WorkerPool

__all__ = ["NO_LINE", "Abandoned", "Line", "Place", "PlaceRules", "Places"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Abandoned(Exception):
    """The caller went away, so nobody hears of this error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How calls wait for a place.

    Attributes:
        of_party: The most of one party that wait.
        of_all: The most that wait. Whoever comes then takes the place in line of the party that has most
            there, unless that has hardly more than its own.
        seconds: How long one waits.
    """

    of_party: int
    of_all: int
    seconds: float


NO_LINE = Line(of_party=0, of_all=0, seconds=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRules:
    """How the places of one kind are shared.

    Attributes:
        most: How many there are.
        quotas: The most that a party may hold, by party; those that are not listed may hold all.
        share: The part that one party may hold while no other does. The more others hold, the less it is: a
            party is given no more than ``share / (1 - share)`` times what it leaves free, and one in any
            case. So several together keep no newcomer out either: whatever they hold, the next place that
            falls free is for who holds none. 1 leaves nothing free.
        line: How calls wait.
        retry_seconds: The first wait that is asked of refused callers.
    """

    most: int
    quotas: Mapping[str, int] = field(default_factory=dict)
    share: float = 1.0
    line: Line = NO_LINE
    retry_seconds: float = 1.0


class Place:
    """One call's place. Its work may ask from its own thread whether somebody still waits."""

    def __init__(self) -> None:
        """Has no work yet."""
        self._work: asyncio.Future[Any] | None = None
        self._left = threading.Event()

    def check_wanted(self) -> None:
        """Ends work that nobody waits for; safe for threads.

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
        """Runs ``function`` in the pool, one at a time; not at all where the call ended before its turn."""

        def work() -> _Result:
            self.check_wanted()
            return function(*args, **kwargs)

        running = asyncio.ensure_future(pool.run(work))
        self._work = running
        try:
            return await asyncio.shield(running)
        finally:
            # A failure's trace leads to what was uploaded; not kept by a circle of references.
            del running

    def leave(self, free: Callable[[], None]) -> None:
        """Ends the call; ``free`` is called as soon as its thread has ended too."""
        self._left.set()
        work, self._work = self._work, None
        if work is None or work.done():
            free()
        else:
            work.add_done_callback(lambda ended: _ended(ended, free))


class Places:
    """The places of one kind of call. Used on the event loop only."""

    def __init__(
        self,
        kind: str,
        rules: PlaceRules,
        *,
        metrics: Metrics,
        several: Callable[[], bool] = lambda: True,
    ) -> None:
        """All are free.

        Args:
            kind: What calls of the kind are called in refusals and metrics, such as ``uploads``.
            rules: How they are shared.
            metrics: Counts places that are taken, calls that wait, and refusals.
            several: Whether callers of more than one party are configured; the share counts only then.
        """
        self._kind = kind
        self._rules = rules
        self._metrics = metrics
        self._several = several
        self._used = 0
        self._held: Counter[str] = Counter()
        # Each waits for True, a place, or for False: another party has its place in line.
        self._lines: dict[str, deque[asyncio.Future[bool]]] = {}
        self._turns = count(1)
        self._last_turns: dict[str, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def used(self) -> int:
        """How many calls run, or have left a thread at work."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(len(line) for line in self._lines.values())

    async def idle(self) -> None:
        """Waits until no place is taken."""
        await self._idle.wait()

    @asynccontextmanager
    async def taken(self, party: str) -> AsyncIterator[Place]:
        """Takes a place for a call, and waits in line for it where that is needed.

        Args:
            party: Whose call it is; see ``server.sandbox.memory_scope``.

        Raises:
            Refusal: No place came free for it (OVERLOADED).
        """
        if self._may_take(party):
            self._give(party)
        else:
            await self._wait(party)
        place = Place()
        try:
            yield place
        finally:
            place.leave(partial(self._free, party))

    async def _wait(self, party: str) -> None:
        """Waits until a place was given."""
        rules = self._rules.line
        if len(self._lines.get(party, ())) >= rules.of_party:
            raise self._refusal(party, "line_full" if rules.of_party else "none_free")
        if self.waiting >= rules.of_all and not self._make_room(party):
            raise self._refusal(party, "line_full")
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(party, deque()).append(turn)
        self._tell()
        try:
            await asyncio.wait({turn}, timeout=rules.seconds)
        except BaseException:
            if turn.done() and turn.result():
                # It was given in the same moment in which the caller went away.
                self._free(party)
            raise
        finally:
            if not turn.done():
                self._leave_line(party, turn)
        if not turn.done():
            raise self._refusal(party, "too_late")
        if not turn.result():
            raise self._refusal(party, "gave_way")

    def _make_room(self, party: str) -> bool:
        """Sends the last in the longest line away; not for a party that would then have the longest."""
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
        self._tell()

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
        self._tell()

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
        self._tell()

    def _tell(self) -> None:
        self._metrics.calls.places(self._kind, taken=self._used, waiting=self.waiting)

    def _refusal(self, party: str, cause: str) -> Refusal:
        rules, held = self._rules, self._held[party]
        of_tenant = self._used < rules.most or held >= rules.quotas.get(party, rules.most + 1)
        self._metrics.calls.place_refused(self._kind, "tenant_limit" if of_tenant else cause)
        which = (
            f"this tenant has the {held} of the server's {rules.most} {self._kind} that it may have now"
            if of_tenant
            else f"the server works on its {rules.most} {self._kind} already"
        )
        details: dict[str, str | float] = {"limit": rules.most, "retrySeconds": rules.retry_seconds}
        if of_tenant:
            details["tenantLimit"] = held
        return Refusal(
            Reason.OVERLOADED,
            f"{which}; try again after {rules.retry_seconds:g} s, and double that with each refusal in a row",
            details=details,
            retry_after=rules.retry_seconds,
        )


def _ended(work: asyncio.Future[Any], free: Callable[[], None]) -> None:
    if not work.cancelled():
        # Looked at, or asyncio would log it as forgotten; nobody is there to be told.
        work.exception()
    free()
