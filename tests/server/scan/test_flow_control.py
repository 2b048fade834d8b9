"""Credit over the wire: a device that ignores it is refused, and no other device is, whatever the latency."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from attempt.placement import CapturePlan
from server.domain.terms import CheckState
from tests.client.cut_proxy import cutting
from tests.server.live import FAST, LiveServer, Picture, pictures, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import RawDevice, RawStream
from vision.face import BgrImage, DetectedFace

WINDOW = 8
_BRIEF = replace(
    FAST, plan=CapturePlan(frames=12, seconds=1.0, selected=3, motion_seconds=0.0), end_seconds=20.0
)
"""Sixteen concurrent scans; their decisions do not matter."""
ROUND_TRIP_SECONDS = 0.3


class _SlowDetector:
    """Detects the same faces as the real detector, slowly."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._model = remembering_pack().detector

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        time.sleep(self._seconds)
        return self._model.detect(image)


def _endless() -> Iterator[Picture]:
    """Repeats the same images on one clock."""
    once = pictures()
    step = once[1].time_us - once[0].time_us
    for number in itertools.count():
        yield replace(once[number % len(once)], time_us=once[0].time_us + number * step)


async def _begun(live: LiveServer) -> tuple[RawStream, str]:
    upload = await live.upload()
    stream = await RawDevice(live.device, upload).open()
    await stream.begin()
    return stream, upload.check_id


async def test_frames_are_held_to_the_credit_as_they_arrive(tmp_path: Path) -> None:
    slow = replace(remembering_pack(), detector=_SlowDetector(0.3))
    async with serving(settings_for(tmp_path), pack=slow) as live:
        stream, check_id = await _begun(live)
        for picture in itertools.islice(_endless(), WINDOW + 1):
            await stream.send(stream.frame(picture))
        refusal = await stream.outcome()
        assert refusal is not None
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CREDIT_EXCEEDED")
        assert refusal.metadata["creditFrames"] == "0"
        await live.reaches(check_id, CheckState.WAITING)
        # The frames that arrived within the credit were processed.
        assert [attempt.frames for attempt in await live.attempts(check_id)] == [WINDOW]


async def test_a_stream_that_ignores_its_credit_does_not_get_far(tmp_path: Path) -> None:
    slow = replace(remembering_pack(), detector=_SlowDetector(0.3))
    async with serving(settings_for(tmp_path), pack=slow) as live:
        stream, check_id = await _begun(live)
        for picture in itertools.islice(_endless(), 399):
            if stream.call.done():
                break
            await stream.send(stream.frame(picture))
            await asyncio.sleep(0.02)
        assert stream.frames < 399
        await live.reaches(check_id, CheckState.WAITING)
        (attempt,) = await live.attempts(check_id)
        assert WINDOW <= attempt.frames <= 3 * WINDOW


@pytest.mark.slow
async def test_a_device_within_its_credit_is_never_refused(tmp_path: Path) -> None:
    async with (
        serving(settings_for(tmp_path), tuning=_BRIEF) as live,
        cutting(live.server.device_target, delay_s=ROUND_TRIP_SECONDS / 2) as (_, through),
        grpc.aio.insecure_channel(through) as channel,
    ):
        stub = VerificationServiceStub(channel)

        async def scan(upload: service_pb2.UploadTrustedImageResponse) -> scan_pb2.ScanResult:
            stream = await RawDevice(stub, upload).open()
            result = await stream.run_attempt(pictures()[:20])
            assert stream.complete
            assert stream.frames > WINDOW
            await stream.half_close()
            assert await stream.outcome() is None
            return result

        uploads = [await live.upload() for _ in range(16)]
        began = time.monotonic()
        results = await asyncio.gather(*map(scan, uploads))
        # The latency takes effect: handshake, frames against credit, end, result.
        assert time.monotonic() - began > 3 * ROUND_TRIP_SECONDS
        assert len(results) == 16
