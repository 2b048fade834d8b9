"""The flash challenge."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from liveness.dynamic.challenge.actions import (
    Complete,
    EndReason,
    FallBack,
    Hint,
    Pause,
    Resume,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge.proof import Disturbance, Light
from liveness.dynamic.challenge.script import SHORTEST_HOLD_SECONDS, ColourStep, bits_beyond_chance
from liveness.dynamic.policy import BitFloor, DynamicPolicy
from liveness.errors import LivenessPolicyError
from liveness.guidance import HintCode
from tests.liveness.dynamic.flash_device import (
    DEPTH_LINE,
    FlashDevice,
    ScriptedMeter,
    assert_never_early,
    assert_safe,
    flash_challenge,
    hints_given,
    sample,
)


@pytest.fixture
def proven_at() -> float:
    """The time at which the colours are proven in a scan that needs nothing else."""
    plain = FlashDevice(flash_challenge())
    plain.run()
    return plain.reveals[-1][0]


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
    assert_never_early(device)


@pytest.mark.parametrize("floor", list(BitFloor))
def test_the_flash_takes_under_six_seconds_at_fifty_milliseconds_round_trip(floor: BitFloor) -> None:
    durations = []
    for seed in range(15):
        device = FlashDevice(flash_challenge(policy=DynamicPolicy(minimum_bits=floor), seed=seed))
        device.run()
        durations.append(device.actions[-1][0])
    assert float(np.median(durations)) < 6


def test_nothing_is_shown_before_the_face_is_in_its_place() -> None:
    device = FlashDevice(
        flash_challenge(), guidance=lambda time: HintCode.GOOD if time > 2 else HintCode.MOVE_CLOSER
    )
    device.run()
    assert device.reveals[0][0] > 2.1


def test_a_face_that_never_comes_ends_it_without_a_flash() -> None:
    device = FlashDevice(flash_challenge(), guidance=lambda _: HintCode.NO_FACE)
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


@pytest.mark.parametrize(("settled_by", "most", "steps"), [(0, 14, 5), (7, 14, 6), (99, 14, 8), (99, 6, 6)])
def test_a_doubtful_answer_gets_more_colours_up_to_a_full_script_or_the_policys_limit(
    settled_by: int, most: int, steps: int
) -> None:
    meter = ScriptedMeter(in_doubt=lambda revealed: revealed < settled_by)
    device = FlashDevice(flash_challenge(meter, DynamicPolicy(maximum_steps=most)))
    assert device.run() == Complete(EndReason.PROVEN)
    assert sum(step.bits > 0 for _, step in device.reveals) == steps


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


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
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
    most=st.integers(9, 14),
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


def test_a_missing_blink_is_requested_and_awaited() -> None:
    plain = FlashDevice(flash_challenge())
    plain.run()
    done = plain.reveals[-1][0]
    late = FlashDevice(
        flash_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > done + 2.5
    )
    assert late.run() == Complete(EndReason.PROVEN)
    assert hints_given(late) == [HintCode.BLINK] * 2, "hinted again after two seconds"
    assert [step for _, step in late.reveals] == [step for _, step in plain.reveals], "no further colour"
    assert late.reveals[-1][0] - done == pytest.approx(2.5, abs=0.2)
    assert late.challenge.progress == 1


@pytest.mark.parametrize("patience", [0.0, 3.0])
def test_the_wait_for_a_blink_ends_at_the_limit_of_the_policy(proven_at: float, patience: float) -> None:
    stiff = FlashDevice(flash_challenge(policy=DynamicPolicy(blink=True, blink_patience_seconds=patience)))
    assert stiff.run() == Complete(EndReason.PROVEN), "the judge says what that proves"
    assert stiff.reveals[-1][0] - proven_at == pytest.approx(patience, abs=0.2)


def test_a_face_that_leaves_while_a_blink_is_waited_for_ends_it(proven_at: float) -> None:
    """The person who blinks has to be the one who answered the colours."""
    away = FlashDevice(
        flash_challenge(policy=DynamicPolicy(blink=True)),
        guidance=lambda time: HintCode.NO_FACE if 0.5 < time - proven_at < 2 else HintCode.GOOD,
        blinked=lambda time: time > proven_at + 4,
    )
    assert away.run() == Complete(EndReason.FACE_AWAY)
    assert not any(isinstance(action, Pause) for _, action in away.actions)


def test_frames_that_do_not_come_are_not_waited_for_long(proven_at: float) -> None:
    device = FlashDevice(flash_challenge(), captured=lambda _: False)
    assert device.run() == Complete(EndReason.PROVEN)
    assert device.reveals[-1][0] - proven_at == pytest.approx(2, abs=0.15)


def test_a_challenge_that_gives_up_waits_for_no_frames() -> None:
    ends = []
    for enough in (True, False):
        challenge = flash_challenge(ScriptedMeter(answer=lambda step: step.number % 2 == 0))
        device = FlashDevice(challenge, captured=[lambda _: False, lambda _: True][enough])
        assert device.run() == Complete(EndReason.EXHAUSTED)
        ends.append(device.reveals[-1][0])
    assert ends[0] == ends[1]


_DEEP, _FLAT = DEPTH_LINE + 1, DEPTH_LINE - 1


def _device(
    depth: Callable[[float], float | None],
    *,
    taken: bool = True,
    shapes: bool = True,
    guidance: Callable[[float], HintCode] = lambda _: HintCode.GOOD,
) -> FlashDevice:
    challenge = flash_challenge(ScriptedMeter(shapes=shapes), DynamicPolicy(depth=taken))

    def measured(time: float) -> float | None:
        return depth(time) if challenge.depth_due else None

    return FlashDevice(challenge, depth=measured, guidance=guidance)


def test_no_turn_is_requested_of_a_moving_head(proven_at: float) -> None:
    device = _device(lambda _: _DEEP)
    assert device.run() == Complete(EndReason.PROVEN)
    assert not hints_given(device)
    assert device.reveals[-1][0] == proven_at


@pytest.mark.parametrize(("taken", "shapes"), [(True, True), (False, False), (True, False)])
def test_a_turn_is_requested_of_a_still_head(proven_at: float, taken: bool, shapes: bool) -> None:
    device = _device(lambda time: _DEEP if time > proven_at + 2.5 else _FLAT, taken=taken, shapes=shapes)
    assert device.run() == Complete(EndReason.PROVEN)
    assert hints_given(device) == [HintCode.TURN_HEAD_SLIGHTLY] * 2, "hinted again after two seconds"
    assert device.reveals[-1][0] - proven_at == pytest.approx(2.5, abs=0.2)
    assert not device.challenge.awaits_depth
    assert not device.challenge.unproven


def test_the_wait_for_depth_ends_at_the_limit_of_the_policy(proven_at: float) -> None:
    device = _device(lambda _: _FLAT)
    assert device.run() == Complete(EndReason.PROVEN), "the judge says what that proves"
    assert device.challenge.unproven
    assert device.reveals[-1][0] - proven_at == pytest.approx(5, abs=0.2)


def test_depth_is_measured_with_the_frame_that_proves_the_colours(proven_at: float) -> None:
    """The judge uses every frame up to it, which may show less than those before."""
    measured: list[float] = []

    def depth(time: float) -> float:
        measured.append(time)
        return _DEEP

    device = _device(depth)
    device.run()
    assert device.reveals[-1][0] == proven_at, "not a frame later"
    assert measured[-1] == pytest.approx(proven_at - device.trip)
    assert proven_at - measured[0] < 1.2
    # Every quarter of a second, and with the frames around the last.
    assert len(measured) <= 7


def test_nothing_is_asked_for_where_the_light_is_not_on_a_face(proven_at: float) -> None:
    policy = DynamicPolicy(depth=True, blink=True)
    device = FlashDevice(flash_challenge(ScriptedMeter(lights_a_face=False), policy), depth=lambda _: _FLAT)
    assert device.run() == Complete(EndReason.EXHAUSTED)
    assert device.reveals[-1][0] == proven_at
    assert device.challenge.unproven


@pytest.mark.parametrize("code", [HintCode.NO_FACE, HintCode.MULTIPLE_FACES])
def test_a_face_that_leaves_is_not_waited_for(proven_at: float, code: HintCode) -> None:
    """Depth must be shown by the same person that answered the colours."""

    def guidance(time: float) -> HintCode:
        return code if proven_at + 0.5 < time < proven_at + 1.5 else HintCode.GOOD

    device = _device(lambda _: _FLAT, guidance=guidance)
    assert device.run() == Complete(EndReason.FACE_AWAY)
    assert device.reveals[-1][0] < proven_at + 1.5, "the closing colour"


def test_a_head_that_turns_may_leave_the_middle(proven_at: float) -> None:
    def guidance(time: float) -> HintCode:
        return HintCode.CENTER_FACE if time > proven_at + 0.5 else HintCode.GOOD

    device = _device(lambda time: _DEEP if time > proven_at + 3 else _FLAT, guidance=guidance)
    assert device.run() == Complete(EndReason.PROVEN)


def test_bright_light_is_reported_and_then_falls_back_where_the_policy_names_it() -> None:
    meter = ScriptedMeter(answer=lambda _: None, measured_light=lambda _: Light.TOO_BRIGHT)
    device = FlashDevice(flash_challenge(meter, DynamicPolicy(falls_back=True)))
    assert device.run() == FallBack(HintCode.TOO_BRIGHT)
    assert hints_given(device)[0] is HintCode.TOO_BRIGHT
    assert device.reveals[-1][1].last, "the screen returns to normal first"
    hinted = next(at for at, action in device.actions if isinstance(action, Hint))
    assert device.actions[-1][0] - hinted >= DynamicPolicy().light_patience_seconds


@pytest.mark.parametrize(
    "trouble",
    [
        {"answer": lambda _: None},
        {"disturb": lambda _step, _frames: frozenset({Disturbance.FACE_LOST})},
        {
            "measured_light": lambda _: Light.TOO_BRIGHT,
            "answer": lambda step: None if step.number % 2 else False,
        },
        {"measured_light": lambda _: Light.TOO_DARK_TO_SEE_FACE, "answer": lambda _: None},
    ],
)
def test_nothing_but_light_leads_to_the_fallback(trouble: dict[str, Callable[..., object]]) -> None:
    policy = DynamicPolicy(falls_back=True)
    device = FlashDevice(flash_challenge(ScriptedMeter(**trouble), policy))  # type: ignore[arg-type]
    assert isinstance(device.run(), Complete)


def test_a_face_that_leaves_the_oval_pauses_the_capture_until_it_is_back() -> None:
    device = FlashDevice(
        flash_challenge(),
        guidance=lambda time: HintCode.CENTER_FACE if 2 < time < 4 else HintCode.GOOD,
    )
    assert device.run() == Complete(EndReason.PROVEN)
    kinds = [type(action) for _, action in device.actions]
    pauses = [action for _, action in device.actions if isinstance(action, Pause)]
    assert pauses[0] == Pause(HintCode.CENTER_FACE)
    assert kinds.count(Pause) == kinds.count(Resume) <= 3
    assert not [at for at, _ in device.reveals if 2.1 < at < 4], "nothing new while nobody looks"


def test_a_face_that_is_away_for_a_moment_pauses_nothing() -> None:
    device = FlashDevice(
        flash_challenge(), guidance=lambda time: HintCode.NO_FACE if 2 < time < 2.4 else HintCode.GOOD
    )
    assert device.run() == Complete(EndReason.PROVEN)
    assert not any(isinstance(action, Pause) for _, action in device.actions)


def test_a_face_that_stays_away_ends_it() -> None:
    device = FlashDevice(
        flash_challenge(), guidance=lambda time: HintCode.NO_FACE if time > 1 else HintCode.GOOD
    )
    assert device.run() == Complete(EndReason.FACE_AWAY)
    assert device.reveals[-1][1].last


@pytest.mark.parametrize("trip", [0.025, 0.6])
def test_one_glance_away_is_one_pause_on_a_slow_line_too(trip: float) -> None:
    """Frames sent after the end of a pause arrive a round trip later."""
    device = FlashDevice(
        flash_challenge(),
        trip=trip,
        guidance=lambda time: HintCode.NO_FACE if 3 < time < 3.9 else HintCode.GOOD,
    )
    assert device.run() == Complete(EndReason.PROVEN)
    assert len([action for _, action in device.actions if isinstance(action, Pause)]) == 1


def test_silence_after_a_pause_leads_to_another_pause() -> None:
    challenge = flash_challenge()
    index = 0
    while not isinstance(action := challenge.next_action(now=index / 15), Pause):
        time = index / 15
        challenge.add_flash_frame(sample(index, capture_time=time, arrival_time=time, face=index < 10))
        index += 1
    paused = index / 15
    assert challenge.next_action(now=paused + 1.0) == Resume()
    patience = challenge.next_action(now=paused + 1.1)
    assert isinstance(patience, Wait)
    assert patience.until == pytest.approx(paused + 4.0)
    assert challenge.next_action(now=patience.until) == action


LIES: list[Callable[[int, float], tuple[int, float | None]]] = [
    lambda step, _: (step, -1e9),
    lambda step, _: (step, 0.0),
    lambda step, since: (step, since - 0.3),
    lambda step, since: (step + 1, since - 10),
    lambda step, _: (step, float("nan")),
    lambda step, _: (step, float("-inf")),
]


@pytest.mark.parametrize("lie", LIES)
def test_false_claims_about_the_display_advance_no_step(
    lie: Callable[[int, float], tuple[int, float | None]],
) -> None:
    honest, liar = FlashDevice(flash_challenge()), FlashDevice(flash_challenge(), claim=lie)
    honest.run()
    liar.run()
    assert_safe(liar.reveals)
    for (at, step), (next_at, _) in pairwise(liar.reveals):
        # On the server's clock a whole hold has passed, whatever the device claimed.
        assert next_at - at >= step.transition_seconds + step.hold_seconds - 1e-9
        before = [frame for frame in liar.samples if frame.arrival_time <= at]
        shown_at_best = before[-1].capture_time
        held = [frame for frame in liar.samples if frame.arrival_time <= next_at]
        assert held[-1].capture_time >= shown_at_best + step.transition_seconds + step.hold_seconds


def test_a_device_that_claims_nothing_is_shown_nothing_more() -> None:
    device = FlashDevice(flash_challenge(), claim=lambda _step, _since: (0, None))
    assert device.run() == Complete(EndReason.TIMED_OUT)
    assert [step.bits for _, step in device.reveals] == [0, 0], "the lead-in and the closing step"


_TIMES = st.one_of(st.floats(0.0, 0.2), st.floats(-5.0, 5.0), st.just(0.0), st.floats(-1e6, 1e6))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1000),
    events=st.lists(
        st.tuples(
            _TIMES,
            _TIMES,
            st.integers(-2, 3),
            st.sampled_from(list(HintCode)),
            st.sampled_from([None, True, False]),
            st.sampled_from(list(Light)),
        ),
        max_size=120,
    ),
    steady=st.booleans(),
    blink=st.booleans(),
    queued=st.floats(0.0, 3.0),
)
@example(
    # The end of a wait that rounds to its start.
    seed=382,
    events=[
        (0.0, 0.0, 3, HintCode.TOO_DARK, None, Light.WEAK),
        (0.0, 0.0, -2, HintCode.HOLD_STILL, True, Light.TOO_DARK_TO_SEE_FACE),
        (0.1886184549751532, 0.06478488178358771, 1, HintCode.TOO_DARK, True, Light.OK),
        (0.0, 0.0, 2, HintCode.NO_FACE, False, Light.TOO_BRIGHT),
    ],
    steady=False,
    blink=False,
    queued=0.0,
)
def test_whatever_happens_it_is_safe_never_early_and_ends(
    seed: int,
    events: list[tuple[float, float, int, HintCode, bool | None, Light]],
    steady: bool,
    blink: bool,
    queued: float,
) -> None:
    """Random clock jumps, false claims, light and guidance: the limits hold and the challenge ends.

    Each step waits at the server for ``queued`` seconds until it is sent.
    """
    answered: bool | None = True
    lit = Light.OK
    meter = ScriptedMeter(answer=lambda _: answered, measured_light=lambda _: lit, needed=1)
    policy = DynamicPolicy(falls_back=bool(seed % 2), blink=blink)
    challenge = flash_challenge(meter, policy, seed=seed)
    reveals: list[tuple[float, ColourStep]] = []
    frames: Counter[int] = Counter()
    now, latest = 0.0, -math.inf
    ended: Complete | FallBack | None = None

    def ask() -> None:
        nonlocal ended, latest
        latest = max(latest, now)
        for _ in range(12):
            action = challenge.next_action(now=now)
            if isinstance(action, Reveal):
                assert ended is None
                if reveals and not action.step.last:
                    assert frames[reveals[-1][1].number] >= 2
                reveals.append((latest + queued, action.step))
                challenge.note_sent(latest + queued)
            elif isinstance(action, Complete | FallBack):
                assert ended in {None, action}
                ended = action
                return
            elif isinstance(action, Wait):
                assert action.until > latest
                return
        raise AssertionError("too much to say")

    for index, (passed, claimed, stray, code, answer, light) in enumerate(events):
        now += abs(passed) if steady and abs(passed) < 10 else passed
        answered, lit = answer, light
        claims = max(0, len(reveals) + stray)
        frames[claims] += 1
        frame = sample(index, capture_time=now + 50, arrival_time=now, step=claims, step_since=now + claimed)
        challenge.add_flash_frame(frame, code)
        ask()
    assert_safe([(at, step) for at, step in reveals])
    assert [step.number for _, step in reveals] == list(range(1, len(reveals) + 1))
    # Without input it ends by itself, with the screen back to normal if it ever flashed.
    for _ in range(200):
        if ended is not None:
            break
        now = max(now, latest) + 0.5
        ask()
    assert ended is not None
    if reveals:
        assert reveals[-1][1].last
    assert challenge.next_action(now=now + 1e3) == ended
    assert not math.isnan(challenge.proven_bits)
