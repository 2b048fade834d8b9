"""Attempts without a signed end, and a store or database that is away: no failure of the person."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import verify_response
from lab.simulator.scene import ScanKind
from server.checks.recorder import CheckRecorder
from server.domain.terms import AttemptOutcome, CheckState, EndedBy, Mode, Plan
from server.evidence.store import EvidenceStore
from server.scan.endings import ScanDeadlinePassed
from server.scan.ends import ScanEnds
from server.scan.lease import HeldLease
from server.scan.timing import AttemptClocks
from server.storage.errors import StorageUnavailable
from server.storage.repository import CheckRepository
from server.storage.schema import upgrade
from server.verdict import FailureReason
from tests.sampling import some_fast
from tests.server.databases import PostgresServer, postgres_server
from tests.server.live import FAST, LiveServer, Picture, pictures, serving, settings_for
from tests.server.object_stores import silent_store
from tests.server.raw_device import Ended, RawDevice, RawStream, opened
from tests.server.refusals import Refused
from tests.server.scan.records import seen

# Attempts that end without a signature: an adverse judgement stands, however the connection was lost.
#
# The attack here is a frozen image, which is detected whatever colours are drawn.

_ENOUGH = 36
"""Images that are enough to decide an attempt that is left early, at ten per second."""

_TOO_FEW = 14
"""Images that are enough for an attempt to count, but not to decide against it."""

_GENUINE = pictures(count=_ENOUGH)
_ATTACK = pictures(kind=ScanKind.FROZEN_FRAME, count=_ENOUGH)
_SOMEBODY_ELSE_LATER = pictures("red-shirt", count=9 + _ENOUGH)
_SOMEBODY_ELSE = _SOMEBODY_ELSE_LATER[:_ENOUGH]

_SPOOF, _ANOTHER = FailureReason.SPOOF, FailureReason.NOT_SAME_PERSON
_MODES = {Mode.EXPRESS: scan_pb2.MODE_EXPRESS, Mode.DYNAMIC: scan_pb2.MODE_DYNAMIC}
_PLANS = {Mode.EXPRESS: Plan.EXPRESS, Mode.DYNAMIC: Plan.FLASH}
_FLASH = [scan_pb2.CAPABILITY_FLASH]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not end a stream that sends nothing: on a busy machine a newer one may come late."""
    monkeypatch.setattr(AttemptClocks, "require_activity", lambda *_: None)


@pytest_asyncio.fixture(loop_scope="session")
async def leased(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server on which the lease of an older stream lasts longer than a busy machine takes for a scan."""
    async with serving(settings_for(tmp_path), tuning=replace(FAST, lease_seconds=120.0)) as live:
        yield live


@pytest.fixture
def unnoticed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Until it is set, the first stream of a check does not notice that a newer one took its lease."""
    noticed, due = asyncio.Event(), vars(HeldLease)["due"]

    def later(lease: HeldLease) -> float:
        if noticed.is_set() or lease._record.lease_epoch > 1:
            return float(due.fget(lease))
        return lease._env.clock.monotonic() + 0.1

    monkeypatch.setattr(HeldLease, "due", property(later))
    return noticed


@dataclass(frozen=True)
class _Shown:
    """A stream whose first attempt has frames and was not ended."""

    check_id: str
    device: RawDevice
    stream: RawStream
    mode: Mode


async def _show(
    scene: LiveServer,
    shown: Sequence[Picture],
    *,
    mode: Mode = Mode.EXPRESS,
    policy: str = "",
    frames: int = _ENOUGH,
) -> _Shown:
    check_id, device, stream = await opened(scene, {"capabilities": _FLASH}, mode=_MODES[mode], policy=policy)
    await stream.begin()
    await stream.send_frames(shown[:frames])
    await stream.taken(frames)
    return _Shown(check_id, device, stream, mode)


async def _assert_stands(
    scene: LiveServer, shown: _Shown, reason: FailureReason, ended_by: EndedBy, *also: FailureReason
) -> None:
    """Assert that the left attempt decided the check, which is closed to its device."""
    record = await scene.record(shown.check_id)
    assert record.state is CheckState.DECIDED
    assert record.reasons
    assert record.reasons[: len(also) + 1] == (*also, reason)
    assert FailureReason.ABANDONED not in record.reasons
    attempt, *_ = await scene.attempts(shown.check_id)
    assert attempt.outcome is AttemptOutcome.DECIDED
    assert (attempt.mode, attempt.plan) == (shown.mode, _PLANS[shown.mode])
    assert attempt.ended_by is ended_by
    answer = await scene.finish(shown.check_id, audit_images=2)
    result = answer.result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.liveness.used_mode == _MODES[shown.mode]
    assert not result.transcript.intact
    assert result.transcript.frames >= result.transcript.frames_examined > 0
    reported = result.attempts[0]
    assert reported.mode == _MODES[shown.mode]
    assert reported.plan == scan_pb2.Plan.Value(f"PLAN_{_PLANS[shown.mode]}")
    assert reported.ended_by == result_pb2.AttemptSummary.EndedBy.Value(f"ENDED_BY_{ended_by}")
    assert reported.verdict == result.liveness.verdict
    assert reported.outcome == result_pb2.AttemptSummary.OUTCOME_DECIDED
    if reason is _SPOOF:
        assert result.liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    if reason is _ANOTHER:
        assert not result.match.same_person
    assert answer.evidence_frame.sha256 == result.evidence_frame.sha256
    assert len(answer.audit_images) == 2
    assert (await shown.device.refusal()).reason == "CHECK_CLOSED"


async def _vanishes(stream: RawStream) -> EndedBy:
    await stream.vanish()
    return EndedBy.CONNECTION_LOST


async def _half_closes(stream: RawStream) -> EndedBy:
    await stream.half_close()
    assert await stream.outcome() is None
    return EndedBy.HALF_CLOSED


async def _breaks_a_rule(stream: RawStream) -> EndedBy:
    await stream.prove()
    refusal = await stream.refusal()
    assert refusal.reason == "UNEXPECTED_MESSAGE"
    return EndedBy.REFUSED


Leave = Callable[[RawStream], Awaitable[EndedBy]]


@pytest.mark.parametrize(
    ("mode", "leave"),
    [
        (Mode.EXPRESS, _vanishes),
        pytest.param(Mode.EXPRESS, _half_closes, marks=pytest.mark.slow),
        (Mode.DYNAMIC, _breaks_a_rule),
    ],
)
async def test_a_detected_attack_counts_after_an_early_departure(
    scene: LiveServer, mode: Mode, leave: Leave
) -> None:
    shown = await _show(scene, _ATTACK, mode=mode)
    ended_by = await leave(shown.stream)
    await scene.unattended()
    await _assert_stands(scene, shown, _SPOOF, ended_by)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (_SOMEBODY_ELSE, _ANOTHER),
        ([*_GENUINE[:9], *_SOMEBODY_ELSE[9:]], FailureReason.IDENTITY_CHANGED),
    ],
    ids=["from the start", "later"],
)
async def test_a_detected_other_person_counts_after_an_early_departure(
    scene: LiveServer, sent: Sequence[Picture], reason: FailureReason
) -> None:
    shown = await _show(scene, sent)
    await shown.stream.vanish()
    await scene.unattended()
    await _assert_stands(scene, shown, reason, EndedBy.CONNECTION_LOST)


async def test_a_broken_transcript_is_reported_beside_the_attack(scene: LiveServer) -> None:
    shown = await _show(scene, _ATTACK)
    await shown.stream.send(shown.stream.end(frame_count=3))
    refusal = await shown.stream.refusal()
    assert refusal.reason == "ATTEMPT_END_INVALID"
    await scene.unattended()
    await _assert_stands(scene, shown, _SPOOF, EndedBy.REFUSED, FailureReason.TRANSCRIPT_BROKEN)


@pytest.mark.parametrize(
    "shown", some_fast([_ATTACK, _SOMEBODY_ELSE], step=2), ids=["attack", "another person"]
)
async def test_too_short_a_scan_never_counts_against_the_person(
    scene: LiveServer, shown: Sequence[Picture]
) -> None:
    left = await _show(scene, shown, frames=_TOO_FEW)
    await left.stream.vanish()
    await scene.reaches(left.check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(left.check_id)
    assert attempt.counted, "it costs an attempt"
    result = (await scene.finish(left.check_id, close_now=True)).result
    assert list(result.reasons) == [result_pb2.FAILURE_REASON_ABANDONED]
    assert not result.HasField("liveness")
    assert result.match.frames_used == 0
    assert not result.match.HasField("similarity")
    (reported,) = result.attempts
    assert reported.outcome == result_pb2.AttemptSummary.OUTCOME_INTERRUPTED
    assert reported.verdict == result_pb2.LIVENESS_VERDICT_UNSPECIFIED
    assert reported.frames == _TOO_FEW


async def test_withholding_the_end_does_not_prevent_the_judgement(scene: LiveServer) -> None:
    shown = await _show(scene, _ATTACK)
    await shown.stream.wait_complete()
    scene.world.pass_by(FAST.end_seconds)
    refusal = await shown.stream.refusal()
    assert refusal.reason == "STREAM_IDLE"
    await _assert_stands(scene, shown, _SPOOF, EndedBy.REFUSED)


async def test_the_deadline_does_not_hide_an_attack(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = await _show(scene, _ATTACK, mode=Mode.DYNAMIC)

    async def passed(_lease: HeldLease) -> None:
        raise ScanDeadlinePassed

    with monkeypatch.context() as patch:
        patch.setattr(HeldLease, "renew", passed)
        assert await shown.stream.outcome() is None
    assert shown.stream.goodbyes() == ["DEADLINE"]
    await _assert_stands(scene, shown, _SPOOF, EndedBy.DEADLINE)


@pytest.mark.usefixtures("patience")
async def test_a_stream_that_is_fenced_and_silent_is_judged_before_the_newer_one_is_far(
    leased: LiveServer, unnoticed: asyncio.Event
) -> None:
    shown = await _show(leased, _ATTACK)
    newer = await shown.device.resume()
    await newer.begin()
    unnoticed.set()
    await leased.reaches(shown.check_id, CheckState.DECIDED)
    await shown.stream.outcome()
    refusal = await newer.refusal()
    assert refusal.reason == "CHECK_CLOSED"
    await _assert_stands(leased, shown, _SPOOF, EndedBy.SUPERSEDED)


@pytest.mark.usefixtures("patience")
async def test_a_faster_newer_stream_waits_for_findings_of_the_older(
    leased: LiveServer, unnoticed: asyncio.Event
) -> None:
    shown = await _show(leased, _SOMEBODY_ELSE)
    newer = await shown.device.resume()
    await newer.begin()
    # Faster than any camera, and finished before the older stream can notice that it was superseded.
    await newer.send_frames(_GENUINE)
    await newer.send(newer.end())
    unnoticed.set()
    refusal = await newer.refusal()
    assert refusal.reason == "CHECK_CLOSED"
    await shown.stream.outcome()
    await leased.unattended()
    await _assert_stands(leased, shown, _ANOTHER, EndedBy.SUPERSEDED)
    answer = await leased.finish(shown.check_id)
    assert [attempt.ended_by for attempt in answer.result.attempts] == [
        result_pb2.AttemptSummary.ENDED_BY_SUPERSEDED,
        result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED,
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("patience")
async def test_an_older_attempt_ends_with_the_decision_that_it_brings(
    leased: LiveServer, unnoticed: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = CheckRecorder.decide

    async def slowly(recorder: CheckRecorder, *args: Any, epoch: int | None, **kwargs: Any) -> Any:
        if epoch is None:
            # Without the wait, a newer stream would decide the check by its own attempt.
            await asyncio.sleep(1.0)
        return await decide(recorder, *args, epoch=epoch, **kwargs)

    monkeypatch.setattr(CheckRecorder, "decide", slowly)
    shown = await _show(leased, _ATTACK)
    newer = await shown.device.resume()
    await newer.begin()
    await newer.send_frames(_GENUINE)
    await newer.send(newer.end())
    unnoticed.set()
    refusal = await newer.refusal()
    assert refusal.reason == "CHECK_CLOSED"
    await shown.stream.outcome()
    await leased.unattended()
    await _assert_stands(leased, shown, _SPOOF, EndedBy.SUPERSEDED)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("frames", [_ENOUGH, 4])
async def test_a_newer_stream_that_leaves_at_once_hides_nothing(scene: LiveServer, frames: int) -> None:
    shown = await _show(scene, _SOMEBODY_ELSE, frames=frames)
    newer = await shown.device.resume()
    await newer.half_close()
    await newer.outcome()
    await shown.stream.outcome()
    await scene.unattended()
    if frames == _ENOUGH:
        await _assert_stands(scene, shown, _ANOTHER, EndedBy.SUPERSEDED)
        return
    result = (await scene.finish(shown.check_id)).result
    # The device left; the server has no fault.
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.reasons == [result_pb2.FAILURE_REASON_ABANDONED]
    assert result.attempts[0].ended_by == result_pb2.AttemptSummary.ENDED_BY_SUPERSEDED


async def test_an_earlier_result_does_not_keep_a_later_attack_from_standing(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, {"capabilities": _FLASH})
    assert (await stream.run_attempt(_GENUINE[:9])).another_attempt
    await stream.begin()
    await stream.send_frames(_SOMEBODY_ELSE_LATER[9:])
    await stream.taken(_ENOUGH)
    await stream.vanish()
    await scene.unattended()
    answer = await scene.finish(check_id)
    assert answer.result.reasons[0] == result_pb2.FAILURE_REASON_NOT_SAME_PERSON
    summary = result_pb2.AttemptSummary
    assert [(each.outcome, each.ended_by) for each in answer.result.attempts] == [
        (summary.OUTCOME_RETRY, summary.ENDED_BY_SIGNED),
        (summary.OUTCOME_DECIDED, summary.ENDED_BY_CONNECTION_LOST),
    ]
    assert answer.result.attempts[0].verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert answer.result.attempts[0].feedback


async def test_a_genuine_scan_continues_after_a_lost_connection(scene: LiveServer) -> None:
    shown = await _show(scene, _GENUINE)
    await shown.stream.vanish()
    await scene.unattended()
    assert (await scene.record(shown.check_id)).state is CheckState.WAITING
    (attempt,) = await scene.attempts(shown.check_id)
    assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.CONNECTION_LOST)
    assert attempt.verdict is not None
    again = await shown.device.resume()
    assert (await again.run_attempt(_GENUINE)).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None


# A store that fails during a scan: it is no failure of the person, and adverse judgements stand.

_Summary = result_pb2.AttemptSummary
_Problem = service_pb2.EvidenceProblem
_BEFORE = 10
"""Frames before the store fails; images are stored once there are enough frames."""


@contextmanager
def _store_away(live: LiveServer) -> Iterator[None]:
    """Make the store fail every read and write inside the block."""
    folder = Path(live.settings.objects_url)
    away = folder.with_name("away")
    folder.rename(away)
    folder.write_bytes(b"")
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


async def _begun_before_a_fault(scene: LiveServer, **upload: Any) -> tuple[str, RawDevice, RawStream]:
    """A check, its device and a stream with some of the frames."""
    check_id, device, stream = await opened(scene, **upload)
    await stream.begin()
    await stream.send_frames(pictures()[:_BEFORE])
    return check_id, device, stream


async def _send_rest(stream: RawStream) -> Refused:
    await stream.send_frames(pictures()[_BEFORE:])
    await stream.send(stream.end())
    return await _ended(stream)


async def _ended(stream: RawStream) -> Refused:
    """Return how the server ended a stream that waits for its result."""
    with pytest.raises(Ended) as caught:
        await stream.result()
    assert caught.value.refusal is not None
    return caught.value.refusal


async def _undecided(live: LiveServer, check_id: str, reason: str) -> service_pb2.FinishCheckResponse:
    """Return the result of FinishCheck, which must be signed and not concern the person."""
    answer = await live.finish(check_id, close_now=True, audit_images=2)
    result = answer.result
    assert result.status == result_pb2.CHECK_STATUS_NOT_DECIDED
    assert [result_pb2.FailureReason.Name(each) for each in result.reasons] == [f"FAILURE_REASON_{reason}"]
    assert not result.HasField("liveness")
    assert not result.HasField("match")
    keys = await fetch_key_set(f"http://127.0.0.1:{live.server.admin_port}/.well-known/jwks.json")
    assert verify_response(answer, keys, check_id=check_id, accept_sandbox=True) == result
    return answer


async def test_an_unavailable_store_is_no_failure_of_the_person(scene: LiveServer) -> None:
    check_id, _, stream = await _begun_before_a_fault(scene, policy="once")
    with _store_away(scene):
        refusal = await _send_rest(stream)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
        assert refusal.retry_seconds
        assert stream.goodbyes() == ["SERVER_FAULT"]
        assert seen(stream, "goodbye")[0].HasField("reconnect_after")
        await scene.reaches(check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(check_id)
    assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.SERVER_FAULT)
    assert not attempt.counted
    assert attempt.judgement is None
    assert attempt.verdict is None
    assert await scene.evidence(check_id) == ()

    answer = await _undecided(scene, check_id, "SERVER_FAULT")

    (summary,) = answer.result.attempts
    assert summary.ended_by == _Summary.ENDED_BY_SERVER_FAULT
    assert summary.verdict == result_pb2.LIVENESS_VERDICT_UNSPECIFIED
    assert not answer.HasField("evidence_frame")


@pytest.mark.slow
async def test_a_hanging_store_is_no_failure_of_the_person_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with silent_store() as silent:
        for name, value in silent.environment.items():
            monkeypatch.setenv(name, value)
        settings = settings_for(tmp_path, storage={"objects_url": "s3://evidence"})
        async with serving(settings) as live:
            check_id, _, stream = await opened(live, policy="once")
            await stream.begin()
            await stream.send_frames(pictures())
            begun = time.monotonic()
            await stream.send(stream.end())
            refusal = await _ended(stream)
            assert time.monotonic() - begun < 60
            assert any(line.startswith(b"PUT /evidence/evidence/") for line in silent.asked)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
            assert stream.goodbyes() == ["SERVER_FAULT"]
            (attempt,) = await live.attempts(check_id)
            assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.SERVER_FAULT)
            assert not attempt.counted
            await _undecided(live, check_id, "SERVER_FAULT")


async def test_a_return_after_a_fault_loses_no_attempt(scene: LiveServer) -> None:
    check_id, device, stream = await _begun_before_a_fault(scene, policy="once")
    with _store_away(scene):
        await _send_rest(stream)
    again = await device.resume()
    assert again.challenge.attempts_remaining == 1
    result = await again.run_attempt(pictures())
    assert await again.outcome() is None
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    answer = await scene.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert [summary.ended_by for summary in answer.result.attempts] == [
        _Summary.ENDED_BY_SERVER_FAULT,
        _Summary.ENDED_BY_SIGNED,
    ]


async def test_giving_up_after_a_fault_is_not_judged(scene: LiveServer) -> None:
    check_id, device, stream = await _begun_before_a_fault(scene)
    with _store_away(scene):
        await _send_rest(stream)
    again = await device.resume()
    await again.begin()
    await again.half_close()
    assert await again.outcome() is None
    await _undecided(scene, check_id, "SERVER_FAULT")


async def test_findings_against_the_person_survive_a_store_fault(scene: LiveServer) -> None:
    sent = pictures("red-shirt")
    check_id, _, stream = await opened(scene)
    await stream.begin()
    await stream.send_frames(sent[:_BEFORE])
    with _store_away(scene):
        await stream.send_frames(sent[_BEFORE:])
        await stream.send(stream.end())
        result = await stream.result()
        assert result.status == scan_pb2.SCAN_STATUS_FAILURE
        assert await stream.outcome() is None
        answer = await scene.finish(check_id)
        assert {problem.kind for problem in answer.evidence_problems} == {_Problem.KIND_UNAVAILABLE}
    answer = await scene.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result_pb2.FAILURE_REASON_NOT_SAME_PERSON in answer.result.reasons
    # The result names the adverse frame, and FinishCheck reports that its image is lost.
    assert not answer.HasField("evidence_frame")
    assert [(problem.kind, problem.picture) for problem in answer.evidence_problems] == [
        (_Problem.KIND_LOST, answer.result.evidence_frame)
    ]


async def test_a_device_that_leaves_is_not_excused_by_a_store_that_is_away(scene: LiveServer) -> None:
    check_id, _, stream = await _begun_before_a_fault(scene)
    await stream.taken(_BEFORE)
    with _store_away(scene):
        await stream.vanish()
        await scene.reaches(check_id, CheckState.WAITING)
        answer = await scene.finish(check_id, close_now=True)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert answer.result.reasons[0] == result_pb2.FAILURE_REASON_ABANDONED
    (summary,) = answer.result.attempts
    assert summary.ended_by == _Summary.ENDED_BY_CONNECTION_LOST
    assert summary.verdict != result_pb2.LIVENESS_VERDICT_UNSPECIFIED


@pytest.mark.parametrize(("write", "frames"), [("start_attempt", 1), ("count_attempt", 8)])
async def test_a_database_error_is_recorded_in_the_attempt(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch, write: str, frames: int
) -> None:
    genuine = getattr(CheckRepository, write)
    failed: list[str] = []

    async def failing(*args: Any, **kwargs: Any) -> Any:
        if not failed:
            failed.append(write)
            raise StorageUnavailable("the database failed")
        return await genuine(*args, **kwargs)

    check_id, _, stream = await opened(scene)
    monkeypatch.setattr(CheckRepository, write, failing)
    await stream.begin()
    await stream.send_frames(pictures()[:frames])
    refusal = await _ended(stream)
    assert refusal.reason == "NOT_SERVING"
    assert failed
    await scene.reaches(check_id, CheckState.WAITING)
    (attempt,) = await scene.attempts(check_id)
    assert (attempt.ended_by, attempt.counted) == (EndedBy.SERVER_FAULT, False)
    await _undecided(scene, check_id, "SERVER_FAULT")


async def test_a_fault_that_shows_after_the_device_came_back_is_still_a_fault(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, concluding = asyncio.Event(), asyncio.Event()
    genuine, conclude = EvidenceStore.put, ScanEnds.conclude

    async def concluded(ends: ScanEnds, *args: Any) -> Any:
        concluding.set()
        return await conclude(ends, *args)

    async def fail_the_first(store: EvidenceStore, *picture: Any) -> None:
        # The other images of the attempt were stored and must be deleted.
        if storing.is_set():
            await genuine(store, *picture)
            return
        storing.set()
        await asyncio.sleep(1.5)
        raise StorageUnavailable("the object store failed")

    check_id, device, stream = await opened(scene)
    await stream.begin()
    with monkeypatch.context() as patched:
        patched.setattr(EvidenceStore, "put", fail_the_first)
        patched.setattr(ScanEnds, "conclude", concluded)
        await stream.send_frames(pictures())
        await stream.send(stream.end())
        await storing.wait()
        await concluding.wait()
    # The device does not wait as long as the server.
    await stream.vanish()
    again = await device.resume()
    result = await again.run_attempt(pictures())
    assert await again.outcome() is None
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    first, second = await scene.attempts(check_id)
    assert (first.ended_by, first.counted) == (EndedBy.SERVER_FAULT, False)
    assert (second.ended_by, second.counted) == (EndedBy.SIGNED, True)


# A database that is away for seconds in the middle of scans: no failure of the person.

_AWAY_SECONDS = 5.0
_OUTAGE_BEFORE = 12
"""Frames before the database fails: the attempt counts already."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outage(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[LiveServer, PostgresServer]]:
    """A server over a PostgreSQL of its own."""
    folder: Path = tmp_path_factory.mktemp("outage")
    with postgres_server() as postgres:
        url = await postgres.new_database()
        await upgrade(url)
        async with serving(
            settings_for(folder, storage={"database_url": url}),
            tuning=replace(FAST, lease_seconds=60.0),
        ) as live:
            yield live, postgres


async def _fault(outage: tuple[LiveServer, PostgresServer], shown: Sequence[Picture], *, signed: bool) -> str:
    """A check whose scan an outage of seconds ended; the database is back."""
    live, postgres = outage
    check_id, _, stream = await opened(live, policy="once")
    await stream.begin()
    shown = shown if signed else shown[:_OUTAGE_BEFORE]
    await stream.send_frames(shown)
    await stream.taken(len(shown))
    await asyncio.to_thread(postgres.kill)
    try:
        if signed:
            with suppress(Ended):
                await stream.send(stream.end())
        # The device does not wait for the database, and the server may notice the outage before the device
        # signs the end, or when it judges.
        assert (await _ended(stream)).reason == "NOT_SERVING"
        assert stream.goodbyes() == ["SERVER_FAULT"]
        await asyncio.sleep(_AWAY_SECONDS)
    finally:
        await asyncio.to_thread(postgres.start)
    return check_id


@pytest.mark.slow
@pytest.mark.parametrize(("signed", "close_now"), [(False, False), (True, True)])
async def test_an_outage_during_a_scan_is_not_decided(
    outage: tuple[LiveServer, PostgresServer], *, signed: bool, close_now: bool
) -> None:
    live, _ = outage
    check_id = await _fault(outage, pictures(), signed=signed)
    if not close_now:
        await live.reaches(check_id, CheckState.WAITING)
    answer = await live.finish(check_id, close_now=close_now)
    assert answer.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED
    assert list(answer.result.reasons) == [result_pb2.FAILURE_REASON_SERVER_FAULT]
    keys = await fetch_key_set(f"http://127.0.0.1:{live.server.admin_port}/.well-known/jwks.json")
    assert verify_response(answer, keys, check_id=check_id, accept_sandbox=True) == answer.result
    (attempt,) = await live.attempts(check_id)
    assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.SERVER_FAULT)
    assert not attempt.counted
