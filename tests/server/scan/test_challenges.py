"""Challenges over the wire: admission, the times of reveals, and the results of whole scans."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from attempt import FlashRun
from facegate_client import FlashScreen
from facegate_protocol.texts import VERDICTS
from lab.simulator import AmbientPreset, FlashKind
from liveness import VerdictReason
from server.configuration.settings import Settings
from server.domain.terms import CheckState
from server.running.assembly import Tuning
from server.scan.attempt import AttemptRun
from server.scan.judging import AttemptJudge
from server.scan.timing import AttemptClocks
from tests.client.fakes import cutting
from tests.packs import real_pack, shared_pack
from tests.server.flash_phone import (
    HEIGHT,
    WIDTH,
    WatchedScreen,
    Wire,
    check,
    flash_server,
    phone,
    scan,
    scanned,
)
from tests.server.live import LiveServer, fresh_pictures, pictures, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice, RawStream, opened
from tests.server.scan.records import seen
from vision.packs import Pack

_FLASH: dict[str, Any] = {"capabilities": [scan_pb2.CAPABILITY_FLASH]}
_DYNAMIC = scan_pb2.MODE_DYNAMIC
_PICTURES = 60


class _Sender:
    """Sends images at 15 frames per second by their own clock, and claims any step."""

    def __init__(self, stream: RawStream) -> None:
        self.stream = stream
        self.sent = 0
        self.step, self.since_us = 0, 0

    @property
    def steps(self) -> list[scan_pb2.FlashStep]:
        return seen(self.stream, "flash_step")

    async def send(self, *, claim: int | None = None) -> None:
        number = self.step if claim is None else claim
        time_us = round(self.sent / 15 * 1e6)
        # Enough images that none repeats, because repeated frames are an attack however the attempt ends.
        own = pictures(count=_PICTURES)
        picture = replace(own[self.sent % len(own)], time_us=time_us)
        header = {"flash_step": number, "flash_step_since_us": self.since_us if number else 0}
        while not self.stream.credit:
            await self.stream.read()
        await self.stream.send(self.stream.frame(picture, **header))
        self.stream.credit -= 1
        self.sent += 1
        # Credit means that the frame was processed.
        for _ in range(3):
            if self.steps and self.steps[-1].step != self.step and claim is None:
                self.step, self.since_us = self.steps[-1].step, time_us + 1

    async def until_step(self, number: int) -> None:
        """Send frames until a step is revealed; the time depends on the server's own clock, too."""
        while not any(step.step == number for step in self.steps):
            assert self.sent < 250, f"step {number} did not come"
            await self.send()
            await asyncio.sleep(0.01)


async def test_a_device_that_cannot_flash_is_reported_and_the_check_waits(scene: LiveServer) -> None:
    upload = await scene.upload(mode=_DYNAMIC)
    refusal = await RawDevice(scene.device, upload).refusal()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CAPABILITY_MISSING")
    assert refusal.metadata == {"capability": "FLASH", "mode": "DYNAMIC"}
    record = await scene.record(upload.check_id)
    assert (record.state, record.session_key) == (CheckState.CREATED, None)
    stream = await RawDevice(scene.device, upload).open(**_FLASH)
    assert stream.challenge.mode == scan_pb2.MODE_DYNAMIC
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    await stream.vanish()


async def test_a_declined_flash_leads_to_a_scan_without_it(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, _FLASH, policy="adaptive")
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    declined = await stream.result()
    assert (declined.status, declined.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    # Declining costs no attempt, and there is nothing to advise.
    assert declined.attempts_remaining == 4
    assert list(declined.feedback) == []
    assert (await stream.begin()).plan == scan_pb2.PLAN_EXPRESS
    result = await stream.run_rest(fresh_pictures())
    # The networks of the pack for evaluation are never sure, and no other challenge is left.
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    finished = (await scene.finish(check_id)).result
    assert finished.reasons[-1] == result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE
    liveness = finished.liveness
    assert (liveness.requested_mode, liveness.used_mode) == (scan_pb2.MODE_EXPRESS, scan_pb2.MODE_EXPRESS)
    assert seen(stream, "flash_step") == []


async def test_declining_a_demanded_flash_ends_the_check(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, _FLASH, policy="adaptive", mode=_DYNAMIC)
    await stream.begin()
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    result = await stream.result()
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    assert await stream.outcome() is None
    reasons = (await scene.finish(check_id)).result.reasons
    assert reasons[0] == result_pb2.FAILURE_REASON_CANCELLED


@pytest.mark.slow
async def test_after_the_first_colour_it_is_too_late_to_choose_another_way(scene: LiveServer) -> None:
    _, _, stream = await opened(scene, _FLASH, policy="adaptive")
    await stream.begin()
    sender = _Sender(stream)
    await sender.until_step(2)
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    if (await stream.result()).another_attempt:
        assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    await stream.vanish()


async def test_a_step_comes_only_after_frames_that_show_the_one_before(scene: LiveServer) -> None:
    stream = await RawDevice(scene.device, await scene.upload(mode=_DYNAMIC)).open(**_FLASH)
    await stream.begin()
    sender = _Sender(stream)
    await sender.until_step(1)
    assert (sender.steps[0].step, sender.steps[0].last) == (1, False)
    for _ in range(20):
        await sender.send(claim=0)
    assert [step.step for step in sender.steps] == [1]
    await sender.until_step(2)
    await stream.vanish()


async def test_a_frame_cannot_claim_an_unrevealed_colour(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene, _FLASH, mode=_DYNAMIC)
    await stream.begin()
    sender = _Sender(stream)
    await sender.until_step(1)
    await sender.send(claim=2)
    refusal = await stream.refusal()
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "frame.header.flash_step")
    # The device may reconnect and starts again.
    assert (await scene.record(check_id)).state is not CheckState.DECIDED


async def test_after_a_reconnect_everything_is_drawn_anew(scene: LiveServer) -> None:
    device = RawDevice(scene.device, await scene.upload(mode=_DYNAMIC))
    stream = await device.open(**_FLASH)
    await stream.begin()
    first = _Sender(stream)
    await first.until_step(2)
    await stream.vanish()
    await scene.unattended()
    again = await device.open(resume=True, **_FLASH)
    await again.prove()
    await again.begin()
    second = _Sender(again)
    await second.until_step(2)
    assert [step.step for step in second.steps[:2]] == [1, 2]
    lead_in = first.steps[0].color
    assert second.steps[0].color == lead_in
    assert second.steps[1].color != lead_in
    await again.vanish()


# -- whole scans of a phone


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server with an operator's settings."""
    async with flash_server(tmp_path_factory.mktemp("dynamic")) as server:
        yield server


@pytest.mark.slow
async def test_a_genuine_person_succeeds_and_every_step_waited_for_the_one_before(real: LiveServer) -> None:
    result, wire = await check(real, FlashKind.GENUINE)
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS, result.reasons
    liveness = result.liveness
    assert (liveness.requested_mode, liveness.used_mode) == (_DYNAMIC, _DYNAMIC)
    assert liveness.verified_bits >= liveness.required_bits == 12
    assert wire.plans == [scan_pb2.PLAN_FLASH]
    for number, (step, claims) in enumerate(wire.steps, start=1):
        assert step.step == number
        if number > 1:
            assert claims.count(number - 1) >= 2
    shown, kept = [step for step, _ in wire.steps], liveness.challenge_steps
    assert [step.step for step in kept] == [step.step for step in shown]
    assert [step.color for step in kept] == [step.color for step in shown]
    assert shown[-1].last
    assert sum(step.agrees for step in kept) >= 4
    assert {signal.name for signal in liveness.signals} >= {"flash_colours", "planar_motion"}


@pytest.mark.slow
async def test_the_smallest_frames_show_the_colours_too(real: LiveServer) -> None:
    result, wire = await check(real, FlashKind.GENUINE, size=(200, 268))
    assert wire.plans == [scan_pb2.PLAN_FLASH]
    liveness = result.liveness
    assert liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF, liveness
    assert liveness.verified_bits >= liveness.required_bits
    assert not any(step.HasField("agrees") and not step.agrees for step in liveness.challenge_steps)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", [FlashKind.INJECTED_VIDEO, FlashKind.INJECTED_TINT, FlashKind.RECORDED_SCAN])
async def test_a_recording_without_this_flash_fails(real: LiveServer, kind: FlashKind) -> None:
    result, _ = await check(real, kind)
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE


@pytest.mark.slow
async def test_sunlight_is_reported_and_is_no_spoof(real: LiveServer) -> None:
    result, wire = await check(real, FlashKind.GENUINE, AmbientPreset.SUN)
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert result_pb2.FAILURE_REASON_SPOOF not in result.reasons
    assert result_pb2.FAILURE_REASON_CHALLENGE_BITS_TOO_FEW in result.reasons
    assert "TOO_BRIGHT" in wire.hints
    # It used up the only attempt, so blocking the light gains nothing.
    assert not wire.results[0].another_attempt


@pytest.mark.slow
async def test_a_preferred_flash_is_used_and_reported(real: LiveServer) -> None:
    result, wire = await check(real, FlashKind.GENUINE, policy="adaptive", flash=False, max_attempts=3)
    assert wire.plans[0] == scan_pb2.PLAN_FLASH
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS, result.reasons
    assert result.liveness.requested_mode == scan_pb2.MODE_EXPRESS
    assert result.liveness.used_mode == _DYNAMIC


@pytest.mark.slow
@pytest.mark.alone  # the line's delay is real, and the phone's clock is not
async def test_a_slow_network_is_no_attack(real: LiveServer) -> None:
    # Credit lets 3.5 frames a second through, in bursts.
    upload = await real.upload(policy="single", mode=_DYNAMIC)
    async with (
        cutting(real.server.device_target, delay_s=0.3) as (_, through),
        grpc.aio.insecure_channel(through) as channel,
    ):
        result, wire = await scanned(
            real,
            upload,
            FlashKind.GENUINE,
            AmbientPreset.DARK,
            seed=5,
            person="astronaut",
            size=(WIDTH, HEIGHT),
            channel=channel,
        )
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert result_pb2.FAILURE_REASON_SPOOF not in result.reasons
    # On a busy machine phone and server are slow, too; tests/server/scan/test_attempt.py tells them apart.
    slow = {
        feedback_pb2.FEEDBACK_CODE_NETWORK_TOO_SLOW,
        feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW,
        feedback_pb2.FEEDBACK_CODE_SERVER_BUSY,
    }
    assert slow & set(wire.results[0].feedback)


@pytest.mark.slow
@pytest.mark.long
async def test_bright_light_leads_to_the_movement_where_the_policy_names_it(real: LiveServer) -> None:
    # Whether the head passes depends on its course in real time, and on the blink of a rendered face; the
    # tests of liveness.dynamic.movement decide that in virtual time.
    upload = await real.upload(policy="approach")
    device, wire = phone(real.world, FlashKind.GENUINE, ambient=AmbientPreset.SUN), Wire()
    await scan(real.device_channel, upload, device, screen=wire.watched(device), wire=wire, max_attempts=3)
    result = (await real.finish(upload.check_id)).result
    assert wire.plans[:2] == [scan_pb2.PLAN_FLASH, scan_pb2.PLAN_MOVEMENT]
    assert set(wire.plans[1:]) == {scan_pb2.PLAN_MOVEMENT}
    assert feedback_pb2.FEEDBACK_CODE_TOO_BRIGHT in wire.results[0].feedback
    assert wire.ovals[:2] == [1, 2]
    assert max(wire.ovals) <= 6
    assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF
    assert result.liveness.used_mode == scan_pb2.MODE_EXPRESS
    # Movement is not a flash and verifies no bits.
    assert result.liveness.verified_bits == 0


async def _a_person_passes(real: LiveServer, *, policy: str) -> bool:
    """Whether one of three scans of a person succeeds; none may be a spoof."""
    for seed in (5, 6, 7):
        result, _ = await check(real, FlashKind.GENUINE, AmbientPreset.INDOOR, policy=policy, seed=seed)
        assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF
        if result.status == result_pb2.CHECK_STATUS_SUCCESS:
            return True
    return False


@pytest.mark.slow
@pytest.mark.long
async def test_where_a_blink_is_taken_a_person_blinks_and_a_stiff_mask_is_asked_in_vain(
    real: LiveServer,
) -> None:
    masked, wire = await check(real, FlashKind.RIGID_MASK, AmbientPreset.INDOOR, policy="blinking")
    assert masked.status == result_pb2.CHECK_STATUS_FAILURE
    assert masked.liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE
    if masked.liveness.verified_bits >= masked.liveness.required_bits:
        assert "BLINK" in wire.hints
    assert await _a_person_passes(real, policy="blinking")


@pytest.mark.slow
@pytest.mark.long
async def test_a_stiff_mask_does_not_pass_where_the_orchestrator_raises_the_mode_of_standard(
    real: LiveServer,
) -> None:
    for ambient in (AmbientPreset.DARK, AmbientPreset.INDOOR):
        masked, wire = await check(real, FlashKind.RIGID_MASK, ambient, policy="standard")
        assert wire.plans == [scan_pb2.PLAN_FLASH]
        # The colours fit; the missing blink is the only sign against the face.
        assert masked.liveness.confidence < 70
        assert masked.liveness.requested_mode == scan_pb2.MODE_DYNAMIC
        assert masked.status == result_pb2.CHECK_STATUS_FAILURE
        assert masked.liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE


@pytest.mark.slow
async def test_a_person_passes_where_the_orchestrator_raises_the_mode_of_standard(
    real: LiveServer,
) -> None:
    assert await _a_person_passes(real, policy="standard")


# The round trip over the wire, and the request for leaner frames when answers to the flash come too late.

DELAY_SECONDS = 1.0


@pytest.mark.slow
async def test_a_slow_network_is_measured_by_the_servers_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[float] = []
    judge_ahead = AttemptJudge.judge_ahead

    def watched(judge: AttemptJudge, run: AttemptRun) -> None:
        measured.append(run.capture.round_trip.seconds)
        judge_ahead(judge, run)

    monkeypatch.setattr(AttemptJudge, "judge_ahead", watched)
    async with (
        serving(settings_for(tmp_path)) as live,
        cutting(live.server.device_target, delay_s=DELAY_SECONDS / 2) as (_, through),
        grpc.aio.insecure_channel(through) as channel,
    ):
        for stub in (live.device, VerificationServiceStub(channel)):
            stream = await RawDevice(stub, await live.upload()).open()
            await stream.run_attempt(pictures())
            await stream.half_close()
            assert await stream.outcome() is None
    direct, slow = measured
    assert 0 < direct < DELAY_SECONDS
    assert slow >= DELAY_SECONDS


async def test_late_answers_lead_once_to_a_request_for_leaner_frames(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FlashRun, "late", property(lambda _run: True))
    _, _, stream = await opened(scene, _FLASH, mode=_DYNAMIC)
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    shots = pictures()[:6]
    for picture in shots:
        while not stream.credit:
            await stream.read()
        await stream.send(stream.frame(picture))
        stream.credit -= 1
    await stream.expect("capture_adjustment")
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    await stream.result()
    [asked] = seen(stream, "capture_adjustment")
    assert asked.max_frames_per_second == 12
    assert 8 * 1024 <= asked.max_frame_bytes <= max(8 * 1024, max(len(one.jpeg) for one in shots) // 3)


# The requests for gestures: which devices show them, when they come, and their effect.

_MOUTH, _TURN = scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD
_HINT = feedback_pb2.FEEDBACK_CODE_OPEN_MOUTH
_SIDES = (feedback_pb2.FEEDBACK_CODE_TURN_LEFT, feedback_pb2.FEEDBACK_CODE_TURN_RIGHT)
_RATE, _WAIT = 10.0, 5.0
_NETWORK = 1.0
"""How much longer the server waits by its own clock."""


def _pack(assets: Path) -> Pack:
    """The embedded pack, whose match fits the tests' persons, with landmarks that measure the mouth."""
    return replace(real_pack(), landmarker=shared_pack(f"open:{assets / 'models'}").landmarker)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gesturing(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that takes frames as fast as they come."""
    # Rendered before a stream is open: a busy machine takes longer than the server waits.
    assert [len(pictures(count=count)) for count in (17, 36, 140)] == [17, 36, 140]
    async with serving(_settings(tmp_path_factory.mktemp("mouth")), pack=_pack(assets)) as server:
        yield server


def _settings(folder: Path) -> Settings:
    settings = settings_for(folder)
    assert settings.policies.folder is not None
    for name, demands in (
        ("mouth", "open_mouth = true"),
        ("turn", "turn_head = true"),
        ("both", "open_mouth = true\nturn_head = true"),
    ):
        asked = f"[challenge]\n{demands}\n[challenge.raised]\nblink = false\ndepth = false\n"
        write_policy(settings.policies.folder, name, maximum=1, attempt_seconds=40, tables=asked)
    return settings


def _asked(stream: RawStream, codes: Collection[int] = (_HINT,)) -> list[int]:
    """The frames that the requests refer to."""
    return [hint.frame_index for hint in seen(stream, "feedback") if hint.code in codes]


@pytest.mark.parametrize(("frames", "asks"), [(17, False), (36, True)])
async def test_a_device_that_leaves_at_the_request_or_before_does_not_succeed(
    gesturing: LiveServer, frames: int, asks: bool
) -> None:
    check_id, _, stream = await opened(gesturing, {"capabilities": [_MOUTH]}, policy="mouth")
    result = await stream.run_attempt(pictures(count=frames))
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    assert bool(_asked(stream)) is asks
    answer = (await gesturing.finish(check_id)).result
    assert answer.status == result_pb2.CHECK_STATUS_FAILURE
    assert answer.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert list(answer.liveness.explanations) == [VERDICTS[VerdictReason.MOUTH_NOT_OPENED]]


async def test_a_turn_needs_a_device_that_shows_the_sides(gesturing: LiveServer) -> None:
    device = RawDevice(gesturing.device, await gesturing.upload(policy="both"))
    refusal = await device.refusal(capabilities=[_MOUTH])
    assert refusal.metadata == {"capability": "TURN_HEAD", "mode": "EXPRESS"}
    stream = await device.open(capabilities=[_MOUTH, _TURN])
    assert stream.challenge.budget.max_attempt_duration.seconds == 32
    await stream.vanish()


@pytest.mark.slow
async def test_who_does_not_turn_the_head_is_asked_for_one_side_for_five_seconds(
    gesturing: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine takes longer for so many frames than an attempt may.
    monkeypatch.setattr(AttemptClocks, "overdue", lambda *_: False)
    check_id, _, stream = await opened(gesturing, {"capabilities": [_TURN]}, policy="turn")
    began = time.monotonic()
    result = await stream.run_attempt(pictures(count=140))
    left, right = (_asked(stream, [side]) for side in _SIDES)
    assert bool(left) is not bool(right), "the side is drawn once for an attempt"
    waited = (stream.frames - (left or right)[0]) / _RATE
    assert waited < _WAIT + 1.5
    # The server's clock ends it where a busy machine takes longer for the frames than the camera took.
    if time.monotonic() - began < _WAIT + _NETWORK:
        assert waited >= _WAIT
        assert len(left or right) >= 3
    assert (_SIDES[0] if left else _SIDES[1]) in result.feedback
    answer = (await gesturing.finish(check_id)).result
    assert answer.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    assert list(answer.liveness.explanations) == [VERDICTS[VerdictReason.HEAD_NOT_TURNED]]


class _Unread(WatchedScreen):
    """The screen of a person who does everything that it says, but does not open the mouth."""

    def __init__(self, screen: FlashScreen, claims: list[int]) -> None:
        super().__init__(screen, claims)
        self.capabilities = tuple({*screen.capabilities, _MOUTH})

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        if feedback.code != _HINT:
            super().show_hint(feedback)


class _Reversed(WatchedScreen):
    """The screen of a person who confuses left and right, or of a film of the other turn."""

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        if feedback.code in _SIDES:
            other = next(side for side in _SIDES if side != feedback.code)
            feedback = feedback_pb2.Feedback(code=other)
        super().show_hint(feedback)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server as an operator runs it."""
    settings = _settings(tmp_path_factory.mktemp("lived"))
    async with serving(settings, pack=_pack(assets), tuning=Tuning()) as server:
        yield server


async def _check(
    lived: LiveServer,
    policy: str,
    *,
    seed: int,
    mode: scan_pb2.Mode.ValueType = scan_pb2.MODE_UNSPECIFIED,
    kind: FlashKind = FlashKind.GENUINE,
    screen: Callable[[FlashScreen, list[int]], WatchedScreen] = WatchedScreen,
) -> tuple[result_pb2.CheckResult, Wire]:
    upload = await lived.upload(policy=policy, mode=mode)
    device, wire = phone(lived.world, kind, ambient=AmbientPreset.INDOOR, seed=seed), Wire()
    await scan(lived.device_channel, upload, device, screen=screen(device, wire.claims), wire=wire)
    return (await lived.finish(upload.check_id)).result, wire


@pytest.mark.slow
@pytest.mark.long
async def test_the_last_colour_stays_while_the_mouth_is_to_be_opened(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _check(lived, "mouth", mode=scan_pb2.MODE_DYNAMIC, seed=seed, screen=_Unread)
        assert wire.plans == [scan_pb2.PLAN_FLASH]
        assert result.status == result_pb2.CHECK_STATUS_FAILURE
        assert result.liveness.verdict == result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
        # About one draw of colours in ten is not conclusive by itself.
        if result.liveness.explanations[0] == VERDICTS[VerdictReason.MOUTH_NOT_OPENED]:
            break
    else:
        raise AssertionError("no flash was conclusive")
    last, before = wire.steps[-1]
    assert last.last
    named = wire.claims[len(before) :]
    first = named.index(last.step)
    assert set(named[first:]) == {last.step}
    assert len(named[first:]) >= _WAIT * 8, "eight frames a second are the least"
    assert _HINT in wire.results[0].feedback
    assert wire.hints.count("OPEN_MOUTH") >= 3
    assert result.liveness.verified_bits >= result.liveness.required_bits


@pytest.mark.slow
async def test_a_person_who_opens_the_mouth_after_the_colours_passes(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _check(lived, "mouth", mode=scan_pb2.MODE_DYNAMIC, seed=seed)
        assert wire.plans == [scan_pb2.PLAN_FLASH]
        assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF
        if result.status == result_pb2.CHECK_STATUS_SUCCESS:
            assert "OPEN_MOUTH" in wire.hints
            assert "mouth_opened" in {signal.name for signal in result.liveness.signals}
            return
    raise AssertionError("no scan of the person passed")


@pytest.mark.slow
@pytest.mark.long
async def test_a_mask_with_living_eyes_does_not_pass(lived: LiveServer) -> None:
    """The flash accepts the mask, so that only its mouth stops it."""
    for seed in (5, 6, 7):
        result, wire = await _check(
            lived, "mouth", mode=scan_pb2.MODE_DYNAMIC, seed=seed, kind=FlashKind.MASK_WITH_EYES
        )
        assert result.status == result_pb2.CHECK_STATUS_FAILURE
        if list(result.liveness.explanations) == [VERDICTS[VerdictReason.MOUTH_NOT_OPENED]]:
            assert "OPEN_MOUTH" in wire.hints
            return
    raise AssertionError("nothing but the mouth should have stopped one of the masks")


@pytest.mark.slow
async def test_a_person_who_makes_both_gestures_passes(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _check(lived, "both", seed=seed)
        assert wire.plans == [scan_pb2.PLAN_EXPRESS]
        assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF
        if result.status == result_pb2.CHECK_STATUS_SUCCESS:
            assert "OPEN_MOUTH" in wire.hints
            assert {"TURN_LEFT", "TURN_RIGHT"} & set(wire.hints)
            assert {"mouth_opened", "head_turned"} <= {signal.name for signal in result.liveness.signals}
            return
    raise AssertionError("no scan of the person passed")


@pytest.mark.slow
async def test_a_head_that_turns_to_the_other_side_ends_the_attempt(lived: LiveServer) -> None:
    for seed in (5, 6, 7):
        result, wire = await _check(lived, "turn", seed=seed, screen=_Reversed)
        assert result.status == result_pb2.CHECK_STATUS_FAILURE
        if list(result.liveness.explanations) == [VERDICTS[VerdictReason.HEAD_NOT_TURNED]]:
            assert wire.hints.count("TURN_LEFT") + wire.hints.count("TURN_RIGHT") < 5, "it does not wait"
            return
    raise AssertionError("nothing but the turn should have stopped one of the scans")
