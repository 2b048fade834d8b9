import hashlib

import numpy as np
import pytest

from device_integrity.stream import StreamTracer
from device_integrity.stream.jpeg import read_jpeg_facts
from tests.device_integrity.stream.streams import camera_stream, decode, encode, frames, measured


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
