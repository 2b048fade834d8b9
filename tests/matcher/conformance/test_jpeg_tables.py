import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from matcher.conformance.jpeg_tables import mean_luma_step
from tests.matcher.conformance.pictures import drawn_face


def jpeg(quality: int, **options: bool | str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(drawn_face()).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


@pytest.mark.parametrize("quality", [1, 10, 50, 90, 100])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}])
def test_agrees_with_pillow(quality: int, options: dict[str, bool | str]) -> None:
    data = jpeg(quality, **options)
    steps = Image.open(io.BytesIO(data)).quantization[0]  # type: ignore[attr-defined] # of JpegImageFile
    assert mean_luma_step(data) == pytest.approx(float(np.exp(np.log(steps).mean())))


def test_the_standards_own_table() -> None:
    assert mean_luma_step(jpeg(50)) == pytest.approx(45.27, abs=0.01)


def test_the_first_component_names_its_table() -> None:
    """Tables 0 and 1 change names, in the table segments and in the frame: the luma stays the luma."""
    data = jpeg(50)
    first, second = (data.index(b"\xff\xdb\x00\x43" + bytes([identifier])) + 4 for identifier in (0, 1))
    frame = data.index(b"\xff\xc0") + 4 + 6
    renamed = bytearray(data)
    renamed[first], renamed[second] = 1, 0
    for component, table in enumerate((1, 0, 0)):
        renamed[frame + 3 * component + 2] = table
    assert mean_luma_step(bytes(renamed)) == mean_luma_step(data)


def test_sixteen_bit_steps() -> None:
    table = b"\xff\xdb" + (2 + 1 + 128).to_bytes(2, "big") + b"\x10" + (1000).to_bytes(2, "big") * 64
    frame = b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    assert mean_luma_step(b"\xff\xd8" + table + frame + b"\xff\xda") == pytest.approx(1000)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"]
)
def test_anything_but_a_jpeg_has_no_step(data: bytes) -> None:
    assert mean_luma_step(data) is None


def test_a_png_has_none() -> None:
    assert mean_luma_step(cv2.imencode(".png", drawn_face())[1].tobytes()) is None


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 700), byte=st.integers(0, 699), value=st.integers(0, 255))
def test_damage_gives_a_step_or_none(cut: int, byte: int, value: int) -> None:
    data = bytearray(_JPEG[: max(2, cut)] if cut else _JPEG)
    if byte < len(data):
        data[byte] = value
    step = mean_luma_step(bytes(data))
    assert step is None or 1 <= step <= 65535


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(rest: bytes) -> None:
    step = mean_luma_step(b"\xff\xd8\xff" + rest)
    assert step is None or 1 <= step <= 65535


_JPEG = jpeg(75)
