"""The EXIF orientation."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from formats.exif import read_orientation
from tests.formats.samples import exif
from vision.image import apply_orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_as_pillow_does(orientation: int) -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    picture = Image.fromarray(pixels)
    tags = picture.getexif()
    tags[0x0112] = orientation
    stored = io.BytesIO()
    picture.save(stored, format="PNG", exif=tags)
    with Image.open(stored) as again:
        expected = np.asarray(ImageOps.exif_transpose(again))
    np.testing.assert_array_equal(apply_orientation(pixels, orientation), expected)


@pytest.mark.parametrize("broken", [b"", b"II*\x00", exif(0), exif(9), exif(6)[:12], b"XX" + exif(6)[2:]])
def test_broken_data_read_as_upright(broken: bytes) -> None:
    assert read_orientation(broken) == 1


@given(st.binary(max_size=200))
def test_any_bytes_give_an_orientation(tail: bytes) -> None:
    assert read_orientation(b"MM\x00*" + tail) in range(1, 9)
