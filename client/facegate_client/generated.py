"""Any iterator of frames as a frame source, such as a simulated camera."""

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
    """Wraps frames that something else makes.

    A generator that is slower than real time is not hurried: its frames get the time at which they
    come, and none is lost.

    Args:
        frames: Pairs of an image (pixels in BGR, or JPEG bytes) and its capture time in seconds,
            strictly rising.
        label: Name for people.
        frames_per_second: Nominal rate; 0 where unknown.
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
