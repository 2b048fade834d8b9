"""The rows that are written when a stream ends, for each ending, with the lease held and with it lost."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from liveness import VerdictReason
from server.base.errors import Reason, Refusal
from server.checks.running import CheckClosing
from server.domain.terms import AttemptOutcome, CheckState, EndedBy
from server.scan.endings import AttemptFacts, Images
from server.scan.ends import ScanEnds
from server.scan.scan_bytes import ScanBytes
from server.storage.errors import Conflict, StorageUnavailable
from server.storage.records import AttemptEnding
from server.telemetry.metrics import Metrics
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from tests.server.scan.records import NOW, check_record
from tests.server.scan.test_endings import ERRORS

_T = TypeVar("_T")
_PICTURE = "a picture"
_DOUBTS = (VerdictReason.NOT_SURE,)
_NOTHING = AttemptFacts(
    counts=False, adverse=False, stands=False, retryable=True, doubted=False, manipulated=False
)
_GOOD = AttemptFacts(
    counts=True, adverse=False, stands=False, retryable=False, doubted=False, manipulated=False
)
_ATTACK = AttemptFacts(
    counts=True, adverse=True, stands=True, retryable=False, doubted=False, manipulated=False
)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Runs work in a separate event loop."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


@dataclass(frozen=True)
class _Judged:
    evidence: tuple[str, ...] = ()
    judgement: None = None


@dataclass(frozen=True)
class _Written:
    """An attempt as it was stored."""

    outcome: AttemptOutcome
    ended_by: EndedBy
    judged: bool
    images: bool
    late: bool = False
    doubts: tuple[VerdictReason, ...] = _DOUBTS


@dataclass
class _World:
    """A database, a recorder of decisions and an attempt, reduced to the calls of an ending."""

    facts: AttemptFacts = _GOOD
    lease_held: bool = True
    state: CheckState = CheckState.SCANNING
    frames: bool = True
    fails: set[str] = field(default_factory=set)
    written: list[_Written] = field(default_factory=list)
    check: list[tuple[str, FailureReason | None]] = field(default_factory=list)
    recorded: int = 0
    seconds_a_look: float = 0.0
    _looks: int = 0

    def _monotonic(self) -> float:
        self._looks += 1
        return self._looks * self.seconds_a_look

    def _lease(self, call: str) -> None:
        if call in self.fails:
            raise StorageUnavailable(f"{call} failed")
        if not self.lease_held:
            raise Conflict("the lease is another's", state=self.state, lease_epoch=2)

    # -- the attempt and its facts

    async def record(self) -> None:
        self.recorded += 1

    async def judge(self, _run: Any) -> None:
        if "judge" in self.fails:
            raise StorageUnavailable("judge failed")

    async def assess_device(self, _run: Any, _judgement: None, *, ended: bool) -> None:
        assert not ended

    def facts_of(self, *_: Any) -> AttemptFacts:
        return self.facts

    def doubts_of(self, _judgement: None) -> tuple[VerdictReason, ...]:
        return _DOUBTS

    def judged(self, *_: Any, ended: bool) -> _Judged:
        assert not ended
        return _Judged()

    @asynccontextmanager
    async def kept_images(self, _run: Any, images: Images) -> AsyncIterator[tuple[str, ...]]:
        yield () if images is Images.NONE else (_PICTURE,)

    def ending(
        self,
        _run: Any,
        *,
        outcome: AttemptOutcome,
        attempts: Any,
        judged: _Judged | None,
        doubts: tuple[VerdictReason, ...],
        ended_by: EndedBy,
    ) -> AttemptEnding:
        return AttemptEnding(
            number=1,
            outcome=outcome,
            ended_by=ended_by,
            frames=9,
            dropped=0,
            feedback=(),
            end_time=NOW,
            final_mac_sha256=None,
            judgement=None if judged is None else b"judged",
            doubts=doubts,
        )

    # -- the database

    async def get(self, _check_id: Any) -> Any:
        return check_record(state=self.state)

    async def attempts(self, _check_id: Any) -> tuple[()]:
        return ()

    async def end_attempt(self, _id: Any, *, epoch: int, ending: AttemptEnding, evidence: Any) -> None:
        self._lease("end_attempt")
        self._write(ending, evidence)

    async def end_superseded(self, _id: Any, *, epoch: int, ending: AttemptEnding) -> None:
        self._write(ending, (), late=True)

    def _write(self, ending: AttemptEnding, evidence: Any, *, late: bool = False) -> None:
        assert ending.ended_by is not None
        self.written.append(
            _Written(
                ending.outcome,
                ending.ended_by,
                judged=ending.judgement is not None,
                images=bool(evidence),
                late=late,
                doubts=ending.doubts,
            )
        )

    async def suspend(self, _id: Any, **_: Any) -> None:
        self._lease("suspend")
        self.check.append(("waits", None))

    # -- the recorder

    async def decide(
        self,
        *_: Any,
        attempt: _Judged,
        reason: FailureReason | None,
        epoch: int | None,
        ending: AttemptEnding,
        **__: Any,
    ) -> CheckVerdict:
        if epoch is not None:
            self._lease("decide")
        assert attempt.evidence == (_PICTURE,)
        self._write(ending, (), late=epoch is None)
        self.check.append(("decided", reason))
        return CheckVerdict(CheckStatus.FAILURE, (FailureReason.SPOOF,))

    async def close(self, *_: Any, reason: FailureReason, **__: Any) -> CheckVerdict:
        self._lease("close")
        self.check.append(("closed", reason))
        return CheckVerdict(CheckStatus.FAILURE, (reason,))

    # -- the ends of its scan

    def ends(self) -> ScanEnds:
        clock = SimpleNamespace(now=lambda: NOW, monotonic=self._monotonic)
        env = SimpleNamespace(
            repository=self,
            recorder=self,
            clock=clock,
            metrics=Metrics(CollectorRegistry()),
            running=SimpleNamespace(draining=asyncio.Event()),
            settings=SimpleNamespace(lease_seconds=15.0),
        )
        policy = SimpleNamespace(deadlines=SimpleNamespace(resume_seconds=30))
        judge = SimpleNamespace(
            judge=self.judge,
            assess_device=self.assess_device,
            facts=self.facts_of,
            doubts=self.doubts_of,
            judged=self.judged,
            kept_images=self.kept_images,
            ending=self.ending,
        )
        stream = SimpleNamespace(record=check_record(state=CheckState.SCANNING), policy=policy)
        return ScanEnds(
            cast("Any", env), cast("Any", stream), judge=cast("Any", judge), scan_bytes=ScanBytes()
        )

    def end(self, *errors: BaseException | None) -> ScanEnds:
        """Ends a stream with a running attempt by each error in turn; returns its ends."""

        async def end() -> ScanEnds:
            ends = self.ends()
            ends.begin(
                cast("Any", SimpleNamespace(number=1, frames=9, recorded=self.frames, record=self.record))
            )
            for error in errors:
                with suppress(BaseException):
                    async with ends.leave_at_exit():
                        if error is not None:
                            raise error
            return ends

        return _run(end())


_ALL = [(error, ending.by, closes) for error, ending, closes in ERRORS]
_CASES = pytest.mark.parametrize(
    ("error", "by", "closes"), _ALL, ids=[f"{type(error).__name__}-{by}" for error, by, _ in _ALL]
)


@_CASES
def test_an_undecided_ending_is_stored_and_the_check_continues_or_closes(
    error: BaseException | None, by: EndedBy, closes: FailureReason | None
) -> None:
    world = _World()
    assert world.end(error).ended_by is by
    (written,) = world.written
    fault, superseded = by is EndedBy.SERVER_FAULT, by is EndedBy.SUPERSEDED
    assert written == _Written(
        AttemptOutcome.INTERRUPTED, by, judged=not fault, images=not (fault or superseded)
    )
    expected = [("closed", closes)] if closes else [("waits", None)]
    assert world.check == ([] if superseded else expected)


@_CASES
def test_findings_against_the_person_decide_whichever_stream_has_the_lease(
    error: BaseException | None, by: EndedBy, closes: FailureReason | None
) -> None:
    broken = closes is FailureReason.TRANSCRIPT_BROKEN
    for held in (True, False):
        world = _World(facts=_ATTACK, lease_held=held)
        world.end(error)
        (written,) = world.written
        ended_by = by if held or by is EndedBy.SERVER_FAULT else EndedBy.SUPERSEDED
        assert written == _Written(AttemptOutcome.DECIDED, ended_by, judged=True, images=False, late=not held)
        assert world.check == [("decided", closes if broken else None)]


@_CASES
def test_a_fenced_stream_reports_its_findings_and_leaves_the_check(
    error: BaseException | None, by: EndedBy, closes: FailureReason | None
) -> None:
    world = _World(lease_held=False)
    world.end(error)
    fault = by is EndedBy.SERVER_FAULT
    (written,) = world.written
    assert written == _Written(
        AttemptOutcome.INTERRUPTED,
        EndedBy.SERVER_FAULT if fault else EndedBy.SUPERSEDED,
        # The images can no longer be stored, so a judgement that names them is not stored either.
        judged=by is EndedBy.SUPERSEDED,
        images=False,
        late=True,
    )
    assert world.check == []


@_CASES
def test_an_attempt_without_frames_counts_after_a_server_ending_or_a_broken_transcript(
    error: BaseException | None, by: EndedBy, closes: FailureReason | None
) -> None:
    world = _World(facts=_NOTHING, frames=False)
    world.end(error)
    server = by in {EndedBy.SERVER_FAULT, EndedBy.SERVER_STOPPED}
    stands = server or closes is FailureReason.TRANSCRIPT_BROKEN
    assert (world.recorded, len(world.written)) == ((1, 1) if stands else (0, 0))


@_CASES
def test_an_unjudged_attempt_is_stored_only_after_a_server_fault(
    error: BaseException | None, by: EndedBy, closes: FailureReason | None
) -> None:
    world = _World(fails={"judge"})
    ends = world.end(error)
    unjudged = _Written(
        AttemptOutcome.INTERRUPTED, EndedBy.SERVER_FAULT, judged=False, images=False, doubts=()
    )
    if by is EndedBy.SERVER_FAULT:
        assert world.written == [unjudged]
        assert world.check == [("waits", None)]
        return
    # Closing failed, which is a fault of the server, so the device may reconnect.
    assert world.written == ([unjudged] if closes else [])
    assert ends.ended_by is (EndedBy.SERVER_FAULT if closes else by)
    assert world.check == ([("waits", None)] if closes else [])


@_CASES
def test_a_check_that_cannot_be_closed_may_be_resumed(
    error: BaseException | None, by: EndedBy, closes: FailureReason | None
) -> None:
    world = _World(fails={"close"})
    ends = world.end(error)
    assert ends.ended_by is (EndedBy.SERVER_FAULT if closes else by)
    assert world.check == ([] if by is EndedBy.SUPERSEDED else [("waits", None)])


@_CASES
def test_an_end_that_the_storage_did_not_take_is_stored_later(
    error: BaseException | None, by: EndedBy, closes: FailureReason | None
) -> None:
    world = _World(fails={"end_attempt", "close", "suspend"})
    ends = world.end(error)
    assert (ends.unwritten, world.written) == (True, [])
    world.fails.clear()
    _run(ends.write_later())
    # Once the storage was away, a check is not closed for what the device did meanwhile.
    now = EndedBy.SERVER_FAULT if closes else by
    fault = now is EndedBy.SERVER_FAULT
    images = not fault and by is not EndedBy.SUPERSEDED
    assert world.written == [_Written(AttemptOutcome.INTERRUPTED, now, judged=not fault, images=images)]
    assert world.check == ([] if by is EndedBy.SUPERSEDED else [("waits", None)])
    assert not ends.unwritten


def test_findings_against_the_person_are_stored_later_too() -> None:
    world = _World(facts=_ATTACK, fails={"decide"})
    ends = world.end(StorageUnavailable("the database is away"))
    world.fails.clear()
    _run(ends.write_later())
    assert world.written == [
        _Written(AttemptOutcome.DECIDED, EndedBy.SERVER_FAULT, judged=True, images=False)
    ]
    assert world.check == [("decided", None)]


def test_an_end_is_not_stored_once_the_lease_has_expired() -> None:
    world = _World(fails={"end_attempt"}, seconds_a_look=8.0)
    ends = world.end(StorageUnavailable("the database is away"))
    _run(ends.write_later())
    assert (world.written, world.check) == ([], [])


def test_a_superseded_stream_reports_nothing_about_a_closed_check() -> None:
    world = _World(facts=_ATTACK, lease_held=False, state=CheckState.DECIDED)
    world.end(Conflict("it was decided", state=CheckState.DECIDED, lease_epoch=1))
    assert (world.written, world.check) == ([], [])


@pytest.mark.parametrize(
    ("error", "ended_by"),
    [
        (StorageUnavailable("the store is away"), EndedBy.SERVER_FAULT),
        (CheckClosing(FailureReason.CANCELLED), EndedBy.CONNECTION_LOST),
        (Refusal(Reason.TOO_MANY_FAILURES, "too many"), EndedBy.CONNECTION_LOST),
    ],
)
def test_a_fault_while_an_attempt_is_concluded_is_one_though_its_device_is_gone(
    error: Exception, ended_by: EndedBy
) -> None:
    async def fails() -> None:
        raise error

    world = _World()

    async def end() -> EndedBy | None:
        ends = world.ends()
        run = cast(
            "Any",
            SimpleNamespace(number=1, frames=9, recorded=True, work=SimpleNamespace(verify_sample=fails)),
        )
        ends.begin(run)
        with suppress(asyncio.CancelledError):
            async with ends.leave_at_exit():
                with suppress(type(error)):
                    await ends.conclude(run, cast("Any", None), cast("Any", None))
                raise asyncio.CancelledError
        return ends.ended_by

    assert _run(end()) is ended_by


@given(
    errors=st.lists(st.sampled_from([error for error, _, _ in ERRORS]), min_size=1, max_size=4),
    facts=st.sampled_from([_NOTHING, _GOOD, _ATTACK]),
    lease_held=st.booleans(),
    frames=st.booleans(),
    fails=st.sets(st.sampled_from(["judge", "end_attempt", "suspend", "close"])),
)
def test_whatever_comes_together_a_scan_ends_once(
    errors: list[BaseException | None], facts: AttemptFacts, lease_held: bool, frames: bool, fails: set[str]
) -> None:
    world = _World(facts=facts, lease_held=lease_held, frames=frames, fails=fails)
    world.end(*errors)
    assert len(world.check) <= 1
    assert len(world.written) <= 1
    if not lease_held:
        assert {end for end, _ in world.check} <= {"decided"}
    if facts is not _ATTACK:
        assert {end for end, _ in world.check} <= {"waits", "closed"}
