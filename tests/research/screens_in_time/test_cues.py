"""Each cue is higher where its trace was drawn, and missing where it cannot be measured."""

import numpy as np
import pytest

from liveness.extent import FaceExtent
from research.screens_in_time.cues import time_cues
from research.screens_in_time.stretches import SeenFrame, draw_traces
from tests.liveness.builders import texture


def _stretch(*, sway: float, count: int = 24) -> list[SeenFrame]:
    """A textured room that stands still, and a textured face that sways before it, both with noise."""
    rng = np.random.default_rng(1)
    room = texture(seed=1)[:320, :240, 0].astype(np.float32)
    face = texture(seed=2)[:100, :80, 0].astype(np.float32)
    frames = []
    for number in range(count):
        x, y = 120 + round(sway * np.sin(number / 3)), 150
        luma = room.copy()
        luma[y - 50 : y + 50, x - 40 : x + 40] = face
        noisy = np.clip(luma + rng.normal(0, 2, luma.shape), 0, 255).astype(np.float32)
        frames.append(SeenFrame(number, noisy, FaceExtent(float(x), float(y), 80.0, 100.0), number % 4 == 0))
    return frames


@pytest.mark.parametrize("cue", ["drifting stripes", "common steps", "fixed layer"])
def test_drawn_traces_raise_the_cue(cue: str) -> None:
    frames = _stretch(sway=20)
    assert time_cues(draw_traces(frames, seed=1))[cue] > time_cues(frames)[cue] + 0.2


def test_unmeasured_cues_are_missing() -> None:
    cues = time_cues(_stretch(sway=0))
    assert "fixed layer" not in cues
    assert "constant focus" not in cues
    assert "drifting stripes" in cues
