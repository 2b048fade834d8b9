import pytest

from liveness.dynamic.challenge.actions import (
    Complete,
    EndReason,
    HintCode,
    Pause,
)
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode
from tests.liveness.dynamic.challenge.challenge_parts import flash_challenge, hints_given
from tests.liveness.dynamic.flash_device import FlashDevice


def test_no_blink_is_requested_after_a_spontaneous_one() -> None:
    plain = FlashDevice(flash_challenge())
    blinking = FlashDevice(flash_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > 1)
    assert plain.run() == blinking.run() == Complete(EndReason.PROVEN)
    assert blinking.actions[-1][0] == plain.actions[-1][0]
    assert not hints_given(blinking)


def test_a_blink_is_awaited_from_when_it_is_asked_for_until_it_is_seen() -> None:
    challenge = flash_challenge(policy=DynamicPolicy(blink=True))
    awaited: list[float] = []

    def blinked(time: float) -> bool:
        if challenge.awaits_blink:
            awaited.append(time)
        return bool(awaited) and time > awaited[0] + 1

    device = FlashDevice(challenge, blinked=blinked)
    assert device.run() == Complete(EndReason.PROVEN)
    assert hints_given(device) == [HintCode.BLINK]
    assert awaited[-1] - awaited[0] == pytest.approx(1, abs=0.1)
    assert not challenge.awaits_blink


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
def test_the_wait_for_a_blink_ends_at_the_limit_of_the_policy(patience: float) -> None:
    plain = FlashDevice(flash_challenge())
    plain.run()
    stiff = FlashDevice(flash_challenge(policy=DynamicPolicy(blink=True, blink_patience_seconds=patience)))
    assert stiff.run() == Complete(EndReason.PROVEN), "the judge says what that proves"
    assert stiff.actions[-1][0] - plain.actions[-1][0] == pytest.approx(patience, abs=0.2)


def test_a_face_that_leaves_while_a_blink_is_waited_for_ends_it() -> None:
    """The person who blinks has to be the one who answered the colours."""
    plain = FlashDevice(flash_challenge())
    plain.run()
    done = plain.reveals[-1][0]
    away = FlashDevice(
        flash_challenge(policy=DynamicPolicy(blink=True)),
        guidance=lambda time: GuidanceCode.NO_FACE if done + 0.5 < time < done + 2 else GuidanceCode.OK,
        blinked=lambda time: time > done + 4,
    )
    assert away.run() == Complete(EndReason.FACE_AWAY)
    assert not any(isinstance(action, Pause) for _, action in away.actions)


def test_a_requested_blink_within_the_colours_needs_no_wait() -> None:
    plain = FlashDevice(flash_challenge())
    plain.run()
    done = plain.reveals[-1][0]
    asked = FlashDevice(
        flash_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > done - 0.2
    )
    assert asked.run() == Complete(EndReason.PROVEN)
    assert hints_given(asked) == [HintCode.BLINK]
    assert asked.reveals[-1][0] == done
