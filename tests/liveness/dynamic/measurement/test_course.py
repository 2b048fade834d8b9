import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.dynamic.challenge.steps import ColourStep, ScreenColour, Transition
from liveness.dynamic.measurement.course import Appearance, Sent, appearances, light_at, number_at
from liveness.dynamic.measurement.track import FlashTrack, TrackView
from liveness.dynamic.sample import FlashSample
from tests.liveness.dynamic.light_scan import light_scan, seen

SCAN = light_scan(2)


def _step(number: int, level: int, *, scroll: float = 0.0) -> ColourStep:
    return ColourStep(
        number=number,
        colour=ScreenColour(level, level, level),
        transition=Transition.SCROLL_DOWN if scroll else Transition.FLAT,
        transition_seconds=scroll,
        hold_seconds=0.4,
        bits=2.8,
        last=False,
    )


def _track(claims: list[tuple[float, int, float | None]]) -> TrackView:
    track = FlashTrack()
    for time, step, since in claims:
        sample: FlashSample = replace(SCAN.samples[0], capture_time=time, step=step, step_since=since)
        track.add(sample)
    return track.view()


def test_honest_claims_are_taken() -> None:
    _, shown = seen(SCAN)
    claimed = {one.step: one.step_since for one in SCAN.samples if one.step}
    assert [one.step.number for one in shown] == list(range(1, len(SCAN.revealed) + 1))
    assert [one.at for one in shown] == pytest.approx([claimed[one.step.number] for one in shown])
    assert max(one.early for one in shown) == 0


def test_a_step_cannot_appear_before_it_was_sent() -> None:
    track = _track([(1.0, 0, None), (1.1, 1, 0.2)])
    (shown,) = appearances(track, [Sent(_step(1, 200), at=9.0, after_capture=1.0)])
    assert shown.at == 1.0
    assert shown.early == pytest.approx(0.8)


def test_a_step_cannot_appear_after_the_frame_that_shows_it() -> None:
    track = _track([(1.0, 1, 7.0), (1.1, 1, 7.0)])
    (shown,) = appearances(track, [Sent(_step(1, 200), at=9.0, after_capture=0.5)])
    assert shown.at == 1.0


def test_steps_without_claimed_frames_are_ignored() -> None:
    track = _track([(1.0, 1, 0.9), (1.5, 3, 1.4)])
    sent = [Sent(_step(number, 200), at=9.0, after_capture=0.0) for number in (1, 2, 3)]
    assert [one.step.number for one in appearances(track, sent)] == [1, 3]


def test_light_jumps_and_scrolls() -> None:
    shown = [
        Appearance(_step(1, 0), 0.0, 0.0),
        Appearance(_step(2, 255), 1.0, 0.0),
        Appearance(_step(3, 0, scroll=0.4), 2.0, 0.0),
    ]
    light = light_at(shown, np.array([-1.0, 0.99, 1.0001, 1.5, 2.1, 2.2, 2.3, 3.0]))
    assert light[:, 0] == pytest.approx([0, 0, 1, 1, 0.75, 0.5, 0.25, 0], abs=1e-3)
    assert number_at(shown, np.array([-0.1, 0.5, 1.02, 1.5, 2.2, 2.41, 2.6]), margin=0.04).tolist() == [
        -1, 0, -1, 1, -1, -1, 2
    ]  # fmt: skip


@given(
    claims=st.lists(
        st.tuples(st.integers(0, 4), st.none() | st.floats(-1e6, 1e6, allow_nan=False) | st.just(math.nan)),
        min_size=1,
        max_size=30,
    ),
    after=st.lists(st.floats(0, 3), min_size=3, max_size=3),
)
def test_no_claim_breaks_the_order(claims: list[tuple[int, float | None]], after: list[float]) -> None:
    track = _track([(number / 10, step, since) for number, (step, since) in enumerate(claims)])
    sent = [Sent(_step(n + 1, 200), 0.0, time) for n, time in enumerate(sorted(after))]
    shown = appearances(track, sent)
    times = [one.at for one in shown]
    assert times == sorted(set(times))
    for one in shown:
        frames = [number / 10 for number, (step, _) in enumerate(claims) if step == one.step.number]
        assert one.at <= frames[0]
