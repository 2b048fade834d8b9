"""Doubt over the wire: it leads to a challenge, in this stream and in every later one.

The pack is for evaluation, so that its networks are never sure.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2

from facegate_protocol.texts import VERDICTS
from liveness import FusionModel, VerdictReason, load_fusion_model
from server.domain.terms import AttemptOutcome, CheckState, EndedBy, Plan
from server.scan.attempt import AttemptClocks, AttemptRun
from server.scan.ends import await_older_streams
from server.scan.environment import ScanEnvironment
from server.storage.records import AttemptRecord
from tests.server.live import (
    FAST,
    PLAN,
    LiveServer,
    Picture,
    encoded_anew,
    fresh_pictures,
    pictures,
    serving,
    settings_for,
)
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice, RawStream, opened

_FLASH, _OVAL = scan_pb2.CAPABILITY_FLASH, scan_pb2.CAPABILITY_OVAL_CHANGE
_NOT_SURE = (VerdictReason.NOT_SURE,)
_ONLY_SURE = feedback_pb2.FEEDBACK_CODE_ENVIRONMENT_NOT_SUPPORTED
_CANCELLED = scan_pb2.AttemptEndBody.CAUSE_CANCELLED


def _told(stream: RawStream) -> bool:
    """Return whether the device got the hint that only a scan beyond doubt can succeed."""
    return any(m.WhichOneof("message") == "feedback" and m.feedback.code == _ONLY_SURE for m in stream.seen)


def _later(seconds: int) -> list[Picture]:
    """The scan, taken anew so many seconds later in the stream."""
    return [replace(each, time_us=each.time_us + seconds * 1_000_000) for each in fresh_pictures()]


async def _resume(device: RawDevice, capabilities: Iterable[Any]) -> RawStream:
    stream = await device.open(resume=True, capabilities=list(capabilities))
    await stream.prove()
    return stream


async def _reasons(scene: LiveServer, check_id: str) -> list[str]:
    reasons = (await scene.finish(check_id)).result.reasons
    return [result_pb2.FailureReason.Name(each).removeprefix("FAILURE_REASON_") for each in reasons]


async def test_doubt_leads_to_the_flash_in_the_same_stream(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, {"capabilities": [_FLASH]}, policy="standard")
    assert stream.challenge.mode == scan_pb2.MODE_EXPRESS
    assert (stream.challenge.attempts_remaining, (await stream.begin()).plan) == (3, scan_pb2.PLAN_EXPRESS)
    result = await stream.run_rest(fresh_pictures())
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    # One of three is used up, and doubt allows one more.
    assert result.attempts_remaining == 3
    assert not _told(stream)
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    (attempt,) = await scene.attempts(check_id)
    assert (attempt.outcome, attempt.doubts) == (AttemptOutcome.RETRY, _NOT_SURE)
    await stream.vanish()


async def test_an_attempt_is_reserved_for_the_challenge(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, {"capabilities": [_OVAL]}, policy="doubting")
    assert stream.challenge.attempts_remaining == 1
    result = await stream.run_attempt(fresh_pictures())
    assert (result.another_attempt, result.attempts_remaining) == (True, 1)
    assert (await stream.begin()).plan == scan_pb2.PLAN_MOVEMENT
    # Nobody fills the ovals.
    assert not (await stream.run_rest(_later(10))).another_attempt
    assert await stream.outcome() is None
    first, second = await scene.attempts(check_id)
    assert (first.plan, second.plan) == (Plan.EXPRESS, Plan.MOVEMENT)
    assert await _reasons(scene, check_id) == ["CONDITIONS", "LIVENESS_INCONCLUSIVE"]
    # Who reads the result learns why there was a challenge.
    *found, doubt = (await scene.finish(check_id)).result.liveness.explanations
    assert found
    assert doubt.endswith(f"resolved: {VERDICTS[VerdictReason.NOT_SURE]}")
    assert VERDICTS[VerdictReason.NOT_SURE] not in found


async def test_a_device_without_challenges_is_told_so_and_fails_without_being_called_a_spoof(
    scene: LiveServer,
) -> None:
    check_id, _, stream = await opened(scene, policy="standard")
    result = await stream.run_attempt(fresh_pictures())
    assert _told(stream)
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    assert _ONLY_SURE in result.feedback
    assert await stream.outcome() is None
    # Doubt is left, and not bad light, so the check counts as failed.
    assert await _reasons(scene, check_id) == ["LIVENESS_INCONCLUSIVE"]


async def test_a_policy_without_challenges_for_doubt_behaves_as_written(scene: LiveServer) -> None:
    _, _, stream = await opened(scene, policy="evaluation")
    result = await stream.run_attempt(fresh_pictures())
    assert not _told(stream)
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS


async def test_doubt_outlasts_a_lost_connection(scene: LiveServer) -> None:
    shown = fresh_pictures()
    check_id, device, stream = await opened(scene, {"capabilities": [_FLASH]}, policy="standard")
    await stream.begin()
    await stream.send_frames(shown)
    await stream.taken(len(shown))
    await stream.vanish()
    await scene.reaches(check_id, CheckState.WAITING)
    (left,) = await scene.attempts(check_id)
    assert (left.outcome, left.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.CONNECTION_LOST)
    assert left.doubts == _NOT_SURE
    refusal = await device.refusal()
    assert refusal.reason == "CAPABILITY_MISSING"
    again = await _resume(device, [_FLASH])
    assert again.challenge.mode == scan_pb2.MODE_DYNAMIC
    assert (await again.begin()).plan == scan_pb2.PLAN_FLASH
    await again.vanish()


async def test_who_declines_every_challenge_is_not_scanned_without_one(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, {"capabilities": [_FLASH, _OVAL]}, policy="standard")
    assert (await stream.run_attempt(fresh_pictures())).another_attempt
    for plan, another in ((scan_pb2.PLAN_FLASH, True), (scan_pb2.PLAN_MOVEMENT, False)):
        assert (await stream.begin()).plan == plan
        await stream.send(stream.end(cause=_CANCELLED))
        result = await stream.result()
        assert result.another_attempt is another
    assert await stream.outcome() is None
    assert (await _reasons(scene, check_id))[0] == "CANCELLED"


async def test_an_attempt_too_short_to_count_does_not_lead_back(scene: LiveServer) -> None:
    _, _, stream = await opened(scene, {"capabilities": [_FLASH]}, policy="standard")
    await stream.run_attempt(fresh_pictures())
    for nth in (1, 2):
        assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
        assert (await stream.run_rest(_later(10 * nth)[:3])).another_attempt
    await stream.vanish()


def _sure_model() -> FusionModel:
    model = load_fusion_model()
    known = dict(model.scan_networks.known)
    names = frozenset({"facegate_pad_v1"})
    known[names] = replace(known[names], sure=60.0)
    return replace(model, scan_networks=replace(model.scan_networks, known=MappingProxyType(known)))


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends no stream and no attempt by the clock: on a busy machine frames may come late."""
    monkeypatch.setattr(AttemptClocks, "require_activity", lambda *_: None)
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose networks may be sure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.running.assembly.load_fusion_model", _sure_model)
        async with serving(settings_for(tmp_path_factory.mktemp("sure"))) as server:
            yield server


async def test_a_scan_beyond_doubt_needs_no_challenge(sure: LiveServer) -> None:
    check_id, _, stream = await opened(sure, policy="standard")
    assert (await stream.run_attempt(fresh_pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert _told(stream), "no challenge could have followed"
    (attempt,) = await sure.attempts(check_id)
    assert attempt.doubts == ()


async def test_a_faster_newer_stream_does_not_hide_the_doubt_of_an_older_one(
    sure: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(
        env: ScanEnvironment, check_id: UUID, attempts: tuple[AttemptRecord, ...], *, run: AttemptRun
    ) -> tuple[AttemptRecord, ...]:
        attempts = await await_older_streams(env, check_id, attempts, run=run)
        older = replace(attempts[0], number=0, counted=False, ended_by=EndedBy.SUPERSEDED, doubts=_NOT_SURE)
        return (older, *attempts)

    monkeypatch.setattr("server.scan.ends.await_older_streams", found)
    _, _, stream = await opened(sure, {"capabilities": [_FLASH]}, policy="standard")
    result = await stream.run_attempt(fresh_pictures())
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    await stream.vanish()


_LONGER = replace(FAST, plan=replace(PLAN, frames=26, seconds=2.5))
"""Long enough to compare movements."""


@pytest_asyncio.fixture(loop_scope="session")
async def remembering(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server without earlier scans, whose networks may be sure and whose callers are real ones."""
    settings = settings_for(tmp_path, sandbox=False)
    write_policy(tmp_path / "policies", "asking", challenges=["flash", "movement"], tolerate=())
    write_policy(tmp_path / "policies", "waived", challenges=["flash", "movement"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.running.assembly.load_fusion_model", _sure_model)
        async with serving(settings, tuning=_LONGER) as server:
            yield server


async def _succeeds(live: LiveServer, shown: Sequence[Picture], policy: str) -> None:
    _, _, stream = await opened(live, {"capabilities": [_FLASH, _OVAL]}, policy=policy)
    assert (await stream.run_attempt(shown)).status == scan_pb2.SCAN_STATUS_SUCCESS
    await stream.outcome()
    await live.unattended()


async def test_a_recording_of_an_earlier_scan_is_asked_for_light(remembering: LiveServer) -> None:
    shown = fresh_pictures(pictures(count=36))
    await _succeeds(remembering, shown, "asking")
    check_id, _, stream = await opened(remembering, {"capabilities": [_FLASH, _OVAL]}, policy="asking")
    result = await stream.run_attempt(encoded_anew(shown))
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    # A recording can be moved and scaled to fill the ovals.
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    (attempt,) = await remembering.attempts(check_id)
    assert attempt.doubts == (VerdictReason.SIMILAR_TO_EARLIER_SCAN,)
    await stream.vanish()


async def test_a_recording_on_a_device_without_light_fails_and_is_not_called_manipulated(
    remembering: LiveServer,
) -> None:
    shown = fresh_pictures(pictures(count=36))
    await _succeeds(remembering, shown, "asking")
    check_id, _, stream = await opened(remembering, {"capabilities": [_OVAL]}, policy="asking")
    result = await stream.run_attempt(encoded_anew(shown))
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    assert await stream.outcome() is None
    assert await _reasons(remembering, check_id) == ["LIVENESS_INCONCLUSIVE"]


async def test_similarity_is_no_doubt_where_the_policy_tolerates_frames_of_earlier_checks(
    remembering: LiveServer,
) -> None:
    shown = fresh_pictures(pictures(count=36))
    await _succeeds(remembering, shown, "waived")
    await _succeeds(remembering, encoded_anew(shown), "waived")
