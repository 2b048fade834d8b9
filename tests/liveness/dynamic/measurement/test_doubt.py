"""The doubts that more colours may resolve."""

import pytest

from liveness.dynamic.measurement.doubt import may_be_noise
from liveness.dynamic.measurement.lag import LagFinding
from liveness.dynamic.measurement.surface import Surface
from liveness.signal import Signal, assessed, not_assessed

_STEADY = LagFinding(0.06, 0.9, 0.01, None)


def _signal(score: float | None) -> Signal:
    if score is None:
        return not_assessed(name="any", label="Any", reason="too few")
    return assessed(name="any", label="Any", score=score, detail="")


@pytest.mark.parametrize(
    ("shape", "overlay", "glare", "background", "tells"),
    [
        (0.9, 0.3, 0.55, None, True),
        (0.9, 0.7, 0.3, 0.9, True),
        # In the dark every part answers equally, and no shape is measured.
        (None, 0.1, 0.55, None, True),
        # A sheet's shape stays that of a sheet.
        (0.45, 0.1, 0.3, None, False),
        # A wall right behind the head does not move away.
        (0.9, 0.7, 0.55, 0.01, False),
        (0.9, None, None, None, False),
    ],
)
def test_a_noisy_measurement_of_few_steps_asks_for_more(
    shape: float | None, overlay: float | None, glare: float | None, background: float | None, tells: bool
) -> None:
    surface = Surface(_signal(shape), _signal(overlay), _signal(glare), _signal(background))
    assert may_be_noise(surface, _STEADY) is tells


@pytest.mark.parametrize(("shape", "tells"), [(0.9, True), (None, True), (0.45, False)])
def test_faint_answers_have_to_show_when_they_come(shape: float | None, tells: bool) -> None:
    surface = Surface(_signal(shape), _signal(0.7), _signal(0.55), _signal(None))
    assert not may_be_noise(surface, _STEADY)
    assert may_be_noise(surface, LagFinding(0.06, 0.2, None, None)) is tells
