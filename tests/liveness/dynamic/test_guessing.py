"""Without knowledge of the colours no one reaches a floor of bits; see ``liveness.dynamic.judge``."""

import numpy as np
import pytest

from liveness.dynamic.judge import judge_flash
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.light_scan import guessing, light_scan

MODEL = load_flash_model()


def _bits(seeds: range, strength: float) -> list[float]:
    found = []
    for seed in seeds:
        scan = light_scan(seed, answer=guessing, strength=strength, fps=20.0)
        result = judge_flash(samples=scan.samples, revealed=scan.revealed, model=MODEL)
        found.append(result.verified_bits)
    return found


def test_a_guesser_gets_no_more_than_chance() -> None:
    """A few scans; Ville's inequality gives 2^-b, so that 4 bits may come once in 16."""
    bits = _bits(range(40), 0.3)
    assert max(bits) < 10
    assert np.mean([one >= 4 for one in bits]) <= 0.15


def _most_bits(seed: int, strength: float, *, steps: int = 10) -> float:
    """The most bits of a scan that may end after any step from the fifth on."""
    scan = light_scan(seed, answer=guessing, strength=strength, fps=20.0, steps=steps)
    found = []
    for number in range(5, steps + 1):
        shown, end = scan.revealed[: number + 1], scan.revealed[number + 1].at
        samples = [sample for sample in scan.samples if sample.arrival_time < end]
        found.append(judge_flash(samples=samples, revealed=shown, model=MODEL).verified_bits)
    return max(found)


@pytest.mark.parametrize(("seed", "strength"), [(20099, 0.3), (20368, 0.1)])
def test_crosstalk_does_not_fit_guesses_of_few_steps(seed: int, strength: float) -> None:
    """Until version 12 of the model, these guesses had 13 bits after five steps."""
    assert _most_bits(seed, strength, steps=6) < 4


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.03, 0.3])
def test_a_guesser_who_ends_the_scan_at_will_seldom_gains(strength: float) -> None:
    """The matrix is fitted to few steps, so 2^-b does not hold here: ten bits may come once in 100 scans."""
    bits = np.array([_most_bits(seed, strength) for seed in range(2000, 2150)])
    assert (bits >= 10).mean() <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.0, 0.005, 0.02, 0.1, 0.3, 1.2])
def test_the_bound_holds_over_many_scans(strength: float) -> None:
    bits = np.array(_bits(range(1000, 1150), strength))
    # The chance of b bits is 2^-b at most, so the mean of 2^bits stays near 1.
    for floor in (2, 4, 6, 8):
        assert (bits >= floor).mean() <= 2.0**-floor + 3 * np.sqrt(2.0**-floor / len(bits))
    assert bits.max() < 10
