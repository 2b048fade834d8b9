"""What each attempt of a scan asks of the device and the person, and under which limits."""

from collections.abc import Set
from typing import Final

from liveness.dynamic import policy as dynamic
from liveness.dynamic.challenge import ScriptSettings
from server.domain.terms import Mode, Plan
from server.policies import Policy
from server.policies.words import Fallback
from server.scan.messages import AdjustmentMessage, Capability

__all__ = ["FEWER_A_SECOND", "ScanPlans", "expected_seconds", "fewer_bytes", "fewer_frames"]

_CHALLENGE_SECONDS = {Plan.FLASH: 6.0, Plan.MOVEMENT: 9.0}

_SMALLER_SIDE = 480
FEWER_A_SECOND: Final = 12.0
"""Frames that are asked for where an attempt is to need few bytes. An approach shows as much in ten of them
as in twenty, and at twenty a scan with a flash and two attempts of 13 seconds after it would not keep to its
bytes. A flash of 12 passes as often as one of 20: of 38 simulated scans in the dark and indoors 33 and 34,
of 19 in an office 10 and 8."""


def expected_seconds(plan: Plan, *, capture: float) -> float:
    """How long a good attempt takes: its challenge, or without one the ``capture``."""
    return _CHALLENGE_SECONDS.get(plan, capture)


def fewer_bytes(plan: Plan, *, max_frame_bytes: int) -> AdjustmentMessage:
    """What a slow line is asked for: an eighth of the bytes, in smaller frames.

    Not smaller for movement, which is measured in frames of one size and not in small ones.
    """
    return AdjustmentMessage(
        max_frames_per_second=0.0,
        max_side=0 if plan is Plan.MOVEMENT else _SMALLER_SIDE,
        max_frame_bytes=max_frame_bytes // 8,
    )


def fewer_frames(plan: Plan, *, scarce: bool) -> AdjustmentMessage | None:
    """What an attempt asks for at its start; ``None`` where the budget says all.

    Args:
        plan: What the attempt asks the person for.
        scarce: Whether the scan's bytes would not last for the attempts that there may still be.
    """
    if plan is not Plan.MOVEMENT and not scarce:
        return None
    return AdjustmentMessage(max_frames_per_second=FEWER_A_SECOND, max_side=0, max_frame_bytes=0)


class ScanPlans:
    """The attempts of one stream, in order. A stream that comes later begins with the first plan again.

    Attributes:
        first_step: Number of the next flash's first step: numbers go on from attempt to attempt.
    """

    def __init__(self, *, policy: Policy, requested: Mode, capabilities: Set[Capability]) -> None:
        """Takes what the check asks for and what the device can do.

        Args:
            policy: The check's policy.
            requested: The weakest mode that may give SUCCESS.
            capabilities: What the device announced.
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
        """What the next attempt asks for."""
        return self._plan

    @property
    def mode(self) -> Mode:
        """The mode of the next attempt."""
        return Mode.DYNAMIC if self._plan is Plan.FLASH else Mode.EXPRESS

    @property
    def limits(self) -> dynamic.DynamicPolicy:
        """What holds for a flash attempt."""
        falls_back = not self._demanded and (
            self._policy.fallback is Fallback.MOVEMENT and Capability.OVAL_CHANGE in self._capabilities
        )
        return dynamic.DynamicPolicy(
            minimum_bits=self._challenge.required_bits,
            demanded=self._demanded,
            blink=self._challenge.blink,
            depth=self._challenge.depth,
            fallback=dynamic.NextStep.MOVEMENT if falls_back else dynamic.NextStep.NONE,
            without_flash=dynamic.WithoutFlash.REFUSED if self._demanded else dynamic.WithoutFlash.EXPRESS,
        )

    @property
    def script(self) -> ScriptSettings:
        """What a flash attempt's steps are drawn from."""
        if Capability.FLASH_SCROLL in self._capabilities:
            return ScriptSettings()
        return ScriptSettings(scroll_one_in=None)

    def decline(self) -> bool:
        """The person does not want to see flashes; they said so before the first colour.

        Returns:
            Whether the scan goes on without them; not where the check demands the flash.
        """
        if self.limits.without_flash is dynamic.WithoutFlash.REFUSED:
            return False
        self._plan = Plan.EXPRESS
        return True

    def fall_back(self) -> None:
        """The light does not allow the flash: attempts that follow ask for the policy's fallback."""
        if self.limits.fallback is dynamic.NextStep.MOVEMENT:
            self._plan = Plan.MOVEMENT
