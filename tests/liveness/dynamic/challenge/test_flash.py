import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveness.dynamic.challenge.actions import (
    Complete,
    EndReason,
    HintCode,
)
from liveness.dynamic.challenge.entropy import bits_beyond_chance
from liveness.dynamic.challenge.interface import Disturbance
from liveness.dynamic.challenge.steps import SHORTEST_HOLD_SECONDS, ColourStep
from liveness.dynamic.policy import BitFloor, DynamicPolicy
from liveness.errors import LivenessPolicyError, ObservationError
from liveness.guidance import GuidanceCode
from tests.liveness.dynamic.challenge.challenge_parts import (
    assert_never_early,
    assert_safe,
    flash_challenge,
    hints_given,
)
from tests.liveness.dynamic.flash_device import FlashDevice, ScriptedMeter


@pytest.mark.parametrize(("floor", "steps"), [(BitFloor.LOW, 4), (BitFloor.STANDARD, 5), (BitFloor.HIGH, 7)])
def test_a_scan_without_trouble_stops_as_soon_as_enough_is_verified(floor: BitFloor, steps: int) -> None:
    challenge = flash_challenge(policy=DynamicPolicy(minimum_bits=floor))
    device = FlashDevice(challenge)
    assert device.run() == Complete(EndReason.PROVEN)
    shown = [step for _, step in device.reveals]
    assert len(shown) == steps + 2, "the lead-in, the colours, the closing step"
    assert [step.last for step in shown] == [False] * (steps + 1) + [True]
    assert challenge.proven_bits >= floor
    assert challenge.progress == 1
    assert challenge.ended == Complete(EndReason.PROVEN)
    assert [revealed.step for revealed in challenge.revealed] == shown


@pytest.mark.parametrize("floor", list(BitFloor))
def test_the_flash_takes_under_six_seconds_at_fifty_milliseconds_round_trip(floor: BitFloor) -> None:
    durations = []
    for seed in range(15):
        device = FlashDevice(flash_challenge(policy=DynamicPolicy(minimum_bits=floor), seed=seed))
        device.run()
        durations.append(device.actions[-1][0])
    assert float(np.median(durations)) < 6


def test_a_step_comes_only_after_frames_that_held_the_one_before() -> None:
    device = FlashDevice(flash_challenge())
    device.run()
    assert_never_early(device)
    assert_safe(device.reveals)


def test_nothing_is_shown_before_the_face_is_in_its_place() -> None:
    device = FlashDevice(
        flash_challenge(), guidance=lambda time: GuidanceCode.OK if time > 2 else GuidanceCode.MOVE_CLOSER
    )
    device.run()
    assert device.reveals[0][0] > 2.1


def test_a_face_that_never_comes_ends_it_without_a_flash() -> None:
    device = FlashDevice(flash_challenge(), guidance=lambda _: GuidanceCode.NO_FACE)
    assert device.run() == Complete(EndReason.NOT_READY)
    assert not device.reveals


def test_a_short_disturbance_extends_the_step_and_costs_no_other() -> None:
    disturbed = {4}

    def disturb(step: ColourStep, frames: int) -> frozenset[Disturbance]:
        return frozenset({Disturbance.MOVED}) if step.number in disturbed and frames < 13 else frozenset()

    plain, extended = (
        FlashDevice(flash_challenge()),
        FlashDevice(flash_challenge(ScriptedMeter(disturb=disturb))),
    )
    assert plain.run() == extended.run() == Complete(EndReason.PROVEN)
    assert len(plain.reveals) == len(extended.reveals)
    assert 0.1 < extended.actions[-1][0] - plain.actions[-1][0] < 0.8


def test_a_faint_answer_extends_the_step_and_proves_it() -> None:
    plain, extended = (
        FlashDevice(flash_challenge()),
        FlashDevice(flash_challenge(ScriptedMeter(clear=lambda step: step.number != 4))),
    )
    assert plain.run() == extended.run() == Complete(EndReason.PROVEN)
    assert len(plain.reveals) == len(extended.reveals)
    assert 0.4 < extended.actions[-1][0] - plain.actions[-1][0] < 0.8


def test_a_step_that_stays_disturbed_is_replaced_by_a_fresh_draw_and_counts_as_shown() -> None:
    def disturb(step: ColourStep, _: int) -> frozenset[Disturbance]:
        return frozenset({Disturbance.MOVED}) if step.number == 3 else frozenset()

    challenge = flash_challenge(ScriptedMeter(disturb=disturb))
    device = FlashDevice(challenge)
    assert device.run() == Complete(EndReason.PROVEN)
    coloured = [step for _, step in device.reveals if step.bits]
    assert len(coloured) > 6
    verified = [step.colour_bits for step in coloured if step.number != 3]
    assert challenge.proven_bits == pytest.approx(bits_beyond_chance(verified, shown=len(coloured)))
    assert HintCode.HOLD_STILL in hints_given(device)


def test_contradictions_are_never_stopped_early_for() -> None:
    device = FlashDevice(flash_challenge(ScriptedMeter(answer=lambda step: step.number != 2)))
    assert device.run() == Complete(EndReason.PROVEN)
    assert sum(step.bits > 0 for _, step in device.reveals) == 8


@pytest.mark.parametrize(("settled_by", "steps"), [(0, 5), (7, 6), (8, 7), (99, 8)])
def test_a_doubtful_answer_gets_more_colours_up_to_a_full_script(settled_by: int, steps: int) -> None:
    meter = ScriptedMeter(in_doubt=lambda revealed: revealed < settled_by)
    device = FlashDevice(flash_challenge(meter))
    assert device.run() == Complete(EndReason.PROVEN)
    assert sum(step.bits > 0 for _, step in device.reveals) == steps


def test_no_doubt_makes_a_challenge_longer_than_the_policy_allows() -> None:
    meter = ScriptedMeter(in_doubt=lambda _: True)
    device = FlashDevice(flash_challenge(meter, DynamicPolicy(maximum_steps=6)))
    assert device.run() == Complete(EndReason.PROVEN)
    assert sum(step.bits > 0 for _, step in device.reveals) == 6


def test_a_step_that_waited_at_the_server_is_held_for_as_long_as_any_other() -> None:
    device = FlashDevice(flash_challenge(ScriptedMeter()), queued=0.4)
    device.run()
    steps = device.challenge.revealed
    assert [step.at for step in steps] == [at + 0.4 for at, _ in device.reveals]
    for one, after in pairwise(device.reveals):
        assert after[0] - (one[0] + 0.4) >= one[1].transition_seconds + one[1].hold_seconds


@pytest.mark.parametrize("slow", [1, 2, 3])
def test_late_answers_are_told_and_more_colours_make_up_for_them(slow: int) -> None:
    usual = FlashDevice(flash_challenge())
    usual.run()
    device = FlashDevice(flash_challenge(ScriptedMeter(late=lambda step: 1 < step.number <= 1 + slow)))
    told: list[bool] = []

    def captured(_: float) -> bool:
        told.append(device.challenge.late)
        return True

    device.captured = captured
    assert device.run() == Complete(EndReason.PROVEN)
    assert len(device.reveals) >= len(usual.reveals) + slow
    assert any(told)
    assert not device.challenge.late
    assert_safe(device.reveals)


def test_answers_that_are_always_late_prove_nothing() -> None:
    device = FlashDevice(flash_challenge(ScriptedMeter(late=lambda _: True)))
    end = device.run()
    assert isinstance(end, Complete)
    assert end.reason in {EndReason.EXHAUSTED, EndReason.TIMED_OUT}
    assert device.challenge.late
    assert device.challenge.proven_bits == 0
    assert_safe(device.reveals)


def test_wrong_colours_end_after_a_full_script() -> None:
    challenge = flash_challenge(ScriptedMeter(answer=lambda _: False))
    device = FlashDevice(challenge)
    assert device.run() == Complete(EndReason.EXHAUSTED)
    assert sum(step.bits > 0 for _, step in device.reveals) == 8
    assert challenge.proven_bits == pytest.approx(0, abs=1e-9)


def test_unmeasurable_steps_are_repeated_up_to_the_policy_s_limit() -> None:
    device = FlashDevice(
        flash_challenge(
            ScriptedMeter(answer=lambda _: None), DynamicPolicy(maximum_steps=9, maximum_seconds=40)
        )
    )
    assert device.run() == Complete(EndReason.EXHAUSTED)
    assert sum(step.bits > 0 for _, step in device.reveals) == 9


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ({3: None, 5: None, 7: None}, 13),
        ({4: False}, 9),
        ({3: None, 4: False, 6: None}, 13),
    ],
)
def test_sixteen_bits_are_reached_with_more_steps_where_some_are_lost(
    answers: dict[int, bool | None], shown: int
) -> None:
    meter = ScriptedMeter(answer=lambda step: answers.get(step.number, True))
    policy = DynamicPolicy(minimum_bits=BitFloor.HIGH, maximum_seconds=30)
    device = FlashDevice(flash_challenge(meter, policy))
    assert device.run() == Complete(EndReason.PROVEN)
    assert sum(step.bits > 0 for _, step in device.reveals) == shown


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    answers=st.lists(st.sampled_from([True, True, True, None, False]), min_size=20, max_size=20),
    floor=st.sampled_from(list(BitFloor)),
    most=st.integers(9, 18),
)
def test_the_script_is_exhausted_only_if_no_remaining_step_reaches_the_floor(
    answers: list[bool | None], floor: BitFloor, most: int
) -> None:
    meter = ScriptedMeter(answer=lambda step: answers[step.number])
    policy = DynamicPolicy(minimum_bits=floor, maximum_steps=most, maximum_seconds=60)
    device = FlashDevice(flash_challenge(meter, policy), rate=10)
    end = device.run()
    coloured = [step for _, step in device.reveals if step.bits > 0]
    judged = [answers[step.number] for step in coloured]
    right = [step.colour_bits for step, answer in zip(coloured, judged, strict=True) if answer]
    if end == Complete(EndReason.EXHAUSTED) and judged.count(False) < 2:
        hoped = right + [math.log2(7)] * judged.count(None)
        for more in range(most - len(coloured) + 1):
            reached = bits_beyond_chance(hoped + [math.log2(7)] * more, shown=len(coloured) + more)
            assert reached < floor or not more, "with a right answer to every step that may still come"
    if end == Complete(EndReason.PROVEN):
        assert bits_beyond_chance(right, shown=len(coloured)) >= floor
    assert len(coloured) <= most


def test_the_closing_step_is_held_like_every_other() -> None:
    device = FlashDevice(flash_challenge())
    device.run()
    at, closing = device.reveals[-1]
    assert closing.last
    assert device.actions[-1][0] - at >= SHORTEST_HOLD_SECONDS
    # On the person's screen, not only by the server's clock: it ends with the first frame that shows it held.
    last = device.samples[-1]
    assert last.step == closing.number
    assert last.step_since is not None
    assert 0 <= last.capture_time - last.step_since - closing.hold_seconds < 1 / device.rate
    assert last.arrival_time == device.actions[-1][0]


def test_a_closing_step_that_no_frame_shows_is_not_waited_for_long() -> None:
    challenge = flash_challenge()
    device = FlashDevice(challenge)
    device.claim = lambda step, since: (0, None) if challenge.settled else (step, since)
    device.run()
    at, closing = device.reveals[-1]
    waited = device.actions[-1][0] - at - closing.hold_seconds
    assert 0.3 < waited < 1.0


def test_the_decision_uses_every_frame() -> None:
    """The judge has the whole scan, and must not verify less than the code that ended it."""
    meter = ScriptedMeter()
    seen = []

    def answer(_: ColourStep) -> bool:
        seen.append(meter.refreshed)
        return True

    meter.answer = answer
    device = FlashDevice(flash_challenge(meter))
    device.run()
    at, _ = device.reveals[-1]
    assert max(seen) >= sum(frame.step > 0 for frame in device.samples if frame.arrival_time < at - 0.5)


def test_omitting_wrong_guesses_passes_as_rarely_as_stated() -> None:
    """A blind guesser who moves at every step with a wrong guess."""
    floor, proven = 10, 0
    rng = np.random.default_rng(5)
    for seed in range(100):
        lucky: dict[int, bool] = {}

        def guessed(step: ColourStep, _frames: int, lucky: dict[int, bool] = lucky) -> frozenset[Disturbance]:
            right = lucky.setdefault(step.number, bool(rng.random() < 1 / 7)) or not step.bits
            return frozenset() if right else frozenset({Disturbance.MOVED})

        policy = DynamicPolicy(minimum_bits=floor, maximum_seconds=60, maximum_steps=14)
        device = FlashDevice(flash_challenge(ScriptedMeter(disturb=guessed), policy, seed=seed), rate=8)
        proven += device.run() == Complete(EndReason.PROVEN)
    assert proven <= 1, "2^-10 of 100 scans"


def test_a_policy_that_its_steps_cannot_satisfy_is_refused() -> None:
    with pytest.raises(LivenessPolicyError, match="cannot verify"):
        flash_challenge(policy=DynamicPolicy(minimum_bits=16, maximum_steps=5))


@pytest.mark.parametrize("now", [float("nan"), float("inf")])
def test_an_invalid_time_is_refused(now: float) -> None:
    with pytest.raises(ObservationError):
        flash_challenge().next_action(now=now)


def test_the_flash_is_settled_once_the_closing_step_is_shown() -> None:
    challenge = flash_challenge()
    settled: list[tuple[float, bool]] = []

    def looked_at(time: float) -> bool:
        settled.append((time, challenge.settled))
        return False

    device = FlashDevice(challenge, blinked=looked_at)
    device.run()
    closed = device.reveals[-1][0]
    assert device.reveals[-1][1].last
    # Frames that were captured just before the closing step was sent arrive after it.
    assert all(state is (time > closed - device.trip) for time, state in settled)
    assert device.actions[-1][0] - closed >= SHORTEST_HOLD_SECONDS - 1e-9
