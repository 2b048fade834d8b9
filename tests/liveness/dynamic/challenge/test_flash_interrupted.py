from collections.abc import Callable
from itertools import pairwise

import pytest

from liveness.dynamic.challenge.actions import (
    Complete,
    EndReason,
    FallBack,
    Hint,
    HintCode,
    Pause,
    Resume,
    Wait,
)
from liveness.dynamic.challenge.interface import Disturbance, Light
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode
from tests.liveness.dynamic.challenge.challenge_parts import assert_safe, flash_challenge, hints_given
from tests.liveness.dynamic.flash_device import FlashDevice, ScriptedMeter, sample


def test_bright_light_is_reported_and_then_falls_back_where_the_policy_names_it() -> None:
    meter = ScriptedMeter(answer=lambda _: None, measured_light=lambda _: Light.TOO_BRIGHT)
    device = FlashDevice(flash_challenge(meter, DynamicPolicy(falls_back=True)))
    assert device.run() == FallBack(HintCode.TOO_BRIGHT)
    assert hints_given(device)[0] is HintCode.TOO_BRIGHT
    assert device.reveals[-1][1].last, "the screen returns to normal first"
    hinted = next(at for at, action in device.actions if isinstance(action, Hint))
    assert device.actions[-1][0] - hinted >= DynamicPolicy().light_patience_seconds


def test_bright_light_ends_it_where_nothing_else_is_offered() -> None:
    meter = ScriptedMeter(answer=lambda _: None, measured_light=lambda _: Light.WEAK)
    device = FlashDevice(flash_challenge(meter))
    assert device.run() == Complete(EndReason.LIGHT)
    assert set(hints_given(device)) == {HintCode.RAISE_SCREEN_BRIGHTNESS}
    assert 1 < len(hints_given(device)) < 10, "hinted again, but not with every frame"


def test_light_that_improves_in_time_has_no_effect() -> None:
    meter = ScriptedMeter(measured_light=lambda steps: Light.TOO_BRIGHT if 3 <= steps <= 4 else Light.OK)
    device = FlashDevice(flash_challenge(meter, DynamicPolicy(falls_back=True)))
    assert device.run() == Complete(EndReason.PROVEN)
    assert hints_given(device) == [HintCode.TOO_BRIGHT]


@pytest.mark.parametrize(
    "trouble",
    [
        {"answer": lambda _: None},
        {"answer": lambda _: False},
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
        guidance=lambda time: GuidanceCode.CENTER_FACE if 2 < time < 4 else GuidanceCode.OK,
    )
    assert device.run() == Complete(EndReason.PROVEN)
    kinds = [type(action) for _, action in device.actions]
    pauses = [action for _, action in device.actions if isinstance(action, Pause)]
    assert pauses[0] == Pause(HintCode.CENTER_FACE)
    assert kinds.count(Pause) == kinds.count(Resume) <= 3
    assert not [at for at, _ in device.reveals if 2.1 < at < 4], "nothing new while nobody looks"


def test_a_face_that_stays_away_ends_it() -> None:
    device = FlashDevice(
        flash_challenge(), guidance=lambda time: GuidanceCode.NO_FACE if time > 1 else GuidanceCode.OK
    )
    assert device.run() == Complete(EndReason.FACE_AWAY)
    assert device.reveals[-1][1].last


@pytest.mark.parametrize("trip", [0.025, 0.2, 0.4, 0.6])
def test_one_glance_away_is_one_pause_on_a_slow_line_too(trip: float) -> None:
    """Frames sent after the end of a pause arrive a round trip later."""
    device = FlashDevice(
        flash_challenge(),
        trip=trip,
        guidance=lambda time: GuidanceCode.NO_FACE if 3 < time < 3.9 else GuidanceCode.OK,
    )
    assert device.run() == Complete(EndReason.PROVEN)
    assert len([action for _, action in device.actions if isinstance(action, Pause)]) == 1


def test_silence_after_a_pause_leads_to_another_pause() -> None:
    challenge = flash_challenge()
    index = 0
    while not isinstance(action := challenge.next_action(now=index / 15), Pause):
        time = index / 15
        challenge.add(sample(index, capture_time=time, arrival_time=time, face=index < 10))
        index += 1
    paused = index / 15
    assert challenge.next_action(now=paused + 1.0) == Resume()
    patience = challenge.next_action(now=paused + 1.1)
    assert isinstance(patience, Wait)
    assert patience.until == pytest.approx(paused + 4.0)
    assert challenge.next_action(now=patience.until) == action


def test_a_face_that_is_away_for_a_moment_pauses_nothing() -> None:
    device = FlashDevice(
        flash_challenge(), guidance=lambda time: GuidanceCode.NO_FACE if 2 < time < 2.4 else GuidanceCode.OK
    )
    assert device.run() == Complete(EndReason.PROVEN)
    assert not [action for _, action in device.actions if isinstance(action, Pause)]


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
