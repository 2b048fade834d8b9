"""Frames that are not measured: the tests of all of them, and of the few that are drawn."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from facegate.v1 import result_pb2, scan_pb2

from liveness.watch import FramePace, FrameWork
from tests.attempt.capturing import undecodable
from tests.server.live import PLAN, LiveServer, Picture, pictures
from tests.server.raw_device import Ended, RawDevice
from tests.server.refusals import Refused

_RATE = 24.0
_SENT = 62


def _unmeasured(sent: Sequence[Picture]) -> set[int]:
    """Returns the frames that are not measured, which anyone can compute from the pace."""
    pace = FramePace(apart_seconds=PLAN.apart_seconds)
    works = [pace.next(picture.time_us / 1e6, restless=False) for picture in sent]
    return {index for index, work in enumerate(works) if work is FrameWork.NOTE}


def _spoilt(spoil: Callable[[bytes], bytes]) -> list[Picture]:
    sent = pictures(count=_SENT, rate=_RATE)
    unmeasured = _unmeasured(sent)
    assert len(unmeasured) > _SENT / 3
    return [
        replace(picture, jpeg=spoil(picture.jpeg)) if index in unmeasured else picture
        for index, picture in enumerate(sent)
    ]


async def _refused(live: LiveServer, sent: Sequence[Picture]) -> tuple[Refused, str]:
    """Returns the refusal of a scan of these frames, and its check."""
    for _ in range(5):
        upload = await live.upload()
        stream = await RawDevice(live.device, upload).open()
        await stream.begin()
        with suppress(Ended):
            await stream.send_frames(sent)
            await stream.send(stream.end())
        # grpc.aio's client sometimes loses the status of a stream that it writes to.
        if (refusal := await stream.outcome()) is not None:
            return refusal, upload.check_id
    raise AssertionError("it was not refused")


@pytest.mark.parametrize(
    "spoil", [lambda jpeg: os.urandom(len(jpeg)), undecodable], ids=["random bytes", "undecodable"]
)
async def test_frames_that_nothing_is_measured_of_must_be_pictures(
    scene: LiveServer, spoil: Callable[[bytes], bytes]
) -> None:
    refusal, check_id = await _refused(scene, _spoilt(spoil))
    assert refusal.reason == "FRAME_IMAGE_INVALID"
    await scene.unattended()
    answer = await scene.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE


async def test_the_result_states_the_number_of_examined_frames(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    result = await stream.run_attempt(pictures(count=_SENT, rate=_RATE))
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None
    transcript = (await scene.finish(upload.check_id)).result.transcript
    unmeasured = [index for index in _unmeasured(pictures(count=_SENT, rate=_RATE)) if index < stream.frames]
    assert transcript.frames == stream.frames
    most = stream.frames - len(unmeasured) + 4
    # The frames in flight when the capture was complete are not measured either.
    assert most - 8 <= transcript.frames_examined <= most < transcript.frames
