"""JPEGs decoded to a half or a quarter of their size."""

from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.errors import ImageError, ImageFault
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image, decode_jpeg_reduced, encode_jpeg
from vision.image_format import ImageFormat

_LIMITS = DecodeLimits(max_bytes=200_000, max_pixels=120_000, max_side=600, min_side=8)


def _picture(width: int, height: int) -> BgrImage:
    """Smooth colours, so that lossy coding stays close."""
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([255 * x / width, 255 * y / height, 255 - 120 * x / width]).astype(np.uint8)


@pytest.mark.parametrize("divisor", [2, 4])
@pytest.mark.parametrize("size", [(96, 64), (97, 63), (99, 65), (8, 8)])
def test_it_is_the_mean_of_the_large_picture(size: tuple[int, int], divisor: Literal[2, 4]) -> None:
    data = encode_jpeg(_picture(*size), quality=95)
    large = decode_image(
        data, limits=_LIMITS, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=False
    )

    small = decode_jpeg_reduced(data, limits=_LIMITS, divisor=divisor)

    width, height = -(-size[0] // divisor), -(-size[1] // divisor)
    assert small.pixels.shape == (height, width, 3)
    assert (small.header.width, small.header.height) == size
    expected = cv2.resize(large.pixels, (width, height), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(small.pixels.astype(int) - expected).mean() < 4


def test_limits_hold_for_the_declared_size() -> None:
    data = encode_jpeg(_picture(599, 400), quality=50)

    with pytest.raises(ImageError) as caught:
        decode_jpeg_reduced(data, limits=_LIMITS, divisor=4)

    assert caught.value.reason is ImageFault.TOO_MANY_PIXELS


def test_only_jpegs_are_decoded() -> None:
    done, png = cv2.imencode(".png", _picture(64, 64))
    assert done

    with pytest.raises(ImageError) as caught:
        decode_jpeg_reduced(png.tobytes(), limits=_LIMITS, divisor=2)

    assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(max_examples=40)
def test_damage_is_refused_or_decoded_to_the_declared_size(place: int, value: int) -> None:
    data = bytearray(encode_jpeg(_picture(64, 48), quality=80))
    data[place % len(data)] = value
    try:
        small = decode_jpeg_reduced(bytes(data), limits=_LIMITS, divisor=2)
    except ImageError:
        return
    assert small.pixels.shape == (-(-small.header.height // 2), -(-small.header.width // 2), 3)
