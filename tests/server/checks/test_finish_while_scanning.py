"""FinishCheck while a scan runs or may still be resumed, with a real server."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.domain.terms import CheckState
from server.verdict import FailureReason
from tests.server.checks.asking import (
    dropped,
    finish,
    progress_of,
    reasons_of,
    scanning,
    state_of,
)
from tests.server.live import LiveServer, pictures, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import Ended
from tests.server.refusals import refusal_of, refused


async def test_a_check_that_is_closing_takes_no_stream(scene: LiveServer) -> None:
    check_id, device = await dropped(scene)
    await scene.repository.request_close(UUID(check_id), FailureReason.CANCELLED)
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.resume()
    # Also if the replica that had to close it died before.
    assert reasons_of(await scene.finish(check_id))[0] == "CANCELLED"


@pytest.mark.parametrize(
    "seconds", [0.44, pytest.param(1.5, marks=pytest.mark.slow), pytest.param(5.0, marks=pytest.mark.slow)]
)
async def test_polling_for_the_verdict_leaves_a_dropped_scan_open(scene: LiveServer, seconds: float) -> None:
    check_id, device = await dropped(scene)

    async def verdict() -> service_pb2.FinishCheckResponse:
        # As in docs/errors.md.
        while True:
            try:
                return await scene.finish(check_id)
            except grpc.aio.AioRpcError as error:
                refusal = refused(error)
                assert (refusal.code, refusal.reason) == (
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "SCAN_IN_PROGRESS",
                )
                assert refusal.retry_seconds is not None
                assert 0 < refusal.retry_seconds <= 2
                await asyncio.sleep(refusal.retry_seconds)

    polling = asyncio.ensure_future(verdict())
    await asyncio.sleep(seconds)
    again = await device.resume()
    result = await again.run_attempt(pictures())
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None
    async with asyncio.timeout(10):
        answer = await polling
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert answer.result.transcript.streams == 2


async def test_how_long_a_scan_may_be_resumed_is_reported(scene: LiveServer) -> None:
    check_id, _ = await dropped(scene)
    refusal = await refusal_of(finish(scene, check_id))
    assert refusal.metadata["state"] == "INTERRUPTED"
    assert 10 < float(refusal.metadata["resumeSeconds"]) <= 20
    assert refusal.retry_seconds == 2
    scene.clock.ahead = timedelta(seconds=20)
    try:
        answer = await scene.finish(check_id)
    finally:
        scene.clock.ahead = timedelta()
    assert reasons_of(answer)[0] == "ABANDONED"


async def test_a_device_may_return_late_to_an_open_check(scene: LiveServer) -> None:
    check_id, device = await dropped(scene)
    scene.clock.ahead = timedelta(seconds=30)
    try:
        again = await device.resume()
        assert (await again.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
        assert await again.outcome() is None
    finally:
        scene.clock.ahead = timedelta()
    assert not reasons_of(await scene.finish(check_id))


async def test_closing_does_not_wait_for_a_device_that_left(scene: LiveServer) -> None:
    check_id, device = await dropped(scene, 14)
    answer = await finish(scene, check_id, close_now=True)
    # As for a running scan: it does not matter whether the server has already noticed the lost connection.
    assert reasons_of(answer)[0] == "CANCELLED"
    assert answer.evidence_frame.image
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)


async def test_closing_now_ends_a_running_scan(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 14)
    answer = await finish(scene, check_id, close_now=True)
    assert reasons_of(answer)[0] == "CANCELLED"
    assert answer.evidence_frame.image
    assert await state_of(scene, check_id) == "CLOSED"
    await stream.outcome()
    assert stream.goodbyes() == ["CHECK_CLOSED"]


async def test_an_unscanned_check_has_no_stream_to_close(scene: LiveServer) -> None:
    upload = await scene.upload()
    refusal = await refusal_of(finish(scene, upload.check_id, close_now=True))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_SCANNED_YET")
    assert (await scene.record(upload.check_id)).state is CheckState.CREATED


async def test_a_device_that_may_not_return_is_not_awaited(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "one-stream", reconnects=0, resume_seconds=20)
    write_policy(tmp_path / "policies", "one-attempt", maximum=1, resume_seconds=20)
    async with serving(settings) as live:
        for policy in ("one-stream", "one-attempt"):
            check_id, _, stream = await scanning(live, 9, policy=policy)
            await stream.vanish()
            await live.reaches(check_id, CheckState.WAITING)
            assert not (await progress_of(live, check_id)).HasField("resumable_until")
            assert reasons_of(await live.finish(check_id))[0] == "ABANDONED", policy


async def test_a_half_close_ends_the_scan_at_once(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 5)
    await stream.half_close()
    assert await stream.outcome() is None
    assert await state_of(scene, check_id) == "DECIDED"
    assert reasons_of(await scene.finish(check_id))[0] == "ABANDONED"
