import numpy as np
import pytest

from simulator import ScanKind, SceneSettings, SimulatedFrame
from simulator.scan import repeat_frames


@pytest.mark.parametrize("cycle", [1, 3, 50])
def test_the_first_frames_come_again_and_again(cycle: int) -> None:
    settings = SceneSettings(kind=ScanKind.LOOPED_CLIP, seconds=1.0, frames_per_second=10.0)
    clip = [SimulatedFrame(np.full((2, 2, 3), index, np.uint8), index * 0.11) for index in range(10)]
    frames = list(repeat_frames(iter(clip), settings, cycle=cycle))
    period = min(cycle, len(clip))
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [index % period for index in range(10)]
    assert [frame.capture_time for frame in frames] == pytest.approx([index / 10 for index in range(10)])
