import math
import os
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from liveness.dynamic.challenge.script import (
    FEWEST_DRAWN_BITS,
    LEAD_IN,
    PALETTE,
    ColourScript,
    ColourStep,
    ScriptSettings,
    Transition,
    bits_beyond_chance,
    bits_of_choice,
    draw_below,
)
from liveness.errors import LivenessPolicyError, RandomSourceError
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


def _whole(seed: int, settings: ScriptSettings | None = None, steps: int | None = None) -> list[ColourStep]:
    script = ColourScript(seeded(seed), settings)
    count = script.settings.steps if steps is None else steps
    return [script.lead_in(), *(script.draw() for _ in range(count)), script.close()]


def test_the_colours_are_drawn_uniformly_from_all_but_the_last_one() -> None:
    script = ColourScript(seeded(7))
    script.lead_in()
    follows: Counter[tuple[int, int]] = Counter()
    first = PALETTE.index(script.draw().colour)
    before = first
    for _ in range(14_000):
        now = PALETTE.index(script.draw().colour)
        follows[before, now] += 1
        before = now
    assert not any(follows[colour, colour] for colour in range(8))
    for colour in range(8):
        counts = [follows[colour, other] for other in range(8) if other != colour]
        assert chisquare(counts).pvalue > 1e-4


def test_the_first_colour_is_one_of_eight() -> None:
    firsts = Counter(_whole(seed)[1].colour for seed in range(1200))
    assert chisquare([firsts[colour] for colour in PALETTE]).pvalue > 1e-4
    assert _whole(0)[1].colour_bits == pytest.approx(3)


def test_transitions_and_holds_are_drawn_as_stated() -> None:
    script = ColourScript(seeded(11))
    script.lead_in()
    steps = [script.draw() for _ in range(12_000)]
    scrolls = sum(step.transition is Transition.SCROLL_DOWN for step in steps)
    assert chisquare([scrolls, len(steps) - scrolls], [3000, 9000]).pvalue > 1e-4
    holds = Counter(step.hold_seconds for step in steps)
    assert chisquare([holds[hold] for hold in script.settings.holds]).pvalue > 1e-4


def test_stated_bits_are_the_entropy_of_the_draw() -> None:
    """The mean of -log2 of each draw's own frequency equals the mean of the stated bits."""
    script = ColourScript(seeded(13))
    script.lead_in()
    before = script.draw().colour
    drawn: Counter[tuple[int, Transition, float]] = Counter()
    stated = []
    for _ in range(30_000):
        step = script.draw()
        # The choice among the seven others has the same distribution whatever the colours before.
        rank = [colour for colour in PALETTE if colour != before].index(step.colour)
        drawn[rank, step.transition, step.hold_seconds] += 1
        stated.append(step.bits)
        before = step.colour
    total = drawn.total()
    entropy = -sum(count / total * math.log2(count / total) for count in drawn.values())
    exact = math.log2(7) + 2 + (0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert sum(stated) / total == pytest.approx(exact, abs=0.01)
    assert entropy == pytest.approx(exact, abs=0.02)


def test_a_full_script_draws_twenty_bits_and_more() -> None:
    settings = ScriptSettings()
    assert settings.colour_bits == pytest.approx(math.log2(8 * 7**7))
    steps = _whole(3)
    assert sum(step.colour_bits for step in steps) == pytest.approx(settings.colour_bits)
    assert settings.colour_bits >= FEWEST_DRAWN_BITS


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 7},
        {"steps": 0},
        {"holds": ()},
        {"holds": (0.34,)},
        {"holds": (0.4, 0.4)},
        {"holds": (float("nan"),)},
        {"lead_in_seconds": 0.2},
        {"scroll_one_in": 0},
        {"scroll_one_in": 257},
        {"scroll_seconds": 1.5},
    ],
)
def test_settings_that_prove_too_little_or_break_a_limit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LivenessPolicyError):
        ScriptSettings(**changes)  # type: ignore[arg-type]  # the class checks


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_steps_are_numbered_and_framed(seed: int, count: int) -> None:
    steps = _whole(seed, steps=count)
    assert [step.number for step in steps] == list(range(1, count + 3))
    assert [step.last for step in steps] == [False] * (count + 1) + [True]
    assert steps[0].colour == steps[-1].colour == LEAD_IN
    assert steps[0].bits == steps[-1].bits == 0
    assert all(step.bits >= step.colour_bits >= math.log2(7) - 1e-9 for step in steps[1:-1])


def test_devices_that_cannot_scroll_get_flat_steps() -> None:
    steps = _whole(5, ScriptSettings(scroll_one_in=None), steps=200)
    assert {step.transition for step in steps} == {Transition.FLAT}
    assert {step.transition_bits for step in steps} == {0.0}
    always = _whole(5, ScriptSettings(scroll_one_in=1), steps=50)[1:-1]
    assert {step.transition for step in always} == {Transition.SCROLL_DOWN}
    assert {step.transition_bits for step in always} == {0.0}


def test_nothing_of_the_future_exists() -> None:
    """Random bytes are drawn only with a step, and no more than it needs."""
    asked: list[int] = []
    random = seeded(1)

    def counting(count: int) -> bytes:
        asked.append(count)
        return random(count)

    script = ColourScript(counting)
    script.lead_in()
    assert not asked
    script.draw()
    assert 3 <= len(asked) <= 12
    before = len(asked)
    script.close()
    assert len(asked) == before


def test_the_same_bytes_after_different_pasts_share_nothing_but_the_rule() -> None:
    script = ColourScript(seeded(1), first_number=11)
    assert script.lead_in().number == 11
    assert script.draw().number == 12
    assert script.coloured == 1
    script.close()
    assert script.coloured == 1


def test_out_of_order_is_refused() -> None:
    script = ColourScript(seeded(1))
    with pytest.raises(LivenessPolicyError, match="lead-in"):
        script.draw()
    with pytest.raises(LivenessPolicyError, match="nothing"):
        script.close()
    script.lead_in()
    with pytest.raises(LivenessPolicyError, match="first"):
        script.lead_in()
    script.close()
    with pytest.raises(LivenessPolicyError, match="closed"):
        script.draw()
