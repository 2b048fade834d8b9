import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.dynamic.measurement.surface import measure_unevenness

_STEPS, _FRAMES, _CELLS = 6, 12, 120


def _scan(
    seed: int, *, uneven: float, turned: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Cells that follow colours by shares around 1, and a head that turns anew with every step."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(np.arange(_STEPS, dtype=np.intp), _FRAMES)
    drive = rng.normal(0, 0.2, (_STEPS, 3))[steps]
    shares = 1 + uneven * rng.normal(size=_CELLS)
    shading = turned * rng.normal(size=(_STEPS, _CELLS))[steps]
    answers = shares[None, :, None] * drive[:, None, :] + shading[:, :, None]
    answers += rng.normal(0, 0.02, answers.shape)
    return drive, answers, steps


def _measured(
    drive: NDArray[np.float64],
    answers: NDArray[np.float64],
    steps: NDArray[np.intp],
    curve: NDArray[np.float64] | None = None,
) -> float:
    even = np.ones((_CELLS, 1))
    found = measure_unevenness(drive, answers, steps, even if curve is None else curve, even[:, 0])
    assert found is not None
    assert found.error >= 0
    return found.variance


def test_shares_that_differ_are_measured() -> None:
    found = [_measured(*_scan(seed, uneven=0.3, turned=0.0)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(0.09, rel=0.1)


def test_errors_that_last_as_long_as_a_step_cancel() -> None:
    """The variance of plain shares would contain them."""
    plain, found = [], []
    for seed in range(40):
        drive, answers, steps = _scan(seed, uneven=0.0, turned=0.05)
        found.append(_measured(drive, answers, steps))
        shares = np.einsum("tc,tkc->k", drive, answers) / (drive**2).sum()
        plain.append(shares.var())
    assert np.mean(plain) > 0.003
    assert abs(np.mean(found)) < 0.15 * np.mean(plain)
    assert min(found) < 0, "an unbiased measure of nothing is negative as often as not"


def test_a_response_curve_is_no_unevenness() -> None:
    drive, answers, steps = _scan(3, uneven=0.0, turned=0.0)
    slope = np.linspace(-1, 1, _CELLS)
    answers = answers + 0.5 * slope[None, :, None] * drive[:, None, :]
    curve = np.stack([np.ones(_CELLS), slope], axis=1)
    assert _measured(drive, answers, steps) > 0.05
    assert abs(_measured(drive, answers, steps, curve=curve)) < 0.002


@pytest.mark.parametrize("steps", [1, 2])
def test_too_few_steps_have_nothing_to_compare(steps: int) -> None:
    drive, answers, numbers = _scan(0, uneven=0.2, turned=0.0)
    even = np.ones(_CELLS)
    assert measure_unevenness(drive, answers, numbers % steps, even[:, None], even) is None


def test_light_in_a_single_step_does_not_count() -> None:
    drive, answers, steps = _scan(0, uneven=0.2, turned=0.0)
    drive[steps != 2] = 0.0
    even = np.ones(_CELLS)
    assert measure_unevenness(drive, answers, steps, even[:, None], even) is None
