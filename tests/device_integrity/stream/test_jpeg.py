import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from device_integrity.stream.jpeg import read_jpeg_facts
from tests.device_integrity.stream.streams import encode, frames

_JPEG = encode(frames(1)[0], quality=75)


def _pillow(**options: object) -> bytes:
    made = io.BytesIO()
    Image.fromarray(frames(1)[0]).convert("RGB").save(made, "JPEG", **options)
    return made.getvalue()


def test_luma_steps_are_those_that_another_reader_finds() -> None:
    facts = read_jpeg_facts(_JPEG)
    assert facts is not None
    with Image.open(io.BytesIO(_JPEG)) as opened:
        tables = opened.quantization  # type: ignore[attr-defined]
    assert facts.luma_table.astype(int).tolist() == list(tables[0])


def test_structure_distinguishes_encoders_and_not_qualities() -> None:
    facts = [read_jpeg_facts(encode(frames(1)[0], quality)) for quality in (50, 75, 95)]
    assert len({one.structure for one in facts if one is not None}) == 1
    progressive, other = read_jpeg_facts(_pillow(progressive=True)), read_jpeg_facts(_pillow())
    assert progressive is not None
    assert other is not None
    assert progressive.structure != other.structure


def test_comments_are_read() -> None:
    facts = read_jpeg_facts(_pillow(comment=b"Lavc61.3.100\x00"))
    assert facts is not None
    assert facts.comments == ("Lavc61.3.100",)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\x00\x02", b"\xff\xd8\xff\xdb\x00\x05\x20\x01\x01", b"GIF89a"],
)
def test_anything_but_a_jpeg_has_no_structure(data: bytes) -> None:
    assert read_jpeg_facts(data) is None


@given(st.integers(0, 700), st.binary(max_size=8))
def test_damaged_headers_give_facts_or_nothing(at: int, damage: bytes) -> None:
    damaged = _JPEG[:at] + damage + _JPEG[at + len(damage) :]
    facts = read_jpeg_facts(damaged)
    assert facts is None or facts.luma_table.shape == (64,)
    assert read_jpeg_facts(_JPEG[:at]) is None or at > 300


def _filled(fill: int) -> bytes:
    return _JPEG[:2] + b"\xff" * fill + _JPEG[2:]


def test_fill_bytes_before_a_marker_are_passed_over_but_not_many() -> None:
    plain, filled = read_jpeg_facts(_JPEG), read_jpeg_facts(_filled(9))
    assert plain is not None
    assert filled is not None
    assert filled.structure == plain.structure
    assert read_jpeg_facts(_filled(100_000)) is None


def _with_tables(count: int, *, place: int = 3) -> bytes:
    tables = (bytes([place]) + bytes(range(1, 65))) * count
    return _JPEG[:2] + b"\xff\xdb" + (2 + len(tables)).to_bytes(2, "big") + tables + _JPEG[2:]


def test_quantisation_tables_without_end_are_not_read() -> None:
    """Each costs time, and a frame has room for thousands."""
    plain, few = read_jpeg_facts(_JPEG), read_jpeg_facts(_with_tables(8))
    assert plain is not None
    assert few is not None
    assert np.array_equal(few.luma_table, plain.luma_table)
    assert read_jpeg_facts(_with_tables(1000)) is None
    assert read_jpeg_facts(_with_tables(1, place=4)) is None
    many = _JPEG
    for _ in range(5):
        many = many[:2] + _with_tables(4)[2 : 2 + 4 + 4 * 65] + many[2:]
    assert read_jpeg_facts(many) is None


def test_real_pictures_can_be_read(assets: Path) -> None:
    files = sorted((assets / "data/pad/live").glob("*.jpg"))[:40]
    assert files
    for file in files:
        facts = read_jpeg_facts(file.read_bytes())
        assert facts is not None
        assert np.all(facts.luma_table >= 1)


def test_grey_pictures_have_a_luma_table_too() -> None:
    grey = cv2.imencode(".jpg", frames(1)[0])[1].tobytes()
    assert read_jpeg_facts(grey) is not None


@pytest.mark.parametrize("stray", [b"\x00\x00", b"8BIM", b"\xff\x00\x07"])
def test_stray_bytes_between_segments_are_passed_over(stray: bytes) -> None:
    second = _JPEG.index(b"\xff\xdb")
    plain, other = read_jpeg_facts(_JPEG), read_jpeg_facts(_JPEG[:second] + stray + _JPEG[second:])
    assert plain is not None
    assert other is not None
    assert other.structure == plain.structure
