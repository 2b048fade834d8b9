"""Counts flashes as WCAG 2.2 defines them, independently of the code that draws the colours.

Success criterion 2.3.1 allows three general flashes and three red flashes in any second. A flash is a pair of
opposing changes, so a change that begins or ends a pair counts as half of a flash.

* A general change is one of the relative luminance by 10 % of the maximum or more, of which the darker state
  is below 0.80. Changes in one direction count as one, from one extreme to the next.
* A red change is one to or from a saturated red, R / (R + G + B) >= 0.8, whose two states lie more than 0.2
  apart in the CIE 1976 UCS diagram."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.dynamic.challenge.flash import FlashChallenge
from liveness.dynamic.challenge.script import (
    FEWEST_DRAWN_BITS,
    LEAD_IN,
    LOW,
    PALETTE,
    SHORTEST_HOLD_SECONDS,
    ColourScript,
    ColourStep,
    RandomBytes,
    ScreenColour,
    ScriptSettings,
    Transition,
    bits_beyond_chance,
    bits_of_choice,
    draw_below,
)
from liveness.dynamic.policy import DynamicPolicy
from liveness.errors import LivenessPolicyError, RandomSourceError
from tests.liveness.dynamic.flash_device import DEPTH_LINE, FlashDevice, ScriptedMeter, chance_of, seeded

_SECOND = 1.0
_EXACT = 1e-9
"""The tolerance for sums of floating-point times, seconds."""
_LEAST_CHANGE, _DARKER_BELOW = 0.1, 0.8
_SATURATED, _RED_APART = 0.8, 0.2
_WEIGHTS = (0.2126, 0.7152, 0.0722)
_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


@dataclass(frozen=True)
class Shown:
    """A colour of one point of the screen, from ``at`` in seconds until the next one."""

    at: float
    colour: ScreenColour


def history(steps: Sequence[ColourStep], starts: Sequence[float], *, height: float) -> list[Shown]:
    """The colours of a point of the screen, at 0 (top) to 1 (bottom): a scroll passes it on its way down."""
    return [
        Shown(start + height * step.transition_seconds, step.colour)
        for step, start in zip(steps, starts, strict=True)
    ]


def general_flashes(shown: Sequence[Shown]) -> float:
    """The most general flashes in any second; a half for a change without an opposing one."""
    return _most(shown, _general_halves)


def red_flashes(shown: Sequence[Shown]) -> float:
    """The most red flashes in any second, likewise."""
    return _most(shown, _red_halves)


def red_share(colour: ScreenColour) -> float:
    """R / (R + G + B) in linear light; 0 for black."""
    red, green, blue = _linear(colour)
    return red / (red + green + blue) if red + green + blue else 0.0


def saturated_red(colour: ScreenColour) -> bool:
    return red_share(colour) >= _SATURATED


def _most(shown: Sequence[Shown], halves: Callable[[tuple[ScreenColour, ...]], int]) -> float:
    worst = 0
    for first in range(1, len(shown)):
        # The second that begins just before a change holds the most changes; both of its ends count.
        window = [shown[first - 1].colour]
        window += [one.colour for one in shown[first:] if one.at <= shown[first].at + _SECOND + _EXACT]
        worst = max(worst, halves(tuple(window)))
    return worst / 2


@cache
def _general_halves(colours: tuple[ScreenColour, ...]) -> int:
    count, direction = 0, 0
    for before, after in pairwise(_extremes([_luminance(colour) for colour in colours])):
        if abs(after - before) >= _LEAST_CHANGE and min(before, after) < _DARKER_BELOW:
            towards = 1 if after > before else -1
            count += towards != direction
            direction = towards
    return count


def _extremes(values: Sequence[float]) -> list[float]:
    kept = [values[0]]
    for value in values[1:]:
        if len(kept) > 1 and (kept[-1] - kept[-2]) * (value - kept[-1]) >= 0:
            kept[-1] = value
        else:
            kept.append(value)
    return kept


@cache
def _red_halves(colours: tuple[ScreenColour, ...]) -> int:
    return sum(
        (saturated_red(before) or saturated_red(after))
        and _distance(_chromaticity(before), _chromaticity(after)) > _RED_APART
        for before, after in pairwise(colours)
    )


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)


def _chromaticity(colour: ScreenColour) -> tuple[float, float]:
    light = _linear(colour) if any(_linear(colour)) else (1.0, 1.0, 1.0)
    x, y, z = (sum(weight * channel for weight, channel in zip(row, light, strict=True)) for row in _XYZ)
    return 4 * x / (x + 15 * y + 3 * z), 9 * y / (x + 15 * y + 3 * z)


def _luminance(colour: ScreenColour) -> float:
    return sum(weight * channel for weight, channel in zip(_WEIGHTS, _linear(colour), strict=True))


@cache
def _linear(colour: ScreenColour) -> tuple[float, float, float]:
    def light(value: int) -> float:
        share = value / 255
        return float(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)

    return light(colour.red), light(colour.green), light(colour.blue)


# The colours that are drawn, and their safety: no flash that WCAG 2.2 forbids.


@pytest.mark.parametrize("count", [2, 7, 60])
def test_draws_are_uniform(count: int) -> None:
    random, draws = seeded(count), 400 * count
    seen = Counter(draw_below(random, count) for _ in range(draws))
    assert chance_of([seen[number] for number in range(count)]) > 1e-4


@given(first=st.integers(0, 255), count=st.integers(1, 256))
def test_a_byte_that_would_favour_some_numbers_is_thrown_away(first: int, count: int) -> None:
    given_bytes = iter(bytes([first, 0]))
    drawn = draw_below(lambda _: bytes([next(given_bytes)]), count)
    fair = first < 256 - 256 % count
    assert drawn == (first % count if fair else 0)


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
        assert chance_of(counts) > 1e-4


def test_the_first_colour_is_one_of_eight() -> None:
    firsts = Counter(_whole(seed)[1].colour for seed in range(1200))
    assert chance_of([firsts[colour] for colour in PALETTE]) > 1e-4
    assert _whole(0)[1].colour_bits == pytest.approx(3)


def test_transitions_and_holds_are_drawn_as_stated() -> None:
    script = ColourScript(seeded(11))
    script.lead_in()
    steps = [script.draw() for _ in range(12_000)]
    scrolls = sum(step.transition is Transition.SCROLL_DOWN for step in steps)
    assert chance_of([scrolls, len(steps) - scrolls], [3000, 9000]) > 1e-4
    holds = Counter(step.hold_seconds for step in steps)
    assert chance_of([holds[hold] for hold in script.settings.holds]) > 1e-4


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


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 99))
def test_steps_are_numbered_and_framed(seed: int, count: int, first: int) -> None:
    script = ColourScript(seeded(seed), first_number=first)
    steps = [script.lead_in(), *(script.draw() for _ in range(count)), script.close()]
    assert [step.number for step in steps] == list(range(first, first + count + 2))
    assert script.coloured == count
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


def _step(**changes: object) -> ColourStep:
    known: dict[str, object] = {
        "number": 1,
        "colour": ScreenColour(255, 108, 108),
        "transition": Transition.FLAT,
        "transition_seconds": 0.0,
        "hold_seconds": 0.4,
        "bits": 5.2,
        "last": False,
        "transition_bits": 0.4,
        "hold_bits": 2.0,
    }
    return ColourStep(**(known | changes))  # type: ignore[arg-type]  # the class checks


def test_linear_light_is_srgb_s() -> None:
    # IEC 61966-2-1: the curve's ends, its straight part, and the value that halves the light.
    assert ScreenColour(0, 255, 188).linear == pytest.approx([0.0, 1.0, 0.5029], abs=1e-4)
    assert ScreenColour(10, 0, 0).linear[0] == pytest.approx(10 / 255 / 12.92)


def test_luminance_is_white_s_share() -> None:
    assert ScreenColour(255, 255, 255).luminance == pytest.approx(1)
    assert ScreenColour(0, 255, 0).luminance == pytest.approx(0.7152)
    assert np.isclose(sum(ScreenColour(*c).luminance for c in np.eye(3, dtype=int) * 255), 1)


@pytest.mark.parametrize("channels", [(-1, 0, 0), (0, 256, 0)])
def test_colours_out_of_range_are_refused(channels: tuple[int, int, int]) -> None:
    with pytest.raises(LivenessPolicyError, match=r"0\.\.255"):
        ScreenColour(*channels)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"hold_seconds": SHORTEST_HOLD_SECONDS - 0.001},
        {"hold_seconds": float("inf")},
        {"hold_seconds": float("nan")},
        {"transition_seconds": 1.01},
        {"transition_seconds": -0.1},
        {"bits": 2.0},
        {"hold_bits": -1.0},
    ],
)
def test_impossible_steps_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LivenessPolicyError):
        _step(**changes)


ALL = (*PALETTE, LEAD_IN)


def test_eight_different_corners_of_a_cube_in_linear_light() -> None:
    assert len(set(PALETTE)) == 8
    for colour in PALETTE:
        assert all(min(abs(light - LOW), abs(light - 1)) < 0.002 for light in colour.linear)


def test_the_lead_in_lies_half_way_in_light() -> None:
    assert LEAD_IN.linear == pytest.approx([(1 + LOW) / 2] * 3, abs=0.004)


def test_no_change_exceeds_the_bound_and_no_colour_is_black() -> None:
    for one, other in permutations(ALL, 2):
        assert abs(one.luminance - other.luminance) <= 0.86
    assert min(colour.luminance for colour in ALL) > 0.14


# The flash keeps WCAG 2.2, success criterion 2.3.1, whatever is drawn and however the scan goes.

BLACK, WHITE = ScreenColour(0, 0, 0), ScreenColour(255, 255, 255)
RED, BLUE = ScreenColour(255, 0, 0), ScreenColour(0, 0, 255)
_POINTS = (0.0, 0.5, 1.0)
_DRAWN = 1.5
"""The most general flashes of one challenge in any second: half of the allowed number."""
_CUT_SHORT = 2.5
"""The most if a challenge is cut short at any time and another one begins at once; 3 are allowed."""
_SHORT = ScriptSettings(holds=(SHORTEST_HOLD_SECONDS,), lead_in_seconds=SHORTEST_HOLD_SECONDS)
_SHORT_FLAT = ScriptSettings(
    holds=(SHORTEST_HOLD_SECONDS,), lead_in_seconds=SHORTEST_HOLD_SECONDS, scroll_one_in=None
)


def _fixed(numbers: Iterator[int]) -> RandomBytes:
    """A source whose draws are set: small bytes are never rejected."""
    return lambda count: bytes(next(numbers) for _ in range(count))


def _script(draws: list[int], script: ScriptSettings) -> list[ColourStep]:
    drawing = ColourScript(_fixed(iter(draws)), script)
    steps = [drawing.lead_in()]
    # A draw takes a byte for the colour, one for the transition if it is drawn, and one for the hold.
    per_step = 2 if script.scroll_one_in is None else 3
    steps += [drawing.draw() for _ in range(len(draws) // per_step)]
    return [*steps, drawing.close()]


def _fastest(steps: list[ColourStep]) -> list[float]:
    """The start of each step if the server and the device lose no time."""
    starts = [0.0]
    for step in steps[:-1]:
        starts.append(starts[-1] + step.transition_seconds + step.hold_seconds)
    return starts


def _assert_safe(steps: list[ColourStep], starts: list[float]) -> None:
    for height in _POINTS:
        shown = history(steps, starts, height=height)
        assert general_flashes(shown) <= _DRAWN
        assert red_flashes(shown) == 0


def test_every_sequence_of_colours_at_the_shortest_holds_is_safe() -> None:
    """No second holds more than three changes, so four colours in a row cover every second of any script."""
    seen: set[tuple[ScreenColour, ...]] = set()
    for first, *later in product(range(8), range(7), range(7), range(7)):
        steps = _script([number for drawn in (first, *later) for number in (drawn, 0)], _SHORT_FLAT)
        seen.add(tuple(step.colour for step in steps[1:-1]))
        _assert_safe(steps, _fastest(steps))
    every = {
        four
        for four in product(PALETTE, repeat=4)
        if all(before != after for before, after in pairwise(four))
    }
    assert seen == every


def test_every_sequence_of_colours_and_transitions_is_safe() -> None:
    """A byte of 0 draws a scroll: it moves the changes of the lower part of the screen closer together."""
    transitions: set[tuple[Transition, ...]] = set()
    for colours in product(range(8), range(7), range(7)):
        for scrolls in product((0, 1), repeat=3):
            draws = [number for pair in zip(colours, scrolls, strict=True) for number in (*pair, 0)]
            steps = _script(draws, _SHORT)
            transitions.add(tuple(step.transition for step in steps[1:-1]))
            _assert_safe(steps, _fastest(steps))
    assert len(transitions) == 8


def test_no_colour_that_can_be_drawn_is_a_saturated_red() -> None:
    for colour in (*PALETTE, LEAD_IN):
        assert not saturated_red(colour)
        # Nor by the stricter reading that takes the encoded values.
        assert colour.red / (colour.red + colour.green + colour.blue) < 0.8
    assert max(map(red_share, PALETTE)) == pytest.approx(0.77, abs=0.005)


def _any_settings() -> st.SearchStrategy[ScriptSettings]:
    seconds = st.floats(SHORTEST_HOLD_SECONDS, 2.0)
    return st.builds(
        ScriptSettings,
        steps=st.integers(8, 20),
        holds=st.lists(st.one_of(st.just(SHORTEST_HOLD_SECONDS), seconds), min_size=1, unique=True).map(
            tuple
        ),
        scroll_one_in=st.one_of(st.none(), st.integers(1, 256)),
        scroll_seconds=st.floats(0.05, 1.0),
        lead_in_seconds=seconds,
    )


@given(seed=st.integers(0, 2**32 - 1), script=_any_settings(), count=st.integers(0, 40))
def test_whatever_the_settings_allow_to_be_drawn_is_safe(
    seed: int, script: ScriptSettings, count: int
) -> None:
    drawing = ColourScript(seeded(seed), script)
    steps = [drawing.lead_in(), *(drawing.draw() for _ in range(count)), drawing.close()]
    _assert_safe(steps, _fastest(steps))


def _played(
    seed: int, rate: float, trip: float, display: float, missed: int
) -> tuple[list[ColourStep], list[float]]:
    """The steps of a whole challenge, and when each appeared on the device's screen."""
    meter = ScriptedMeter(answer=lambda step: None if step.number % 7 == missed else True)
    challenge = FlashChallenge(
        script=ColourScript(seeded(seed), _SHORT),
        meter=meter,
        policy=DynamicPolicy(),
        depth_line=DEPTH_LINE,
    )
    device = FlashDevice(challenge, rate=rate, trip=trip, display=display)
    device.run()
    return [step for _, step in device.reveals], [at + trip + display for at, _ in device.reveals]


_PLAYED = st.builds(
    _played,
    seed=st.integers(0, 2**32 - 1),
    rate=st.floats(8.0, 60.0),
    trip=st.floats(0.0, 0.4),
    display=st.floats(0.0, 0.3),
    missed=st.integers(0, 7),
)


@settings(max_examples=60, deadline=None)
@given(played=_PLAYED)
def test_every_challenge_that_is_played_is_safe(played: tuple[list[ColourStep], list[float]]) -> None:
    steps, appeared = played
    assert steps[0].colour == steps[-1].colour == LEAD_IN
    _assert_safe(steps, appeared)


@settings(max_examples=60, deadline=None)
@given(
    first=_PLAYED,
    second=_PLAYED,
    cut=st.floats(0.0, 1.0),
    pause=st.floats(0.0, 0.5),
    normal=st.sampled_from([BLACK, WHITE, LEAD_IN]),
)
def test_an_attempt_that_is_cut_short_and_repeated_at_once_is_safe(
    first: tuple[list[ColourStep], list[float]],
    second: tuple[list[ColourStep], list[float]],
    cut: float,
    pause: float,
    normal: ScreenColour,
) -> None:
    """The screen returns to normal at once when a stream is lost; the next attempt begins with the grey."""
    end = first[1][0] + cut * (first[1][-1] - first[1][0])
    for height in _POINTS:
        before = [one for one in history(*first, height=height) if one.at <= end]
        following = history(*second, height=height)
        shift = end + pause - second[1][0]
        after = [Shown(one.at + shift, one.colour) for one in following]
        shown = [Shown(-10.0, normal), *before, Shown(end, normal), *after]
        assert general_flashes(shown) <= _CUT_SHORT
        assert red_flashes(shown) == 0


def _every(seconds: float, *colours: ScreenColour) -> list[Shown]:
    return [Shown(number * seconds, colour) for number, colour in enumerate(colours)]


def test_the_count_follows_the_definition() -> None:
    assert general_flashes(_every(0.1, BLACK, WHITE, BLACK, WHITE)) == 1.5
    assert general_flashes(_every(0.14, *(BLACK, WHITE) * 8)) == 4.0
    assert general_flashes(_every(0.35, *(BLACK, WHITE) * 8)) == 1.5
    bright = ScreenColour(245, 245, 245)
    assert general_flashes(_every(0.1, *(bright, WHITE) * 4)) == 0, "both are bright"
    assert general_flashes(_every(0.1, *(BLACK, ScreenColour(60, 60, 60)) * 4)) == 0, "less than a tenth"
    rising = [ScreenColour(value, value, value) for value in (0, 60, 110, 150)]
    assert general_flashes(_every(0.1, *rising)) == 0.5, "one rise in three parts"
    assert red_flashes(_every(0.1, RED, BLUE, RED)) == 1.0
    assert red_flashes(_every(0.1, WHITE, RED, WHITE)) == 1.0
    assert red_flashes(_every(0.1, RED, ScreenColour(250, 10, 0), RED)) == 0, "nearly the same red"
    assert red_share(BLACK) == 0
