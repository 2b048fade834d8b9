"""CancelCheck against a real server."""

import asyncio
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from facegate.v1 import result_pb2

from tests.server.checks.asking import SOMEBODY_ELSE, cancel, named, reasons_of, scanning, watching
from tests.server.live import (
    LiveServer,
    pictures,
    serving,
    settings_for,
)
from tests.server.raw_device import Ended, RawDevice


async def test_a_check_without_a_scan_is_cancelled(scene: LiveServer) -> None:
    upload = await scene.upload()
    assert named(await cancel(scene, upload.check_id)) == "DECIDED"
    assert named(await cancel(scene, upload.check_id)) == "DECIDED"
    refusal = await RawDevice(scene.device, upload).refusal()
    assert refusal.reason == "CHECK_CLOSED"
    answer = await scene.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert reasons_of(answer) == ["CANCELLED"]
    assert named(await cancel(scene, upload.check_id)) == "CLOSED"


async def test_cancelling_ends_a_running_scan(scene: LiveServer) -> None:
    check_id, device, stream = await scanning(scene, 14)
    progress = await cancel(scene, check_id)
    assert named(progress) == "DECIDED"
    assert [a.outcome for a in progress.attempts] == [result_pb2.AttemptSummary.OUTCOME_INTERRUPTED]
    # The device is notified although it sends nothing.
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CHECK_CLOSED")
    assert stream.goodbyes() == ["CHECK_CLOSED"]
    with pytest.raises(Ended, match="CHECK_CLOSED"):
        await device.open(resume=True)
    answer = await scene.finish(check_id, audit_images=1)
    assert reasons_of(answer)[0] == "CANCELLED"
    # The judgement until then is in the result.
    assert answer.evidence_frame.image
    assert answer.result.HasField("liveness")


async def test_cancelling_does_not_help_another_person_under_scan(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(SOMEBODY_ELSE)
    await stream.taken(len(SOMEBODY_ELSE))
    progress = await cancel(scene, upload.check_id)
    assert named(progress) == "DECIDED"
    assert [a.ended_by for a in progress.attempts] == [result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED]
    await stream.outcome()
    assert stream.goodbyes() == ["CHECK_CLOSED"]
    answer = await scene.finish(upload.check_id)
    assert reasons_of(answer)[0] == "NOT_SAME_PERSON"
    assert "CANCELLED" not in reasons_of(answer)
    assert answer.evidence_frame.image


async def test_cancelling_does_not_undo_a_verdict(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 14)
    await stream.send_frames(pictures()[14:])
    await stream.send(stream.end())
    await stream.result()
    assert await stream.outcome() is None
    decided = await scene.record(check_id)
    assert named(await cancel(scene, check_id)) == "DECIDED"
    assert await scene.record(check_id) == decided
    assert (await scene.finish(check_id)).result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_concurrent_cancellations_cancel_once(scene: LiveServer) -> None:
    check_id, _, stream = await scanning(scene, 4)
    states = await asyncio.gather(*(cancel(scene, check_id) for _ in range(6)))
    assert {named(progress) for progress in states} == {"DECIDED"}
    await stream.outcome()
    assert reasons_of(await scene.finish(check_id))[0] == "CANCELLED"


async def test_cancelling_an_expired_check_leaves_it_expired(scene: LiveServer) -> None:
    upload = await scene.upload(policy="brief")
    scene.clock.ahead = timedelta(seconds=2)
    try:
        assert named(await cancel(scene, upload.check_id)) == "EXPIRED"
    finally:
        scene.clock.ahead = timedelta()
    assert reasons_of(await scene.finish(upload.check_id))[0] == "EXPIRED"


async def test_another_replica_watches_and_cancels(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, limits={"lease_seconds": 2.0})
    async with serving(settings) as first, serving(settings) as second:
        for shown, reason in ((pictures()[:9], "CANCELLED"), (SOMEBODY_ELSE, "NOT_SAME_PERSON")):
            upload = await first.upload()
            async with watching(second, upload.check_id) as watcher:
                await watcher.sees("WAITING")
                stream = await RawDevice(first.device, upload).open()
                await stream.begin()
                await stream.send_frames(shown)
                await stream.taken(len(shown))
                await watcher.sees("SCANNING")
                assert named(await cancel(second, upload.check_id)) == "DECIDED"
                await watcher.over()
            refusal = await stream.outcome()
            assert refusal is not None
            assert refusal.reason == "CHECK_CLOSED"
            assert stream.goodbyes() == ["CHECK_CLOSED"]
            answer = await first.finish(upload.check_id)
            assert reasons_of(answer)[0] == reason
            # The judgement until then stands, whichever replica made it.
            assert answer.evidence_frame.image
            ended_by = [attempt.ended_by for attempt in answer.result.attempts]
            assert ended_by == [result_pb2.AttemptSummary.ENDED_BY_CHECK_CLOSED]
