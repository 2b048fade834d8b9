from dataclasses import replace

import cv2
import numpy as np
import pytest

from attempt.frame import Frame, FrameDecoder, FrameLimits, FramePicture, FrameUnusable
from tests.attempt.frames import frame_of, undecodable
from tests.server.live import pictures
from vision.image import DecodedImage, DecodedLuma, encode_jpeg, rotate_upright


def test_luma_is_the_grey_of_the_colours() -> None:
    message = frame_of(0, image=pictures()[0].jpeg)
    picture = FramePicture(FrameDecoder(FrameLimits()), message)
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
    message = frame_of(
        0,
        image=encode_jpeg(stored, quality=95),
        rotation_degrees=degrees,
        mirrored=mirrored,
        width=stored.shape[1],
        height=stored.shape[0],
    )
    decoder = FrameDecoder(FrameLimits())
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
def test_both_decoders_refuse_the_same_images(change: dict[str, object]) -> None:
    message = frame_of(3, image=pictures()[0].jpeg)
    broken = replace(message, **change)  # type: ignore[arg-type]  # names of fields
    decoder = FrameDecoder(FrameLimits())
    messages = []
    for decode in (decoder.colour, decoder.luma):
        with pytest.raises(FrameUnusable) as caught:
            decode(broken)
        assert caught.value.details["frame_index"] == 3
        messages.append(str(caught.value))
    assert messages[0] == messages[1]

    with pytest.raises(FrameUnusable) as caught:
        decoder.validate_header(broken)
    assert str(caught.value) == messages[0]


def test_a_check_decodes_nothing() -> None:
    message = frame_of(0, image=undecodable(pictures()[0].jpeg))
    decoder = FrameDecoder(FrameLimits())
    decoder.validate_header(message)
    with pytest.raises(FrameUnusable):
        decoder.luma(message)


def test_a_frame_has_colours() -> None:
    done, grey = cv2.imencode(".jpg", np.zeros((480, 360), np.uint8))
    assert done
    message = frame_of(3, image=grey.tobytes())
    with pytest.raises(FrameUnusable) as caught:
        FrameDecoder(FrameLimits()).validate_header(message)
    assert caught.value.details == {"frame_index": 3, "fault": "UNSUPPORTED_FORMAT"}


def test_limits_hold_for_luma_too() -> None:
    message = frame_of(0, image=pictures()[0].jpeg)
    decoder = FrameDecoder(FrameLimits(max_pixels=360 * 480 - 1))
    for decode in (decoder.colour, decoder.luma):
        with pytest.raises(FrameUnusable, match="pixels"):
            decode(message)


def _small_message(width: int, height: int, **turned: object) -> Frame:
    stored = cv2.imdecode(np.frombuffer(pictures()[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert stored is not None
    sized = np.asarray(cv2.resize(stored, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return frame_of(0, image=encode_jpeg(sized, quality=95), width=width, height=height, **turned)


@pytest.mark.parametrize("in_colour", [False, True])
def test_a_frame_is_decoded_once(monkeypatch: pytest.MonkeyPatch, in_colour: bool) -> None:
    decoder = FrameDecoder(FrameLimits())
    decoded: list[str] = []
    real_colour, real_luma = decoder.coded_colour, decoder.coded_luma

    def colour(message: Frame) -> DecodedImage:
        decoded.append("colour")
        return real_colour(message)

    def luma(message: Frame) -> DecodedLuma:
        decoded.append("luma")
        return real_luma(message)

    monkeypatch.setattr(decoder, "coded_colour", colour)
    monkeypatch.setattr(decoder, "coded_luma", luma)
    picture = FramePicture(decoder, frame_of(0, image=pictures()[0].jpeg), in_colour=in_colour)
    for _ in range(2):
        picture.grey()
    assert decoded == (["colour"] if in_colour else ["luma"])
    for _ in range(2):
        picture.colour()
        picture.light()
    assert decoded == (["colour"] if in_colour else ["luma", "colour"])


def test_the_grey_of_colours_is_the_luma() -> None:
    message = frame_of(0, image=pictures()[0].jpeg)
    decoder = FrameDecoder(FrameLimits())
    in_colour = FramePicture(decoder, message, in_colour=True)
    difference = np.abs(in_colour.grey().astype(int) - decoder.luma(message))
    assert np.percentile(difference, 99) <= 2
    assert np.array_equal(in_colour.coded, in_colour.grey()), "not turned, and grey where that is at hand"
    assert FramePicture(decoder, message).coded.ndim == 2
    looked = FramePicture(decoder, message)
    looked.colour()
    assert looked.coded.ndim == 3


@pytest.mark.parametrize(
    ("width", "height", "halved"), [(480, 640, True), (400, 401, True), (399, 640, False), (640, 399, False)]
)
def test_light_is_measured_at_half_the_size_of_large_frames(width: int, height: int, halved: bool) -> None:
    picture = FramePicture(FrameDecoder(FrameLimits()), _small_message(width, height))
    light, whole = picture.light(), picture.colour()
    assert light.shape == ((height // 2, width // 2, 3) if halved else (height, width, 3))
    assert light.reshape(-1, 3).mean(axis=0) == pytest.approx(whole.reshape(-1, 3).mean(axis=0), abs=0.6)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_light_is_turned_as_the_frame_is(degrees: int, mirrored: bool) -> None:
    message = _small_message(480, 640, rotation_degrees=degrees, mirrored=mirrored)
    picture = FramePicture(FrameDecoder(FrameLimits()), message)
    light, whole = picture.light(), picture.colour()
    assert light.flags.c_contiguous
    shrunk = cv2.resize(whole, light.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(light.astype(int) - shrunk).max() <= 1


def test_light_that_does_not_decode_is_refused() -> None:
    broken = frame_of(3, image=b"no picture")
    with pytest.raises(FrameUnusable):
        FramePicture(FrameDecoder(FrameLimits()), broken, in_colour=True).grey()
