"""The wait between two attempts until the person is ready, on a real server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import device_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import FaceScanner, ScanTicket, generated_source
from facegate_client import ScanSettings as ClientSettings
from server.domain.terms import CheckState
from tests.client.fake_screen import FakeScreen
from tests.server.live import FAST, LiveServer, Picture, fresh_pictures, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import Ended, RawDevice, RawStream, Request

_READY: dict[str, Any] = {"capabilities": [scan_pb2.CAPABILITY_READY]}
_FEW = 9


def _later(count: int | None = None) -> list[Picture]:
    """Returns images for a second attempt; the capture clock rises over the whole stream."""
    return [Picture(p.jpeg, p.time_us + 10_000_000, p.width, p.height) for p in fresh_pictures()[:count]]


async def _interval(
    live: LiveServer, *, policy: str = "", **start: Any
) -> tuple[service_pb2.UploadTrustedImageResponse, RawDevice, RawStream, scan_pb2.ScanResult]:
    """Returns a stream between its first attempt, which had too few frames, and its second."""
    # They are rendered before the stream is open: a busy machine takes longer than the server waits.
    shown = fresh_pictures()[:_FEW]
    upload = await live.upload(policy=policy)
    device = RawDevice(live.device, upload)
    stream = await device.open(**(start or _READY))
    result = await stream.run_attempt(shown)
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_RETRY, True)
    return upload, device, stream, result


async def _attempt_after(stream: RawStream, *, seconds: float) -> scan_pb2.AttemptStart:
    """Returns the next attempt, which does not start until the device is ready, after ``seconds``."""
    starting = asyncio.ensure_future(stream.begin())
    await asyncio.wait({starting}, timeout=seconds)
    assert not starting.done()
    await stream.ready()
    return await starting


async def test_the_next_attempt_starts_when_the_person_is_ready(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, limits={"lease_seconds": 2.0})
    # Silence of 2 seconds ends an attempt under this policy, but not the wait between attempts.
    write_policy(tmp_path / "policies", "patient", idle_seconds=2, ready_seconds=30)
    async with serving(settings) as live:
        upload, _, stream, result = await _interval(live, policy="patient")
        assert result.ready_within.seconds == 30
        assert (await _attempt_after(stream, seconds=2.5)).attempt == 2
        record = await live.record(upload.check_id)
        assert record.state is CheckState.SCANNING
        # The lease of 2 seconds was renewed during the wait.
        assert record.lease_until is not None
        assert record.lease_until > datetime.now(UTC) + timedelta(seconds=0.5)
        assert (await stream.run_rest(_later())).status == scan_pb2.SCAN_STATUS_SUCCESS
        assert await stream.outcome() is None


async def test_without_the_capability_the_next_attempt_starts_at_once(scene: LiveServer) -> None:
    _, _, stream, result = await _interval(scene, capabilities=[])
    assert not result.HasField("ready_within")
    assert (await stream.begin()).attempt == 2
    assert (await stream.run_rest(_later())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


@pytest.mark.slow
async def test_a_device_that_is_not_ready_in_time_may_return(scene: LiveServer) -> None:
    upload, device, stream, _ = await _interval(scene, policy="hasty")
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
    assert refusal.metadata["idleSeconds"] == "2.0"
    await scene.reaches(upload.check_id, CheckState.WAITING)
    # A new stream begins with an attempt at once, because the person is present.
    again = await device.resume()
    assert (await again.run_attempt(_later())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None


async def test_evidence_may_come_while_the_person_gets_ready(scene: LiveServer) -> None:
    _, _, stream, _ = await _interval(scene)
    unavailable = device_pb2.Attestation(unavailable=device_pb2.AttestationUnavailable())
    await stream.send(Request(attestation=unavailable))
    assert (await _attempt_after(stream, seconds=0.3)).attempt == 2
    assert (await stream.run_rest(_later())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_leaving_before_ready_ends_the_scan(scene: LiveServer) -> None:
    upload, _, stream, _ = await _interval(scene)
    await stream.half_close()
    assert await stream.outcome() is None
    answer = await scene.finish(upload.check_id)
    assert result_pb2.FAILURE_REASON_ABANDONED in answer.result.reasons


async def test_a_newer_stream_takes_over_from_one_that_waits(scene: LiveServer) -> None:
    _, device, stream, _ = await _interval(scene)
    again = await device.resume()
    assert (await again.begin()).attempt == 2
    with pytest.raises(Ended):
        await stream.begin()
    assert stream.goodbyes() == ["SUPERSEDED"]
    await again.vanish()


async def test_a_server_that_stops_does_not_wait_for_the_person(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        _, _, stream, _ = await _interval(live)
        began = time.monotonic()
        await live.server.drain()
        assert time.monotonic() - began < 30
        assert await stream.outcome() is None
        assert stream.goodbyes() == ["DRAINING"]


async def test_the_wait_never_reaches_beyond_the_scan_deadline(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path), tuning=replace(FAST, sweep_seconds=60.0)) as live:
        upload = await live.upload()
        stream = await RawDevice(live.device, upload).open(**_READY)
        await stream.begin()
        live.clock.ahead = timedelta(seconds=160)
        result = await stream.run_rest(fresh_pictures()[:_FEW])
        assert result.another_attempt
        assert 5 < result.ready_within.seconds < 20
        live.clock.ahead = timedelta(seconds=181)
        assert await stream.outcome() is None
        assert stream.goodbyes() == ["DEADLINE"]


async def _in_an_attempt(stream: RawStream) -> None:
    await stream.ready()
    await stream.begin()
    await stream.send(stream.frame(_later(1)[0]))
    await stream.ready()


async def _twice(stream: RawStream) -> None:
    await stream.ready()
    await stream.ready()


async def _a_frame(stream: RawStream) -> None:
    await stream.send(stream.frame(_later(1)[0]))


@pytest.mark.parametrize("act", [_in_an_attempt, _twice, _a_frame])
async def test_an_unexpected_message_before_ready_is_refused_without_harm(
    scene: LiveServer, act: Callable[[RawStream], Awaitable[None]]
) -> None:
    upload, _, stream, _ = await _interval(scene)
    await act(stream)
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNEXPECTED_MESSAGE")
    await scene.reaches(upload.check_id, CheckState.WAITING)


@pytest.mark.parametrize("capabilities", [[], [scan_pb2.CAPABILITY_READY]])
async def test_ready_before_the_result_is_refused(
    scene: LiveServer, capabilities: list["scan_pb2.Capability.ValueType"]
) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open(capabilities=capabilities)
    await stream.begin()
    await stream.send_frames(fresh_pictures()[:_FEW])
    await stream.send(stream.end())
    await stream.ready()
    assert (await stream.result()).another_attempt
    refusal = await stream.outcome()
    assert refusal is not None
    assert refusal.reason == "UNEXPECTED_MESSAGE"


async def test_the_reference_client_sends_ready(scene: LiveServer) -> None:
    upload = await scene.upload(policy="adaptive")
    reported: list[scan_pb2.ScanResult] = []

    async def get_ready(result: scan_pb2.ScanResult) -> None:
        reported.append(result)

    scanner = FaceScanner(
        channel=scene.device_channel,
        ticket=ScanTicket(token=upload.scan_token, challenge_key_sha256=upload.challenge_key_sha256),
        source=generated_source([(p.jpeg, p.time_us / 1e6) for p in fresh_pictures()], pace="fast"),
        screen=FakeScreen(),
        get_ready=get_ready,
        settings=ClientSettings(decline_flash=True),
    )
    outcome = await scanner.scan()
    # The flash is declined, and the recorded frames fill no oval.
    assert outcome.attempts >= 2
    # After a flash that was declined there is nothing to advise.
    declined = reported[0]
    assert list(declined.feedback) == []
    assert declined.ready_within.seconds == 60
