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


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.02, 0.1, 0.3, 1.2])
def test_the_bound_holds_over_many_scans(strength: float) -> None:
    bits = np.array(_bits(range(1000, 1150), strength))
    # The chance of b bits is 2^-b at most, so the mean of 2^bits stays near 1.
    for floor in (2, 4, 6, 8):
        assert (bits >= floor).mean() <= 2.0**-floor + 3 * np.sqrt(2.0**-floor / len(bits))
    assert bits.max() < 10
