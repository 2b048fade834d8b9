"""Frames whose rotation differs from their header, sent to a real server."""

import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2

from server.verdict import FailureReason
from tests.packs import shared_pack
from tests.server.live import FAST, LiveServer, Picture, pictures, serving, settings_for
from tests.server.raw_device import RawDevice, RawStream
from vision.image import encode_jpeg

_ROTATIONS = (scan_pb2.ROTATION_90, scan_pb2.ROTATION_180, scan_pb2.ROTATION_270)


@functools.cache
def _turned(turns: int) -> tuple[Picture, ...]:
    """Returns the frames of a genuine scan, each turned counter-clockwise by this number of quarters."""
    return tuple(_turn(picture, turns) for picture in pictures())


def _turn(picture: Picture, turns: int) -> Picture:
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    turned = np.ascontiguousarray(np.rot90(pixels, turns)).astype(np.uint8)
    height, width = turned.shape[:2]
    return replace(picture, jpeg=encode_jpeg(turned, quality=90), width=width, height=height)


def _hints(stream: RawStream) -> list[str]:
    return [
        feedback_pb2.FeedbackCode.Name(message.feedback.code).removeprefix("FEEDBACK_CODE_")
        for message in stream.seen
        if message.WhichOneof("message") == "feedback"
    ]


async def _send(stream: RawStream, frames: tuple[Picture, ...], **header: object) -> scan_pb2.ScanResult:
    await stream.begin()
    late = stream.attempt.attempt * 10_000_000
    for picture in frames:
        while not stream.credit and not stream.complete:
            await stream.read()
        if stream.complete:
            break
        await stream.send(stream.frame(replace(picture, time_us=picture.time_us + late), **header))
        stream.credit -= 1
    await stream.send(stream.end())
    return await stream.result()


@pytest.mark.parametrize("turns", [1, *(pytest.param(turns, marks=pytest.mark.slow) for turns in (2, 3))])
async def test_a_wrong_rotation_is_named_and_may_be_put_right(scene: LiveServer, turns: int) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    result = await _send(stream, _turned(turns))
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.another_attempt
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_WRONG_ROTATION
    assert feedback_pb2.FEEDBACK_CODE_NO_FACE not in result.feedback
    assert feedback_pb2.FEEDBACK_CODE_TURN_HEAD_SLIGHTLY not in result.feedback
    assert "WRONG_ROTATION" in _hints(stream)
    assert "GOOD" not in _hints(stream)

    result = await _send(stream, _turned(turns), rotation=_ROTATIONS[turns - 1])
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_the_last_attempt_fails_by_conditions_and_not_by_its_person(scene: LiveServer) -> None:
    upload = await scene.upload(policy="once", person="astronaut")
    stream = await RawDevice(scene.device, upload).open()
    result = await _send(stream, _turned(1))
    assert result.status == scan_pb2.SCAN_STATUS_FAILURE
    answer = (await scene.finish(upload.check_id)).result
    assert answer.status == result_pb2.CHECK_STATUS_FAILURE
    assert result_pb2.FAILURE_REASON_CONDITIONS in answer.reasons
    assert result_pb2.FAILURE_REASON_NOT_SAME_PERSON not in answer.reasons
    assert result_pb2.FAILURE_REASON_SPOOF not in answer.reasons
    assert answer.liveness.explanations[0].startswith("The frames are rotated")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_server(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose detector also detects faces in turned images, with upright landmarks."""
    settings = settings_for(tmp_path_factory.mktemp("open"))
    pack = shared_pack(f"open:{assets / 'models'}")
    async with serving(settings, pack=pack, tuning=FAST) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_a_rotated_face_is_not_another_person(open_server: LiveServer, turns: int) -> None:
    upload = await open_server.upload()
    stream = await RawDevice(open_server.device, upload).open()
    result = await _send(stream, _turned(turns))
    assert result.status == scan_pb2.SCAN_STATUS_RETRY
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_WRONG_ROTATION
    await stream.half_close()
    assert await stream.outcome() is None
    answer = (await open_server.finish(upload.check_id)).result
    assert FailureReason.NOT_SAME_PERSON not in {
        result_pb2.FailureReason.Name(reason).removeprefix("FAILURE_REASON_") for reason in answer.reasons
    }
