"""All tests of one stream's frames, in a fixed order."""

from device_integrity.check import DeviceCheck
from device_integrity.stream.arrival import check_arrival
from device_integrity.stream.encoder import check_encoder
from device_integrity.stream.noise import check_noise
from device_integrity.stream.recompression import check_recompression
from device_integrity.stream.repetition import check_duplicates, check_loop
from device_integrity.stream.structure import check_structure
from device_integrity.stream.tracing import StreamMeasurements

__all__ = ["check_stream"]


def check_stream(stream: StreamMeasurements) -> tuple[DeviceCheck, ...]:
    """Tests the measurements of one stream.

    Returns: ``stream.duplicates``, ``stream.loop``, ``stream.arrival``, ``stream.encoder``,
        ``stream.recompression``, ``stream.noise`` and ``stream.structure``. Only a repetition of the same
        bytes after other frames fails hard. docs/device_integrity.md lists how often honest material fails
        each test.
    """
    return (
        # 1. No frame's bytes return after other frames.
        check_duplicates(stream.frames),
        # 2. The frames do not repeat after a fixed time, even if they are re-encoded.
        check_loop(stream.frames),
        # 3. The frames arrive as they were captured, and both clocks run at the same speed.
        check_arrival(stream.frames),
        # 4. One encoder, which is not that of a video tool or an editor, wrote all JPEG headers.
        check_encoder(stream.frames),
        # 5. The frames show no trace of an earlier, stronger compression.
        check_recompression(stream.tallies),
        # 6. Successive frames differ by the noise of a camera.
        check_noise(stream.tallies),
        # 7. No part of the frame stays the same while the rest changes.
        check_structure(stream.tallies),
    )
