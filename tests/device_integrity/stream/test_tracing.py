import hashlib

import numpy as np
import pytest

from device_integrity.stream import StreamTracer
from tests.device_integrity.stream.streams import camera_stream, decode, encode, frames, measured


def test_a_frames_trace_is_of_its_bytes_and_what_it_shows() -> None:
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
    """What the encoder wrote is found again in the decoded pixels, to within their rounding."""
    (tally,) = measured(camera_stream(3)).tallies
    assert tally.coefficients.sum() == 3 * 5 * tally.still.size
