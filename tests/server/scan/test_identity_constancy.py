"""A scan on a whole server in which one person replaces another."""

import functools
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from facegate.v1 import result_pb2, scan_pb2

from tests.sampling import some_fast
from tests.server.live import LiveServer, Picture, pictures
from tests.server.raw_device import RawDevice

_OURS, _THEIRS = "astronaut", "red-shirt"
_BLUR = 2.5


@functools.cache
def _blurred(picture: Picture) -> Picture:
    """Blurs an image, so that its frame is not selected while there are better ones."""
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    soft = cv2.GaussianBlur(pixels, (0, 0), _BLUR)
    jpeg = bytes(cv2.imencode(".jpg", soft, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])
    return Picture(jpeg, picture.time_us, picture.width, picture.height)


def _covered(picture: Picture) -> Picture:
    """Returns the frame of a camera that a hand covers."""
    dark = np.zeros((picture.height, picture.width, 3), np.uint8)
    return replace(picture, jpeg=bytes(cv2.imencode(".jpg", dark)[1]))


@functools.cache
def _resized(picture: Picture) -> Picture:
    """Returns an image of another size."""
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    small = cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    return Picture(bytes(cv2.imencode(".jpg", small)[1]), picture.time_us, width, height)


_MADE: dict[str, Callable[[Picture], Picture]] = {
    "B": lambda picture: picture,
    "b": _blurred,
    "k": _covered,
    "S": _resized,
}


def _scan(letters: str) -> tuple[Picture, ...]:
    """Returns a frame for each letter.

    A is the portrait's person, B another, b another and blurred, k a covered camera, and S another in frames
    of another size.
    """
    ours, theirs = pictures(_OURS), pictures(_THEIRS)
    assert len(letters) == len(ours)
    return tuple(
        ours[place] if letter == "A" else _MADE[letter](theirs[place]) for place, letter in enumerate(letters)
    )


def _constancy(result: result_pb2.CheckResult) -> result_pb2.Signal:
    (signal,) = [signal for signal in result.liveness.signals if signal.name == "identity_constancy"]
    return signal


async def test_the_result_states_one_person_throughout(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.run_attempt(_scan("A" * 26))
    result = (await scene.finish(upload.check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS
    signal = _constancy(result)
    assert signal.passed
    assert signal.weight == 0.0
    assert "The face was identified in" in signal.detail


@pytest.mark.parametrize(
    "letters",
    some_fast(
        [
            "A" * 13 + "B" * 13,
            "B" * 13 + "A" * 13,
            "A" * 14 + "B" * 12,
            "A" * 8 + "B" * 6 + "A" * 12,
            "AAB" * 8 + "AA",
            "A" * 5 + "bb" + "A" * 19,
            "A" * 12 + "kk" + "B" * 12,
            "A" * 12 + "bbb" + "B" * 11,
            "A" * 13 + "S" * 13,
        ],
        step=3,
    ),
    ids=[
        "A then B",
        "B then A",
        "B at the end",
        "B in between",
        "B every third",
        "B blurred in between",
        "hidden by a cover",
        "hidden by a blur",
        "another frame size",
    ],
)
async def test_another_person_in_the_scan_is_a_failure_with_its_own_reason(
    scene: LiveServer, letters: str
) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    reported = await stream.run_attempt(_scan(letters))
    assert reported.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not reported.another_attempt
    result = (await scene.finish(upload.check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result_pb2.FAILURE_REASON_IDENTITY_CHANGED in result.reasons
    signal = _constancy(result)
    assert not signal.passed
    assert signal.HasField("passed")


async def test_a_person_in_no_selected_frame_is_detected(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.run_attempt(_scan("A" * 5 + "bb" + "A" * 19))
    result = (await scene.finish(upload.check_id)).result
    # The match is with the portrait's person, and another person was detected, too.
    assert result.match.same_person
    assert result_pb2.FAILURE_REASON_IDENTITY_CHANGED in result.reasons
    assert ", 0 of them" not in _constancy(result).detail
