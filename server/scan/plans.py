"""The plans of a scan's attempts, and the limits that apply to them."""

from collections.abc import Set
from dataclasses import replace
from typing import Final

from attempt import CapturePlan
from liveness.dynamic import DynamicPolicy, NextStep, WithoutFlash
from liveness.dynamic.challenge import ScriptSettings
from server.domain.terms import Mode, Plan
from server.policies import Policy
from server.policies.words import Fallback
from server.scan.messages import AdjustmentMessage, Capability, CaptureBudget

__all__ = [
    "FEWER_A_SECOND",
    "LEANEST",
    "ScanPlans",
    "expected_seconds",
    "fewer_bytes",
    "fewer_frames",
    "leaner_frames",
    "smallest_frame",
]

_CHALLENGE_SECONDS = {Plan.FLASH: 6.0, Plan.MOVEMENT: 9.0}
_GESTURE_SECONDS = 2.0
"""From the request until a person who complies has made the gesture."""

_SMALLEST_FRAME = 8 * 1024
_SMALLEST_FRAMES = {Plan.MOVEMENT: 24 * 1024}
"""Movement is measured in frames of one size, whose shorter side has 480 pixels or more. A device can
lower only the JPEG quality of these."""
_SMALLER_SIDE = 480
FEWER_A_SECOND: Final = 12.0
"""The frame rate that is requested if an attempt should need few bytes.

An approach is measured as well at ten frames per second as at twenty. At twenty, a scan with a flash and two
further attempts of 13 seconds would exceed its bytes. A flash passes as often at 12 frames per second as at
20: 33 and 34 of 38 simulated scans in the dark and indoors, and 10 and 8 of 19 in an office.
"""

LEANEST: Final = 1 / 3
"""The size of the frames that are requested, as a share of that before. A third of a frame of 46 kB is one of
240 x 320, on which the flash was measured."""


def expected_seconds(plan: Plan, *, capture: float, gestures: int = 0) -> float:
    """Returns the seconds that a good attempt takes.

    Args:
        plan: The plan of the attempt.
        capture: The time of a capture without a challenge, seconds.
        gestures: The number of gestures that the person is asked for at its end.
    """
    return _CHALLENGE_SECONDS.get(plan, capture) + gestures * _GESTURE_SECONDS


def fewer_bytes(plan: Plan, *, max_frame_bytes: int) -> AdjustmentMessage:
    """Returns the request for a slow connection: smaller frames, with an eighth of the bytes.

    The size stays the same for movement, which is measured in frames of one size.
    """
    return AdjustmentMessage(
        max_frames_per_second=0.0,
        max_side=0 if plan is Plan.MOVEMENT else _SMALLER_SIDE,
        max_frame_bytes=max_frame_bytes // 8,
    )


def leaner_frames(plan: Plan, *, mean: float) -> AdjustmentMessage:
    """Returns the request for answers that come too late: fewer frames, of a third of their size.

    Args:
        plan: The plan of the attempt.
        mean: The mean size of its frames so far, bytes.
    """
    return AdjustmentMessage(
        max_frames_per_second=FEWER_A_SECOND,
        max_side=0,
        max_frame_bytes=max(smallest_frame(plan), int(LEANEST * mean)),
    )


def smallest_frame(plan: Plan) -> int:
    """Returns the least frame size, bytes, that may be requested to make the scan's bytes last."""
    return _SMALLEST_FRAMES.get(plan, _SMALLEST_FRAME)


def fewer_frames(plan: Plan, *, scarce: bool) -> AdjustmentMessage | None:
    """Returns the request to reduce the frame rate at the start of an attempt; ``None`` if it is not needed.

    Args:
        plan: The plan of the attempt.
        scarce: Whether the scan's bytes would not last for the attempts that are still allowed.
    """
    if plan is not Plan.MOVEMENT and not scarce:
        return None
    return AdjustmentMessage(max_frames_per_second=FEWER_A_SECOND, max_side=0, max_frame_bytes=0)


class ScanPlans:
    """The plans of one stream's attempts, in order. A later stream begins with the first plan again.

    Attributes:
        first_step: The number of the next flash's first step. Numbers continue from attempt to attempt.
    """

    def __init__(self, *, policy: Policy, requested: Mode, capabilities: Set[Capability]) -> None:
        """Initialises the plans.

        Args:
            policy: The check's policy.
            requested: The weakest mode that may lead to SUCCESS.
            capabilities: The capabilities that the device announced.
        """
        self.first_step = 1
        self._policy = policy
        self._demanded = requested is Mode.DYNAMIC
        self._challenge = policy.challenge_for(requested)
        self._capabilities = capabilities
        wanted = self._demanded or policy.first_mode is Mode.DYNAMIC
        self._plan = Plan.FLASH if wanted and Capability.FLASH in capabilities else Plan.EXPRESS

    @property
    def next(self) -> Plan:
        """The plan of the next attempt."""
        return self._plan

    @property
    def mode(self) -> Mode:
        """The mode of the next attempt."""
        return Mode.DYNAMIC if self._plan is Plan.FLASH else Mode.EXPRESS

    @property
    def limits(self) -> DynamicPolicy:
        """The policy of a flash attempt."""
        falls_back = not self._demanded and (
            self._policy.fallback is Fallback.MOVEMENT and Capability.OVAL_CHANGE in self._capabilities
        )
        return DynamicPolicy(
            minimum_bits=self._challenge.required_bits,
            demanded=self._demanded,
            blink=self._challenge.blink,
            depth=self._challenge.depth,
            fallback=NextStep.MOVEMENT if falls_back else NextStep.NONE,
            without_flash=WithoutFlash.REFUSED if self._demanded else WithoutFlash.EXPRESS,
        )

    @property
    def gestures(self) -> int:
        """The number of gestures that the person is asked for at the end of an attempt."""
        return self._challenge.gestures

    def capture_plan(self, plan: CapturePlan) -> CapturePlan:
        """Returns the server's plan of a capture, adapted to the policy."""
        return replace(plan, open_mouth=self._challenge.open_mouth, turn_head=self._challenge.turn_head)

    def budget(self, budget: CaptureBudget) -> CaptureBudget:
        """Returns the server's limits of a scan, adapted to the policy.

        The policy may allow less time for an attempt, and more if the person is asked for gestures.
        """
        longer = budget.extended(float(self._challenge.gesture_seconds))
        allowed = float(self._policy.deadlines.attempt_seconds)
        return replace(longer, max_attempt_seconds=min(allowed, longer.max_attempt_seconds))

    @property
    def script(self) -> ScriptSettings:
        """The settings from which a flash attempt's steps are drawn."""
        if Capability.FLASH_SCROLL in self._capabilities:
            return ScriptSettings()
        return ScriptSettings(scroll_one_in=None)

    def decline(self) -> bool:
        """Continues without flashes, because the person declined them before the first colour.

        Returns:
            Whether the scan continues; False if the check demands the flash.
        """
        if self.limits.without_flash is WithoutFlash.REFUSED:
            return False
        self._plan = Plan.EXPRESS
        return True

    def fall_back(self) -> None:
        """Plans the policy's fallback for further attempts, because the light does not allow the flash."""
        if self.limits.fallback is NextStep.MOVEMENT:
            self._plan = Plan.MOVEMENT
