import pytest

from liveness.dynamic.challenge.actions import (
    Complete,
    EndReason,
    HintCode,
    Pause,
)
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode
from tests.liveness.dynamic.challenge.challenge_parts import flash_challenge, told_hints
from tests.liveness.dynamic.flash_device import FlashDevice


def test_whoever_blinks_of_themselves_is_not_asked_to() -> None:
    plain = FlashDevice(flash_challenge())
    blinking = FlashDevice(flash_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > 1)
    assert plain.run() == blinking.run() == Complete(EndReason.PROVEN)
    assert blinking.actions[-1][0] == plain.actions[-1][0]
    assert not told_hints(blinking)


def test_a_blink_is_awaited_from_when_it_is_asked_for_until_it_is_seen() -> None:
    challenge = flash_challenge(policy=DynamicPolicy(blink=True))
    awaited: list[float] = []

    def blinked(time: float) -> bool:
        if challenge.awaits_blink:
            awaited.append(time)
        return bool(awaited) and time > awaited[0] + 1

    device = FlashDevice(challenge, blinked=blinked)
    assert device.run() == Complete(EndReason.PROVEN)
    assert told_hints(device) == [HintCode.BLINK]
    assert awaited[-1] - awaited[0] == pytest.approx(1, abs=0.1)
    assert not challenge.awaits_blink


def test_whoever_did_not_blink_is_asked_to_and_waited_for() -> None:
    plain = FlashDevice(flash_challenge())
    plain.run()
    done = plain.reveals[-1][0]
    late = FlashDevice(
        flash_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > done + 2.5
    )
    assert late.run() == Complete(EndReason.PROVEN)
    assert told_hints(late) == [HintCode.BLINK] * 2, "told again after two seconds"
    assert [step for _, step in late.reveals] == [step for _, step in plain.reveals], "no further colour"
    assert late.reveals[-1][0] - done == pytest.approx(2.5, abs=0.2)
    assert late.challenge.progress == 1


@pytest.mark.parametrize("patience", [0.0, 3.0])
def test_whoever_never_blinks_is_waited_for_no_longer_than_the_policy_says(patience: float) -> None:
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


def test_who_blinks_in_the_colours_after_being_asked_is_not_waited_for() -> None:
    plain = FlashDevice(flash_challenge())
    plain.run()
    done = plain.reveals[-1][0]
    asked = FlashDevice(
        flash_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > done - 0.2
    )
    assert asked.run() == Complete(EndReason.PROVEN)
    assert told_hints(asked) == [HintCode.BLINK]
    assert asked.reveals[-1][0] == done
