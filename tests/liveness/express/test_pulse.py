import numpy as np
import pytest

from liveness.express.pulse import Pulse, measure_pulse
from liveness.express.settings import ExpressSettings
from liveness.observation import ScanObservations
from tests.liveness.builders import observation, scan

_SETTINGS = ExpressSettings()
_SKIN = np.array([190.0, 150.0, 130.0])
_BLOOD = np.array([0.43, 1.0, 0.69])
"""How much the pulse shows in red, green and blue, relative to each (Wang et al. 2017)."""


def _seen(
    *,
    depth: float,
    rate: float = 72.0,
    seconds: float = 10.0,
    fps: float = 15.0,
    noise: float = 0.05,
    sway: float = 0.0,
    gap: tuple[float, float] = (0.0, 0.0),
) -> ScanObservations:
    """A face whose skin beats by ``depth``, read at irregular times, under light that sways."""
    rng = np.random.default_rng(3)
    frames = []
    for index in range(round(seconds * fps)):
        time = index / fps + float(rng.uniform(0, 0.2 / fps))
        beat = depth * np.sin(2 * np.pi * rate / 60 * time)
        light = 1 + sway * np.sin(2 * np.pi * 0.9 * time) + sway * np.sin(2 * np.pi * 0.35 * time)
        red, green, blue = (_SKIN * light * (1 + beat * _BLOOD) + rng.normal(0, noise, 3)).tolist()
        colour = None if gap[0] <= time < gap[1] else (red, green, blue)
        frames.append(observation(index, capture_time=time, skin_colour=colour))
    return scan(frames)


@pytest.mark.parametrize("rate", [55.0, 72.0, 110.0, 150.0])
@pytest.mark.parametrize("fps", [8.0, 15.0, 30.0])
def test_the_rate_is_found(rate: float, fps: float) -> None:
    found = measure_pulse(_seen(depth=0.004, rate=rate, fps=fps), least_seconds=8)
    assert found is not None
    assert found.rate == pytest.approx(rate, abs=4)
    assert found.strength is not None
    assert found.strength > _SETTINGS.pulse_line


def test_a_pulse_is_worth_little_and_none_is_worth_nothing() -> None:
    beating = Pulse().assess(_seen(depth=0.004), _SETTINGS).score
    assert beating is not None
    assert 0.5 < beating <= 0.65
    assert Pulse().assess(_seen(depth=0), _SETTINGS).score == 0.5


def test_light_that_sways_is_no_pulse() -> None:
    assert Pulse().assess(_seen(depth=0, sway=0.05), _SETTINGS).score == 0.5
    found = measure_pulse(_seen(depth=0.004, sway=0.02), least_seconds=8)
    assert found is not None
    assert found.rate == pytest.approx(72, abs=4)


def test_a_constant_colour_does_not_beat() -> None:
    assert Pulse().assess(_seen(depth=0, noise=0), _SETTINGS).score == 0.5


@pytest.mark.parametrize(
    "seen",
    [
        scan(()),
        scan(),
        _seen(depth=0.004, seconds=6),
        _seen(depth=0.004, fps=3.3),
        _seen(depth=0.004, seconds=14, gap=(6.0, 8.0)),
        scan([observation(index, skin_colour=(0.0, 0.0, 0.0)) for index in range(300)]),
    ],
    ids=["empty", "no colours", "short", "sparse", "gap", "black"],
)
def test_too_little_is_not_assessed(seen: ScanObservations) -> None:
    found = Pulse().assess(seen, _SETTINGS)
    assert (found.score, found.passed) == (None, None)


def test_the_longest_stretch_without_a_gap_counts() -> None:
    found = measure_pulse(_seen(depth=0.004, seconds=14, gap=(3.0, 4.0)), least_seconds=8)
    assert found is not None
    assert found.seconds == pytest.approx(10, abs=0.3)


def test_noise_in_bursts_with_gaps_between_shows_no_pulse() -> None:
    random = np.random.default_rng(5)
    times = np.concatenate([np.arange(200) * 1e-3, 0.2 + np.arange(1, 22) * 0.48])
    frames = (
        observation(index, capture_time=time, skin_colour=tuple((_SKIN + random.normal(0, 0.3, 3)).tolist()))
        for index, time in enumerate(times.tolist())
    )
    assert measure_pulse(scan(tuple(frames)), least_seconds=8) is None
