import math

import pytest

from liveness.express.depth import depth_odds, measure_depth
from liveness.signal import Signal, assessed, not_assessed
from tests.liveness.builders import as_head, as_plane, scan, segment


def _signal(name: str, score: float | None) -> Signal:
    if score is None:
        return not_assessed(name=name, label=name, reason="Too still.")
    return assessed(name=name, label=name, score=score, detail="")


@pytest.mark.parametrize(
    ("planar", "nose", "odds"),
    [
        (None, None, 0.0),
        (0.8, None, math.log(4)),
        (0.8, 0.9, math.log(4) + math.log(9)),
        (0.8, 0.2, 0.0),
        # A single signal has at most this effect, however certain it is.
        (1.0, None, math.log(99)),
        (0.0, None, -math.log(99)),
    ],
)
def test_both_signals_of_depth_add_up(planar: float | None, nose: float | None, odds: float) -> None:
    signals = (_signal("planar_motion", planar), _signal("pose_consistency", nose), _signal("blink", 0.99))
    assert depth_odds(signals) == pytest.approx(odds)


def test_a_head_shows_depth_and_a_sheet_does_not() -> None:
    head = measure_depth(scan(motion=[segment(as_head(0.15), seed=seed) for seed in range(3)]))
    sheet = measure_depth(scan(motion=[segment(as_plane(0.15), seed=seed) for seed in range(3)]))
    assert head > 1.3
    assert sheet < -1.3


def test_a_still_head_shows_no_depth() -> None:
    assert measure_depth(scan(motion=[segment(lambda _, points: points)] * 3)) == 0
    assert measure_depth(scan()) == 0
