"""Makes a frame source of any iterator of frames, such as a simulated camera."""

from collections.abc import Iterable, Iterator

from facegate_client.frame_source import CameraDescription, Pace, Pixels
from facegate_client.recording import Recording

__all__ = ["generated_source"]


def generated_source(
    frames: Iterable[tuple[Pixels | bytes, float]],
    *,
    label: str = "generated",
    frames_per_second: float = 0.0,
    pace: Pace = "realtime",
) -> Recording:
    """Wraps frames from another source.

    A generator may be slower than real time. Its frames then get the time of their arrival as capture time,
    and none is lost.

    Args:
        frames: Pairs of an image (pixels in BGR, or JPEG bytes) and its capture time in seconds,
            strictly rising.
        label: Name for people.
        frames_per_second: Nominal rate; 0 if unknown.
        pace: ``realtime`` or ``fast``.
    """
    camera = CameraDescription(label=label, frames_per_second=frames_per_second, timestamp_source="generated")
    return Recording(_in_microseconds(frames), camera=camera, pace=pace, skip_late=False)


def _in_microseconds(
    frames: Iterable[tuple[Pixels | bytes, float]],
) -> Iterator[tuple[Pixels | bytes, int]]:
    last_us = None
    for image, seconds in frames:
        time_us = round(seconds * 1_000_000)
        last_us = time_us if last_us is None else max(time_us, last_us + 1)
        yield image, last_us
