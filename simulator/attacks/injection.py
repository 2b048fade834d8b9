"""Makes injected frames with a perfect clock."""

from collections.abc import Iterator
from itertools import islice

from simulator.camera import even_times
from simulator.frame import SimulatedFrame
from simulator.scene import SceneSettings
from vision.face import BgrImage

__all__ = ["repeat_frames"]


def repeat_frames(
    genuine: Iterator[SimulatedFrame], settings: SceneSettings, *, cycle: int
) -> Iterator[SimulatedFrame]:
    """Repeat the first ``cycle`` frames of a genuine scan, bit for bit.

    Args:
        genuine: The scan that the attacker has recorded.
        settings: Length and rate.
        cycle: Number of frames before the repetition; 1 is a frozen frame.
    """
    clip: list[BgrImage] = [frame.pixels for frame in islice(genuine, cycle)]
    times = even_times(frames=settings.frames, frames_per_second=settings.frames_per_second)
    for index, time in enumerate(times):
        yield SimulatedFrame(pixels=clip[index % len(clip)], capture_time=time)
