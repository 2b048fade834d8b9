"""The closing step waits for the frames that every scan needs."""

import pytest

from liveness.dynamic.challenge.actions import Complete, EndReason
from liveness.dynamic.policy import DynamicPolicy
from tests.liveness.dynamic.challenge.challenge_parts import DEPTH_LINE, flash_challenge, hints_given
from tests.liveness.dynamic.flash_device import FlashDevice, ScriptedMeter


@pytest.fixture
def proven_at() -> float:
    """The time at which the colours are proven in a scan that has its frames."""
    plain = FlashDevice(flash_challenge())
    plain.run()
    return plain.reveals[-1][0]


def test_the_last_colour_stays_until_there_are_enough_frames(proven_at: float) -> None:
    device = FlashDevice(flash_challenge(), captured=lambda time: time >= proven_at + 0.8)
    assert device.run() == Complete(EndReason.PROVEN)
    assert device.reveals[-1][0] - proven_at == pytest.approx(0.8, abs=0.15)
    assert device.reveals[-1][1].last
    assert not hints_given(device), "the device was sent a hint"


def test_frames_that_do_not_come_are_not_waited_for_long(proven_at: float) -> None:
    device = FlashDevice(flash_challenge(), captured=lambda _: False)
    assert device.run() == Complete(EndReason.PROVEN)
    assert device.reveals[-1][0] - proven_at == pytest.approx(2, abs=0.15)


def test_movements_and_frames_are_awaited_together(proven_at: float) -> None:
    device = FlashDevice(
        flash_challenge(ScriptedMeter(), DynamicPolicy(depth=True)),
        depth=lambda time: DEPTH_LINE + 1 if time > proven_at + 2.5 else DEPTH_LINE - 1,
        captured=lambda time: time >= proven_at + 0.8,
    )
    assert device.run() == Complete(EndReason.PROVEN)
    assert device.reveals[-1][0] - proven_at == pytest.approx(2.5, abs=0.2)


def test_a_challenge_that_gives_up_waits_for_no_frames() -> None:
    ends = []
    for enough in (True, False):
        challenge = flash_challenge(ScriptedMeter(answer=lambda step: step.number % 2 == 0))
        device = FlashDevice(challenge, captured=[lambda _: False, lambda _: True][enough])
        assert device.run() == Complete(EndReason.EXHAUSTED)
        ends.append(device.reveals[-1][0])
    assert ends[0] == ends[1]
