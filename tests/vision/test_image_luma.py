"""The luma of a JPEG alone equals the grey of its colours, and is refused if its colours are refused."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from formats.image_format import ImageFormat
from vision.errors import ImageError, ImageFault
from vision.image import DecodeLimits, decode_image, decode_jpeg_blocks, decode_jpeg_luma

_LIMITS = DecodeLimits(max_bytes=200_000, max_pixels=400 * 300, max_side=400, min_side=8)
_WIDTH, _HEIGHT = 96, 64


def _picture() -> Image.Image:
    across, down = np.meshgrid(np.linspace(0, 255, _WIDTH), np.linspace(0, 255, _HEIGHT))
    return Image.fromarray(np.stack([across, down, 255 - across], axis=2).astype(np.uint8))


def _jpeg(picture: Image.Image, **options: object) -> bytes:
    stored = io.BytesIO()
    picture.save(stored, "JPEG", **options)
    return stored.getvalue()


def _colours(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return decode_image(
        data, limits=_LIMITS, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=False
    ).pixels


@pytest.mark.parametrize(
    "data",
    [
        _jpeg(_picture(), quality=95),
        _jpeg(_picture(), quality=60, subsampling=0),
        _jpeg(_picture(), progressive=True),
        _jpeg(_picture().convert("L")),
        _jpeg(_picture().convert("CMYK"), quality=95),
    ],
    ids=["baseline", "4:4:4", "progressive", "grey", "CMYK"],
)
def test_luma_is_the_grey_of_the_colours(data: bytes) -> None:
    decoded = decode_jpeg_luma(data, limits=_LIMITS)
    assert decoded.pixels.shape == (_HEIGHT, _WIDTH) == (decoded.header.height, decoded.header.width)
    assert decoded.pixels.dtype == np.uint8
    grey = cv2.cvtColor(_colours(data), cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(decoded.pixels - grey).mean() < 1.5


def test_orientation_is_left_alone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_jpeg_luma(_jpeg(_picture(), exif=exif), limits=_LIMITS).pixels.shape == (_HEIGHT, _WIDTH)


def _png() -> bytes:
    stored = io.BytesIO()
    _picture().save(stored, "PNG")
    return stored.getvalue()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", ImageFault.EMPTY),
        (_png(), ImageFault.UNSUPPORTED_FORMAT),
        (_jpeg(_picture())[:-400], ImageFault.MALFORMED),
        (_jpeg(_picture().resize((500, 100))), ImageFault.TOO_MANY_PIXELS),
        (_jpeg(_picture().resize((100, 4))), ImageFault.TOO_SMALL),
        (_jpeg(_picture()) + bytes(200_000), ImageFault.TOO_MANY_BYTES),
    ],
    ids=["empty", "PNG", "cut off", "too large", "too small", "too long"],
)
def test_images_refused_in_colour_are_refused(data: bytes, fault: ImageFault) -> None:
    with pytest.raises(ImageError) as in_grey:
        decode_jpeg_luma(data, limits=_LIMITS)
    with pytest.raises(ImageError) as in_colour:
        _colours(data)
    assert in_grey.value.reason is in_colour.value.reason is fault


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_file_is_decoded_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(_jpeg(_picture()))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        decoded = decode_jpeg_luma(bytes(data), limits=_LIMITS)
    except ImageError:
        return
    assert decoded.pixels.shape == (decoded.header.height, decoded.header.width)


@pytest.mark.parametrize("size", [(96, 64), (97, 71), (100, 9)])
def test_blocks_are_their_mean_luma_however_they_are_coded(size: tuple[int, int]) -> None:
    picture = _picture().resize(size)
    coded = [
        _jpeg(picture, quality=80),
        _jpeg(picture, quality=80, optimize=True),
        _jpeg(picture, quality=80, progressive=True),
        _jpeg(picture, quality=80, comment=b"once more", exif=Image.Exif()),
    ]
    assert len(set(coded)) == len(coded)
    means = [decode_jpeg_blocks(data, limits=_LIMITS) for data in coded]
    assert all(np.array_equal(one, means[0]) for one in means)
    width, height = size
    assert means[0].shape == (-(-height // 8), -(-width // 8))
    luma = decode_jpeg_luma(coded[0], limits=_LIMITS).pixels[: height // 8 * 8, : width // 8 * 8]
    exact = luma.reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    assert np.abs(means[0][: height // 8, : width // 8] - exact).max() <= 1.5


def test_blocks_of_an_image_over_a_limit_are_refused() -> None:
    with pytest.raises(ImageError) as refused:
        decode_jpeg_blocks(_jpeg(_picture().resize((401, 64))), limits=_LIMITS)
    assert refused.value.reason is ImageFault.TOO_MANY_PIXELS
    with pytest.raises(ImageError) as refused:
        decode_jpeg_blocks(_jpeg(_picture())[:-200], limits=_LIMITS)
    assert refused.value.reason is ImageFault.MALFORMED
