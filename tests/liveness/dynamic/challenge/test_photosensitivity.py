"""The flash keeps WCAG 2.2, success criterion 2.3.1, whatever is drawn and however the scan goes."""

from collections.abc import Iterator
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.dynamic.challenge.flash import FlashChallenge
from liveness.dynamic.challenge.script import (
    LEAD_IN,
    PALETTE,
    SHORTEST_HOLD_SECONDS,
    ColourScript,
    ColourStep,
    RandomBytes,
    ScreenColour,
    ScriptSettings,
    Transition,
)
from liveness.dynamic.policy import DynamicPolicy
from tests.liveness.dynamic.challenge.challenge_parts import DEPTH_LINE
from tests.liveness.dynamic.flash_device import FlashDevice, ScriptedMeter
from tests.liveness.dynamic.photosensitivity import (
    Shown,
    general_flashes,
    history,
    red_flashes,
    red_share,
    saturated_red,
)
from tests.liveness.dynamic.random_source import seeded

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
