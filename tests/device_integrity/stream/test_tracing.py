import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from device_integrity.stream import StreamTracer
from device_integrity.stream.tracing import (
    THUMBNAIL,
    JpegFacts,
    difference_hash,
    picture_hash,
    read_jpeg_facts,
    thumbnail_of,
)
from tests.device_integrity.stream.streams import blocks, camera_stream, decode, encode, frames, measured


def test_a_trace_covers_bytes_and_pixels_of_a_frame() -> None:
    jpeg = camera_stream(1)[0]
    trace = StreamTracer().add(jpeg, decode(jpeg), capture_time_us=5, arrival_time_us=7, flash_step=2)
    assert trace.sha256 == hashlib.sha256(jpeg).digest()
    assert (trace.capture_time_us, trace.arrival_time_us, trace.flash_step) == (5, 7, 2)
    assert float(trace.thumbnail.mean()) == pytest.approx(float(decode(jpeg).mean()), abs=2)
    assert trace.textured


def test_a_change_of_size_begins_new_counts() -> None:
    luma = frames(8)
    jpegs = [encode(one if at < 4 else one[:160, :200].copy()) for at, one in enumerate(luma)]
    stream = measured(jpegs)
    assert [tally.shape for tally in stream.tallies] == [(240, 320), (160, 200)]
    assert [tally.pairs for tally in stream.tallies] == [3, 3]


def test_frames_smaller_than_a_block_have_no_counts() -> None:
    tiny = np.full((6, 6), 90, np.uint8)
    tracer = StreamTracer()
    tracer.add(encode(tiny), tiny, capture_time_us=0, arrival_time_us=0)
    assert tracer.measurements.tallies == ()
    assert len(tracer.measurements.frames) == 1


def test_quantised_coefficients_are_whole() -> None:
    """The encoder's values are recovered from the decoded pixels, to within their rounding."""
    (tally,) = measured(camera_stream(3)).tallies
    assert tally.coefficients.sum() == 3 * 5 * tally.still.size


def test_the_facts_of_each_header_are_its_own() -> None:
    """They are read once for frames with the same header, and anew when the encoder changes its quality."""
    luma = frames(3)
    jpegs = [encode(luma[0], quality=90), encode(luma[1], quality=90), encode(luma[2], quality=40)]
    traced = measured(jpegs).frames
    for trace, jpeg in zip(traced, jpegs, strict=True):
        expected = read_jpeg_facts(jpeg)
        assert trace.facts is not None
        assert expected is not None
        assert trace.facts.structure == expected.structure
        assert np.array_equal(trace.facts.luma_table, expected.luma_table)
    assert traced[0].facts is traced[1].facts
    assert traced[2].facts is not traced[0].facts


def test_a_thumbnail_is_the_picture_in_small() -> None:
    halves = np.zeros((480, 640), np.uint8)
    halves[:, 320:] = 200
    small = thumbnail_of(halves).reshape(THUMBNAIL)
    assert np.all(small[:, :15] == 0)
    assert np.all(small[:, 17:] == 200)


def test_a_hash_survives_encoding_and_distinguishes_scenes() -> None:
    one, other = frames(1, seed=1)[0], frames(1, seed=2)[0]
    first = difference_hash(thumbnail_of(one))
    again = difference_hash(thumbnail_of(decode(encode(one, quality=60))))
    foreign = difference_hash(thumbnail_of(other))
    assert len(first) * 8 == 256
    assert _distance(first, again) <= 10
    assert _distance(first, foreign) > 60


def _distance(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def test_a_picture_is_the_same_in_another_file_and_another_with_other_noise() -> None:
    one, other = frames(2, moves=False)
    jpeg = encode(one)
    shown = picture_hash(blocks(jpeg))
    assert len(shown) == 32
    commented = jpeg[:2] + b"\xff\xfe\x00\x07again" + jpeg[2:] + b"more"
    assert picture_hash(blocks(commented)) == shown
    assert picture_hash(blocks(encode(other))) != shown
    assert picture_hash(blocks(encode(one, quality=84))) != shown


@pytest.mark.parametrize("shape", [(30, 40), (40, 30), (32, 32)])
def test_every_orientation_of_a_picture_is_the_same(shape: tuple[int, int]) -> None:
    grid = np.random.default_rng(3).integers(30, 220, shape).astype(np.uint8)
    turned = [np.rot90(one, turns) for one in (grid, grid[:, ::-1]) for turns in range(4)]
    assert len({picture_hash(np.ascontiguousarray(one)) for one in turned}) == (1 if shape != (32, 32) else 2)


def test_a_picture_without_texture_has_no_hash() -> None:
    dark = np.random.default_rng(3).integers(0, 16, (60, 80)).astype(np.uint8)
    drawn = np.full((60, 80), 90, np.uint8)
    drawn[20:40, 30:50] = 200
    for blank in (dark, 255 - dark, drawn, np.full((60, 80), 128, np.uint8)):
        assert picture_hash(blank) == b""


_JPEG = encode(frames(1)[0], quality=75)


def _facts(jpeg: bytes) -> JpegFacts:
    facts = read_jpeg_facts(jpeg)
    assert facts is not None
    return facts


def _pillow(**options: object) -> bytes:
    made = io.BytesIO()
    Image.fromarray(frames(1)[0]).convert("RGB").save(made, "JPEG", **options)
    return made.getvalue()


def test_luma_steps_are_those_that_another_reader_finds() -> None:
    facts = _facts(_JPEG)
    with Image.open(io.BytesIO(_JPEG)) as opened:
        tables = opened.quantization  # type: ignore[attr-defined]
    assert facts.luma_table.astype(int).tolist() == list(tables[0])


def test_structure_distinguishes_encoders_and_not_qualities() -> None:
    facts = [_facts(encode(frames(1)[0], quality)) for quality in (50, 75, 95)]
    assert len({one.structure for one in facts}) == 1
    progressive, other = _facts(_pillow(progressive=True)), _facts(_pillow())
    assert progressive.structure != other.structure


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
    plain, filled = _facts(_JPEG), _facts(_filled(9))
    assert filled.structure == plain.structure
    assert read_jpeg_facts(_filled(100_000)) is None


def _with_tables(count: int, *, place: int = 3) -> bytes:
    tables = (bytes([place]) + bytes(range(1, 65))) * count
    return _JPEG[:2] + b"\xff\xdb" + (2 + len(tables)).to_bytes(2, "big") + tables + _JPEG[2:]


def test_quantisation_tables_without_end_are_not_read() -> None:
    """Each costs time, and a frame has room for thousands."""
    plain, few = _facts(_JPEG), _facts(_with_tables(8))
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
        assert np.all(_facts(file.read_bytes()).luma_table >= 1)


@pytest.mark.parametrize("stray", [b"\x00\x00", b"8BIM", b"\xff\x00\x07"])
def test_stray_bytes_between_segments_are_passed_over(stray: bytes) -> None:
    second = _JPEG.index(b"\xff\xdb")
    plain, other = _facts(_JPEG), _facts(_JPEG[:second] + stray + _JPEG[second:])
    assert other.structure == plain.structure
