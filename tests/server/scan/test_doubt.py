"""Doubt over the wire, which leads to a challenge in this and every later stream, and the early look.

The pack is for evaluation, so that its networks are never sure.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from facegate.v1 import feedback_pb2, scan_pb2

from attempt import AttemptEvidence, AttemptJudgement, judge_attempt
from attempt.placement import CapturePlan
from facegate_protocol.texts import VERDICTS
from liveness import DoubtTerms, FusionModel, Verdict, VerdictReason, load_fusion_model
from server.configuration.settings import Settings
from server.domain.terms import AttemptOutcome, CheckState, EndedBy, Plan
from server.scan.attempt import AttemptRun
from server.scan.ends import await_older_streams
from server.scan.environment import ScanEnvironment
from server.scan.judging import AttemptJudge
from server.scan.timing import AttemptClocks
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
from tests.server.raw_device import Ended, RawDevice, RawStream, opened
from tests.server.scan.records import hints, reasons

_FLASH, _OVAL = scan_pb2.CAPABILITY_FLASH, scan_pb2.CAPABILITY_OVAL_CHANGE
_FLASHES = {"capabilities": [_FLASH]}
_NOT_SURE = (VerdictReason.NOT_SURE,)
_ONLY_SURE = feedback_pb2.FEEDBACK_CODE_ENVIRONMENT_NOT_SUPPORTED
_CANCELLED = scan_pb2.AttemptEndBody.CAUSE_CANCELLED


def _told(stream: RawStream) -> bool:
    """Return whether the device got the hint that only a scan beyond doubt can succeed."""
    return "ENVIRONMENT_NOT_SUPPORTED" in hints(stream)


def _shown() -> tuple[Picture, ...]:
    """A genuine scan, long enough for an early look and to compare movements."""
    return fresh_pictures(pictures(count=36))


def _later(seconds: int) -> list[Picture]:
    """The scan, taken anew so many seconds later in the stream."""
    return [replace(each, time_us=each.time_us + seconds * 1_000_000) for each in fresh_pictures()]


async def _resume(device: RawDevice, capabilities: Iterable[Any]) -> RawStream:
    stream = await device.open(resume=True, capabilities=list(capabilities))
    await stream.prove()
    return stream


async def test_doubt_leads_to_the_flash_in_the_same_stream(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, _FLASHES, policy="standard")
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
    assert await reasons(scene, check_id) == ["CONDITIONS", "LIVENESS_INCONCLUSIVE"]
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
    assert await reasons(scene, check_id) == ["LIVENESS_INCONCLUSIVE"]


async def test_doubt_outlasts_a_lost_connection(scene: LiveServer) -> None:
    shown = fresh_pictures()
    check_id, device, stream = await opened(scene, _FLASHES, policy="standard")
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
    assert (await reasons(scene, check_id))[0] == "CANCELLED"


async def test_an_attempt_too_short_to_count_does_not_lead_back(scene: LiveServer) -> None:
    _, _, stream = await opened(scene, _FLASHES, policy="standard")
    await stream.run_attempt(fresh_pictures())
    for nth in (1, 2):
        assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
        assert (await stream.run_rest(_later(10 * nth)[:3])).another_attempt
    await stream.vanish()


def _sure_model(early: float | None = None) -> FusionModel:
    """The model with which the packaged network is sure, and from this confidence in an early look."""
    model = load_fusion_model()
    known = dict(model.scan_networks.known)
    names = frozenset({"facegate_pad_v1"})
    known[names] = replace(known[names], sure=60.0, sure_early=early)
    return replace(model, scan_networks=replace(model.scan_networks, known=MappingProxyType(known)))


@asynccontextmanager
async def _sure_server(
    settings: Settings, *, early: float | None = None, plan: CapturePlan = PLAN
) -> AsyncIterator[LiveServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.running.assembly.load_fusion_model", partial(_sure_model, early))
        async with serving(settings, tuning=replace(FAST, plan=plan)) as server:
            yield server


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends no stream and no attempt by the clock: on a busy machine frames may come late."""
    monkeypatch.setattr(AttemptClocks, "require_activity", lambda *_: None)
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose networks may be sure."""
    async with _sure_server(settings_for(tmp_path_factory.mktemp("sure"))) as server:
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
    _, _, stream = await opened(sure, _FLASHES, policy="standard")
    result = await stream.run_attempt(fresh_pictures())
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    await stream.vanish()


async def _succeeds(live: LiveServer, shown: Sequence[Picture], policy: str) -> None:
    _, _, stream = await opened(live, {"capabilities": [_FLASH, _OVAL]}, policy=policy)
    assert (await stream.run_attempt(shown)).status == scan_pb2.SCAN_STATUS_SUCCESS
    await stream.outcome()
    await live.unattended()


async def test_a_recording_on_a_device_without_light_fails_and_is_not_called_manipulated(
    strict: LiveServer,
) -> None:
    shown = _shown()
    await _succeeds(strict, shown, "asking")
    check_id, _, stream = await opened(strict, {"capabilities": [_OVAL]}, policy="asking")
    result = await stream.run_attempt(encoded_anew(shown))
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    assert await stream.outcome() is None
    assert await reasons(strict, check_id) == ["LIVENESS_INCONCLUSIVE"]


async def test_similarity_is_no_doubt_where_the_policy_tolerates_frames_of_earlier_checks(
    strict: LiveServer,
) -> None:
    shown = _shown()
    await _succeeds(strict, shown, "waived")
    await _succeeds(strict, encoded_anew(shown), "waived")


# The early look: it ends a clear scan, and leaves every other as it was.

_PLAN = CapturePlan(frames=30, seconds=3.0, early_seconds=2.0, motion_seconds=0.0)


@dataclass
class _Judged:
    """What was judged: the terms, and the seconds that the judge saw."""

    terms: list[DoubtTerms | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def judge(self, evidence: AttemptEvidence, **given: Any) -> AttemptJudgement:
        self.terms.append(given["doubt"])
        self.seconds.append(evidence.scan.duration)
        return judge_attempt(evidence, **given)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> _Judged:
    judged = _Judged()
    monkeypatch.setattr("server.scan.judging.judge_attempt", judged.judge)
    return judged


async def _early(folder: Path, line: float) -> AsyncIterator[LiveServer]:
    settings = settings_for(folder, sandbox=False)
    write_policy(folder / "policies", "asking", challenges=["flash", "movement"], tolerate=())
    write_policy(folder / "policies", "waived", challenges=["flash", "movement"])
    async with _sure_server(settings, early=line, plan=_PLAN) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def early(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server whose network is sure early."""
    async for server in _early(tmp_path, 60.0):
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def strict(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server whose network could be sure early, but is not of these scans."""
    async for server in _early(tmp_path, 100.0):
        yield server


async def _scan(live: LiveServer) -> tuple[scan_pb2.ScanResult, str]:
    check_id, _, stream = await opened(live, _FLASHES, policy="asking")
    result = await stream.run_attempt(_shown())
    assert await stream.outcome() is None or result.another_attempt
    return result, check_id


async def test_a_clear_scan_ends_early_and_is_judged_once(early: LiveServer, judged: _Judged) -> None:
    result, check_id = await _scan(early)
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert judged.terms == [DoubtTerms(early=True)]
    assert _PLAN.early_seconds <= judged.seconds[0] < 0.9 * _PLAN.seconds
    assert (await early.finish(check_id)).result.transcript.frames < _PLAN.frames


async def test_what_the_networks_rule_out_is_not_even_looked_at(strict: LiveServer, judged: _Judged) -> None:
    result, _ = await _scan(strict)
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS, "the line of the whole scan is the same"
    assert judged.terms == [DoubtTerms()]
    assert judged.seconds[0] >= _PLAN.seconds


async def test_nothing_remains_of_a_look_that_was_not_clear(
    early: LiveServer, judged: _Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptJudgement, "clear", property(lambda _: False))
    result, check_id = await _scan(early)
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert judged.terms == [DoubtTerms(early=True), DoubtTerms()]
    assert judged.seconds[1] >= _PLAN.seconds
    (attempt,) = await early.attempts(check_id)
    assert attempt.doubts == ()


async def test_a_recording_of_an_earlier_scan_is_not_clear_and_is_asked_for_light(
    early: LiveServer, judged: _Judged
) -> None:
    shown = _shown()
    await _succeeds(early, shown, "asking")
    check_id, _, stream = await opened(early, {"capabilities": [_FLASH, _OVAL]}, policy="asking")
    assert (await stream.run_attempt(encoded_anew(shown))).another_attempt
    # A recording can be moved and scaled to fill the ovals.
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    await stream.vanish()
    (attempt,) = await early.attempts(check_id)
    assert attempt.doubts == (VerdictReason.SIMILAR_TO_EARLIER_SCAN,)
    # Two early looks, and then the whole recording, without and with its doubt.
    assert [terms.early for terms in judged.terms if terms] == [True, True, False, False]


async def test_only_the_first_attempt_of_a_check_may_end_early(early: LiveServer, judged: _Judged) -> None:
    shown = _shown()
    _, device, stream = await opened(early, _FLASHES, policy="asking")
    await stream.begin()
    await stream.send_frames(shown[:3])
    await stream.expect("feedback")
    await stream.vanish()
    await early.unattended()
    again = await device.open(resume=True, capabilities=[_FLASH])
    await again.prove()
    later = [replace(each, time_us=each.time_us + 10_000_000) for each in _shown()]
    assert (await again.run_attempt(later)).status == scan_pb2.SCAN_STATUS_SUCCESS
    # What was left is held to the line of an early look, and nothing else is.
    assert [terms.early for terms in judged.terms if terms] == [True, False]
    assert judged.seconds[-1] >= _PLAN.seconds


async def test_a_device_does_not_choose_how_much_of_a_scan_is_judged(
    strict: LiveServer, judged: _Judged
) -> None:
    check_id, _, stream = await opened(strict, _FLASHES, policy="asking")
    await stream.begin()
    # Sure by the line of a whole scan, and ended where the early look would have been.
    await stream.send_frames(_shown()[:22])
    assert not stream.complete
    await stream.send(stream.end())
    result = await stream.result()
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    await stream.vanish()
    (attempt,) = await strict.attempts(check_id)
    assert attempt.verdict is Verdict.INCONCLUSIVE
    assert attempt.doubts == (), "it is no doubt about the person"


async def test_a_cancelled_scan_is_no_success_however_clear_it_looks(
    early: LiveServer, judged: _Judged
) -> None:
    _, _, stream = await opened(early, _FLASHES, policy="asking")
    await stream.begin()
    await stream.send_frames(_shown())
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_RETRY
    assert judged.terms == [DoubtTerms(early=True)]
    await stream.vanish()


async def test_a_device_that_leaves_during_the_look_gets_no_other(
    early: LiveServer, judged: _Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, gone = asyncio.Event(), asyncio.Event()
    look_early = AttemptJudge.look_early

    async def look(judge: AttemptJudge, run: AttemptRun) -> bool:
        looking.set()
        await gone.wait()
        return await look_early(judge, run)

    monkeypatch.setattr(AttemptJudge, "look_early", look)
    _, device, stream = await opened(early, _FLASHES, policy="asking")
    await stream.begin()
    shown = _shown()
    sending = asyncio.create_task(stream.send_frames(shown))
    await looking.wait()
    again = await device.open(resume=True, capabilities=[_FLASH])
    await again.prove()
    gone.set()
    # The server may notice before it has all frames.
    with suppress(Ended):
        await sending
    await stream.send(stream.end())
    refused = await stream.outcome()
    assert refused is not None
    assert refused.reason == "SUPERSEDED"
    assert judged.terms[0] == DoubtTerms(early=True)
    judged.terms.clear()
    later = [replace(each, time_us=each.time_us + 10_000_000) for each in fresh_pictures(shown)]
    await again.run_attempt(later)
    assert judged.terms
    assert not [terms for terms in judged.terms if terms and terms.early]
    await again.vanish()


async def test_a_time_limit_does_not_make_a_part_of_a_scan_enough(
    strict: LiveServer, judged: _Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[bool] = []
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: bool(late))
    _, _, stream = await opened(strict, _FLASHES, policy="asking")
    await stream.begin()
    shown = _shown()
    await stream.send_frames(shown[:21])
    # Its clock stands still until the time is up.
    late.append(True)
    await stream.send_frames(shown[21:22])
    await stream.wait_complete()
    await stream.send(stream.end())
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_RETRY
    await stream.vanish()
