"""Depth in motion, if the policy requires it or the light shows no shape."""

from collections.abc import Callable

import pytest

from liveness.dynamic.challenge.actions import Complete, EndReason, Hint, HintCode
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode
from tests.liveness.dynamic.challenge.challenge_parts import DEPTH_LINE, flash_challenge, hints_given
from tests.liveness.dynamic.flash_device import FlashDevice, ScriptedMeter

_DEEP, _FLAT = DEPTH_LINE + 1, DEPTH_LINE - 1


def _device(
    depth: Callable[[float], float | None],
    *,
    taken: bool = True,
    shapes: bool = True,
    guidance: Callable[[float], GuidanceCode] = lambda _: GuidanceCode.OK,
    blink: bool = False,
) -> FlashDevice:
    policy = DynamicPolicy(depth=taken, blink=blink)
    challenge = flash_challenge(ScriptedMeter(shapes=shapes), policy)

    def measured(time: float) -> float | None:
        return depth(time) if challenge.depth_due else None

    return FlashDevice(challenge, depth=measured, guidance=guidance)


@pytest.fixture
def proven_at() -> float:
    """The time at which the colours are proven in a scan that needs nothing else."""
    plain = FlashDevice(flash_challenge())
    plain.run()
    return plain.reveals[-1][0]


def test_no_turn_is_requested_of_a_moving_head(proven_at: float) -> None:
    device = _device(lambda _: _DEEP)
    assert device.run() == Complete(EndReason.PROVEN)
    assert not hints_given(device)
    assert device.reveals[-1][0] == proven_at


def test_nothing_is_measured_where_it_is_not_needed(proven_at: float) -> None:
    device = _device(lambda _: pytest.fail("measured"), taken=False)
    assert device.run() == Complete(EndReason.PROVEN)
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


def test_depth_is_waited_for_before_a_blink_and_both_have_their_time(proven_at: float) -> None:
    device = _device(lambda time: _DEEP if time > proven_at + 1 else _FLAT, blink=True)
    assert device.run() == Complete(EndReason.PROVEN)
    hinted = [(at, action.code) for at, action in device.actions if isinstance(action, Hint)]
    assert [code for _, code in hinted] == [HintCode.BLINK, HintCode.TURN_HEAD_SLIGHTLY] + [
        HintCode.BLINK
    ] * 3
    assert hinted[0][0] < proven_at - 1, "a blink takes nothing from the colours"
    assert device.reveals[-1][0] - proven_at == pytest.approx(6, abs=0.5)


def test_the_request_to_turn_comes_in_time_to_be_read(proven_at: float) -> None:
    device = _device(lambda time: _DEEP if time > proven_at + 1 else _FLAT)
    assert device.run() == Complete(EndReason.PROVEN)
    asked = next(at for at, action in device.actions if isinstance(action, Hint))
    assert 0.3 < proven_at - asked < 0.7


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


def test_depth_that_goes_before_the_colours_are_proven_is_missed(proven_at: float) -> None:
    device = _device(lambda time: _DEEP if time < proven_at - 0.1 or time > proven_at + 1 else _FLAT)
    assert device.run() == Complete(EndReason.PROVEN)
    assert hints_given(device) == [HintCode.TURN_HEAD_SLIGHTLY]
    assert device.reveals[-1][0] - proven_at == pytest.approx(1, abs=0.4)


def test_depth_that_is_less_while_a_blink_is_waited_for_is_asked_for_again(proven_at: float) -> None:
    def depth(time: float) -> float:
        return _FLAT if proven_at + 1 < time < proven_at + 2 else _DEEP

    device = _device(depth, blink=True)
    assert device.run() == Complete(EndReason.PROVEN)
    hints = list(dict.fromkeys(hints_given(device)))
    assert hints == [HintCode.BLINK, HintCode.TURN_HEAD_SLIGHTLY], "nobody had to turn the head at first"


def test_nothing_is_asked_for_where_the_light_is_not_on_a_face(proven_at: float) -> None:
    policy = DynamicPolicy(depth=True, blink=True)
    device = FlashDevice(flash_challenge(ScriptedMeter(lights_a_face=False), policy), depth=lambda _: _FLAT)
    assert device.run() == Complete(EndReason.EXHAUSTED)
    assert device.reveals[-1][0] == proven_at
    assert device.challenge.unproven


def test_frames_of_the_wait_do_not_count_for_the_light(proven_at: float) -> None:
    device = _device(lambda _: _FLAT)
    device.run()
    counted = device.challenge.samples
    assert [sample.index for sample in counted] == list(range(len(counted)))
    assert counted[-1].arrival_time == proven_at
    assert len(device.samples) > len(counted) + 4 * device.rate


@pytest.mark.parametrize("code", [GuidanceCode.NO_FACE, GuidanceCode.MULTIPLE_FACES])
def test_a_face_that_leaves_is_not_waited_for(proven_at: float, code: GuidanceCode) -> None:
    """Depth must be shown by the same person that answered the colours."""

    def guidance(time: float) -> GuidanceCode:
        return code if proven_at + 0.5 < time < proven_at + 1.5 else GuidanceCode.OK

    device = _device(lambda _: _FLAT, guidance=guidance)
    assert device.run() == Complete(EndReason.FACE_AWAY)
    assert device.reveals[-1][0] < proven_at + 1.5, "the closing colour"


def test_a_head_that_turns_may_leave_the_middle(proven_at: float) -> None:
    def guidance(time: float) -> GuidanceCode:
        return GuidanceCode.CENTER_FACE if time > proven_at + 0.5 else GuidanceCode.OK

    device = _device(lambda time: _DEEP if time > proven_at + 3 else _FLAT, guidance=guidance)
    assert device.run() == Complete(EndReason.PROVEN)
