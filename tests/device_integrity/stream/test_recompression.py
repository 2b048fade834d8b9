from pathlib import Path

import pytest

from device_integrity.check import DeviceFinding
from device_integrity.stream import StreamTracer
from device_integrity.stream.recompression import check_recompression
from tests.device_integrity.stream.streams import camera_stream, decode, encode, frames, measured


def test_a_picture_compressed_once_has_no_trace() -> None:
    assert check_recompression(measured(camera_stream()).tallies).outcome is DeviceFinding.NOT_EVALUATED


@pytest.mark.parametrize("first", [40, 55, 70])
def test_a_harder_compression_before_leaves_gaps(first: int) -> None:
    twice = [encode(decode(encode(luma, quality=first)), quality=92) for luma in frames(16)]
    check = check_recompression(measured(twice).tallies)
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "COMPRESSED_TWICE", True)


def test_a_scan_without_frames_is_not_evaluated() -> None:
    assert check_recompression(()).outcome is DeviceFinding.UNAVAILABLE


def test_a_stored_picture_encoded_anew_is_found(assets: Path) -> None:
    """Real images, as stored, and after a stronger compression in between."""
    files = sorted((assets / "data/pad/live").glob("feni-*.jpg"))[:12]
    assert len(files) == 12
    for file in files:
        stored = file.read_bytes()
        again = encode(decode(encode(decode(stored), quality=50)), quality=90)
        for jpeg, reason in ((stored, "NO_TRACE"), (again, "COMPRESSED_TWICE")):
            tracer = StreamTracer()
            tracer.add(jpeg, decode(jpeg), capture_time_us=0, arrival_time_us=0)
            assert check_recompression(tracer.measurements.tallies).reason == reason
