"""Frames from JPEG to upright pixels, in colour and as luma."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from server.errors import Reason, Refusal
from server.scan.frame_pictures import FrameDecoder, FramePicture
from server.scan.messages import CaptureBudget
from tests.server.live import pictures
from tests.server.scan.records import frame_message
from vision.image import encode_jpeg, rotate_upright


def test_luma_is_the_grey_of_the_colours() -> None:
    message = frame_message(0, image=pictures()[0].jpeg)
    picture = FramePicture(FrameDecoder(CaptureBudget()), message)
    grey = cv2.cvtColor(picture.colour(), cv2.COLOR_BGR2GRAY).astype(int)
    difference = np.abs(picture.grey() - grey)
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99) <= 2


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_both_are_turned_alike(degrees: int, mirrored: bool) -> None:
    upright = cv2.imdecode(np.frombuffer(pictures()[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert upright is not None
    stored = rotate_upright(np.asarray(upright, np.uint8), degrees=0, mirrored=mirrored)
    stored = np.ascontiguousarray(rotate_upright(stored, degrees=(360 - degrees) % 360, mirrored=False))
    message = frame_message(
        0,
        image=encode_jpeg(stored, quality=95),
        rotation_degrees=degrees,
        mirrored=mirrored,
        width=stored.shape[1],
        height=stored.shape[0],
    )
    decoder = FrameDecoder(CaptureBudget())
    for seen in (decoder.colour(message), decoder.luma(message)):
        assert seen.shape[:2] == upright.shape[:2]
        assert seen.flags.c_contiguous
    colours = decoder.colour(message).astype(int)
    assert np.abs(colours - upright).mean() < 4
    grey = cv2.cvtColor(decoder.colour(message), cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(decoder.luma(message) - grey).mean() < 1


@pytest.mark.parametrize(
    "change",
    [{"image": b"no picture"}, {"image": b""}, {"width": 361}, {"height": 1}],
    ids=["no picture", "empty", "width", "height"],
)
def test_both_refuse_alike(change: dict[str, object]) -> None:
    message = frame_message(3, image=pictures()[0].jpeg)
    broken = replace(message, **change)  # type: ignore[arg-type]  # names of fields
    decoder = FrameDecoder(CaptureBudget())
    told = []
    for decode in (decoder.colour, decoder.luma):
        with pytest.raises(Refusal) as caught:
            decode(broken)
        assert caught.value.reason is Reason.FRAME_IMAGE_INVALID
        assert caught.value.details["frameIndex"] == 3
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_limits_hold_for_luma_too() -> None:
    message = frame_message(0, image=pictures()[0].jpeg)
    decoder = FrameDecoder(CaptureBudget(max_frame_pixels=360 * 480 - 1))
    for decode in (decoder.colour, decoder.luma):
        with pytest.raises(Refusal, match="pixels"):
            decode(message)
