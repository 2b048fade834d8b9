import math
import os
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from liveness.dynamic.challenge.entropy import bits_beyond_chance, bits_of_choice, draw_below
from liveness.errors import RandomSourceError
from tests.liveness.dynamic.random_source import seeded


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8, 18, 60])
def test_draws_are_uniform(count: int) -> None:
    random, draws = seeded(count), 400 * count
    seen = Counter(draw_below(random, count) for _ in range(draws))
    assert chisquare([seen[number] for number in range(count)]).pvalue > 1e-4


@given(first=st.integers(0, 255), count=st.integers(1, 256))
def test_a_byte_that_would_favour_some_numbers_is_thrown_away(first: int, count: int) -> None:
    given_bytes = iter(bytes([first, 0]))
    drawn = draw_below(lambda _: bytes([next(given_bytes)]), count)
    fair = first < 256 - 256 % count
    assert drawn == (first % count if fair else 0)


def test_operating_system_bytes_can_be_drawn_from() -> None:
    assert all(0 <= draw_below(os.urandom, 7) < 7 for _ in range(100))


@pytest.mark.parametrize("broken", [b"", b"ab", b"\xff"])
def test_a_broken_source_ends_in_an_error_not_in_a_loop(broken: bytes) -> None:
    with pytest.raises(RandomSourceError):
        draw_below(lambda _: broken, 7)


@pytest.mark.parametrize("count", [0, -1, 257])
def test_only_one_byte_is_drawn_from(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        draw_below(os.urandom, count)


def test_right_answers_prove_the_bits_of_their_choice() -> None:
    step = bits_of_choice(7)
    proven = [bits_beyond_chance([step] * steps, shown=steps) for steps in range(8)]
    assert proven[0] == pytest.approx(0, abs=1e-9)
    assert proven == sorted(proven)
    # Beta(4, 1): v right answers of v leave log2((v + 4) / 4) bits to chance.
    for steps in range(1, 8):
        assert proven[steps] == pytest.approx(steps * step - math.log2((steps + 4) / 4))


def test_left_out_steps_cost() -> None:
    step = bits_of_choice(7)
    proven = [bits_beyond_chance([step] * 6, shown=6 + missed) for missed in range(6)]
    assert all(after < before - 1.5 for before, after in pairwise(proven))


@given(bits=st.lists(st.floats(0, 8), max_size=20), missed=st.integers(0, 20))
def test_never_more_than_the_sum_never_below_nothing(bits: list[float], missed: int) -> None:
    proven = bits_beyond_chance(bits, shown=len(bits) + missed)
    assert 0 <= proven <= math.fsum(bits) + 1e-9


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="verified"):
        bits_beyond_chance([1.0, 1.0], shown=1)
    with pytest.raises(ValueError, match="negative"):
        bits_beyond_chance([-1.0], shown=1)


@pytest.mark.parametrize("floor", [4, 6, 10])
def test_omitting_wrong_steps_does_not_help_a_guesser(
    floor: int,
) -> None:
    """The exact value, by dynamic programming over the number of lucky guesses, with a stop at the floor."""
    step, chance, longest = bits_of_choice(7), 1 / 7, 40
    alive = np.zeros(longest + 1)
    alive[0] = 1.0
    reached = 0.0
    for shown in range(1, longest + 1):
        lucky = np.concatenate([[0.0], alive[:-1]]) * chance
        alive = lucky + alive * (1 - chance)
        for right in range(shown + 1):
            if bits_beyond_chance([step] * right, shown=shown) >= floor:
                reached += alive[right]
                alive[right] = 0.0
    assert 0 < reached <= 2.0**-floor


def test_bare_sums_would_let_that_guesser_in() -> None:
    """The sum of verified bits cannot be the floor: 5 of 14 by chance carry 14 bits, once in 28."""
    chance = sum(math.comb(14, right) * 6 ** (14 - right) for right in range(5, 15)) / 7**14
    assert 5 * bits_of_choice(7) > 14
    assert chance == pytest.approx(1 / 28, rel=0.1)
