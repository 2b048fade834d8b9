import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facegate_client import Pixels, SourceError
from facegate_client.encoding import CaptureLimits, EncodedImage, encode_image
from facegate_client.frame_source import QuarterTurn

NOISE: Pixels = np.random.default_rng(3).integers(0, 255, (120, 90, 3), dtype=np.uint8)


def _jpeg(pixels: Pixels = NOISE, *, orientation: int = 1, mode: str = "RGB") -> bytes:
    image = Image.fromarray(pixels[:, :, ::-1]).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif, quality=90)
    return stream.getvalue()


def _size(encoded: EncodedImage) -> tuple[int, int]:
    with Image.open(io.BytesIO(encoded.jpeg)) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        return image.size


def test_small_pixels_keep_their_size() -> None:
    encoded = encode_image(NOISE, limits=CaptureLimits())
    assert encoded is not None
    assert (encoded.width, encoded.height) == _size(encoded) == (90, 120)


def test_colours_survive() -> None:
    blue = np.zeros((64, 64, 3), np.uint8)
    blue[:, :, 0] = 200
    encoded = encode_image(blue, limits=CaptureLimits())
    assert encoded is not None
    decoded = cv2.imdecode(np.frombuffer(encoded.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - blue).max() <= 4


@settings(max_examples=40, deadline=None)
@given(
    max_side=st.integers(16, 200),
    max_pixels=st.integers(300, 40_000),
    max_bytes=st.integers(1_500, 40_000),
    min_side=st.integers(1, 60),
)
def test_every_limit_is_kept(max_side: int, max_pixels: int, max_bytes: int, min_side: int) -> None:
    limits = CaptureLimits(max_side=max_side, max_pixels=max_pixels, max_bytes=max_bytes, min_side=min_side)
    encoded = encode_image(NOISE, limits=limits)
    if encoded is None:
        return
    assert max(encoded.width, encoded.height) <= max_side
    assert encoded.width * encoded.height <= max_pixels
    assert len(encoded.jpeg) <= max_bytes
    assert min(encoded.width, encoded.height) >= min_side
    assert _size(encoded) == (encoded.width, encoded.height)


def test_an_image_that_cannot_fit_is_not_encoded() -> None:
    assert encode_image(NOISE, limits=CaptureLimits(max_side=40, min_side=60)) is None
    assert encode_image(NOISE, limits=CaptureLimits(max_bytes=500, min_side=80)) is None
    assert encode_image(NOISE, limits=CaptureLimits(max_bytes=10)) is None


def test_image_below_the_smallest_side_is_left_to_the_server() -> None:
    encoded = encode_image(NOISE, limits=CaptureLimits(min_side=200))
    assert encoded is not None
    assert encoded.width == 90


def test_fitting_jpeg_goes_as_it_is() -> None:
    jpeg = _jpeg()
    encoded = encode_image(jpeg, limits=CaptureLimits())
    assert encoded is not None
    assert encoded.jpeg == jpeg
    assert (encoded.width, encoded.height) == (90, 120)


@pytest.mark.parametrize(
    ("jpeg", "size"),
    [
        (_jpeg(orientation=6), (120, 90)),
        (_jpeg(mode="L"), (90, 120)),
        (_jpeg(mode="CMYK"), (90, 120)),
    ],
    ids=["exif-turned", "grey", "cmyk"],
)
def test_other_jpegs_are_made_upright_and_colour(jpeg: bytes, size: tuple[int, int]) -> None:
    encoded = encode_image(jpeg, limits=CaptureLimits())
    assert encoded is not None
    assert encoded.jpeg != jpeg
    assert _size(encoded) == size


def test_large_jpeg_is_scaled_down() -> None:
    encoded = encode_image(_jpeg(), limits=CaptureLimits(max_side=60))
    assert encoded is not None
    assert _size(encoded) == (45, 60)


@pytest.mark.parametrize(
    ("captured", "rotation", "sent"),
    [
        ((1280, 720), 0, (1066, 600)),
        ((960, 720), 0, (800, 600)),
        ((640, 480), 0, (640, 480)),
        ((720, 1280), 0, (480, 853)),
        ((1280, 720), 90, (853, 480)),
        ((960, 1200), 0, (480, 600)),
    ],
)
def test_the_field_is_scaled_to_one_width(
    captured: tuple[int, int], rotation: QuarterTurn, sent: tuple[int, int]
) -> None:
    pixels = np.zeros((captured[1], captured[0], 3), np.uint8)
    for image in (pixels, _jpeg(pixels)):
        encoded = encode_image(image, limits=CaptureLimits(), rotation=rotation)
        assert encoded is not None
        assert _size(encoded) == sent


@pytest.mark.parametrize("content", [b"", b"not a jpeg", _jpeg()[:200], b"\x89PNG\r\n\x1a\n"])
def test_anything_but_a_jpeg_raises_source_error(content: bytes) -> None:
    with pytest.raises(SourceError):
        encode_image(content, limits=CaptureLimits(max_side=50))


@given(st.integers(0, 1400), st.integers(0, 700_000), st.floats(0, 60))
def test_limits_only_ever_fall(side: int, size: int, rate: float) -> None:
    before = CaptureLimits(max_frames_per_second=24)
    after = before.lowered(max_side=side, max_bytes=size, max_frames_per_second=rate)
    assert after.max_side == (min(side, 1280) if side else 1280)
    assert after.max_bytes == (min(size, 524_288) if size else 524_288)
    assert after.max_frames_per_second == (min(rate, 24) if rate else 24)
