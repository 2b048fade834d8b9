"""The round trip over the wire, and the request for leaner frames when answers to the flash come too late."""

from pathlib import Path

import grpc
import pytest
from facegate.v1 import scan_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from attempt import FlashRun
from server.scan.attempt import AttemptRun
from server.scan.judging import AttemptJudge
from tests.client.cut_proxy import cutting
from tests.server.live import LiveServer, pictures, serving, settings_for
from tests.server.raw_device import RawDevice

DELAY_SECONDS = 0.3


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
    upload = await scene.upload(mode=scan_pb2.MODE_DYNAMIC)
    stream = await RawDevice(scene.device, upload).open(capabilities=[scan_pb2.CAPABILITY_FLASH])
    assert (await stream.begin()).plan == scan_pb2.PLAN_FLASH
    shots = pictures()[:6]
    for picture in shots:
        while not stream.credit:
            await stream.read()
        await stream.send(stream.frame(picture))
        stream.credit -= 1
    while not any(one.WhichOneof("message") == "capture_adjustment" for one in stream.seen):
        await stream.read()
    await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_CANCELLED))
    await stream.result()
    [asked] = [
        one.capture_adjustment for one in stream.seen if one.WhichOneof("message") == "capture_adjustment"
    ]
    assert asked.max_frames_per_second == 12
    assert 8 * 1024 <= asked.max_frame_bytes <= max(8 * 1024, max(len(one.jpeg) for one in shots) // 3)
