"""A flash challenge for tests, and the invariants of every one."""

from itertools import pairwise

from liveness.dynamic.challenge.actions import (
    Hint,
    HintCode,
)
from liveness.dynamic.challenge.flash import FlashChallenge
from liveness.dynamic.challenge.script import SHORTEST_HOLD_SECONDS, ColourScript, ColourStep
from liveness.dynamic.policy import DynamicPolicy
from tests.liveness.dynamic.flash_device import FlashDevice, ScriptedMeter
from tests.liveness.dynamic.random_source import seeded

__all__ = ["DEPTH_LINE", "assert_never_early", "assert_safe", "flash_challenge", "hints_given"]


DEPTH_LINE = 3.0


def flash_challenge(
    meter: ScriptedMeter | None = None, policy: DynamicPolicy | None = None, seed: int = 0
) -> FlashChallenge:
    return FlashChallenge(
        script=ColourScript(seeded(seed)),
        meter=meter or ScriptedMeter(),
        policy=policy or DynamicPolicy(),
        depth_line=DEPTH_LINE,
    )


def hints_given(device: FlashDevice) -> list[HintCode]:
    return [action.code for _, action in device.actions if isinstance(action, Hint)]


def assert_never_early(device: FlashDevice) -> None:
    """Asserts by the frames that each reveal follows frames captured a whole hold after the appearance."""
    for (at, step), (next_at, following) in pairwise(device.reveals):
        assert next_at - at >= step.transition_seconds + step.hold_seconds - 1e-9
        if following.last:
            continue
        held = [
            frame
            for frame in device.arrivals_before[following.number]
            if frame.step == step.number
            and frame.step_since is not None
            and frame.capture_time >= frame.step_since + step.transition_seconds + step.hold_seconds
        ]
        assert len(held) >= 2


def assert_safe(reveals: list[tuple[float, ColourStep]]) -> None:
    times = [at for at, _ in reveals]
    for began in times:
        assert sum(began <= at < began + 1 for at in times) <= 3
    assert all(later - earlier >= SHORTEST_HOLD_SECONDS - 1e-9 for earlier, later in pairwise(times))
