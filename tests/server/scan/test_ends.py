"""The end of a stream: its rules, the rows that are written, and what the app may know of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from lab.simulator.scene import ScanKind
from liveness import VerdictReason
from server.base.errors import Reason, Refusal
from server.checks.running import CheckClosing
from server.domain.terms import AttemptOutcome, CheckState, EndedBy
from server.policies.schema import AppDisclosure
from server.scan.budget import ScanBytes
from server.scan.endings import (
    NO_FACTS,
    RULES,
    TAMPERING,
    AttemptFacts,
    Ending,
    Images,
    LeaseLost,
    ScanDeadlinePassed,
    State,
    ending_of,
    follow,
    settle_left,
    settle_signed,
)
from server.scan.ends import ScanEnds
from server.scan.inbox import ConnectionLost, StreamEnded
from server.scan.messages import ScanStatus, feedback_for_app, final_status
from server.storage.errors import Conflict, StorageUnavailable
from server.storage.records import AttemptEnding
from server.telemetry.metrics import Metrics
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from tests.sampling import some_fast
from tests.server.device.devices import ANDROID, camera_of
from tests.server.live import LiveServer, Picture, pictures, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice
from tests.server.scan.records import NOW, check_record, reasons, seen

# The state machine of endings: every rule, and the invariants over all endings and all facts.

_CONFLICT = Conflict("the lease is another's", state=CheckState.SCANNING, lease_epoch=2)
_BROKEN, _CANCELLED = FailureReason.TRANSCRIPT_BROKEN, FailureReason.CANCELLED

ERRORS: list[tuple[BaseException | None, Ending, FailureReason | None]] = [
    # The error, the event that ended the stream, and the reason to close its check (None: it stays open).
    (None, Ending(EndedBy.SERVER_STOPPED), None),
    (StreamEnded(), Ending(EndedBy.HALF_CLOSED), FailureReason.ABANDONED),
    (ConnectionLost(), Ending(EndedBy.CONNECTION_LOST), None),
    (asyncio.CancelledError(), Ending(EndedBy.CONNECTION_LOST), None),
    (LeaseLost(), Ending(EndedBy.SUPERSEDED), None),
    (_CONFLICT, Ending(EndedBy.SUPERSEDED), None),
    (Refusal(Reason.STREAM_IDLE, "idle"), Ending(EndedBy.REFUSED), None),
    *((Refusal(reason, "broken"), Ending(EndedBy.REFUSED, _BROKEN), _BROKEN) for reason in sorted(TAMPERING)),
    (ScanDeadlinePassed(), Ending(EndedBy.DEADLINE), FailureReason.EXPIRED),
    (CheckClosing(_CANCELLED), Ending(EndedBy.CHECK_CLOSED, _CANCELLED), _CANCELLED),
    (
        CheckClosing(FailureReason.INTERRUPTED),
        Ending(EndedBy.CHECK_CLOSED, FailureReason.INTERRUPTED),
        FailureReason.INTERRUPTED,
    ),
    (StorageUnavailable("away"), Ending(EndedBy.SERVER_FAULT), None),
    (ZeroDivisionError(), Ending(EndedBy.SERVER_FAULT), None),
]

_flag = st.booleans()
_facts = st.builds(
    AttemptFacts, counts=_flag, adverse=_flag, stands=_flag, retryable=_flag, doubted=_flag, manipulated=_flag
)
_endings = st.sampled_from([ending for _, ending, _ in ERRORS])


@pytest.mark.parametrize(("error", "ending", "closes"), ERRORS, ids=lambda each: type(each).__name__)
def test_the_raised_error_determines_the_ending(
    error: BaseException | None, ending: Ending, closes: FailureReason | None
) -> None:
    assert ending_of(error, failed=False, draining=False, cancelled=False) == ending
    assert ending.closes is closes


def test_every_ending_but_the_signed_one_has_a_rule_and_an_error() -> None:
    assert RULES.keys() == set(EndedBy) - {EndedBy.SIGNED}
    assert {ending.by for _, ending, _ in ERRORS} == RULES.keys()


@pytest.mark.parametrize("error", [ConnectionLost(), asyncio.CancelledError()])
def test_a_line_that_is_cut_is_the_devices_doing_unless_the_server_failed_or_stops(
    error: BaseException,
) -> None:
    stops = ending_of(error, failed=False, draining=True, cancelled=False)
    assert stops.by is EndedBy.SERVER_STOPPED
    for draining in (False, True):
        failed = ending_of(error, failed=True, draining=draining, cancelled=False)
        assert failed.by is EndedBy.SERVER_FAULT


def test_a_device_that_cancels_and_leaves_has_cancelled() -> None:
    assert ending_of(StreamEnded(), failed=False, draining=False, cancelled=True).closes is _CANCELLED


@pytest.mark.parametrize("ended_by", EndedBy)
def test_an_attempt_is_signed_once_and_left_once(ended_by: EndedBy) -> None:
    if ended_by is EndedBy.SIGNED:
        assert follow(State.RUNNING, ended_by) is State.SIGNED
    else:
        assert follow(State.RUNNING, ended_by) is follow(State.SIGNED, ended_by) is State.LEFT
    for state in (State.SIGNED, State.LEFT) if ended_by is EndedBy.SIGNED else (State.LEFT,):
        with pytest.raises(ValueError, match=state):
            follow(state, ended_by)


def test_each_ending_determines_return_and_blame() -> None:
    comes_back = {by for by, rule in RULES.items() if rule.resumable}
    assert comes_back == {
        EndedBy.CONNECTION_LOST,
        EndedBy.REFUSED,
        EndedBy.SERVER_FAULT,
        EndedBy.SERVER_STOPPED,
    }
    closed = {by for by, rule in RULES.items() if rule.closes is not None}
    assert closed == {EndedBy.HALF_CLOSED, EndedBy.DEADLINE, EndedBy.CHECK_CLOSED}
    assert RULES.keys() - comes_back - closed == {EndedBy.SUPERSEDED}
    assert {by for by, rule in RULES.items() if rule.without_frames} == {
        EndedBy.SERVER_FAULT,
        EndedBy.SERVER_STOPPED,
    }
    assert {by for by, rule in RULES.items() if rule.fenced is not EndedBy.SUPERSEDED} == {
        EndedBy.SERVER_FAULT
    }


@given(facts=_facts, ending=_endings)
def test_leaving_changes_no_earlier_finding(facts: AttemptFacts, ending: Ending) -> None:
    settled = settle_left(facts, ending)
    against = facts.manipulated or (facts.counts and facts.stands)
    assert settled.outcome is (AttemptOutcome.DECIDED if against else AttemptOutcome.INTERRUPTED)
    if against:
        # Independent of the cause of the end and of the holder of the lease.
        assert (settled.judgement, settled.images) == (True, Images.NAMED)
        assert settled.reason is (_BROKEN if ending.reason is _BROKEN else None)
        return
    assert settled.reason is None
    assert settled.judgement == (facts.counts and not facts.adverse and ending.by is not EndedBy.SERVER_FAULT)
    nobody_keeps = ending.by in {EndedBy.SUPERSEDED, EndedBy.SERVER_FAULT}
    assert settled.images is (Images.NONE if nobody_keeps else Images.ALL_OR_NONE)


@given(ending=_endings)
def test_an_unjudged_attempt_decides_nothing(ending: Ending) -> None:
    settled = settle_left(NO_FACTS, ending)
    assert settled.outcome is AttemptOutcome.INTERRUPTED
    assert not settled.judgement


@given(facts=_facts, another=_flag, cancelled=_flag)
def test_only_conditions_and_cancelled_attempts_are_retried(
    facts: AttemptFacts, another: bool, cancelled: bool
) -> None:
    settled = settle_signed(facts, another=another, cancelled=cancelled)
    undecided = not facts.manipulated and (facts.retryable or (cancelled and not facts.adverse))
    assert (settled.outcome is AttemptOutcome.RETRY) == (undecided and another)
    assert settled.outcome is not AttemptOutcome.INTERRUPTED
    assert settled.judgement
    if undecided and not another:
        conditions = None if facts.doubted else FailureReason.CONDITIONS
        assert settled.reason is (_CANCELLED if cancelled else conditions)
    else:
        assert settled.reason is None
    # Only an adverse judgement holds without its evidence.
    against = facts.adverse or facts.manipulated
    assert settled.images is (Images.NAMED if against else Images.NEEDED)


# The rows that are written when a stream ends, for each ending, with the lease held and with it lost.

_T = TypeVar("_T")
_PICTURE = "a picture"
_DOUBTS = (VerdictReason.NOT_SURE,)
_NOTHING = AttemptFacts(
    counts=False, adverse=False, stands=False, retryable=True, doubted=False, manipulated=False
)
_GOOD = replace(_NOTHING, counts=True, retryable=False)
_ATTACK = replace(_GOOD, adverse=True, stands=True)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run work in a separate event loop."""
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
        judged: _Judged | None,
        doubts: tuple[VerdictReason, ...],
        ended_by: EndedBy,
        **_: Any,
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
        judged, images = ending.judgement is not None, bool(evidence)
        self.written.append(
            _Written(ending.outcome, ending.ended_by, judged, images, late=late, doubts=ending.doubts)
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
            limits=SimpleNamespace(lease_seconds=15.0),
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
        """End a stream with a running attempt by each error in turn; return its ends."""

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


# The disclosure of outcomes to the app.

SUCCESS = CheckVerdict(CheckStatus.SUCCESS, ())
FAILURE = CheckVerdict(CheckStatus.FAILURE, (FailureReason.SPOOF,))
ADVICE = ("NO_FACE", "TURN_HEAD_SLIGHTLY")
SHOWN = ("TOO_DARK", "GOOD", "MOVE_CLOSER")


def _reported(
    status: ScanStatus, disclosure: AppDisclosure, *, shown: Sequence[str] = SHOWN
) -> tuple[str, ...]:
    return feedback_for_app(advice=ADVICE, shown=shown, status=status, disclosure=disclosure)


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
def test_an_app_that_may_know_nothing_is_measured_that_it_is_over(verdict: CheckVerdict) -> None:
    assert final_status(verdict, AppDisclosure.NOTHING) is ScanStatus.COMPLETED
    assert _reported(ScanStatus.COMPLETED, AppDisclosure.NOTHING) == ()


@pytest.mark.parametrize("disclosure", [AppDisclosure.PASS_FAIL, AppDisclosure.PASS_FAIL_AND_HINTS])
def test_others_get_pass_or_fail(disclosure: AppDisclosure) -> None:
    assert final_status(SUCCESS, disclosure) is ScanStatus.SUCCESS
    assert final_status(FAILURE, disclosure) is ScanStatus.FAILURE


def test_a_failure_discloses_only_earlier_feedback() -> None:
    reported = _reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS)
    assert reported == ("FAILED", "TOO_DARK", "MOVE_CLOSER")
    assert _reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS, shown=()) == ("FAILED",)
    assert _reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL) == ()
    assert _reported(ScanStatus.SUCCESS, AppDisclosure.PASS_FAIL_AND_HINTS) == ()


@pytest.mark.parametrize(
    ("advice", "shown", "reported"),
    [
        *(
            ((slow, *ADVICE), SHOWN, ("FAILED", slow, "TOO_DARK", "MOVE_CLOSER"))
            for slow in ("CAPTURE_TOO_SLOW", "NETWORK_TOO_SLOW", "SERVER_BUSY")
        ),
        # Something else came first, which blames no line, and names a slow camera all the same.
        (("MOVE_CLOSER", "NETWORK_TOO_SLOW"), ("MOVE_CLOSER",), ("FAILED", "MOVE_CLOSER")),
        (
            ("MOVE_CLOSER", "CAPTURE_TOO_SLOW"),
            ("MOVE_CLOSER", "CAPTURE_TOO_SLOW"),
            ("FAILED", "CAPTURE_TOO_SLOW", "MOVE_CLOSER"),
        ),
    ],
)
def test_a_failure_discloses_what_was_too_slow(
    advice: tuple[str, ...], shown: tuple[str, ...], reported: tuple[str, ...]
) -> None:
    disclosure = AppDisclosure.PASS_FAIL_AND_HINTS
    assert (
        feedback_for_app(advice=advice, shown=shown, status=ScanStatus.FAILURE, disclosure=disclosure)
        == reported
    )


def test_a_failure_discloses_at_most_eight_codes() -> None:
    many = [f"HINT_{number}" for number in range(20)]
    assert len(_reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS, shown=many)) == 8


@pytest.mark.parametrize("disclosure", AppDisclosure)
def test_a_repeated_attempt_comes_with_advice(disclosure: AppDisclosure) -> None:
    assert _reported(ScanStatus.RETRY, disclosure) == ADVICE


# The app cannot infer the cause of a failure over the wire, neither from codes nor from the time.

_GRACE_SECONDS = 2
_SHOWN_BY_ALL = {feedback_pb2.FEEDBACK_CODE_GOOD}
_DEMANDS = """
[device.demands.android]
android_key = "required"
camera = "required"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def discreet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that waits for evidence that never arrives."""
    android = {
        "apps": [{"package": "org.example.bank", "certificate_sha256": ["ab" * 32]}],
        "revocation_file": "never-read.json",
    }
    settings = settings_for(
        tmp_path_factory.mktemp("discreet"), sandbox=False, device_integrity={"android": android}
    )
    folder = settings.policies.folder
    assert folder is not None
    write_policy(folder, "discreet", tables=_DEMANDS)
    path = folder / "discreet.toml"
    grace = f"[deadlines]\nattestation_grace_seconds = {_GRACE_SECONDS}\n"
    path.write_text(path.read_text().replace("[deadlines]\n", grace))
    async with serving(settings) as server:
        yield server


def _virtual() -> device_pb2.CameraProfile:
    camera = device_pb2.CameraProfile()
    camera.CopyFrom(camera_of(ANDROID))
    camera.label = "OBS Virtual Camera"
    return camera


_CAUSES: dict[str, tuple[Sequence[Picture], device_pb2.CameraProfile, str]] = {
    # The person and the device, and the reason that the orchestrator gets for the failure.
    "another person": (pictures("red-shirt"), camera_of(ANDROID), "NOT_SAME_PERSON"),
    "a spoof": (pictures(kind=ScanKind.FROZEN_FRAME), camera_of(ANDROID), "SPOOF"),
    "a virtual camera that shows too little": (pictures()[:10], _virtual(), "DEVICE_MANIPULATED"),
    "no evidence": (pictures(), camera_of(ANDROID), "DEVICE_NOT_TRUSTED"),
}


@pytest.mark.parametrize("name", some_fast(_CAUSES, step=len(_CAUSES)))
async def test_the_app_cannot_distinguish_causes_of_a_failure(discreet: LiveServer, name: str) -> None:
    shown, camera, reason = _CAUSES[name]
    upload = await discreet.upload(policy="discreet")
    stream = await RawDevice(discreet.device, upload).open(device=ANDROID, camera=camera)
    await stream.begin()
    await stream.send_frames(shown)
    began = time.monotonic()
    await stream.send(stream.end())
    result = await stream.result()
    waited = time.monotonic() - began
    assert await stream.outcome() is None

    assert reason in await reasons(discreet, upload.check_id)
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    hinted = {feedback.code for feedback in seen(stream, "feedback")}
    assert set(result.feedback) - {feedback_pb2.FEEDBACK_CODE_FAILED} == hinted - _SHOWN_BY_ALL
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_FAILED
    # All causes wait for the whole grace period, whatever was known before its end.
    assert waited >= _GRACE_SECONDS
