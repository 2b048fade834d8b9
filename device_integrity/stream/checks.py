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
    """Tests the measurements of a stream.

    Returns:
        ``stream.duplicates``, ``stream.loop``, ``stream.arrival``, ``stream.encoder``,
        ``stream.recompression``, ``stream.noise`` and ``stream.structure``. Only frames whose bytes return
        fail hard; how often honest material fails each is in docs/device_integrity.md.
    """
    return (
        check_duplicates(stream.frames),
        check_loop(stream.frames),
        check_arrival(stream.frames),
        check_encoder(stream.frames),
        check_recompression(stream.tallies),
        check_noise(stream.tallies),
        check_structure(stream.tallies),
    )
