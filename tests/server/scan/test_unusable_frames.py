"""Images and headers of frames that cannot be used, sent to a real server."""

from dataclasses import replace

import cv2
import grpc
import numpy as np
import pytest
from facegate.v1 import scan_pb2

from server.domain.terms import CheckState
from tests.sampling import some_fast
from tests.server.live import LiveServer, Picture, pictures
from tests.server.raw_device import after_two_frames
from vision.image import encode_jpeg

_C = grpc.StatusCode


def _padded(picture: Picture, size: int) -> Picture:
    return replace(picture, jpeg=picture.jpeg + bytes(size - len(picture.jpeg)))


def _blank(width: int, height: int, time_us: int) -> Picture:
    jpeg = encode_jpeg(np.full((height, width, 3), 128, np.uint8), quality=50)
    return Picture(jpeg, time_us, width, height)


def _as(extension: str, picture: Picture) -> Picture:
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    done, data = cv2.imencode(extension, pixels)
    assert done
    return replace(picture, jpeg=data.tobytes())


def _bad_images() -> dict[str, tuple[Picture, grpc.StatusCode, str]]:
    good = pictures()[2]
    return {
        "empty": (replace(good, jpeg=b""), _C.INVALID_ARGUMENT, "FRAME_IMAGE_INVALID"),
        "no JPEG": (
            replace(good, jpeg=b"not a picture" * 9),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "PNG": (_as(".png", good), _C.INVALID_ARGUMENT, "FRAME_IMAGE_INVALID"),
        "header only": (
            replace(good, jpeg=good.jpeg[:120]),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "cut short": (
            replace(good, jpeg=good.jpeg[: len(good.jpeg) // 2]),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "cut short and closed": (
            replace(good, jpeg=good.jpeg[: len(good.jpeg) // 2] + b"\xff\xd9"),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "declared too wide": (
            replace(good, width=361),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "declared too low": (
            replace(good, height=479),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "turned on paper": (
            replace(good, width=480, height=360),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "too many pixels": (
            _blank(2000, 1900, good.time_us),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "too few pixels": (
            _blank(160, 160, good.time_us),
            _C.INVALID_ARGUMENT,
            "FRAME_IMAGE_INVALID",
        ),
        "too many bytes": (_padded(good, 524_289), _C.RESOURCE_EXHAUSTED, "FRAME_TOO_LARGE"),
    }


@pytest.mark.parametrize(
    "case",
    some_fast(
        [
            "empty",
            "no JPEG",
            "PNG",
            "header only",
            "cut short",
            "declared too wide",
            "declared too low",
            "turned on paper",
            "too many pixels",
            "too few pixels",
            "too many bytes",
        ],
        step=4,
    ),
)
async def test_an_image_that_cannot_be_used_ends_the_stream_and_not_the_check(
    scene: LiveServer, case: str
) -> None:
    picture, code, reason = _bad_images()[case]
    device, stream, check_id = await after_two_frames(scene)

    await stream.send(stream.frame(picture))
    refusal = await stream.outcome()

    assert refusal is not None
    assert (refusal.code, refusal.reason) == (code, reason)
    record = await scene.record(check_id)
    assert record.state is CheckState.WAITING
    assert record.lease_until is None
    assert record.bytes_received > 0
    again = await device.resume()
    assert (await again.run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await again.outcome() is None


@pytest.mark.parametrize(
    ("part", "value", "field"),
    [
        ("header", b"\xff\xff", "frame.header"),
        ("header", bytes(1025), "frame.header"),
    ],
    ids=["garbage", "giant"],
)
async def test_a_malformed_header_is_refused(scene: LiveServer, part: str, value: bytes, field: str) -> None:
    _, stream, _ = await after_two_frames(scene)
    frame = stream.frame(pictures()[2])
    setattr(frame.frame, part, value)
    await stream.send(frame)
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == field


async def test_an_invalid_rotation_is_refused(scene: LiveServer) -> None:
    _, stream, _ = await after_two_frames(scene)
    await stream.send(stream.frame(pictures()[2], rotation=7))
    refusal = await stream.outcome()
    assert refusal is not None
    assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "frame.header.rotation")
